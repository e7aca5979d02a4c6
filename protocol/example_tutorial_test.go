package protocol_test

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/logging"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// The examples of this file are on the page doc/from-pyftpdlib.md: what stands there is what stands between "page:" and "end" here.

var quiet = slog.New(slog.DiscardHandler)

// A server of two accounts before a tree in memory.
func Example_baseServer() {
	// page: base server
	tree := afero.NewMemMapFs()
	users, err := auth.NewUsers([]auth.User{{
		Name:    "user",
		Stored:  "$5$saltsalt$PSOaQ1.uAjoqVUkrZPH7nqXa/TZbB4/.vAbfkDlIjN2", // ftp-gateway hash-password
		Account: auth.Account{Home: "/home/{user}", Permissions: auth.Permissions{Base: auth.PermAll}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	anonymous := &auth.Anonymous{Account: auth.Account{Home: "/pub", Permissions: auth.Permissions{Base: auth.PermReadOnly}}}
	srv := &protocol.Server{
		Auth:        auth.Chain{anonymous, users},
		OpenFS:      protocol.Homes(tree),
		Banner:      "A base server is ready.",
		MaxSessions: 256,
		MaxPerIP:    5,
	}
	// srv.ListenAndServe(":2121") serves until srv.Shutdown is called.
	// end
	srv.Log = quiet
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER user", "PASS s3cret pass", "STOR a.txt = hello", "RETR a.txt", "QUIT")
	talk(address, "USER anonymous", "PASS me@example.org", "STOR b.txt = hello", "QUIT")
	// Output:
	// 331 Password required
	// 230 Login successful
	// 226 Transfer complete
	// hello
	// 226 Transfer complete
	// 221 Goodbye
	// 331 Password required
	// 230 Login successful
	// 550 Not enough privileges
	// 221 Goodbye
}

// page: authorizer
// Digests knows users by SHA-256 digests of their passwords, as another program may have stored them.
type Digests map[string]string

// Authenticate implements auth.Authenticator. It takes as long for a name that nobody has.
func (d Digests) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	want, ok := d[r.User]
	sum := sha256.Sum256([]byte(r.Password))
	if right := subtle.ConstantTimeCompare([]byte(want), []byte(hex.EncodeToString(sum[:]))) == 1; !ok || !right {
		return nil, auth.ErrDenied
	}
	return &auth.Account{Name: r.User, Home: "/" + r.User, Permissions: auth.Permissions{Base: auth.PermAll}}, nil
}

// end

// Users of one's own store: an Authenticator is one method. Where ParsePassword knows the hashes, auth.Users
// with User.Stored does the same with less, and remembers right passwords.
func Example_authorizer() {
	srv := &protocol.Server{
		Auth:       Digests{"ann": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
		OpenFS:     protocol.Homes(afero.NewMemMapFs()),
		LoginDelay: -1,
		Log:        quiet,
	}
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER ann", "PASS bar", "USER ann", "PASS foo", "QUIT")
	// Output:
	// 331 Password required
	// 530 Login incorrect
	// 331 Password required
	// 230 Login successful
	// 221 Goodbye
}

// Being told what happens.
func Example_callbacks() {
	done := make(chan string, 1)
	srv := &protocol.Server{
		Auth:   allIn(auth.PermAll),
		OpenFS: protocol.Homes(afero.NewMemMapFs()),
		// page: callbacks
		Hooks: protocol.Hooks{
			Connect:     func(c protocol.Client) { fmt.Println("connected") },
			Login:       func(c protocol.Client) { fmt.Println("logged in:", c.User) },
			LoginFailed: func(c protocol.Client, reason string) { fmt.Println("login failed:", reason) },
			// Before the 226: what returns an error here is not acknowledged.
			Received: func(c protocol.Client, t protocol.Transfer) error {
				fmt.Println("received:", t.Path, t.Bytes)
				return nil
			},
			// Every transfer, broken ones too.
			Transfer: func(c protocol.Client, t protocol.Transfer) {
				switch {
				case t.Upload && t.Result != protocol.Done:
					fmt.Println("incomplete, received:", t.Path, t.Err)
				case t.Verb == "RETR" && t.Result == protocol.Done:
					fmt.Println("sent:", t.Path)
				case t.Verb == "RETR":
					fmt.Println("incomplete, sent:", t.Path, t.Err)
				}
			},
			Changed: func(c protocol.Client, ch protocol.Change) {
				fmt.Printf("changed: %s %q %q\n", ch.Verb, ch.Path, ch.To)
			},
			Logout:     func(c protocol.Client) { fmt.Println("logged out:", c.User) },
			Disconnect: func(c protocol.Client, lasted time.Duration) { done <- "disconnected" },
		},
		// end
		Log: quiet,
	}
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER ann", "PASS x", "STOR a = hello", "RETR a", "RNFR a", "RNTO b", "MKD d", "DELE b", "QUIT")
	fmt.Println(<-done)
	// Unordered output:
	// connected
	// 331 Password required
	// logged in: ann
	// 230 Login successful
	// received: /a 5
	// 226 Transfer complete
	// hello
	// 226 Transfer complete
	// sent: /a
	// 350 Ready for RNTO
	// changed: RNTO "/a" "/b"
	// 250 Renamed
	// changed: MKD "/d" ""
	// 257 "/d" created
	// changed: DELE "/b" ""
	// 250 File removed
	// 221 Goodbye
	// logged out: ann
	// disconnected
}

// allIn lets everybody in with these permissions.
func allIn(perm auth.Perm) auth.Authenticator {
	return authenticate(func(r auth.Request) (*auth.Account, error) {
		return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: perm}}, nil
	})
}

type authenticate func(auth.Request) (*auth.Account, error)

func (f authenticate) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	return f(r)
}

// page: filesystem
// NoPrograms is a tree in which no programs can be stored.
type NoPrograms struct{ afero.Fs }

// OpenFile implements afero.Fs.
func (n NoPrograms) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 && strings.EqualFold(path.Ext(name), ".exe") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return n.Fs.OpenFile(name, flag, perm)
}

// end

// A file system of one's own: any afero.Fs. One that wraps another by embedding hides what that can do beyond
// afero (calling off, copies inside a bucket, sendfile): see vfs.Wrapper.
func Example_filesystem() {
	srv := &protocol.Server{
		Auth:   allIn(auth.PermAll),
		OpenFS: protocol.Homes(NoPrograms{afero.NewMemMapFs()}),
		Log:    quiet,
	}
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER ann", "PASS x", "STOR a.exe = MZ", "STOR a.txt = text", "NLST", "QUIT")
	// Output:
	// 331 Password required
	// 230 Login successful
	// 553 Permission denied
	// 226 Transfer complete
	// a.txt
	// 226 Transfer complete
	// 221 Goodbye
}

// Bandwidth: of each data connection, of all together, and of a user over all sessions.
func Example_throttle() {
	// page: throttle
	users, err := auth.NewUsers([]auth.User{{
		Name: "user", Stored: "plain:12345",
		Account: auth.Account{
			Permissions: auth.Permissions{Base: auth.PermAll},
			Limits:      auth.Limits{Upload: 1 << 20, Download: 1 << 20}, // bytes per second
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth: users, OpenFS: protocol.Homes(afero.NewMemMapFs()),
		Download: 30 << 10, Upload: 30 << 10,
		TotalDownload: 50 << 20, TotalUpload: 50 << 20,
	}
	// end
	srv.Log = quiet
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	begun := time.Now()
	talk(address, "USER user", "PASS 12345", "STOR a = "+strings.Repeat("x", 6<<10), "QUIT")
	fmt.Println(time.Since(begun) >= 190*time.Millisecond)
	// Output:
	// 331 Password required
	// 230 Login successful
	// 226 Transfer complete
	// 221 Goodbye
	// true
}

// Behind a NAT: the ports that it passes on, and the address that clients know.
func Example_passive() {
	// page: passive
	nat := map[netip.Addr]netip.Addr{
		netip.MustParseAddr("127.0.0.1"): netip.MustParseAddr("203.0.113.7"),
	}
	srv := &protocol.Server{
		Auth: allIn(auth.PermAll), OpenFS: protocol.Homes(afero.NewMemMapFs()),
		PassivePorts:   protocol.PortRange{First: 47100, Last: 47199},
		PassiveAddress: func(local netip.Addr) netip.Addr { return nat[local] },
	}
	// end
	srv.Log = quiet
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER ann", "PASS x", "PASV", "QUIT")
	// Output:
	// 331 Password required
	// 230 Login successful
	// 227 Entering Passive Mode (203,0,113,7,p1,p2).
	// 221 Goodbye
}

// FTPS in which nothing goes in clear text.
func Example_tls() {
	// page: tls
	srv := &protocol.Server{
		Auth: allIn(auth.PermAll), OpenFS: protocol.Homes(afero.NewMemMapFs()),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}, // tls.LoadX509KeyPair
	}
	// Its Listener field is what net.Listen returns; then srv.Serve(secure).
	secure := protocol.Listener{TLS: protocol.TLSExplicit, RequireTLSControl: true, RequireTLSData: true}
	// end
	srv.Log = quiet
	address, stop := serve(srv, secure)
	defer stop()
	talk(address, "USER ann", "AUTH TLS")
	// Output:
	// 530 TLS is required: send AUTH TLS first
	// 234 Proceed with the TLS handshake
}

// Limits on connections, and on who guesses.
func Example_limits() {
	// page: limits
	srv := &protocol.Server{
		Auth: allIn(auth.PermAll), OpenFS: protocol.Homes(afero.NewMemMapFs()),
		MaxSessions: 256, MaxPerIP: 2, MaxPerUser: 1,
		LoginAttempts: 3, Guard: guard.New(guard.Options{Failures: 10, Window: 10 * time.Minute, Ban: time.Hour}),
		LoginTimeout: time.Minute, IdleTimeout: 5 * time.Minute, StallTimeout: 2 * time.Minute, ConnectTimeout: 30 * time.Second,
	}
	// end
	srv.Log = quiet
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	hold, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Close()
	fmt.Fprint(hold, "USER ann\r\nPASS x\r\n")
	for b := make([]byte, 512); ; { // until it is logged in
		n, err := hold.Read(b)
		if err != nil || strings.Contains(string(b[:n]), "230 ") {
			break
		}
	}
	talk(address, "USER ann", "PASS x")
	// Output:
	// 331 Password required
	// 421 Too many sessions of this user
}

// The log, with each command and reply, under a name of one's own.
func Example_logging() {
	out := untimed{os.Stdout}
	// page: logging
	handler, err := logging.New(logging.Options{
		Format: logging.Line,
		Prefix: "intake [{user}]",
		Level:  slog.LevelDebug, // each command and reply, passwords as stars
	}, out)
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth: allIn(auth.PermAll), OpenFS: protocol.Homes(afero.NewMemMapFs()),
		Log: slog.New(handler),
	}
	// end
	ended := make(chan bool, 1)
	srv.Hooks.Disconnect = func(protocol.Client, time.Duration) { ended <- true }
	address, stop := serve(srv, protocol.Listener{})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "USER ann\r\nPASS secret\r\nQUIT\r\n")
	<-ended
	stop()
	// Output:
	// [D] intake [] session begins
	// [D] intake [] -> 220 ftp-gateway ready.
	// [D] intake [] <- USER ann
	// [D] intake [ann] -> 331 Password required
	// [D] intake [ann] <- PASS ******
	// [I] intake [ann] USER 'ann' logged in. tls=false
	// [D] intake [ann] -> 230 Login successful
	// [D] intake [ann] <- QUIT
	// [D] intake [ann] -> 221 Goodbye
	// [I] intake [ann] USER 'ann' logged out.
	// [D] intake [ann] session ended
}

// A user with other rights in some directories.
func Example_permissions() {
	// page: permissions
	users, err := auth.NewUsers([]auth.User{{
		Name: "user", Stored: "plain:12345",
		Account: auth.Account{
			Home:   "/home/{user}",
			Mounts: map[string]string{"/archive": "/archive"},
			Permissions: auth.Permissions{
				Base: auth.PermReadOnly,
				Rules: []auth.Rule{
					{Dir: "/in", Perm: auth.PermReadOnly | auth.PermWrite},                   // its files, not its directories
					{Dir: "/work", Perm: auth.PermAll, Recursive: true},                      // all below
					{Dir: "/work/keep", Perm: auth.PermReadOnly, Recursive: true},            // but for this
					{Dir: "/archive", Perm: auth.PermEnter | auth.PermList, Recursive: true}, // another tree
				},
			},
		},
	}})
	// end
	if err != nil {
		log.Fatal(err)
	}
	tree := afero.NewMemMapFs()
	for _, dir := range []string{"/home/user/in", "/home/user/work/keep", "/archive"} {
		if err := tree.MkdirAll(dir, 0o755); err != nil {
			log.Fatal(err)
		}
	}
	address, stop := serve(&protocol.Server{Auth: users, OpenFS: protocol.Homes(tree), Log: quiet}, protocol.Listener{})
	defer stop()
	talk(address, "USER user", "PASS 12345", "MKD x", "STOR in/a = text", "MKD work/x", "MKD work/keep/x", "RETR archive/a", "QUIT")
	// Output:
	// 331 Password required
	// 230 Login successful
	// 550 Not enough privileges
	// 226 Transfer complete
	// 257 "/work/x" created
	// 550 Not enough privileges
	// 550 Not enough privileges
	// 221 Goodbye
}

// Anybody may write.
func Example_anonymousWrite() {
	// page: anonymous
	srv := &protocol.Server{
		Auth: &auth.Anonymous{Account: auth.Account{
			Permissions: auth.Permissions{Base: auth.PermAll},
		}},
		OpenFS:      protocol.Homes(afero.NewMemMapFs()),
		MaxFileSize: 1 << 20, // strangers store
	}
	// end
	srv.Log = quiet
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	talk(address, "USER anonymous", "PASS me@example.org", "STOR a = text", "RETR a", "QUIT")
	// Output:
	// 331 Password required
	// 230 Login successful
	// 226 Transfer complete
	// text
	// 226 Transfer complete
	// 221 Goodbye
}

// page: slow
// Slow is a tree whose answers come when they are let, or when the command is called off.
type Slow struct {
	afero.Fs
	ctx     context.Context
	waiting chan<- string
	answer  <-chan struct{}
}

// WithContext implements vfs.Contexter.
func (s Slow) WithContext(ctx context.Context) afero.Fs { s.ctx = ctx; return s }

// Open implements afero.Fs.
func (s Slow) Open(name string) (afero.File, error) {
	s.waiting <- name
	select {
	case <-s.answer:
		return s.Fs.Open(name)
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

var _ vfs.Contexter = Slow{}

// end

// A tree that blocks keeps nobody but who asked it: there is no other kind of server for that.
func Example_slow() {
	waiting, answer := make(chan string), make(chan struct{})
	tree := Slow{Fs: afero.NewMemMapFs(), ctx: context.Background(), waiting: waiting, answer: answer}
	if err := afero.WriteFile(tree.Fs, "/a", []byte("text"), 0o644); err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth:   allIn(auth.PermAll),
		OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil },
		Log:    quiet,
	}
	address, stop := serve(srv, protocol.Listener{})
	defer stop()
	done := make(chan bool)
	go func() {
		conversation(address, []string{"USER ann", "PASS x", "RETR a", "QUIT"})
		close(done)
	}()
	fmt.Println("waits for", <-waiting)
	talk(address, "USER bob", "PASS x", "NOOP", "MKD d", "QUIT")
	close(answer)
	<-done
	// Unordered output:
	// waits for /a
	// 331 Password required
	// 230 Login successful
	// 200 OK
	// 257 "/d" created
	// 221 Goodbye
	// 331 Password required
	// 230 Login successful
	// text
	// 226 Transfer complete
	// 221 Goodbye
}

// What the command without a configuration does: the current directory for everybody to read.
func ExampleServer_ListenAndServe() {
	// page: share
	tree, err := local.New(local.Options{Root: "."})
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth:   &auth.Anonymous{Account: auth.Account{Permissions: auth.Permissions{Base: auth.PermReadOnly}}},
		OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil },
	}
	log.Fatal(srv.ListenAndServe(":2121"))
	// end
}
