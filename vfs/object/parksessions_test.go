package object_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// 32. Two sessions resume the same file: one gets vfs.ErrBusy, in one process and in two.
func Test32TwoSessions(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two processes=", two), func(t *testing.T) {
			p, m := newParks(t)
			cutUpload(t, p, "/f", whole[:parkPart+9])
			first, second := p, p
			if two {
				first, second = newProcess(t, m, p.b), newProcess(t, m, p.b)
			}
			// Both have seen the note before one of them takes it.
			var both sync.WaitGroup
			both.Add(2)
			m.Fault = func(_ context.Context, op string, _ int, key string) error {
				if two && op == "parts" {
					both.Done()
					both.Wait()
				}
				return nil
			}
			type result struct {
				f   afero.File
				err error
			}
			results := make(chan result, 2)
			for _, q := range []*process{first, second} {
				go func() {
					f, err := q.OpenAt("/f", parkPart+9)
					results <- result{f, err}
				}()
			}
			a, b := <-results, <-results
			if a.err != nil {
				a, b = b, a
			}
			if a.err != nil || !errors.Is(b.err, vfs.ErrBusy) {
				t.Fatalf("%v and %v; want one success and one vfs.ErrBusy", a.err, b.err)
			}
			m.Fault = nil
			if _, err := a.f.Write(whole[parkPart+9:]); err != nil {
				t.Fatal(err)
			}
			if err := a.f.Close(); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "f", whole)
		})
	}
}

// SIZE tells of a cut upload a moment before its session lets go of it: who goes on at once waits for that, and no longer than for a
// few seconds. One that is under way is refused at once.
func Test32ResumeWaitsForTheParking(t *testing.T) {
	const at = parkPart + 9
	whole := bytesOf(3 * parkPart)
	for name, test := range map[string]func(t *testing.T, p *process, resumed <-chan error, cancel, parked func()){
		"parked": func(t *testing.T, p *process, resumed <-chan error, _, parked func()) {
			parked()
			if err := <-resumed; err != nil {
				t.Errorf("REST and STOR: %v", err)
			}
		},
		"called off": func(t *testing.T, p *process, resumed <-chan error, cancel, parked func()) {
			cancel()
			if err := <-resumed; !errors.Is(err, context.Canceled) {
				t.Errorf("REST and STOR: %v, want context.Canceled", err)
			}
			parked()
		},
		"too long": func(t *testing.T, p *process, resumed <-chan error, _, parked func()) {
			start := time.Now()
			if err := <-resumed; !errors.Is(err, vfs.ErrBusy) || time.Since(start) > 10*time.Second {
				t.Errorf("REST and STOR: %v after %v, want vfs.ErrBusy after a few seconds", err, time.Since(start))
			}
			parked()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, m := newParks(t)
				var notes atomic.Int32
				stored, answer := make(chan struct{}), make(chan struct{})
				m.Lost = func(_ context.Context, op string, _ int, key string) error {
					// The first note is that of its beginning.
					if op == "single" && strings.HasPrefix(key, ".ftpgw/parked/") && notes.Add(1) == 2 {
						close(stored)
						<-answer
					}
					return nil
				}
				f := startUpload(t, p, "/f", whole[:at])
				if _, err := p.OpenAt("/f", parkPart); !errors.Is(err, vfs.ErrBusy) {
					t.Errorf("beside an upload under way: %v, want vfs.ErrBusy", err)
				}
				cut := make(chan error, 1)
				go func() { cut <- vfs.Abort(f, errors.New("cut")) }()
				<-stored
				if got := sizeOf(t, p, "/f"); got != at {
					t.Fatalf("SIZE %d, want %d", got, at)
				}
				ctx, cancel := context.WithCancel(t.Context())
				resumed := make(chan error, 1)
				go func() {
					f, err := vfs.OpenAt(vfs.WithContext(ctx, p.FS), "/f", at)
					if err == nil {
						if _, err = f.Write(whole[at:]); err == nil {
							err = f.Close()
						}
					}
					resumed <- err
				}()
				synctest.Wait()
				select {
				case err := <-resumed:
					t.Errorf("it does not wait: %v", err)
					resumed <- err
				default:
				}
				test(t, p, resumed, cancel, func() {
					close(answer)
					if err := <-cut; err != nil {
						t.Error(err)
					}
				})
				cancel()
				if name != "parked" {
					if err := goOn(p, "/f", at, whole[at:]); err != nil {
						t.Errorf("behind it: %v", err)
					}
				}
				wantOnly(t, m, "f", whole)
			})
		})
	}
}
