package object

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// scratchDir holds what the program has to store beside the files: no client sees it.
const scratchDir = ".ftpgw/"

// scratch returns a new key for something of that kind.
func (t *tree) scratch(kind string) string {
	return t.hidden + kind + "/" + strings.ToLower(rand.Text())
}

// putOptions are those of a file with that name.
func (t *tree) putOptions(name string, absent bool) PutOptions {
	return PutOptions{IfAbsent: absent, ContentType: contentType(name), Metadata: t.o.Metadata, Tags: t.o.Tags}
}

// parks is where cut uploads are kept; nil for nowhere, and for work that neither leaves such nor goes on with one.
func (t *tree) parks(ctx context.Context) *Parks {
	if vfs.IsWhole(ctx) {
		return nil
	}
	return t.o.Parks
}

// put begins a file, and the right to park it where there is one.
func (t *tree) put(ctx context.Context, key string, o PutOptions) (Upload, *parking, error) {
	if t.parks(ctx) != nil {
		return t.o.Parks.begin(ctx, key, o)
	}
	u, err := t.store.Put(ctx, key, o)
	return u, nil, err
}

// parked describes the parked upload of key, whose size is what a client may count on, or the file that waits there for its
// rename. It has no Key where there is none.
func (t *tree) parked(ctx context.Context, key string) (Attrs, error) {
	if n, err := t.waits(ctx, key); err != nil || n != nil {
		if err == nil {
			return n.attrs(), nil
		}
		return Attrs{}, err
	}
	if t.parks(ctx) == nil {
		return Attrs{}, nil
	}
	pk, _, err := t.o.Parks.find(ctx, key)
	if errors.Is(err, errGone) || errors.Is(err, errSuperseded) {
		return Attrs{}, nil
	}
	if err != nil || pk == nil || pk.size == 0 {
		return Attrs{}, err
	}
	return Attrs{Key: key, Size: pk.size, ModTime: pk.note.mtime}, nil
}
