package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// quick are the options of the command without a command: those of "python3 -m
// pyftpdlib", under the same names.
type quick struct {
	iface, directory, nat, ports     string
	username, password               string
	concurrency, keyfile, certfile   string
	timeout, banner, encoding        string
	port, maxCons, maxPerIP, maxFail int
	write, debug                     bool
	tls, tlsControl, tlsData         bool
	foreign, privileged              bool
	localTime, noSendfile            bool
}

// quickKeys are the options that stand behind the keys of the configuration, so
// that a problem is told in the words that were used.
var quickKeys = []struct{ key, option string }{
	{"listeners[0].address", "--interface, --port"},
	{"listeners[0].tls.mode", "--tls"},
	{"backends.share", "--directory"},
	{"tls.certificates[0].key", "--keyfile"},
	{"tls.certificates", "--certfile"},
	{"passive.ports", "--range"},
	{"passive.address", "--nat-address"},
	{"passive.permit_foreign_addresses", "--permit-foreign-addresses"},
	{"anonymous.permissions", "--write"},
	{"users[0].name", "--username"},
	{"users[0].password", "--password"},
	{"limits.idle", "--timeout"},
	{"limits.connections", "--max-cons"},
	{"limits.per_ip", "--max-cons-per-ip"},
	{"limits.login_attempts", "--max-login-attempts"},
	{"encoding", "--encoding"},
	{"banner", "--banner"},
}

func addQuick(cmd *cobra.Command, env func(string) (string, bool)) {
	d := config.Default()
	q := &quick{}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&q.iface, "interface", "i", "", "address to listen on (default all)")
	f.IntVarP(&q.port, "port", "p", 2121, "port to listen on")
	f.BoolVarP(&q.write, "write", "w", false, "permit writing (default read only)")
	f.StringVarP(&q.directory, "directory", "d", ".", "directory to share, or s3://bucket/prefix, or gs://bucket/prefix")
	f.StringVarP(&q.nat, "nat-address", "n", "", "address that clients are told for passive connections, behind a NAT")
	f.StringVarP(&q.ports, "range", "r", "", "ports for passive connections, FROM-TO, such as 8000-9000 (default any)")
	f.BoolVarP(&q.debug, "debug", "D", false, "log each command and reply")
	f.BoolP("version", "V", false, "print the version")
	f.StringVarP(&q.username, "username", "u", "", "log in as this user, with a password (default anonymous)")
	f.StringVarP(&q.password, "password", "P", "", "the user's password; $FTP_GATEWAY_PASSWORD is not seen by other users of the machine")
	f.StringVar(&q.concurrency, "concurrency", "", "accepted for compatibility, without meaning: sessions are always served at the same time")
	f.BoolVar(&q.tls, "tls", false, "offer TLS (FTPS); needs --certfile")
	f.StringVar(&q.keyfile, "keyfile", "", "PEM file with the private key (default in --certfile)")
	f.StringVar(&q.certfile, "certfile", "", "PEM file with the certificate")
	f.BoolVar(&q.tlsControl, "tls-control-required", false, "refuse logins in clear text")
	f.BoolVar(&q.tlsData, "tls-data-required", false, "refuse transfers in clear text")
	f.StringVar(&q.timeout, "timeout", "300", "end a session that does nothing; seconds, or with a unit: 5m")
	f.StringVar(&q.banner, "banner", d.Banner, "text of the greeting")
	f.BoolVar(&q.foreign, "permit-foreign-addresses", false, "let data connections go to other addresses than the client's (FXP)")
	f.BoolVar(&q.privileged, "permit-privileged-ports", false, "let clients name ports below 1024 in PORT")
	f.StringVar(&q.encoding, "encoding", d.Encoding, "encoding of file names")
	f.BoolVar(&q.localTime, "use-localtime", false, "tell times in the server's zone instead of UTC")
	f.BoolVar(&q.noSendfile, "disable-sendfile", false, "do not let the kernel move files")
	f.IntVar(&q.maxCons, "max-cons", d.Limits.Connections, "sessions at a time; 0 for no limit")
	f.IntVar(&q.maxPerIP, "max-cons-per-ip", 0, "sessions at a time from one address; 0 for no limit")
	f.IntVar(&q.maxFail, "max-login-attempts", d.Limits.LoginAttempts, "wrong passwords that end a session")

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := q.config(env)
		if err != nil {
			return err
		}
		report := append(cfg.Check(), checkUsers(cfg)...)
		// A password on the command line is plain text by nature.
		report = slices.DeleteFunc(report, func(p config.Problem) bool { return p.Warning && p.Path == "--password" })
		if report.Failed() {
			return refused{errors.New(report.String())}
		}
		if q.concurrency != "" {
			log, err := newLog(cfg.Log, cfg.LocalTime, cmd.ErrOrStderr())
			if err != nil {
				return refused{err}
			}
			log.Info("--concurrency has no meaning here: sessions are always served at the same time", "value", q.concurrency)
		}
		return serveUntilSignal(cfg, report, cmd.ErrOrStderr())
	}
}

// config is the configuration that the options stand for. Its errors are about usage.
func (q *quick) config(env func(string) (string, bool)) (*config.Config, error) {
	if q.concurrency != "" && !slices.Contains([]string{"async", "pre-fork", "multi-thread", "multi-proc"}, q.concurrency) {
		return nil, fmt.Errorf("--concurrency %q is not one of async, pre-fork, multi-thread, multi-proc", q.concurrency)
	}
	if q.port < 0 || q.port > 65535 {
		return nil, fmt.Errorf("--port %d is no port", q.port)
	}
	if q.maxCons < 0 || q.maxPerIP < 0 {
		return nil, errors.New("--max-cons and --max-cons-per-ip cannot be negative")
	}
	if (q.keyfile != "" || q.certfile != "" || q.tlsControl || q.tlsData) && !q.tls {
		return nil, errors.New("--keyfile, --certfile, --tls-control-required and --tls-data-required need --tls")
	}
	if q.tls && q.certfile == "" {
		return nil, errors.New("--tls needs --certfile")
	}
	cfg := config.Default()
	cfg.KeyName = optionOf
	l := config.Listener{Address: net.JoinHostPort(strings.Trim(q.iface, "[]"), strconv.Itoa(q.port))}
	if q.tls {
		l.TLS.Mode = "explicit"
		cfg.TLS.Certificates = []config.Certificate{{Cert: config.Path(q.certfile), Key: config.Path(q.keyfile)}}
		if q.tlsControl {
			l.TLS.Require = append(l.TLS.Require, "control")
		}
		if q.tlsData {
			l.TLS.Require = append(l.TLS.Require, "data")
		}
	}
	cfg.Listeners = []config.Listener{l}
	if q.ports != "" {
		p, err := config.ParsePorts(q.ports)
		if err != nil {
			return nil, fmt.Errorf("--range: %w", err)
		}
		cfg.Passive.Ports = p
	}
	cfg.Passive.Address.Host = q.nat
	cfg.Passive.PermitForeignAddresses = q.foreign
	cfg.Passive.PermitPrivilegedPorts = q.privileged
	idle, err := seconds(q.timeout)
	if err != nil {
		return nil, fmt.Errorf("--timeout: %w", err)
	}
	cfg.Limits.Idle = idle
	cfg.Limits.Connections, cfg.Limits.PerIP, cfg.Limits.LoginAttempts = q.maxCons, q.maxPerIP, q.maxFail
	cfg.Banner, cfg.Encoding = q.banner, q.encoding
	cfg.LocalTime, cfg.Sendfile = q.localTime, !q.noSendfile
	cfg.Log.Format = "line"
	if q.debug {
		cfg.Log.Level = "debug"
	}

	share, err := q.share(env)
	if err != nil {
		return nil, err
	}
	cfg.Backends = map[string]config.Backend{"share": share}
	account := config.Account{Home: "share:/", Permissions: "elr"}
	if q.write {
		account.Permissions = "elradfmwMT"
	}
	if q.username == "" {
		if q.password != "" {
			return nil, errors.New("--password needs --username")
		}
		cfg.Anonymous = &config.Anonymous{Account: account}
		return cfg, nil
	}
	password := q.password
	if password == "" {
		password, _ = env("FTP_GATEWAY_PASSWORD")
	}
	if password == "" {
		return nil, errors.New("--username needs --password, or FTP_GATEWAY_PASSWORD in the environment")
	}
	cfg.Users = []config.User{{Name: q.username, Password: config.Secret("plain:" + password), Account: account}}
	return cfg, nil
}

// seconds reads a number of seconds or a duration with a unit.
func seconds(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is neither a number of seconds nor a duration such as 5m", s)
	}
	return d, nil
}

// share is the back end of --directory.
func (q *quick) share(env func(string) (string, bool)) (config.Backend, error) {
	scheme, _, isURL := strings.Cut(q.directory, "://")
	if !isURL {
		dir, err := filepath.Abs(cmp.Or(q.directory, "."))
		if err != nil {
			return config.Backend{}, fmt.Errorf("--directory: %w", err)
		}
		return config.Backend{Local: &config.Local{Path: config.Path(dir), Cut: "keep"}}, nil
	}
	u, err := url.Parse(q.directory)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return config.Backend{}, fmt.Errorf("--directory: %q is not %s://bucket/prefix", q.directory, scheme)
	}
	prefix := strings.Trim(u.Path, "/")
	switch scheme {
	case "s3":
		b := &config.S3{Bucket: u.Host, Prefix: prefix, RenameDirMaxKeys: 1000, AppendThroughMax: 1 << 30}
		if q.write {
			// Only who may write leaves unfinished uploads; who only shares a
			// bucket for reading must not delete what others have begun in it.
			b.AbandonAfter = 24 * time.Hour
		}
		// The variables are the SDK's own. An endpoint that is not Amazon's seldom has host names for buckets.
		for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
			if v, ok := env(name); ok && v != "" && b.Endpoint == "" {
				b.Endpoint, b.PathStyle = v, true
			}
		}
		return config.Backend{S3: b}, nil
	case "gs":
		b := &config.GCS{Bucket: u.Host, Prefix: prefix, RenameDirMaxKeys: 1000, AppendThroughMax: 1 << 30}
		if q.write {
			b.ResumeExpire = 24 * time.Hour
		}
		return config.Backend{GCS: b}, nil
	}
	return config.Backend{}, fmt.Errorf("--directory: %q is neither a directory nor s3:// nor gs://", q.directory)
}

// optionOf is the option that stands behind a key.
func optionOf(key string) string {
	for _, k := range quickKeys {
		if strings.HasPrefix(key, k.key) {
			return k.option
		}
	}
	return key
}
