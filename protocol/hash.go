package protocol

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// digests are the algorithms, by their names in IANA's registry of textual names of hash functions, in
// the order of FEAT. CRC32 is that of XCRC: the polynomial of Ethernet and zip.
var digests = []struct {
	name string
	new  func() hash.Hash
}{
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }},
	{"MD5", md5.New},
	{"SHA-1", sha1.New},
	{"SHA-256", sha256.New},
	{"SHA-512", sha512.New},
}

// defaultDigest is what HASH answers with before OPTS HASH.
const defaultDigest = "SHA-256"

func newDigest(name string) hash.Hash {
	for _, d := range digests {
		if d.name == name {
			return d.new()
		}
	}
	return nil
}

var (
	errHashTooLarge = errors.New("more bytes than a digest may cost")
	errHashBusy     = errors.New("too many digests are being made")
)

// hashQueue is how long a command waits for others to end that read files for their digests.
const hashQueue = 30 * time.Second

// featHASH is the HASH line of FEAT: a star behind the algorithm in force.
func (s *session) featHASH() string {
	var b strings.Builder
	b.WriteString("HASH ")
	for _, d := range digests {
		b.WriteString(d.name)
		if d.name == s.files.digest() {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// optsHASH tells or chooses the algorithm of HASH, draft-bryan-ftpext-hash section 3.2:
// 200 with its name, 501 for one that is not known.
func (s *session) optsHASH(arg string) {
	arg = strings.ToUpper(strings.TrimSpace(arg))
	switch {
	case arg == "":
	case newDigest(arg) == nil:
		s.reply(501, "Unknown algorithm, still "+s.files.digest())
		return
	default:
		s.files.hash = arg
	}
	s.reply(200, s.files.digest())
}

// cmdRANG says which bytes the next RETR or HASH is about, draft-bryan-ftp-range: first and last, counted
// from 0, both included. "RANG 1 0" takes it back. 350; 501 for what is no range, which takes it back too.
func (s *session) cmdRANG(arg string) {
	r, ok := parseRange(arg)
	s.files.rang = r
	switch {
	case !ok:
		s.reply(501, "The first and the last byte are needed")
	case r == nil:
		s.reply(350, "The next RETR or HASH is about the whole file")
	default:
		s.rest = 0
		s.replyf(350, "The next RETR or HASH is about bytes %d to %d", r.from, r.to-1)
	}
}

// parseRange reads the argument of RANG; "1 0" is no range, and valid.
func parseRange(arg string) (*byteRange, bool) {
	f := strings.Fields(arg)
	if len(f) != 2 {
		return nil, false
	}
	first, ok1 := parseCount(f[0])
	last, ok2 := parseCount(f[1])
	switch {
	case !ok1 || !ok2 || last == math.MaxInt64:
		return nil, false
	case first == 1 && last == 0:
		return nil, true
	case last < first:
		return nil, false
	}
	return &byteRange{first, last + 1}, true
}

// byteRange are the bytes from from on, up to and without to.
type byteRange struct{ from, to int64 }

// takeRange returns what RANG said, which is for one command.
func (s *session) takeRange() *byteRange {
	r := s.files.rang
	s.files.rang = nil
	return r
}

// hashing is one digest to be made.
type hashing struct {
	p    string
	algo string
	rang *byteRange // nil for the whole file
	// strict refuses a range that goes beyond the end of the file, instead of ending there.
	strict bool
}

// hashed is a digest with the bytes it is of.
type hashed struct {
	sum      []byte
	from, to int64
}

// cmdHASH answers "213 algorithm first-last digest name", draft-bryan-ftpext-hash section 3;
// first and last are counted as in RANG. 552 without the permission to read, 553 for a
// directory, 556 for a file that is larger than Server.MaxHash.
func (s *session) cmdHASH(arg string) {
	rang := s.takeRange()
	p, ok := resolve(s.cwd, arg)
	if !ok {
		s.reply(501, "Invalid path")
		return
	}
	if !s.account.Permissions.AtFile(p).Has(auth.PermRead) {
		s.reply(552, "Not enough privileges")
		return
	}
	h := hashing{p: p, algo: s.files.digest(), rang: rang}
	s.beginWork("HASH", p, work{
		do: func(t *transfer, fsys afero.Fs) (answer, error) {
			d, err := s.srv.hash(t, fsys, h)
			if err != nil {
				return answer{}, err
			}
			return answer{213, fmt.Sprintf("%s %d-%d %x %s", h.algo, d.from, max(d.from, d.to-1), d.sum, arg)}, nil
		},
		refuse: hashRefusal(556, 553),
	})
}

// hashRefusal are the replies that differ between the commands.
func hashRefusal(tooLarge, dir int) func(error) replyTo {
	return func(err error) replyTo {
		switch {
		case errors.Is(err, errHashTooLarge):
			return replyTo{tooLarge, "File is too large for this"}
		case errors.Is(err, errHashBusy):
			return replyTo{450, "Too many files are being read for this, try again later"}
		case errors.Is(err, vfs.ErrIsDir):
			return replyTo{dir, "Is a directory"}
		case errors.Is(err, vfs.ErrBadOffset):
			return replyTo{501, "No such bytes in the file"}
		}
		return replyFor(err, asking)
	}
}

// xHash makes the handler of XCRC, XMD5 and so on: a name, in quotes or not, and perhaps the number of the byte to
// begin with and that of the one to end before. 250 and the digest in upper case, as the servers that brought these commands
// up answer; 550 for what cannot be read, 501 for bytes that the file does not have.
func xHash(verb, algo string) func(*session, string) {
	return func(s *session, arg string) {
		s.takeRange()
		name, bytes, given := arg, []int64(nil), false
		if strings.HasPrefix(strings.TrimLeft(arg, " "), `"`) {
			n, rest, ok := nextName(arg)
			over, numbers := trailingNumbers("x " + rest)
			if !ok || over != "x" {
				s.reply(501, "A path is needed, and perhaps two numbers of bytes")
				return
			}
			name, bytes, given = n, numbers, true
		}
		p, ok := resolve(s.cwd, name)
		if !ok {
			s.reply(501, "Invalid path")
			return
		}
		if !given {
			p, bytes = s.withoutNumbers(p, name)
		}
		h := hashing{p: p, algo: algo, strict: true}
		switch len(bytes) {
		case 1:
			h.rang = &byteRange{bytes[0], math.MaxInt64}
		case 2:
			h.rang = &byteRange{bytes[0], bytes[1]}
		}
		if r := h.rang; r != nil && r.from >= r.to {
			s.reply(501, "The end has to be behind the start")
			return
		}
		if !s.allowed(auth.PermRead, p) {
			return
		}
		s.beginWork(verb, p, work{
			do: func(t *transfer, fsys afero.Fs) (answer, error) {
				d, err := s.srv.hash(t, fsys, h)
				return answer{250, strings.ToUpper(hex.EncodeToString(d.sum))}, err
			},
			refuse: hashRefusal(550, 550),
		})
	}
}

// withoutNumbers takes numbers off the end of an unquoted name, unless there is a file of the whole name.
func (s *session) withoutNumbers(p, name string) (string, []int64) {
	short, bytes := trailingNumbers(name)
	if len(bytes) == 0 {
		return p, nil
	}
	fsys, done := s.bound()
	defer done()
	if _, err := vfs.StatFile(fsys, p); err == nil {
		return p, nil
	}
	q, _ := resolve(s.cwd, short) // it is part of a name that was valid
	return q, bytes
}

// cmdMD5 answers "251 name digest", draft-twine-ftpmd5 section 3.1: 504 for what is no file.
func (s *session) cmdMD5(arg string) {
	s.takeRange()
	name := arg
	if n, rest, ok := nextName(arg); ok && strings.HasPrefix(arg, `"`) && strings.TrimSpace(rest) == "" {
		name = n
	}
	s.md5("MD5", []string{name}, func(sums []string) answer { return answer{251, arg + " " + sums[0]} })
}

// cmdMMD5 answers "252 name digest, name digest", draft-twine-ftpmd5 section 3.2. Names are separated by
// commas; those with a comma in them are in quotes.
func (s *session) cmdMMD5(arg string) {
	s.takeRange()
	list, ok := commaNames(arg)
	if !ok {
		s.reply(501, "Paths are needed, with commas between them")
		return
	}
	s.md5("MMD5", list, func(sums []string) answer {
		for i := range sums {
			sums[i] = list[i] + " " + sums[i]
		}
		return answer{252, strings.Join(sums, ", ")}
	})
}

func (s *session) md5(verb string, list []string, say func([]string) answer) {
	paths := make([]string, len(list))
	for i, name := range list {
		p, ok := resolve(s.cwd, name)
		if !ok || name == "" {
			s.reply(501, "Invalid path")
			return
		}
		if !s.allowed(auth.PermRead, p) {
			return
		}
		paths[i] = p
	}
	s.beginWork(verb, paths[0], work{
		do: func(t *transfer, fsys afero.Fs) (answer, error) {
			var sums []string
			for _, p := range paths {
				d, err := s.srv.hash(t, fsys, hashing{p: p, algo: "MD5"})
				if err != nil {
					return answer{}, err
				}
				sums = append(sums, strings.ToUpper(hex.EncodeToString(d.sum)))
			}
			return say(sums), nil
		},
		refuse: hashRefusal(550, 504),
	})
}

// commaNames splits names at commas, spaces around them not counted.
func commaNames(arg string) ([]string, bool) {
	var all []string
	for {
		arg = strings.TrimLeft(arg, " ")
		var name string
		if strings.HasPrefix(arg, `"`) {
			// Inside quotes a comma is a comma; behind them only a comma may follow.
			end := 1
			for end < len(arg) && (arg[end] != '"' || strings.HasPrefix(arg[end:], `""`)) {
				if arg[end] == '"' {
					end++
				}
				end++
			}
			if end >= len(arg) {
				return nil, false
			}
			name, arg = strings.ReplaceAll(arg[1:end], `""`, `"`), strings.TrimLeft(arg[end+1:], " ")
			if arg != "" && arg[0] != ',' {
				return nil, false
			}
		} else {
			end := strings.IndexByte(arg, ',')
			if end < 0 {
				end = len(arg)
			}
			name, arg = strings.TrimRight(arg[:end], " "), arg[end:]
		}
		if name == "" {
			return nil, false
		}
		all = append(all, name)
		if arg == "" {
			return all, true
		}
		arg = arg[1:]
	}
}

// hash makes a digest. A tree that knows it is not asked for bytes; otherwise the file is
// read, by so many commands at a time as Server.MaxHashes says, and not beyond Server.MaxHash bytes.
func (s *Server) hash(t *transfer, fsys afero.Fs, h hashing) (hashed, error) {
	if h.rang == nil {
		sum, err := vfs.Hash(fsys, h.p, h.algo)
		if err == nil {
			var fi fs.FileInfo
			if fi, err = vfs.StatFile(fsys, h.p); err == nil {
				return hashed{sum, 0, fi.Size()}, nil
			}
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return hashed{}, err
		}
		h.rang = &byteRange{0, math.MaxInt64}
		h.strict = false
	}
	release, err := s.hashSlot(t.ctx)
	if err != nil {
		return hashed{}, err
	}
	defer release()
	f, err := vfs.OpenFrom(fsys, h.p, h.rang.from)
	if err != nil {
		return hashed{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return hashed{}, err
	}
	from, to := h.rang.from, h.rang.to
	if fi.IsDir() {
		return hashed{}, &fs.PathError{Op: "hash", Path: h.p, Err: vfs.ErrIsDir}
	}
	size := fi.Size()
	if from > 0 && from >= size || h.strict && to != math.MaxInt64 && to > size {
		return hashed{}, &fs.PathError{Op: "hash", Path: h.p, Err: vfs.ErrBadOffset}
	}
	to = min(to, size)
	if to-from > s.maxHash()-t.moved.Load() { // of all files that the command reads
		return hashed{}, errHashTooLarge
	}
	d := newDigest(h.algo)
	n, err := readInto(t, d, f, to-from)
	if err != nil {
		return hashed{}, err
	}
	return hashed{d.Sum(nil), from, from + n}, nil
}

// readInto reads up to n bytes of f, which its tree ends when the context of t is done.
func readInto(t *transfer, w io.Writer, f io.Reader, n int64) (int64, error) {
	b := bufferPool.Get().(*[]byte)
	defer bufferPool.Put(b)
	var done int64
	for done < n {
		if t.ctx.Err() != nil {
			return done, context.Cause(t.ctx)
		}
		got, err := f.Read((*b)[:min(int64(len(*b)), n-done)])
		if got > 0 {
			if _, werr := w.Write((*b)[:got]); werr != nil {
				return done, werr
			}
			done += int64(got)
			t.moved.Add(int64(got))
		}
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// hashSlot waits until the command may read a file, and returns what ends that.
func (s *Server) hashSlot(ctx context.Context) (func(), error) {
	limit := time.NewTimer(hashQueue)
	defer limit.Stop()
	select {
	case s.hashes <- struct{}{}:
		return func() { <-s.hashes }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-limit.C:
		return nil, errHashBusy
	}
}
