package admin

import "time"

// Status is what goes on.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"`
	Limit    int       `json:"session_limit"` // 0 for none
	Sessions []Session `json:"sessions"`
	Bans     []Ban     `json:"bans"`
	Slowed   []Slowed  `json:"slowed_users"`
	Memory   *Memory   `json:"memory,omitempty"` // nil without buckets
	Backends []Backend `json:"backends"`
	Log      Log       `json:"log"`
}

// Session is a session.
type Session struct {
	ID        uint64    `json:"id"`
	User      string    `json:"user"`              // empty before the login
	Claimed   string    `json:"claimed,omitempty"` // the name in USER while there is no login
	Anonymous bool      `json:"anonymous,omitempty"`
	Remote    string    `json:"remote"`
	Local     string    `json:"local"`
	Host      string    `json:"host,omitempty"`
	Software  string    `json:"software,omitempty"`
	TLS       bool      `json:"tls"`
	Since     time.Time `json:"since"`
	Idle      float64   `json:"idle_seconds"` // 0 while a command is handled
	Command   *Command  `json:"command"`      // nil while the session waits for one
}

// Command is a command that is being handled.
type Command struct {
	Verb     string    `json:"verb"`
	Path     string    `json:"path,omitempty"`
	Since    time.Time `json:"since"`
	Transfer *Transfer `json:"transfer"` // nil where it is none
}

// Transfer is a transfer that is under way.
type Transfer struct {
	Upload bool    `json:"upload"`
	Bytes  int64   `json:"bytes"`
	Rate   float64 `json:"bytes_per_second"` // since it began
}

// Ban is a network from which no connection is taken.
type Ban struct {
	Network string    `json:"network"`
	Until   time.Time `json:"until"`
}

// Slowed is a user whose logins wait.
type Slowed struct {
	User     string    `json:"user"`
	Failures int       `json:"failures"`
	Until    time.Time `json:"until"`
}

// Memory is the budget of uploads, in bytes.
type Memory struct {
	Limit    int64 `json:"limit_bytes"`
	InUse    int64 `json:"used_bytes"`
	Reserved int64 `json:"reserved_bytes"`
	Waiting  int   `json:"waiting_uploads"`
}

// Backend is a back end.
type Backend struct {
	Name   string `json:"name"`
	What   string `json:"what"`
	Health string `json:"health"` // ok, degraded, failed, unknown
}

// Log says what is in the log.
type Log struct {
	Level string  `json:"level"`
	Debug []Debug `json:"debug"`
}

// Debug says whose lines at debug are shown: those of a user, of a network, of a user from a network; of all where neither is named.
type Debug struct {
	User    string     `json:"user,omitempty"`
	Address string     `json:"address,omitempty"` // an address or a network such as 10.0.0.0/8
	All     bool       `json:"all,omitempty"`     // has to be said where neither is named
	Until   *time.Time `json:"until,omitempty"`   // nil for as long as the program runs
	Seconds float64    `json:"seconds,omitempty"` // of a request, instead of Until; 0 for as long as the program runs
}

// Unban names whose bans end.
type Unban struct {
	Address string `json:"address"` // an address or a network such as 10.0.0.0/8
}
