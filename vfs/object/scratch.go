package object

import (
	"crypto/rand"
	"mime"
	"path"
	"strings"
)

// scratchDir holds what the program has to store beside the files: no client sees it.
const scratchDir = ".ftpgw/"

// scratch returns a new key for something of that kind.
func (t *tree) scratch(kind string) string {
	return t.hidden + kind + "/" + strings.ToLower(rand.Text())
}

// contentType is the media type of a file by its name's extension, empty for the store's default.
func contentType(name string) string { return mime.TypeByExtension(path.Ext(name)) }
