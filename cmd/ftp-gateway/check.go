package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/events"
)

// load reads a configuration and finds all that is wrong with it, before anything of it is opened.
func load(file string) (*config.Config, config.Report) {
	cfg, report := config.Load(file)
	report = append(report, checkUsers(cfg)...)
	report = append(report, checkParts(cfg, report)...)
	report.Sort()
	return cfg, report
}

// checkParts finds what only the packages behind the keys know, and would refuse the start for: filters that cannot be read, PAM
// that is not built in, programs that are not there. What has been told of a part already is not told twice.
func checkParts(cfg *config.Config, told config.Report) config.Report {
	var r config.Report
	good := func(at string) bool {
		return !slices.ContainsFunc(told, func(p config.Problem) bool { return !p.Warning && strings.HasPrefix(p.Path, at) })
	}
	for _, source := range cfg.Auth {
		at := source + "_users"
		if source == "file" || !cfg.Configured(source) || !good(at) {
			continue
		}
		if _, err := newSource(cfg, source); err != nil {
			r = append(r, cfg.Problem(at, trimPackage(err), ""))
		}
	}
	for i, c := range cfg.Events.Commands {
		at := fmt.Sprintf("events.commands[%d]", i)
		if !good(at) {
			continue
		}
		if _, err := events.NewCommand(c.Command, os.Environ(), c.Timeout); err != nil {
			r = append(r, cfg.Problem(at+".command", trimPackage(err), "correct the name, or install the program"))
		}
	}
	return r
}

// trimPackage is the error's text without the names of packages, for people.
func trimPackage(err error) string {
	text := err.Error()
	for _, name := range []string{"auth: ", "unix: ", "windows: ", "ldap: ", "events: ", "exec: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}
