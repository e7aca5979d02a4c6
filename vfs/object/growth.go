package object

// minPart is the least size of a part of S3 but for the last one.
const minPart = 5 << 20

// Growth returns the part sizes for an object of unknown length in at most
// 10,000 parts: 5 MiB up to an offset of 6 GiB, then growing with the offset, in whole MiB, up to
// most bytes. With 64 MiB the largest object has about 0.42 TiB.
func Growth(most int64) func(offset int64) int64 {
	return func(offset int64) int64 {
		part := (offset/1250 + 1<<20 - 1) &^ (1<<20 - 1)
		return min(max(minPart, part), max(minPart, most))
	}
}
