//go:build !linux

package main

import (
	"errors"

	"github.com/ftp-gateway/ftp-gateway/config"
)

func openUnix(string, *config.Unix, *wishes) (*backend, error) {
	return nil, errors.New("back ends of type unix are for Linux")
}
