package config

import (
	"strings"
	"testing"
)

func TestParsePublish(t *testing.T) {
	for s, want := range map[string]Publish{
		"*.tmp -> *":         {From: [2]string{"", ".tmp"}},
		".in.*  ->  *":       {From: [2]string{".in.", ""}},
		"*.part->*":          {From: [2]string{"", ".part"}},
		"tmp-*.jpg -> *.jpg": {From: [2]string{"tmp-", ".jpg"}, To: [2]string{"", ".jpg"}},
	} {
		if got, err := ParsePublish(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"":                "no arrow",
		"*.tmp":           "no arrow",
		"x.tmp -> *":      "one * is needed",
		"*.tmp -> x":      "one * is needed",
		"**.tmp -> *":     "one * is needed",
		"in/*.tmp -> *":   "slash",
		"*.tmp -> done/*": "slash",
		"*.tmp -> *.tmp":  "changes nothing",
		"* -> *.done":     "every file",
		"*.a -> * -> *":   "one * is needed",
	} {
		if _, err := ParsePublish(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

const publishDocument = `
listeners: [{address: ":2121"}]
backends:
  s: {type: s3, bucket: b, region: r}
  g: {type: gcs, bucket: b}
  d: {type: local, path: /}
  a: {type: local, path: /, atomic: true}
profiles:
  going: {cut: resume}
  waiting: {publish_on_rename: ["*.tmp -> *"]}
  heir: {base: waiting}
  none: {base: waiting, publish_on_rename: []}
`

// What an account wants of cut uploads is measured by each of its back ends; an account that comes with a login is not.
func TestCutOfAccounts(t *testing.T) {
	for keys, want := range map[string]string{
		`home: "s:/", cut: resume`:                                        "",
		`home: "g:/", cut: resume`:                                        "",
		`home: "d:/", cut: keep`:                                          "",
		`home: "d:/", cut: discard`:                                       "",
		`home: "d:/", cut: resume`:                                        `cut: resume is not possible in back end "d" (local) (hint: it can do discard and keep)`,
		`home: "a:/", cut: keep`:                                          `in back end "a" (local) (hint: it can do discard)`,
		`home: "s:/", cut: keep`:                                          `users[0].cut: cut: keep is not possible in back end "s"`,
		`home: "s:/", cut: resume, mounts: {/disk: "d:/x"}`:               `in back end "d"`,
		`home: "d:/", profile: going`:                                     `users[0].profile: cut: resume is not possible`,
		`home: "d:/", profile: going, cut: keep`:                          "",
		`home: "s:/", cut: sometimes`:                                     `"sometimes"`,
		`home: "s:/", publish_on_rename: ["x"]`:                           `users[0].publish_on_rename[0]: "x" has no arrow`,
		`home: "s:/", publish_on_rename: ["*.t -> *"], overwrite: rename`: "contradicts overwrite: rename",
		`home: "d:/", publish_on_rename: ["*.t -> *"]`:                    "",
	} {
		c, report := Parse("", []byte(publishDocument+"users:\n  - {name: u, password: \"plain:x\", "+keys+"}\n"), noEnv)
		if !report.Failed() {
			report = append(report, c.Check()...)
		}
		switch text := report.String(); {
		case want == "" && report.Failed():
			t.Errorf("%s: %s", keys, text)
		case want != "" && (!report.Failed() || !strings.Contains(text, want)):
			t.Errorf("%s: %q, want %q", keys, text, want)
		}
	}
	c, report := Parse("", []byte(publishDocument), noEnv)
	if report.Failed() {
		t.Fatal(report)
	}
	if a, err := c.ParseAccount([]byte(`{"home": "d:/", "cut": "resume"}`), Account{Permissions: "elr"}); err != nil || a.Cut != "resume" {
		t.Errorf("at the login: %v, %v", a, err)
	}
}

func TestProfilesPublish(t *testing.T) {
	c, report := Parse("", []byte(publishDocument), noEnv)
	if report.Failed() {
		t.Fatal(report)
	}
	for name, want := range map[string]int{"waiting": 1, "heir": 1, "none": 0, "camera": 0} {
		if p, ok := c.Profile(name); !ok || len(p.PublishOnRename) != want {
			t.Errorf("%s: %q, want %d", name, p.PublishOnRename, want)
		}
	}
	if p, _ := c.Profile("going"); p.Cut != "resume" {
		t.Errorf("cut: %q", p.Cut)
	}
}

// The janitor of parked uploads is needed where any account or profile may leave some.
func TestMayPark(t *testing.T) {
	const document = "backends: {s: {type: s3, bucket: b, region: r%s}}\n%s"
	for _, c := range []struct {
		backend, rest string
		want          bool
	}{
		{"", "", false},
		{", cut: resume", "", true},
		{"", "users: [{name: u, password: \"plain:x\", home: \"s:/\", cut: resume}]", true},
		{"", "users: [{name: u, password: \"plain:x\", home: \"s:/\", cut: discard}]", false},
		{"", "users: [{name: u, password: \"plain:x\", home: \"s:/\", publish_on_rename: [\"*.t -> *\"]}]", true},
		{"", "anonymous: {home: \"s:/\", cut: resume}", true},
		{"", "profiles: {p: {cut: resume}}", true},
		{"", "http_users: {url: \"https://example.com\"}", true},
	} {
		text := strings.Replace(strings.Replace(document, "%s", c.backend, 1), "%s", c.rest, 1)
		conf, report := Parse("", []byte(text), noEnv)
		if report.Failed() {
			t.Fatal(report)
		}
		// An account that is at home elsewhere makes nobody wait here.
		if conf.parks("elsewhere") {
			t.Errorf("%s %s: elsewhere too", c.backend, c.rest)
		}
		if got := conf.MayPark("s"); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.backend, c.rest, got, c.want)
		}
	}
}
