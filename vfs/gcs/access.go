package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials/downscope"
	"cloud.google.com/go/auth/credentials/impersonate"
	"cloud.google.com/go/auth/httptransport"
)

// mostAccesses is how many different credentials a Store keeps.
const mostAccesses = 4096

// Access is by which credentials requests are made. The zero value are the Store's own.
type Access struct {
	// Impersonate is the service account to act as, by its email address.
	Impersonate string
	// Confine exchanges the token for one that reaches only objects below
	// Prefix, by a Credential Access Boundary. It needs uniform bucket-level access.
	Confine bool
	// Prefix is empty or ends with a slash.
	Prefix string
}

// accesses are the Stores that As has returned.
type accesses struct {
	mu     sync.Mutex
	stores map[Access]*accessStore
}

type accessStore struct {
	store *Store
	used  time.Time // by a login
}

// As returns a Store on the same bucket whose requests are made by other
// credentials. It shares connections and memory with s, and tokens with all
// others that were returned for the same Access. Tokens are asked for when
// they are first needed. Closing it is not needed.
func (s *Store) As(ctx context.Context, a Access) (*Store, error) {
	if a == (Access{}) {
		return s, nil
	}
	if s.creds == nil {
		return nil, errors.New("gcs: without credentials there are none to exchange")
	}
	s.accesses.mu.Lock()
	defer s.accesses.mu.Unlock()
	if e := s.accesses.stores[a]; e != nil {
		e.used = time.Now()
		return e.store, nil
	}
	creds, err := s.exchange(a)
	if err != nil {
		return nil, err
	}
	own := &Store{bucket: s.bucket, project: s.project, part: s.part, budget: s.budget, limits: s.limits, set: s.set,
		transport: s.transport, rt: s.rt, agent: s.agent, base: s.base, accesses: s.accesses}
	own.noMove.Store(s.noMove.Load())
	// The client outlives the login that needs it first.
	if err := own.connect(context.WithoutCancel(ctx), creds); err != nil {
		return nil, err
	}
	if len(s.accesses.stores) >= mostAccesses {
		var oldest Access
		var since time.Time
		for k, e := range s.accesses.stores {
			if since.IsZero() || e.used.Before(since) {
				oldest, since = k, e.used
			}
		}
		delete(s.accesses.stores, oldest) // whoever still uses it keeps it
	}
	if s.accesses.stores == nil {
		s.accesses.stores = map[Access]*accessStore{}
	}
	s.accesses.stores[a] = &accessStore{own, time.Now()}
	return own, nil
}

// exchange returns the credentials of an access.
func (s *Store) exchange(a Access) (*auth.Credentials, error) {
	creds := s.creds
	if a.Impersonate != "" {
		client, err := httptransport.NewClient(&httptransport.Options{DisableTelemetry: true, Credentials: creds, BaseRoundTripper: s.rt})
		if err == nil {
			creds, err = impersonate.NewCredentials(&impersonate.CredentialsOptions{
				TargetPrincipal: a.Impersonate,
				Scopes:          []string{exchangeScope},
				Client:          client,
			})
		}
		if err != nil {
			return nil, fmt.Errorf("gcs: impersonate %q: %w", a.Impersonate, err)
		}
	}
	if a.Confine {
		var err error
		creds, err = downscope.NewCredentials(&downscope.Options{
			Credentials: creds,
			Client:      &http.Client{Transport: s.rt},
			Rules: []downscope.AccessBoundaryRule{{
				AvailableResource:    "//storage.googleapis.com/projects/_/buckets/" + s.bucket,
				AvailablePermissions: []string{"inRole:roles/storage.objectAdmin"},
				Condition:            &downscope.AvailabilityCondition{Expression: boundary(s.bucket, a.Prefix)},
			}},
		})
		if err != nil {
			return nil, fmt.Errorf("gcs: confine to %q: %w", a.Prefix, err)
		}
	}
	return creds, nil
}

// exchangeScope is what a token needs that is exchanged for another: the boundary, not the scope, confines it.
const exchangeScope = "https://www.googleapis.com/auth/cloud-platform"

// boundary is the condition, in CEL, that is true for objects and listings below prefix alone
// (https://cloud.google.com/iam/docs/downscoping-short-lived-credentials).
func boundary(bucket, prefix string) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
	}
	return fmt.Sprintf("resource.name.startsWith(%s) || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith(%s)",
		quote("projects/_/buckets/"+bucket+"/objects/"+prefix), quote(prefix))
}
