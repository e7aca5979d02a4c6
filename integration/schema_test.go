package integration

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// schemaOf compiles what "ftp-gateway config schema" prints, which checks it against the schema of schemas.
var schemaOf = sync.OnceValues(func() (*jsonschema.Schema, error) {
	out, err := exec.Command(gatewayBin, "config", "schema").Output()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ftp-gateway.schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("ftp-gateway.schema.json")
})

// refusals are the places in the document that the schema refuses, such as "/limits/idle"; empty for a document that it accepts.
func refusals(t *testing.T, doc *yaml.Node) []string {
	t.Helper()
	schema, err := schemaOf()
	if err != nil {
		t.Fatal(err)
	}
	err = schema.Validate(instance(t, doc))
	var bad *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		t.Fatal(err)
	}
	places := map[string]bool{}
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			walk(c)
		}
		// What is wrong with a name is told without its place.
		if _, name := e.ErrorKind.(*kind.PropertyNames); name || len(e.Causes) == 0 {
			places["/"+strings.Join(e.InstanceLocation, "/")] = true
		}
	}
	walk(bad)
	return slices.Sorted(maps.Keys(places))
}

func parseYAML(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return &doc
}

// instance is what an editor sees in a document: YAML 1.2, whose only words for truth are true and false.
func instance(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return instance(t, n.Content[0])
	case yaml.AliasNode:
		return instance(t, n.Alias)
	case yaml.SequenceNode:
		list := []any{}
		for _, e := range n.Content {
			list = append(list, instance(t, e))
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			if k := n.Content[i]; k.ShortTag() != "!!merge" {
				m[k.Value] = instance(t, n.Content[i+1])
				continue
			}
			merged := []any{instance(t, n.Content[i+1])}
			if l, ok := merged[0].([]any); ok {
				merged = l
			}
			for _, from := range merged {
				for k, v := range from.(map[string]any) {
					if _, own := m[k]; !own {
						m[k] = v
					}
				}
			}
		}
		return m
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	return n.Value
}

// aboutKeys are the problems of a document that can be seen without another and without files: what a schema can find. Most of them come
// from the reading, some from the check. Every variable has the value x.
func aboutKeys(text []byte, x string) []string {
	c, report := config.Parse("ftp-gateway.yaml", text, func(string) (string, bool) { return x, true })
	var all []string
	for _, p := range report {
		if !aboutFiles.MatchString(p.Text) {
			all = append(all, p.Path+": "+p.Text)
		}
	}
	for _, p := range c.Check() {
		if missing.MatchString(p.Text) {
			all = append(all, p.Path+": "+p.Text)
		}
	}
	return all
}

var (
	aboutFiles = regexp.MustCompile(`cannot open|is empty$|both the value and a file|is not set$`)
	missing    = regexp.MustCompile(`^the key "\w+" is missing|^the (address|password) is missing|^the address to tell is missing|^nobody gets anything|^open : no such|^the path has to begin with a slash|is no permission$|^"[^"]*" is no name for a (back end|profile)`)
)

// TestSchemaOfPages lets the schema look at every document of the pages that the reader accepts, parts of one among them.
func TestSchemaOfPages(t *testing.T) {
	documents := map[string]string{"config defaults": gatewayOutput(t, "config", "defaults")}
	pages, err := filepath.Glob("../doc/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
			documents[fmt.Sprintf("%s %d", page, i+1)] = m[1]
		}
	}
	accepted := 0
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		if len(aboutKeys([]byte(documents[name]), "")) > 0 {
			continue // such as {certificates: [...]}
		}
		accepted++
		if at := refusals(t, parseYAML(t, documents[name])); len(at) > 0 {
			t.Errorf("%s: the schema refuses %s", name, strings.Join(at, ", "))
		}
	}
	if accepted < 25 {
		t.Errorf("the reader accepts only %d of the documents", accepted)
	}
}

// TestSchemaAccepts has what a schema made without care would refuse. The reader accepts all of it.
func TestSchemaAccepts(t *testing.T) {
	for _, tt := range []struct{ x, text string }{ // the value of the variable, the document
		{"", "~"},
		{"", "{}"},
		{"5", "limits: {connections: '5', per_ip: +5, per_user: 007, login_attempts: '${X}'}"},
		{"5", "limits: {login_delay: 0, idle: 1h30m, stall: .5h, connect: 1.5s, command: 100ms, commit: +5m, rename: 1h0m0.5s, login: '${X}0m'}"},
		{"", "limits: {login_delay: '-0', idle: 500µs, stall: '0'}"},
		{"5", "limits: {upload: 4096, download: 30KiB/s, total_upload: '1.5 MB /s', total_download: '${X}KiB/s', file_size: 1.5, free_space: ' 2 kB '}"},
		{"", "memory: {upload_budget: 1.5GiB}"},
		{"", "hash: {max_read: 256MiB, concurrent: \"4\"}"},
		{"", "passive: {ports: 30000, address: 203.0.113.7}"},
		{"", "passive: {ports: '30000 - 30099', address: ftp.example.com}"},
		{"5", "passive: {ports: '${X}-30099', address: '${X}.example.com'}"},
		{"", "passive: {ports: ~, address: ~, match: ~}"},
		{"5", "passive: {address: {10.0.0.1: 203.0.113.7, '::1': ftp.example.com, 'fe80::1%eth0': '${X}', '::ffff:10.0.0.2': 5.example.com}}"},
		{"", "local_time: 'true'"},
		{"true", "local_time: '${X}'"},
		{"never", "{sendfile: false, banner: 5, encoding: true, ascii: '${X}', owners: 'names'}"},
		{"", "shutdown_grace: ~\nbanner:\nauth: ~\nusers: ~\nbackends: ~\nprofiles: {a: ~}\nanonymous: ~\nlisteners: ~"},
		{"5", "banner: '$ $$ a$b $${ } $${no name} $$$${X}${X} $${${X} $'"},
		{"", "users: [{name: a, password: '$argon2id$v=19$m=19456$${', home: 'd:/'}]"},
		{"", "tls: {min: 1.2, session_reuse: off}"},
		{"", "tls: {min: '1.2', certificates: [{cert: a.pem}], ciphers: []}"},
		{"21", "listeners: [{address: ':${X}'}]"},
		{"implicit", "listeners: [{address: ':21', tls: {mode: '${X}'}}]"},
		{"data", "listeners: [{address: ':21', tls: {min: 1.0, require: [control, '${X}']}}]"},
		{"", "backends: {a: {type: local, path: /x}, b: {type: unix}, c: {type: s3, bucket: x}, d: {type: gcs, bucket: x, move: off}}"},
		{"resume", "backends: {a: {bucket: x, mfmt: off, tags: {a: 5, b: ~}, role: {arn: x, confine: false}, type: s3, cut: '${X}'}}"},
		{"s3", "backends: {a: {type: '${X}', bucket: x}}"},
		{"", "users: [{name: 007, password: 0123, home: 'd:/', overwrite: no, expires: 2026-12-31, permissions: ''}]"},
		{"elr", "users: [{name: a, password_file: x, home: 'd:/', permissions: '${X}', mounts: {/a: 'd:/'}}, {name: b, certificate: c, home: 'd:/'}]"},
		{"5", "users: [{name: a, password_file: x, home: 'd:/', sessions: '${X}', mounts: {/a: 'd:/'}}, {name: b, certificate: c, home: 'd:/'}]"},
		{"", "users: [{name: a, password: p, home: 'd:/', limits: {quota: {bytes: 1GiB, files: 5}}, overrides: [{path: /a}]}]"},
		{"", "users_file: users.yaml"},
		{"", "users_file: [a.yaml, b.yaml]"},
		{"", "htpasswd: [{file: x, account: {home: 'd:/'}}]"},
		{"", "http_users: {url: 'https://x/', account: {permissions: elr}}"},
		{"", "ldap_users: {urls: ['ldap://x'], base: b, groups: [{group: g, account: {home: 'd:/'}}]}"},
		{"", "ldap_users: {urls: ['ldap://x'], base: b, account: {home: 'd:/'}}"},
		{"", "windows_users: {account: {home: 'd:{profile}'}, guest: {account: {home: 'd:/'}}}"},
		{"", "auth: [file, ~]"},
		{"1m", "events: {log: {types: [received]}, commands: [{name: a, command: [x, 5], timeout: '${X}'}]}"},
		{"sent", "events: {log: {types: [received, '${X}']}, commands: [{name: a, command: [x, 5]}]}"},
		{"", "hosts: [{names: [x], anonymous: {home: 'd:/'}}]"},
		{"", "users: [&u {name: a, password: x, home: 'd:/'}, {<<: *u, name: b}]"},
	} {
		if problems := aboutKeys([]byte(tt.text), tt.x); len(problems) > 0 {
			t.Errorf("the reader refuses %q: %s", tt.text, strings.Join(problems, "; "))
		}
		if at := refusals(t, parseYAML(t, tt.text)); len(at) > 0 {
			t.Errorf("the schema refuses %s in %q", strings.Join(at, ", "), tt.text)
		}
	}
}

// TestSchemaRefuses makes mistakes of every kind. The reader refuses them, and so has the schema to, at the same place.
func TestSchemaRefuses(t *testing.T) {
	for _, tt := range []struct{ text, at string }{
		{"lisseners: []", "/"},
		{"[]", "/"},
		{"limits: {stal: 2m}", "/limits"},
		{"limits: {idle: 5}", "/limits/idle"},
		{"limits: {idle: 5 m}", "/limits/idle"},
		{"limits: {idle: 5d}", "/limits/idle"},
		{"limits: {idle: -5m}", "/limits/idle"},
		{"limits: {idle: soon}", "/limits/idle"},
		{"limits: {idle: ''}", "/limits/idle"},
		{"limits: {idle: '$${X}m'}", "/limits/idle"},
		{"limits: {idle: [5m]}", "/limits/idle"},
		{"limits: {connections: many}", "/limits/connections"},
		{"limits: {connections: 5.5}", "/limits/connections"},
		{"limits: {connections: -1}", "/limits/connections"},
		{"limits: {connections: '-1'}", "/limits/connections"},
		{"limits: {connections: true}", "/limits/connections"},
		{"limits: {upload: 30KiB/m}", "/limits/upload"},
		{"limits: {file_size: 30KiB/s}", "/limits/file_size"},
		{"memory: {upload_budget: 12 parsecs}", "/memory/upload_budget"},
		{"memory: {upload_budget: 5Mib}", "/memory/upload_budget"},
		{"memory: {upload_budget: -1}", "/memory/upload_budget"},
		{"memory: {upload_budget: -1MiB}", "/memory/upload_budget"},
		{"local_time: yes", "/local_time"},
		{"local_time: 1", "/local_time"},
		{"ascii: sometimes", "/ascii"},
		{"ascii: [never]", "/ascii"},
		{"banner: [a]", "/banner"},
		{"banner: 'a${b c}'", "/banner"},
		{"banner: '$$${A}${'", "/banner"},
		{"banner: {a: b}", "/banner"},
		{"tls: {min: 1.5}", "/tls/min"},
		{"tls: []", "/tls"},
		{"tls: {certificates: [{key: a}]}", "/tls/certificates/0"},
		{"passive: {ports: 0}", "/passive/ports"},
		{"passive: {ports: 70000}", "/passive/ports"},
		{"passive: {ports: 30000-70000}", "/passive/ports"},
		{"passive: {address: [a]}", "/passive/address"},
		{"passive: {address: {nonsense: 1.2.3.4}}", "/passive/address"},
		{"passive: {address: {10.0.0.1: [a]}}", "/passive/address/10.0.0.1"},
		{"listeners: ':21'", "/listeners"},
		{"listeners: [{}]", "/listeners/0"},
		{"listeners: [{address: ':21', tls: {require: control}}]", "/listeners/0/tls/require"},
		{"listeners: [{address: ':21', tls: {require: [all]}}]", "/listeners/0/tls/require/0"},
		{"backends: {a: ~}", "/backends/a"},
		{"backends: {a: {path: /x}}", "/backends/a"},
		{"backends: {a: {type: ~}}", "/backends/a/type"},
		{"backends: {a: {type: s4}}", "/backends/a/type"},
		{"backends: {a: {type: local, path: /x, region: y}}", "/backends/a"},
		{"backends: {a: {type: local}}", "/backends/a"},
		{"backends: {a: {type: s3}}", "/backends/a"},
		{"backends: {a: {type: s3, bucket: ''}}", "/backends/a/bucket"},
		{"backends: {a: {type: gcs, bukket: x}}", "/backends/a"},
		{"backends: {a: {type: s3, bucket: x, role: {}}}", "/backends/a/role"},
		{"profiles: {a: {make_parents: maybe}}", "/profiles/a/make_parents"},
		{"users: [{name: a, home: 'd:/'}]", "/users/0"},
		{"users: [{name: a, password: x}]", "/users/0"},
		{"users: [{password: x, home: 'd:/'}]", "/users/0"},
		{"users: [~]", "/users/0"},
		{"users: [{name: a, password: x, home: 'd:/', limits: {quota: 5}}]", "/users/0/limits/quota"},
		{"anonymous: {permissions: elr}", "/anonymous"},
		{"anonymous: {home: 'd:/', password: x}", "/anonymous"},
		{"htpasswd: [{file: x}]", "/htpasswd/0"},
		{"http_users: {}", "/http_users"},
		{"ldap_users: {urls: ['ldap://x'], base: b}", "/ldap_users"},
		{"ldap_users: {urls: [], base: b, account: {home: 'd:/'}}", "/ldap_users/urls"},
		{"auth: [files]", "/auth/0"},
		{"hosts: [{banner: x}]", "/hosts/0"},
		{"events: {log: {types: [recieved]}}", "/events/log/types/0"},
		{"events: {webhooks: [{name: a}]}", "/events/webhooks/0"},
		{"events: {commands: [{name: a}]}", "/events/commands/0"},
		{"events: {commands: [{name: a, command: x}]}", "/events/commands/0/command"},
	} {
		if len(aboutKeys([]byte(tt.text), "5")) == 0 {
			t.Errorf("the reader accepts %q", tt.text)
		}
		if at := refusals(t, parseYAML(t, tt.text)); !slices.Contains(at, tt.at) {
			t.Errorf("%q: refused %q, want %q", tt.text, at, tt.at)
		}
	}
}

// Letters that are no permissions, and names that none can have, are found by the check, which sees more than keys.
func TestSchemaRefusesNames(t *testing.T) {
	for _, tt := range []struct{ text, at, want string }{
		{"backends: {a: {type: unix}}\nunix_users: {home: 'a:/', permissions: elrx}", "/unix_users/permissions", "is no permission"},
		{"backends: {'a b': {type: unix}}", "/backends", "is no name for a back end"},
		{"profiles: {'a b': {}}", "/profiles", "is no name for a profile"},
	} {
		c, report := config.Parse("", []byte(tt.text), os.LookupEnv)
		if all := append(report, c.Check()...).String(); !strings.Contains(all, tt.want) {
			t.Errorf("the reader accepts %q: %s", tt.text, all)
		}
		if at := refusals(t, parseYAML(t, tt.text)); !slices.Contains(at, tt.at) {
			t.Errorf("%q: refused %q, want %q", tt.text, at, tt.at)
		}
	}
}

func gatewayOutput(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), gatewayBin, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
