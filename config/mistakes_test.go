package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every mistake is found, each with its line, in one report.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	good := func(name string, data []byte, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), data, mode); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := selfSigned(t, time.Now().Add(time.Hour))
	old, oldKey := selfSigned(t, time.Now().Add(-time.Hour))
	good("both.pem", append(cert, key...), 0o600)
	good("cert.pem", cert, 0o644)
	good("key.pem", key, 0o600)
	good("old.pem", append(old, oldKey...), 0o600)
	good("open.pem", append(cert, key...), 0o644)
	good("empty", nil, 0o600)
	good("pw", []byte("$5$saltsalt$abc\r\n"), 0o600)
	t.Setenv("FTPGW_TEST_SET", "info")
	os.Unsetenv("FTPGW_TEST_UNSET")

	const head = "backends: {disk: {type: local, path: .}}\n"
	tests := []struct {
		name string
		doc  string
		want string // the lines of the report, without the file's directory
	}{
		{"clean", head + "users: [{name: a, password: '$5$a$b', home: 'disk:/'}]", ""},
		{"empty", "# nothing\n", "FILE: warning: nobody can log in (hint: add users or anonymous)"},
		{"syntax", "listeners: [\nlimits: {}\n", "FILE:2: not YAML: did not find expected ',' or ']'"},
		{"tab", "limits:\n\tidle: 5m\n", "FILE:2: not YAML: found character that cannot start any token (hint: indent with spaces, not with tabs)"},
		{"text that begins with a star", "banner: a\nusers:\n- {name: *cam7}\n", "FILE:3: not YAML: unknown anchor 'cam7' referenced (hint: put text that begins with * or & in quotes)"},
		{"pattern without quotes", "banner: a\nanonymous: {publish_on_rename: [*.tmp -> *]}\n", "FILE:2: not YAML: did not find expected alphabetic or numeric character (hint: put text that begins with * or & in quotes)"},
		{"text that begins with a sign", "limits: {}\nbanner: @x\n", "FILE:2: not YAML: found character that cannot start any token (hint: put the text in quotes)"},
		{"text with a colon", "limits: {}\nbanner: the press: hello\n", "FILE:2: not YAML: mapping values are not allowed in this context (hint: put text with a colon and a space in it in quotes; keys of one mapping are indented alike)"},
		{"two documents", "{}\n---\n{}\n", `FILE:2: a second document begins here (hint: remove the line "---")`},
		{"not a mapping", "- a\n", "FILE:1: want keys and values here, have a list"},
		{"several at once", "lisseners: []\nlimits:\n  idle: 5\n  stal: 2m\n  connect: soon\nbanner: [a]\n", `FILE:1: lisseners: unknown key "lisseners" (hint: did you mean "listeners"?)
FILE:3: limits.idle: "5" has no unit, want for example 5s or 5m
FILE:4: limits.stal: unknown key "stal" (hint: did you mean "stall"?)
FILE:5: limits.connect: "soon" is not a duration, want for example 90s, 5m or 1h30m
FILE:6: banner: want a single value here, have a list`},
		{"log", "anonymous: {home: 'disk:/'}\n" + head + `log:
  format: lines
  prefix: "{remote}-[{usr}]"
`, `FILE:4: log.format: "lines" is not one of text, json, line (hint: did you mean "line"?)
FILE:5: log.prefix: "{remote}-[{usr}]" holds {usr} (hint: did you mean "{user}"?)`},
		{"prefix with an odd brace", "anonymous: {home: 'disk:/'}\n" + head + `log: {format: line, prefix: "{user"}`,
			`FILE:3: log.prefix: "{user" holds { (hint: names stand in braces, such as {user})`},
		{"prefix of two lines", "anonymous: {home: 'disk:/'}\n" + head + `log: {format: line, prefix: "{user}\n"}`,
			"FILE:3: log.prefix: holds a character that does not print"},
		{"prefix without a meaning", "anonymous: {home: 'disk:/'}\n" + head + `log: {prefix: "{user}"}`,
			"FILE:3: log.prefix: warning: has no meaning in the format text (hint: set log.format: line)"},
		{"files of the log", "anonymous: {home: 'disk:/'}\n" + head + `log: {file: /dev/a, xferlog: /dev/./a}`,
			"FILE:3: log.xferlog: /dev/./a is the file of log.file already"},
		{"files of the log nowhere", "anonymous: {home: 'disk:/'}\n" + head + `log: {file: /nowhere/a, xferlog: /dev}`,
			`FILE:3: log.file: there is no directory /nowhere (hint: make the directory, or correct the name)
FILE:3: log.xferlog: /dev is a directory (hint: name a file in it)`},
		{"files of events", "anonymous: {home: 'disk:/'}\n" + head + `events:
  outbox: /dev/../dev/a
  log: {file: /dev/a}
  webhooks: [{name: a, url: "https://x/", secret: s}]
`, "FILE:4: events.outbox: /dev/../dev/a is the file of events.log.file already"},
		{"keys of signatures", "anonymous: {home: 'disk:/'}\n" + head + `events:
  outbox: /dev/a
  webhooks:
  - {name: a, url: "https://x/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  - {name: b, url: "https://x/", secret: whsec_}
http_users: {url: "https://x/", secret: "whsec_?", account: {home: 'disk:/'}}
`, `FILE:7: events.webhooks[1].secret: behind whsec_ is no base64 of a key (hint: make one with "openssl rand -base64 32")
FILE:8: http_users.secret: behind whsec_ is no base64 of a key (hint: make one with "openssl rand -base64 32")`},
		{"braces in the directory of a mount", head + "users: [{name: a, password: '$5$a$b', home: 'disk:/a', mounts: {'/x/{user}': 'disk:/b'}}]",
			"FILE:2: users[0].mounts./x/{user}: warning: nothing is filled in in the directory of a mount (hint: braces are for homes and for the trees of mounts)"},
		{"credentials in the URL of a directory", head + "ldap_users: {urls: ['ldaps://ann:secret@x'], base: o=x, account: {home: 'disk:/'}}",
			"FILE:2: ldap_users.urls[0]: credentials do not belong into the URL (hint: use bind_dn and bind_password)"},
		{"outbox nowhere", "anonymous: {home: 'disk:/'}\n" + head + `events: {outbox: /nowhere/a, webhooks: [{name: a, url: "https://x/", secret: s}]}`,
			"FILE:3: events.outbox: there is no directory /nowhere (hint: make the directory, or correct the name)"},
		{"outbox that nobody needs", "anonymous: {home: 'disk:/'}\n" + head + `events: {outbox: /nowhere/a}`, ""},
		{"unix back end nowhere", "backends: {homes: {type: unix, path: /nowhere}}\nunix_users: {home: 'homes:{home}'}",
			"FILE:1: backends.homes.path: /nowhere: cannot stat: no such file or directory (hint: make the directory, or correct the name)"},
		{"client certificates without TLS", "anonymous: {home: 'disk:/'}\n" + head + `tls: {client_auth: require}`,
			"FILE:3: tls.client_auth: no listener has TLS in which to ask for certificates (hint: add tls.certificates)"},
		{"client certificates of a listener without TLS", "anonymous: {home: 'disk:/'}\n" + head + `listeners: [{address: ":21", tls: {client_auth: request}}, {address: ":22", tls: {client_auth: none}}]`,
			"FILE:3: listeners[0].tls.client_auth: the listener has no TLS in which to ask for certificates (hint: set mode: explicit or implicit)"},
		{"admin socket", "anonymous: {home: 'disk:/'}\n" + head + `admin: {socket: /nowhere/at/all}`,
			"FILE:3: admin.socket: there is no directory /nowhere (hint: make the directory, or correct the name)"},
		{"admin socket is a file", "anonymous: {home: 'disk:/'}\n" + head + `admin: {socket: /dev/null}`,
			"FILE:3: admin.socket: /dev/null is there already, and no socket (hint: name a file that does not exist)"},
		{"future key", "events: {zzz: 1}\n", `FILE:1: events.zzz: unknown key "zzz" (hint: the keys here are outbox, outbox_max, source, log, webhooks, commands)`},
		{"events", head + `events: {log: {types: [recieved]}}`,
			`FILE:2: events.log.types[0]: "recieved" is not one of connect, disconnect, login, login_failed, logout, received, incomplete_received, sent, incomplete_sent, deleted, renamed, copied, directory_made, directory_removed (hint: did you mean "received"?)`},
		{"receivers of events", "anonymous: {home: 'disk:/'}\n" + head + `events:
  outbox_max: 0
  webhooks:
  - {name: a, url: ftp://x, secret: s}
  - {name: a, url: "http://x/", parallel: 0}
  commands:
  - {name: "b c", timeout: 0s}
`, `FILE:3: events.outbox: webhooks and commands need the file in which events wait (hint: for example outbox: /var/lib/ftp-gateway/events.db)
FILE:4: events.outbox_max: there has to be room for one event
FILE:6: events.webhooks[0].url: is no http or https URL (hint: for example https://hooks.example.com/ftp)
FILE:7: events.webhooks[1]: warning: without a secret the receiver cannot tell our events from anybody's (hint: set "secret" or "secret_file")
FILE:7: events.webhooks[1].name: "a" is the name of events.webhooks[0] already
FILE:7: events.webhooks[1].parallel: has to be from 1 to 256
FILE:9: events.commands[0]: the key "command" is missing (hint: for example command: [/usr/local/bin/on-upload, "{path}"])
FILE:9: events.commands[0].name: "b c" is no name for a receiver (hint: letters, digits, dots, dashes and underscores)
FILE:9: events.commands[0].timeout: has to be more than 0`},
		{"twice", "banner: a\nbanner: b\n", `FILE:2: banner: the key "banner" is there twice, first in line 1`},
		{"types", "local_time: yes\nlimits:\n  connections: many\n  per_ip: -1\nmemory: {upload_budget: 12 parsecs}\npassive: {ports: 30099-30000}\nlisteners: ':21'\n", `FILE:1: local_time: "yes" is not true or false
FILE:3: limits.connections: "many" is not a whole number
FILE:4: limits.per_ip: -1 is less than 0
FILE:5: memory.upload_budget: "12 parsecs" is not a size, want for example 256MiB or 2MB
FILE:6: passive.ports: the range of ports 30099-30000 ends before it begins
FILE:7: listeners: want a list here, have a single value (hint: begin each entry with "- ")`},
		{"negative time", "limits: {idle: -5m}\n", "FILE:1: limits.idle: a duration cannot be negative"},
		{"words", "ascii: sometimes\ntls: {session_reuse: requird}\n", `FILE:1: ascii: "sometimes" is not one of explicit, always, never
FILE:2: tls.session_reuse: "requird" is not one of off, prefer, require (hint: did you mean "require"?)`},
		{"list of words", "listeners:\n- address: :21\n  tls: {require: control}\n", `FILE:3: listeners[0].tls.require: want a list here, have a single value (hint: write [control])`},
		{"variables", "log:\n  level: ${FTPGW_TEST_SET}\nbanner: ${FTPGW_TEST_UNSET}\nencoding: ${a b}\n", `FILE:3: banner: the environment variable FTPGW_TEST_UNSET is not set
FILE:4: encoding: "a b" is not the name of an environment variable (hint: write "$${" for a plain "${")`},
		{"backend type", "backends:\n  a: {path: /x}\n  b: {type: s4}\n  c: {type: local, path: ., region: x}\n  d:\n    type: s3\n    bukket: x\n  e: {type: local, path: ., pth: x}\n", `FILE:2: backends.a: the key "type" is missing (hint: type is one of local, s3, gcs, unix)
FILE:3: backends.b.type: "s4" is not one of local, s3, gcs, unix (hint: did you mean "s3"?)
FILE:4: backends.c.region: unknown key "region" (hint: back ends of type s3 have it, not local)
FILE:7: backends.d.bukket: unknown key "bukket" (hint: did you mean "bucket"?)
FILE:8: backends.e.pth: unknown key "pth" (hint: did you mean "path"?)`},
		{"back ends of null", "backends:\n  a: ~\n  b: {type: ~, path: .}\nanonymous: {home: 'a:/'}\n", `FILE:2: backends.a: the key "type" is missing (hint: type is one of local, s3, gcs, unix)
FILE:3: backends.b: the key "type" is missing (hint: type is one of local, s3, gcs, unix)`},
		{"secret files", "users:\n- name: a\n  password: x\n  password_file: pw\n  home: a:/\n- name: b\n  password_file: gone\n- name: c\n  password_file: empty\n", `FILE:4: users[0].password_file: both the value and a file for it are given (hint: keep one of them)
FILE:5: users[0].home: unknown back end "a" (hint: add it below "backends")
FILE:7: users[1].password_file: DIR/gone: cannot open: no such file or directory
FILE:9: users[2].password_file: DIR/empty is empty`},
		{"users", head + `users:
- name: a
  home: disk:/
- name: a
  password: $5$a$b
  permissions: elrx
- name: c
  password: $5$a$b
  home: dsk:/{user}
- name: d
  password: $5$a$b
  home: nonsense
- name: e
  password: $5$a$b
  home: disk:/../{name}
- {password: $5$a$b, home: "disk:x"}
`, `FILE:3: users[0]: the password is missing (hint: make one with "ftp-gateway hash-password")
FILE:5: users[1]: the key "home" is missing (hint: for example home: "disk:/{user}")
FILE:5: users[1].name: user "a" is there twice, first as users[0]
FILE:7: users[1].permissions: 'x' is no permission (hint: the letters are elradfmwMT)
FILE:10: users[2].home: unknown back end "dsk" (hint: did you mean "disk"?)
FILE:13: users[3].home: "nonsense" is not a back end and a directory (hint: for example "disk:/pub")
FILE:16: users[4].home: "/../{name}" holds {name} (hint: replaced are {user} {remote} {yyyy} {MM} {dd} {HH})
FILE:16: users[4].home: "/../{name}" holds ".."
FILE:17: users[5]: the key "name" is missing
FILE:17: users[5].home: the directory of "disk:x" does not begin with a slash (hint: for example "disk:/pub")`},
		{"mounts", head + `users:
- name: a
  password: $5$a$b
  home: disk:/
  mounts:
    x: disk:/
    /: disk:/
    /a: disk:/
    /a/: disk:/
    /b: disk:/
    /b/c: dusk:/
`, `FILE:7: users[0].mounts.x: the directory of a mount begins with a slash (hint: write "/x")
FILE:8: users[0].mounts./: a mount cannot be the root (hint: home is that)
FILE:10: users[0].mounts./a/: is the same directory as "/a"
FILE:12: users[0].mounts./b/c: unknown back end "dusk" (hint: did you mean "disk"?)`},
		{"anonymous", head + "users:\n- {name: FTP, password: $5$a$b, home: 'disk:/'}\nanonymous:\n  home: disk:/\n  permissions: elrw\n", `FILE:3: users[0].name: "FTP" is a name of anonymous logins (hint: remove the user or the key "anonymous")
FILE:6: anonymous.permissions: warning: write permissions assigned to anonymous: anybody can write with "elrw"`},
		{"listeners", `listeners:
- address: "21"
- address: 10.0.0.1
- address: :70000
- address: 300.1.1.1:21
- address: :2121
- address: :2121
- {}
- address: :990
  tls: {mode: implicit}
- address: :22
  tls: {require: [data]}
anonymous: {home: "disk:/"}
metrics: {address: ":2121"}
backends: {disk: {type: local, path: .}}
`, `FILE:2: listeners[0].address: "21" is not an address (hint: write ":21" for all addresses of the machine)
FILE:3: listeners[1].address: "10.0.0.1" is not an address (hint: write "10.0.0.1:21")
FILE:4: listeners[2].address: "70000" is not a port (hint: a port is a number from 1 to 65535, or 0 for any free one)
FILE:5: listeners[3].address: "300.1.1.1" is neither an IP address nor a host name
FILE:7: listeners[5].address: :2121 is there twice
FILE:8: listeners[6]: the address is missing (hint: for example address: ":21")
FILE:10: listeners[7].tls.mode: TLS needs a certificate (hint: add tls.certificates)
FILE:12: listeners[8].tls.require: the listener has no TLS that could be required (hint: set mode: explicit or implicit)
FILE:14: metrics.address: :2121 is a listener for FTP as well`},
		{"certificates", head + `anonymous: {home: "disk:/"}
tls:
  min: "1.0"
  certificates:
  - cert: both.pem
  - {cert: cert.pem, key: key.pem}
  - cert: gone.pem
  - cert: cert.pem
  - {cert: both.pem, key: old.pem}
  - cert: old.pem
  - cert: open.pem
  - key: key.pem
`, `FILE:4: tls.min: warning: TLS below 1.2 is broken by today's standards (hint: only for devices that know nothing newer)
FILE:8: tls.certificates[2].cert: DIR/gone.pem: cannot open: no such file or directory
FILE:9: tls.certificates[3].cert: found a certificate rather than a key in the PEM for the private key (hint: the file has to hold the key too, or name it with "key")
FILE:10: tls.certificates[4].key: private key does not match public key
FILE:11: tls.certificates[5].cert: warning: the certificate expired on EXPIRED
FILE:12: tls.certificates[6].cert: warning: everybody on this machine can read DIR/open.pem (hint: chmod o-r DIR/open.pem)
FILE:13: tls.certificates[7]: the key "cert" is missing`},
		{"passive", head + `anonymous: {home: "disk:/"}
passive:
  ports: 1000-2500
  address: "2001:db8::1"
  permit_foreign_addresses: true
`, `FILE:4: passive.ports: warning: ports below 1024 need privileges
FILE:4: passive.ports: 1000-2500 holds the port of listeners[0]
FILE:5: passive.address: 2001:db8::1 is not an IPv4 address (hint: EPSV, which IPv6 clients use, tells no address)
FILE:6: passive.permit_foreign_addresses: warning: lets clients use the server to connect to others (FTP bounce)`},
		{"passive map", head + `anonymous: {home: "disk:/"}
passive:
  ports: 30000
  address:
    10.0.0.1: ftp.example.com
    nonsense: 1.2.3.4
`, `FILE:7: passive.address.nonsense: "nonsense" is not an IP address (hint: the keys here are addresses of this machine, the values what clients are told)`},
		{"passive map to nothing", head + "anonymous: {home: 'disk:/'}\npassive:\n  address:\n    10.0.0.1: null\n    10.0.0.2:\n", `FILE:5: passive.address.10.0.0.1: the address to tell is missing
FILE:6: passive.address.10.0.0.2: the address to tell is missing`},
		{"one port", head + "anonymous: {home: \"disk:/\"}\npassive: {ports: 30000, address: 1.2.3}\n", `FILE:3: passive.address: "1.2.3" is neither an IPv4 address nor a host name
FILE:3: passive.ports: warning: with one port each client address can have one transfer at a time (hint: use ten or more)`},
		{"limits of appends", `backends:
  b: {type: s3, bucket: pictures, region: x, append_copy_max: -1}
  c: {type: gcs, bucket: archive, append_through_max: 1XB}
`, `FILE:2: backends.b.append_copy_max: "-1" is not a size, want for example 256MiB or 2MB
FILE:3: backends.c.append_through_max: "1XB" is not a size, want for example 256MiB or 2MB`},
		{"a limit of nothing", `backends:
  a: {type: s3, bucket: pictures, region: x, profile: gcs, append_copy_max: 1GiB}
anonymous: {home: "a:/"}
`, `FILE:2: backends.a.append_copy_max: warning: bounds nothing: the server of this profile copies no parts (hint: set append_through_max)`},
		{"names in arguments", "anonymous: {home: 'disk:/'}\n" + head + `events:
  outbox: o.db
  commands:
    - {name: c, command: ["/x{nope}", "{path}", "{pth}", '{"type": "{type}"}']}
`, `FILE:6: events.commands[0].command: nobody knows what {pth} stands for (hint: did you mean "{path}"?)`},
		{"directory bucket", `backends:
  a: {type: s3, bucket: pictures--use1-az4--x-s3, region: us-east-1, storage_class: STANDARD, acl: private,
    tags: {a: b},
    lock_mode: GOVERNANCE, lock_for: 1h}
  b: {type: s3, bucket: pictures--use1-az4--x-s3, region: us-east-1, storage_class: EXPRESS_ONEZONE, encryption: "aws:kms"}
anonymous: {home: "b:/"}
`, `FILE:2: backends.a.acl: a directory bucket (S3 Express One Zone) does not know it (hint: leave it out)
FILE:2: backends.a.storage_class: a directory bucket (S3 Express One Zone) does not know it (hint: leave it out)
FILE:3: backends.a.tags: a directory bucket (S3 Express One Zone) does not know it (hint: leave it out)
FILE:4: backends.a.lock_mode: a directory bucket (S3 Express One Zone) does not know it (hint: leave it out)`},
		{"budget", `memory: {upload_budget: 7MiB}
anonymous: {home: "b:/"}
backends:
  a: {type: s3, bucket: x}
  b: {type: s3, bucket: x, max_part_size: 16MiB}
  c: {type: gcs, bucket: x/y, endpoint: "localhost:1"}
  d: {type: s3, bucket: x, max_part_size: 1MiB, access_key: a, ca_file: empty}
  e: {type: local, path: pw}
  f: {type: local, path: gone}
  g: {type: local}
  h: {type: s3, endpoint: "https://u:p@h"}
`, `FILE:1: memory.upload_budget: 7MiB is less than a part of back end "b" (16MiB) (hint: every upload needs room for one part)
FILE:1: memory.upload_budget: 7MiB is less than a part of back end "c" (8MiB) (hint: every upload needs room for one part)
FILE:6: backends.c.bucket: "x/y" is no name of a bucket (hint: a prefix has a key of its own)
FILE:6: backends.c.endpoint: "localhost:1" is not a URL with http or https (hint: for example https://s3.example.com)
FILE:7: backends.d: access_key and secret_key belong together (hint: give both, or none for the usual AWS sources)
FILE:7: backends.d.ca_file: DIR/empty holds no PEM certificate
FILE:7: backends.d.max_part_size: 1MiB is not between 5MiB and 5GiB
FILE:8: backends.e.path: DIR/pw is not a directory
FILE:9: backends.f.path: DIR/gone: cannot stat: no such file or directory (hint: make the directory, or correct the name)
FILE:10: backends.g: the key "path" is missing
FILE:11: backends.h: the key "bucket" is missing
FILE:11: backends.h.endpoint: credentials do not belong into the URL`},
		{"hosts", head + `hosts:
  - {names: [ftp.example.com, FTP.example.com., "http://x"], profile: loger, users: [joe, jo, anonymous]}
  - {banner: "a\0b", certificates: [{cert: gone.pem}]}
  - {names: ["::1", "[::1]"], anonymous: {home: 'disc:/', permissions: elrw}}
users: [{name: joe, password: x, home: 'disk:/'}]
`, `FILE:3: hosts[0].names: "FTP.example.com." is a name of hosts[0] already
FILE:3: hosts[0].names: "http://x" is neither a host name nor an address (hint: without scheme, port and brackets)
FILE:3: hosts[0].profile: unknown profile "loger" (hint: did you mean "logger"?)
FILE:3: hosts[0].users: unknown user "jo" (hint: did you mean "joe"?)
FILE:3: hosts[0].users: unknown user "anonymous"
FILE:4: hosts[1]: the key "names" is missing (hint: for example names: [ftp.example.com])
FILE:4: hosts[1].banner: holds a NUL character
FILE:4: hosts[1].certificates: TLS is off without a certificate for all (hint: add tls.certificates, for clients that name no host)
FILE:4: hosts[1].certificates[0].cert: DIR/gone.pem: cannot open: no such file or directory
FILE:5: hosts[2].anonymous.home: unknown back end "disc" (hint: did you mean "disk"?)
FILE:5: hosts[2].anonymous.permissions: warning: write permissions assigned to anonymous: anybody can write with "elrw"
FILE:5: hosts[2].names: "[::1]" is neither a host name nor an address (hint: without scheme, port and brackets)`},
		{"profiles", head + `listeners: [{address: ":21", profile: camra, encoding: latin}]
profiles:
  gate: {base: camera, ascii: sometimes, existing: true}
  a: {base: b}
  b: {base: a}
  c: {base: nobody}
  "z z": {make_parents: true}
  old: {base: mfp, tls_min: "1.1", encoding: iso-2022-jp}
  "x y": {make_parents: maybe}
anonymous: {home: 'disk:/', profile: mainfram, encoding: hz-gb-2312, quit_message: "a\0b"}
users: [{name: u, password: x, home: 'disk:/', profile: gate, encoding: utf-16le, login_message: "a\0b"}]
`, `FILE:2: listeners[0].encoding: unknown encoding "latin" (hint: names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437)
FILE:2: listeners[0].profile: unknown profile "camra" (hint: did you mean "camera"?)
FILE:4: profiles.gate.ascii: "sometimes" is not one of explicit, always, never
FILE:4: profiles.gate.existing: unknown key "existing" (hint: the keys here are base, ascii, encoding, existing_dir, make_parents, peer_address, no_extended, records, any_site, strict_allo, strict, close_notify, control_lost, cut, publish_on_rename, tls_min)
FILE:5: profiles.a.base: the profile "a" is its own base
FILE:6: profiles.b.base: the profile "b" is its own base
FILE:7: profiles.c.base: unknown profile "nobody" (hint: there are a, b, c, camera, gate, logger, mainframe, mfp, old, plc, strict, x y, z z)
FILE:8: profiles.z z: "z z" is no name for a profile (hint: letters, digits, - and _)
FILE:9: profiles.old.encoding: the encoding "iso-2022-jp" switches between character sets within a line (hint: names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437)
FILE:10: profiles.x y.make_parents: "maybe" is not true or false
FILE:11: anonymous.encoding: the encoding "hz-gb-2312" switches between character sets within a line (hint: names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437)
FILE:11: anonymous.profile: unknown profile "mainfram" (hint: did you mean "mainframe"?)
FILE:11: anonymous.quit_message: holds a NUL character
FILE:12: users[0].encoding: the encoding "utf-16le" does not contain ASCII (hint: names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437)
FILE:12: users[0].login_message: holds a NUL character`},
		{"tls by listener", head + `anonymous: {home: 'disk:/'}
listeners:
  - {address: ":2121", tls: {min: "1.0", ciphers: [TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265, ROT13]}}
  - {address: ":2122", tls: {client_auth: require}}
  - {address: ":2123", tls: {client_auth: request, client_ca: gone.pem}}
  - {address: ":2124", tls: {client_auth: request, client_ca: key.pem}}
  - {address: ":2125", tls: {min: "1.3", ciphers: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}}
  - {address: ":2126", tls: {client_auth: request, client_ca: cert.pem}}
tls: {certificates: [{cert: cert.pem, key: key.pem}], min: "1.1", ccc: true}
`, `FILE:4: listeners[0].tls.ciphers: warning: TLS_RSA_WITH_3DES_EDE_CBC_SHA is weak (hint: only for devices that know nothing newer)
FILE:4: listeners[0].tls.ciphers: TLS_AES_128_GCM_SHA256 is of TLS 1.3, whose ciphers cannot be chosen (hint: TLS 1.3 is always offered with all of its own)
FILE:4: listeners[0].tls.ciphers: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265" is no cipher that is known here (hint: did you mean "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?)
FILE:4: listeners[0].tls.ciphers: "ROT13" is no cipher that is known here (hint: IANA names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
FILE:4: listeners[0].tls.min: warning: TLS below 1.2 is broken by today's standards (hint: only for devices that know nothing newer)
FILE:5: listeners[1].tls.client_auth: client certificates need client_ca, here or below tls (hint: whom to trust)
FILE:6: listeners[2].tls.client_ca: DIR/gone.pem: cannot open: no such file or directory
FILE:7: listeners[3].tls.client_ca: DIR/key.pem holds no PEM certificate
FILE:8: listeners[4].tls.ciphers: warning: nothing but TLS 1.3 is accepted, whose ciphers cannot be chosen
FILE:10: tls.min: warning: TLS below 1.2 is broken by today's standards (hint: only for devices that know nothing newer)`},
		{"certificate nobody asks for", head + "users: [{name: a, certificate: x, home: 'disk:/'}]\n", `FILE:2: users[0].certificate: no listener asks for client certificates (hint: set tls.client_auth and tls.client_ca)`},
		{"guard", head + "anonymous: {home: 'disk:/'}\nguard:\n  failures: 2\n  window: 0\n  ban: 0\n  max_delay: 6m\n  allow: [10.0.0.0/8, 192.0.2.7, '::1', 10.0.0.1/8, here, '::ffff:10.0.0.0/104']\nlimits: {login: 0}\n", `FILE:4: guard.failures: warning: 2 is less than the wrong passwords that end a session (limits.login_attempts: 3)
FILE:5: guard.window: nothing would ever be counted
FILE:6: guard.ban: a ban has to last for a while (hint: failures: 0 is for no bans)
FILE:7: guard.max_delay: 6m0s would keep sessions waiting for too long; 5m is the most
FILE:8: guard.allow[3]: 10.0.0.1/8 names an address inside of the network 10.0.0.0/8 (hint: for example 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7)
FILE:8: guard.allow[4]: "here" is neither a network nor an address (hint: for example 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7)
FILE:8: guard.allow[5]: "::ffff:10.0.0.0/104" is neither a network nor an address (hint: for example 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7)
FILE:9: limits.login: 0 would end everything at once (hint: this time cannot be unlimited)`},
		{"rest", head + "anonymous: {home: 'disk:/', permissions: ''}\nencoding: utf-16\nlimits: {idle: 0, login_attempts: 0, connections: 5, per_ip: 6}\n", `FILE:2: anonymous.permissions: warning: nothing is permitted
FILE:3: encoding: the encoding "utf-16" does not contain ASCII (hint: names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437)
FILE:4: limits.idle: 0 would end everything at once (hint: this time cannot be unlimited)
FILE:4: limits.login_attempts: at least one attempt is needed
FILE:4: limits.per_ip: warning: 6 is more than connections allows (5)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "ftp-gateway.yaml")
			if err := os.WriteFile(file, []byte(tt.doc), 0o600); err != nil {
				t.Fatal(err)
			}
			_, report := Load(file)
			got := strings.TrimSpace(report.String())
			got = strings.ReplaceAll(strings.ReplaceAll(got, file, "FILE"), dir, "DIR")
			want := strings.ReplaceAll(strings.ReplaceAll(tt.want, "KEYS", topKeys()), "EXPIRED", time.Now().Add(-time.Hour).UTC().Format(time.DateOnly))
			if got != want {
				t.Errorf("report:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// topKeys are the keys of the document in the order of the struct.
func topKeys() string {
	var keys []string
	for f := range reflect.TypeFor[Config]().Fields() {
		if k := f.Tag.Get("yaml"); k != "" && k != "-" {
			keys = append(keys, k)
		}
	}
	return strings.Join(keys, ", ")
}
