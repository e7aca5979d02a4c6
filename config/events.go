package config

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Events tells other programs what happens.
type Events struct {
	// The file that keeps events until webhooks and commands have taken them. The event of an upload is in it
	// before the client reads its 226. Needed for webhooks and commands; for one process at a time.
	Outbox Path `yaml:"outbox"`
	// Events that may wait for one receiver. Behind that uploads are refused (451) rather than not told.
	OutboxMax int `yaml:"outbox_max"`
	// What CloudEvents call this server. Default: /ftp-gateway/ and the name of the host.
	Source string `yaml:"source"`
	// A line of JSON for each event.
	Log EventLog `yaml:"log"`
	// Receivers of HTTP requests, one CloudEvent each.
	Webhooks []Webhook `yaml:"webhooks"`
	// Programs that are run, once for each event.
	Commands []EventCommand `yaml:"commands"`
}

// EventLog is a file of events.
type EventLog struct {
	// The file. SIGHUP opens it anew.
	File Path `yaml:"file"`
	// Which events. Default: all.
	Types []string `yaml:"types" enum:"connect,disconnect,login,login_failed,logout,received,incomplete_received,sent,incomplete_sent,deleted,renamed,copied,directory_made,directory_removed"`
}

// Webhook is a receiver of HTTP requests.
type Webhook struct {
	// The name under which events wait for it. It must stay the same while some wait.
	Name string `yaml:"name" need:"yes"`
	// Where the events are posted to.
	URL string `yaml:"url" need:"yes"`
	// The key of the signature (Standard Webhooks, HMAC-SHA-256): its text, or whsec_ and its base64, as libraries write it.
	Secret Secret `yaml:"secret"`
	// File that holds the same.
	SecretFile Path `yaml:"secret_file"`
	// Which events. Default: all.
	Types []string `yaml:"types" enum:"connect,disconnect,login,login_failed,logout,received,incomplete_received,sent,incomplete_sent,deleted,renamed,copied,directory_made,directory_removed"`
	// How long one request may take.
	Timeout time.Duration `yaml:"timeout"`
	// Requests at a time.
	Parallel int `yaml:"parallel"`
	// The age at which an event that was not taken is dropped, with an error in the log.
	GiveUp time.Duration `yaml:"give_up"`
}

// EventCommand is a program that is run for events.
type EventCommand struct {
	// The name under which events wait for it. It must stay the same while some wait.
	Name string `yaml:"name" need:"yes"`
	// The program, by its file or by a name that is looked for in PATH, and its arguments; there is no shell. {type}, {path}, {user},
	// {remote}, {to}, {bytes}, {size}, {seconds}, {backend}, {bucket}, {key}, {version}, {checksum}, {result}, {id} and {time} are
	// filled in; the same are in the environment as FTP_TYPE and so on.
	Command []string `yaml:"command" need:"yes"`
	// Which events. Default: all.
	Types []string `yaml:"types" enum:"connect,disconnect,login,login_failed,logout,received,incomplete_received,sent,incomplete_sent,deleted,renamed,copied,directory_made,directory_removed"`
	// How long a run may take; then the program is killed.
	Timeout time.Duration `yaml:"timeout"`
	// Runs at a time.
	Parallel int `yaml:"parallel"`
	// Runs that may fail before an event is dropped, with an error in the log; 0 means no bound but give_up.
	Attempts int `yaml:"attempts"`
	// The age at which an event that was not taken is dropped.
	GiveUp time.Duration `yaml:"give_up"`
}

func (w *Webhook) setDefaults() { w.Timeout, w.Parallel, w.GiveUp = 10*time.Second, 4, 72*time.Hour }
func (e *EventCommand) setDefaults() {
	e.Timeout, e.Parallel, e.Attempts, e.GiveUp = time.Minute, 2, 5, 72*time.Hour
}

var receiverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// eventFields are filled in in the arguments of programs. Other braces are theirs, such as those of JSON.
var (
	eventFields = strings.Fields("{type} {id} {time} {user} {remote} {path} {to} {bytes} {size} {seconds} {backend} {bucket} {key} {version} {checksum} {result}")
	inBraces    = regexp.MustCompile(`\{[a-z_]+\}`)
)

// signingKey checks a secret in the form of Standard Webhooks.
func (k *checker) signingKey(at string, secret Secret, file Path) {
	encoded, ok := strings.CutPrefix(string(secret), "whsec_")
	if !ok {
		return
	}
	if key, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(key) == 0 {
		if file != "" {
			at += "_file"
		}
		k.errorf(at, `make one with "openssl rand -base64 32"`, "behind whsec_ is no base64 of a key")
	}
}

// events checks the receivers.
func (k *checker) events() {
	e := k.c.Events
	if len(e.Webhooks)+len(e.Commands) > 0 {
		if e.Outbox == "" {
			k.errorf("events.outbox", "for example outbox: /var/lib/ftp-gateway/events.db", "webhooks and commands need the file in which events wait")
		}
		if e.OutboxMax < 1 {
			k.errorf("events.outbox_max", "", "there has to be room for one event")
		}
	}
	names := map[string]string{}
	name := func(at, n string) {
		switch {
		case n == "":
			k.errorf(at, "", `the key "name" is missing`)
		case !receiverName.MatchString(n):
			k.errorf(at+".name", "letters, digits, dots, dashes and underscores", "%q is no name for a receiver", n)
		case names[n] != "":
			k.errorf(at+".name", "", "%q is the name of %s already", n, names[n])
		default:
			names[n] = at
		}
	}
	positive := func(at string, parallel int, timeout, giveUp time.Duration) {
		if parallel < 1 || parallel > 256 {
			k.errorf(at+".parallel", "", "has to be from 1 to 256")
		}
		if timeout <= 0 {
			k.errorf(at+".timeout", "", "has to be more than 0")
		}
		if giveUp <= 0 {
			k.errorf(at+".give_up", "", "has to be more than 0")
		}
	}
	for i, w := range e.Webhooks {
		at := fmt.Sprintf("events.webhooks[%d]", i)
		name(at, w.Name)
		u, err := url.Parse(w.URL)
		switch {
		case w.URL == "":
			k.errorf(at, "", `the key "url" is missing`)
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			k.errorf(at+".url", "for example https://hooks.example.com/ftp", "is no http or https URL")
		case w.Secret == "":
			k.warnf(at, `set "secret" or "secret_file"`, "without a secret the receiver cannot tell our events from anybody's")
		}
		k.signingKey(at+".secret", w.Secret, w.SecretFile)
		positive(at, w.Parallel, w.Timeout, w.GiveUp)
	}
	for i, c := range e.Commands {
		at := fmt.Sprintf("events.commands[%d]", i)
		name(at, c.Name)
		if len(c.Command) == 0 || c.Command[0] == "" {
			k.errorf(at, `for example command: [/usr/local/bin/on-upload, "{path}"]`, `the key "command" is missing`)
		}
		for j, arg := range c.Command {
			for _, name := range inBraces.FindAllString(arg, -1) {
				if j > 0 && !slices.Contains(eventFields, name) {
					k.errorf(at+".command", didYouMean(name, eventFields), "nobody knows what %s stands for", name)
				}
			}
		}
		positive(at, c.Parallel, c.Timeout, c.GiveUp)
	}
}
