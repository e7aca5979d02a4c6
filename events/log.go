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
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("events: log: %w", err)
	}
	return nil
}
