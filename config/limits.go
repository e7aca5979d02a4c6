package config

import "fmt"

// UserLimits are the limits of one user.
type UserLimits struct {
	// Upload bandwidth over all sessions of the user, in bytes per second; 0 means no limit.
	Upload Rate `yaml:"upload"`
	// The same for downloads and listings.
	Download Rate `yaml:"download"`
	// The largest file that the user may store; 0 means no limit but that of limits.file_size.
	FileSize Size `yaml:"file_size"`
	// What the home may hold.
	Quota Quota `yaml:"quota"`
}

// Quota bounds what is in the home of a user. Only homes in local back ends can have one.
type Quota struct {
	// The bytes of all files together; 0 means no limit.
	Bytes Size `yaml:"bytes"`
	// The number of files; 0 means no limit.
	Files int `yaml:"files"`
}

// IsZero reports whether nothing is bounded.
func (q Quota) IsZero() bool { return q == Quota{} }

// userLimits checks the limits of a user whose home is given.
func (k *checker) userLimits(at, home string, l UserLimits) {
	if f := k.c.Limits.FileSize; f > 0 && l.FileSize > f {
		k.warnf(at+".file_size", "", "%v is more than limits.file_size allows (%v)", l.FileSize, f)
	}
	if l.Quota.Bytes > 0 && l.FileSize > l.Quota.Bytes {
		k.warnf(at+".file_size", "", "%v is more than the quota (%v)", l.FileSize, l.Quota.Bytes)
	}
	if l.Quota.IsZero() {
		return
	}
	name, _, err := SplitPlace(home)
	if err != nil {
		return // told already
	}
	b, ok := k.c.Backends[name]
	if !ok || b.Local != nil {
		return
	}
	hint := "limit the bucket at the service, or bound single files with file_size"
	if b.Unix != nil {
		hint = "set the quotas of the system: they hold for the user's uid here too"
	}
	k.errorf(at+".quota", hint, "a quota needs a home in a local back end, %q is %s", name, b.Type())
}

// bandwidth checks the limits that are about all sessions.
func (k *checker) bandwidth() {
	l := k.c.Limits
	for _, w := range []struct {
		name       string
		one, total Rate
	}{{"upload", l.Upload, l.TotalUpload}, {"download", l.Download, l.TotalDownload}} {
		if w.total > 0 && w.one > w.total {
			k.warnf("limits."+w.name, "", "%v for one connection is more than all get together (%v)", w.one, w.total)
		}
	}
}

// Rate is a number of bytes per second.
type Rate int64

// ParseRate reads a rate such as "30KiB/s", "2MB" or "4096": a size, with or without "/s".
func ParseRate(s string) (Rate, error) {
	text := s
	if n := len(s) - len("/s"); n > 0 && s[n:] == "/s" {
		text = s[:n]
	}
	size, err := ParseSize(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a rate, want for example 30KiB/s or 2MB/s", s)
	}
	return Rate(size), nil
}

// String writes the rate in the largest unit that needs no fraction.
func (r Rate) String() string {
	if r == 0 {
		return "0"
	}
	return Size(r).String() + "/s"
}
