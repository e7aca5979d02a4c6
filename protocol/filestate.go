package protocol

import (
	"os"
	"time"
)

// fileState is what commands about files have left for later ones. It goes with the login and with REIN.
type fileState struct {
	hash     string        // the algorithm of HASH; empty for the default
	rang     *byteRange    // RANG, for the next RETR or HASH
	copyFrom string        // SITE CPFR, for SITE CPTO
	umask    os.FileMode   // SITE UMASK: bits that new files and directories do not get
	idle     time.Duration // SITE IDLE; 0 for the server's limit
}

func (f *fileState) digest() string {
	if f.hash == "" {
		return defaultDigest
	}
	return f.hash
}

// idleTimeout is how long the session may be silent: the server's limit, or less if SITE IDLE said so.
func (s *session) idleTimeout() time.Duration {
	if limit := s.srv.idleTimeout(); s.files.idle == 0 || s.files.idle > limit {
		return limit
	}
	return s.files.idle
}
