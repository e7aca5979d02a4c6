// Package windows logs in the accounts of a Windows machine and of its domain: LogonUser
// checks the password, and the profile directory can be the home.
//
// Nobody's identity is taken: files are read and written by the account that the server runs as. The package compiles everywhere;
// [System] works on Windows only.
package windows
