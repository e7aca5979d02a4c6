package object

import (
	"sync"
	"time"
)

// lookedFor is how long what a session has seen of a file stands for it in a rename.
const lookedFor = time.Minute

// looked is the file that a session has looked at last. RNFR looks at the file, and
// RNTO renames what RNFR has seen: that saves a request, and an object that
// was stored in between is not taken for it.
type looked struct {
	mu sync.Mutex
	a  Attrs
	at time.Time
}

func (l *looked) set(a Attrs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.a, l.at = a, time.Now()
}

// take returns what was seen of the key, once.
func (l *looked) take(key string) (Attrs, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, at := l.a, l.at
	l.a = Attrs{}
	return a, a.Key == key && a.ETag != "" && time.Since(at) < lookedFor
}
