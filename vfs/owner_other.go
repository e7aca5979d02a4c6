//go:build !unix

package vfs

func owner(any) (uid, gid uint32, ok bool) { return 0, 0, false }

func id(any) (string, bool) { return "", false }
