package protocol

import (
	"net/netip"
	"time"
)

// Hooks are told what happens in a server. Every field may be nil. They are
// called on the session's own goroutine, many sessions at once, and must not
// block: a hook that has work to do hands it to somebody else.
type Hooks struct {
	Connect     func(Client)                            // the greeting is about to be sent
	Disconnect  func(Client, time.Duration)             // a session that was told to Connect has ended; how long it lasted
	Refused     func(reason string)                     // a connection was not served: "limit", "limit_ip", "shutdown"
	Login       func(Client)                            // 230
	LoginFailed func(c Client, reason string)           // 530 to PASS: "denied", "error", "limit"
	Command     func(Command)                           // a command has had its last reply
	Transfer    func(Client, Transfer)                  // a transfer has ended, one way or the other
	Panic       func(c Client, value any, stack []byte) // a session was ended by a programming error
}

// Client is who a hook speaks of.
type Client struct {
	ID     uint64 // unique in this process
	Remote netip.AddrPort
	Local  netip.AddrPort
	User   string // empty before the login
	TLS    bool   // on the control connection
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
	Bytes  int64         // of the file or listing as it was read or written; MODE Z sends fewer
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
