package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/events"
	"github.com/ftp-gateway/ftp-gateway/metrics"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// telling is what runs for the configuration's "events".
type telling struct {
	sinks  *events.Sinks // nil where nothing is to be told
	outbox *events.Outbox
	file   *logFile
	stop   context.CancelFunc
	all    sync.WaitGroup // the deliveries
}

// newEvents opens what the configuration names and begins to deliver what a run before has left.
func newEvents(cfg *config.Config, m *metrics.Metrics, log *slog.Logger) (*telling, error) {
	c := cfg.Events
	t := &telling{}
	if c.Log.File == "" && len(c.Webhooks)+len(c.Commands) == 0 {
		return t, nil
	}
	var lines *events.Log
	if c.Log.File != "" {
		t.file = &logFile{name: string(c.Log.File)}
		if err := t.file.reopen(); err != nil {
			return nil, refusal(cfg.Problem("events.log.file", err.Error(), ""))
		}
		if err := endLine(t.file); err != nil {
			return nil, refusal(cfg.Problem("events.log.file", err.Error(), ""))
		}
		lines = events.NewLog(t.file, eventTypes(c.Log.Types))
	}
	source := c.Source
	if source == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, refusal(cfg.Problem("events.source", "the host has no name: "+err.Error(), "set events.source"))
		}
		source = "/ftp-gateway/" + host
	}
	deliveries, receivers, err := newDeliveries(cfg, source, log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	if len(receivers) > 0 {
		if t.outbox, err = events.OpenOutbox(string(c.Outbox), c.OutboxMax, receivers); err != nil {
			stop()
			return nil, refusal(cfg.Problem("events.outbox", trimPackage(err), ""))
		}
		for i, d := range deliveries {
			t.all.Go(func() { d.Run(ctx, t.outbox, receivers[i].Name) }) // ends with close
			m.EventReceiver(receivers[i].Name, func() int { return t.outbox.Waiting()[receivers[i].Name] }, d.Counts)
		}
	}
	t.sinks = events.New(t.outbox, lines, log)
	m.EventsLost(t.sinks.Dropped)
	return t, nil
}

// newDeliveries makes the targets, and the names under which events wait for them.
func newDeliveries(cfg *config.Config, source string, log *slog.Logger) (ds []*events.Delivery, rs []events.Receiver, err error) {
	for i, w := range cfg.Events.Webhooks {
		target, err := events.NewWebhook(w.URL, source, []byte(w.Secret), w.Timeout, nil)
		if err != nil {
			return nil, nil, refusal(cfg.Problem(fmt.Sprintf("events.webhooks[%d]", i), trimPackage(err), ""))
		}
		ds = append(ds, &events.Delivery{Target: target, Parallel: w.Parallel, GiveUp: w.GiveUp, Log: log.With("receiver", w.Name)})
		rs = append(rs, events.Receiver{Name: w.Name, Types: eventTypes(w.Types)})
	}
	for i, p := range cfg.Events.Commands {
		target, err := events.NewCommand(p.Command, os.Environ(), p.Timeout)
		if err != nil {
			return nil, nil, refusal(cfg.Problem(fmt.Sprintf("events.commands[%d].command", i), trimPackage(err), ""))
		}
		ds = append(ds, &events.Delivery{Target: target, Parallel: p.Parallel, GiveUp: p.GiveUp, Attempts: p.Attempts, Log: log.With("receiver", p.Name)})
		rs = append(rs, events.Receiver{Name: p.Name, Types: eventTypes(p.Types)})
	}
	return ds, rs, nil
}

// endLine ends a line that a run before has left broken off, when the disk was full: the next event would become part of it.
func endLine(l *logFile) error {
	fi, err := os.Stat(l.name)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
		return err
	}
	f, err := os.Open(l.name)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it may be written and not read
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var last [1]byte
	if _, err := f.ReadAt(last[:], fi.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = l.Write([]byte{'\n'})
	return err
}

func eventTypes(names []string) []events.Type {
	types := make([]events.Type, 0, len(names))
	for _, n := range names {
		types = append(types, events.Type(n))
	}
	return types
}

// hooks are none where nothing is to be told.
func (t *telling) hooks() protocol.Hooks {
	if t.sinks == nil {
		return protocol.Hooks{}
	}
	return t.sinks.Hooks()
}

// close writes down what waits in memory. What is not delivered stays in the outbox.
func (t *telling) close() {
	if t.sinks == nil {
		return
	}
	t.sinks.Close()
	t.stop()
	t.all.Wait()
	if t.outbox != nil {
		t.outbox.Close()
	}
}
