package protocol

import (
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// argKind says what a command takes behind its verb.
type argKind uint8

const (
	argAny  argKind = iota // anything or nothing
	argNone                // nothing; an argument gives 501
	argText                // something; its absence gives 501
	argPath                // a path; handlers get it resolved
)

// command is a row of the command table: everything about a command that can be
// decided before its handler runs.
type command struct {
	run  func(s *session, arg string)
	arg  argKind
	perm auth.Perm // asked of the path's directory; 0 for none
	// early commands are allowed before the login.
	early bool
	// now commands are answered in the middle of a transfer; the others wait for its end.
	now bool
	// info commands are logged at Info once they have changed something.
	info bool
	help string
}

// commands is filled by a function because HELP's handler reads the table.
var commands map[string]*command

func init() { commands = commandTable() }

func commandTable() map[string]*command {
	t := map[string]*command{
		// Access control, RFC 959 section 4.1.1.
		"USER": {run: (*session).cmdUSER, arg: argText, early: true, help: "USER <sp> name: begin a login"},
		"PASS": {run: (*session).cmdPASS, arg: argAny, early: true, help: "PASS [<sp> password]: end a login"},
		"ACCT": {run: (*session).cmdACCT, arg: argText, early: true, help: "ACCT <sp> account: not needed here"},
		"REIN": {run: (*session).cmdREIN, arg: argNone, early: true, help: "REIN: back to the state before the login"},
		"QUIT": {run: (*session).cmdQUIT, arg: argAny, early: true, help: "QUIT: end the session"},
		"HOST": {run: (*session).cmdHOST, arg: argText, early: true, help: "HOST <sp> name: choose a virtual host before the login"},
		"CWD":  {run: (*session).cmdCWD, arg: argPath, perm: auth.PermEnter, help: "CWD [<sp> path]: change directory"},
		"CDUP": {run: (*session).cmdCDUP, arg: argNone, perm: auth.PermEnter, help: "CDUP: change to the parent directory"},
		"SMNT": {arg: argAny, early: true},

		// Transfer parameters, section 4.1.2.
		"PORT": {run: (*session).cmdPORT, arg: argText, help: "PORT <sp> h1,h2,h3,h4,p1,p2: data connection to this address"},
		"PASV": {run: (*session).cmdPASV, arg: argNone, help: "PASV: data connection to the server"},
		"EPRT": {run: (*session).cmdEPRT, arg: argText, help: "EPRT <sp> |protocol|address|port|: data connection to this address"},
		"EPSV": {run: (*session).cmdEPSV, arg: argAny, help: "EPSV [<sp> 1|2|ALL]: data connection to the server"},
		"TYPE": {run: (*session).cmdTYPE, arg: argText, help: "TYPE <sp> A|A N|I|L 8: representation type"},
		"STRU": {run: (*session).cmdSTRU, arg: argText, help: "STRU <sp> F|R: file structure"},
		"MODE": {run: (*session).cmdMODE, arg: argText, help: "MODE <sp> S|Z: transfer mode, stream or deflate"},

		// Transfers, section 4.1.3.
		"RETR": {run: (*session).cmdRETR, arg: argPath, perm: auth.PermRead, help: "RETR <sp> path: retrieve a file"},
		"STOR": {run: (*session).cmdSTOR, arg: argPath, perm: auth.PermWrite, help: "STOR <sp> path: store a file"},
		"STOU": {run: (*session).cmdSTOU, arg: argAny, perm: auth.PermWrite, help: "STOU [<sp> prefix]: store a file under a new name"},
		"APPE": {run: (*session).cmdAPPE, arg: argPath, perm: auth.PermAppend, help: "APPE <sp> path: append to a file"},
		"ALLO": {run: (*session).cmdALLO, arg: argText, help: "ALLO <sp> bytes [R size]: announce a size"},
		"REST": {run: (*session).cmdREST, arg: argText, help: "REST <sp> offset: where the next transfer begins"},
		"ABOR": {run: (*session).cmdABOR, arg: argAny, now: true, help: "ABOR: abort the transfer"},
		"LIST": {run: (*session).cmdLIST, arg: argAny, perm: auth.PermList, help: "LIST [<sp> path]: list a directory"},
		"NLST": {run: (*session).cmdNLST, arg: argAny, perm: auth.PermList, help: "NLST [<sp> path]: names in a directory"},
		"MLSD": {run: (*session).cmdMLSD, arg: argPath, perm: auth.PermList, help: "MLSD [<sp> path]: list a directory for programs"},
		"MLST": {run: (*session).cmdMLST, arg: argPath, perm: auth.PermList, help: "MLST [<sp> path]: facts of one file"},

		// Files.
		"RNFR": {run: (*session).cmdRNFR, arg: argPath, perm: auth.PermRename, help: "RNFR <sp> path: rename from"},
		"RNTO": {run: (*session).cmdRNTO, arg: argPath, perm: auth.PermRename, info: true, help: "RNTO <sp> path: rename to"},
		"DELE": {run: (*session).cmdDELE, arg: argPath, perm: auth.PermDelete, info: true, help: "DELE <sp> path: delete a file"},
		"RMD":  {run: (*session).cmdRMD, arg: argPath, perm: auth.PermDelete, info: true, help: "RMD <sp> path: remove an empty directory"},
		"MKD":  {run: (*session).cmdMKD, arg: argPath, perm: auth.PermMkdir, info: true, help: "MKD <sp> path: make a directory"},
		"PWD":  {run: (*session).cmdPWD, arg: argNone, help: "PWD: the current directory"},
		"SIZE": {run: (*session).cmdSIZE, arg: argPath, perm: auth.PermList, help: "SIZE <sp> path: size of a file in bytes"},
		"MDTM": {run: (*session).cmdMDTM, arg: argText, help: "MDTM <sp> path: time of the last change"},
		"MFMT": {run: (*session).cmdMFMT, arg: argText, perm: auth.PermTime, info: true, help: "MFMT <sp> YYYYMMDDhhmmss <sp> path: set the time of the last change"},

		"MFF":  {run: (*session).cmdMFF, arg: argText, info: true, help: "MFF <sp> modify=YYYYMMDDhhmmss;UNIX.mode=octal; <sp> path: set facts"},
		"COMB": {run: (*session).cmdCOMB, arg: argText, info: true, help: "COMB <sp> target <sp> part <sp> part ...: put parts of a file together"},
		"AVBL": {run: (*session).cmdAVBL, arg: argPath, perm: auth.PermList, help: "AVBL [<sp> path]: bytes that may still be stored"},

		// Digests: draft-bryan-ftpext-hash, draft-bryan-ftp-range, draft-twine-ftpmd5; the X-forms are in no document.
		"HASH":    {run: (*session).cmdHASH, arg: argText, help: "HASH <sp> path: digest of a file, see OPTS HASH"},
		"RANG":    {run: (*session).cmdRANG, arg: argText, help: "RANG <sp> first <sp> last: the bytes that the next RETR or HASH is about"},
		"MD5":     {run: (*session).cmdMD5, arg: argText, help: "MD5 <sp> path: MD5 digest of a file"},
		"MMD5":    {run: (*session).cmdMMD5, arg: argText, help: "MMD5 <sp> path, path ...: MD5 digests of files"},
		"XCRC":    {run: xHash("XCRC", "CRC32"), arg: argText, help: "XCRC <sp> path [start [end]]: CRC-32 of a file"},
		"XMD5":    {run: xHash("XMD5", "MD5"), arg: argText, help: "XMD5 <sp> path [start [end]]: MD5 digest of a file"},
		"XSHA":    {run: xHash("XSHA", "SHA-1"), arg: argText, help: "XSHA <sp> path [start [end]]: SHA-1 digest of a file"},
		"XSHA1":   {run: xHash("XSHA1", "SHA-1"), arg: argText, help: "XSHA1 <sp> path [start [end]]: SHA-1 digest of a file"},
		"XSHA256": {run: xHash("XSHA256", "SHA-256"), arg: argText, help: "XSHA256 <sp> path [start [end]]: SHA-256 digest of a file"},
		"XSHA512": {run: xHash("XSHA512", "SHA-512"), arg: argText, help: "XSHA512 <sp> path [start [end]]: SHA-512 digest of a file"},

		// Information, section 4.1.3, and RFC 2389.
		"STAT": {run: (*session).cmdSTAT, arg: argAny, early: true, now: true, help: "STAT [<sp> path]: status, or a listing over the control connection"},
		"HELP": {run: (*session).cmdHELP, arg: argAny, early: true, help: "HELP [<sp> command]"},
		"NOOP": {run: (*session).cmdNOOP, arg: argAny, early: true, now: true, help: "NOOP: nothing"},
		"SYST": {run: (*session).cmdSYST, arg: argNone, early: true, help: "SYST: the kind of system"},
		"FEAT": {run: (*session).cmdFEAT, arg: argNone, early: true, help: "FEAT: features beyond RFC 959"},
		"CLNT": {run: (*session).cmdCLNT, arg: argText, early: true, help: "CLNT <sp> name: the client's software"},
		"CSID": {run: (*session).cmdCSID, arg: argText, early: true, help: "CSID <sp> Name=client; Version=1;: name and version of both sides"},
		"LANG": {run: (*session).cmdLANG, arg: argAny, early: true, help: "LANG [<sp> tag]: language of the replies, en"},
		"OPTS": {run: (*session).cmdOPTS, arg: argText, early: true, help: "OPTS <sp> command [<sp> options]"},
		"SITE": {run: (*session).cmdSITE, arg: argText, help: "SITE <sp> command: see SITE HELP"},

		// Security, RFC 2228 and RFC 4217.
		"AUTH": {run: (*session).cmdAUTH, arg: argText, early: true, help: "AUTH <sp> TLS: secure the control connection"},
		"PBSZ": {run: (*session).cmdPBSZ, arg: argText, early: true, help: "PBSZ <sp> 0: protection buffer size"},
		"PROT": {run: (*session).cmdPROT, arg: argText, early: true, help: "PROT <sp> C|P: protection of data connections"},
		"CCC":  {run: (*session).cmdCCC, arg: argNone, help: "CCC: control connection back to clear text"},
		// Of mechanisms that wrap each command by itself.
		"ADAT": {arg: argAny, early: true}, "MIC": {arg: argAny, early: true},
		"CONF": {arg: argAny, early: true}, "ENC": {arg: argAny, early: true},
	}
	for _, x := range []string{"CWD", "CUP", "PWD", "MKD", "RMD"} { // RFC 775
		of := x
		if x == "CUP" {
			of = "CDUP"
		}
		t["X"+x] = t[of]
	}
	return t
}

// parse splits a line into verb and argument: one space stands between them,
// whatever follows belongs to the argument.
func parse(text string) (verb, arg string) {
	verb, arg, _ = strings.Cut(text, " ")
	return strings.ToUpper(verb), arg
}

// dispatch runs one command line and reports it to the hooks.
func (s *session) dispatch(text []byte) {
	start := time.Now()
	said, ok := s.decode(text)
	s.garbled = !ok
	verb, arg := parse(said)
	s.debugCommand(verb, arg)
	s.lastCode = 0
	cmd := commands[verb]
	if cmd == nil || s.transfer != nil {
		s.seen.active.Store(start.UnixNano())
	} else {
		s.begins(verb, "", nil)
	}
	if verb != "RNTO" {
		s.renameFrom = ""
	}
	arg = s.runCommand(verb, cmd, arg)
	s.spend(verb)
	if s.transfer == nil || cmd != nil && cmd.now {
		s.commandDone(verb, cmd, arg, start)
		return
	}
	s.transfer.line = commandLine{verb, cmd, arg, start}
}

// spend forgets what was said about the next transfer where that was refused, whoever refused it: the
// one behind it is another.
func (s *session) spend(verb string) {
	if s.transfer != nil {
		return
	}
	switch verb {
	case "STOR", "APPE", "STOU":
		s.rest, s.allo, s.files.rang = 0, -1, nil
	case "RETR":
		s.rest, s.files.rang = 0, nil
	}
}

// commandLine is a command that has begun a transfer and is still to be reported.
type commandLine struct {
	verb  string
	cmd   *command
	arg   string
	start time.Time
}

func (s *session) commandDone(verb string, cmd *command, arg string, start time.Time) {
	if s.transfer == nil {
		s.rests()
	}
	if s.lastCode == 0 {
		return
	}
	if cmd != nil && cmd.info && s.lastCode < 400 {
		s.log.Info(verb, "path", arg, "code", s.lastCode)
	}
	if cmd == nil {
		verb = "unknown"
	}
	if h := s.srv.Hooks.Command; h != nil {
		h(Command{Client: s.client(), Verb: verb, Code: s.lastCode, Took: time.Since(start)})
	}
}

// changed tells that a command has changed the tree.
func (s *session) changed(verb, path, to string) {
	if h := s.srv.Hooks.Changed; h != nil {
		h(s.client(), Change{Verb: verb, Path: path, To: to})
	}
}

// runCommand checks what the table says and runs the handler. It returns the
// argument as the handler got it, a path resolved.
func (s *session) runCommand(verb string, cmd *command, arg string) string {
	if cmd == nil {
		s.reply(500, "Unknown command")
		return arg
	}
	if cmd.run == nil {
		s.reply(502, "Command not implemented")
		return arg
	}
	if s.account == nil && !cmd.early {
		s.reply(530, "Log in with USER and PASS first")
		return arg
	}
	if s.garbled && verb != "USER" && verb != "PASS" && verb != "ACCT" {
		s.reply(501, "Not valid in the encoding of this session")
		return arg
	}
	if !s.strictly(verb, arg) {
		return arg
	}
	switch cmd.arg {
	case argNone:
		if strings.TrimSpace(arg) != "" {
			s.reply(501, "No argument allowed")
			return arg
		}
	case argText:
		if strings.TrimSpace(arg) == "" {
			s.reply(501, "Argument missing")
			return arg
		}
	case argPath:
		if arg == "" && verb != "CWD" && verb != "XCWD" && verb != "MLSD" && verb != "MLST" && verb != "AVBL" {
			s.reply(501, "Path missing")
			return arg
		}
		p, ok := resolve(s.cwd, arg)
		if !ok {
			s.reply(501, "Invalid path")
			return arg
		}
		arg = p
	}
	if cmd.perm != 0 && cmd.arg == argPath && !s.allowed(cmd.perm, arg) {
		return arg
	}
	if cmd.arg == argPath && s.transfer == nil {
		s.begins(verb, arg, nil)
	}
	cmd.run(s, arg)
	return arg
}

// allowed answers 550 and reports false where the account may not do perm with the path.
func (s *session) allowed(perm auth.Perm, path string) bool {
	if s.account.Permissions.At(path, func() bool { return s.isDir(path) }).Has(perm) {
		return true
	}
	s.reply(550, "Not enough privileges")
	return false
}

// isDir asks the tree about a path whose permissions depend on it.
func (s *session) isDir(path string) bool {
	fsys, done := s.bound()
	defer done()
	_, err := vfs.StatDir(fsys, path)
	return err == nil
}
