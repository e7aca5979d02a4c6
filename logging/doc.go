// Package logging is how the log looks, and who is heard in it: a handler of log/slog for lines like those of
// pyftpdlib, and a switch that shows the lines at Debug of single users or networks while the program runs.
//
//	rules := &logging.Rules{}
//	h, err := logging.New(logging.Options{Format: logging.Line, Prefix: logging.DefaultPrefix, Level: slog.LevelInfo, Rules: rules}, os.Stderr)
//	srv := &protocol.Server{Log: slog.New(h)} // if err is nil
//	rules.Set(logging.Rule{User: "cam7", Until: time.Now().Add(10 * time.Minute)})
//
// Whatever strangers choose, such as names of users and files, stays within its line and within its field: what does not print is
// written as an escape, in all formats.
package logging
