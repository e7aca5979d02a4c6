package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDocument and maxNodes bound what is read: a configuration is never that
// large, and aliases of aliases could make much of little.
const (
	maxDocument = 4 << 20
	maxNodes    = 200_000
	maxSecret   = 64 << 10
)

// Load reads and checks the configuration file name. The configuration is never
// nil; it may be used if the report has not failed.
func Load(name string) (*Config, Report) {
	c, report := load(name)
	if c.read {
		report = append(report, report.unrelated(c.Check())...)
	}
	report.Sort()
	return c, report
}

func load(name string) (*Config, Report) {
	f, err := os.Open(name)
	if err != nil {
		return Default(), Report{{File: name, Text: pathless(err)}}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return Default(), Report{{File: name, Text: pathless(err)}}
	}
	return Parse(name, data, os.LookupEnv)
}

// tooLarge is the problem of a file that is no document any more.
func tooLarge(name string) Problem {
	return Problem{File: name, Text: fmt.Sprintf("is larger than %v", Size(maxDocument))}
}

// pathless is an error of package os without the name of the file, which the
// problem has anyway.
func pathless(err error) string {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return "cannot " + pe.Op + ": " + pe.Err.Error()
	}
	return err.Error()
}

// Parse reads a document that came from the file name, which gives relative
// paths their directory. The environment is asked through env. It does not
// run the checks of [Config.Check].
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, Report) {
	c := Default()
	c.file = name
	c.lines = map[string]int{}
	if len(data) > maxDocument {
		return c, Report{tooLarge(name)}
	}
	d := newDecoder(c, env)
	doc, report := parseYAML(name, data)
	if len(report) > 0 {
		return c, report
	}
	if doc == nil { // nothing but comments
		c.read = true
		return c, nil
	}
	d.value(doc, reflect.ValueOf(c).Elem(), "", "")
	if d.nodes > maxNodes {
		// Whatever else was found may be repeated without end.
		return c, Report{{File: name, Text: "the document is too large when its aliases are followed"}}
	}
	d.secretFiles()
	d.programs()
	c.read = true
	d.report.Sort()
	return c, d.report
}

// parseYAML returns the only document in the data, nil if there is none.
func parseYAML(name string, data []byte) (*yaml.Node, Report) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, Report{syntaxProblem(name, data, err)}
	}
	if err := dec.Decode(&second); err == nil {
		return nil, Report{{File: name, Line: second.Line, Text: "a second document begins here", Hint: `remove the line "---"`}}
	} else if !errors.Is(err, io.EOF) {
		return nil, Report{syntaxProblem(name, data, err)}
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// unknownAnchor is what a text that begins with "*" is told to be, without its line.
var unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)

// syntaxProblem makes a problem of the text of a YAML error, which is all that the library gives.
func syntaxProblem(file string, data []byte, err error) Problem {
	p := Problem{File: file, Text: err.Error()}
	if m := yamlLine.FindStringSubmatch(p.Text); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Text = "not YAML: " + p.Text[len(m[0]):]
	}
	lines := bytes.Split(data, []byte("\n"))
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		p.Line = 1 + slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte("*"+m[1])) })
	}
	switch {
	case strings.Contains(p.Text, "cannot start any token"):
		p.Hint = "put the text in quotes"
		if l := p.Line - 1; l >= 0 && l < len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[l], " "), []byte("\t")) {
			p.Hint = "indent with spaces, not with tabs"
		}
	case strings.Contains(p.Text, "unknown anchor"), strings.Contains(p.Text, "expected alphabetic or numeric character"):
		p.Hint = "put text that begins with * or & in quotes"
	case strings.Contains(p.Text, "mapping values are not allowed"):
		p.Hint = "put text with a colon and a space in it in quotes; keys of one mapping are indented alike"
	}
	return p
}

// decoder fills the structs from the tree of nodes and goes on after a mistake.
type decoder struct {
	c      *Config
	env    func(string) (string, bool)
	dir    string
	nodes  int
	report Report
	// literal means that ${NAME} is nothing but text: the values come from somebody else.
	literal bool
}

func newDecoder(c *Config, env func(string) (string, bool)) *decoder {
	return &decoder{c: c, env: env, dir: filepath.Dir(c.file)}
}

func (d *decoder) errorf(n *yaml.Node, path, hint, format string, args ...any) {
	d.report = append(d.report, Problem{File: d.c.file, Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// value reads n into v. An enum holds the words that are allowed, with commas.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path, enum string) {
	if d.nodes++; d.nodes > maxNodes {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path != "" && d.c.lines[path] == 0 {
		d.c.lines[path] = n.Line
	}
	if isNull(n) {
		return // as if the key were not there
	}
	switch p := v.Addr().Interface().(type) {
	case *PassiveAddress:
		d.passiveAddress(n, p, path)
		return
	case *Backend:
		d.backend(n, p, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(newWithDefaults(v.Type().Elem()))
		d.value(n, v.Elem(), path, enum)
	case reflect.Struct:
		if _, scalar := v.Interface().(Ports); scalar {
			d.scalar(n, v, path, enum)
			return
		}
		d.mapping(n, path, fieldsOf(v), nil)
	case reflect.Slice:
		d.list(n, v, path, enum)
	case reflect.Map:
		d.dictionary(n, v, path)
	default:
		d.scalar(n, v, path, enum)
	}
}

func isNull(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// newWithDefaults returns a pointer to a new value of the type, with its defaults.
func newWithDefaults(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if s, ok := p.Interface().(interface{ setDefaults() }); ok {
		s.setDefaults()
	}
	return p
}

// field is a key that a mapping may have.
type field struct {
	name, enum string
	value      reflect.Value
}

func fieldsOf(v reflect.Value) []field {
	var fs []field
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous { // its keys stand among the others
			fs = append(fs, fieldsOf(v.Field(i))...)
			continue
		}
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fs = append(fs, field{name, v.Type().Field(i).Tag.Get("enum"), v.Field(i)})
		}
	}
	return fs
}

// mapping reads the keys of a struct. Elsewhere tells, for a key that is not
// one of them, where it would belong; it may be nil.
func (d *decoder) mapping(n *yaml.Node, path string, fields []field, elsewhere func(key string) string) {
	for _, p := range d.pairs(n, path) {
		at := join(path, p.key.Value)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == p.key.Value })
		if i >= 0 {
			d.c.lines[at] = p.key.Line
			d.value(p.value, fields[i].value, at, fields[i].enum)
			continue
		}
		hint := ""
		if elsewhere != nil {
			hint = elsewhere(p.key.Value)
		}
		if hint == "" {
			var names []string
			for _, f := range fields {
				names = append(names, f.name)
			}
			if hint = didYouMean(p.key.Value, names); hint == "" {
				hint = "the keys here are " + strings.Join(names, ", ")
			}
		}
		d.errorf(p.key, at, hint, "unknown key %q", p.key.Value)
	}
}

// pairs returns the keys and values of a mapping with merged ones ("<<") at the
// end, and reports what is no mapping, keys that are no words, and keys that appear twice.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	if n.Kind != yaml.MappingNode {
		d.errorf(n, path, "", "want keys and values here, have %s", kindOf(n))
		return nil
	}
	var all []pair
	var merged []pair
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if d.nodes++; d.nodes > maxNodes {
			break // Parse reports it
		}
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.ShortTag() == "!!merge":
			merged = append(merged, d.merged(v, path)...)
		case k.Kind != yaml.ScalarNode:
			d.errorf(k, path, "", "a key has to be a single word, not %s", kindOf(k))
		case first[k.Value] != 0:
			d.errorf(k, join(path, k.Value), "", "the key %q is there twice, first in line %d", k.Value, first[k.Value])
		default:
			first[k.Value] = k.Line
			all = append(all, pair{k, v})
		}
	}
	for _, p := range merged {
		if first[p.key.Value] == 0 {
			first[p.key.Value] = p.key.Line
			all = append(all, p)
		}
	}
	return all
}

// merged returns what "<<: *name" or "<<: [*a, *b]" brings in.
func (d *decoder) merged(n *yaml.Node, path string) []pair {
	if d.nodes++; d.nodes > maxNodes {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.SequenceNode {
		var all []pair
		for _, e := range n.Content {
			all = append(all, d.merged(e, path)...)
		}
		return all
	}
	return d.pairs(n, path)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path, enum string) {
	elem := v.Type().Elem()
	if n.Kind == yaml.ScalarNode && elem == pathType {
		one := reflect.New(elem).Elem() // a single file needs no brackets
		d.value(n, one, path, enum)
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), one))
		return
	}
	if n.Kind != yaml.SequenceNode {
		hint := "begin each entry with \"- \""
		if elem.Kind() == reflect.String {
			hint = fmt.Sprintf("write [%s]", n.Value)
		}
		d.errorf(n, path, hint, "want a list here, have %s", kindOf(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, e := range n.Content {
		p := newWithDefaults(elem)
		at := fmt.Sprintf("%s[%d]", path, i)
		d.c.lines[at] = e.Line
		d.value(e, p.Elem(), at, enum)
		list = reflect.Append(list, p.Elem())
	}
	v.Set(list)
}

// dictionary reads a map whose keys the document chooses.
func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string) {
	m := reflect.MakeMap(v.Type())
	for _, p := range d.pairs(n, path) {
		at := join(path, p.key.Value)
		d.c.lines[at] = p.key.Line
		e := newWithDefaults(v.Type().Elem())
		d.value(p.value, e.Elem(), at, "")
		m.SetMapIndex(reflect.ValueOf(p.key.Value), e.Elem())
	}
	v.Set(m)
}

// backendTypes are the values of a back end's key "type".
var backendTypes = []string{"local", "s3", "gcs", "unix"}

// backend reads "type" first, which decides what other keys there are.
func (d *decoder) backend(n *yaml.Node, b *Backend, path string) {
	var kind string
	for _, p := range d.pairs(n, path) {
		if p.key.Value == "type" {
			d.c.lines[join(path, "type")] = p.key.Line
			d.value(p.value, reflect.ValueOf(&kind).Elem(), join(path, "type"), strings.Join(backendTypes, ","))
			if kind == "" {
				return // reported, or nothing behind the colon
			}
		}
	}
	all := map[string]any{"local": newWithDefaults(reflect.TypeFor[Local]()).Interface(),
		"s3": newWithDefaults(reflect.TypeFor[S3]()).Interface(), "gcs": newWithDefaults(reflect.TypeFor[GCS]()).Interface(),
		"unix": newWithDefaults(reflect.TypeFor[Unix]()).Interface()}
	switch kind {
	case "local":
		b.Local = all[kind].(*Local)
	case "s3":
		b.S3 = all[kind].(*S3)
	case "gcs":
		b.GCS = all[kind].(*GCS)
	case "unix":
		b.Unix = all[kind].(*Unix)
	default:
		d.errorf(n, path, "type is one of "+strings.Join(backendTypes, ", "), `the key "type" is missing`)
		return
	}
	fields := append([]field{{"type", "", reflect.ValueOf(new(string)).Elem()}}, fieldsOf(reflect.ValueOf(all[kind]).Elem())...)
	d.mapping(n, path, fields, func(key string) string {
		for _, other := range backendTypes {
			if other == kind {
				continue
			}
			for _, f := range fieldsOf(reflect.ValueOf(all[other]).Elem()) {
				if f.name == key {
					return fmt.Sprintf("back ends of type %s have it, not %s", other, kind)
				}
			}
		}
		return ""
	})
}

// passiveAddress reads one host, or a map of them.
func (d *decoder) passiveAddress(n *yaml.Node, p *PassiveAddress, path string) {
	if n.Kind == yaml.ScalarNode {
		p.Host, _ = d.text(n, path)
		return
	}
	p.ByLocal = map[netip.Addr]string{}
	for _, e := range d.pairs(n, path) {
		at := join(path, e.key.Value)
		d.c.lines[at] = e.key.Line
		local, err := netip.ParseAddr(e.key.Value)
		if err != nil {
			d.errorf(e.key, at, "the keys here are addresses of this machine, the values what clients are told", "%q is not an IP address", e.key.Value)
			continue
		}
		if isNull(e.value) {
			p.ByLocal[local.Unmap()] = "" // refused by Check, and no host of the name "null"
		} else if public, ok := d.text(e.value, at); ok {
			p.ByLocal[local.Unmap()] = public
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Value == "" {
		return "nothing"
	}
	return "a single value"
}
