package ftpgateway_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestObjectStorePage looks whether each test that doc/objectstore-tests.md names exists, and that no number is missing.
func TestObjectStorePage(t *testing.T) {
	page, err := os.ReadFile("doc/objectstore-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests, suite strings.Builder
	err = filepath.WalkDir(".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		switch {
		case strings.HasSuffix(name, "_test.go"):
			b, err := os.ReadFile(name)
			tests.Write(b)
			return err
		case strings.HasPrefix(filepath.ToSlash(name), "vfs/vfstest/"):
			b, err := os.ReadFile(name)
			suite.Write(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(tests.String(), "func "+m[1]+"(t *testing.T)") {
			t.Errorf("there is no %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`"(\d\d [^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(suite.String(), `"`+m[1]+`"`) {
			t.Errorf("the suite has no %q", m[1])
		}
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(page), -1)
	if len(rows) != 50 {
		t.Errorf("%d sentences, want 50", len(rows))
	}
}
