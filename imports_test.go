package ftpgateway_test

import (
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ftp-gateway/ftp-gateway"

// room is a package of ours, and all below it that is not a room of its own.
type room struct {
	// knows are the rooms of ours that it may import; its own subpackages are
	// not among them unless named.
	knows []string
	// never are import paths, with all below them, that it must not have.
	never []arrow
}

// arrow is an import that must not be, and where to look instead.
type arrow struct{ path, why string }

var (
	noPrometheus = arrow{"github.com/prometheus", "counting is for metrics, which gets protocol.Hooks and wraps the SDKs' transport"}
	noSDK        = []arrow{
		{"github.com/aws/aws-sdk-go-v2", "the SDK is known to vfs/s3 alone"},
		{"cloud.google.com/go", "the SDK is known to vfs/gcs alone"},
	}
	noYAML  = arrow{"go.yaml.in/yaml", "the document is read by config; the rest gets values"}
	noCobra = arrow{"github.com/spf13/cobra", "the command line is cmd/ftp-gateway's"}
	noAfero = arrow{"github.com/spf13/afero", "a store is a flat key space; vfs/object makes the tree"}
)

// rooms are the packages and who may know whom. Arrows point one way; a
// package that is missing here fails the test: say what it may know.
var rooms = map[string]room{
	"":           {},
	"config":     {never: append([]arrow{noPrometheus, noCobra}, noSDK...)},
	"auth":       {never: append([]arrow{noPrometheus, noYAML, noCobra, {"github.com/spf13/afero", "auth says who somebody is and knows no storage"}}, noSDK...)},
	"protocol":   {knows: []string{"auth", "vfs"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"metrics":    {knows: []string{"protocol"}, never: append([]arrow{noYAML, noCobra}, noSDK...)},
	"logging":    {knows: []string{"protocol"}, never: append([]arrow{noPrometheus, noYAML, noCobra, noAfero}, noSDK...)},
	"xferlog":    {knows: []string{"protocol"}, never: append([]arrow{noPrometheus, noYAML, noCobra, noAfero}, noSDK...)},
	"admin":      {knows: []string{"auth", "logging", "protocol"}, never: append([]arrow{noPrometheus, noYAML, noCobra, noAfero}, noSDK...)},
	"events":     {knows: []string{"protocol"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"vfs":        {never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"vfs/object": {knows: []string{"vfs"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"vfs/s3":     {knows: []string{"vfs", "vfs/object"}, never: []arrow{noPrometheus, noYAML, noCobra, noAfero, noSDK[1]}},
	"vfs/gcs":    {knows: []string{"vfs", "vfs/object"}, never: []arrow{noPrometheus, noYAML, noCobra, noAfero, noSDK[0]}},
	"vfs/local":  {knows: []string{"vfs"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"vfs/unix":   {knows: []string{"vfs", "vfs/local"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"vfs/quota":  {knows: []string{"vfs"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	// The suite is imported by tests alone, which this test does not look at.
	"vfs/vfstest": {knows: []string{"vfs"}, never: append([]arrow{noPrometheus, noYAML, noCobra}, noSDK...)},
	"cmd/ftp-gateway": {
		knows: []string{"admin", "auth", "config", "events", "logging", "metrics", "protocol", "xferlog", "vfs", "vfs/gcs", "vfs/local", "vfs/object", "vfs/quota", "vfs/s3", "vfs/unix"},
	},
}

// missing says why an arrow between two rooms is not there, where the reason
// is worth more than "not in the plan".
var missing = map[[2]string]string{
	{"protocol", "metrics"}:   "protocol calls its Hooks and does not know who listens",
	{"protocol", "events"}:    "protocol calls its Hooks and does not know who listens",
	{"protocol", "logging"}:   "protocol gets a slog.Logger, and asks its handler with protocol.LogHandler",
	{"protocol", "admin"}:     "protocol tells who asks with Server.List, and does not know who does",
	{"protocol", "config"}:    "protocol has plain fields; cmd/ftp-gateway fills them from the document",
	{"auth", "config"}:        "auth gets values; cmd/ftp-gateway fills them from the document",
	{"config", "auth"}:        "the document knows none of our packages, so that it can be read without them",
	{"config", "protocol"}:    "the document knows none of our packages, so that it can be read without them",
	{"config", "vfs"}:         "the document knows none of our packages, so that it can be read without them",
	{"auth", "vfs"}:           "auth says who somebody is and knows no storage",
	{"vfs", "protocol"}:       "trees serve any protocol; what they need from it comes in a context",
	{"vfs/object", "vfs/s3"}:  "the tree is made once on object.Store; stores do not shape it",
	{"protocol", "vfs/s3"}:    "protocol sees an afero.Fs and the helpers of vfs, never a back end",
	{"protocol", "vfs/local"}: "protocol sees an afero.Fs and the helpers of vfs, never a back end",
	{"metrics", "vfs"}:        "metrics counts the stores' requests as an http.RoundTripper",
}

// TestImports keeps the arrows between the packages.
func TestImports(t *testing.T) {
	for from, imports := range tree(t) {
		name, r, ok := roomOf(from)
		if !ok {
			t.Errorf("package %q is not in rooms: say what it may know", from)
			continue
		}
		for _, imp := range imports {
			for _, a := range r.never {
				if imp == a.path || strings.HasPrefix(imp, a.path+"/") {
					t.Errorf("%s must not import %s: %s", from, imp, a.why)
				}
			}
			rest, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			to, _, ok := roomOf(rest)
			if !ok || to == name || slices.Contains(r.knows, to) {
				continue
			}
			why, ok := missing[[2]string{name, to}]
			if !ok {
				why = "of ours it may know " + cmp.Or(strings.Join(r.knows, ", "), "nothing")
			}
			t.Errorf("%s must not import %s: %s", from, imp, why)
		}
	}
}

// TestArrowsPointOneWay checks the plan itself: no room is reached from one that it knows.
func TestArrowsPointOneWay(t *testing.T) {
	var visit func(path []string)
	visit = func(path []string) {
		last := path[len(path)-1]
		r, ok := rooms[last]
		if !ok {
			t.Errorf("%s knows %q, which is no room", path[len(path)-2], last)
		}
		for _, next := range r.knows {
			if slices.Contains(path, next) {
				t.Errorf("the arrows go round: %s, %s", strings.Join(path, ", "), next)
				continue
			}
			visit(append(slices.Clone(path), next))
		}
	}
	for name := range rooms {
		visit([]string{name})
	}
	for pair := range missing {
		if slices.Contains(rooms[pair[0]].knows, pair[1]) {
			t.Errorf("%s knows %s, and yet there is a reason why it must not", pair[0], pair[1])
		}
	}
}

// roomOf returns the room of a package: itself, or the nearest one above it.
func roomOf(pkg string) (string, room, bool) {
	for name := pkg; name != "."; name = path.Dir(name) {
		if r, ok := rooms[name]; ok && (name != "" || pkg == "") {
			return name, r, true
		}
	}
	return "", room{}, false
}

// tree returns the imports of every package of the module, tests excluded. It
// reads the files of all systems and build tags, which "go list" does not.
func tree(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			// The integration tests are a module of their own.
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || name == "integration") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		if pkg == "." {
			pkg = ""
		}
		list := imports[pkg]
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(list, imp) {
				list = append(list, imp)
			}
		}
		imports[pkg] = list
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) < 5 {
		t.Fatalf("only %d packages found: the test does not see the tree", len(imports))
	}
	return imports
}
