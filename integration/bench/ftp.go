package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ftpSession is a client that does as little as the protocol allows: its own
// work is taken from the cores that the server under test runs on.
type ftpSession struct {
	c    *net.TCPConn
	r    *bufio.Reader
	host string
}

// readBuffers are large, so that a download costs the client few system calls.
var readBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// login opens an anonymous session that moves bytes as they are.
func login(ctx context.Context, addr string) (*ftpSession, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		c.Close()
		return nil, err
	}
	s := &ftpSession{c: c.(*net.TCPConn), r: bufio.NewReaderSize(c, 512), host: host}
	s.limit(ctx, c)
	err = s.expect("the greeting", 220)
	for _, step := range []struct {
		line string
		code int
	}{{"USER anonymous", 331}, {"PASS bench@localhost", 230}, {"TYPE I", 200}} {
		if err == nil {
			_, err = s.command(step.line, step.code)
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("login: %w", err)
	}
	return s, nil
}

// limit lets nothing outlive the context's deadline.
func (s *ftpSession) limit(ctx context.Context, c net.Conn) {
	if d, ok := ctx.Deadline(); ok {
		c.SetDeadline(d)
	}
}

// reply reads an answer: its code and the text of its last line.
func (s *ftpSession) reply() (int, string, error) {
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		// The lines of a longer reply but the last have another fourth byte.
		if len(line) < 4 || line[3] != ' ' {
			continue
		}
		if code, err := strconv.Atoi(string(line[:3])); err == nil {
			return code, strings.TrimRight(string(line[4:]), "\r\n"), nil
		}
	}
}

func (s *ftpSession) expect(what string, want int) error {
	code, text, err := s.reply()
	if err == nil && code != want {
		err = fmt.Errorf("got %d %s, want %d", code, text, want)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// command sends a line and wants one code.
func (s *ftpSession) command(line string, want int) (string, error) {
	if _, err := io.WriteString(s.c, line+"\r\n"); err != nil {
		return "", err
	}
	code, text, err := s.reply()
	if err == nil && code != want {
		err = fmt.Errorf("got %d %s, want %d", code, text, want)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", line, err)
	}
	return text, nil
}

// transfer opens a passive data connection and begins a transfer over it.
func (s *ftpSession) transfer(ctx context.Context, line string) (net.Conn, error) {
	text, err := s.command("EPSV", 229)
	if err != nil {
		return nil, err
	}
	_, port, ok1 := strings.Cut(text, "(|||")
	port, _, ok2 := strings.Cut(port, "|)")
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("EPSV: no port in %q", text)
	}
	d, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.host, port))
	if err != nil {
		return nil, err
	}
	s.limit(ctx, d)
	if _, err := s.command(line, 150); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Put implements session with STOR.
func (s *ftpSession) Put(ctx context.Context, name string, size int64) error {
	d, err := s.transfer(ctx, "STOR /up/"+name)
	if err != nil {
		return err
	}
	for left := size; left > 0 && err == nil; {
		n := min(left, blockSize)
		_, err = d.Write(content()[:n])
		left -= n
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	return s.expect("STOR", 226)
}

// Get implements session with RETR.
func (s *ftpSession) Get(ctx context.Context, name string) (int64, error) {
	return s.receive(ctx, "RETR /up/"+name)
}

// receive counts what a command sends.
func (s *ftpSession) receive(ctx context.Context, line string) (int64, error) {
	d, err := s.transfer(ctx, line)
	if err != nil {
		return 0, err
	}
	b := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(b)
	var total int64
	for err == nil {
		var n int
		n, err = d.Read(*b)
		total += int64(n)
	}
	if err == io.EOF {
		err = nil
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return total, err
	}
	return total, s.expect(line, 226)
}

// Close leaves in order and waits until the server has ended the connection.
func (s *ftpSession) Close() error {
	defer s.c.Close()
	if _, err := s.command("QUIT", 221); err != nil {
		return err
	}
	s.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("after QUIT: %v instead of the connection's end", err)
	}
	return nil
}
