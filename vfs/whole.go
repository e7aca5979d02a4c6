package vfs

import "context"

type wholeKey struct{}

// Whole returns a context for work that makes a file out of others, as a copy does: in a tree that is bound to it a file is stored whole
// or not at all. Nothing of one that was given up is kept for a resume, as nobody would go on in its middle, and what a cut upload has left
// under the name is neither seen nor added to; it goes when the file is stored.
func Whole(ctx context.Context) context.Context { return context.WithValue(ctx, wholeKey{}, true) }

// IsWhole reports whether ctx is one of Whole.
func IsWhole(ctx context.Context) bool { return ctx.Value(wholeKey{}) != nil }
