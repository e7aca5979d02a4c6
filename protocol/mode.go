package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// cmdMODE: stream, and deflate of draft-preston-ftpext-deflate. Block and compressed mode of RFC 959
// are from a time of records and slow lines; no client of today asks for them.
func (s *session) cmdMODE(arg string) {
	switch strings.ToUpper(strings.TrimSpace(arg)) {
	case "S":
		s.modeZ = false
		s.reply(200, "Mode set to stream")
	case "Z":
		if s.srv.NoDeflate {
			s.reply(504, "Only stream mode is supported")
			return
		}
		s.modeZ = true
		s.reply(200, "Mode set to deflate")
	case "B", "C":
		s.reply(504, "Mode not supported")
	default:
		s.reply(501, "Unknown mode")
	}
}

// modeName is the mode as STAT tells it.
func (s *session) modeName() string {
	if s.modeZ {
		return fmt.Sprintf("deflate, level %d", s.level)
	}
	return "stream"
}

// optsMODE is OPTS MODE Z, section 3.2 of the draft: the level is for what the server sends.
func (s *session) optsMODE(arg string) {
	if s.srv.NoDeflate {
		s.reply(501, "No options for that command")
		return
	}
	level, problem := parseModeOptions(arg)
	if problem != "" {
		s.reply(501, problem)
		return
	}
	s.level = level
	s.replyf(200, "MODE Z LEVEL set to %d", level)
}

const optionsOfModeZ = "Options of MODE Z are LEVEL 0-9, ENGINE ZLIB, METHOD DEFLATE, BLOCKHDR NO"

// parseModeOptions reads "Z", which restores the defaults, or "Z" with pairs of option and value. Of the
// options other than LEVEL only what this server does anyway is accepted. The problem is worded for the client.
func parseModeOptions(arg string) (level int, problem string) {
	f := strings.Fields(strings.ToUpper(arg))
	if len(f) == 0 || f[0] != "Z" {
		return 0, "Only MODE Z has options"
	}
	level = defaultLevel
	f = f[1:]
	if len(f)%2 != 0 {
		return 0, optionsOfModeZ
	}
	for ; len(f) > 0; f = f[2:] {
		switch f[0] + " " + f[1] {
		case "ENGINE ZLIB", "METHOD 8", "METHOD DEFLATE", "BLOCKHDR NO", "BLOCKHDR OFF":
			continue
		}
		if f[0] != "LEVEL" {
			return 0, optionsOfModeZ
		}
		n, err := strconv.ParseUint(f[1], 10, 8)
		if err != nil || n > 9 {
			return 0, "LEVEL is a number from 0 to 9"
		}
		level = int(n)
	}
	return level, ""
}
