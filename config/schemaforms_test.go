package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Patterns of values. They are read by several machines for regular expressions, that of JavaScript in its strict mode among
// them: no look-ahead, and a backslash only where it is needed.
const (
	anyVariable = `(^|[^$])\$\{[A-Za-z_][A-Za-z0-9_]*\}` // and not $${, which is a plain ${
	// anyText has variables, what is left of $$ before {, and a $ that is nothing but that.
	anyText   = `^([^$]|\$+[^${]|\$\$+\{[^}]*(\}|$)|\$\{[A-Za-z_][A-Za-z0-9_]*\})*\$*$`
	ipPattern = `^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:([0-9A-Fa-f]*|[0-9]{1,3}(\.[0-9]{1,3}){3})(%.+)?)$`
	amount    = `(\+?[0-9]+|-0+|[0-9]+\.[0-9]*|\.[0-9]+)`
	port      = `0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	times     = `(ns|us|µs|μs|ms|s|m|h)`
)

func sizes() string {
	var names []string
	for _, u := range sizeUnits {
		names = append(names, u.name)
	}
	return "(" + strings.Join(names, "|") + ")"
}

// forms are the schemas of values that are more than a text.
func forms() object {
	// form is text of a form, a variable, or a number that YAML sees in the same.
	form := func(pattern, message string, types []string, bounds ...member) object {
		o := object{{"type", append(append([]string{"string"}, types...), "null")}}
		o = append(o, bounds...)
		return append(o, member{"pattern", pattern + "|" + anyVariable}, member{"errorMessage", message}) // which editors show
	}
	least := func(n int) member { return member{"minimum", n} }
	const noDuration = "Not a duration, such as 90s, 5m or 1h30m"
	return object{
		{"variable", object{{"type", []string{"string", "null"}}, {"pattern", anyVariable}}},
		{"text", append(object{{"type", textTypes}}, textForm...)},
		{"boolean", form(`^(true|false)$`, "Not true or false", []string{"boolean"})},
		{"number", form(`^(\+?[0-9]+|-0+)$`, "Not a whole number of 0 or more", []string{"integer"}, least(0))},
		{"duration", form(`^(\+?(([0-9]+\.?[0-9]*|\.[0-9]+)`+times+`)+|[+-]?0|-((0+\.?0*|\.0+)`+times+`)+)$`,
			noDuration, []string{"integer"}, member{"if", object{{"type", "integer"}}}, member{"then", object{{"const", 0}, {"errorMessage", noDuration}}})},
		{"size", form(`^\s*`+amount+`\s*`+sizes()+`?\s*$`, "Not a size, such as 256MiB or 2MB", []string{"number"}, least(0))},
		{"rate", form(`^\s*`+amount+`\s*`+sizes()+`?\s*(/s)?$`, "Not a rate, such as 30KiB/s or 2MB/s", []string{"number"}, least(0))},
		{"ports", form(`^\s*`+port+`\s*(-\s*`+port+`\s*)?$`, "Not a range of ports, such as 30000-30099", []string{"integer"}, least(1), member{"maximum", 65535})},
		{"permissions", form(`^[elradfmwMT]*$`, "The letters are elradfmwMT", nil)},
	}
}

// TestFormsAreThoseOfTheReader compares the patterns of the schema with what reads such texts, on every short text of letters that matter.
func TestFormsAreThoseOfTheReader(t *testing.T) {
	var doc struct {
		Definitions map[string]struct{ Pattern string }
	}
	if err := json.Unmarshal([]byte(Schema()), &doc); err != nil {
		t.Fatal(err)
	}
	text := func(s string) error {
		d := newDecoder(Default(), func(string) (string, bool) { return "", true })
		if d.text(&yaml.Node{Kind: yaml.ScalarNode, Value: s}, ""); d.report.Failed() {
			return fmt.Errorf("%v", d.report)
		}
		return nil
	}
	for _, tt := range []struct {
		name    string
		letters string // words, with spaces
		length  int
		more    []string
		read    func(string) error
	}{
		{"duration", "0 1 9 . - + s m h n u µ", 4, []string{"μs", "1us", "1h30m", "1h0m0.5s", "100ms", "1 s", "1s ", "1d", "1e3s", "Inf", "0x1s", "1_0s", "-0.0s", "-0m0.0s", "-0h1s"},
			func(s string) error { _, err := parseDuration(s); return err }},
		{"size", "0 1 . - + _ K i B T k GiB MB", 4, []string{" 1", "1 ", " 1.5 \tMiB ", "1\nB", "1 Ki B", "1e3", "0x10", "Inf", "1.2.3", "1b", "1kb"},
			func(s string) error { _, err := ParseSize(s); return err }},
		{"rate", "0 1 . - + / s KiB B", 4, []string{"1 /s", " 1KiB/s", "1KiB /s", "1KiB/s ", "1KiB/ s", "1 KiB", "1KiB ", "/s", "1/m"},
			func(s string) error { _, err := ParseRate(s); return err }},
		{"ports", "0 1 5 6 - +", 5, append(numbers(0, 70_000), " 1 - 2 ", "1-", "-1", "1-2-3", "1–2", "00065535", "655350", "5-65536", "5-65535"),
			func(s string) error {
				if _, err := ParsePorts(s); err != nil && !strings.HasSuffix(err.Error(), "ends before it begins") {
					return err
				}
				return nil
			}},
		{"number", "0 1 9 - + . _ e x", 4, []string{" 1", "1 ", "١"}, func(s string) error {
			if n, err := strconv.Atoi(s); err != nil || n < 0 {
				return fmt.Errorf("%d, %v", n, err)
			}
			return nil
		}},
		{"permissions", "e l x w M m T t", 3, nil, func(s string) error {
			k := &checker{c: Default()}
			if k.letters("", s); k.report.Failed() {
				return fmt.Errorf("%v", k.report)
			}
			return nil
		}},
		{"text", "$ { } A 1", 7, []string{"${A_1}", "${_}", "${é}", "${A", "\n$", "$\n{", "a\n${A}", "$${\n${A"}, text},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pattern, err := regexp.Compile(doc.Definitions[tt.name].Pattern)
			if err != nil || doc.Definitions[tt.name].Pattern == "" {
				t.Fatal(err)
			}
			reads := 0
			for _, s := range append(texts(strings.Fields(tt.letters), tt.length), tt.more...) {
				err := tt.read(s)
				if err == nil {
					reads++
				}
				// Less than a nanosecond is 0, and has a sign as 0 may have.
				tiny := tt.name == "duration" && strings.HasPrefix(s, "-") && strings.ContainsAny(s, "123456789") && err == nil
				if pattern.MatchString(s) != (err == nil) && !tiny {
					t.Errorf("%q: the pattern does not agree with the reader, who says %v", s, err)
				}
			}
			if reads < 3 {
				t.Errorf("only %d texts are of this form", reads)
			}
		})
	}
}

// texts are all texts of up to n words, without one as well.
func texts(words []string, n int) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, s := range last {
			for _, w := range words {
				next = append(next, s+w)
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

func numbers(from, to int) []string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

// What a variable stands for is not known: it may be part of anything.
func TestFormsTakeVariables(t *testing.T) {
	var doc struct {
		Definitions map[string]struct{ Pattern string }
	}
	if err := json.Unmarshal([]byte(Schema()), &doc); err != nil {
		t.Fatal(err)
	}
	var forms []string
	for name, d := range doc.Definitions {
		if d.Pattern == "" {
			continue
		}
		forms = append(forms, name)
		pattern := regexp.MustCompile(d.Pattern)
		for _, s := range []string{"${X}", "5${X}", "${X}MiB", "$${X}${A_1}"} {
			if !pattern.MatchString(s) {
				t.Errorf("%s does not take %q", name, s)
			}
		}
		for _, s := range []string{"$X", "$${X}", "${1}", "${X"} {
			if pattern.MatchString(s) && name != "text" {
				t.Errorf("%s takes %q", name, s)
			}
		}
	}
	slices.Sort(forms)
	if got, want := strings.Join(forms, " "), "boolean duration number permissions ports rate size text variable"; got != want {
		t.Errorf("the forms are %q, want %q", got, want)
	}
}

func TestLocalAddresses(t *testing.T) {
	pattern := regexp.MustCompile(ipPattern)
	for _, s := range []string{"10.0.0.1", "::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "fe80::1%eth0",
		"nonsense", "ftp.example.com", "10.0.0", "1.2.3.4.5", "10.0.0.0/8", "host:21", ":21", "[::1]", ""} {
		if _, err := netip.ParseAddr(s); pattern.MatchString(s) != (err == nil) {
			t.Errorf("%q: the pattern does not agree with the reader, who says %v", s, err)
		}
	}
}
