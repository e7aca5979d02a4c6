package protocol

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Profile is how a session bears with the habits of its client. Devices cannot
// be mended: what one needs would be wrong for another, so it is chosen per
// listener, virtual host or user. The zero value is the default behaviour.
type Profile struct {
	// Name is what log and STAT call it.
	Name string

	// ASCII says when TYPE A converts; default ASCIIExplicit.
	ASCII ASCII
	// Encoding is that of names on the control connection; nil means that the profile says nothing
	// about it. UTF-8 is [unicode.UTF8].
	Encoding encoding.Encoding

	// ExistingDir answers 257 to MKD of a directory that exists already.
	ExistingDir bool
	// MakeParents makes missing directories for CWD, MKD, STOR, STOU, APPE and RNTO, where the user may make directories.
	MakeParents bool
	// PeerAddress takes the client's own address where PORT or EPRT names a private one that is not the
	// client's, as a device behind a NAT does.
	PeerAddress bool
	// NoExtended refuses EPSV and EPRT with 502 and leaves them out of FEAT, so that clients use PASV and PORT.
	NoExtended bool
	// Records accepts STRU R: files without records are files all the same, and their bytes go as they come.
	Records bool
	// AnySITE answers 200 to SITE commands that are not known.
	AnySITE bool
	// StrictALLO takes a STOR or STOU in TYPE I, not behind REST, that ends short of the size that ALLO has
	// announced for a cut.
	StrictALLO bool
	// Strict refuses what the RFCs do not allow and the server otherwise understands: see doc/profiles.md.
	Strict bool

	// AcceptNoCloseNotify takes the end of a TLS upload without close_notify for its end instead of a cut.
	AcceptNoCloseNotify bool
	// AcceptControlLost takes an upload whose control connection has ended without
	// QUIT for whole, if the data connection ended in order.
	AcceptControlLost bool
}

// adopt gives the session the profile and the encoding that hold for it now: the
// account's, else those of the virtual host, of the listener, of the server.
func (s *session) adopt() {
	s.profile = s.profileFor(s.account)
	encodings := []encoding.Encoding{s.srv.Profile.Encoding, s.listenerEncoding()}
	if h := s.host; h != nil && h.Profile != nil {
		encodings = append(encodings, h.Profile.Encoding)
	}
	if a := s.account; a != nil {
		if p := s.srv.profile(a.Profile); p != nil {
			encodings = append(encodings, p.Encoding)
		}
		encodings = append(encodings, s.srv.encoding(a.Encoding))
	}
	s.encoding = nil
	for _, e := range encodings {
		if e != nil {
			s.encoding = e
		}
	}
	if s.encoding == unicode.UTF8 {
		s.encoding = nil
	}
}

// profileFor is the profile that holds when the account, which may be nil, is logged in.
func (s *session) profileFor(a *auth.Account) *Profile {
	profiles := []*Profile{&s.srv.Profile, s.lis.Profile}
	if h := s.host; h != nil {
		profiles = append(profiles, h.Profile)
	}
	if a != nil {
		profiles = append(profiles, s.srv.profile(a.Profile))
	}
	var last *Profile
	for _, p := range profiles {
		if p != nil {
			last = p
		}
	}
	return last
}

// listenerEncoding is what the listener says about the encoding, or nil.
func (s *session) listenerEncoding() encoding.Encoding {
	if s.lis.Encoding == nil && s.lis.Profile != nil {
		return s.lis.Profile.Encoding
	}
	return s.lis.Encoding
}

// profile returns the profile of that name, or nil.
func (s *Server) profile(name string) *Profile {
	if name == "" || s.Profiles == nil {
		return nil
	}
	return s.Profiles(name)
}

// encoding returns the encoding of that name, or nil.
func (s *Server) encoding(name string) encoding.Encoding {
	if name == "" || s.Encodings == nil {
		return nil
	}
	return s.Encodings(name)
}
