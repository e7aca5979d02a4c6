package protocol

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// maxLine bounds a command line. RFC 959 has no limit; a path of PATH_MAX (4096)
	// bytes with every byte doubled by Telnet still fits.
	maxLine = 8192 + 64
	// readSize is small because every idle session holds one.
	readSize = 512
)

var errLineTooLong = errors.New("line too long")

// Telnet's commands, RFC 854, and the lowest of them, RFC 1184.
const (
	telnetEOF  = 236
	telnetIAC  = 255
	telnetDont = 254
	telnetWill = 251
	telnetSB   = 250
	telnetSE   = 240
)

// lineReader reads command lines from a control connection, one at a time: the
// session reads for itself while it has nothing else to wait for, and lets a goroutine
// read for it during a transfer. Between two lines nobody touches the
// connection, so that TLS can be put over it.
type lineReader struct {
	conn net.Conn  // replaced by the session, only while no line is asked for
	got  chan line // one place, so that the goroutine can always end

	telnet telnetFilter
	text   []byte // the line so far
	bare   bool   // the last line ended with LF alone
	long   bool   // and it is too long
	buf    [readSize]byte
	r, w   int
}

// line is a command line without its end, or what came instead of one:
// errLineTooLong, after which reading can go on, or the connection's error.
type line struct {
	text []byte
	err  error
	bare bool // LF alone ended it
}

func newLineReader(conn net.Conn) *lineReader {
	return &lineReader{conn: conn, got: make(chan line, 1)}
}

// ask lets a goroutine read one line into got. It ends with the line or with the connection.
func (l *lineReader) ask() {
	l.conn.SetReadDeadline(time.Time{})
	go func() {
		text, err := l.readLine()
		l.got <- line{text, err, l.bare}
	}()
}

// read reads one line before the deadline.
func (l *lineReader) read(deadline time.Time, called func() bool) line {
	l.conn.SetReadDeadline(deadline)
	if called() {
		return line{err: os.ErrDeadlineExceeded}
	}
	text, err := l.readLine()
	return line{text, err, l.bare}
}

// begun reports whether bytes behind the last line have been read already.
func (l *lineReader) begun() bool {
	return l.r < l.w || len(l.text) > 0 || l.telnet != telnetFilter{}
}

// readLine returns the bytes up to LF, without it and one CR before it. Clients
// that send LF alone are understood. A time-out loses nothing: the next call goes on.
func (l *lineReader) readLine() ([]byte, error) {
	for {
		if l.r == l.w {
			n, err := l.conn.Read(l.buf[:])
			if n == 0 {
				if err == nil {
					err = io.ErrNoProgress
				}
				return nil, err
			}
			l.r, l.w = 0, n
		}
		for l.r < l.w {
			c, ok := l.telnet.next(l.buf[l.r])
			l.r++
			if !ok {
				continue
			}
			if c != '\n' {
				if len(l.text) < maxLine {
					l.text = append(l.text, c)
				} else {
					l.long = true
				}
				continue
			}
			text, long := l.text, l.long
			l.text, l.long = nil, false
			if long {
				return nil, errLineTooLong
			}
			l.bare = len(text) == 0 || text[len(text)-1] != '\r'
			if !l.bare {
				text = text[:len(text)-1]
			}
			return text, nil
		}
	}
}

// telnetFilter takes Telnet's commands out of a control connection (RFC 959
// section 3.2.1 lets a client send IAC IP IAC DM before ABOR) and turns IAC IAC
// and CR NUL back into the bytes they stand for. Nothing is ever negotiated.
type telnetFilter struct {
	state byte // what the next byte is: see the constants
	cr    bool // the byte before was CR
}

const (
	telnetData    = iota // data
	telnetCommand        // the byte behind IAC
	telnetOption         // the option behind WILL, WONT, DO, DONT
	telnetSub            // inside of a subnegotiation
	telnetSubIAC         // behind an IAC inside of a subnegotiation
)

// next takes one byte and returns the data byte that it completes, if any.
func (t *telnetFilter) next(c byte) (byte, bool) {
	switch t.state {
	case telnetCommand:
		t.state = telnetData
		switch {
		case c == telnetIAC:
			return c, true
		case c >= telnetWill && c <= telnetDont:
			t.state = telnetOption
		case c == telnetSB:
			t.state = telnetSub
		case c < telnetEOF:
			// No command: the byte behind IAC was lost on its way, since it was sent as urgent
			// data and a proxy, or the system, has taken it out of the stream.
			return t.data(c)
		}
		return 0, false
	case telnetOption:
		t.state = telnetData
		return 0, false
	case telnetSub:
		if c == telnetIAC {
			t.state = telnetSubIAC
		}
		return 0, false
	case telnetSubIAC:
		t.state = telnetSub
		if c == telnetSE {
			t.state = telnetData
		}
		return 0, false
	}
	if c == telnetIAC {
		t.state = telnetCommand
		return 0, false
	}
	return t.data(c)
}

// data passes a byte that is no part of a command.
func (t *telnetFilter) data(c byte) (byte, bool) {
	after := t.cr
	t.cr = c == '\r'
	if after && c == 0 {
		return 0, false // CR NUL is a bare CR, RFC 854
	}
	return c, true
}
