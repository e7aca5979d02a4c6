package main

import (
	"golang.org/x/text/encoding"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// profiles are the profiles of a configuration that has passed the checks, ready for use.
type profiles map[string]*protocol.Profile

func newProfiles(cfg *config.Config) profiles {
	all := profiles{}
	for _, name := range cfg.ProfileNames() {
		p, ok := cfg.Profile(name)
		if !ok {
			continue // config has told
		}
		all[name] = &protocol.Profile{
			Name:                name,
			ASCII:               protocol.ASCII(p.ASCII),
			Encoding:            lookupEncoding(p.Encoding),
			ExistingDir:         *p.ExistingDir,
			MakeParents:         *p.MakeParents,
			PeerAddress:         *p.PeerAddress,
			NoExtended:          *p.NoExtended,
			Records:             *p.Records,
			AnySITE:             *p.AnySITE,
			StrictALLO:          *p.StrictALLO,
			Strict:              *p.Strict,
			AcceptNoCloseNotify: p.CloseNotify == "accept",
			AcceptControlLost:   p.ControlLost == "accept",
		}
	}
	return all
}

// byName returns the profile of that name, or nil.
func (p profiles) byName(name string) *protocol.Profile { return p[name] }

// lookupEncoding returns the encoding of that name, or nil.
func lookupEncoding(name string) encoding.Encoding {
	e, err := config.LookupEncoding(name)
	if err != nil {
		return nil // config has told
	}
	return e
}
