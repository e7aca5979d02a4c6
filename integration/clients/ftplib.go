package clients

import (
	"context"
	"fmt"
)

// ftplib is the client of Python's standard library.
type ftplib struct{}

func (ftplib) Name() string   { return "ftplib" }
func (ftplib) TLS() bool      { return true }
func (ftplib) IPv6() bool     { return true }
func (ftplib) ReadOnly() bool { return false }
func (ftplib) Installed(ctx context.Context) error {
	_, err := run(ctx, "/", "", "python3", "-c", "import ftplib, ssl; ftplib.FTP_TLS")
	return err
}

const ftplibScript = `
import ftplib, os, ssl, sys
host, port, timeout, user, password, ca, active, op, *args = sys.argv[1:]
if ca:
    f = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ca), timeout=int(timeout))
else:
    f = ftplib.FTP(timeout=int(timeout))
f.connect(host, int(port))
f.set_pasv(active == "false")
f.login(user, password)
if ca:
    f.prot_p()
if op == "put":
    with open(args[0], "rb") as src:
        f.storbinary("STOR " + args[1], src, 1 << 16)
elif op == "get":
    with open(args[1], "wb") as dst:
        f.retrbinary("RETR " + args[0], dst.write, 1 << 16)
elif op == "reget":
    with open(args[1], "ab") as dst:
        f.retrbinary("RETR " + args[0], dst.write, 1 << 16, rest=os.path.getsize(args[1]))
elif op == "reput":
    f.voidcmd("TYPE I")
    have = f.size(args[1])
    with open(args[0], "rb") as src:
        src.seek(have)
        f.storbinary("STOR " + args[1], src, 1 << 16, rest=have)
elif op == "list":
    if "MLST" in f.sendcmd("FEAT"):
        print("\n".join(name for name, facts in f.mlsd(args[0]) if facts["type"] == "file"))
    else:
        print("\n".join(f.nlst(args[0])))
elif op == "rename":
    f.rename(*args)
elif op == "delete":
    f.delete(*args)
else:
    sys.exit("unknown operation " + op)
f.quit()
`

func (ftplib) run(ctx context.Context, t Target, args ...string) (string, error) {
	ca := ""
	if t.TLS {
		ca = t.CA
	}
	line := []string{"-c", ftplibScript, t.Host, fmt.Sprint(t.Port), t.timeout(), t.User, t.Password, ca, fmt.Sprint(t.Active)}
	return run(ctx, t.Dir, "", "python3", append(line, args...)...)
}

func (p ftplib) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := p.run(ctx, t, "put", local, remote)
	return err
}

func (p ftplib) List(ctx context.Context, t Target, dir string) ([]string, error) {
	out, err := p.run(ctx, t, "list", dir)
	return names(out), err
}

func (p ftplib) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := p.run(ctx, t, "get", remote, local)
	return err
}

func (p ftplib) Rename(ctx context.Context, t Target, from, to string) error {
	_, err := p.run(ctx, t, "rename", from, to)
	return err
}

func (p ftplib) Delete(ctx context.Context, t Target, remote string) error {
	_, err := p.run(ctx, t, "delete", remote)
	return err
}

func (p ftplib) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := p.run(ctx, t, "reget", remote, local)
	return err
}

// ResumeUpload asks for SIZE and sends the rest with REST and STOR.
func (p ftplib) ResumeUpload(ctx context.Context, t Target, local, remote string) error {
	_, err := p.run(ctx, t, "reput", local, remote)
	return err
}
