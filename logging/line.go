package logging

import (
	"context"
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// line writes lines such as
//
//	[I 2026-01-02 15:04:05] 192.0.2.7:40112-[cam7] STOR /a.jpg completed=1 bytes=48213 seconds=0.210 code=226
//
// where text and JSON have the same as attributes.
type line struct {
	sink   *sink
	client *protocol.Client
	prefix string // of the client, escaped
	attrs  []byte // of WithAttrs, as they are written
	group  string // of WithGroup, with its dot
}

// sink is where the lines of all clients go.
type sink struct {
	mu     sync.Mutex
	w      io.Writer
	prefix prefix
	local  bool
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// maxPooled is the largest buffer that is kept.
const maxPooled = 16 << 10

func (l *line) withClient(c *protocol.Client) output {
	return &line{sink: l.sink, client: c, prefix: l.sink.prefix.of(c), attrs: l.attrs, group: l.group}
}

// Enabled implements slog.Handler; see Handler.
func (l *line) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (l *line) WithAttrs(as []slog.Attr) slog.Handler {
	c := *l
	c.attrs = c.attrs[:len(c.attrs):len(c.attrs)]
	for _, a := range as {
		c.attrs = appendAttr(c.attrs, l.group, a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (l *line) WithGroup(name string) slog.Handler {
	c := *l
	if name != "" {
		c.group += name + "."
	}
	return &c
}

// Handle implements slog.Handler.
func (l *line) Handle(_ context.Context, r slog.Record) error {
	p := lines.Get().(*[]byte)
	b := l.append((*p)[:0], r)
	l.sink.mu.Lock()
	_, err := l.sink.w.Write(b)
	l.sink.mu.Unlock()
	if cap(b) <= maxPooled {
		*p = b
		lines.Put(p)
	}
	return err
}

func (l *line) append(b []byte, r slog.Record) []byte {
	b = append(b, '[', letter(r.Level), ' ')
	t := r.Time.UTC()
	if l.sink.local {
		t = r.Time.Local()
	}
	b = t.AppendFormat(b, time.DateTime)
	b = append(b, "] "...)
	if l.prefix != "" {
		b = append(b, l.prefix...)
		b = append(b, ' ')
	}
	said := false
	if l.client != nil && l.group == "" {
		b, said = appendWording(b, l.client, r)
	}
	if !said {
		b = appendText(b, r.Message)
		r.Attrs(func(a slog.Attr) bool { b = appendAttr(b, l.group, a); return true })
	}
	b = append(b, l.attrs...)
	return append(b, '\n')
}

func letter(l slog.Level) byte {
	switch {
	case l >= slog.LevelError:
		return 'E'
	case l >= slog.LevelWarn:
		return 'W'
	case l >= slog.LevelInfo:
		return 'I'
	}
	return 'D'
}

// appendAttr writes " key=value", a group as its members.
func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, m := range v.Group() {
			b = appendAttr(b, group, m)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	b = append(b, ' ')
	b = append(b, group...)
	b = appendText(b, a.Key)
	b = append(b, '=')
	return appendAny(b, v)
}

func appendAny(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendValue(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'f', 3, 64)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindDuration:
		return append(b, v.Duration().String()...)
	case slog.KindTime:
		return v.Time().AppendFormat(b, time.RFC3339)
	}
	switch x := v.Any().(type) {
	case error:
		return appendValue(b, x.Error())
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return appendValue(b, string(text))
		}
	}
	return appendValue(b, fmt.Sprint(v.Any()))
}
