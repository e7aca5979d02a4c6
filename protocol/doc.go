// Package protocol is the FTP server: it reads commands from control
// connections, moves files over data connections, and asks an afero.Fs for
// everything that has to do with files. It knows no back end, no metrics
// library and no configuration file.
//
// What is spoken: RFC 959 as amended by RFC 1123 section 4.1, FEAT and OPTS
// (RFC 2389), EPRT and EPSV (RFC 2428), UTF-8 names (RFC 2640), MDTM, SIZE,
// MLST, MLSD, TVFS and REST in stream mode (RFC 3659), AUTH, PBSZ, PROT and CCC with
// TLS (RFC 2228, RFC 4217), MODE Z (draft-preston-ftpext-deflate), MFMT and MFF (draft-somers-ftp-mfxx), HASH
// (draft-bryan-ftpext-hash), RANG (draft-bryan-ftp-range), MD5 and MMD5 (draft-twine-ftpmd5), AVBL, COMB, and the X-forms of
// RFC 775.
//
// One goroutine owns a session: it alone touches the session's fields and
// writes replies, so a session needs no locks, and an idle session is that one
// goroutine. During a transfer there are two more: one reads the next line of the
// control connection, one runs the transfer and hands its single outcome back
// over a channel. What a transfer asks of the tree before it begins, and commands that may take long, run
// beside the session in the same way. So a tree that blocks keeps nobody but who has asked it.
//
// A server needs an [auth.Authenticator] and [Server.OpenFS]; [Homes] makes the latter of any afero.Fs.
//
// 226 is sent after the file system's Close has returned nil, never before. An
// upload that the client's end breaks off is given up with [vfs.Abort].
package protocol
