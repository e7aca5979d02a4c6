package auth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestHTTP(t *testing.T) {
	const password = "pässword \"quoted\""
	secret := []byte("0123456789abcdef")
	release := make(chan struct{})
	defer close(release)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer t0ken" || got["password"] != password ||
			got["remote"] != "192.0.2.7" || got["port"] != 40000.0 || got["tls"] != nil {
			t.Errorf("%s %v %s", r.Method, r.Header, body)
		}
		wh, err := standardwebhooks.NewWebhookRaw(secret)
		if err == nil {
			err = wh.Verify(body, r.Header)
		}
		if err != nil {
			t.Errorf("signature: %v", err)
		}
		switch user, _ := got["user"].(string); user {
		case "hang":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "away":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "large":
			w.Write([]byte(strings.Repeat(" ", maxAnswer+1)))
		case "cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("{"))
		case "ok", "garbage":
			w.Write([]byte(user))
		default:
			code := map[string]int{"401": 401, "403": 403, "404": 404, "400": 400, "500": 500, "503": 503, "429": 429, "204": 204}[user]
			w.WriteHeader(code)
		}
	}))
	defer srv.Close()
	h := &HTTP{URL: srv.URL + "/auth?key=inurl", Token: "t0ken", Secret: secret, Account: func(body []byte) (*Account, error) {
		if string(body) != "ok" {
			return nil, errors.New("no account")
		}
		return &Account{Home: "disk:/"}, nil
	}}
	unclear := errors.New("neither")
	for user, want := range map[string]error{"ok": nil, "401": ErrDenied, "403": ErrDenied, "404": ErrUnknownUser, "a/b": ErrUnknownUser, "400": unclear,
		"500": unclear, "503": unclear, "429": unclear, "204": unclear, "away": unclear, "large": unclear, "cut": unclear, "garbage": unclear, "hang": unclear} {
		h.Timeout = 0
		if user == "hang" {
			h.Timeout = 50 * time.Millisecond
		}
		a, err := h.Authenticate(t.Context(), Request{User: user, Password: password, Remote: netip.MustParseAddrPort("192.0.2.7:40000")})
		known := errors.Is(err, ErrDenied) || errors.Is(err, ErrUnknownUser)
		switch {
		case want == nil && (err != nil || a.Name != user || a.Home != "disk:/"):
			t.Errorf("%s: %+v, %v", user, a, err)
		case want == unclear && (err == nil || known), want != nil && want != unclear && !errors.Is(err, want):
			t.Errorf("%s: %v, want %v", user, err, want)
		case err != nil && (strings.Contains(err.Error(), "ssword") || strings.Contains(err.Error(), "inurl")):
			t.Errorf("%s: the error tells too much: %v", user, err)
		}
	}
	srv.Close()
	if _, err := h.Authenticate(t.Context(), Request{User: "ok"}); err == nil || errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "inurl") {
		t.Errorf("nobody there: %v", err)
	}
}

// A secret as the libraries of Standard Webhooks make them is read as they read it.
func TestHTTPSecretOfStandardWebhooks(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	service, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = service.Verify(body, r.Header)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	h := &HTTP{URL: srv.URL, Secret: []byte(secret), Account: func([]byte) (*Account, error) { return &Account{}, nil }}
	if _, err := h.Authenticate(t.Context(), Request{User: "ann", Password: "x"}); err != nil {
		t.Error(err)
	}
}
