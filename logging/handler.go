package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// Format is how lines look.
type Format string

// The formats.
const (
	Text Format = "text" // key=value
	JSON Format = "json"
	Line Format = "line" // as pyftpdlib has it
)

// Options say how a log looks.
type Options struct {
	Format Format
	Level  slog.Level // of those whom no rule names
	Rules  *Rules     // nil for none
	Prefix string     // of lines of sessions in the format Line
	Local  bool       // tell times of the format Line in the zone of the machine instead of UTC
}

// Handler writes a log. It is a [protocol.LogHandler].
type Handler struct {
	out    output
	level  slog.Level
	rules  *Rules
	client *protocol.Client // whose lines these are; nil for nobody's
}

// output is a format. It writes whatever it is given.
type output interface {
	slog.Handler
	withClient(c *protocol.Client) output
}

var _ protocol.LogHandler = (*Handler)(nil)

// New makes a handler that writes to w, one Write for each line.
func New(o Options, w io.Writer) (*Handler, error) {
	h := &Handler{level: o.Level, rules: o.Rules}
	all := &slog.HandlerOptions{Level: slog.Level(-1 << 10)} // the Handler decides
	switch o.Format {
	case Text:
		h.out = attrs{slog.NewTextHandler(w, all)}
	case JSON:
		h.out = attrs{slog.NewJSONHandler(printing{w}, all)}
	case Line:
		p, err := parsePrefix(o.Prefix)
		if err != nil {
			return nil, err
		}
		h.out = &line{sink: &sink{w: w, prefix: p, local: o.Local}}
	default:
		return nil, fmt.Errorf("logging: no format %q", o.Format)
	}
	return h, nil
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level || level >= slog.LevelDebug && h.rules.debug(h.client)
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error { return h.out.Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(as []slog.Attr) slog.Handler {
	return &Handler{wrapped(h.out.WithAttrs(as)), h.level, h.rules, h.client}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{wrapped(h.out.WithGroup(name)), h.level, h.rules, h.client}
}

// WithClient implements protocol.LogHandler.
func (h *Handler) WithClient(c *protocol.Client) slog.Handler {
	return &Handler{h.out.withClient(c), h.level, h.rules, c}
}

// attrs is a handler of the standard library, in which the client is attributes.
type attrs struct{ slog.Handler }

func (a attrs) withClient(c *protocol.Client) output { return attrs{a.Handler.WithAttrs(c.LogAttrs())} }

// wrapped is a handler as an output again.
func wrapped(h slog.Handler) output {
	if o, ok := h.(output); ok {
		return o
	}
	return attrs{h}
}
