package protocol

import (
	"net/netip"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Hooks are told what happens in a server. Every field may be nil. But for
// Received they are called on the session's own goroutine, many sessions at once, and must not
// block: a hook that has work to do hands it to somebody else.
type Hooks struct {
	Connect     func(Client)                            // the greeting is about to be sent
	Disconnect  func(Client, time.Duration)             // a session that was told to Connect has ended; how long it lasted
	Refused     func(reason string)                     // a connection was not served: "limit", "limit_ip", "banned", "shutdown"
	Login       func(Client)                            // 230
	Logout      func(Client)                            // who was logged in is so no more: the session ends, REIN, another USER
	LoginFailed func(c Client, reason string)           // 530 or 421 to PASS: "denied", "error", "limit", "banned"
	Command     func(Command)                           // a command has had its last reply
	Transfer    func(Client, Transfer)                  // a transfer has ended, one way or the other
	Changed     func(Client, Change)                    // a command has changed the tree
	Panic       func(c Client, value any, stack []byte) // a session was ended by a programming error

	// Received is told of an upload that is whole and durable, on the transfer's own
	// goroutine, before its 226. It may block, and nothing calls it off. After an
	// error the client gets 451, so that it sends the file again: who must
	// know of every file that was acknowledged writes it down here. With
	// this hook also uploads that appear as they are written wait for
	// Server.CutSettle, so that a killed client's half file is not told as received.
	Received func(Client, Transfer) error
}

// Change is what a command has done to the tree. Paths are the client's.
type Change struct {
	Verb string // DELE, RMD, MKD, RNTO, SITE CPTO; COMB for each part, and then DELE
	Path string // what the command was about; of a renaming, the old name
	To   string // of a renaming or copy the new name, else empty
}

// Client is who a hook speaks of.
type Client struct {
	ID     uint64 // unique in this process
	Remote netip.AddrPort
	Local  netip.AddrPort
	User   string // empty before the login
	// Claimed is the name in the last USER, of 256 bytes at most: before the login anybody's word.
	Claimed   string
	Anonymous bool   // the login is an anonymous one
	Host      string // the first name of the virtual host; empty for none
	// Software is what the client calls itself in CLNT or CSID, printable, 128 bytes at most; often empty.
	Software string
	TLS      bool // on the control connection
}

// Command is a command that has been answered.
type Command struct {
	Client Client
	Verb   string // one of the known verbs, or "unknown"
	Code   int    // of the last reply
	Took   time.Duration
}

// Transfer is a transfer that has ended.
type Transfer struct {
	Verb   string // STOR, APPE, STOU, RETR, LIST, NLST, MLSD
	Path   string // the client's path
	Upload bool
	TLS    bool          // on the data connection
	ASCII  bool          // line ends were converted
	Bytes  int64         // of the file or listing as it was read or written; MODE Z sends fewer
	Stored vfs.Stored    // where an upload is, as far as the back end tells; zero unless it is durable
	Took   time.Duration // from the 150 to the last reply
	Result Result
	Code   int   // of the last reply
	Err    error // nil when Result is Done
}

// Result is how a transfer ended: one word for metrics and logs.
type Result string

// The results.
const (
	Done     Result = "done"     // 226
	NoData   Result = "no_data"  // the data connection could not be opened: 425
	Cut      Result = "cut"      // the client's end broke it off: reset, lost control connection, no close_notify
	Aborted  Result = "aborted"  // ABOR
	Stalled  Result = "stalled"  // no byte moved for the stall time-out
	Shutdown Result = "shutdown" // the server is stopping
	Failed   Result = "failed"   // the file system said no
)

// JoinHooks calls the hooks of a, then those of b. Received ends with the first error.
func JoinHooks(a, b Hooks) Hooks {
	return Hooks{
		Connect:     join1(a.Connect, b.Connect),
		Disconnect:  join2(a.Disconnect, b.Disconnect),
		Refused:     join1(a.Refused, b.Refused),
		Login:       join1(a.Login, b.Login),
		Logout:      join1(a.Logout, b.Logout),
		LoginFailed: join2(a.LoginFailed, b.LoginFailed),
		Command:     join1(a.Command, b.Command),
		Transfer:    join2(a.Transfer, b.Transfer),
		Changed:     join2(a.Changed, b.Changed),
		Panic:       join3(a.Panic, b.Panic),
		Received:    joinReceived(a.Received, b.Received),
	}
}

func join1[A any](f, g func(A)) func(A) {
	if f == nil || g == nil {
		return either(f == nil, g, f)
	}
	return func(a A) { f(a); g(a) }
}

func join2[A, B any](f, g func(A, B)) func(A, B) {
	if f == nil || g == nil {
		return either(f == nil, g, f)
	}
	return func(a A, b B) { f(a, b); g(a, b) }
}

func join3[A, B, C any](f, g func(A, B, C)) func(A, B, C) {
	if f == nil || g == nil {
		return either(f == nil, g, f)
	}
	return func(a A, b B, c C) { f(a, b, c); g(a, b, c) }
}

func joinReceived(f, g func(Client, Transfer) error) func(Client, Transfer) error {
	if f == nil || g == nil {
		return either(f == nil, g, f)
	}
	return func(c Client, t Transfer) error {
		if err := f(c, t); err != nil {
			return err
		}
		return g(c, t)
	}
}

func either[F any](first bool, f, g F) F {
	if first {
		return f
	}
	return g
}
