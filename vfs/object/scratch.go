package object

import (
	"crypto/rand"
	"strings"
)

// scratchDir holds what the program has to store beside the files: no client sees it.
const scratchDir = ".ftpgw/"

// scratch returns a new key for something of that kind.
func (t *tree) scratch(kind string) string {
	return t.hidden + kind + "/" + strings.ToLower(rand.Text())
}
