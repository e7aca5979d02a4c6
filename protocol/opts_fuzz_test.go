package protocol

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// OPTS, LANG, HOST, CLNT and CSID take whatever a stranger sends before any login: each line has one
// answer, a short one, and what is remembered stays small.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{"OPTS UTF8 ON", "OPTS UTF8 OFF", "OPTS MLST size;modify;", "OPTS MLST ;;;", "OPTS MODE Z LEVEL 9", "OPTS HASH SHA-256",
		"OPTS", "OPTS  ", "OPTS \xff", "LANG en-GB", "LANG -", "HOST [::1]", "HOST a.b.", "HOST [", "CLNT \x00\xd6", "CSID Name=;Version=;", "CSID =;=;", "CSID Name=a;Name=b"} {
		f.Add([]byte(s))
	}
	allowed := map[string]bool{"OPTS": true, "LANG": true, "HOST": true, "CLNT": true, "CSID": true}
	f.Fuzz(func(t *testing.T, line []byte) {
		verb, _ := parse(string(line))
		if !allowed[verb] || len(line) > maxLine {
			return
		}
		client, server := net.Pipe()
		answer := make(chan []byte, 1)
		go func() { // ends with the pipe
			b, _ := io.ReadAll(client)
			answer <- b
		}()
		srv := &Server{Log: slog.New(slog.DiscardHandler), Hosts: []Host{{Names: []string{"a.example.com"}}}}
		srv.Profile.Encoding = simplifiedchinese.GBK
		srv.init()
		s := &session{srv: srv, lis: &Listener{}, ctx: context.Background(), conn: server, raw: server, log: srv.log, facts: defaultFacts, data: noPromise{}}
		s.adopt()
		s.dispatch(line)
		server.Close()
		got := string(<-answer)
		lines := strings.Split(got, "\r\n")
		last := lines[max(0, len(lines)-2)]
		if len(last) < 4 || last[3] != ' ' || !strings.HasSuffix(got, "\r\n") || strings.ContainsAny(strings.ReplaceAll(got, "\r\n", ""), "\r\n\x00") {
			t.Errorf("%q is answered with %q", line, got)
		}
		if len(got) > 2048 || len(s.software) > maxSoftware {
			t.Errorf("%q: %d bytes of answer, %d remembered", line, len(got), len(s.software))
		}
	})
}
