package protocol

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/afero"
	"golang.org/x/text/encoding/charmap"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// What Telnet's filter passes is what stands between its commands, and it is in step again behind each of them.
func FuzzTelnet(f *testing.F) {
	for _, s := range []string{"NOOP\r\n", "\xff\xf4\xff\xf2ABOR", "\xff\xffa", "\xff\xfb\x01b", "\xff\xfa\x18\xff\xffx\xff\xf0b", "a\r\x00b", "\xffABOR", "\xff", "\xff\xfa\xff", "\r\xff\xf1\x00"} {
		f.Add([]byte(s))
	}
	command := regexp.MustCompile(`(?s)\A\xff(?:[\xfb-\xfe].|\xfa(?:[^\xff]|\xff[^\xf0])*\xff\xf0|[\xec-\xf9])`)
	f.Fuzz(func(t *testing.T, in []byte) {
		var filter telnetFilter
		var got []byte
		for _, b := range in {
			if c, ok := filter.next(b); ok {
				got = append(got, c)
			}
		}
		// The same with the whole text before one's eyes. Latin-1, so that a byte is a character.
		text, err := charmap.ISO8859_1.NewDecoder().String(string(in))
		if err != nil {
			t.Fatal(err)
		}
		var data []rune
		cr := false
		for text != "" {
			if m := command.FindString(text); m != "" {
				text = text[len(m):]
				continue
			}
			r, n := utf8.DecodeRuneInString(text)
			if r == telnetIAC {
				text = text[n:]
				if text == "" {
					break
				}
				if r, n = utf8.DecodeRuneInString(text); r >= telnetEOF && r != telnetIAC {
					break // a command that does not end
				}
				if r == telnetIAC { // a byte like others, and no NUL behind CR
					data, text = append(data, r), text[n:]
					continue
				}
			}
			text = text[n:]
			if !cr || r != 0 {
				data = append(data, r)
			}
			cr = r == '\r'
		}
		want, err := charmap.ISO8859_1.NewEncoder().Bytes([]byte(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("filter(%q) = %q, want %q", in, got, want)
		}
	})
}

// Whatever a reply is made of, it is one reply, and a client that undoes Telnet's doubling reads what printed of the text.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"", "Done", "a\r\n230 b", "220 x\n\n", "\xff\xf4", "ÿ\u0085\u2028\u202e", "\x00\x1b[31m", "\x80\x9b"} {
		f.Add(s, 3, true)
	}
	f.Fuzz(func(t *testing.T, text string, n int, utf bool) {
		var out recordingConn
		s := &session{srv: &Server{}, conn: &out, raw: &out, profile: &Profile{}, log: slog.New(slog.DiscardHandler)}
		s.srv.init()
		s.ctx, s.cancel = context.WithCancelCause(t.Context())
		if !utf {
			s.encoding = charmap.ISO8859_1
		}
		lines := make([]string, 1+(n&7))
		for i := range lines {
			lines[i] = text
		}
		s.send(211, lines)
		if replies := wellFormed(t, out.b.Bytes(), utf); replies != 1 || bytes.Count(out.b.Bytes(), []byte("\n")) != len(lines) {
			t.Errorf("%q in %d lines is %d replies: %q", text, len(lines), replies, out.b.Bytes())
		}
	})
}

// recordingConn is a client that sends what the fuzzer wrote and listens to everything.
type recordingConn struct {
	chunked
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *recordingConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(b)
}
func (c *recordingConn) SetWriteDeadline(time.Time) error { return nil }
func (c *recordingConn) Close() error                     { return nil }
func (c *recordingConn) LocalAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 21}
}
func (c *recordingConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4000}
}

var replyLine = regexp.MustCompile(`\A([1-6][0-9][0-9])([ -])`)

// wellFormed counts the replies in b, and fails where something is none: RFC 959 section 4.2.
func wellFormed(t *testing.T, b []byte, utf bool) (replies int) {
	t.Helper()
	open := ""
	for l := range bytes.Lines(b) {
		text, ok := strings.CutSuffix(string(l), "\r\n")
		if !ok {
			t.Fatalf("line %q does not end with CR LF", l)
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || utf && unicode.IsControl(r) }); i >= 0 {
			t.Fatalf("line %q holds a control character", l)
		}
		m := replyLine.FindStringSubmatch(text)
		switch {
		case m == nil && (open == "" || !strings.HasPrefix(text, " ")):
			t.Fatalf("line %q is none of a reply", l)
		case m == nil:
		case open == "" && m[2] == "-":
			open = m[1]
		case open != "" && (m[1] != open || m[2] != " "):
			t.Fatalf("line %q inside of a %s", l, open)
		default:
			open = ""
			replies++
		}
	}
	if open != "" {
		t.Fatalf("a %s does not end: %q", open, b)
	}
	return replies
}

// A session answers whatever comes with replies and nothing else, one for each line or one more for a transfer, and ends with
// its connection.
func FuzzSession(f *testing.F) {
	for _, s := range []string{"NOOP\r\n", "PWD\r\nMKD a\"b\r\nCWD a\"b\r\nPWD\r\n", "PORT 192,0,2,7,200,1\r\nSTOR a\r\nABOR\r\nQUIT\r\n",
		"USER x\r\nREIN\r\nACCT\r\nSTAT\r\nHELP\r\nHELP STOR\r\n", "RNFR a\r\nRNTO b\r\nSITE HELP\r\nFEAT\r\nOPTS MLST size;\r\n", "\xff\xf4\xff\xf2ABOR\r\n",
		"LIST\r\nSTAT /\r\nSTAT *\r\nMLST\r\n", "EPRT |1|192.0.2.7|4000|\r\nNLST\r\nLIST -la\r\n", "CWD \xff\xffa\r\nMDTM 20020304050607 x\r\nMFMT 20020304050607 x\r\n",
		"HOST x\r\nLANG en\r\nCLNT \x1b\r\nCSID NAME=x;\r\nAVBL\r\nHASH x\r\nXCRC x\r\nMODE Z\r\nSTRU R\r\n"} {
		f.Add([]byte(s), []byte{0, 4}, true)
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, login bool) {
		if login {
			in = append([]byte("USER joe\r\nPASS secret\r\n"), in...)
		}
		fsys := afero.NewMemMapFs()
		c := &recordingConn{chunked: chunked{rest: in, cuts: cuts}}
		nothing := func(context.Context, string, string) (net.Listener, error) { return nil, io.ErrClosedPipe }
		srv := &Server{
			Auth: passwords{perm: auth.PermAll}, OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return fsys, nil },
			Log: slog.New(slog.DiscardHandler), LoginDelay: -1, LoginAttempts: 1000, CutGrace: time.Millisecond, ListenData: nothing,
			DialData: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrClosedPipe },
			Hooks:    Hooks{Panic: func(_ Client, v any, stack []byte) { t.Errorf("panic: %v\n%s", v, stack) }},
		}
		srv.init()
		srv.admit(&Listener{}, c)
		srv.mu.Lock()
		for len(srv.sessions) > 0 {
			srv.idle.Wait()
		}
		srv.mu.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		lines := bytes.Count(in, []byte("\n"))
		if n := wellFormed(t, c.b.Bytes(), true); n > 1+2*lines+1 {
			t.Errorf("%d replies to %d lines: %q", n, lines, c.b.Bytes())
		}
	})
}
