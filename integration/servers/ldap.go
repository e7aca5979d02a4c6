package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// LDAP is a running slapd with a directory of its own below dc=example,dc=com.
type LDAP struct {
	*Process
	Addr, TLSAddr string // host:port of ldap:// and of ldaps://
}

// LDAPService is the identity that may search, LDAPPassword its password.
const (
	LDAPService  = "cn=ftp,dc=example,dc=com"
	LDAPPassword = "service's own"
)

// StartLDAP starts slapd on the entries of ldif. The password of the service is in its configuration.
func StartLDAP(ctx context.Context, dir, ldif string, certs Certificates) (*LDAP, error) {
	dir = filepath.Join(dir, "ldap")
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o700); err != nil {
		return nil, err
	}
	conf := strings.Join([]string{
		"include /etc/ldap/schema/core.schema", "include /etc/ldap/schema/cosine.schema",
		"include /etc/ldap/schema/inetorgperson.schema", "include /etc/ldap/schema/nis.schema",
		"modulepath /usr/lib/ldap", "moduleload back_mdb", "moduleload memberof",
		"pidfile " + filepath.Join(dir, "slapd.pid"),
		"TLSCACertificateFile " + certs.CA, "TLSCertificateFile " + certs.Cert, "TLSCertificateKeyFile " + certs.Key,
		"database mdb", "suffix dc=example,dc=com", "rootdn " + LDAPService, fmt.Sprintf("rootpw %q", LDAPPassword), "directory " + filepath.Join(dir, "db"),
		// Who is nobody may check passwords and see nothing: whoever searches has to be somebody.
		"access to attrs=userPassword by anonymous auth by * none", "access to * by users read by * auth",
		"overlay memberof", "",
	}, "\n")
	file := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	// Entry by entry through the overlays: slapadd would not fill memberOf in.
	l := &LDAP{}
	var err error
	if l.Addr, err = FreeAddr(); err != nil {
		return nil, err
	}
	if l.TLSAddr, err = FreeAddr(); err != nil {
		return nil, err
	}
	cmd := exec.Command("slapd", "-f", file, "-h", "ldap://"+l.Addr+"/ ldaps://"+l.TLSAddr+"/", "-d", "stats")
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	if p, err := exec.LookPath("/usr/sbin/slapd"); err == nil {
		cmd.Path, cmd.Err = p, nil
	}
	if l.Process, err = Start("slapd", filepath.Join(dir, "slapd.log"), cmd); err != nil {
		return nil, err
	}
	if err := l.WaitReady(ctx, func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		l.Kill()
		return nil, err
	}
	add := exec.CommandContext(ctx, "ldapadd", "-x", "-H", "ldap://"+l.Addr, "-D", LDAPService, "-w", LDAPPassword)
	add.Stdin = strings.NewReader(ldif)
	if out, err := add.CombinedOutput(); err != nil {
		l.Kill()
		return nil, fmt.Errorf("ldapadd: %w: %s", err, out)
	}
	return l, nil
}
