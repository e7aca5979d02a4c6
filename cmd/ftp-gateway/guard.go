package main

import (
	"log/slog"
	"net/netip"

	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/metrics"
)

// newGuard makes the guard of a configuration that has passed the checks.
func newGuard(cfg *config.Config, m *metrics.Metrics, log *slog.Logger) (*guard.Guard, error) {
	c := cfg.Guard
	var allow []netip.Prefix
	for _, s := range c.Allow {
		n, err := config.ParseNetwork(s)
		if err != nil {
			return nil, err
		}
		allow = append(allow, n)
	}
	g := guard.New(guard.Options{
		Failures: c.Failures, UserFailures: c.UserFailures, Window: c.Window, Ban: c.Ban,
		Delay: cfg.Limits.LoginDelay, MaxDelay: c.MaxDelay, Allow: allow, Log: log,
	})
	m.Guard(g.Bans, g.Active, func() int { return len(g.Slowed()) })
	return g, nil
}
