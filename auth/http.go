package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// HTTP asks a service of the operator's by HTTP. It posts JSON:
//
//	{"user": "cam7", "password": "…", "remote": "192.0.2.7", "port": 40000,
//	 "tls": {"version": "TLS 1.3", "cipher": "…", "server_name": "…",
//	         "certificate": {"subject": "CN=cam7", "sha256": "…"}}}
//
// The key "tls" is there on an encrypted connection, "certificate" where the client has shown a verified one. The answer is:
//
//	200        the user may come in; the body is the account, which Account reads
//	401, 403   the user exists and may not come in
//	404        there is no such user: the next authenticator is asked
//
// Anything else, and no answer in time, means that nobody can tell. Redirects are not followed. The password is in the
// body of the request and nowhere else: no error holds it, nor the URL.
type HTTP struct {
	// URL is asked. Over plain http the passwords can be read on the way.
	URL string
	// Token, unless empty, is sent as "Authorization: Bearer".
	Token string
	// Secret, unless empty, signs requests as Standard Webhooks 1.0 says: headers webhook-id, webhook-timestamp and webhook-signature. It
	// is the key, or "whsec_" and the base64 of the key.
	Secret []byte
	// Timeout bounds each request; 0 means 10 s.
	Timeout time.Duration
	// Transport sends the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Account makes the account of a user out of the body of an answer. It has to set all but the name.
	Account func(body []byte) (*Account, error)
}

type httpRequest struct {
	User     string   `json:"user"`
	Password string   `json:"password"`
	Remote   string   `json:"remote"`
	Port     uint16   `json:"port"`
	TLS      *httpTLS `json:"tls,omitempty"`
}

type httpTLS struct {
	Version     string           `json:"version"`
	Cipher      string           `json:"cipher"`
	ServerName  string           `json:"server_name,omitempty"`
	Certificate *httpCertificate `json:"certificate,omitempty"`
}

type httpCertificate struct {
	Subject string `json:"subject"`
	SHA256  string `json:"sha256"`
}

// Authenticate implements [Authenticator].
func (h *HTTP) Authenticate(ctx context.Context, r Request) (*Account, error) {
	if CheckName(r.User) != nil {
		return nil, ErrUnknownUser // it could not stand for a directory
	}
	timeout := h.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := h.request(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("auth: http: %w", withoutURL(err))
	}
	client := &http.Client{Transport: h.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("auth: http: %w", withoutURL(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("%w: the service answers %d", ErrDenied, res.StatusCode)
	case res.StatusCode == http.StatusNotFound:
		return nil, ErrUnknownUser
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("auth: http: the service answers %d", res.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("auth: http: answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("auth: http: the answer is larger than %d bytes", maxAnswer)
	}
	a, err := h.Account(body)
	if err != nil {
		return nil, fmt.Errorf("auth: http: answer: %w", err)
	}
	a.Name = r.User
	return a, nil
}

func (h *HTTP) request(ctx context.Context, r Request) (*http.Request, error) {
	what := httpRequest{User: r.User, Password: r.Password, Remote: r.Remote.Addr().String(), Port: r.Remote.Port()}
	if st := r.TLS; st != nil {
		what.TLS = &httpTLS{Version: tls.VersionName(st.Version), Cipher: tls.CipherSuiteName(st.CipherSuite), ServerName: st.ServerName}
		if c := ClientCertificate(st); c != nil {
			sum := sha256.Sum256(c.Raw)
			what.TLS.Certificate = &httpCertificate{Subject: c.Subject.String(), SHA256: hex.EncodeToString(sum[:])}
		}
	}
	body, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "ftp-gateway")
	if h.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.Token)
	}
	if len(h.Secret) == 0 {
		return req, nil
	}
	sign, err := signer(h.Secret)
	if err != nil {
		return nil, err
	}
	id, now := rand.Text(), time.Now()
	signature, err := sign.Sign(id, now, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return req, nil
}

// signer signs with a secret: in the form that Standard Webhooks gives to secrets, "whsec_" and the base64 of the key, or the
// key itself.
func signer(secret []byte) (*standardwebhooks.Webhook, error) {
	if encoded, ok := strings.CutPrefix(string(secret), "whsec_"); ok {
		return standardwebhooks.NewWebhook(encoded)
	}
	return standardwebhooks.NewWebhookRaw(secret)
}

// withoutURL is an error of package net/http without the URL, in which an operator may have put a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
