package auth

// Limits bound what an account may use beside what the server allows everybody. Zero is no limit of its own.
type Limits struct {
	// Upload and Download are bytes per second over all sessions of the account.
	Upload, Download int64
	// FileSize is the largest file that may be stored, in bytes.
	FileSize int64
	// Quota is what the account's home may hold; its zero value is anything.
	Quota Quota
}

// Quota bounds what is in a home.
type Quota struct {
	Bytes int64
	Files int64
}

// IsZero reports whether there is no bound.
func (q Quota) IsZero() bool { return q == Quota{} }
