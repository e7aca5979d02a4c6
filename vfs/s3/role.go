package s3

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// mostRoles is how many different roles a Store keeps the credentials of.
const mostRoles = 4096

// Role is a role that requests are made in: AssumeRole of STS, with the Store's own credentials.
type Role struct {
	ARN        string
	ExternalID string // where the role's trust asks for one
	// SessionName is what the store's own log shows. What STS does not take is replaced.
	SessionName string
	// Tags of the session can be used in the role's policies.
	Tags map[string]string
	// Policy, if there is one, takes from the role what it does not allow: see [Store.Confine].
	Policy string
	// Duration is how long credentials last before they are asked for anew. Default 1 hour.
	Duration time.Duration
	// Endpoint is the URL of STS; empty for Amazon's in the Store's region.
	Endpoint string
}

// key tells roles apart.
func (r Role) key() string {
	tags := make([]string, 0, len(r.Tags))
	for k, v := range r.Tags {
		tags = append(tags, k+"\x00"+v)
	}
	slices.Sort(tags)
	return strings.Join(append(tags, r.ARN, r.ExternalID, r.SessionName, r.Policy, r.Duration.String(), r.Endpoint), "\x01")
}

// allowed keeps of s what STS takes in names and in the values of tags.
func allowed(s, others string, most int) string {
	s = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(others, c) {
			return c
		}
		return '-'
	}, s)
	return s[:min(len(s), most)]
}

// As returns a Store on the same bucket whose requests are made in the role. It
// shares connections, memory and the list of uploads with s, and its
// credentials with all others that were returned for the same role. They are
// asked for when they are first needed, and anew five minutes before they
// expire. Closing it is not needed.
func (s *Store) As(r Role) *Store {
	key := r.key()
	s.roles.mu.Lock()
	defer s.roles.mu.Unlock()
	if e := s.roles.stores[key]; e != nil {
		e.used = time.Now()
		return e.store
	}
	if len(s.roles.stores) >= mostRoles {
		// Whoever still uses the one that was unused longest keeps it.
		oldest := ""
		for k, e := range s.roles.stores {
			if oldest == "" || e.used.Before(s.roles.stores[oldest].used) {
				oldest = k
			}
		}
		delete(s.roles.stores, oldest)
	}
	own := &Store{bucket: s.bucket, o: s.o, profile: s.profile, sizes: s.sizes, http: s.http, mu: s.mu, active: s.active, roles: s.roles}
	cache := s.assume(r)
	own.client = s3.New(s.client.Options(), func(o *s3.Options) {
		o.Credentials = cache
		o.Retryer = newRetryer(cache)
	})
	if s.roles.stores == nil {
		s.roles.stores = map[string]*roleStore{}
	}
	s.roles.stores[key] = &roleStore{own, time.Now()}
	return own
}

// roleStore is a Store in a role.
type roleStore struct {
	store *Store
	used  time.Time // by a login
}

// assume returns the credentials of a role.
func (s *Store) assume(r Role) *aws.CredentialsCache {
	base := s.client.Options()
	client := sts.New(sts.Options{
		Region: base.Region, Credentials: base.Credentials, HTTPClient: base.HTTPClient, Retryer: base.Retryer, Logger: base.Logger,
	}, func(o *sts.Options) {
		if r.Endpoint != "" {
			o.BaseEndpoint = aws.String(r.Endpoint)
		}
		o.EndpointOptions.UseDualStackEndpoint = base.EndpointOptions.UseDualStackEndpoint
		o.EndpointOptions.UseFIPSEndpoint = base.EndpointOptions.UseFIPSEndpoint
	})
	provider := stscreds.NewAssumeRoleProvider(client, r.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.Duration = r.Duration
		if o.Duration == 0 {
			o.Duration = time.Hour
		}
		if o.RoleSessionName = allowed(r.SessionName, "_+=,.@-", 64); len(o.RoleSessionName) < 2 {
			o.RoleSessionName = fmt.Sprintf("ftp-gateway%s", o.RoleSessionName)
		}
		if r.ExternalID != "" {
			o.ExternalID = &r.ExternalID
		}
		if r.Policy != "" {
			o.Policy = &r.Policy
		}
		for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
			o.Tags = append(o.Tags, types.Tag{Key: aws.String(k), Value: aws.String(allowed(r.Tags[k], " _.:/=+-@", 256))})
		}
	})
	return aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow })
}
