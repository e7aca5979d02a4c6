package protocol

// The lines that a client may send ahead during a transfer. Clients that pipeline send a
// handful; who sends more has lost its head, or wants to cost memory.
const (
	maxQueued      = 256
	maxQueuedBytes = 64 << 10
)

// lineQueue keeps the lines that wait for the end of a transfer, in their order. What does not fit is thrown
// away unread, and with it all that comes behind: a command that relies
// on one that was lost must not run. The control connection goes on being read, since an
// ABOR or the client's end may stand behind.
type lineQueue struct {
	lines []line
	bytes int
	lost  bool // lines have been thrown away; the session ends behind the ones that are kept
}

// push adds a line, or what was too long to be one.
func (q *lineQueue) push(l line) {
	if q.lost || len(q.lines) >= maxQueued || q.bytes+len(l.text) > maxQueuedBytes {
		q.lost = true
		return
	}
	q.lines = append(q.lines, l)
	q.bytes += len(l.text)
}

// pop takes the oldest line.
func (q *lineQueue) pop() (line, bool) {
	if len(q.lines) == 0 {
		return line{}, false
	}
	l := q.lines[0]
	q.lines[0] = line{}
	if q.lines = q.lines[1:]; len(q.lines) == 0 {
		q.lines = nil // an idle session keeps no memory for it
	}
	q.bytes -= len(l.text)
	return l, true
}

// empty reports whether nothing was sent ahead.
func (q *lineQueue) empty() bool { return len(q.lines) == 0 && !q.lost }
