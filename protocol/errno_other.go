//go:build !unix

package protocol

// isConnErrno: without splice no call has to do with a file and a connection at once.
func isConnErrno(error) bool { return false }
