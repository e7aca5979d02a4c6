package config

import _ "embed"

//go:generate go test -run Test(Defaults|Schema)File -update .

// The document is made from the comments in config.go by the test that
// compares them, so that there is one place to write them.
//
//go:embed defaults.yaml
var defaults string

// Defaults returns the documented defaults: a document that has every key with its
// comment, and means the same as an empty one.
func Defaults() string { return defaults }
