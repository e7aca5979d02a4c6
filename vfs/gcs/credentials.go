package gcs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
)

// scope is what tokens are asked for: reading and writing objects, no
// administration of buckets.
const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// authenticated returns a client that puts a token into each request before rt sends it.
func authenticated(rt http.RoundTripper, agent string, creds *auth.Credentials) (*http.Client, error) {
	o := &httptransport.Options{
		// Measuring is the RoundTripper's work, given from outside.
		DisableTelemetry:      true,
		DisableAuthentication: creds == nil,
		Headers:               http.Header{"User-Agent": {agent}},
		BaseRoundTripper:      rt,
	}
	if creds != nil {
		o.Credentials = creds
	}
	c, err := httptransport.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("gcs: make client: %w", err)
	}
	return c, nil
}

// detect reads the credentials in file, or finds the environment's own. The file's
// kind is read from it: it is the operator's, and as trusted as the configuration that names it.
func detect(file string, exchange bool, rt http.RoundTripper) (*auth.Credentials, error) {
	// Tokens come through the same transport as all else: the same proxy, the same authorities.
	o := &credentials.DetectOptions{Scopes: []string{scope}, Client: &http.Client{Transport: rt}}
	if exchange {
		o.Scopes = []string{exchangeScope}
	}
	if file == "" {
		return credentials.DetectDefault(o)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kind struct {
		Type credentials.CredType `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	creds, err := credentials.NewCredentialsFromJSON(kind.Type, data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return creds, nil
}
