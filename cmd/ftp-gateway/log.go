package main

import (
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// newLog makes the logger; the file is nil where the log goes to stderr.
func newLog(c config.Log, stderr io.Writer) (*slog.Logger, *logFile, error) {
	var w io.Writer = stderr
	var file *logFile
	if c.File != "" {
		file = &logFile{name: string(c.File)}
		if err := file.reopen(); err != nil {
			return nil, nil, err
		}
		w = file
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), file, nil
	}
	return slog.New(slog.NewTextHandler(w, o)), file, nil
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
