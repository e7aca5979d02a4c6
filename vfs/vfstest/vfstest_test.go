package vfstest_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// forgetful is a tree with one fault: a second Mkdir of a name works.
type forgetful struct{ afero.Fs }

func (f forgetful) Mkdir(name string, perm os.FileMode) error {
	if _, err := vfs.StatDir(f.Fs, name); err == nil {
		return nil
	}
	return f.Fs.Mkdir(name, perm)
}

const mkdirTwice = "36 MKD twice fails the second time"

// runs are runs of the suite, each done by a process of its own, as most have to fail.
var runs = map[string]struct {
	faulty     bool
	deviations map[string]string
	only       string // of go test -run
	want       string // in the output of a run that fails; empty for one that passes
}{
	"sound":      {only: mkdirTwice},
	"fault":      {faulty: true, only: mkdirTwice, want: "second Mkdir: got error <nil>"},
	"listed":     {faulty: true, only: mkdirTwice, deviations: map[string]string{mkdirTwice: "forgets"}},
	"passes":     {only: mkdirTwice, deviations: map[string]string{mkdirTwice: "forgets"}, want: "deviation listed but test passes (forgets)"},
	"no reason":  {faulty: true, only: mkdirTwice, deviations: map[string]string{mkdirTwice: " "}, want: "has no reason"},
	"no subtest": {only: mkdirTwice, deviations: map[string]string{"99 no such": "typo"}, want: `deviation "99 no such": there is no such subtest`},
	"no child":   {only: "41 names$", deviations: map[string]string{"41 names/no such": "typo"}, want: `deviation "41 names/no such": there is no such subtest`},
	"child":      {only: "41 names$", deviations: map[string]string{"41 names/long": "typo"}, want: "there is no such subtest"},
	"not chosen": {only: mkdirTwice, deviations: map[string]string{"41 names/not seen": "its parent does not run"}},
	"fatal":      {faulty: true, only: "40 last", deviations: map[string]string{"40 last file deleted, directory still there": "stops in the middle"}},
}

const runEnv = "VFSTEST_RUN"

// TestSuiteItself is what the processes do.
func TestSuiteItself(t *testing.T) {
	r, ok := runs[os.Getenv(runEnv)]
	if !ok {
		// The ordinary run: the suite over a sound tree is a test of vfs/local.
		t.Logf("%s names no run", runEnv)
		return
	}
	vfstest.Run(t, func(t *testing.T) afero.Fs {
		l, err := local.New(local.Options{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		switch {
		case r.faulty && strings.HasPrefix(r.only, "40"):
			return refusing{l}
		case r.faulty:
			return forgetful{l}
		}
		return l
	}, vfstest.Caps{
		Append: true, Resume: true, Abort: vfstest.KeepsPart, RenameDir: true,
		Refuses: []string{"long segment"}, Deviations: r.deviations,
	})
}

// refusing is a tree that makes no directories, so that subtests end with Fatalf.
type refusing struct{ afero.Fs }

func (refusing) Mkdir(string, os.FileMode) error { return errors.New("refused") }

func TestDeviations(t *testing.T) {
	for name, r := range runs {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSuiteItself$/"+r.only, "-test.v")
			cmd.Env = append(os.Environ(), runEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (r.want != "") {
				t.Errorf("the run ended with %v\n%s", err, out)
			}
			if !strings.Contains(string(out), r.want) {
				t.Errorf("the output lacks %q:\n%s", r.want, out)
			}
			if !strings.Contains(string(out), "/"+strings.ReplaceAll(strings.TrimSuffix(r.only, "$"), " ", "_")) {
				t.Errorf("the subtest did not run:\n%s", out)
			}
		})
	}
}
