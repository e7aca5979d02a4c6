package events

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// Type is what has happened.
type Type string

// The types. An upload is either Received or IncompleteReceived, never both.
const (
	Connect            Type = "connect"
	Disconnect         Type = "disconnect"
	Login              Type = "login"
	LoginFailed        Type = "login_failed"
	Logout             Type = "logout"
	Received           Type = "received"            // an upload is whole and durable
	IncompleteReceived Type = "incomplete_received" // an upload was broken off or refused by the store
	Sent               Type = "sent"                // a download is whole, as far as the network tells
	IncompleteSent     Type = "incomplete_sent"
	Deleted            Type = "deleted"
	Renamed            Type = "renamed"
	Copied             Type = "copied"
	DirectoryMade      Type = "directory_made"
	DirectoryRemoved   Type = "directory_removed"
)

// Types are all of them.
var Types = []Type{Connect, Disconnect, Login, LoginFailed, Logout, Received, IncompleteReceived, Sent, IncompleteSent,
	Deleted, Renamed, Copied, DirectoryMade, DirectoryRemoved}

// Known reports whether there is such a type.
func Known(t string) bool { return slices.Contains(Types, Type(t)) }

// Event is one of the things that happened. Its JSON is the "data" of a
// CloudEvent and a line of the event log.
type Event struct {
	ID      string    `json:"id"` // unique; a repetition has the same
	Type    Type      `json:"type"`
	Time    time.Time `json:"time"`
	Session uint64    `json:"session"`
	Remote  string    `json:"remote"` // the client's address
	Port    uint16    `json:"port"`
	User    string    `json:"user,omitempty"` // of a failed login the name that was claimed, 256 bytes at most
	TLS     bool      `json:"tls"`            // on the control connection

	// About files. Paths are the client's.
	Path    string `json:"path,omitempty"`
	To      string `json:"to,omitempty"` // the new name
	Command string `json:"command,omitempty"`

	// About transfers.
	Bytes    *int64   `json:"bytes,omitempty"`    // over the data connection
	Seconds  *float64 `json:"seconds,omitempty"`  // from the 150 to the end; of a session, how long it lasted
	DataTLS  bool     `json:"data_tls,omitempty"` // on the data connection
	Size     *int64   `json:"size,omitempty"`     // of the whole file that was received, as far as the back end tells
	Result   string   `json:"result,omitempty"`   // see protocol.Result
	Backend  string   `json:"backend,omitempty"`
	Bucket   string   `json:"bucket,omitempty"`
	Key      string   `json:"key,omitempty"`
	Version  string   `json:"version,omitempty"`
	Checksum string   `json:"checksum,omitempty"` // of the whole file: algorithm, colon, hex

	Reason string `json:"reason,omitempty"` // why a login failed
}

func newEvent(t Type, c protocol.Client) Event {
	return Event{
		ID: strings.ToLower(rand.Text()), Type: t, Time: time.Now().UTC(), Session: c.ID,
		Remote: c.Remote.Addr().String(), Port: c.Remote.Port(), User: c.User, TLS: c.TLS,
	}
}

// transfer fills in what is known of a transfer.
func (e Event) transfer(t protocol.Transfer) Event {
	seconds := t.Took.Seconds()
	e.Path, e.Command, e.Bytes, e.Seconds, e.DataTLS, e.Result = t.Path, t.Verb, &t.Bytes, &seconds, t.TLS, string(t.Result)
	s := t.Stored
	e.Backend, e.Bucket, e.Key, e.Version, e.Checksum = s.Backend, s.Bucket, s.Key, s.Version, s.Checksum
	if s.Key != "" {
		e.Size = &s.Size
	}
	return e
}

// kept is an event as it stands in the outbox. Disks hold names that are no UTF-8 and that JSON cannot tell: these stand
// beside it, so that programs get the name that the file has.
type kept struct {
	Event
	Raw map[string][]byte `json:"raw,omitempty"`
}

// names are the fields that hold whatever a client has sent.
func (e *Event) names() map[string]*string {
	return map[string]*string{"user": &e.User, "path": &e.Path, "to": &e.To, "key": &e.Key}
}

func keep(e Event) kept {
	k := kept{Event: e}
	for field, name := range e.names() {
		if !utf8.ValidString(*name) {
			if k.Raw == nil {
				k.Raw = map[string][]byte{}
			}
			k.Raw[field] = []byte(*name)
		}
	}
	return k
}

func (k kept) restore() Event {
	e := k.Event
	for field, name := range e.names() {
		if raw, ok := k.Raw[field]; ok {
			*name = string(raw)
		}
	}
	return e
}
