package config

// A session has its control connection, and while it transfers a data connection and the connection to the
// store, or the file. The rest is for listeners, logs and what the program does itself.
const (
	sessionFiles = 3
	ownFiles     = 100
)

// descriptors warns when there are fewer descriptors than the sessions can need; limit 0 is for a system that does not tell.
// Go has raised the soft limit to the hard one by now.
func (k *checker) descriptors(limit uint64) {
	n := k.c.Limits.Connections
	if n <= 0 || limit == 0 {
		return
	}
	if need := uint64(n)*sessionFiles + ownFiles; need > limit {
		k.warnf("limits.connections", "LimitNOFILE= of systemd, ulimit -n, or fewer connections",
			"%d sessions that transfer need %d open files, and the system allows %d", n, need, limit)
	}
}
