// Package events tells other programs what happens in a server: who came, what
// arrived, what was fetched, changed and broken off.
//
// Hooks turns the callbacks of package protocol into [Event] values. Each sink gets those that
// it asked for:
//
//   - [Webhook]: an HTTP POST of a CloudEvent 1.0, signed as Standard Webhooks says;
//   - [Command]: a program, with arguments and environment, never a shell;
//   - [Log]: a line of JSON in a file.
//
// Webhooks and commands stand behind an [Outbox], a file on disk. The event of an
// upload is in it before the client reads its 226, so that it survives whatever
// happens to the process and is delivered at least once. A receiver
// tells repetitions by the event's id. The other events are put there too, but nobody waits for
// that: some can be lost when the process is killed, and they are dropped, counted and
// logged when they come faster than the disk takes them, or faster than a receiver that is
// away leaves room for.
//
// A receiver that is slow or away never slows a session: events wait in the
// outbox, in no promised order, and are tried again with growing pauses. Only when the outbox has
// reached its limit do uploads fail (451), because their event could not be kept.
package events
