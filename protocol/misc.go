package protocol

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cmdTYPE: ASCII non-print and image, and local bytes of eight bits, which are
// image. EBCDIC and the other forms have no place on today's disks.
func (s *session) cmdTYPE(arg string) {
	f := strings.Fields(strings.ToUpper(arg))
	switch t := strings.Join(f, " "); t {
	case "A", "A N":
		s.typeA, s.typeSent = true, true
		s.reply(200, "Type set to ASCII")
	case "I", "L 8", "L8":
		s.typeA, s.typeSent = false, true
		s.reply(200, "Type set to binary")
	case "E", "E N", "E T", "E C", "A T", "A C":
		s.reply(504, "Type not supported")
	default:
		if f[0] == "L" {
			s.reply(504, "Only bytes of 8 bits are supported")
			return
		}
		s.reply(501, "Unknown type")
	}
}

func (s *session) cmdSTRU(arg string) {
	switch strings.ToUpper(strings.TrimSpace(arg)) {
	case "F":
		s.reply(200, "Structure set to file")
	case "R":
		if s.profile.Records {
			s.reply(200, "Structure set to record, files go as they are")
			return
		}
		fallthrough
	case "P":
		s.reply(504, "Only file structure is supported")
	default:
		s.reply(501, "Unknown structure")
	}
}

// cmdREST says where the next transfer begins, RFC 3659 section 5. It holds
// until that transfer: clients send PASV in between.
func (s *session) cmdREST(arg string) {
	n, err := strconv.ParseInt(strings.TrimSpace(arg), 10, 64)
	if err != nil || n < 0 {
		s.reply(501, "A byte offset is needed")
		return
	}
	if n > 0 && s.ascii() {
		s.reply(501, "No restart in ASCII mode, send TYPE I")
		return
	}
	s.rest, s.files.rang = n, nil
	s.replyf(350, "Restarting at %d, send STOR or RETR", n)
}

// restartable reports whether a transfer may begin at the offset, and answers why not: TYPE A may have
// come behind REST.
func (s *session) restartable(offset int64) bool {
	if offset > 0 && s.ascii() {
		s.reply(554, "No restart in ASCII mode, send TYPE I")
		return false
	}
	return true
}

// cmdALLO: room is never reserved, but the size is remembered for the next upload: STAT tells it, and a
// profile may hold the client to it. What is known to be too much is refused here already. 200 and not 202, which sends one family of
// cameras into a loop of reconnecting.
func (s *session) cmdALLO(arg string) {
	f := strings.Fields(arg)
	n, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n < 0 {
		s.reply(501, "A number of bytes is needed")
		return
	}
	if err := s.fits(n); err != nil {
		s.failure("ALLO", s.cwd, err, naming)
		return
	}
	s.allo = n
	s.reply(200, "No allocation is needed")
}

func (s *session) cmdNOOP(string) { s.reply(200, "OK") }

func (s *session) cmdSYST(string) { s.reply(215, "UNIX Type: L8") }

// cmdFEAT lists what goes beyond RFC 959, RFC 2389 section 3.
func (s *session) cmdFEAT(string) {
	lines := []string{"Features:"}
	if s.lis.baseTLS != nil && s.lis.TLS == TLSExplicit {
		lines = append(lines, "AUTH TLS")
	}
	if s.tls && s.srv.AllowCCC {
		lines = append(lines, "CCC")
	}
	lines = append(lines, "AVBL", "CLNT", "COMB", "CSID")
	if !s.profile.NoExtended {
		lines = append(lines, "EPRT", "EPSV")
	}
	lines = append(lines, s.featHASH(), "HOST", "LANG EN*", "MD5", "MDTM", "MFF modify;UNIX.mode;", "MFMT", s.facts.featMLST())
	if !s.srv.NoDeflate {
		lines = append(lines, "MODE Z")
	}
	if s.lis.baseTLS != nil && s.lis.TLS != TLSNone && s.lis.TLS != "" {
		lines = append(lines, "PBSZ", "PROT")
	}
	lines = append(lines, "RANG STREAM", "REST STREAM", "SIZE", "TVFS")
	if s.wire() == nil {
		lines = append(lines, "UTF8")
	}
	lines = append(lines, "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512")
	s.send(211, append(lines, "End"))
}

// cmdOPTS knows MLST (RFC 3659), MODE Z and UTF8 (an expired draft that clients still follow).
func (s *session) cmdOPTS(arg string) {
	verb, rest := parse(strings.TrimSpace(arg))
	switch verb {
	case "MLST":
		s.facts = selectFacts(rest)
		s.reply(200, "MLST OPTS "+s.facts.String())
	case "HASH":
		s.optsHASH(rest)
	case "MODE":
		s.optsMODE(rest)
	case "UTF8":
		s.optsUTF8(rest)
	default:
		s.reply(501, "No options for that command")
	}
}

// cmdSTAT tells the state of the session, in the middle of a transfer also how far it is.
func (s *session) cmdSTAT(arg string) {
	if strings.TrimSpace(arg) != "" {
		switch {
		case s.account == nil:
			s.reply(530, "Log in with USER and PASS first")
		case s.transfer != nil:
			s.reply(450, "A transfer is running")
		default:
			s.statPath(arg)
		}
		return
	}
	lines := []string{"ftp-gateway", "Connected from " + s.remote.Addr().String()}
	if s.software != "" {
		lines = append(lines, "Client: "+s.software)
	}
	switch {
	case s.account != nil:
		lines = append(lines, "Logged in as "+s.account.Name)
	case s.userSent:
		lines = append(lines, "Waiting for the password")
	default:
		lines = append(lines, "Not logged in")
	}
	kind := "binary"
	if s.typeA {
		kind = "ASCII"
	}
	lines = append(lines, "TYPE: "+kind+"; STRU: file; MODE: "+s.modeName())
	if s.tls {
		prot := "clear"
		if s.private {
			prot = "private"
		}
		lines = append(lines, "TLS on the control connection; data connections "+prot)
	}
	if t := s.transfer; t != nil {
		of := ""
		if t.size >= 0 {
			of = fmt.Sprintf(" of %d", t.size)
		}
		lines = append(lines, fmt.Sprintf("%s %s: %d%s bytes in %.1f s", t.verb, t.path, t.moved.Load(), of, time.Since(t.start).Seconds()))
	} else {
		lines = append(lines, "No transfer")
	}
	s.send(211, append(lines, "End of status"))
}

func (s *session) cmdHELP(arg string) {
	if verb := strings.ToUpper(strings.TrimSpace(arg)); verb != "" {
		if c := commands[verb]; c != nil && c.run != nil {
			s.reply(214, c.help)
			return
		}
		s.reply(501, "Unknown command")
		return
	}
	lines := []string{"Commands:"}
	row := ""
	for _, verb := range slices.Sorted(maps.Keys(commands)) {
		if commands[verb].run == nil {
			continue
		}
		if row += fmt.Sprintf("%-8s", verb); len(row) >= 60 {
			lines, row = append(lines, row), ""
		}
	}
	if row != "" {
		lines = append(lines, row)
	}
	s.send(214, append(lines, "HELP <sp> command tells more"))
}
