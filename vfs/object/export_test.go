package object

// StickyDirs returns how many directories a session remembers.
func StickyDirs(f *FS) int {
	f.dirs.mu.Lock()
	defer f.dirs.mu.Unlock()
	return len(f.dirs.dirs)
}
