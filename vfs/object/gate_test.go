package object

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := func(ctx context.Context, body io.Reader) *http.Request {
			r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://store/", body)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		g := NewGate(2)
		enter := func(ctx context.Context) (func(), error) {
			return g.Enter(request(ctx, strings.NewReader("content")))
		}
		first, err := enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A request without content does not wait.
		leave, err := g.Enter(request(t.Context(), nil))
		if err != nil {
			t.Fatal(err)
		}
		leave()

		// Waiting ends with the context, and the body is closed.
		cause := errors.New("called off")
		ctx, cancel := context.WithCancelCause(t.Context())
		r, body := request(ctx, strings.NewReader("content")), &closing{}
		r.Body = body
		done := make(chan error)
		go func() { _, err := g.Enter(r); done <- err }()
		synctest.Wait()
		cancel(cause)
		if err := <-done; !errors.Is(err, cause) || !body.closed {
			t.Errorf("Enter: %v, closed %t; want the cause, and a closed body", err, body.closed)
		}

		// The others come in in their order.
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				leave, err := enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				order <- i
				leave()
			}()
			synctest.Wait()
		}
		if len(order) > 0 {
			t.Error("a third request is under way")
		}
		first()
		for want := range 3 {
			if i := <-order; i != want {
				t.Errorf("request %d was let in, want %d", i, want)
			}
		}
	})
}
