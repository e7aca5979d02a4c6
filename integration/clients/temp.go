package clients

import (
	"os"
	"path/filepath"
)

// tempName returns the name of a file below dir that does not exist yet, and
// what removes it again.
func tempName(dir string) (string, func(), error) {
	d, err := os.MkdirTemp(dir, "list")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(d, "out"), func() { os.RemoveAll(d) }, nil
}

func readNames(file string) ([]string, error) {
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil // an empty listing makes no file
	}
	return names(string(b)), err
}
