package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/hashicorp/golang-lru/v2"
)

// cacheSize bounds how many logins a [Cache] remembers.
const cacheSize = 16 << 10

// Cache remembers for a while whom another authenticator, one that has to ask elsewhere, has let in. Devices tend to log in again for every file.
// No password is kept: what is remembered is a digest (HMAC-SHA-256 under a key that only this process has) of the
// user, the password, the client's address and its certificate. Refusals are not remembered.
type Cache struct {
	auth  Authenticator
	ttl   time.Duration
	now   func() time.Time
	key   [32]byte
	known *lru.Cache[[sha256.Size]byte, cached]
}

type cached struct {
	account *Account
	until   time.Time
}

// NewCache remembers what a says for as long as ttl; 0 is not at all.
func NewCache(a Authenticator, ttl time.Duration) (*Cache, error) {
	c := &Cache{auth: a, ttl: ttl, now: time.Now}
	if _, err := rand.Read(c.key[:]); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	var err error
	if c.known, err = lru.New[[sha256.Size]byte, cached](cacheSize); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return c, nil
}

// Authenticate implements [Authenticator].
func (c *Cache) Authenticate(ctx context.Context, r Request) (*Account, error) {
	key := c.digest(r)
	if k, ok := c.known.Get(key); ok && c.now().Before(k.until) {
		return k.account.clone(), nil
	}
	begun := c.now()
	a, err := c.auth.Authenticate(ctx, r)
	if err != nil {
		c.known.Remove(key)
		return nil, err
	}
	if c.ttl > 0 {
		c.known.Add(key, cached{a.clone(), begun.Add(c.ttl)})
	}
	return a, nil
}

func (c *Cache) digest(r Request) [sha256.Size]byte {
	h := hmac.New(sha256.New, c.key[:])
	addr := r.Remote.Addr().As16()
	if !r.Remote.IsValid() {
		addr = netip.IPv6Unspecified().As16()
	}
	h.Write(addr[:])
	var sum [sha256.Size]byte
	if cert := ClientCertificate(r.TLS); cert != nil {
		sum = sha256.Sum256(cert.Raw)
	}
	h.Write(sum[:])
	fmt.Fprintf(h, "%d:%s%s", len(r.User), r.User, r.Password)
	return [sha256.Size]byte(h.Sum(nil))
}

// clone is a copy whose maps are its own.
func (a *Account) clone() *Account {
	b := *a
	b.Mounts = maps.Clone(b.Mounts)
	return &b
}
