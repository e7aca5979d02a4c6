package config

import _ "embed"

// schema is made from the structs by the test that compares it with them: their types, comments and defaults, and two tags.
// enum has the words that are allowed. need is "yes" for a key that no document can do without, "one" where it takes
// one of the keys marked so, "some" for a text with a default that cannot be empty, and "no" for a struct whose own keys may all be left
// out. [Config.Check] is who asks for them.
//
//go:embed schema.json
var schema string

// Schema returns the JSON Schema of the document, for editors and other programs. It never refuses what [Load] accepts; what
// takes more than one key to see, or the files that a document names, only [Load] finds.
//
// It is of draft-07, the newest that editors of YAML agree on.
func Schema() string { return schema }
