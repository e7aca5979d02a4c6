package config

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// Log is about the log.
type Log struct {
	// debug (each command and reply, passwords as stars), info (logins and transfers), warn, error. "ftp-gateway debug" shows
	// the lines at debug of single users or addresses while the server runs.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
	// text (key=value), json, or line: as pyftpdlib has it, for people to read.
	Format string `yaml:"format" enum:"text,json,line"`
	// How lines of sessions begin in the format line. Filled in are {remote} {remote_ip} {remote_port} {local} {local_ip}
	// {local_port} {user} {session} {host} (the virtual host) and {software} (what the client calls itself).
	Prefix string `yaml:"prefix"`
	// Write to this file instead of the standard error output. SIGHUP opens it anew, and so does SIGUSR1, which does nothing else.
	File Path `yaml:"file"`
	// Write a line for each file that is sent, received or deleted to this file, in the form of wu-ftpd's xferlog(5). It is
	// opened anew with the log.
	Xferlog Path `yaml:"xferlog"`
}

// Admin is about the socket for operators.
type Admin struct {
	// The Unix socket that the commands open; only the server's own user and root can. Its directory is made where it is missing.
	// Default: none. The commands look at /run/ftp-gateway/admin.sock by themselves.
	Socket Path `yaml:"socket"`
}

// DefaultPrefix is pyftpdlib's.
const DefaultPrefix = "{remote}-[{user}]"

// prefixNames are what may stand in braces in a prefix.
var prefixNames = []string{"{remote}", "{remote_ip}", "{remote_port}", "{local}", "{local_ip}", "{local_port}", "{user}", "{session}", "{host}", "{software}"}

// maxSocket is the longest name of a socket that all systems take, in bytes.
const maxSocket = 103

func (k *checker) log() {
	l := k.c.Log
	if bad := badBraces(l.Prefix, prefixNames); bad != "" {
		hint := didYouMean(bad, prefixNames)
		if len(bad) == 1 {
			hint = "names stand in braces, such as {user}"
		} else if hint == "" {
			hint = "replaced are " + strings.Join(prefixNames, " ")
		}
		k.errorf("log.prefix", hint, "%q holds %s", l.Prefix, bad)
	}
	if strings.ContainsFunc(l.Prefix, func(r rune) bool { return !unicode.IsPrint(r) }) {
		k.errorf("log.prefix", "", "holds a character that does not print")
	}
	if l.Prefix != DefaultPrefix && l.Format != "line" {
		k.warnf("log.prefix", "set log.format: line", "has no meaning in the format %s", l.Format)
	}
	type use struct{ at, name string }
	var files []use
	e := k.c.Events
	written := []use{{"log.file", string(l.File)}, {"log.xferlog", string(l.Xferlog)}, {"events.log.file", string(e.Log.File)}}
	if len(e.Webhooks)+len(e.Commands) > 0 { // else it is not opened
		written = append(written, use{"events.outbox", string(e.Outbox)})
	}
	for _, f := range written {
		if f.name == "" {
			continue
		}
		if i := slices.IndexFunc(files, func(o use) bool { return filepath.Clean(o.name) == filepath.Clean(f.name) }); i >= 0 {
			k.errorf(f.at, "", "%s is the file of %s already", f.name, files[i].at)
		}
		files = append(files, f)
		if isDir(f.name) {
			k.errorf(f.at, "name a file in it", "%s is a directory", f.name)
		} else if dir := filepath.Dir(f.name); !isDir(dir) {
			k.errorf(f.at, "make the directory, or correct the name", "there is no directory %s", dir)
		}
	}
}

func (k *checker) admin() {
	s := string(k.c.Admin.Socket)
	if s == "" {
		return
	}
	const at = "admin.socket"
	switch fi, err := os.Lstat(s); {
	case runtime.GOOS == "windows":
		k.errorf(at, "remove the key", "there is no such socket on Windows")
	case len(s) > maxSocket:
		k.errorf(at, "for example /run/ftp-gateway/admin.sock", "%s is too long for the name of a socket: %d bytes are the most", s, maxSocket)
	case err == nil && fi.Mode().Type() != os.ModeSocket:
		k.errorf(at, "name a file that does not exist", "%s is there already, and no socket", s)
	case err != nil && !os.IsNotExist(err):
		k.errorf(at, "", "%s: %s", s, pathless(err))
	default:
		// The directory itself is made at the start; the one above it has to be there.
		if up := filepath.Dir(filepath.Dir(s)); !isDir(filepath.Dir(s)) && !isDir(up) {
			k.errorf(at, "make the directory, or correct the name", "there is no directory %s", up)
		}
	}
}

func isDir(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && fi.IsDir()
}
