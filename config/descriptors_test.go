package config

import "testing"

func TestDescriptors(t *testing.T) {
	for _, tt := range []struct {
		connections int
		limit       uint64
		want        string
	}{
		{1000, 3099, "1000 sessions that transfer need 3100 open files, and the system allows 3099"},
		{1000, 3100, ""},
		{1000, 0, ""}, // the system does not tell
		{0, 1024, ""}, // no limit of connections
		{1 << 30, 1<<64 - 1, ""},
	} {
		k := &checker{c: &Config{Limits: Limits{Connections: tt.connections}}}
		k.descriptors(tt.limit)
		got := ""
		for _, p := range k.report {
			if !p.Warning {
				t.Errorf("%d connections, %d files: %v is more than a warning", tt.connections, tt.limit, p)
			}
			got += p.Text
		}
		if got != tt.want {
			t.Errorf("%d connections, %d files: %q, want %q", tt.connections, tt.limit, got, tt.want)
		}
	}
}
