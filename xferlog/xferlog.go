// Package xferlog writes the transfer log that wu-ftpd has made the custom, and that programs which count and bill FTP
// read: xferlog(5). A line is
//
//	Fri Jan  2 15:04:05 2026 1 192.0.2.7 48213 /a.jpg b _ i r cam7 ftp 0 * c
//
// with the fields
//
//	time, seconds, address, bytes, name, type (a ASCII, b binary), special action (always _),
//	direction (i incoming, o outgoing, d deleted), access (a anonymous, r real), user, service (always ftp),
//	authentication (always 0), its user (always *), completion (c complete, i incomplete)
//
// Spaces and what does not print in names are underscores. An anonymous login's password, which others log as its user, is not told.
//
// Sessions do not wait for the file: lines go through a queue that [Log.Close] empties.
package xferlog

import (
	"bytes"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

const (
	// queueSize is how many lines may wait for the file.
	queueSize = 8192
	// batchSize is how many bytes are written at once, about.
	batchSize = 64 << 10
)

// Log writes a transfer log.
type Log struct {
	w       io.Writer
	local   bool
	problem *slog.Logger
	queue   chan []byte
	stop    chan struct{}
	stopped chan struct{}
	lost    atomic.Int64
	told    atomic.Int64 // when a loss was last logged, in Unix seconds
	known   atomic.Int64 // how many had been lost then
}

// New makes a log that writes to w, with times in the machine's zone or in UTC. Problem is told of lines that were lost. Close ends it.
func New(w io.Writer, local bool, problem *slog.Logger) *Log {
	l := &Log{w: w, local: local, problem: problem, queue: make(chan []byte, queueSize), stop: make(chan struct{}), stopped: make(chan struct{})}
	go l.write() // ends with Close
	return l
}

// Close writes what waits, and ends. No hook may be called behind it.
func (l *Log) Close() {
	close(l.stop)
	<-l.stopped
	if lost := l.lost.Load(); lost > l.known.Load() { // within the last minute
		l.problem.Error("lines of the xferlog were lost", "lost", lost)
	}
}

// Lost is how many lines were lost because the file was too slow, or its disk full.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Hooks returns the callbacks to give to a server.
func (l *Log) Hooks() protocol.Hooks {
	return protocol.Hooks{
		Transfer: func(c protocol.Client, t protocol.Transfer) {
			switch t.Verb {
			case "RETR", "STOR", "APPE", "STOU":
				l.add(transferLine(c, t, l.now()))
			}
		},
		Changed: func(c protocol.Client, ch protocol.Change) {
			if ch.Verb == "DELE" {
				l.add(appendLine(nil, l.now(), 0, c, 0, ch.Path, 'b', 'd', 'c'))
			}
		},
	}
}

func (l *Log) now() time.Time {
	if l.local {
		return time.Now()
	}
	return time.Now().UTC()
}

// write writes lines as they come, as many at once as there are.
func (l *Log) write() {
	defer close(l.stopped)
	batch := make([]byte, 0, batchSize)
	torn := false // the file ends in the middle of a line
	for {
		batch = batch[:0]
		if torn {
			batch = append(batch, '\n')
		}
		n := int64(0)
		select {
		case line := <-l.queue:
			batch, n = append(batch, line...), 1
		case <-l.stop:
		}
		for more := true; more && len(batch) < batchSize; {
			select {
			case line := <-l.queue:
				batch, n = append(batch, line...), n+1
			default:
				more = false
			}
		}
		if n == 0 {
			return // stopped, and nothing is left
		}
		written, err := l.w.Write(batch)
		if written > 0 {
			torn = batch[written-1] != '\n'
		}
		if err != nil {
			lost := int64(bytes.Count(batch[written:], []byte("\n")))
			if torn && written == 0 {
				lost-- // the end of what was lost before
			}
			l.lose(lost, err.Error())
		}
	}
}

func (l *Log) add(line []byte) {
	select {
	case l.queue <- line:
	default:
		l.lose(1, "transfers come faster than the file takes them")
	}
}

// lose counts lost lines, and says so once a minute.
func (l *Log) lose(n int64, why string) {
	total := l.lost.Add(n)
	now, last := time.Now().Unix(), l.told.Load()
	if now-last >= 60 && l.told.CompareAndSwap(last, now) {
		l.known.Store(total)
		l.problem.Error("lines of the xferlog were lost", "err", why, "lost", total)
	}
}

func transferLine(c protocol.Client, t protocol.Transfer, now time.Time) []byte {
	kind, direction, completion := byte('b'), byte('o'), byte('i')
	if t.ASCII {
		kind = 'a'
	}
	if t.Upload {
		direction = 'i'
	}
	if t.Result == protocol.Done {
		completion = 'c'
	}
	// At least one second, as the others have it: readers divide by it.
	seconds := max(1, int64(t.Took.Round(time.Second)/time.Second))
	return appendLine(nil, now, seconds, c, t.Bytes, t.Path, kind, direction, completion)
}

func appendLine(b []byte, now time.Time, seconds int64, c protocol.Client, bytes int64, path string, kind, direction, completion byte) []byte {
	b = now.AppendFormat(b, time.ANSIC)
	b = append(b, ' ')
	b = strconv.AppendInt(b, seconds, 10)
	b = append(b, ' ')
	b = append(b, word(c.Remote.Addr().String())...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, bytes, 10)
	b = append(b, ' ')
	b = append(b, word(path)...)
	access := byte('r')
	if c.Anonymous {
		access = 'a'
	}
	b = append(b, ' ', kind, ' ', '_', ' ', direction, ' ', access, ' ')
	b = append(b, word(c.User)...)
	b = append(b, " ftp 0 * "...)
	return append(b, completion, '\n')
}

// word is a name as one field.
func word(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
