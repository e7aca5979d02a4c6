package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Path is the name of a file. Load makes it absolute or relative to the working
// directory; the document's own is relative to the directory of the document.
type Path string

// Secret is a text that must not be seen: it prints as stars everywhere.
type Secret string

const stars = "*****"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return stars
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Size is a number of bytes.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// ParseSize reads a size such as "256MiB", "2MB", "1.5GiB" or "4096". KiB, MiB,
// GiB and TiB are powers of 1024, kB, MB, GB and TB of 1000.
func ParseSize(s string) (Size, error) {
	num, unit := strings.TrimSpace(s), int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(num, u.name); ok {
			num, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(num, 10, 64); err == nil && n >= 0 {
		if n > math.MaxInt64/unit {
			return 0, fmt.Errorf("size %q is too large", s)
		}
		return Size(n * unit), nil
	}
	// Only digits and a point: no exponents, hexadecimals or infinities.
	if strings.Trim(num, "0123456789.") == "" {
		if f, err := strconv.ParseFloat(num, 64); err == nil && f*float64(unit) < math.MaxInt64/2 {
			return Size(f * float64(unit)), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size, want for example 256MiB or 2MB", s)
}

// String writes the size in the largest unit that needs no fraction.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// Ports is an inclusive range of TCP ports. The zero value means any port.
type Ports struct{ First, Last uint16 }

// ParsePorts reads "30000-30099" or a single port.
func ParsePorts(s string) (Ports, error) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	a, err := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err != nil || err2 != nil || a == 0 || b == 0 {
		return Ports{}, fmt.Errorf("%q is not a range of ports, want for example 30000-30099", s)
	}
	if b < a {
		return Ports{}, fmt.Errorf("the range of ports %s ends before it begins", s)
	}
	return Ports{uint16(a), uint16(b)}, nil
}

// IsZero reports whether the range is any port.
func (p Ports) IsZero() bool { return p == Ports{} }

// Len is the number of ports in the range, 0 for any port.
func (p Ports) Len() int {
	if p.IsZero() {
		return 0
	}
	return int(p.Last) - int(p.First) + 1
}

// String writes the range as the document does.
func (p Ports) String() string {
	if p.IsZero() {
		return "any"
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// ParseNetwork reads a network such as "10.0.0.0/8", or an address, which is a network of one.
func ParseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s names an address inside of the network %v", s, p.Masked())
	}
	return p, nil
}

func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return 0, fmt.Errorf("%q has no unit, want for example %ss or %sm", s, s, s)
		}
		return 0, fmt.Errorf("%q is not a duration, want for example 90s, 5m or 1h30m", s)
	}
	if d < 0 {
		return 0, errors.New("a duration cannot be negative")
	}
	return d, nil
}
