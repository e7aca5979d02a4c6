package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/admin"
	"github.com/ftp-gateway/ftp-gateway/logging"
)

// view is what "top" shows: the last status, and how much each transfer has moved since the one before.
type view struct {
	st    *admin.Status
	rates map[uint64]float64 // by session, in bytes per second
	sort  byte               // the key that chose the order
	err   error              // of the last attempt to ask
}

// take takes a new status.
func (v *view) take(st *admin.Status) {
	rates := map[uint64]float64{}
	before := map[uint64]*admin.Command{}
	var passed float64
	if v.st != nil && v.st.PID == st.PID {
		passed = st.Now.Sub(v.st.Now).Seconds()
		for _, s := range v.st.Sessions {
			before[s.ID] = s.Command
		}
	}
	for _, s := range st.Sessions {
		if s.Command == nil || s.Command.Transfer == nil {
			continue
		}
		t := s.Command.Transfer
		rates[s.ID] = t.Rate
		if b := before[s.ID]; passed > 0 && b != nil && b.Transfer != nil && b.Since.Equal(s.Command.Since) {
			rates[s.ID] = float64(t.Bytes-b.Transfer.Bytes) / passed
		}
	}
	v.st, v.rates, v.err = st, rates, nil
}

// order is an order of the sessions, and the key that chooses it.
type order struct {
	key  byte
	name string
	less func(v *view, a, b *admin.Session) int
}

var orders = []order{
	{'i', "id", func(_ *view, a, b *admin.Session) int { return 0 }},
	{'u', "user", func(_ *view, a, b *admin.Session) int { return cmp.Compare(a.User+a.Claimed, b.User+b.Claimed) }},
	{'a', "address", func(_ *view, a, b *admin.Session) int { return cmp.Compare(a.Remote, b.Remote) }},
	{'b', "bytes", func(_ *view, a, b *admin.Session) int { return cmp.Compare(moved(b), moved(a)) }},
	{'r', "rate", func(v *view, a, b *admin.Session) int { return cmp.Compare(v.rates[b.ID], v.rates[a.ID]) }},
	{'t', "idle time", func(_ *view, a, b *admin.Session) int { return cmp.Compare(b.Idle, a.Idle) }},
}

// moved is how much the transfer of a session has moved; less than nothing where there is none.
func moved(s *admin.Session) int64 {
	if s.Command == nil || s.Command.Transfer == nil {
		return -1
	}
	return s.Command.Transfer.Bytes
}

// lines draws the status; 0 stands for as wide and as high as it gets.
func (v *view) lines(width, height int) []string {
	var out []string
	if v.st != nil {
		out = append(v.head(), "", fmt.Sprintf("%6s  %-16s %-22s %-3s %7s %7s  %9s %9s  %s", "ID", "USER", "REMOTE", "TLS", "AGE", "IDLE", "BYTES", "RATE", "COMMAND"))
		out = append(out, v.sessions()...)
	}
	foot := ""
	if height > 0 {
		foot = "q quit; order:"
		for _, o := range orders {
			foot += fmt.Sprintf(" %c %s", o.key, o.name)
		}
		if v.err != nil {
			foot = "cannot ask the server: " + logging.Printable(v.err.Error())
		}
		if len(out) > height-1 {
			out = out[:max(0, height-1)]
		}
		for len(out) < height-1 {
			out = append(out, "")
		}
		out = append(out, foot)
	}
	if width > 0 {
		for i, l := range out {
			if r := []rune(l); len(r) > width {
				out[i] = string(r[:width])
			}
		}
	}
	return out
}

// head tells about the server.
func (v *view) head() []string {
	st := v.st
	up, down, upRate, downRate := 0, 0, 0.0, 0.0
	for _, s := range st.Sessions {
		switch {
		case moved(&s) < 0:
		case s.Command.Transfer.Upload:
			up, upRate = up+1, upRate+v.rates[s.ID]
		default:
			down, downRate = down+1, downRate+v.rates[s.ID]
		}
	}
	limit := ""
	if st.Limit > 0 {
		limit = fmt.Sprintf(" of %d", st.Limit)
	}
	out := []string{
		fmt.Sprintf("ftp-gateway %s, pid %d, up %s", st.Version, st.PID, age(st.Now.Sub(st.Started))),
		fmt.Sprintf("sessions %d%s, uploads %d (%s/s), downloads %d (%s/s)", len(st.Sessions), limit, up, size(upRate), down, size(downRate)),
	}
	if m := st.Memory; m != nil {
		out = append(out, fmt.Sprintf("memory of uploads %s of %s, %s reserved, %d waiting", size(float64(m.InUse)), size(float64(m.Limit)), size(float64(m.Reserved)), m.Waiting))
	}
	list := func(name string, all []string) {
		const most = 8
		if n := len(all); n > most {
			all = append(all[:most:most], fmt.Sprintf("and %d more", n-most))
		}
		if len(all) > 0 {
			out = append(out, name+" "+strings.Join(all, ", "))
		}
	}
	var backends, bans, slowed, debug []string
	for _, b := range st.Backends {
		backends = append(backends, b.Name+" "+b.Health)
	}
	for _, b := range st.Bans {
		bans = append(bans, fmt.Sprintf("%s for %s", b.Network, age(b.Until.Sub(st.Now))))
	}
	for _, u := range st.Slowed {
		slowed = append(slowed, fmt.Sprintf("%s for %s (%d guesses)", logging.Printable(u.User), age(u.Until.Sub(st.Now)), u.Failures))
	}
	for _, d := range st.Log.Debug {
		debug = append(debug, debugText(d, st.Now))
	}
	list("back ends", backends)
	list(fmt.Sprintf("banned %d:", len(bans)), bans)
	list(fmt.Sprintf("slowed users %d:", len(slowed)), slowed)
	list("log "+st.Log.Level+", debug:", debug)
	return out
}

// sessions has a line for each.
func (v *view) sessions() []string {
	all := slices.Clone(v.st.Sessions)
	for _, o := range orders {
		if o.key == v.sort {
			slices.SortStableFunc(all, func(a, b admin.Session) int { return o.less(v, &a, &b) })
		}
	}
	var out []string
	for _, s := range all {
		user := logging.Printable(s.User)
		if s.User == "" {
			user = "-"
			if s.Claimed != "" {
				user = "(" + logging.Printable(s.Claimed) + ")"
			}
		}
		tls, idle, bytes, rate, doing := "", age(time.Duration(s.Idle*float64(time.Second))), "", "", ""
		if s.TLS {
			tls = "yes"
		}
		if c := s.Command; c != nil {
			idle, doing = "", strings.TrimSpace(c.Verb+" "+logging.Printable(c.Path))
			if c.Transfer != nil {
				bytes, rate = size(float64(c.Transfer.Bytes)), size(v.rates[s.ID])+"/s"
			}
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("%6d  %-16s %-22s %-3s %7s %7s  %9s %9s  %s", s.ID, user, s.Remote, tls, age(v.st.Now.Sub(s.Since)), idle, bytes, rate, doing), " "))
	}
	return out
}

// size is a number of bytes in four places or so.
func size(n float64) string {
	const units = "KMGTPE"
	n = max(0, n)
	if n < 1024 {
		return fmt.Sprintf("%.0fB", n)
	}
	i := -1
	for n >= 1000 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if n < 10 {
		return fmt.Sprintf("%.1f%c", math.Floor(n*10)/10, units[i])
	}
	return fmt.Sprintf("%.0f%c", math.Floor(n), units[i])
}

// age is a time in at most two units.
func age(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}

// printJSON prints JSON for people and programs. What does not print is escaped, which JSON itself asks for in few characters: names
// come from strangers, and the output may be a terminal.
func printJSON(out io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	var s strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			s.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&s, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&s, `\u%04x`, r)
		}
	}
	_, err = io.WriteString(out, s.String()+"\n")
	return err
}
