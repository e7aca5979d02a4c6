// Command ftp-gateway is an FTP and FTPS server whose disk is an object store or
// a local directory.
//
//	ftp-gateway                        share the current directory: anonymous, read only, port 2121
//	ftp-gateway serve --config FILE    serve what a configuration says
//	ftp-gateway check --config FILE    find every mistake in a configuration
//	ftp-gateway --help                 the rest
//
// It ends with 0 when it was told to end, 1 when something refused, 2 when it
// was called wrongly.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
