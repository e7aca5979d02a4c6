package s3

import "github.com/ftp-gateway/ftp-gateway/vfs/object"

// uniformPart is the size of parts where all have to be alike: objects up to 156 GiB.
const uniformPart = 16 << 20

// sizes are those of parts, in bytes.
type sizes struct {
	least   int64 // but for the last part
	uniform int64 // of all but the last, where they have to be alike; else 0
	grow    func(offset int64) int64
}

// sizes returns the sizes for a server of this kind.
func (p profile) sizes(o Options) sizes {
	s := sizes{least: leastPart, grow: object.Growth(o.MaxPartSize)}
	if p.uniformParts {
		// Whole MiB, as parts are whole blocks of the budget, and those that the server copies have to be as long.
		s.uniform = max(leastPart, min(o.MaxPartSize, uniformPart, o.Budget.Limit()/4)&^(1<<20-1))
	}
	return s
}

// whole is the size up to which an object is one request.
func (s sizes) whole() int64 { return max(s.least, s.uniform) }

// at returns the size of the part that begins at an offset.
func (s sizes) at(offset int64) int64 {
	if s.uniform > 0 {
		return s.uniform
	}
	return s.grow(offset)
}
