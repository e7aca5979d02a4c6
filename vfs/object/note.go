package object

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// maxNote bounds what is read of an object that should be a note.
const maxNote = 64 << 10

// errBadNote: what should be a note is none.
var errBadNote = fmt.Errorf("not a note: %w", vfs.ErrUnavailable)

// note is what the store keeps of an upload that is under way or parked, or whole and waiting for a rename.
type note struct {
	Key      string            `json:"key"`
	ID       string            `json:"id,omitempty"`     // of the upload; empty where no part was stored
	Runs     []run             `json:"runs,omitempty"`   // which of its parts count
	Type     string            `json:"type,omitempty"`   // media type
	Absent   bool              `json:"absent,omitempty"` // PutOptions.IfAbsent
	Metadata map[string]string `json:"metadata,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Tail     string            `json:"tail,omitempty"` // key of the tail
	Off      int64             `json:"off,omitempty"`  // where the tail begins
	Size     int64             `json:"size,omitempty"` // of the tail
	Nonce    string            `json:"nonce"`          // makes each note another object
	By       string            `json:"by,omitempty"`   // the process that wrote it
	Age      time.Duration     `json:"age,omitempty"`  // how long before the note the writing began

	// Of an upload that waits for a rename: see held.go.
	Final string     `json:"final,omitempty"` // the key that it gets
	Whole int64      `json:"whole,omitempty"` // bytes
	At    time.Time  `json:"at,omitzero"`     // when it was whole
	Parts []heldPart `json:"parts,omitempty"` // unless they are too many for a note

	etag  string
	mtime time.Time
}

// run is a range of part numbers that were stored one behind the other. An open one has no last.
type run struct {
	First int `json:"first"`
	Last  int `json:"last,omitempty"`
}

// parked is an upload that can be continued.
type parked struct {
	note  note
	parts []Part // that count, without a hole
	last  int    // the highest number that the store has
	size  int64  // durable bytes, tail included
	tail  bool   // the tail follows the parts
}

func (p *Parks) noteKey(key string) string { return p.noteDir(path.Dir("/"+key)) + digest(key) }

// noteDir is the prefix of the notes of a directory's files.
func (p *Parks) noteDir(dir string) string {
	return p.prefix + "parked/" + digest(strings.Trim(dir, "/")) + "/"
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

func (p *Parks) scratch(kind string) string {
	return p.prefix + kind + "/" + strings.ToLower(rand.Text())
}

// read returns the note with that key; fs.ErrNotExist where there is none.
func (p *Parks) read(ctx context.Context, noteKey string) (note, error) {
	r, a, err := p.store.Get(ctx, noteKey, 0)
	if err != nil {
		return note{}, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxNote))
	if err != nil {
		return note{}, err
	}
	n := note{etag: a.ETag, mtime: a.ModTime}
	if err := json.Unmarshal(data, &n); err != nil {
		return note{etag: a.ETag}, fmt.Errorf("object: note %q: %w: %w", noteKey, errBadNote, err)
	}
	return n, nil
}

// since is when the writing of what was cut began, by the store's clock. What the name has got after that is newer, although the cut
// may have been seen, and noted, much later: a connection that has died is silent.
func (n note) since() time.Time { return n.mtime.Add(-n.Age) }

// target is the key that the store knows the upload by.
func (n note) target() string { return cmp.Or(n.Final, n.Key) }

// write stores a note in the place of the one that it was read from; another one there gives vfs.ErrBusy.
func (p *Parks) write(ctx context.Context, n note, o PutOptions) error {
	_, err := p.save(ctx, n, o)
	return err
}

// save is write that tells the note's ETag, empty where it is not known.
func (p *Parks) save(ctx context.Context, n note, o PutOptions) (string, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	o.ContentType = "application/json"
	etag, err := p.store.Save(ctx, p.noteKey(n.Key), newPlain(data, p.store.Sums()), o)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", vfs.ErrBusy, err)
	}
	return etag, err
}
