package vfs

import "os"

// Owner returns the numbers of the user and the group whose file fi describes.
// It reports false where the tree has no such numbers, as in a bucket.
func Owner(fi os.FileInfo) (uid, gid uint32, ok bool) { return owner(fi.Sys()) }

// ID returns a text that is the same for what is the same file under several names, and different
// for different files of a tree as long as they exist. It reports false where the tree has none: in a bucket
// a file is its name and nothing else.
func ID(fi os.FileInfo) (string, bool) { return id(fi.Sys()) }
