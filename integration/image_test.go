package integration

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestStaticBinary looks into the binary: on an empty image there is no loader and no library.
func TestStaticBinary(t *testing.T) {
	f, err := elf.Open(gatewayBin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for a loader")
		}
	}
	if libs, _ := f.ImportedLibraries(); len(libs) > 0 {
		t.Errorf("the binary needs %q", libs)
	}
}

// TestDockerfile compares the Dockerfile with what it copies and with what the chart expects of the image.
func TestDockerfile(t *testing.T) {
	root, err := servers.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, m := range regexp.MustCompile(`(?m)^COPY ((?:[^-\s]\S* )+)\S+$`).FindAllStringSubmatch(text, -1) {
		for _, src := range strings.Fields(m[1]) {
			if _, err := os.Stat(filepath.Join(root, src)); err != nil {
				t.Errorf("COPY %s: %v", src, err)
			}
		}
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(gomod))[1]
	all := render(t, map[string]any{})
	var d deployment
	dm := all["Deployment/test-ftp-gateway"]
	if err := dm.Spec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	var cmd []string
	if m := regexp.MustCompile(`(?m)^CMD (.*)$`).FindStringSubmatch(text); m == nil || yaml.Unmarshal([]byte(m[1]), &cmd) != nil {
		t.Fatal("no CMD")
	}
	for _, want := range []string{
		"FROM golang:" + goVersion,
		"CGO_ENABLED=0",
		"FROM scratch",
		"USER 65532:65532",
		"ca-certificates.crt",
		`ENTRYPOINT ["` + d.Template.Spec.Containers[0].Command[0] + `"]`,
		"/out" + d.Template.Spec.Containers[0].Command[0] + " ./cmd/ftp-gateway",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile has no %q", want)
		}
	}
	if strings.Join(cmd, " ") != strings.Join(d.Template.Spec.Containers[0].Args, " ") {
		t.Errorf("CMD %q, the chart's args %q", cmd, d.Template.Spec.Containers[0].Args)
	}
}
