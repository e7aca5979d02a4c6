package integration

import (
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// replacements are put in the place of each value. In 1.0, 1e3, 0x10 and True the reader and an editor see different things: they are not here.
var replacements = []string{
	"~", "''", "x", "5", "'5'", "0", "'-0'", "-1", "1.5", "true", "'true'", "yes", "no", "off", "1.2", "elr", "90s", "-5m", "-0s", ".5h", "1h 5m",
	"256MiB", "'1.5 KiB'", "-1B", "5/s", "30KiB/s", "30000-30099", "0-5", "70000", "'${X}'", "'$${X}'", "'${X'", "[]", "[x]", "[[x]]", "[~]", "{}", "{x: y}",
}

// TestSchemaAgrees takes a document with every key there is, and changes one thing at a time: each value, each key. What the reader says of that
// and what the schema says has to be the same.
func TestSchemaAgrees(t *testing.T) {
	doc := parseYAML(t, withExamples(gatewayOutput(t, "config", "defaults"))).Content[0]
	tried := 0
	// Keys that have little to do with each other: a small document is read faster.
	for key, value := range pairs(doc) {
		entries := []*yaml.Node{value}
		if key.Value == "backends" {
			entries = nil
			for name, backend := range pairs(value) {
				entries = append(entries, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{name, backend}})
			}
		}
		for _, e := range entries {
			t.Run(key.Value, func(t *testing.T) {
				m := &mutation{t: t, doc: &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, e}}}
				if m.before = aboutKeys(m.text(), "5"); len(m.refusals()) > 0 {
					t.Fatalf("the schema refuses %v", m.refusals())
				}
				m.mapping(m.doc)
				tried += m.tried
			})
		}
	}
	t.Logf("%d documents", tried)
	if tried < 10_000 {
		t.Error("that is not every key")
	}
}

// pairs are the keys and values of a mapping.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// withExamples makes keys of the examples, as somebody would who wants them all, and leaves the comments out.
func withExamples(defaults string) string {
	var b strings.Builder
	for line := range strings.Lines(defaults) {
		// Behind "#" and one space comes a comment; an example has its indentation there.
		if example, ok := strings.CutPrefix(line, "#"); ok && (!strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "#  ")) {
			line = example
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// mutation is a document in which one thing is different.
type mutation struct {
	t      *testing.T
	doc    *yaml.Node
	before []string // what the reader finds in it as it was
	tried  int
}

func (m *mutation) text() []byte {
	b, err := yaml.Marshal(m.doc)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *mutation) refusals() []string {
	m.t.Helper()
	return refusals(m.t, m.doc)
}

// mapping changes the keys and values of n, which is in the document.
func (m *mutation) mapping(n *yaml.Node) {
	content := n.Content
	for i := 0; i < len(content); i += 2 {
		key := *content[i]
		m.value(content[i+1])
		content[i].Value = key.Value + "x"
		m.compare(key.Value+" as "+key.Value+"x", "5")
		*content[i] = key
		n.Content = slices.Delete(slices.Clone(content), i, i+2)
		m.compare("without "+key.Value, "5")
		n.Content = content
	}
}

// oneOf is how the reader tells which words a key takes.
var oneOf = regexp.MustCompile(`"x" is not one of (.*)$`)

func (m *mutation) value(n *yaml.Node) {
	was := *n
	texts := replacements
	n.SetString("x")
	for _, p := range aboutKeys(m.text(), "5") {
		if words := oneOf.FindStringSubmatch(p); words != nil {
			texts = append(strings.Split(words[1], ", "), texts...)
		}
	}
	for _, text := range texts {
		x := "5"
		if was.Kind == yaml.ScalarNode {
			x = was.Value
		}
		*n = *parseYAML(m.t, text).Content[0]
		m.compare(strings.TrimSpace(was.Value+" replaced by "+text), x)
	}
	*n = was
	switch n.Kind {
	case yaml.MappingNode:
		m.mapping(n)
	case yaml.SequenceNode:
		for _, e := range n.Content {
			m.value(e)
		}
	}
}

// onlyCheck are problems that the schema sees in part: a path that is missing, but not one that begins with a letter; a command that is missing,
// but not an empty program.
var onlyCheck = regexp.MustCompile(`: the path has to begin with a slash$|^events\.commands\[0\]: the key "command" is missing$`)

func (m *mutation) compare(what, x string) {
	m.t.Helper()
	m.tried++
	text := m.text()
	found := slices.DeleteFunc(aboutKeys(text, x), func(p string) bool { return slices.Contains(m.before, p) })
	refused := m.refusals()
	part := len(found) > 0 && !slices.ContainsFunc(found, func(p string) bool { return !onlyCheck.MatchString(p) })
	if (len(found) > 0) != (len(refused) > 0) && !part {
		m.t.Errorf("%s: the reader says %q, the schema refuses %q", what, found, refused)
	}
}
