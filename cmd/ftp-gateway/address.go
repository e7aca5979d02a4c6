package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// addressAge is how long a host name's address is used before it is looked up again.
const addressAge = time.Minute

// publicAddress is what PASV tells for one host of the configuration.
type publicAddress struct {
	host   string
	log    *slog.Logger
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu      sync.Mutex
	addr    netip.Addr // the last that was found
	asked   time.Time
	running bool
}

// newPassiveAddress returns the function for protocol.Server.PassiveAddress, nil
// where nothing is configured. Names are looked up now, and again when they are used
// after a minute; the old address is told until a new one is known.
func newPassiveAddress(ctx context.Context, c config.PassiveAddress, log *slog.Logger) func(netip.Addr) netip.Addr {
	if c.IsZero() {
		return nil
	}
	hosts := map[string]*publicAddress{}
	add := func(host string) {
		if host == "" || hosts[host] != nil {
			return
		}
		p := &publicAddress{host: host, log: log, lookup: net.DefaultResolver.LookupNetIP}
		if a, err := netip.ParseAddr(host); err == nil {
			p.addr = a.Unmap()
		} else {
			p.asked, p.running = time.Now(), true
			p.resolve(ctx)
		}
		hosts[host] = p
	}
	add(c.Host)
	for _, h := range c.ByLocal {
		add(h)
	}
	return func(local netip.Addr) netip.Addr {
		host, ok := c.ByLocal[local.Unmap()]
		if !ok {
			host = c.Host
		}
		if p := hosts[host]; p != nil {
			return p.get()
		}
		return netip.Addr{}
	}
}

// get returns the address without waiting.
func (p *publicAddress) get() netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked.IsZero() && !p.running && time.Since(p.asked) > addressAge {
		p.asked, p.running = time.Now(), true
		go p.resolve(context.Background()) // ends after 10 s at the latest
	}
	return p.addr
}

// resolve looks the name up; one at a time.
func (p *publicAddress) resolve(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := p.lookup(ctx, "ip4", p.host)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	switch {
	case err != nil:
		p.log.Warn("the passive address cannot be looked up", "host", p.host, "using", p.addr, "err", err)
	case len(found) > 0 && found[0].Unmap() != p.addr:
		p.addr = found[0].Unmap()
		p.log.Info("passive address", "host", p.host, "address", p.addr)
	}
}
