package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/logging"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/xferlog"
)

// logs are what a configuration says about the log.
type logs struct {
	*slog.Logger
	level slog.Level
	rules *logging.Rules // whose lines at debug are shown whatever the level
	file  *logFile       // nil where the log goes to stderr
	lines bool           // the format is pyftpdlib's

	xferFile *logFile
	xfer     *xferlog.Log // nil for none
}

// newLog makes the logger.
func newLog(c config.Log, local bool, stderr io.Writer) (*logs, error) {
	l := &logs{rules: &logging.Rules{}, lines: c.Format == "line"}
	var w io.Writer = stderr
	if c.File != "" {
		l.file = &logFile{name: string(c.File)}
		if err := l.file.reopen(); err != nil {
			return nil, err
		}
		w = l.file
	}
	if err := l.level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, err
	}
	h, err := logging.New(logging.Options{Format: logging.Format(c.Format), Level: l.level, Rules: l.rules, Prefix: c.Prefix, Local: local}, w)
	if err != nil {
		return nil, err
	}
	l.Logger = slog.New(h)
	return l, nil
}

// openXferlog begins the transfer log, if there is to be one.
func (l *logs) openXferlog(cfg *config.Config) error {
	if cfg.Log.Xferlog == "" {
		return nil
	}
	l.xferFile = &logFile{name: string(cfg.Log.Xferlog)}
	if err := l.xferFile.reopen(); err != nil {
		return refusal(cfg.Problem("log.xferlog", err.Error(), ""))
	}
	l.xfer = xferlog.New(l.xferFile, cfg.LocalTime, l.Logger)
	return nil
}

// close writes what waits for the transfer log.
func (l *logs) close() {
	if l.xfer != nil {
		l.xfer.Close()
	}
}

// hooks write the transfer log, and what pyftpdlib says of each session, which others log at debug.
func (l *logs) hooks() protocol.Hooks {
	var h protocol.Hooks
	if l.xfer != nil {
		h = l.xfer.Hooks()
	}
	if l.lines {
		of := func(c protocol.Client) *slog.Logger {
			return slog.New(l.Handler().(protocol.LogHandler).WithClient(&c))
		}
		h.Connect = func(c protocol.Client) { of(c).Info("FTP session opened (connect)") }
		h.Disconnect = func(c protocol.Client, _ time.Duration) { of(c).Info("FTP session closed (disconnect).") }
	}
	return h
}

// logFile is a file that can be opened anew under its name, after somebody has
// moved it away (logrotate).
type logFile struct {
	name string
	mu   sync.Mutex
	f    *os.File
}

// reopen opens the file by its name; if that fails the old one stays in use.
func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
	}
	l.f = f
	return nil
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}
