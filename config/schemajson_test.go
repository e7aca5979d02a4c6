package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, encode(m.key)...), ':'), encode(m.value)...)
	}
	return append(b, '}'), nil
}

// encode is json.Marshal that leaves "->" and "&" as people read them.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// layout writes JSON as people would, with what is short in one line.
func layout(b *strings.Builder, v any, indent string) {
	if u, ok := v.(use); ok {
		v = u.object()
	}
	line := encode(v)
	inner := indent + "  "
	var parts []any
	ends := "[]"
	switch x := v.(type) {
	case object:
		ends = "{}"
		for _, m := range x {
			parts = append(parts, m)
		}
	case []object:
		for _, o := range x {
			parts = append(parts, o)
		}
	}
	if len(indent)+len(line) <= 120 || len(parts) == 0 {
		b.Write(line)
		return
	}
	b.WriteByte(ends[0])
	for i, p := range parts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + inner)
		if m, ok := p.(member); ok {
			b.Write(encode(m.key))
			b.WriteString(": ")
			p = m.value
		}
		layout(b, p, inner)
	}
	b.WriteString("\n" + indent + ends[1:])
}

func ref(name string) object { return object{{"$ref", "#/definitions/" + name}} }
