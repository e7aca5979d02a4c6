package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// soak is a long test of random uploads under random faults.
type soak struct {
	w    *world
	g    *gateway
	seed uint64
	want int64 // uploads with 226

	next   atomic.Int64 // numbers of uploads
	stored atomic.Int64 // with 226, found byte-equal and deleted
	size   atomic.Int64 // bytes of those
	failed atomic.Int64 // with another reply, or none
	silent atomic.Int64 // of those: whole in the bucket, as the gateway was killed before its reply
	kills  atomic.Int64
	ended  sync.Map // name to ended
	dice   struct {
		sync.Mutex
		*rand.Rand
		drawn map[string]int
	}
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestSoak lets 50 clients upload files of 1 byte to 40 MiB, while requests to the store are cut, swallowed and
// refused, answers are lost, and the gateway is killed every now and then. Every upload that was answered with 226
// is in the bucket, byte by byte, at that moment; of every other there is nothing, unless the gateway was killed
// between the store's answer and its own: then it is whole. In the end the janitor leaves no multipart upload open.
//
// SOAK_UPLOADS is how many uploads have to succeed, SOAK_KILL how many seconds lie between two kills, SOAK_SEED
// what the sizes and the faults come from.
func TestSoak(t *testing.T) {
	const workers = 50
	s := &soak{
		w:    newWorld(t, radosKind),
		seed: number(t, "SOAK_SEED", uint64(time.Now().UnixNano())),
		want: int64(number(t, "SOAK_UPLOADS", 500)),
	}
	t.Logf("SOAK_SEED=%d SOAK_UPLOADS=%d", s.seed, s.want)
	s.dice.Rand, s.dice.drawn = rand.New(rand.NewPCG(s.seed, 0)), map[string]int{}
	s.faults()
	s.g = newGateway(t, s.w, "limits: {per_ip: 0, login_delay: 0s}", "cut: {grace: 5s}")
	begin := time.Now()

	stop := make(chan struct{})
	var killer, clientsDone sync.WaitGroup
	every := time.Duration(number(t, "SOAK_KILL", 7)) * time.Second
	killer.Go(func() { // ends with stop
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				s.g.Kill()
				s.kills.Add(1)
				s.g.start(t, t)
			}
		}
	})
	for range workers {
		clientsDone.Go(func() { // ends when enough has been stored
			for s.stored.Load() < s.want && !t.Failed() {
				s.upload(t, s.next.Add(1))
			}
		})
	}
	clientsDone.Wait()
	close(stop)
	killer.Wait()
	took := time.Since(begin)

	s.w.proxy.Clear()
	s.swept(t)
	s.late(t)
	s.dice.Lock()
	t.Logf("%d uploads with 226, %d MiB, all byte-equal; %d without 226, of which nothing was visible but for %d that were whole when the gateway was killed; "+
		"%d kills; faults %v; %s", s.stored.Load(), s.size.Load()>>20, s.failed.Load(), s.silent.Load(), s.kills.Load(), s.dice.drawn, took.Round(time.Second))
	s.dice.Unlock()
}

// faults lets requests for objects fail by chance.
func (s *soak) faults() {
	writes := fault.Op("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
	slow := `<?xml version="1.0"?><Error><Code>%s</Code><Message>by chance</Message></Error>`
	for _, f := range []struct {
		name  string
		parts float64 // of a thousand
		rule  fault.Rule
	}{
		{"reset", 10, fault.Rule{Cut: true}},
		{"reset in the middle", 20, fault.Rule{CutAfter: 30_000}},
		{"black hole", 1, fault.Rule{Hang: true}},
		{"500", 20, fault.Rule{Status: 500, Body: fmt.Sprintf(slow, "InternalError")}},
		{"503", 20, fault.Rule{Status: 503, Body: fmt.Sprintf(slow, "SlowDown")}},
		{"lost reply", 20, fault.Rule{Lose: true}},
	} {
		f.rule.Match = func(r *http.Request) bool {
			if !writes(r) {
				return false
			}
			s.dice.Lock()
			defer s.dice.Unlock()
			if s.dice.Float64() >= f.parts/1000 {
				return false
			}
			s.dice.drawn[f.name]++
			return true
		}
		s.w.proxy.Add(f.rule)
	}
}

// body is the content of file number i.
func (s *soak) body(i int64) []byte {
	rnd := rand.New(rand.NewPCG(s.seed, uint64(i)))
	b := make([]byte, int(math.Exp(rnd.Float64()*math.Log(40<<20))))
	var key [32]byte
	for j := range key {
		key[j] = byte(rnd.Uint32())
	}
	rand.NewChaCha8(key).Read(b)
	return b
}

// late looks at what has come into the bucket after it was looked for: the store had all of it when the gateway was
// killed, and was slower than the next question. It has to be whole, and of an upload that got no reply at all; or of one
// that was found and deleted while an earlier try of the same request was still under way in the store. The object
// counts: a listing of Ceph's may still have the name of one that is gone.
func (s *soak) late(t *testing.T) {
	for _, name := range s.w.files(t, "") {
		v, _ := s.ended.Load(name)
		e, ok := v.(ended)
		got, err := s.w.store.Get(t.Context(), name)
		whole := ok && err == nil && bytes.Equal(got, s.body(e.number))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.Logf("%s, %v, is listed and not there", name, e)
		case whole && e.found:
			t.Logf("%s, %v, is there again behind its deletion", name, e)
		case whole && e.err != nil:
			s.silent.Add(1)
		default:
			t.Errorf("%s, %v, is left with %d bytes, %v", name, e, len(got), err)
		}
	}
}

// ended is what an upload came to.
type ended struct {
	number int64
	reply  int
	err    error // there was no reply
	found  bool  // it was whole in the bucket, as it may be, and was deleted
}

func (e ended) String() string {
	return fmt.Sprintf("number %d, which got %d (%v, found: %t)", e.number, e.reply, e.err, e.found)
}

// upload stores file number i and looks what has become of it.
func (s *soak) upload(t *testing.T, i int64) {
	body, name := s.body(i), fmt.Sprintf("soak-%06d.bin", i)
	reply, err := s.stor(t.Context(), name, body)
	e := ended{number: i, reply: reply, err: err}
	defer func() { s.ended.Store(name, e) }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, gerr := s.w.store.Get(ctx, name)
	switch {
	case err == nil && reply == 226:
		if gerr != nil || !bytes.Equal(got, body) {
			t.Errorf("%s of %d bytes got 226, and the bucket has %d bytes, %v", name, len(body), len(got), gerr)
			return
		}
		s.stored.Add(1)
		s.size.Add(int64(len(body)))
	case errors.Is(gerr, fs.ErrNotExist) && (err != nil || reply != 226):
		s.failed.Add(1)
		return
	case gerr != nil || !bytes.Equal(got, body):
		t.Errorf("%s of %d bytes got %d (%v), and the bucket has %d bytes, %v", name, len(body), reply, err, len(got), gerr)
		return
	case err == nil:
		t.Errorf("%s of %d bytes got %d, and is in the bucket all the same", name, len(body), reply)
	default:
		s.failed.Add(1)
		s.silent.Add(1)
	}
	e.found = true
	if err := s.w.store.(interface {
		Delete(context.Context, string) error
	}).Delete(ctx, name); err != nil {
		t.Error(err)
	}
}

// stor uploads as a device does, and returns the last reply. The error is of a session that ended without one.
func (s *soak) stor(ctx context.Context, name string, body []byte) (int, error) {
	c, err := clients.Login(ctx, s.g.target)
	if err != nil {
		// Between two lives of the gateway nobody answers.
		time.Sleep(50 * time.Millisecond)
		return 0, err
	}
	defer c.Close()
	d, err := c.Transfer(ctx, "STOR "+name)
	if err != nil {
		return 0, err
	}
	defer d.FIN()
	if _, err := d.Write(body); err != nil {
		// A refusal comes with the reply, a killed gateway has none.
		d.Close()
		r, err := c.ReadReply()
		return r.Code, err
	}
	if err := d.Close(); err != nil {
		return 0, err
	}
	r, err := c.ReadReply()
	return r.Code, err
}

// swept starts the gateway with a janitor that takes what is a second old, until no upload is open.
func (s *soak) swept(t *testing.T) {
	t.Helper()
	if err := s.g.Stop(patience); err != nil {
		t.Fatal(err)
	}
	open, err := s.w.store.Uploads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d multipart uploads were open before the janitor came", len(open))
	s.w.yaml = strings.TrimSuffix(s.w.yaml, "}") + ", abandon_after: 1s}"
	s.g = newGateway(t, s.w)
	attempt{}.janitor(t, t, s.w, s.g)
}
