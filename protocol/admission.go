package protocol

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// Who is let in. Everybody can open connections, so the limit on sessions would be a
// gift to strangers if those who never log in could use it up. Three things keep
// it from them: a session that has not logged in ends after
// Server.LoginTimeout, whatever it sends; the guard refuses those who guess; and where the limit is
// reached, a session that has not logged in makes room for a newcomer: see makeRoom.

// loginPatience is how long nobody who has not logged in has to make room for another
// client of the same address, so that in a storm of logins those that have begun come to their end.
const loginPatience = 10 * time.Second

// errMadeRoom is why a session was called off that had not logged in.
var errMadeRoom = errors.New("made room for another client")

// admit starts a session on c, or turns it away.
func (s *Server) admit(l *Listener, c net.Conn) {
	remote, local := addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())
	net := network(remote.Addr())
	banned := s.Guard != nil && s.Guard.Banned(remote.Addr())
	s.mu.Lock()
	var refused, text string
	switch {
	case s.stopped:
		refused, text = "shutdown", "421 Server is shutting down\r\n"
	case banned:
		refused, text = "banned", "421 Too many failed logins from your address, try again later\r\n"
	case s.MaxPerIP > 0 && s.perIP[net] >= s.MaxPerIP:
		refused, text = "limit_ip", "421 Too many connections from your address\r\n"
	case s.MaxSessions > 0 && len(s.sessions)-s.leaving >= s.MaxSessions && !s.makeRoom(net):
		refused, text = "limit", "421 Too many connections, try again later\r\n"
	}
	if refused != "" {
		s.mu.Unlock()
		s.refuse(l, c, refused, text)
		return
	}
	s.nextID++
	ctx, cancel := context.WithCancelCause(context.Background())
	now := time.Now()
	ses := &session{
		srv: s, lis: l, id: s.nextID, ctx: ctx, cancel: cancel, start: now, loginBy: now.Add(s.loginTimeout()),
		raw: c, conn: c, remote: remote, local: local, net: net,
		cwd: "/", typeA: true, level: defaultLevel, allo: -1, facts: defaultFacts, data: noPromise{},
	}
	ses.adopt()
	s.sessions[ses] = struct{}{}
	s.strangers[ses] = now
	s.perIP[net]++
	s.mu.Unlock()

	ses.introduce()
	tuneControl(c)
	go ses.run() // ends with the session
}

// refuse tells a client that it is not served.
func (s *Server) refuse(l *Listener, c net.Conn, reason, text string) {
	level := slog.LevelWarn
	if reason == "banned" {
		level = slog.LevelDebug // the ban has been told, and its object goes on knocking
	}
	s.clientLog(&Client{Remote: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr())}).Log(context.Background(), level, "connection refused", "reason", reason)
	if h := s.Hooks.Refused; h != nil {
		h(reason)
	}
	if l.TLS != TLSImplicit {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		c.Write([]byte(text))
	}
	c.Close()
}

// network is whose connections are counted together: an IPv4 address, and of IPv6 the /64
// that any host has for itself.
func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // the zero value for no address
	return p
}

// makeRoom calls off a session that has not logged in, for a newcomer from net, and reports whether it found one:
// the oldest of the network that has most of them, if that has more than the newcomer's own; else the oldest
// of all, if it has had its time. So a single stranger only ever
// takes places from itself, and clients that log in are never in the way of each other. s.mu is held.
func (s *Server) makeRoom(net netip.Prefix) bool {
	count := make(map[netip.Prefix]int)
	var most netip.Prefix
	for ses := range s.strangers {
		count[ses.net]++
		if count[ses.net] > count[most] {
			most = ses.net
		}
	}
	older := func(a, than *session) bool {
		if than == nil {
			return true
		}
		if c := s.strangers[a].Compare(s.strangers[than]); c != 0 {
			return c < 0
		}
		return a.id < than.id
	}
	var oldest, crowding *session
	for ses := range s.strangers {
		if older(ses, oldest) {
			oldest = ses
		}
		if ses.net == most && older(ses, crowding) {
			crowding = ses
		}
	}
	victim := crowding
	if count[most] <= count[net]+1 {
		if victim = oldest; victim == nil || time.Since(s.strangers[victim]) < loginPatience {
			return false
		}
	}
	s.log.Warn("too many sessions: one that has not logged in makes room", "session", victim.id, "remote", victim.remote.String())
	s.gone(victim)
	victim.callOffNow(errMadeRoom)
	return true
}

// knownNow takes a session from among the strangers, if its user may have one more; a limit of 0 is none.
func (s *Server) knownNow(ses *session, user string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ses.left {
		return false
	}
	if user != "" {
		if limit > 0 && s.perUser[user] >= limit {
			return false
		}
		s.perUser[user]++
		ses.counted = user
	}
	delete(s.strangers, ses)
	return true
}

// strangerAgain undoes knownNow.
func (s *Server) strangerAgain(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseUser(ses)
	if !ses.left {
		s.strangers[ses] = time.Now()
	}
}

// releaseUser gives back the place that a session has among those of its user. s.mu is held.
func (s *Server) releaseUser(ses *session) {
	if ses.counted == "" {
		return
	}
	if s.perUser[ses.counted]--; s.perUser[ses.counted] <= 0 {
		delete(s.perUser, ses.counted)
	}
	ses.counted = ""
}

// leave gives back a session's place: it has nothing more to do but to end its connection. It reports
// whether it may take its time for that.
func (s *Server) leave(ses *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone(ses)
	return s.leaving <= maxLingering
}

// gone is leave with s.mu held; only its first call counts.
func (s *Server) gone(ses *session) {
	if ses.left {
		return
	}
	ses.left = true
	s.leaving++
	s.releaseUser(ses)
	delete(s.strangers, ses)
	if s.perIP[ses.net]--; s.perIP[ses.net] <= 0 {
		delete(s.perIP, ses.net)
	}
}

// remove forgets a session that has ended.
func (s *Server) remove(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone(ses)
	s.leaving--
	delete(s.sessions, ses)
	s.idle.Broadcast()
}
