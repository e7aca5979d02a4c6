package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// In a tree that keeps cut uploads a COMB that fails leaves nothing, and one that is sent again adds nothing to what a
// cut upload has left under the target's name.
func TestCombineInATreeThatResumes(t *testing.T) {
	const part = 64 << 10
	store := object.NewMem(object.NewBudget(8<<20), part)
	parks, err := object.NewParks(store, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := object.New(store, object.Options{Parks: parks})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return tree.Session(), nil }
	})
	a, b := bytes.Repeat([]byte("a"), 2*part+5), []byte("b")
	store.Set("a", a)
	c := dial(t, s.addr).login()
	c.cmd(550, "COMB new a b")
	c.cmd(550, "SIZE new")
	store.Set("b", b)
	cut, err := tree.Create("/new")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cut.Write([]byte("cut")); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(cut, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	c.cmd(250, "COMB new a b")
	c.cmd(221, "QUIT")
	if got, _ := store.Object("new"); !bytes.Equal(got, append(a[:len(a):len(a)], b...)) {
		t.Errorf("the target has %d bytes, want %d", len(got), len(a)+len(b))
	}
	if keys := store.Keys(); len(keys) != 1 || store.Pending() != 0 {
		t.Errorf("the store has %q, and %d open uploads", keys, store.Pending())
	}
}

// meddled is a store in which somebody stores a new file "a" while "b" is read.
type meddled struct{ *object.Mem }

func (m meddled) GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, object.Attrs, error) {
	if key == "b" {
		m.Set("a", []byte("new"))
	}
	return m.Mem.GetRange(ctx, key, etag, off, n)
}

// What is stored under the name of a part after that was copied is another file, and stays.
func TestCombineKeepsWhatIsStoredMeanwhile(t *testing.T) {
	store := meddled{object.NewMem(object.NewBudget(8<<20), 64<<10)}
	tree, err := object.New(store, object.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return tree.Session(), nil }
	})
	store.Set("a", []byte("old"))
	store.Set("b", []byte("b"))
	c := dial(t, s.addr).login()
	if text := c.cmd(250, "COMB new a b"); !strings.Contains(text, "1 parts could not be removed") {
		t.Errorf("the reply is %q", text)
	}
	c.cmd(221, "QUIT")
	for name, want := range map[string]string{"new": "oldb", "a": "new"} {
		if got, _ := store.Object(name); string(got) != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	if keys := store.Keys(); len(keys) != 2 {
		t.Errorf("the store has %q", keys)
	}
}
