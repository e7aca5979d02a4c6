package clients

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// FileZilla is the graphical client, on a display of its own (Xvfb). It is given a queue of transfers in
// the file where it keeps it between two runs, and told by the keyboard (xdotool) to process it. When the queue is
// done it ends by itself.
type FileZilla struct {
	// Cert is the PEM file of the server's certificate, which FileZilla is told to trust.
	Cert string
}

// Job is a transfer for FileZilla.
type Job struct {
	Upload bool
	// Local is an absolute path; Dir and Name are the remote side, Dir below the root and without slashes in it.
	Local, Dir, Name string
	Size             int64
	// Resume goes on where the target ends; otherwise it is overwritten.
	Resume bool
}

// Installed returns an error when a part is missing.
func (FileZilla) Installed() error {
	return errors.Join(installed("filezilla"), installed("Xvfb"), installed("xdotool"), installed("python3"))
}

// settings keep FileZilla from asking and from calling home. 3 is "close FileZilla" when the queue is done.
const settings = `<?xml version="1.0"?>
<FileZilla3><Settings>
<Setting name="Greeting version">99.0.0</Setting>
<Setting name="Greeting resources"></Setting>
<Setting name="Update Check">0</Setting>
<Setting name="Queue completion action">3</Setting>
<Setting name="Number of Transfers">2</Setting>
<Setting name="Minimum TLS Version">2</Setting>
</Settings></FileZilla3>
`

// queueScript writes FileZilla's queue: its schema 7, which later versions still read.
const queueScript = `
import json, sqlite3, sys
q = json.load(sys.stdin)
c = sqlite3.connect(sys.argv[1])
c.executescript("""
CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL, port INTEGER, user TEXT, password TEXT, account TEXT, keyfile TEXT, protocol INTEGER, type INTEGER, logontype INTEGER, timezone_offset INTEGER, transfer_mode TEXT, max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER, post_login_commands TEXT, name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL, source_file TEXT, target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER, error_count INTEGER, priority INTEGER, flags INTEGER, default_exists_action INTEGER, extra_flags TEXT);
CREATE INDEX server_index ON files (server);
CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
PRAGMA user_version = 7;
""")
c.execute("INSERT INTO servers (id, host, port, user, password, protocol, type, logontype, timezone_offset, transfer_mode, max_connections, encoding, bypass_proxy) VALUES (1, ?, ?, ?, ?, ?, 0, 1, 0, ?, 0, 'Auto', 0)",
    (q["host"], q["port"], q["user"], q["password"], q["protocol"], q["mode"]))
for i, f in enumerate(q["files"], 1):
    c.execute("INSERT INTO local_paths VALUES (?, ?)", (i, f["local"]))
    c.execute("INSERT INTO remote_paths VALUES (?, ?)", (i, f["remote"]))
    c.execute("INSERT INTO files (server, source_file, target_file, local_path, remote_path, size, error_count, priority, flags, default_exists_action) VALUES (1, ?, ?, ?, ?, ?, 0, 2, ?, ?)",
        (f["source"], f["target"], i, i, f["size"], f["flags"], f["exists"]))
c.commit()
`

// Run does the jobs and returns when FileZilla has ended. Its home is below t.Dir. Connected tells whether the
// server has seen it: until then the key that begins is pressed again, since a window shows before it listens.
func (z FileZilla) Run(ctx context.Context, t Target, jobs []Job, connected func() bool) error {
	home, err := os.MkdirTemp(t.Dir, "filezilla")
	if err != nil {
		return err
	}
	conf := filepath.Join(home, ".config", "filezilla")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		return err
	}
	if err := z.configure(ctx, t, conf, jobs); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	display, stop, err := startDisplay(home)
	if err != nil {
		return err
	}
	defer stop()
	env := append(os.Environ(), "HOME="+home, "DISPLAY="+display, "LC_ALL=C.UTF-8", "NO_AT_BRIDGE=1", "XDG_CONFIG_HOME=", "DBUS_SESSION_BUS_ADDRESS=disabled:")
	var out strings.Builder
	cmd := exec.CommandContext(ctx, "filezilla")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, home, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // ends with FileZilla, which ends with the context
	if err := press(ctx, env, connected); err != nil {
		cancel()
		<-done
		return fmt.Errorf("filezilla: %w\n%s", err, tail(out.String()))
	}
	if err := <-done; err != nil {
		return fmt.Errorf("filezilla: %w (%v)\n%s", err, context.Cause(ctx), tail(out.String()))
	}
	return nil
}

// FileZilla's numbers for what it keeps in its queue.
const (
	fzExplicitTLS = 4
	fzPlain       = 6 // no AUTH TLS even where the server has it
	fzDownload    = 16
	fzOverwrite   = 1
	fzResume      = 5
)

// configure writes the settings, the certificate that is trusted and the queue.
func (z FileZilla) configure(ctx context.Context, t Target, conf string, jobs []Job) error {
	text, err := os.ReadFile(z.Cert)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s: no certificate in it", z.Cert)
	}
	// A host is either trusted by its certificate or known to be without TLS.
	trust := fmt.Sprintf(`<InsecureHosts><Host Port="%d">%s</Host></InsecureHosts>`, t.Port, t.Host)
	if t.TLS {
		trust = fmt.Sprintf(`<TrustedCerts><Certificate><Data>%s</Data><ActivationTime>%d</ActivationTime><ExpirationTime>%d</ExpirationTime>`+
			`<Host>%s</Host><Port>%d</Port><TrustSANs>0</TrustSANs></Certificate></TrustedCerts>`,
			hex.EncodeToString(block.Bytes), time.Now().Add(-time.Hour).Unix(), time.Now().Add(24*time.Hour).Unix(), t.Host, t.Port)
	}
	trust = `<?xml version="1.0"?>` + "\n<FileZilla3>" + trust + "</FileZilla3>\n"
	protocol, mode := fzPlain, "passive"
	if t.TLS {
		protocol = fzExplicitTLS
	}
	if t.Active {
		mode = "active"
	}
	files := []map[string]any{}
	for _, j := range jobs {
		dir, local := filepath.Split(j.Local)
		f := map[string]any{"local": dir, "size": j.Size, "exists": fzOverwrite, "source": local, "target": j.Name, "flags": 0,
			"remote": fmt.Sprintf("1 0 %d %s", len(j.Dir), j.Dir)}
		if !j.Upload {
			f["source"], f["target"], f["flags"] = j.Name, local, fzDownload
		}
		if j.Resume {
			f["exists"] = fzResume
		}
		files = append(files, f)
	}
	queue, err := json.Marshal(map[string]any{"host": t.Host, "port": t.Port, "user": t.User, "password": t.Password,
		"protocol": protocol, "mode": mode, "files": files})
	if err != nil {
		return err
	}
	if _, err := run(ctx, conf, string(queue), "python3", "-c", queueScript, "queue.sqlite3"); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(conf, "filezilla.xml"), []byte(settings), 0o600),
		os.WriteFile(filepath.Join(conf, "trustedcerts.xml"), []byte(trust), 0o600))
}

// startDisplay starts an X server on a display that it chooses, and returns what ends it.
func startDisplay(dir string) (string, func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
	cmd.Dir, cmd.ExtraFiles = dir, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return "", nil, err
	}
	stop := func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	// The number comes when the server is ready.
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("no display by Xvfb: %w", err)
	}
	return ":" + strings.TrimSpace(number), stop, nil
}

// press waits for FileZilla's window and presses Ctrl+P, "process queue", until it does.
func press(ctx context.Context, env []string, connected func() bool) error {
	xdotool := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "xdotool", args...)
		cmd.Env = env
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for n := 0; !connected(); n++ {
		// There is no window manager that gives the window the focus; it needs a moment to notice that it has it.
		if list, err := xdotool("search", "--onlyvisible", "--name", "FileZilla"); err == nil && list != "" {
			ids := strings.Fields(list)
			if _, err := xdotool("windowfocus", "--sync", ids[len(ids)-1]); err == nil && n%4 == 3 {
				xdotool("key", "ctrl+p")
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("its window did not take the key that begins")
		}
	}
	return nil
}
