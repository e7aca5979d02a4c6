package protocol_test

import (
	"bytes"
	"compress/zlib"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// squeeze is the zlib stream of b.
func squeeze(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func expand(t testing.TB, b []byte) []byte {
	t.Helper()
	from := bytes.NewReader(b)
	r, err := zlib.NewReader(from)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(b), err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if from.Len() != 0 {
		t.Errorf("%d bytes behind the stream", from.Len())
	}
	return out
}

// mixed is half noise and half text, so that there is something to compress and something that cannot be.
func mixed(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(b[:n/2])
	copy(b[n/2:], bytes.Repeat([]byte("a line of a log that says the same again\n"), n/80+1))
	return b
}

// Files go in and out of MODE Z at every level, in clear text and under TLS, on disks and on trees that
// have no file of the system, and come out as they were.
func TestModeZ(t *testing.T) {
	for _, n := range []int{0, 1, 70_000, 3 << 20} {
		want := mixed(n)
		for _, secure := range []bool{false, true} {
			s := start(t, protocol.TLSExplicit, nil)
			c := dial(t, s.addr)
			if secure {
				c.secure(&tls.Config{ClientSessionCache: newTickets()})
			}
			c.login()
			c.cmd(200, "MODE Z")
			if code := c.put("f", squeeze(t, want)); code != 226 {
				t.Fatalf("STOR of %d bytes: %d", n, code)
			}
			if got, err := os.ReadFile(s.path("f")); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("stored %d bytes, %v, want %d", len(got), err, n)
			}
			for level := range 10 {
				if n > 1<<20 && level%4 != 0 {
					continue
				}
				c.cmd(200, "OPTS MODE Z LEVEL "+string(rune('0'+level)))
				wire, code := c.get("RETR f")
				if code != 226 || !bytes.Equal(expand(t, wire), want) {
					t.Errorf("RETR of %d bytes at level %d: %d", n, level, code)
				}
				if n > 1000 && (len(wire) < n) != (level > 0) {
					t.Errorf("level %d made %d bytes of %d", level, len(wire), n)
				}
			}
			c.cmd(200, "MODE S")
			if got, code := c.get("RETR f"); code != 226 || !bytes.Equal(got, want) {
				t.Errorf("RETR in MODE S: %d bytes, %d", len(got), code)
			}
		}
	}
}

// Listings, restarts and line ends under MODE Z mean what they mean without it.
func TestModeZTogether(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).login()
	c.cmd(200, "MODE Z")
	if code := c.put("f", squeeze(t, []byte("0123456789"))); code != 226 {
		t.Fatal(code)
	}
	for _, verb := range []string{"LIST", "NLST", "MLSD"} {
		wire, code := c.get(verb)
		if got := string(expand(t, wire)); code != 226 || !strings.HasSuffix(got, "f\r\n") {
			t.Errorf("%s: %q, %d", verb, got, code)
		}
	}
	c.cmd(257, "MKD empty")
	if wire, code := c.get("NLST empty"); code != 226 || len(expand(t, wire)) != 0 {
		t.Errorf("NLST of an empty directory: %q, %d", wire, code)
	}
	c.cmd(350, "REST 7")
	if wire, code := c.get("RETR f"); code != 226 || string(expand(t, wire)) != "789" {
		t.Errorf("RETR from 7: %d", code)
	}
	c.cmd(350, "REST 8")
	if code := c.put("f", squeeze(t, []byte("XYZ"))); code != 226 {
		t.Errorf("STOR from 8: %d", code)
	}
	d, _ := c.transfer("APPE f")
	d.Write(squeeze(t, []byte("!")))
	d.Close()
	c.want(226)
	if got, err := os.ReadFile(s.path("f")); string(got) != "01234567XYZ!" {
		t.Errorf("file %q, %v", got, err)
	}
	c.cmd(200, "TYPE A")
	if code := c.put("t", squeeze(t, []byte("a\r\nb\r\n"))); code != 226 {
		t.Errorf("STOR in ASCII: %d", code)
	}
	if got, err := os.ReadFile(s.path("t")); string(got) != "a\nb\n" {
		t.Errorf("file %q, %v", got, err)
	}
	if wire, code := c.get("RETR t"); code != 226 || string(expand(t, wire)) != "a\r\nb\r\n" {
		t.Errorf("RETR in ASCII: %d", code)
	}
	c.send("STAT")
	if code, _, err := c.reply(); code != 211 || err != nil {
		t.Errorf("STAT: %d, %v", code, err)
	}
}

// What is not one whole zlib stream from the first byte to the last is refused, and the file is given up.
func TestModeZDamaged(t *testing.T) {
	good := squeeze(t, mixed(100_000))
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 0x10
	sum := slices.Clone(good)
	sum[len(sum)-1] ^= 1
	for name, tt := range map[string]struct {
		wire []byte
		want int
	}{
		"nothing":        {nil, 426},
		"half a head":    {good[:1], 426},
		"cut":            {good[:len(good)/2], 426},
		"without sum":    {good[:len(good)-4], 426},
		"wrong sum":      {sum, 426},
		"a bit flipped":  {flipped, 426},
		"more behind it": {append(slices.Clone(good), 0), 426},
		"two streams":    {append(slices.Clone(good), good...), 426},
		"plain text":     {[]byte("hello, world"), 426},
		"raw deflate":    {good[2 : len(good)-4], 426},
		"a dictionary":   {[]byte{0x78, 0xbb, 1, 2, 3, 4, 5}, 426},
	} {
		for _, secure := range []bool{false, true} {
			s := start(t, protocol.TLSExplicit, nil)
			c := dial(t, s.addr)
			if secure {
				c.secure(nil)
			}
			c.login()
			c.cmd(200, "MODE Z")
			d, _ := c.transfer("STOR f")
			d.Write(tt.wire) // may be refused before its end
			d.Close()
			if code, text, err := c.reply(); code != tt.want || err != nil {
				t.Errorf("%s (TLS %v): reply %d %q, %v, want %d", name, secure, code, text, err, tt.want)
			}
			if got := s.tree.seen(); !slices.Equal(got, []string{"abort"}) {
				t.Errorf("%s: the file ended with %q, want abort", name, got)
			}
			if r := s.results(1); r[0] != protocol.Cut {
				t.Errorf("%s: result %s, want cut", name, r[0])
			}
			c.cmd(200, "NOOP")
			if code := c.put("f", good); code != 226 {
				t.Errorf("%s: the next upload: %d", name, code)
			}
		}
	}
}

// A stream that ends well on a TLS connection that does not is a cut all the same.
func TestModeZWithoutCloseNotify(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).secure(nil).login()
	c.cmd(200, "MODE Z")
	d, raw := c.transfer("STOR f")
	d.Write(squeeze(t, []byte("x")))
	raw.Close()
	c.want(426)
}

// bomb is a stream that becomes n zeros.
func bomb(t *testing.T, n int) []byte { return squeeze(t, make([]byte, n)) }

// A few bytes that become many are refused with 552 before they fill memory or store; small files may
// shrink as far as they can, and the limit can be moved and lifted.
func TestModeZBomb(t *testing.T) {
	for name, tt := range map[string]struct{ limit, size, want int }{
		"a bomb":              {0, 64 << 20, 552},
		"small":               {0, 8 << 20, 226},
		"a higher limit":      {2000, 64 << 20, 226},
		"a lower limit":       {20, 20 << 20, 552},
		"no limit":            {-1, 64 << 20, 226},
		"a log, text and all": {0, 0, 226},
	} {
		s := start(t, protocol.TLSExplicit, func(s *server) { s.MaxExpansion = tt.limit; s.tree.plain = true })
		c := dial(t, s.addr).login()
		c.cmd(200, "MODE Z")
		wire := bomb(t, tt.size)
		if tt.size == 0 {
			wire = squeeze(t, mixed(40<<20))
		}
		d, _ := c.transfer("STOR f")
		d.Write(wire) // may be refused before its end
		d.Close()
		if code, text, err := c.reply(); code != tt.want || err != nil {
			t.Errorf("%s: reply %d %q, %v, want %d", name, code, text, err, tt.want)
		}
		if r := s.results(1)[0]; (r == protocol.Failed) != (tt.want == 552) {
			t.Errorf("%s: result %s", name, r)
		}
		if fi, err := os.Stat(s.path("f")); tt.want == 552 && err == nil && fi.Size() > 17<<20 {
			t.Errorf("%s: %d bytes were written before the limit", name, fi.Size())
		}
	}
}

// ABOR, a stall, a reset and a client that never reads end a MODE Z transfer as they end any.
func TestModeZBrokenOff(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.StallTimeout = 300 * time.Millisecond })
	if err := os.WriteFile(s.path("big"), mixed(64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.addr).login()
	c.cmd(200, "MODE Z")

	half := squeeze(t, mixed(100_000))[:5000]
	d, _ := c.transfer("STOR f")
	d.Write(half)
	c.cmd(426, "ABOR")
	c.want(226)
	d.Close()

	d, raw := c.transfer("STOR f")
	d.Write(half)
	reset(raw)
	c.want(426)

	d, _ = c.transfer("STOR f") // then silence
	d.Write(half)
	c.want(426)
	d.Close()

	_, raw = c.transfer("RETR big") // never read
	c.want(426)
	reset(raw)

	d, raw = c.transfer("RETR big")
	io.ReadFull(d, make([]byte, 1000))
	reset(raw)
	c.want(426)

	want := []protocol.Result{protocol.Aborted, protocol.Cut, protocol.Stalled, protocol.Stalled, protocol.Cut}
	if got := s.results(5); !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	if got := s.tree.seen(); len(got) < 3 || slices.Contains(got[:3], "close") {
		t.Errorf("the uploads ended with %q, want three times abort", got)
	}
}
