package s3

import "hash/crc32"

// combine returns the CRC32 (IEEE) of two byte strings put together, given the sum of
// each and the size of the second: the first sum is moved over size zero bytes, in steps of powers of
// two, as zlib's crc32_combine does.
func combine(first, second uint32, size int64) uint32 {
	if size == 0 {
		return first
	}
	// zeros is the operator, a matrix over GF(2), that appends one zero bit.
	var zeros [32]uint32
	zeros[0] = crc32.IEEE
	for i := 1; i < 32; i++ {
		zeros[i] = 1 << (i - 1)
	}
	for range 3 { // eight bits
		zeros = square(&zeros)
	}
	for ; size > 0; size >>= 1 {
		if size&1 != 0 {
			first = times(&zeros, first)
		}
		zeros = square(&zeros)
	}
	return first ^ second
}

func times(m *[32]uint32, v uint32) (sum uint32) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func square(m *[32]uint32) (out [32]uint32) {
	for i := range m {
		out[i] = times(m, m[i])
	}
	return out
}
