package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/admin"
	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/metrics"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// healthPatience is how long an operator waits for back ends that have to be asked; behind it the last known answer does.
const healthPatience = 500 * time.Millisecond

// serveOperator opens the socket for operators, if there is to be one, and answers until the returned function is called. What
// breaks is told to broken.
func serveOperator(cfg *config.Config, srv *protocol.Server, budget *object.Budget, stores backends, health *metrics.Health, log *logs, broken chan<- error) (stop func(), err error) {
	if cfg.Admin.Socket == "" {
		return func() {}, nil
	}
	l, err := admin.Listen(string(cfg.Admin.Socket))
	if err != nil {
		return nil, refusal(cfg.Problem("admin.socket", err.Error(), ""))
	}
	api := &admin.Server{Version: buildVersion(), Started: time.Now(), FTP: srv, Guard: srv.Guard.(*guard.Guard), Rules: log.rules, Level: log.level,
		Backends: func() []admin.Backend { return backendHealth(cfg, stores, health) }, Log: log.Logger}
	if budget != nil {
		api.Memory = func() *admin.Memory {
			return &admin.Memory{Limit: budget.Limit(), InUse: budget.InUse(), Reserved: budget.Reserved(), Waiting: budget.Waiting()}
		}
	}
	web := api.HTTP()
	go func() { // ends with stop
		if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			broken <- fmt.Errorf("admin socket: %w", err)
		}
	}()
	log.Info("admin socket", "path", l.Addr().String())
	return func() { web.Close() }, nil
}

func backendHealth(cfg *config.Config, stores backends, health *metrics.Health) []admin.Backend {
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	failed, degraded, ran := health.Latest(ctx)
	list := []admin.Backend{}
	for _, name := range cfg.BackendNames() {
		b := admin.Backend{Name: name, What: stores[name].what, Health: "ok"}
		switch check := checkName(name); {
		case ran.IsZero():
			b.Health = "unknown"
		case slices.Contains(failed, check):
			b.Health = "failed"
		case slices.Contains(degraded, check):
			b.Health = "degraded"
		}
		list = append(list, b)
	}
	return list
}

// defaultSocket is where the commands look if they are not told.
const defaultSocket = "/run/ftp-gateway/admin.sock"

// socketFlags are the options by which a command finds the running program.
type socketFlags struct{ socket, config string }

// find returns the path of the socket.
func (f *socketFlags) find(env func(string) (string, bool)) (string, error) {
	if f.socket != "" {
		return f.socket, nil
	}
	file := f.config
	if file == "" {
		file, _ = env("FTP_GATEWAY_CONFIG")
	}
	if file == "" {
		return defaultSocket, nil
	}
	// What else is wrong with it is none of this command's business, which may run as another user.
	cfg, report := config.Load(file)
	if cfg.Admin.Socket != "" {
		return string(cfg.Admin.Socket), nil
	}
	report = slices.DeleteFunc(report, func(p config.Problem) bool { return p.Warning || p.Line != 0 && !strings.HasPrefix(p.Path, "admin") })
	if report.Failed() {
		return "", refused{errors.New(report.String())}
	}
	return "", refused{fmt.Errorf("%s: there is no admin.socket (hint: add for example admin: {socket: %s}, and start the server again)", file, defaultSocket)}
}
