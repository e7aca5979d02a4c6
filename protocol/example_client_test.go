package protocol_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// serve lets a server of an example listen on a free port and returns its address. Shutdown ends it.
func serve(srv *protocol.Server, l protocol.Listener) (address string, stop func()) {
	var err error
	if l.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		panic(err)
	}
	go srv.Serve(l) // ends with stop
	return l.Addr().String(), func() { srv.Shutdown(context.Background()) }
}

// talk sends lines and prints the replies; the port in one to PASV is left out. A line "STOR name = text" uploads the text, and
// "RETR name" and "NLST" print what they get.
func talk(address string, lines ...string) {
	if err := conversation(address, lines); err != nil {
		fmt.Println(err)
	}
}

var passive = regexp.MustCompile(`,\d+,\d+\)`)

var transfers = regexp.MustCompile(`^((STOR|RETR|NLST)\b[^=]*?)(?: = (.*))?$`)

func conversation(address string, lines []string) error {
	c, err := textproto.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	say := func(line string) (string, error) {
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				return "", err
			}
		}
		code, text, err := c.ReadResponse(0)
		return fmt.Sprint(code, " ", text), err
	}
	if _, err := say(""); err != nil {
		return err
	}
	for _, line := range lines {
		m := transfers.FindStringSubmatch(line)
		if m == nil {
			reply, err := say(line)
			if err != nil {
				return err
			}
			fmt.Println(passive.ReplaceAllString(reply, ",p1,p2)"))
			continue
		}
		reply, err := say("EPSV")
		if err != nil {
			return err
		}
		p := port.FindStringSubmatch(reply)
		if p == nil {
			return fmt.Errorf("EPSV: %s", reply)
		}
		d, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", p[1]))
		if err != nil {
			return err
		}
		defer d.Close()
		if reply, err = say(m[1]); err != nil {
			return err
		}
		if reply[0] != '1' {
			fmt.Println(reply)
			continue
		}
		if m[2] == "STOR" {
			if _, err := io.WriteString(d, m[3]); err != nil {
				return err
			}
		} else {
			got, err := io.ReadAll(d)
			if err != nil {
				return err
			}
			fmt.Println(strings.TrimSpace(string(got)))
		}
		d.Close()
		if reply, err = say(""); err != nil {
			return err
		}
		fmt.Println(reply)
	}
	return nil
}

// untimed leaves the times and ports of a log out, which an example cannot foresee.
type untimed struct{ io.Writer }

var (
	logTime  = regexp.MustCompile(`^(\[[A-Z]) [^]]*\]`)
	logField = regexp.MustCompile(` (local|seconds)=\S+`)
)

func (u untimed) Write(p []byte) (int, error) {
	_, err := u.Writer.Write(logField.ReplaceAll(logTime.ReplaceAll(p, []byte("$1]")), nil))
	return len(p), err
}
