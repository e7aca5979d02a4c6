package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/assertions"
	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestAssertions plays the assertion suite through real sockets: what the RFCs and drafts say, one
// short conversation each, and what the test suites of other servers look at. Where the server answers
// otherwise on purpose, doc/deviations.md has a row with the reason; a row that is not needed fails too.
func TestAssertions(t *testing.T) {
	all, err := assertions.All()
	if err != nil {
		t.Fatal(err)
	}
	deviations := readDeviations(t)
	known := map[string]bool{}
	for _, a := range all {
		known[a.Name] = true
	}
	for name := range deviations {
		if !known[name] {
			t.Errorf("doc/deviations.md: there is no assertion %q", name)
		}
	}
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := suiteGateway(t, w)
			tlsConfig, err := clients.TLSConfig(w.certs.CA)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.store.Put(t.Context(), "seen", []byte("hello")); err != nil {
				t.Fatal(err)
			}
			p := &assertions.Player{Target: g.target, Addr6: fmt.Sprintf("[::1]:%d", g.target.Port), Store: w.store, TLS: tlsConfig,
				Passwords: map[string]string{"reader": password, "blind": password}}
			p.Target.Host = "127.0.0.1"
			played, held, deviating := 0, 0, 0
			for _, a := range all {
				if kind != localKind && !a.Everywhere {
					continue
				}
				played++
				t.Run(a.Name, func(t *testing.T) {
					err := p.Play(t.Context(), a)
					reason := deviations[a.Name][kind]
					switch {
					case err == nil && reason != "":
						t.Errorf("holds, though doc/deviations.md says that it does not")
					case err != nil && reason != "":
						t.Logf("deviation: %s (%v)", reason, err)
						deviating++
					case err != nil:
						t.Errorf("%q (%s) on %s: %v", a.Name, a.Section, kind, err)
					default:
						held++
					}
				})
			}
			// On the standard output, so that a run that passes tells the number too.
			fmt.Printf("%s: %d of %d assertions, %d more deviate on purpose\n", kind, held, played, deviating)
		})
	}
}

// suiteGateway starts a gateway that listens on both families and has users with few rights.
func suiteGateway(t *testing.T, w *world) *gateway {
	t.Helper()
	g := prepareGateway(t, w,
		"anonymous: {home: \"store:/\"}", "limits: {login_delay: 0s}", "banner: |", "  ftp-gateway ready.", "  Second line.")
	g.edit(t, func(conf string) string {
		conf = strings.Replace(addIPv6(conf, g.target.Port), "tls: {certificates:", "tls: {ccc: true, certificates:", 1)
		return strings.Replace(conf, "users:\n", fmt.Sprintf(`users:
  - {name: reader, password: %[1]q, home: "store:/", permissions: elr}
  - {name: blind, password: %[1]q, home: "store:/", permissions: e}
`, "plain:"+password), 1)
	})
	g.start(t, t)
	return g
}

// edit changes the configuration of a gateway that is not running.
func (g *gateway) edit(t *testing.T, change func(string) string) {
	t.Helper()
	name := g.options.Args[len(g.options.Args)-1]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, []byte(change(string(b)))); err != nil {
		t.Fatal(err)
	}
}

// addIPv6 makes the first listener one of two, the other at the same port of ::1.
func addIPv6(conf string, port int) string {
	v4 := fmt.Sprintf("  - {address: %q,", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	v6 := fmt.Sprintf("  - {address: %q, tls: {mode: explicit}}\n", net.JoinHostPort("::1", fmt.Sprint(port)))
	return strings.Replace(conf, v4, v6+v4, 1)
}

var row = regexp.MustCompile(`(?m)^\| ([^|]+) \| (all|local|s3|gcs) \| ([^|]+) \|$`)

// readDeviations returns the reasons by assertion and kind of back end.
func readDeviations(t *testing.T) map[string]map[string]string {
	t.Helper()
	root, err := servers.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "doc", "deviations.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if table[m[1]] == nil {
			table[m[1]] = map[string]string{}
		}
		kinds := []string{m[2]}
		if m[2] == "all" {
			kinds = []string{localKind, s3Kind, gcsKind}
		}
		for _, k := range kinds {
			table[m[1]][k] = m[3]
		}
	}
	return table
}
