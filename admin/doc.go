// Package admin lets an operator look into the running program, and act on it: a small HTTP API on a Unix socket that only
// the program's own user and root can open.
//
//	GET    /v1/status          what goes on: Status
//	DELETE /v1/sessions/{id}   ends a session; 404 if there is none
//	PUT    /v1/debug           Debug: shows the lines at debug of a user or network
//	DELETE /v1/debug           Debug: no more of it; all of them where it is empty
//	DELETE /v1/bans            Unban: ends the bans of an address or network; 404 if there are none
//
// Requests and answers are JSON; errors are {"error": "..."}. [Server] answers, [Client] asks.
package admin
