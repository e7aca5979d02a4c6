package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/metrics"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// serve runs a configuration that has passed all checks until a signal ends it,
// and returns an error if it could not start, or if a listener broke.
//
// The first SIGTERM or SIGINT lets transfers finish for the configured grace, the
// second ends them. SIGHUP opens the log files anew and reads the certificates and the users again; SIGUSR1 only
// does the former.
func serve(cfg *config.Config, warnings config.Report, stderr io.Writer, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	logs, err := newLog(cfg.Log, cfg.LocalTime, stderr)
	if err != nil {
		return refusal(cfg.Problem("log.file", err.Error(), ""))
	}
	log := logs.Logger
	if err := logs.openXferlog(cfg); err != nil {
		return err
	}
	defer logs.close()
	for _, w := range warnings {
		log.Warn("configuration", "problem", w.String())
	}

	m := metrics.New(buildVersion())
	var budget *object.Budget
	if hasBucket(cfg) {
		budget = object.NewBudget(cfg.Budget())
		m.UploadMemory(metrics.Memory{Limit: budget.Limit, InUse: budget.InUse, Reserved: budget.Reserved, Waiting: budget.Waiting})
	}
	stores, err := openBackends(ctx, cfg, budget, m, log)
	if err != nil {
		return err
	}
	defer stores.close()

	told, err := newEvents(cfg, m, log)
	if err != nil {
		return err
	}
	defer told.close()
	logins, err := newLogins(cfg, log)
	if err != nil {
		return err
	}
	srv, certs, err := newServer(ctx, cfg, logins, stores, m, log)
	if err != nil {
		return err
	}
	srv.Hooks = protocol.JoinHooks(protocol.JoinHooks(srv.Hooks, told.hooks()), logs.hooks())
	listeners, err := listen(cfg, certs)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	health := &metrics.Health{Checks: stores.checks(cfg), Log: log}
	var probes net.Listener
	if cfg.Metrics.Address != "" {
		if probes, err = bind(cfg, "metrics.address", cfg.Metrics.Address); err != nil {
			return err
		}
		defer probes.Close()
	}
	// The ports are ours; now the stores, so that a clash is told at once.
	if err := stores.checkAll(ctx, cfg, log); err != nil {
		return err
	}
	broken := make(chan error, len(listeners)+2)
	stopOperator, err := serveOperator(cfg, srv, budget, stores, health, logs, broken)
	if err != nil {
		return err
	}
	defer stopOperator()
	announce(cfg, listeners, probes, stores, srv, log)

	for _, l := range listeners {
		go func() { // ends with Shutdown or Close
			if err := srv.Serve(l); !errors.Is(err, protocol.ErrServerClosed) {
				broken <- fmt.Errorf("listener %s: %w", l.Addr(), err)
			}
		}()
	}
	if probes != nil {
		web := &http.Server{Handler: m.Handler(health), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
		defer web.Close()
		go func() { // ends with web.Close
			if err := web.Serve(probes); !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("metrics: %w", err)
			}
		}()
	}
	go stores.sweep(ctx, log)  // ends with ctx
	go logins.users.watch(ctx) // ends with ctx

	for {
		select {
		case err := <-broken:
			log.Error("a listener broke", "err", err)
			health.Stop()
			srv.Close()
			return err
		case s := <-signals:
			files := []*logFile{logs.file, logs.xferFile, told.file}
			switch {
			case s == syscall.SIGHUP:
				inTime(log, func() {
					logins.users.reload()
					reload(certs, files, log)
				})
				continue
			case slices.Contains(reopenSignals, s):
				log.Info("log files opened anew", "log_files", reopen(files, log))
				continue
			}
			log.Info("shutting down", "signal", s.String(), "grace", cfg.ShutdownGrace, "sessions", srv.Sessions())
			health.Stop()
			shutdown(srv, cfg.ShutdownGrace, cfg.Limits.Commit+hungAfter, signals, log)
			log.Info("stopped")
			return nil
		}
	}
}

// reloadPatience is how long the program waits for files that it reads again. A disk that hangs, or a pipe in the place of a
// file, must not keep it from its next signal.
const reloadPatience = 5 * time.Second

// inTime waits for f, but not for ever.
func inTime(log *slog.Logger, f func()) {
	done := make(chan struct{})
	go func() { // ends when the files answer
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(reloadPatience):
		log.Error("the files to be read anew do not answer, going on without them")
	}
}

// reload does what SIGHUP asks for.
func reload(certs *certificates, files []*logFile, log *slog.Logger) {
	opened := reopen(files, log)
	if certs != nil {
		if err := certs.reload(); err != nil {
			log.Error("the certificates cannot be read, the old ones stay in use", "err", err)
			return
		}
	}
	log.Info("reloaded", "certificates", certs != nil, "log_files", opened)
}

// reopen opens log files anew, and returns how many there are.
func reopen(files []*logFile, log *slog.Logger) (opened int) {
	for _, file := range files {
		if file == nil {
			continue
		}
		opened++
		if err := file.reopen(); err != nil {
			log.Error("the log file cannot be opened anew, the old one stays in use", "err", err)
		}
	}
	return opened
}

func hasBucket(cfg *config.Config) bool {
	for _, b := range cfg.Backends {
		if b.S3 != nil || b.GCS != nil {
			return true
		}
	}
	return false
}

// newServer makes the server of a configuration.
func newServer(ctx context.Context, cfg *config.Config, logins *logins, stores backends, m *metrics.Metrics, log *slog.Logger) (*protocol.Server, *certificates, error) {
	certs, err := newTLS(cfg)
	if err != nil {
		return nil, nil, refusal(cfg.Problem("tls.certificates", err.Error(), ""))
	}
	enc, err := config.LookupEncoding(cfg.Encoding)
	if err != nil {
		return nil, nil, refusal(cfg.Problem("encoding", err.Error(), ""))
	}
	profiles := newProfiles(cfg)
	settle := cfg.Cut.Settle
	if settle == 0 {
		settle = -1 // the zero value of the server's field means its default
	}
	expansion := cfg.Limits.Expansion
	if expansion == 0 {
		expansion = -1
	}
	guard, err := newGuard(cfg, m, log)
	if err != nil {
		return nil, nil, err
	}
	return &protocol.Server{
		Auth:                   logins.all,
		Guard:                  guard,
		OpenFS:                 stores.openFS(cfg.LocalTime),
		Log:                    log,
		Hooks:                  m.Hooks(),
		Banner:                 cfg.Banner,
		AllowCCC:               cfg.TLS.CCC,
		SessionReuse:           protocol.SessionReuse(cfg.TLS.SessionReuse),
		MaxSessions:            cfg.Limits.Connections,
		MaxPerIP:               cfg.Limits.PerIP,
		MaxPerUser:             cfg.Limits.PerUser,
		Upload:                 int64(cfg.Limits.Upload),
		Download:               int64(cfg.Limits.Download),
		TotalUpload:            int64(cfg.Limits.TotalUpload),
		TotalDownload:          int64(cfg.Limits.TotalDownload),
		MaxFileSize:            int64(cfg.Limits.FileSize),
		MinFree:                int64(cfg.Limits.FreeSpace),
		LoginTimeout:           cfg.Limits.Login,
		LoginAttempts:          cfg.Limits.LoginAttempts,
		IdleTimeout:            cfg.Limits.Idle,
		StallTimeout:           cfg.Limits.Stall,
		ConnectTimeout:         cfg.Limits.Connect,
		CommandTimeout:         cfg.Limits.Command,
		RenameTimeout:          cfg.Limits.Rename,
		PassivePorts:           protocol.PortRange(cfg.Passive.Ports),
		PassiveMatch:           protocol.Match(cfg.Passive.Match),
		PassiveAddress:         newPassiveAddress(ctx, cfg.Passive.Address, log),
		PermitForeignAddresses: cfg.Passive.PermitForeignAddresses,
		PermitPrivilegedPorts:  cfg.Passive.PermitPrivilegedPorts,
		CutSettle:              settle,
		CutGrace:               cfg.Cut.Grace,
		Profile: protocol.Profile{
			Name:                "default",
			ASCII:               protocol.ASCII(cfg.ASCII),
			Encoding:            enc,
			AcceptNoCloseNotify: cfg.Cut.CloseNotify == "accept",
			AcceptControlLost:   cfg.Cut.ControlLost == "accept",
		},
		Profiles:   profiles.byName,
		Hosts:      newHosts(cfg, logins, certs, profiles),
		Version:    buildVersion(),
		Encodings:  lookupEncoding,
		MaxHash:    unlimited(int64(cfg.Hash.MaxRead)),
		MaxHashes:  cfg.Hash.Concurrent,
		Owners:     protocol.Owners(cfg.Owners),
		LocalTime:  cfg.LocalTime,
		NoSendfile: !cfg.Sendfile,
		NoDeflate:  !cfg.ModeZ, MaxExpansion: expansion,
	}, certs, nil
}

// unlimited turns the document's 0 into the -1 of protocol.Server, where 0 is the default.
func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// listen binds all listeners, or none.
func listen(cfg *config.Config, certs *certificates) ([]protocol.Listener, error) {
	var all []protocol.Listener
	profiles := newProfiles(cfg)
	for i, l := range cfg.Listeners {
		nl, err := bind(cfg, fmt.Sprintf("listeners[%d].address", i), l.Address)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		pl := protocol.Listener{Listener: nl, TLS: protocol.TLSMode(cfg.TLSMode(l)),
			Profile: profiles.byName(l.Profile), Encoding: lookupEncoding(l.Encoding)}
		certs.listener(&pl, cfg.TLSOf(l))
		for _, r := range l.TLS.Require {
			pl.RequireTLSControl = pl.RequireTLSControl || r == "control"
			pl.RequireTLSData = pl.RequireTLSData || r == "data"
		}
		all = append(all, pl)
	}
	return all, nil
}

func closeAll(ls []protocol.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// bind listens on an address; its error names the key and says what can be done.
func bind(cfg *config.Config, key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	text, hint := err.Error(), ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		text, hint = "the address "+address+" is in use", "another server has the port; stop it or choose another port"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		text, hint = "no permission to listen on "+address, "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; 2121 needs neither"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		text, hint = "this machine does not have the address "+address, "leave the host out to listen on all addresses"
	}
	return nil, refusal(cfg.Problem(key, text, hint))
}

// announce writes the lines that an operator looks for after a start.
func announce(cfg *config.Config, listeners []protocol.Listener, probes net.Listener, stores backends, srv *protocol.Server, log *slog.Logger) {
	for _, l := range listeners {
		log.Info("listening", "address", l.Addr().String(), "tls", string(l.TLS),
			"require_tls_control", l.RequireTLSControl, "require_tls_data", l.RequireTLSData)
	}
	if probes != nil {
		log.Info("metrics", "address", probes.Addr().String())
	}
	masquerade := any("none")
	if a := cfg.Passive.Address; a.Host != "" {
		masquerade = a.Host
	} else if len(a.ByLocal) > 0 {
		masquerade = a.ByLocal
	}
	log.Info("started", "version", buildVersion(), "pid", os.Getpid(), "masquerade", masquerade, "passive_ports", cfg.Passive.Ports.String())
	for _, name := range cfg.BackendNames() {
		log.Info("back end", "name", name, "what", stores[name].what)
	}
	l := cfg.Limits
	log.Debug("limits", "connections", l.Connections, "per_ip", l.PerIP, "per_user", l.PerUser, "login_attempts", l.LoginAttempts, "login_delay", l.LoginDelay,
		"upload_budget", config.Size(cfg.Budget()).String())
	log.Debug("time-outs", "login", l.Login, "idle", l.Idle, "stall", l.Stall, "connect", l.Connect, "command", l.Command, "commit", l.Commit, "shutdown_grace", cfg.ShutdownGrace)
	log.Debug("settings", "banner", cfg.Banner, "sendfile", !srv.NoSendfile, "encoding", cfg.Encoding, "ascii", cfg.ASCII, "local_time", cfg.LocalTime,
		"passive_match", cfg.Passive.Match, "close_notify", cfg.Cut.CloseNotify, "control_lost", cfg.Cut.ControlLost)
}
