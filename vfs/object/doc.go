// Package object gives a bucket the shape of a file tree.
//
// A bucket is a flat set of keys. This package holds, once for all kinds of
// buckets, what makes a tree of it: how names become keys, what a directory is,
// how a listing is paged, when an upload is one request and when many, and how
// much memory all uploads together may take. A back end adds the requests: it
// implements [Store], and [Sink] for its uploads.
//
//	protocol ── afero.Fs ──► FS ── Store ──► s3, gcs, Mem
//	                          writer ──► Upload (NewUpload, Budget) ── Sink ──► s3, gcs, Mem
//
// # Directories
//
// A directory exists when a key lies below it ("d/x") or when it has a marker, an
// empty object "d/", which [FS.Mkdir] writes. A directory that was seen or made in a
// session stays there for that session, even without an object: see [FS.Session]. "d" and "d/x"
// can exist side by side; what asks for a file reaches the one, what asks for a
// directory the other, and a name alone means the file.
//
// # Renames
//
// A rename is a copy and a deletion, each of exactly what was seen before, so that an
// upload in between is never lost: see [FS.Rename]. Of a directory all is
// copied before anything is deleted. A store that can do better says so ([Mover], [PrefixMover]).
//
// # Uploads
//
// Nothing is visible before the file is closed, and [io.Closer.Close] returns nil only when the
// store has confirmed the whole object. A file that ends within its first part is one
// request. See [NewUpload] and [Budget].
//
// What is left of a cut upload can be kept for a resume: see [Parks]. A file whose name says that it will be renamed
// at once can wait for that, whole and unseen, and is then not copied: see [Options.Publish]. Notes of both
// are objects in the scratch place, by directory, so that a listing finds them with one request.
package object
