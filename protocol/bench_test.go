package protocol_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// everybody lets everybody in, so that a login costs what the protocol costs.
type everybody struct{}

func (everybody) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: auth.PermAll}}, nil
}

// benchServer serves a directory over loopback until the benchmark ends.
func benchServer(b *testing.B) (addr, dir string) {
	b.Helper()
	dir = b.TempDir()
	fsys, err := local.New(local.Options{Root: dir})
	if err != nil {
		b.Fatal(err)
	}
	s := &protocol.Server{
		Auth: everybody{}, Log: slog.New(slog.DiscardHandler), TLSConfig: &tls.Config{Certificates: []tls.Certificate{benchCertificate(b)}},
		OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return fsys, nil },
		// Shared listeners, as with a configured range: otherwise each transfer would also measure a listen.
		PassivePorts: benchPorts(b),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit}) }() // ends with Close
	b.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, protocol.ErrServerClosed) {
			b.Errorf("Serve: %v", err)
		}
		fsys.Close()
	})
	return l.Addr().String(), dir
}

// benchPorts returns a port that is free now, as a range of one.
func benchPorts(b *testing.B) protocol.PortRange {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	return protocol.PortRange{First: port, Last: port}
}

func benchCertificate(b *testing.B) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// benchClient is a session.
type benchClient struct {
	b   *testing.B
	c   net.Conn
	r   *bufio.Reader
	tls *tls.Config // nil in clear text
}

// benchLogin logs in, with TLS on both connections or without it.
func benchLogin(b *testing.B, addr string, secure bool) *benchClient {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	c := &benchClient{b: b, c: conn, r: bufio.NewReader(conn)}
	c.want(220)
	if secure {
		c.cmd(234, "AUTH TLS")
		c.tls = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4), ServerName: "localhost"}
		c.c = tls.Client(conn, c.tls)
		c.r = bufio.NewReader(c.c)
		c.cmd(200, "PBSZ 0")
		c.cmd(200, "PROT P")
	}
	c.cmd(331, "USER bench")
	c.cmd(230, "PASS bench")
	c.cmd(200, "TYPE I")
	return c
}

func (c *benchClient) want(code int) string {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.b.Fatal(err)
		}
		if len(line) > 3 && line[3] == ' ' {
			if !strings.HasPrefix(line, fmt.Sprint(code)) {
				c.b.Fatalf("got %q, want %d", line, code)
			}
			return line
		}
	}
}

func (c *benchClient) cmd(code int, line string) string {
	if _, err := io.WriteString(c.c, line+"\r\n"); err != nil {
		c.b.Fatal(err)
	}
	return c.want(code)
}

// transfer opens a data connection, moves what is to be moved over it and wants the 226.
func (c *benchClient) transfer(line string, move func(net.Conn) error) {
	text := c.cmd(229, "EPSV")
	var port int
	if _, err := fmt.Sscanf(text[strings.Index(text, "(|||"):], "(|||%d|)", &port); err != nil {
		c.b.Fatalf("%q: %v", text, err)
	}
	d, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		c.b.Fatal(err)
	}
	c.cmd(150, line)
	if c.tls != nil {
		d = tls.Client(d, c.tls)
	}
	err = move(d)
	if err := errors.Join(err, d.Close()); err != nil {
		c.b.Fatal(err)
	}
	c.want(226)
}

func (c *benchClient) stor(data []byte) {
	c.transfer("STOR file", func(d net.Conn) error { _, err := d.Write(data); return err })
}

// retr wants a number of bytes, at least.
func (c *benchClient) retr(line string, buf []byte, want int) {
	c.transfer(line, func(d net.Conn) error {
		total := 0
		for {
			n, err := d.Read(buf)
			total += n
			switch {
			case err == io.EOF && total >= want:
				return nil
			case err == io.EOF:
				return fmt.Errorf("%s: %d bytes, want %d", line, total, want)
			case err != nil:
				return err
			}
		}
	})
}

func (c *benchClient) quit() {
	c.cmd(221, "QUIT")
	c.c.Close()
}

// benchSizes runs a benchmark for both sizes, in clear text and under TLS.
func benchSizes(b *testing.B, run func(b *testing.B, c *benchClient, data []byte)) {
	for _, size := range []int{10 << 10, 64 << 20} {
		for _, secure := range []bool{false, true} {
			b.Run(fmt.Sprintf("size=%dKiB/tls=%v", size>>10, secure), func(b *testing.B) {
				addr, _ := benchServer(b)
				c := benchLogin(b, addr, secure)
				data := make([]byte, size)
				rand.Read(data)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				run(b, c, data)
				c.quit()
			})
		}
	}
}

func BenchmarkSTOR(b *testing.B) {
	benchSizes(b, func(b *testing.B, c *benchClient, data []byte) {
		for b.Loop() {
			c.stor(data)
		}
	})
}

func BenchmarkRETR(b *testing.B) {
	benchSizes(b, func(b *testing.B, c *benchClient, data []byte) {
		c.stor(data)
		buf := make([]byte, 256<<10)
		for b.Loop() {
			c.retr("RETR file", buf, len(data))
		}
	})
}

func BenchmarkListing(b *testing.B) {
	const entries = 10_000
	addr, dir := benchServer(b)
	for i := range entries {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("picture-%06d.jpg", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, verb := range []string{"LIST", "MLSD", "NLST"} {
		b.Run(verb, func(b *testing.B) {
			c := benchLogin(b, addr, false)
			buf := make([]byte, 256<<10)
			b.ReportAllocs()
			for b.Loop() {
				c.retr(verb, buf, entries*len("picture-000000.jpg\r\n"))
			}
			c.quit()
		})
	}
}

func BenchmarkLogin(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", secure), func(b *testing.B) {
			addr, _ := benchServer(b)
			b.ReportAllocs()
			for b.Loop() {
				benchLogin(b, addr, secure).quit()
			}
		})
	}
}
