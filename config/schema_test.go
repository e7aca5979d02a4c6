package config

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSchemaFile(t *testing.T) {
	s := &schemer{docs: comments(t), t: t}
	root := s.use(reflect.ValueOf(*Default()), reflect.ValueOf(*example()), false)
	doc := append(object{
		{"$schema", "http://json-schema.org/draft-07/schema#"},
		{"description", "The configuration of ftp-gateway. In values ${NAME} is the environment variable NAME. " +
			"File names are relative to the directory of the document. Times: 90s, 5m, 1h30m. Sizes: 256MiB, 2MB."},
	}, root.inline()...)
	s.shorten()
	doc = append(doc, member{"definitions", s.definitions()})
	var b strings.Builder
	layout(&b, doc, "")
	b.WriteByte('\n')
	if *update {
		if err := os.WriteFile("schema.json", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if b.String() != Schema() {
		t.Error("schema.json does not fit the structs: run go generate ./config")
	}
}

// schemer makes the schema of the document.
type schemer struct {
	t       *testing.T
	docs    map[string]string
	structs []*structure
}

// structure is the schema of a struct that has these defaults.
type structure struct {
	defaults reflect.Value
	partial  bool // the keys that are needed elsewhere are not here
	uses     int
	required []string
	one      []object // of these keys one is enough
	keys     object
}

func (s *structure) name() string { return snake(s.defaults.Type().Name()) }

// use is a struct as the value of something. One that is used more than once stands among the definitions.
type use struct {
	*structure
	needed bool
	doc    string
}

func (u use) MarshalJSON() ([]byte, error) { return encode(u.object()), nil }

func (u use) object() object {
	var o object
	if u.doc != "" {
		o = object{{"description", u.doc}}
	}
	switch {
	case u.uses < 2:
		return append(o, u.inline()...)
	case u.needed:
		o = append(o, member{"type", "object"})
	}
	if len(o) == 0 {
		return ref(u.name())
	}
	// Draft-07 takes no notice of what stands beside $ref.
	return append(o, member{"allOf", []object{ref(u.name())}})
}

func (u use) inline() object {
	if u.needed {
		return append(object{{"type", "object"}}, u.rest()...)
	}
	return append(object{{"type", []string{"object", "null"}}}, u.rest()...)
}

func (s *structure) rest() object {
	var o object
	if len(s.required) > 0 {
		o = append(o, member{"required", s.required})
	}
	if len(s.one) > 0 {
		o = append(o, member{"anyOf", s.one})
	}
	return append(o, member{"additionalProperties", false}, member{"properties", s.keys})
}

func (s *schemer) use(v, ex reflect.Value, partial bool) use {
	for _, known := range s.structs {
		if known.defaults.Type() == v.Type() && known.partial == partial && reflect.DeepEqual(known.defaults.Interface(), v.Interface()) {
			known.uses++
			return use{structure: known}
		}
	}
	made := &structure{defaults: v, partial: partial, uses: 1}
	s.structs = append(s.structs, made)
	s.properties(v, ex, made)
	return use{structure: made}
}

// properties adds the keys of a struct, and those of structs embedded in it.
func (s *schemer) properties(v, ex reflect.Value, made *structure) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			s.properties(v.Field(i), ex.Field(i), made)
			continue
		}
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		need := f.Tag.Get("need")
		if made.partial && need == "yes" {
			need = ""
		}
		switch need {
		case "yes":
			made.required = append(made.required, key)
		case "one":
			made.one = append(made.one, object{{"required", []string{key}}})
		}
		doc := s.docs[v.Type().Name()+"."+f.Name]
		if doc == "" {
			s.t.Errorf("%s.%s has no comment", v.Type().Name(), f.Name)
		}
		doc = strings.Join(strings.Fields(doc), " ")
		schema := s.value(v.Field(i), ex.Field(i), key, f.Tag.Get("enum"), need)
		switch x := schema.(type) {
		case use:
			x.doc = doc
			schema = x
		case object:
			if x[0].key == "$ref" {
				x = object{{"allOf", []object{x}}}
			}
			schema = append(append(object{{"description", doc}}, x...), initial(v.Field(i), ex.Field(i))...)
		}
		made.keys = append(made.keys, member{key, schema})
	}
}

// value is the schema of a value. Need is the tag of its key.
func (s *schemer) value(v, ex reflect.Value, key, enum, need string) any {
	needed := need == "yes"
	switch v.Interface().(type) {
	case time.Duration:
		return ref("duration")
	case Size:
		return ref("size")
	case Rate:
		return ref("rate")
	case Ports:
		return ref("ports")
	case int:
		return ref("number")
	case bool, *bool:
		return ref("boolean")
	case PassiveAddress:
		o := append(object{{"type", append([]string{"object"}, textTypes...)}}, textForm...)
		return append(o, member{"propertyNames", object{{"pattern", ipPattern}}}, member{"additionalProperties", text(true)})
	case map[string]Backend:
		return s.backends(ex)
	}
	switch v.Kind() {
	case reflect.String:
		switch {
		case enum != "":
			return words(enum)
		case key == "permissions":
			return ref("permissions")
		case need == "some":
			return object{{"minLength", 1}, {"allOf", []object{ref("text")}}}
		}
		return text(needed)
	case reflect.Pointer:
		if ex.IsNil() {
			ex = reflect.New(v.Type().Elem())
		}
		return s.use(newWithDefaults(v.Type().Elem()).Elem(), ex.Elem(), need == "no")
	case reflect.Struct:
		u := s.use(v, ex, need == "no")
		u.needed = needed
		return u
	case reflect.Slice:
		o := object{{"type", []string{"array", "null"}}, {"items", s.element(v.Type().Elem(), first(ex), enum)}}
		switch {
		case v.Type().Elem() == pathType: // a single file needs no brackets
			o[0].value = append([]string{"array"}, textTypes...)
			o = append(o, textForm...)
		case needed:
			o = append(object{{"type", "array"}, {"minItems", 1}}, o[1:]...)
		}
		return o
	case reflect.Map:
		o := object{{"type", []string{"object", "null"}}}
		if v.Type().Elem().Kind() == reflect.Struct {
			o = append(o, member{"propertyNames", object{{"pattern", backendName.String()}}})
		}
		return append(o, member{"additionalProperties", s.element(v.Type().Elem(), first(ex), "")})
	}
	s.t.Fatalf("%s: no schema of a %v", key, v.Type())
	return nil
}

// element is the schema of an entry of a list or map. One of null has the defaults, and so not what is needed.
func (s *schemer) element(t reflect.Type, ex reflect.Value, enum string) any {
	e := s.value(newWithDefaults(t).Elem(), ex, "", enum, "")
	if u, ok := e.(use); ok {
		u.needed = len(u.required) > 0
		return u
	}
	return e
}

// first is an entry of a list or map of examples, zero where there is none.
func first(ex reflect.Value) reflect.Value {
	if ex.Len() == 0 {
		return reflect.Zero(ex.Type().Elem())
	}
	if ex.Kind() == reflect.Map {
		return ex.MapIndex(ex.MapKeys()[0])
	}
	return ex.Index(0)
}

// backends is the schema of the key backends. Each type has keys of its own; where a variable is the type, nobody knows which.
func (s *schemer) backends(ex reflect.Value) object {
	var branches []object
	for _, kind := range backendTypes {
		for _, e := range ex.Interface().(map[string]Backend) {
			for i := range reflect.TypeFor[Backend]().NumField() {
				if p := reflect.ValueOf(e).Field(i); e.Type() == kind && !p.IsNil() {
					u := s.use(newWithDefaults(p.Type().Elem()).Elem(), p.Elem(), false)
					u.keys, u.needed = append(object{{"type", true}}, u.keys...), true
					branches = append(branches, object{
						{"if", object{{"required", []string{"type"}}, {"properties", object{{"type", object{{"const", kind}}}}}}},
						{"then", u},
					})
				}
			}
		}
	}
	kind := append(object{{"description", "What keeps the files. The other keys depend on it."}, {"type", "string"}}, words(strings.Join(backendTypes, ","))...)
	return object{
		{"type", []string{"object", "null"}},
		{"propertyNames", object{{"pattern", backendName.String()}}},
		{"additionalProperties", object{{"type", "object"}, {"required", []string{"type"}}, {"properties", object{{"type", kind}}}, {"allOf", branches}}},
	}
}

// textTypes are what YAML may take a text for: the reader takes 0123 and true as they are written.
var textTypes = []string{"string", "number", "boolean", "null"}

// textForm is about the strings among them.
var textForm = object{{"pattern", anyText}, {"patternErrorMessage", "Not the name of a variable: write $${ for a plain ${"}}

func text(needed bool) object {
	if needed {
		return object{{"type", textTypes[:3]}, {"minLength", 1}, {"allOf", []object{ref("text")}}}
	}
	return ref("text")
}

// words is the schema of one of some words. Those that YAML takes for numbers may be written as such.
func words(enum string) object {
	var all []any
	for w := range strings.SplitSeq(enum, ",") {
		all = append(all, w)
	}
	for w := range strings.SplitSeq(enum, ",") {
		if f, err := strconv.ParseFloat(w, 64); err == nil {
			all = append(all, f)
		}
	}
	return object{{"anyOf", []object{{{"enum", all}}, ref("variable")}}}
}

// initial are the members that tell what holds without the key, or, where that is nothing, an example.
func initial(v, ex reflect.Value) object {
	switch v.Kind() {
	case reflect.Pointer:
		return nil
	case reflect.Slice, reflect.Map:
		if v.Type().Elem().Kind() == reflect.Struct {
			return nil // each key of an entry has its own
		}
	}
	switch {
	case !v.IsZero(), v.Kind() == reflect.Bool, v.CanInt() && ex.IsZero():
		return object{{"default", plain(v)}}
	case !ex.IsZero():
		return object{{"examples", []any{plain(ex)}}}
	}
	return nil
}

// plain is a value as the document writes it.
func plain(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return short(x)
	case Size, Rate:
		if v.IsZero() {
			return 0
		}
		return v.Interface().(interface{ String() string }).String()
	case Ports:
		return x.String()
	case PassiveAddress:
		return x.Host
	}
	switch v.Kind() {
	case reflect.String: // secrets too, whose String prints stars
		return v.String()
	case reflect.Slice:
		var all []any
		for i := range v.Len() {
			all = append(all, plain(v.Index(i)))
		}
		return all
	}
	return v.Interface()
}

// shorten replaces keys that are as in one of the definitions by references, such as those of an account in users.
func (s *schemer) shorten() {
	for _, d := range s.structs {
		for _, other := range s.structs {
			if other == d || d.uses < 2 || d.partial {
				continue
			}
			for i, m := range other.keys {
				for _, own := range d.keys {
					if to := ref(d.name() + "/properties/" + m.key); own.key == m.key && len(encode(m.value)) > 2*len(encode(to)) && bytes.Equal(encode(own.value), encode(m.value)) {
						other.keys[i].value = to
					}
				}
			}
		}
	}
}

// definitions are the schemas of values with a form of their own, and of structs that are used more than once.
func (s *schemer) definitions() object {
	all := forms()
	// In the order of their names, each in one form only: another with the same name would be a mistake of the test.
	shared := slices.DeleteFunc(slices.Clone(s.structs), func(d *structure) bool { return d.uses < 2 })
	slices.SortFunc(shared, func(a, b *structure) int { return strings.Compare(a.name(), b.name()) })
	for i, d := range shared {
		if i > 0 && d.name() == shared[i-1].name() {
			s.t.Errorf("two definitions of %s", d.name())
		}
		all = append(all, member{d.name(), use{structure: d}.inline()})
	}
	return all
}

// snake is a name of a type as the document would write it.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
