package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds what is read: some thousand bytes for each of many sessions.
const maxAnswer = 256 << 20

// Client asks a running program.
type Client struct {
	http http.Client
}

// NewClient makes a client for the socket at path. It opens nothing.
func NewClient(path string) *Client {
	return &Client{http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

// Close closes its connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks what goes on.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	st := &Status{}
	return st, c.do(ctx, http.MethodGet, "/v1/status", nil, st)
}

// EndSession ends a session.
func (c *Client) EndSession(ctx context.Context, id uint64) error {
	return c.do(ctx, http.MethodDelete, "/v1/sessions/"+strconv.FormatUint(id, 10), nil, nil)
}

// SetDebug shows the lines at debug that d names.
func (c *Client) SetDebug(ctx context.Context, d Debug) error {
	return c.do(ctx, http.MethodPut, "/v1/debug", d, nil)
}

// UnsetDebug shows them no more; an empty d means none at all.
func (c *Client) UnsetDebug(ctx context.Context, d Debug) error {
	return c.do(ctx, http.MethodDelete, "/v1/debug", d, nil)
}

// Unban ends the ban of an address, or those of all addresses of a network.
func (c *Client) Unban(ctx context.Context, address string) error {
	return c.do(ctx, http.MethodDelete, "/v1/bans", Unban{address}, nil)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("admin: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://ftp-gateway"+path, body)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		var f failure
		if err := d.Decode(&f); err != nil || f.Error == "" {
			return fmt.Errorf("admin: %s", resp.Status)
		}
		return errors.New(f.Error)
	}
	if out == nil {
		return nil
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}
