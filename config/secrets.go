package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// secretFiles reads the keys that end in _file into the keys they stand for.
func (d *decoder) secretFiles() {
	d.userSecrets()
	if h := d.c.HTTPUsers; h != nil {
		d.secret(&h.Token, h.TokenFile, "http_users.token")
		d.secret(&h.Secret, h.SecretFile, "http_users.secret")
	}
	if l := d.c.LDAPUsers; l != nil {
		d.secret(&l.BindPassword, l.BindPasswordFile, "ldap_users.bind_password")
	}
	for i := range d.c.Events.Webhooks {
		w := &d.c.Events.Webhooks[i]
		d.secret(&w.Secret, w.SecretFile, fmt.Sprintf("events.webhooks[%d].secret", i))
	}
	for name, b := range d.c.Backends {
		if b.S3 != nil {
			d.secret(&b.S3.AccessKey, b.S3.AccessKeyFile, "backends."+name+".access_key")
			d.secret(&b.S3.SecretKey, b.S3.SecretKeyFile, "backends."+name+".secret_key")
			d.secret(&b.S3.CustomerKey, b.S3.CustomerKeyFile, "backends."+name+".customer_key")
		}
	}
}

// programs makes relative names of programs relative to the document, as those of other files are. A bare name is looked for in PATH.
func (d *decoder) programs() {
	for _, c := range d.c.Events.Commands {
		if len(c.Command) > 0 && strings.ContainsRune(filepath.ToSlash(c.Command[0]), '/') && !filepath.IsAbs(c.Command[0]) {
			c.Command[0] = d.dir + string(filepath.Separator) + filepath.Clean(c.Command[0]) // without a separator it would be looked for in PATH
		}
	}
}

func (d *decoder) userSecrets() {
	for i := range d.c.Users {
		u := &d.c.Users[i]
		d.secret(&u.Password, u.PasswordFile, fmt.Sprintf("users[%d].password", i))
	}
}

func (d *decoder) secret(s *Secret, file Path, path string) {
	if file == "" {
		return
	}
	if *s != "" {
		d.report = append(d.report, d.c.Problem(path+"_file", "both the value and a file for it are given", "keep one of them"))
		return
	}
	f, err := os.Open(string(file))
	if err != nil {
		d.report = append(d.report, d.c.Problem(path+"_file", fmt.Sprintf("%s: %s", file, pathless(err)), ""))
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		d.report = append(d.report, d.c.Problem(path+"_file", fmt.Sprintf("%s: %s", file, pathless(err)), ""))
	case len(data) > maxSecret:
		d.report = append(d.report, d.c.Problem(path+"_file", fmt.Sprintf("%s is larger than %v", file, Size(maxSecret)), ""))
	case text == "":
		d.report = append(d.report, d.c.Problem(path+"_file", fmt.Sprintf("%s is empty", file), ""))
	}
	*s = Secret(text)
}
