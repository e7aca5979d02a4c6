package ftpgateway_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// regions are the parts of the examples that are meant for pages, by their names.
func regions(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("protocol/example_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, text := "", ""
		for line := range strings.Lines(string(b)) {
			trimmed := strings.TrimSpace(line)
			begins, ok := strings.CutPrefix(trimmed, "// page: ")
			switch {
			case ok && (name != "" || all[begins] != ""):
				t.Errorf("%s: %q within %q, or twice", file, begins, name)
			case ok:
				name, text = begins, ""
			case trimmed == "// end" && name != "":
				all[name] = dedent(text)
				name = ""
			default:
				text += line
			}
		}
		if name != "" {
			t.Errorf("%s: %q has no end", file, name)
		}
	}
	return all
}

// dedent takes the tabs away that all lines have.
func dedent(text string) string {
	for lines := strings.SplitAfter(text, "\n"); ; {
		for i, l := range lines {
			if l == "" || l == "\n" {
				continue
			}
			if l[0] != '\t' {
				return strings.Trim(strings.Join(lines, ""), "\n")
			}
			lines[i] = l[1:]
		}
		if strings.TrimSpace(strings.Join(lines, "")) == "" {
			return ""
		}
	}
}

// TestFromPyftpdlibPage compares the page's Go with that of the examples, whose tests run it. Its YAML is looked at
// in package integration.
func TestFromPyftpdlibPage(t *testing.T) {
	page, err := os.ReadFile("doc/from-pyftpdlib.md")
	if err != nil {
		t.Fatal(err)
	}
	left := regions(t)
	if len(left) < 15 {
		t.Fatalf("only %d parts of examples found", len(left))
	}
	for _, m := range regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(page), -1) {
		found := false
		for name, text := range left {
			if text == m[1] {
				delete(left, name)
				found = true
			}
		}
		if !found {
			t.Errorf("in no example:\n%s", m[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("the page does not have %q as it is now:\n%s", name, left[name])
	}
}
