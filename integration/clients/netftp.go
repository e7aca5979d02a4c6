package clients

import (
	"context"
	"fmt"
)

// netFTP is Perl's Net::FTP. On an upload under TLS 1.3 it closes without having
// read what the server sent, which is the reason why the gateway sends no session
// tickets there.
type netFTP struct{}

func (netFTP) Name() string   { return "Net::FTP" }
func (netFTP) TLS() bool      { return true }
func (netFTP) ReadOnly() bool { return false }
func (netFTP) Installed(ctx context.Context) error {
	_, err := run(ctx, "/", "", "perl", "-MNet::FTP", "-MIO::Socket::SSL", "-e", "die unless Net::FTP->can_ssl")
	return err
}

const netFTPScript = `
use strict; use warnings; use Net::FTP;
my ($host, $port, $timeout, $user, $password, $ca, $op, @args) = @ARGV;
my $f = Net::FTP->new($host, Port => $port, Passive => 1, Timeout => $timeout,
    $ca ? (SSL_ca_file => $ca, SSL_verifycn_name => "localhost") : ()) or die "connect: $@";
sub fail { die "$_[0]: " . $f->code . " " . $f->message }
if ($ca) { $f->starttls or fail("AUTH TLS") }
$f->login($user, $password) or fail("login");
if ($ca) { $f->prot("P") or fail("PROT P") }
$f->binary;
if ($op eq "put") { $f->put(@args) or fail("put") }
elsif ($op eq "get") { $f->get(@args) or fail("get") }
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
	line := []string{"-e", netFTPScript, t.Host, fmt.Sprint(t.Port), t.timeout(), t.User, t.Password, ca}
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
