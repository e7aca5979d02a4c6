package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
	rateType     = reflect.TypeFor[Rate]()
	portsType    = reflect.TypeFor[Ports]()
	pathType     = reflect.TypeFor[Path]()
)

// scalar reads a single value. Strings take the text as it is written, so that
// a password 0123 or a name "no" is what it looks like.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path, enum string) {
	s, ok := d.text(n, path)
	if !ok {
		return
	}
	if enum != "" && !slices.Contains(strings.Split(enum, ","), s) {
		words := strings.Split(enum, ",")
		hint := didYouMean(s, words)
		d.errorf(n, path, hint, "%q is not one of %s", s, strings.Join(words, ", "))
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var t time.Duration
		t, err = parseDuration(s)
		v.SetInt(int64(t))
	case v.Type() == sizeType:
		var t Size
		t, err = ParseSize(s)
		v.SetInt(int64(t))
	case v.Type() == rateType:
		var t Rate
		t, err = ParseRate(s)
		v.SetInt(int64(t))
	case v.Type() == portsType:
		var t Ports
		t, err = ParsePorts(s)
		v.Set(reflect.ValueOf(t))
	case v.Type() == pathType:
		if s != "" && !filepath.IsAbs(s) {
			s = filepath.Join(d.dir, s)
		}
		v.SetString(s)
	case v.Kind() == reflect.String:
		v.SetString(s)
	case v.Kind() == reflect.Bool:
		switch s {
		case "true", "false":
			v.SetBool(s == "true")
		default:
			err = fmt.Errorf("%q is not true or false", s)
		}
	case v.Kind() == reflect.Int:
		var t int
		if t, err = strconv.Atoi(s); err != nil {
			err = fmt.Errorf("%q is not a whole number", s)
		} else if t < 0 {
			err = fmt.Errorf("%d is less than 0", t)
		}
		v.SetInt(int64(t))
	default:
		panic("config: no way to read a " + v.Type().String())
	}
	if err != nil {
		d.errorf(n, path, "", "%v", err)
	}
}

// text returns the text of a single value with its variables replaced.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		d.errorf(n, path, "", "want a single value here, have %s", kindOf(n))
		return "", false
	}
	if d.literal {
		return n.Value, true
	}
	return d.expand(n, path)
}

var variable = regexp.MustCompile(`\$?\$\{([^}]*)\}?`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and makes "$${" a plain "${".
func (d *decoder) expand(n *yaml.Node, path string) (string, bool) {
	good := true
	s := variable.ReplaceAllStringFunc(n.Value, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:]
		}
		name := variable.FindStringSubmatch(m)[1]
		if !variableName.MatchString(name) || !strings.HasSuffix(m, "}") {
			d.errorf(n, path, `write "$${" for a plain "${"`, "%q is not the name of an environment variable", name)
			good = false
			return ""
		}
		value, ok := d.env(name)
		if !ok {
			d.errorf(n, path, "", "the environment variable %s is not set", name)
			good = false
		}
		return value
	})
	return s, good
}
