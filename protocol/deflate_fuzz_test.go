package protocol

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// memConn is a connection into memory.
type memConn struct {
	net.Conn
	bytes.Buffer
}

func (c *memConn) Write(b []byte) (int, error) { return c.Buffer.Write(b) }
func (c *memConn) Read(b []byte) (int, error)  { return c.Buffer.Read(b) }

// Beyond the number of compressors that memory is set aside for, downloads go out in the same format,
// stored, instead of waiting or failing; and what was borrowed comes back.
func TestCompressorsAreBounded(t *testing.T) {
	srv := &Server{}
	text := bytes.Repeat([]byte("the same again and again. "), 10_000)
	const extra = 4
	stored := 0
	var open []*deflated
	for range maxCompressors + extra {
		c := &memConn{}
		d := &deflated{Conn: c, srv: srv, level: defaultLevel}
		if _, err := d.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := d.finish(); err != nil {
			t.Fatal(err)
		}
		open = append(open, d)
		if c.Len() > len(text) {
			stored++
		}
		r, err := zlib.NewReader(&c.Buffer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes, %v, want %d", len(got), err, len(text))
		}
	}
	if stored != extra {
		t.Errorf("%d downloads were stored, want %d", stored, extra)
	}
	for _, d := range open {
		d.release()
		d.release() // twice does nothing
	}
	if n := srv.compressing.Load(); n != 0 {
		t.Errorf("%d compressors are still counted", n)
	}
}

// Whatever comes in MODE Z, however it is cut, either it is one whole stream and gives what zlib
// gives, or there is an error; and no more comes out than the limit lets through.
func FuzzModeZ(f *testing.F) {
	for _, s := range []string{"", "hello", strings.Repeat("a", 5000)} {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		f.Add(b.Bytes(), []byte{0, 3})
		f.Add(append(b.Bytes(), 'x'), []byte{})
		f.Add(b.Bytes()[:b.Len()/2], []byte{1})
	}
	f.Add([]byte("plain"), []byte{})
	f.Add([]byte{0x78, 0xbb, 1, 2, 3, 4}, []byte{})
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		d := &deflated{Conn: &chunked{rest: in, cuts: cuts}, srv: &Server{}, level: defaultLevel}
		defer d.release()
		got, err := io.ReadAll(io.LimitReader(d, 2*freeExpansion))
		if len(got) >= 2*freeExpansion && d.out/200 > d.wire {
			t.Fatalf("%d bytes out of %d", len(got), len(in))
		}
		from := bytes.NewReader(in)
		var want []byte
		r, werr := zlib.NewReader(from)
		if werr == nil {
			want, werr = io.ReadAll(io.LimitReader(r, 2*freeExpansion))
		}
		whole := werr == nil && from.Len() == 0
		switch {
		case errors.Is(err, errExpansion):
		case whole != (err == nil):
			t.Errorf("%q: error %v, zlib says %v with %d bytes left", in, err, werr, from.Len())
		case whole && !bytes.Equal(got, want):
			t.Errorf("%q: %d bytes, want %d", in, len(got), len(want))
		}
	})
}

// What OPTS MODE takes is a level that can be written again.
func FuzzModeOptions(f *testing.F) {
	for _, s := range []string{"Z", "Z LEVEL 9", "z level 0", "Z LEVEL +1", "Z LEVEL 10", "Z LEVEL", "S", "", "Z ENGINE ZLIB LEVEL 3", "Z METHOD 8 BLOCKHDR NO", "Z ENGINE LZO", "Z LEVEL 1 LEVEL 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		level, problem := parseModeOptions(arg)
		if problem != "" {
			if strings.ContainsFunc(problem, isControl) {
				t.Errorf("OPTS MODE %q: problem %q", arg, problem)
			}
			return
		}
		if level < 0 || level > 9 || !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(arg)), "Z") {
			t.Errorf("OPTS MODE %q = %d", arg, level)
		}
	})
}
