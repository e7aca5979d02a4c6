package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// typePrefix makes our types unique among everybody's, as CloudEvents asks for.
const typePrefix = "io.github.ftp-gateway."

// Webhook posts events to a URL: CloudEvents 1.0 in structured JSON
// (content type application/cloudevents+json), signed as Standard Webhooks 1.0
// says: headers webhook-id, webhook-timestamp (Unix seconds) and
// webhook-signature ("v1," and the base64 of HMAC-SHA-256 over "id.timestamp.body").
//
// Any 2xx is success. 410 Gone gives the event up; everything else is tried again.
type Webhook struct {
	url    string
	source string
	sign   *standardwebhooks.Webhook // nil without a secret
	client *http.Client
}

// NewWebhook makes a target. Source is the CloudEvents source, a URI reference that names this
// server. Secret is the key of the signature, or "whsec_" and its base64, empty for none; a timeout of 0 means 10 s.
func NewWebhook(url, source string, secret []byte, timeout time.Duration, transport http.RoundTripper) (*Webhook, error) {
	w := &Webhook{url: url, source: source, client: &http.Client{Timeout: timeout, Transport: transport,
		// A redirect would turn the POST into a GET, or send it to somebody unknown.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if timeout <= 0 {
		w.client.Timeout = 10 * time.Second
	}
	if len(secret) > 0 {
		var err error
		if w.sign, err = signer(secret); err != nil {
			return nil, fmt.Errorf("events: webhook secret: %w", err)
		}
	}
	return w, nil
}

// signer signs with a secret: in the form that Standard Webhooks gives to secrets, "whsec_" and the base64 of the key, or the
// key itself.
func signer(secret []byte) (*standardwebhooks.Webhook, error) {
	if encoded, ok := strings.CutPrefix(string(secret), "whsec_"); ok {
		return standardwebhooks.NewWebhook(encoded)
	}
	return standardwebhooks.NewWebhookRaw(secret)
}

// cloudEvent is the event as CloudEvents 1.0 has it.
func cloudEvent(e Event, source string) ([]byte, error) {
	c := cloudevents.New(cloudevents.CloudEventsVersionV1)
	c.SetID(e.ID)
	c.SetSource(source)
	c.SetType(typePrefix + string(e.Type))
	c.SetTime(e.Time)
	if e.Path != "" {
		c.SetSubject(string([]rune(e.Path))) // UTF-8, as package json makes it of the path in the data
	}
	if err := c.SetData(cloudevents.ApplicationJSON, e); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// Deliver implements Target.
func (w *Webhook) Deliver(ctx context.Context, e Event) error {
	body, err := cloudEvent(e, w.source)
	if err != nil {
		return &Refusal{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return &Refusal{err}
	}
	now := time.Now()
	r.Header.Set("Content-Type", cloudevents.ApplicationCloudEventsJSON+"; charset=utf-8")
	r.Header.Set("User-Agent", "ftp-gateway")
	r.Header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if w.sign != nil {
		signature, err := w.sign.Sign(e.ID, now, body)
		if err != nil {
			return &Refusal{err}
		}
		r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	res, err := w.client.Do(r)
	if u, ok := errors.AsType[*neturl.Error](err); ok {
		return u.Err // the URL may hold a secret of the receiver's, and the log has its name
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(res.Body, 512)) // for the log, and so that the connection is used again
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode == http.StatusGone:
		return &Refusal{fmt.Errorf("answer %s", res.Status)}
	}
	return fmt.Errorf("answer %s: %.200q", res.Status, said)
}
