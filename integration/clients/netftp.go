package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// netFTP is Perl's Net::FTP. On an upload under TLS 1.3 it closes without having
// read what the server sent, which is the reason why the gateway sends no session
// tickets there.
type netFTP struct{}

func (netFTP) Name() string   { return "Net::FTP" }
func (netFTP) TLS() bool      { return true }
func (netFTP) IPv6() bool     { return true }
func (netFTP) ReadOnly() bool { return false }
func (netFTP) Installed(ctx context.Context) error {
	_, err := run(ctx, "/", "", "perl", "-MNet::FTP", "-MIO::Socket::SSL", "-e", "die unless Net::FTP->can_ssl")
	return err
}

const netFTPScript = `
use strict; use warnings; use Net::FTP;
my ($host, $port, $timeout, $user, $password, $ca, $passive, $op, @args) = @ARGV;
my $f = Net::FTP->new($host, Port => $port, Passive => $passive, Timeout => $timeout,
    $ca ? (SSL_ca_file => $ca, SSL_verifycn_name => "localhost") : ()) or die "connect: $@";
sub fail { die "$_[0]: " . $f->code . " " . $f->message }
if ($ca) { $f->starttls or fail("AUTH TLS") }
$f->login($user, $password) or fail("login");
if ($ca) { $f->prot("P") or fail("PROT P") }
$f->binary;
if ($op eq "put") { $f->put(@args) or fail("put") }
elsif ($op eq "get") { $f->get(@args) or fail("get") }
elsif ($op eq "many") {
    # One file under many names, over one control connection; the last line is the version of TLS.
    my ($local, $dir, $count) = @args;
    for my $i (1 .. $count) { $f->put($local, "$dir/$i") or fail("put $i") }
    print $f->get_sslversion, "\n";
}
elsif ($op eq "reget") { $f->get(@args, -s $args[1]) or fail("get") }
elsif ($op eq "list") { my $l = $f->ls(@args); $f->ok or fail("ls"); print "$_\n" for @{ $l || [] } }
elsif ($op eq "rename") { $f->rename(@args) or fail("rename") }
elsif ($op eq "delete") { $f->delete(@args) or fail("delete") }
else { die "unknown operation $op" }
$f->quit;
`

func (netFTP) run(ctx context.Context, t Target, args ...string) (string, error) {
	ca := ""
	if t.TLS {
		ca = t.CA
	}
	passive := "1"
	if t.Active {
		passive = "0"
	}
	line := []string{"-e", netFTPScript, t.Host, fmt.Sprint(t.Port), t.timeout(), t.User, t.Password, ca, passive}
	return run(ctx, t.Dir, "", "perl", append(line, args...)...)
}

func (p netFTP) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := p.run(ctx, t, "put", local, remote)
	return err
}

func (p netFTP) List(ctx context.Context, t Target, dir string) ([]string, error) {
	out, err := p.run(ctx, t, "list", dir)
	return names(out), err
}

func (p netFTP) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := p.run(ctx, t, "get", remote, local)
	return err
}

func (p netFTP) Rename(ctx context.Context, t Target, from, to string) error {
	_, err := p.run(ctx, t, "rename", from, to)
	return err
}

func (p netFTP) Delete(ctx context.Context, t Target, remote string) error {
	_, err := p.run(ctx, t, "delete", remote)
	return err
}

func (p netFTP) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := p.run(ctx, t, "reget", remote, local)
	return err
}

func (netFTP) ResumeUpload(context.Context, Target, string, string) error {
	return errors.ErrUnsupported
}

// PutMany uploads a file with Net::FTP as often as asked, as dir/1, dir/2 and so on, in one
// session, and returns the version of TLS that it spoke.
func PutMany(ctx context.Context, t Target, local, dir string, count int) (string, error) {
	out, err := netFTP{}.run(ctx, t, "many", local, dir, fmt.Sprint(count))
	return strings.TrimSpace(out), err
}
