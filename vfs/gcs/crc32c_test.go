package gcs

import (
	"bytes"
	"hash/crc32"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func TestCombine(t *testing.T) {
	whole := content(3<<20 + 17)
	for _, cut := range []int{0, 1, 7, 64 << 10, 1<<20 + 1, len(whole) - 1, len(whole)} {
		a, b := whole[:cut], whole[cut:]
		got := combine(crc32.Checksum(a, castagnoli), crc32.Checksum(b, castagnoli), int64(len(b)))
		if want := crc32.Checksum(whole, castagnoli); got != want {
			t.Errorf("combine at %d = %08x, want %08x", cut, got, want)
		}
	}
	// Long runs of zeros, where the powers are large: combining by halves and at once agree.
	a, z := uint32(0x1234abcd), crc32.Checksum(make([]byte, 1<<16), castagnoli)
	steps := a
	for range 64 {
		steps = combine(steps, z, 1<<16)
	}
	if got := combine(a, crc32.Checksum(make([]byte, 1<<22), castagnoli), 1<<22); got != steps {
		t.Errorf("4 MiB at once %08x, in steps %08x", got, steps)
	}
}

func TestEncodeSum(t *testing.T) {
	// From Google's documentation of the hash header: "Hello World" style vectors are
	// given as base64 of big-endian; this is RFC 3720's CRC32C of 32 zero bytes, aa36918a
	// in the order of transmission, 8a9136aa as a number.
	if got := encodeSum(crc32.Checksum(make([]byte, 32), castagnoli)); got != "ipE2qg==" {
		t.Errorf("encodeSum = %q", got)
	}
}

type sumBody struct {
	*bytes.Reader
	sum uint32
}

func (b sumBody) Size() int64   { return b.Reader.Size() }
func (b sumBody) Sum32() uint32 { return b.sum }

// summed is a part in memory, as the scheduler gives it.
func summed(data []byte) object.Body {
	return sumBody{bytes.NewReader(data), crc32.Checksum(data, castagnoli)}
}
