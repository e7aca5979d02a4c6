package main

import (
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// TestLedger: who have the same home share one count, however its place is written.
func TestLedger(t *testing.T) {
	m := config.Moment{User: "joe", Time: time.Now()}
	for _, place := range []string{"disk:/homes/joe", "disk:/homes/joe/", "disk:/homes//{user}", "disk:/homes/./{user}"} {
		if got := ledger(m, place); got != "disk:/homes/joe" {
			t.Errorf("ledger of %q: %q", place, got)
		}
	}
	if got := ledger(m, "disk:"); got != ledger(m, "disk:/") {
		t.Errorf("ledger of the whole back end: %q", got)
	}
}
