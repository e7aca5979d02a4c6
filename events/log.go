package events

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Log writes events as lines of JSON. It is safe for use by many goroutines.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	torn  bool   // the last line has no end: the disk was full
	types []Type // empty for all
}

// NewLog makes a log of the given types; none means all.
func NewLog(w io.Writer, types []Type) *Log { return &Log{w: w, types: types} }

// write writes one line with one Write.
func (l *Log) write(e Event) error {
	if len(l.types) > 0 && !slices.Contains(l.types, e.Type) {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn { // what is broken must not break this one too
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.w.Write(line)
	if err != nil {
		l.torn = l.torn || n > 0
		return fmt.Errorf("events: log: %w", err)
	}
	l.torn = false
	return nil
}
