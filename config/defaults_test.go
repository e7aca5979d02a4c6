package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write defaults.yaml and schema.json anew")

const defaultsHead = `# The configuration of ftp-gateway: every key, with its default or an example.
#
# Lines whose "#" stands directly before a key are examples; keys without it have the value that
# holds if the key is not there. An unknown key is an error. File names are relative to this file's directory. In
# values ${NAME} is the environment variable NAME. Times: 90s, 5m, 1h30m. Sizes: 256MiB, 2MB.
`

// example has a value for whatever Default leaves empty.
func example() *Config {
	c := Default()
	c.Listeners = []Listener{{Address: ":2121", TLS: ListenerTLS{Mode: "explicit", Require: []string{"control", "data"},
		Min: "1.2", Ciphers: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, ClientAuth: "request", ClientCA: "clients-ca.pem"},
		Profile: "camera", Encoding: "iso-8859-1"}}
	c.TLS.Certificates = []Certificate{{Cert: "server.pem", Key: "server.key"}}
	c.TLS.Ciphers = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
	c.TLS.ClientCA = "clients-ca.pem"
	c.Passive.Ports = Ports{30000, 30099}
	c.Passive.Address = PassiveAddress{Host: "203.0.113.7"}
	c.Guard.Allow = []string{"10.0.0.0/8", "2001:db8::/32"}
	c.Memory.UploadBudget = 256 << 20
	c.Backends = map[string]Backend{
		"cams": {S3: &S3{Bucket: "camera-pictures", Prefix: "site-1", Region: "eu-west-1", Endpoint: "https://s3.example.com",
			AccessKey: "${S3_ACCESS_KEY}", SecretKeyFile: "s3-secret-key", AccessKeyFile: "s3-access-key", SecretKey: "${S3_SECRET_KEY}",
			CAFile: "ca.pem", MaxPartSize: 64 << 20, Profile: "minio", AbandonAfter: 24 * time.Hour,
			RenameDirMaxKeys: 1000, KeepDirs: "none", Cut: "discard", ResumeExpire: 24 * time.Hour, AppendCopyMax: 50 << 30, AppendThroughMax: 1 << 30, S3Objects: S3Objects{
				StorageClass: "STANDARD_IA", ACL: "bucket-owner-full-control", Encryption: "aws:kms", KMSKey: "alias/pictures",
				CustomerKey: "${S3_CUSTOMER_KEY}", CustomerKeyFile: "s3-customer-key", LockMode: "GOVERNANCE", LockFor: 720 * time.Hour,
				Tags: map[string]string{"user": "{user}", "device": "{remote}"}, Metadata: map[string]string{"site": "1"}, MFMT: "off",
				BucketOwner: "123456789012",
				Role: &S3Role{ARN: "arn:aws:iam::123456789012:role/ftp-{user}", ExternalID: "ftp-gateway", SessionName: "ftp-{user}",
					Tags: map[string]string{"user": "{user}"}, Duration: time.Hour, Endpoint: "https://sts.example.com", Confine: true}}}},
		"arch": {GCS: &GCS{Bucket: "archive", Prefix: "ftp", Endpoint: "https://storage.googleapis.com/storage/v1/", CredentialsFile: "service-account.json",
			RenameDirMaxKeys: 1000, KeepDirs: "none", Move: "auto", Cut: "discard", ResumeExpire: 24 * time.Hour, AppendThroughMax: 1 << 30, GCSObjects: GCSObjects{
				StorageClass: "NEARLINE", ACL: "bucketOwnerFullControl", KMSKey: "projects/p/locations/l/keyRings/r/cryptoKeys/k",
				Metadata: map[string]string{"device": "{remote}"}, UserProject: "payer", CAFile: "ca.pem",
				Impersonate: "ftp-{user}@project.iam.gserviceaccount.com"}}},
		"homes": {Unix: &Unix{Path: "/", Cut: "keep"}},
		"disk":  {Local: &Local{Path: "/srv/ftp", Cut: "keep", CreateHome: true}},
	}
	no := new(bool)
	c.Profiles = map[string]Profile{"gate": {Base: "camera", ASCII: "never", Encoding: "iso-8859-1", ExistingDir: yes, MakeParents: yes,
		PeerAddress: yes, NoExtended: no, Records: no, AnySITE: no, StrictALLO: no, Strict: no, CloseNotify: "require", ControlLost: "cut", TLSMin: "1.2",
		Cut: "resume", PublishOnRename: []string{"*.tmp -> *"}}}
	account := Account{Permissions: "elradfmwMT", Overrides: []Override{{Path: "/config", Permissions: "elr", Recursive: true}},
		Home: "cams:/{user}", Mounts: map[string]string{"/archive": "arch:/{user}"}, Overwrite: "yes", Cut: "resume",
		PublishOnRename: []string{"*.tmp -> *", ".in.* -> *"}, Networks: []string{"10.0.0.0/8", "2001:db8::/32"}, Expires: "2099-12-31", Sessions: 4,
		Profile: "gate", Encoding: "shift_jis", LoginMessage: "Welcome.", QuitMessage: "Goodbye."}
	c.Users = []User{{Name: "cam7", Password: "$argon2id$v=19$m=19456,t=2,p=1$...", PasswordFile: "cam7.hash", Certificate: "cam7.example.com", Account: account}}
	c.UsersFile = []Path{"users.yaml"}
	c.Htpasswd = []Htpasswd{{File: "htpasswd", Account: account}}
	c.Anonymous = &Anonymous{account}
	c.Anonymous.Cut, c.Anonymous.PublishOnRename, c.Anonymous.Profile, c.Anonymous.Mounts = "discard", nil, "", nil
	c.Anonymous.Permissions, c.Anonymous.Overrides, c.Anonymous.Home = "elr", []Override{{Path: "/incoming", Permissions: "elw"}}, "disk:/pub"
	c.UnixUsers = &UnixUsers{Home: "homes:{home}", Start: "/", Permissions: "elradfmwMT", Allowed: []string{"scanner"}, Rejected: []string{"backup"},
		RequireValidShell: true, PAMService: "ftp-gateway"}
	guest := account
	guest.Permissions = "elr"
	c.WindowsUsers = &WindowsUsers{Domain: "CORP", Allowed: []string{"scanner"}, Rejected: []string{"backup"}, Account: account,
		Guest: &WindowsGuest{User: "Guest", Password: "${GUEST_PASSWORD}", Account: guest}}
	c.HTTPUsers = &HTTPUsers{URL: "https://accounts.example.com/ftp", Token: "${ACCOUNTS_TOKEN}", TokenFile: "accounts-token", Secret: "${ACCOUNTS_SECRET}",
		SecretFile: "accounts-secret", CAFile: "ca.pem", Certificate: &Certificate{Cert: "client.pem", Key: "client.key"},
		Timeout: 10 * time.Second, Cache: time.Minute, Parallel: 64, Account: account}
	c.LDAPUsers = &LDAPUsers{URLs: []string{"ldaps://directory.example.com"}, CAFile: "ca.pem", BindDN: "cn=ftp,dc=example,dc=com",
		BindPassword: "${LDAP_PASSWORD}", BindPasswordFile: "ldap-password", Base: "ou=people,dc=example,dc=com", Filter: "(uid={user})",
		NameAttribute: "uid", MemberOf: "memberOf", GroupBase: "ou=groups,dc=example,dc=com", GroupFilter: "(member={dn})",
		Groups: []LDAPGroup{{Group: "cn=uploaders,ou=groups,dc=example,dc=com", Account: account}}, Account: &account,
		Timeout: 10 * time.Second, Cache: time.Minute, Parallel: 32}
	c.Hosts = []Host{{Names: []string{"ftp.example.com", "ftp.example.net"}, Banner: "ftp.example.com ready.",
		Certificates: []Certificate{{Cert: "example.pem", Key: "example.key"}}, Profile: "logger", Users: []string{"cam7", "anonymous"}, Anonymous: c.Anonymous}}
	c.Log.File, c.Log.Xferlog = "ftp-gateway.log", "xferlog"
	c.Admin.Socket = "/run/ftp-gateway/admin.sock"
	types := []string{"received", "incomplete_received"}
	c.Events = Events{Outbox: "events.db", OutboxMax: c.Events.OutboxMax, Source: "/ftp-gateway/site-1", Log: EventLog{File: "events.jsonl", Types: types},
		Webhooks: []Webhook{{Name: "intake", URL: "https://hooks.example.com/ftp", Secret: "${WEBHOOK_SECRET}", SecretFile: "webhook-secret",
			Types: types, Timeout: 10 * time.Second, Parallel: 4, GiveUp: 72 * time.Hour}},
		Commands: []EventCommand{{Name: "import", Command: []string{"/usr/local/bin/on-upload", "--", `"{bucket}"`, `"{key}"`},
			Types: types, Timeout: time.Minute, Parallel: 2, Attempts: 5, GiveUp: 72 * time.Hour}}}
	c.Metrics.Address = "127.0.0.1:9121"
	return c
}

// comments returns the doc comments of all struct fields of the package as "Type.Field".
func comments(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		commentsOf(f, m)
	}
	return m
}

func commentsOf(f *ast.File, m map[string]string) {
	ast.Inspect(f, func(n ast.Node) bool {
		ts, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if st, ok := ts.Type.(*ast.StructType); ok {
			for _, fd := range st.Fields.List {
				for _, name := range fd.Names {
					m[ts.Name.Name+"."+name.Name] = fd.Doc.Text()
				}
			}
		}
		return true
	})
}

// writer renders a configuration. With all set, examples are keys like the others.
type writer struct {
	bytes.Buffer
	t    *testing.T
	docs map[string]string
	all  bool
}

func (w *writer) line(off bool, indent int, format string, args ...any) {
	s := strings.Repeat("  ", indent) + fmt.Sprintf(format, args...)
	if off && !w.all {
		s = "#" + s
	}
	fmt.Fprintln(w, s)
}

// fields writes the keys of a struct: v's values, or ex's as examples. Off says that the whole is one.
func (w *writer) fields(v, ex reflect.Value, indent int, off bool) {
	for i := range ex.NumField() {
		f := ex.Type().Field(i)
		if f.Anonymous {
			in := reflect.Value{}
			if v.IsValid() {
				in = v.Field(i)
			}
			w.fields(in, ex.Field(i), indent, off)
			continue
		}
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		doc := w.docs[ex.Type().Name()+"."+f.Name]
		if doc == "" {
			w.t.Errorf("%s.%s has no comment", ex.Type().Name(), f.Name)
		}
		if indent == 0 {
			fmt.Fprintln(w)
		}
		for l := range strings.Lines(doc) {
			w.line(off, indent, "# %s", strings.TrimRight(l, "\n"))
		}
		val := reflect.Zero(ex.Field(i).Type())
		if v.IsValid() {
			val = v.Field(i)
		}
		w.value(key, val, ex.Field(i), indent, off)
	}
}

func (w *writer) value(key string, v, ex reflect.Value, indent int, off bool) {
	useEx := off
	_, single := w.scalar(v, ex, true)
	if !off && v.IsZero() && !ex.IsZero() && (single || ex.Kind() != reflect.Struct) {
		useEx, off = true, true
	}
	if s, ok := w.scalar(v, ex, useEx); ok {
		w.line(off, indent, "%s: %s", key, s)
		return
	}
	switch ex.Kind() {
	case reflect.Pointer:
		w.line(off, indent, "%s:", key)
		w.fields(reflect.Value{}, ex.Elem(), indent+1, off)
	case reflect.Struct:
		w.line(off, indent, "%s:", key)
		w.fields(v, ex, indent+1, off)
	case reflect.Slice:
		w.line(off, indent, "%s:", key)
		for i := range ex.Len() {
			var vi reflect.Value
			if v.Len() > i {
				vi = v.Index(i)
			}
			at := w.Len()
			w.fields(vi, ex.Index(i), indent+2, off)
			// The first key of an entry carries its dash.
			entry := bytes.Clone(w.Bytes()[at:])
			w.Truncate(at)
			pad := strings.Repeat("  ", indent+2)
			done := false
			for l := range strings.Lines(string(entry)) {
				body := strings.TrimLeft(l, "#")
				if !done && strings.HasPrefix(body, pad) && !strings.HasPrefix(body, pad+"#") {
					l = strings.Replace(l, pad, pad[:len(pad)-2]+"- ", 1)
					done = true
				}
				w.WriteString(l)
			}
		}
	case reflect.Map:
		w.line(off, indent, "%s:", key)
		var keys []string
		for _, k := range ex.MapKeys() {
			keys = append(keys, k.String())
		}
		slices.Sort(keys)
		for _, k := range keys {
			e := ex.MapIndex(reflect.ValueOf(k))
			if b, ok := e.Interface().(Backend); ok {
				w.line(off, indent+1, "%s:", k)
				w.line(off, indent+2, "type: %s", b.Type())
				for i := range e.NumField() {
					if !e.Field(i).IsNil() {
						w.fields(reflect.Value{}, e.Field(i).Elem(), indent+2, off)
					}
				}
				continue
			}
			if e.Kind() == reflect.Struct {
				w.line(off, indent+1, "%s:", k)
				w.fields(reflect.Value{}, e, indent+2, off)
				continue
			}
			w.line(off, indent+1, "%s: %q", k, e.String())
		}
	default:
		w.t.Fatalf("%s: cannot write a %v", key, ex.Type())
	}
}

// short writes a duration without the zeros at its end.
func short(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "h0m0s")
	if s != d.String() {
		return s + "h"
	}
	if before, ok := strings.CutSuffix(s, "m0s"); ok {
		s = before + "m"
	}
	return s
}

// scalar returns the text of a single value, and whether it is one.
func (w *writer) scalar(v, ex reflect.Value, useEx bool) (string, bool) {
	if useEx {
		v = ex
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return short(x), true
	case Size:
		return x.String(), true
	case Rate:
		return x.String(), true
	case Ports:
		return x.String(), true
	case PassiveAddress:
		return strconv.Quote(x.Host), true
	case Secret:
		return strconv.Quote(string(x)), true
	case bool, int:
		return fmt.Sprint(x), true
	case *bool:
		if x == nil {
			return "false", true
		}
		return fmt.Sprint(*x), true
	case []string:
		all := slices.Clone(x)
		for i, s := range all {
			if strings.Contains(s, "*") { // which is YAML's own
				all[i] = strconv.Quote(s)
			}
		}
		return "[" + strings.Join(all, ", ") + "]", true
	case []Path:
		var all []string
		for _, p := range x {
			all = append(all, string(p))
		}
		return "[" + strings.Join(all, ", ") + "]", true
	}
	if v.Kind() == reflect.String {
		return strconv.Quote(v.String()), true
	}
	return "", false
}

func render(t *testing.T, all bool) string {
	w := &writer{t: t, docs: comments(t), all: all}
	w.WriteString(defaultsHead)
	w.fields(reflect.ValueOf(*Default()), reflect.ValueOf(*example()), 0, false)
	return w.String()
}

func noEnv(string) (string, bool) { return "", false }

func TestDefaultsFile(t *testing.T) {
	got := render(t, false)
	if *update {
		if err := os.WriteFile("defaults.yaml", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != Defaults() {
		t.Error("defaults.yaml does not fit config.go: run go generate ./config")
	}
}

// What is written as the default is what an empty document gives.
func TestDefaultsAreTheDefaults(t *testing.T) {
	c, report := Parse("", []byte(Defaults()), noEnv)
	if len(report) > 0 {
		t.Fatalf("the defaults are refused:\n%v", report)
	}
	if report := c.Check(); report.Failed() {
		t.Errorf("the defaults do not pass the check:\n%v", report)
	}
	c.file, c.lines, c.read = "", nil, false
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("the defaults read as\n%+v, want\n%+v", c, want)
	}
}

// The examples are keys that exist, with values of the right type.
func TestExamplesCanBeRead(t *testing.T) {
	doc := render(t, true)
	// Alternatives stand side by side in the examples; a document has one of them.
	for _, drop := range []string{"access_key_file", "secret_key_file", "customer_key_file", "customer_key", "bind_password_file", "token_file", "password_file", "secret_file"} {
		doc = strings.ReplaceAll(doc, " "+drop+":", " #"+drop+":")
	}
	env := func(name string) (string, bool) { return "value of " + name, true }
	c, report := Parse("", []byte(doc), env)
	if len(report) > 0 {
		t.Fatalf("the examples are refused:\n%v\n%s", report, doc)
	}
	if got := c.Backends["cams"].S3.SecretKey; got != "value of S3_SECRET_KEY" {
		t.Errorf("secret_key = %q", string(got))
	}
	if got, want := c.Users[0].Home, "cams:/{user}"; got != want {
		t.Errorf("home = %q, want %q", got, want)
	}
	if got := c.Passive.Address; got.Host != netip.AddrFrom4([4]byte{203, 0, 113, 7}).String() {
		t.Errorf("passive.address = %+v", got)
	}
}
