package main

import (
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"

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
		o.ReplaceAttr = printing
		return slog.New(slog.NewJSONHandler(w, o)), file, nil
	}
	return slog.New(slog.NewTextHandler(w, o)), file, nil
}

// printing escapes what does not print in texts of the JSON log, as the text log does by itself: what a stranger
// has named its file must not turn the lines on the screen of who reads the log. JSON
// asks for it in ASCII's control characters alone, and sees to these itself.
func printing(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(escape(v))
	case error:
		a.Value = slog.StringValue(escape(v.Error()))
	}
	return a
}

func escape(s string) string {
	odd := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
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
