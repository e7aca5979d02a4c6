package protocol

import "golang.org/x/text/encoding"

// Profile is how a session bears with the habits of its client. Devices cannot
// be mended: what one needs would be wrong for another, so it is chosen per
// listener, virtual host or user. The zero value is the default behaviour.
type Profile struct {
	// Name is what log and STAT call it.
	Name string

	// ASCII says when TYPE A converts; default ASCIIExplicit.
	ASCII ASCII
	// Encoding is that of names on the control connection; nil means UTF-8.
	Encoding encoding.Encoding

	// ExistingDir answers 257 to MKD of a directory that exists already.
	ExistingDir bool
	// MakeParents makes missing directories for CWD, MKD, STOR, STOU, APPE and RNTO, as far as the user may make them.
	MakeParents bool
	// PeerAddress takes the client's own address where PORT or EPRT names a private one, as a
	// device behind a NAT does.
	PeerAddress bool
	// NoExtended refuses EPSV and EPRT with 502 and leaves them out of FEAT, so that clients use PASV and PORT.
	NoExtended bool
	// Records accepts STRU R: files without records are files all the same.
	Records bool
	// AnySITE answers 200 to SITE commands that are not known.
	AnySITE bool
	// StrictALLO takes a binary upload that ends short of the size that ALLO announced for a cut.
	StrictALLO bool
	// Strict refuses what RFC 959 does not allow and the server otherwise understands: see doc/profiles.md.
	Strict bool

	// AcceptNoCloseNotify takes the end of a TLS upload without close_notify for its end instead of a cut.
	AcceptNoCloseNotify bool
	// AcceptControlLost takes an upload whose control connection has ended without
	// QUIT for whole, if the data connection ended in order.
	AcceptControlLost bool
}

// setProfile makes p the session's profile; nil leaves the one it has.
func (s *session) setProfile(p *Profile) {
	if p != nil {
		s.profile = p
	}
}

// listenerProfile is the profile of a session before anything is known of its client.
func (s *session) listenerProfile() *Profile {
	if s.lis.Profile != nil {
		return s.lis.Profile
	}
	return &s.srv.Profile
}
