package object

import (
	"path"
	"strings"
	"sync"
)

// stickyMax is how many directories a session remembers.
const stickyMax = 1024

// sticky is the set of directories that a session has seen or made. A bucket
// has no directories: one vanishes with its last object, which would surprise a
// client that stands in it. For the session they stay, and asking for them costs
// nothing. Names are clean; "/" is always in it.
type sticky struct {
	mu   sync.Mutex
	dirs map[string]struct{}
}

func (s *sticky) has(name string) bool {
	if name == "/" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.dirs[name]
	return ok
}

func (s *sticky) add(name string) {
	if name == "/" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirs == nil {
		s.dirs = make(map[string]struct{})
	}
	if _, ok := s.dirs[name]; !ok && len(s.dirs) >= stickyMax {
		for old := range s.dirs { // any: forgetting costs one request
			delete(s.dirs, old)
			break
		}
	}
	s.dirs[name] = struct{}{}
}

// addParent remembers the directory of something that exists.
func (s *sticky) addParent(name string) { s.add(path.Dir(name)) }

// forget drops a directory that has been removed and all below it.
func (s *sticky) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.dirs {
		if d == name || strings.HasPrefix(d, name+"/") {
			delete(s.dirs, d)
		}
	}
}
