// Package unix logs in the accounts of the system: the users of /etc/passwd, with
// the passwords of /etc/shadow or, in a binary that is built with the tag "pam", through PAM.
//
// The files are read again at each login, as they are small and may change at any time. Reading
// /etc/shadow needs root, or the group shadow. An account that is locked ("!" or "*" before its hash), has no password, has
// expired, or whose password has been unusable for longer than the system allows, cannot log in.
package unix
