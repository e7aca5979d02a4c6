package object

// StickyDirs returns how many directories a session remembers.
func StickyDirs(f *FS) int {
	f.dirs.mu.Lock()
	defer f.dirs.mu.Unlock()
	return len(f.dirs.dirs)
}

// ExpireUploads removes what can be continued, as a lifecycle rule does.
func (m *Mem) ExpireUploads() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.uploads)
}

// LookEvery sets after how many bytes an upload looks whether another process has gone on with it.
func (p *Parks) LookEvery(n int64) { p.look = n }
