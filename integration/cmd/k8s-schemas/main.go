// Command k8s-schemas writes the JSON schemas with which kubeconform checks the
// rendered chart, strictly: a key that the API does not know is an error.
//
//	k8s-schemas -o DIR swagger.json [CRD.yaml ...]
//
// The first file is api/openapi-spec/swagger.json of Kubernetes; it describes every
// kind of the API. Further files are CustomResourceDefinitions, of the Prometheus
// operator for example. One file is written for each kind, named as kubeconform
// looks for it: kind-group-version.json.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	out := flag.String("o", "", "folder to write to")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	n, err := run(*out, flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "k8s-schemas:", err)
		os.Exit(1)
	}
	fmt.Println(n, "schemas")
}

func run(out, swagger string, crds []string) (int, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return 0, err
	}
	n, err := builtin(out, swagger)
	if err != nil {
		return n, err
	}
	for _, file := range crds {
		m, err := custom(out, file)
		if err != nil {
			return n, fmt.Errorf("%s: %w", file, err)
		}
		n += m
	}
	return n, nil
}

// object is a JSON object of no fixed shape.
type object = map[string]any

// definitionsFile holds all types; the schemas of the kinds refer to it.
const definitionsFile = "_definitions.json"

func builtin(out, file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var doc struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Definitions) == 0 {
		return 0, fmt.Errorf("%s: no definitions", file)
	}
	for _, d := range doc.Definitions {
		tighten(d)
	}
	// The API takes a number as well where it wants one of these strings.
	for name, types := range map[string][]string{
		"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"string", "integer"},
		"io.k8s.apimachinery.pkg.api.resource.Quantity":   {"string", "number"},
	} {
		if doc.Definitions[name] == nil {
			return 0, fmt.Errorf("%s: no type %s", file, name)
		}
		doc.Definitions[name] = object{"type": types}
	}
	if err := write(filepath.Join(out, definitionsFile), object{"definitions": doc.Definitions}); err != nil {
		return 0, err
	}
	n := 0
	for _, d := range doc.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			k, _ := k.(object)
			group, _ := k["group"].(string)
			version, _ := k["version"].(string)
			kind, _ := k["kind"].(string)
			if err := writeKind(out, group, version, kind, d); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

func custom(out, file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema object `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(b, &crd); err != nil {
		return 0, err
	}
	if len(crd.Spec.Versions) == 0 {
		return 0, errors.New("no CustomResourceDefinition with versions")
	}
	for _, v := range crd.Spec.Versions {
		s := v.Schema.OpenAPIV3Schema
		tighten(s)
		props, _ := s["properties"].(object)
		if props == nil {
			return 0, fmt.Errorf("version %s has no properties", v.Name)
		}
		// A definition says nothing of the metadata but that it is an object.
		props["metadata"] = object{"$ref": definitionsFile + "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
		if err := writeKind(out, crd.Spec.Group, v.Name, crd.Spec.Names.Kind, s); err != nil {
			return 0, err
		}
	}
	return len(crd.Spec.Versions), nil
}

// tighten changes a schema in place: references go to the file of the
// definitions, and an object with named properties has no others.
func tighten(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			tighten(e)
		}
	case object:
		if ref, ok := v["$ref"].(string); ok {
			v["$ref"] = strings.Replace(ref, "#/definitions/", definitionsFile+"#/definitions/", 1)
		}
		if v["format"] == "int-or-string" || v["x-kubernetes-int-or-string"] == true {
			delete(v, "type")
			delete(v, "anyOf")
			v["oneOf"] = []any{object{"type": "string"}, object{"type": "integer"}}
		}
		if props, ok := v["properties"].(object); ok {
			_, typed := props["properties"].(object)
			if _, said := v["additionalProperties"]; !said && !typed && v["x-kubernetes-preserve-unknown-fields"] != true {
				v["additionalProperties"] = false
			}
		}
		for _, e := range v {
			tighten(e)
		}
	}
}

// writeKind writes the schema of one kind, in which kind and version are fixed.
func writeKind(out, group, version, kind string, schema object) error {
	b, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	var s object // a copy: one type can stand for several kinds
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	props, _ := s["properties"].(object)
	if props == nil {
		props = object{}
		s["properties"] = props
	}
	full := version
	if group != "" {
		full = group + "/" + version
	}
	props["apiVersion"] = object{"type": "string", "enum": []string{full}}
	props["kind"] = object{"type": "string", "enum": []string{kind}}
	required := []string{"apiVersion", "kind"}
	if list, ok := s["required"].([]any); ok {
		for _, r := range list {
			if r, ok := r.(string); ok && !slices.Contains(required, r) {
				required = append(required, r)
			}
		}
	}
	s["required"] = required
	name := kind
	if group != "" {
		short, _, _ := strings.Cut(group, ".")
		name += "-" + short
	}
	return write(filepath.Join(out, strings.ToLower(name+"-"+version)+".json"), s)
}

func write(file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}
