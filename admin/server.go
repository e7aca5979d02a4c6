package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/logging"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// Server answers the API. All fields but Memory must be set.
type Server struct {
	Version  string
	Started  time.Time
	FTP      *protocol.Server
	Guard    *guard.Guard
	Rules    *logging.Rules
	Level    slog.Level
	Memory   func() *Memory
	Backends func() []Backend
	Log      *slog.Logger
}

// maxBody bounds a request.
const maxBody = 64 << 10

// Handler returns the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.status()) })
	mux.HandleFunc("DELETE /v1/sessions/{id}", s.endSession)
	mux.HandleFunc("PUT /v1/debug", s.setDebug)
	mux.HandleFunc("DELETE /v1/debug", s.unsetDebug)
	mux.HandleFunc("DELETE /v1/bans", s.unban)
	return mux
}

// HTTP returns a server of the API. What it has to say itself goes to the log at Debug.
func (s *Server) HTTP() *http.Server {
	return &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)}
}

func (s *Server) status() Status {
	now := time.Now()
	st := Status{
		Version: s.Version, PID: os.Getpid(), Started: s.Started, Now: now, Limit: s.FTP.MaxSessions,
		Sessions: []Session{}, Bans: []Ban{}, Slowed: []Slowed{}, Backends: s.Backends(), Log: Log{strings.ToLower(s.Level.String()), []Debug{}},
	}
	for _, i := range s.FTP.List() {
		st.Sessions = append(st.Sessions, session(i, now))
	}
	for _, b := range s.Guard.List() {
		st.Bans = append(st.Bans, Ban{b.Network.String(), b.Until})
	}
	for _, u := range s.Guard.Slowed() {
		st.Slowed = append(st.Slowed, Slowed{u.User, u.Failures, u.Until})
	}
	if s.Memory != nil {
		st.Memory = s.Memory()
	}
	for _, r := range s.Rules.All() {
		d := Debug{User: r.User, All: r.User == "" && !r.Network.IsValid()}
		if r.Network.IsValid() {
			d.Address = r.Network.String()
		}
		if !r.Until.IsZero() {
			d.Until = &r.Until
		}
		st.Log.Debug = append(st.Log.Debug, d)
	}
	return st
}

func session(i protocol.SessionInfo, now time.Time) Session {
	s := Session{ID: i.ID, User: i.User, Anonymous: i.Anonymous, Remote: i.Remote.String(), Local: i.Local.String(), Host: i.Host,
		Software: i.Software, TLS: i.TLS, Since: i.Start, Idle: i.Idle.Seconds()}
	if i.User == "" {
		s.Claimed = i.Claimed
	}
	if i.Verb == "" {
		return s
	}
	s.Command = &Command{Verb: i.Verb, Path: i.Path, Since: i.Since}
	if i.Transfer {
		t := &Transfer{Upload: i.Upload, Bytes: i.Bytes}
		if took := now.Sub(i.Since).Seconds(); took > 0 {
			t.Rate = float64(i.Bytes) / took
		}
		s.Command.Transfer = t
	}
	return s
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("%q is no session's number", r.PathValue("id")))
		return
	}
	if !s.FTP.End(id) {
		refuse(w, http.StatusNotFound, fmt.Errorf("there is no session %d", id))
		return
	}
	s.Log.Warn("the operator ends a session", "ended", id)
	answer(w, http.StatusOK, struct{}{})
}

func (s *Server) setDebug(w http.ResponseWriter, r *http.Request) {
	var d Debug
	if err := read(r, &d); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	rule, err := d.rule()
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, err)
	case !s.Rules.Set(rule):
		refuse(w, http.StatusConflict, errors.New("there are too many rules: remove some"))
	default:
		s.Log.Warn("debug on", "user", d.User, "address", d.Address, "for", time.Duration(d.Seconds*float64(time.Second)))
		answer(w, http.StatusOK, struct{}{})
	}
}

func (s *Server) unsetDebug(w http.ResponseWriter, r *http.Request) {
	var d Debug
	if err := read(r, &d); err != nil { // not to be taken for one that names nothing
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if d == (Debug{}) {
		s.Rules.Clear()
	} else if rule, err := d.rule(); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	} else if !s.Rules.Unset(rule) {
		refuse(w, http.StatusNotFound, errors.New("there is no such rule"))
		return
	}
	s.Log.Warn("debug off", "user", d.User, "address", d.Address)
	answer(w, http.StatusOK, struct{}{})
}

// maxDebug is the longest that can be asked for; beyond it a time has no end.
const maxDebug = 365 * 24 * time.Hour

// rule is the rule that a request is about.
func (d *Debug) rule() (rule logging.Rule, err error) {
	switch named := d.User != "" || d.Address != ""; {
	case !named && !d.All:
		return rule, errors.New("name a user or an address, or say all")
	case named && d.All:
		return rule, errors.New("all is more than a user or an address: say one of them")
	}
	rule.User = d.User
	if d.Address != "" {
		if rule.Network, err = parseNetwork(d.Address); err != nil {
			return rule, err
		}
	}
	if d.Seconds < 0 || d.Seconds > maxDebug.Seconds() {
		return rule, fmt.Errorf("%v seconds: want more than 0 and less than a year", d.Seconds)
	}
	if d.Seconds > 0 {
		rule.Until = time.Now().Add(time.Duration(d.Seconds * float64(time.Second)))
	}
	return rule, nil
}

func (s *Server) unban(w http.ResponseWriter, r *http.Request) {
	var u Unban
	if err := read(r, &u); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	n, err := parseNetwork(u.Address)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ended := s.Guard.Lift(n)
	if ended == 0 {
		refuse(w, http.StatusNotFound, fmt.Errorf("%s is not banned", u.Address))
		return
	}
	s.Log.Warn("the operator ends bans", "address", u.Address, "bans", ended)
	answer(w, http.StatusOK, struct{}{})
}

// parseNetwork reads a network, or an address as the network of itself.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(s)
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
	}
	if err != nil {
		return n, fmt.Errorf("%q is neither an address nor a network", s)
	}
	return n.Masked(), nil
}

// read reads the body of a request; none is an empty one.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the request cannot be read: %w", err)
	}
	return nil
}

type failure struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, code int, err error) { answer(w, code, failure{err.Error()}) }

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) // an operator who has gone needs no answer
}
