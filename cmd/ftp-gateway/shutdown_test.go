package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// hanging is a tree as a dead NFS server's: calls do not come back.
type hanging struct {
	afero.Fs
	called chan struct{}
	free   chan struct{}
}

func (h hanging) Stat(string) (os.FileInfo, error) {
	select {
	case h.called <- struct{}{}:
	default:
	}
	<-h.free
	return nil, os.ErrNotExist
}

type anybody struct{}

func (anybody) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: auth.PermAll}}, nil
}

// A back end that hangs does not keep the program from ending.
func TestShutdownOfHungBackend(t *testing.T) {
	tree := hanging{afero.NewMemMapFs(), make(chan struct{}, 1), make(chan struct{})}
	defer close(tree.free)
	srv := &protocol.Server{
		Auth:   anybody{},
		OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil },
		Log:    slog.New(slog.DiscardHandler),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(protocol.Listener{Listener: l}) // ends with the shutdown
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { // ends with the connection
		io.WriteString(c, "USER joe\r\nPASS x\r\nSIZE f\r\n")
		io.Copy(io.Discard, bufio.NewReader(c))
	}()
	<-tree.called
	var log strings.Builder
	begin := time.Now()
	shutdown(srv, 10*time.Millisecond, 50*time.Millisecond, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if took := time.Since(begin); took < 60*time.Millisecond || !strings.Contains(log.String(), "sessions=1") {
		t.Errorf("after %v: %s", took, &log)
	}
}
