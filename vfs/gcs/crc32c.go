package gcs

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// castagnoli is the polynomial of the checksum that GCS keeps for each object.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// combine returns the CRC32C of a followed by b from those of a and b, the
// latter of size bytes: the checksum of the whole comes from those that were made
// while the bytes arrived, not from what memory holds now.
func combine(a, b uint32, size int64) uint32 {
	// Appending size zero bytes to a multiplies its remainder by x^(8*size).
	shift := uint32(1) << 31 // x^0; the highest bit is the lowest power
	x := uint32(1) << 23     // x^8
	for n := size; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = multiply(shift, x)
		}
		x = multiply(x, x)
	}
	return multiply(shift, a) ^ b
}

// multiply is the product of two polynomials over GF(2), modulo the CRC's.
func multiply(a, b uint32) uint32 {
	var p uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.Castagnoli
		} else {
			b >>= 1
		}
	}
	return p
}

// encodeSum writes a CRC32C as the API wants it: base64 of the big-endian bytes.
func encodeSum(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
