package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"
	"testing"
	"time"
)

// chunked gives its bytes in pieces whose lengths the fuzzer chooses.
type chunked struct {
	net.Conn
	rest, cuts []byte
}

func (c *chunked) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := min(len(b), len(c.rest))
	if len(c.cuts) > 0 {
		n = min(n, 1+int(c.cuts[0]))
		c.cuts = c.cuts[1:]
	}
	copy(b, c.rest[:n])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *chunked) SetReadDeadline(time.Time) error { return nil }

// allLines reads everything, and "!" for a line that was too long.
func allLines(t *testing.T, in, cuts []byte) []string {
	r := newLineReader(&chunked{rest: in, cuts: cuts})
	var lines []string
	for {
		text, err := r.readLine()
		switch {
		case errors.Is(err, errLineTooLong):
			lines = append(lines, "!")
		case err != nil:
			return lines
		default:
			if len(text) > maxLine || bytes.IndexByte(text, '\n') >= 0 {
				t.Errorf("line %.100q of %d bytes", text, len(text))
			}
			lines = append(lines, string(text))
		}
		if len(lines) > len(in) {
			t.Fatal("more lines than bytes")
		}
	}
}

// How the network cuts the bytes of the control connection into pieces changes
// nothing, and without Telnet's bytes and CR the lines are what stands between the LFs.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"USER joe\r\nPASS x\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "a\xff\xffb\n", "a\xff\xfa\x18\xff\xffx\xff\xf0b\n",
		"a\r\x00b\r\n", "\n\n\r\n", "\xff\xfb\n\n"} {
		f.Add([]byte(s), []byte{0, 0, 3})
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		whole, pieces := allLines(t, in, nil), allLines(t, in, cuts)
		if strings.Join(whole, "\n") != strings.Join(pieces, "\n") || len(whole) != len(pieces) {
			t.Errorf("%q: %q, in pieces %q", in, whole, pieces)
		}
		if bytes.ContainsAny(in, "\r") || bytes.IndexByte(in, telnetIAC) >= 0 || len(in) > maxLine {
			return
		}
		want := strings.Split(string(in), "\n")
		want = want[:len(want)-1] // what no LF follows is no line
		if strings.Join(whole, "\n") != strings.Join(want, "\n") || len(whole) != len(want) {
			t.Errorf("%q: %q, want %q", in, whole, want)
		}
	})
}

// No argument leads above the root or keeps what ends a line.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"", "a", "/", "..", "../../etc/passwd", "a/../../b", "//x", "a\x00", "a\nb", "./.", "\xff", `..\..`} {
		f.Add("/d/e", s)
	}
	f.Fuzz(func(t *testing.T, cwd, arg string) {
		cwd, ok := resolve("/", cwd)
		if !ok {
			return
		}
		p, ok := resolve(cwd, arg)
		if ok == strings.ContainsAny(arg, "\x00\r\n") {
			t.Fatalf("resolve(%q, %q) = %q, %v", cwd, arg, p, ok)
		}
		if !ok {
			return
		}
		if !strings.HasPrefix(p, "/") || p != path.Clean(p) || strings.Contains(p+"/", "/../") || strings.ContainsAny(p, "\x00\r\n") {
			t.Errorf("resolve(%q, %q) = %q", cwd, arg, p)
		}
		if again, ok := resolve("/elsewhere", p); !ok || again != p {
			t.Errorf("resolve of %q = %q, %v", p, again, ok)
		}
	})
}

// What PORT and EPRT accept is an address that says the same again.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"192,0,2,7,20,20", "1,2,3", "300,0,2,7,20,20", " 1, 2,3,4 ,5,6", "+1,2,3,4,5,6", "-1,2,3,4,5,6",
		"|1|192.0.2.7|4000|", "|2|::1|21|", "|2|::ffff:192.0.2.7|4000|", "|3|x|1|", "|2|fe80::1%eth0|21|", "11121111", "|1|192.0.2.7|99999|", "\xff1\xff", "|+1|192.0.2.7|4000|", "|1|192.0.2.7|+4000|", "|01|192.0.2.7|4000|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if to, ok := parsePORT(arg); ok {
			a := to.Addr().As4()
			p := to.Port()
			text := fmt.Sprintf("%d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], p>>8, p&0xff)
			if again, ok := parsePORT(text); !ok || again != to {
				t.Errorf("PORT %q = %v, and %q = %v", arg, to, text, again)
			}
		}
		to, err := parseEPRT(arg)
		switch {
		case errors.Is(err, errFamily), errors.Is(err, errBadEPRT):
		case err != nil:
			t.Errorf("EPRT %q: %v", arg, err)
		case !to.IsValid() || to.Addr().Zone() != "" || to.Addr().Is4In6():
			t.Errorf("EPRT %q = %v", arg, to)
		case !strings.HasPrefix(arg[1:], "1"+arg[:1]) && !strings.HasPrefix(arg[1:], "2"+arg[:1]), strings.Contains(arg, "+"):
			if arg[0] != '+' {
				t.Errorf("EPRT %q is accepted as %v", arg, to)
			}
		}
	})
}

// A time that MFMT takes is the one that MDTM tells, also behind a disk's count of nanoseconds.
func FuzzTimes(f *testing.F) {
	for _, s := range []string{"20020304050607", "20020304050607.5", "00000101000000", "99991231235959", "20021304050607", "2002030405060", "20020229000000", "16000101000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		mtime, ok := parseTime(stamp)
		if !ok {
			return
		}
		if got := time.Unix(0, mtime.UnixNano()).UTC().Format(timeVal); got != stamp[:len(timeVal)] {
			t.Errorf("MFMT %q is told as %q", stamp, got)
		}
		if strings.ContainsFunc(stamp, isControl) || strings.Contains(stamp, " ") {
			t.Errorf("MFMT accepts %q", stamp)
		}
	})
}

// The conversion of line ends does not depend on how the bytes come.
func FuzzASCII(f *testing.F) {
	for _, s := range []string{"", "\n", "\r\n", "\r", "\r\r\n", "a\nb\r\nc\rd\n\n", "\n\r", "\r\n\r\n\r"} {
		f.Add([]byte(s), []byte{0, 1})
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		var out, in2 bytes.Buffer
		to := &toNetwork{w: &out}
		pieces(t, to, in, cuts)
		if want := bytes.ReplaceAll(bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")); !bytes.Equal(out.Bytes(), want) {
			t.Errorf("to the network %q = %q, want %q", in, out.Bytes(), want)
		}
		from := &fromNetwork{w: &in2}
		pieces(t, from, in, cuts)
		if err := from.flush(); err != nil {
			t.Fatal(err)
		}
		if want := bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n")); !bytes.Equal(in2.Bytes(), want) {
			t.Errorf("from the network %q = %q, want %q", in, in2.Bytes(), want)
		}
	})
}

// pieces writes b to w in pieces.
func pieces(t *testing.T, w io.Writer, b, cuts []byte) {
	c := &chunked{rest: b, cuts: cuts}
	buf := make([]byte, 300)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if m, err := w.Write(buf[:n]); m != n || err != nil {
			t.Fatalf("Write = %d, %v, want %d", m, err, n)
		}
	}
}
