package main

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// configError is what is wrong with the value of a key.
type configError struct {
	key string // a YAML path without its $., as receivers[0].slack_configs[1]
	err error
}

func (e *configError) Error() string { return e.key + ": " + e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// keyError returns what is wrong with the value of a key.
func keyError(key, format string, args ...any) error {
	return &configError{key, fmt.Errorf(format, args...)}
}

// placed adds to errors about keys where in the file they stand.
func (c *config) placed(err error) error {
	if list := each(err); len(list) > 1 {
		for i := range list {
			list[i] = c.placed(list[i])
		}
		return errors.Join(list...)
	}
	ce, ok := errors.AsType[*configError](err)
	if !ok || c.place == nil {
		return err
	}
	return fmt.Errorf("%s: %w", c.place("$."+ce.key), err)
}

// placeInFile returns file:line:column of a YAML path, or of its nearest parent.
func placeInFile(file string, data []byte, path string) string {
	f, err := parser.ParseBytes(data, 0)
	for p := path; err == nil && p != ""; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		at, err := yaml.PathString(p)
		if err != nil {
			continue
		}
		n, err := at.FilterFile(f)
		if err != nil || n == nil {
			continue
		}
		switch m := n.(type) { // the parser gives a mapping's colon
		case *ast.MappingNode:
			if !m.IsFlowStyle && len(m.Values) > 0 {
				n = m.Values[0].Key
			}
		case *ast.MappingValueNode:
			n = m.Key
		}
		if t := n.GetToken(); t != nil && t.Position != nil {
			return fmt.Sprintf("%s:%d:%d", file, t.Position.Line, t.Position.Column)
		}
	}
	return file
}

// yamlError says of an error of the decoder where it is and about which key. It shows nothing of the file: a secret may stand in the line beside.
func yamlError(file string, data []byte, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil || ye.GetToken().Position == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	at := ye.GetToken().Position
	text := ye.GetMessage()
	switch x := ye.(type) {
	case *yaml.TypeError:
		text = "want " + kindWord(x.DstType) + ", not " + kindWord(x.SrcType)
	case *yaml.OverflowError:
		text = "the number is too large"
	}
	key := keyAt(data, at)
	if _, unknown := ye.(*yaml.UnknownFieldError); unknown {
		text += instead(key)
	}
	if key != "" {
		text = key + ": " + text
	}
	return fmt.Errorf("%s:%d:%d: %s", file, at.Line, at.Column, text)
}

// keyAt returns the YAML path, without its $., of the innermost node that stands at a position; "" when there is none, or the file is no YAML.
func keyAt(data []byte, at *token.Position) string {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return ""
	}
	v := &finder{at: at}
	for _, doc := range f.Docs {
		ast.Walk(v, doc)
	}
	return strings.TrimPrefix(strings.TrimPrefix(v.path, "$"), ".")
}

// finder is an ast.Visitor.
type finder struct {
	at   *token.Position
	path string
}

// Visit keeps the path of a node at the position: what comes later lies deeper.
func (v *finder) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Line == v.at.Line && t.Position.Column == v.at.Column && len(n.GetPath()) >= len(v.path) {
		v.path = n.GetPath()
	}
	return v
}

// kindWord names what a value is in words of YAML.
func kindWord(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32, reflect.Uint:
		return "a whole number"
	case reflect.Float64, reflect.Float32:
		return "a number"
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Interface:
		return "a mapping"
	case reflect.Pointer:
		return kindWord(t.Elem())
	}
	return cmp.Or(path.Base(t.String()), "something else")
}

// scalar is a value as it stands in the file, and where.
type scalar struct {
	raw
	spot
}

type (
	raw  struct{ text string }
	spot struct{ token *token.Token }
)

// UnmarshalYAML keeps the text without its quotes.
func (r *raw) UnmarshalYAML(b []byte) error {
	r.text = strings.Trim(strings.TrimSpace(string(b)), `"'`)
	return nil
}

// UnmarshalYAML keeps the place.
func (s *spot) UnmarshalYAML(n ast.Node) error {
	s.token = n.GetToken()
	return nil
}

// readScalar reads what unmarshal stands before.
func readScalar(unmarshal func(any) error) (s scalar, err error) {
	return s, errors.Join(unmarshal(&s.raw), unmarshal(&s.spot))
}

// bad says what is wrong with the value.
func (s *scalar) bad(format string) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, s.text), Token: s.token}
}
