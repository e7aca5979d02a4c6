package integration

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// cost is what a command costs in requests.
type cost struct {
	command string
	s3, gcs map[string]int // the least that it can do with
	run     func(c *clients.Conn) error
	// What it needs beside that, and why.
	moreS3, moreGCS map[string]int
	why             string
}

type requests = map[string]int

// stor uploads n bytes.
func stor(t *testing.T, name string, n int) func(*clients.Conn) error {
	return func(c *clients.Conn) error { return wantStored(c.Store(t.Context(), name, random(2, n))) }
}

func wantStored(r clients.Reply, err error) error {
	if err == nil && r.Code != 226 {
		err = fmt.Errorf("%q, want 226", r.Text)
	}
	return err
}

// line sends lines and wants the code for the last; those before it may answer what they like below 400.
func line(code int, lines ...string) func(*clients.Conn) error {
	return func(c *clients.Conn) error {
		for i, l := range lines {
			if i == len(lines)-1 {
				_, err := c.Expect(code, l)
				return err
			}
			if r, err := c.Cmd(l); err != nil || r.Code >= 400 {
				return fmt.Errorf("%s: %q, %v", l, r.Text, err)
			}
		}
		return nil
	}
}

func lists(t *testing.T, command string) func(*clients.Conn) error {
	return func(c *clients.Conn) error { _, err := c.List(t.Context(), command); return err }
}

func retr(t *testing.T, name string, rest int) func(*clients.Conn) error {
	return func(c *clients.Conn) error {
		if rest > 0 {
			if _, err := c.Expect(350, fmt.Sprintf("REST %d", rest)); err != nil {
				return err
			}
		}
		_, err := c.List(t.Context(), "RETR "+name)
		return err
	}
}

// TestRequestsPerCommand counts what each command asks of a store: money, and a round trip each. Each row
// begins with a new session, whose login and TYPE cost nothing. Where a row needs more than the least it
// says why.
func TestRequestsPerCommand(t *testing.T) {
	const large, first = 12 << 20, 5 << 20
	rows := []cost{
		{"USER PASS PWD CDUP REST TYPE NOOP", requests{}, requests{},
			line(200, "PWD", "CDUP", "REST 0", "TYPE I", "EPSV", "NOOP"), nil, nil, ""},
		{"CWD", requests{"ListObjectsV2": 1}, requests{"objects.list": 1}, line(250, "CWD /d"), nil, nil, ""},
		{"CWD twice", requests{"ListObjectsV2": 1}, requests{"objects.list": 1}, line(250, "CWD /d", "CWD /", "CWD /d"), nil, nil, ""},
		{"LIST", requests{"ListObjectsV2": 1}, requests{"objects.list": 1}, lists(t, "LIST /d"), requests{"GetObject": 1}, requests{"objects.media": 1}, "the name may be a file's, and is no directory that the session has seen"},
		{"MLSD", requests{"ListObjectsV2": 1}, requests{"objects.list": 1}, lists(t, "MLSD /d"), requests{"GetObject": 1}, requests{"objects.media": 1}, "as LIST"},
		{"NLST of nothing but its marker", requests{"ListObjectsV2": 1}, requests{"objects.list": 1}, lists(t, "NLST /empty"), requests{"GetObject": 1}, requests{"objects.media": 1}, "as LIST"},
		{"MLST of a file", requests{"HeadObject": 1}, requests{"objects.get": 1}, line(250, "MLST /d/f.bin"), nil, nil, ""},
		{"MLST of a directory", requests{"HeadObject": 1, "ListObjectsV2": 1}, requests{"objects.get": 1, "objects.list": 1}, line(250, "MLST /d"), nil, nil, ""},
		{"SIZE", requests{"HeadObject": 1}, requests{"objects.get": 1}, line(213, "SIZE /d/f.bin"), nil, nil, ""},
		{"MDTM", requests{"HeadObject": 1}, requests{"objects.get": 1}, line(213, "MDTM /d/f.bin"), nil, nil, ""},
		{"RETR small", requests{"GetObject": 1}, requests{"objects.media": 1}, retr(t, "/d/f.bin", 0), nil, nil, ""},
		{"RETR of nothing", requests{"GetObject": 1}, requests{"objects.media": 1}, retr(t, "/d/nil.bin", 0), requests{"HeadObject": 1}, requests{"objects.get": 1}, "no range fits an empty object: only its description tells that it is one"},
		{"REST RETR", requests{"GetObject": 1}, requests{"objects.media": 1}, retr(t, "/d/f.bin", 100), nil, nil, ""},
		{"STOR small", requests{"PutObject": 1}, requests{"objects.insert": 1}, stor(t, "/d/new.bin", 1000), nil, nil, ""},
		{"STOR of nothing", requests{"PutObject": 1}, requests{"objects.insert": 1}, stor(t, "/d/new.bin", 0), nil, nil, ""},
		{"STOR of the first part", requests{"PutObject": 1}, nil, stor(t, "/d/new.bin", first), nil, nil, ""},
		{"STOR large", requests{"CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1},
			requests{"resumable.start": 1, "resumable.chunk": 1, "resumable.last": 1}, stor(t, "/d/new.bin", large), nil, requests{"resumable.chunk": 1}, "the first part is sent before it is known that there is more than one"},
		{"camera: CWD PASV STOR", requests{"ListObjectsV2": 1, "PutObject": 1}, requests{"objects.list": 1, "objects.insert": 1},
			func(c *clients.Conn) error {
				if _, err := c.Expect(250, "CWD /d"); err != nil {
					return err
				}
				return stor(t, "img.jpg", 1000)(c)
			}, nil, nil, ""},
		{"STOU", requests{"PutObject": 1}, requests{"objects.insert": 1}, func(c *clients.Conn) error {
			d, err := c.Transfer(t.Context(), "STOU")
			if err != nil {
				return err
			}
			d.Write([]byte("x"))
			d.Close()
			return wantStored(c.ReadReply())
		}, requests{"HeadObject": 1}, requests{"objects.get": 1}, "the 150 tells the name, so it has to be free before the first byte"},
		{"DELE", requests{"HeadObject": 1, "DeleteObject": 1}, requests{"objects.delete": 1}, line(250, "DELE /d/f.bin"), nil, requests{"objects.get": 1}, "only the object that was seen is deleted"},
		{"MKD", requests{"ListObjectsV2": 1, "HeadObject": 1, "PutObject": 1}, requests{"objects.list": 1, "objects.get": 1, "objects.insert": 1}, line(257, "MKD /made"), nil, nil, ""},
		{"RMD", requests{"ListObjectsV2": 1, "DeleteObject": 1}, requests{"objects.list": 1, "objects.delete": 1}, line(250, "RMD /empty"), nil, nil, ""},
		{"RNFR RNTO", requests{"HeadObject": 1, "CopyObject": 1, "DeleteObject": 1}, nil, line(250, "RNFR /d/f.bin", "RNTO /d/g.bin"), requests{"ListObjectsV2": 1}, nil, "the target may be a directory"},
	}
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			if kind == s3Kind { // a server that deletes under a condition, as Amazon's
				w.yaml = strings.Replace(w.yaml, "{", "{profile: versitygw, ", 1)
			}
			// No janitor, whose requests would be counted too.
			w.option(map[string]string{s3Kind: "abandon_after: 0s", gcsKind: "resume_expire: 0s"}[kind])
			g := newGateway(t, w)
			for _, row := range rows {
				least, more := row.s3, row.moreS3
				if kind == gcsKind {
					least, more = row.gcs, row.moreGCS
				}
				if least == nil {
					continue
				}
				want := maps.Clone(least)
				for op, n := range more {
					want[op] += n
				}
				t.Run(row.command, func(t *testing.T) {
					for name, b := range map[string][]byte{"d/f.bin": random(1, 1000), "d/nil.bin": nil, "empty/": nil} {
						if err := w.store.Put(t.Context(), name, b); err != nil {
							t.Fatal(err)
						}
					}
					w.proxy.Clear()
					c := g.login(t, false)
					if err := row.run(c); err != nil {
						t.Fatal(err)
					}
					if err := c.Quit(); err != nil {
						t.Fatal(err)
					}
					g.waitNoSessions(t)
					if got := w.proxy.Counts(); !maps.Equal(got, want) {
						t.Errorf("requests %v, want %v (%s)", got, want, row.why)
					}
				})
			}
		})
	}
}
