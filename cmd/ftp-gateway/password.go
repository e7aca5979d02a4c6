package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

func newHashPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Read a password, print its hash for the configuration",
		Long: `Read a password and print its argon2id hash, which is what the key "password" of a user wants.
From a terminal the password is asked for twice and not shown; otherwise the standard input is the password, without the line
break at its end.`,
		Example: "  ftp-gateway hash-password\n  pass show cam7 | ftp-gateway hash-password",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return refused{fmt.Errorf("ftp-gateway: %w", err)}
			}
			hash, err := auth.Hash(password)
			if err != nil {
				return refused{errors.New("ftp-gateway: " + trimPackage(err))}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
			return asRefused(err)
		},
	}
}

func readPassword(in io.Reader, prompt io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		ask := func(what string) ([]byte, error) {
			fmt.Fprint(prompt, what)
			b, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(prompt)
			return b, err
		}
		first, err := ask("Password: ")
		if err != nil {
			return "", err
		}
		second, err := ask("Again: ")
		if err != nil {
			return "", err
		}
		if !bytes.Equal(first, second) {
			return "", errors.New("the two are not the same")
		}
		return string(first), nil
	}
	b, err := io.ReadAll(io.LimitReader(in, auth.MaxPassword+3))
	if err != nil {
		return "", err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(b, "\r\n") {
		return "", errors.New("a password has one line")
	}
	return string(b), nil
}
