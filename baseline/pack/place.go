package pack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/wrackline/wrackline/baseline/form"
	"github.com/wrackline/wrackline/baseline/promql"
)

// errorf reports a fault at the YAML path, or at the nearest parent that exists.
func (l *packLoader) errorf(at, format string, args ...any) error {
	line, col := l.position(at)
	return fmt.Errorf("%s:%d:%d: %w", l.origin, line, col, fmt.Errorf(format, args...))
}

// exprError reports a fault inside an expression. Where the file shows the expression as it is, in a literal block or on one line, the
// place is that of the fault itself; else it is the expression's, and the fault's place within it stays in the message.
func (l *packLoader) exprError(at, name string, err error) error {
	e, ok := errors.AsType[*promql.Error](err)
	n := l.node(at)
	if !ok || n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return l.errorf(at, "signal %s: %w", name, err)
	}
	pos := n.GetToken().Position
	switch v := n.(type) {
	case *ast.LiteralNode:
		if lines := strings.Split(string(l.data), "\n"); v.Start != nil && strings.HasPrefix(v.Start.Value, "|") && pos.Line < len(lines) {
			first := lines[pos.Line] // of the block: lines count from 1
			indent := len(first) - len(strings.TrimLeft(first, " "))
			return fmt.Errorf("%s:%d:%d: signal %s: %s", l.origin, pos.Line+e.Line, indent+e.Col, name, e.Msg)
		}
	case *ast.StringNode:
		if e.Line == 1 && !strings.ContainsAny(v.Value, "\n\\") {
			col := pos.Column + e.Col - 1
			if v.Token.Type != token.StringType {
				col++ // the quote
			}
			return fmt.Errorf("%s:%d:%d: signal %s: %s", l.origin, pos.Line, col, name, e.Msg)
		}
	}
	return l.errorf(at, "signal %s: %w", name, err)
}

// node returns the node at a path like $.groups[0].rules[2].for, nil when there is none. The library's own way walks through the
// whole file each time.
func (l *packLoader) node(at string) ast.Node {
	n := l.body
	for rest := strings.TrimPrefix(at, "$"); rest != "" && n != nil; {
		switch m := n.(type) {
		case *ast.AnchorNode:
			n = m.Value
			continue
		case *ast.TagNode:
			n = m.Value
			continue
		}
		end := 1 + strings.IndexAny(rest[1:]+".", ".[")
		step := rest[1:end]
		index := rest[0] == '['
		rest = rest[end:]
		if index {
			i, err := strconv.Atoi(strings.TrimSuffix(step, "]"))
			seq, ok := n.(*ast.SequenceNode)
			if err != nil || !ok || i >= len(seq.Values) {
				return nil
			}
			n = seq.Values[i]
			continue
		}
		n = value(n, step)
	}
	return n
}

// value returns the value of a key of a mapping, nil when n is none or has none.
func value(n ast.Node, key string) ast.Node {
	for _, v := range form.Entries(n) {
		if k, _ := form.Key(v); k == key {
			return v.Value
		}
	}
	return nil
}

// position returns the line and column of the YAML path, or of the nearest parent that exists.
func (l *packLoader) position(at string) (line, col int) {
	for p := at; p != ""; {
		if n := l.node(p); n != nil {
			at := form.Begin(n)
			return at.Line, at.Column
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return 1, 1
}

// entry returns the place of a key of the mapping at the YAML path. Series are keys that no YAML path can name.
func (l *packLoader) entry(at, key string) [2]int {
	if n := l.node(at); n != nil {
		for _, v := range form.Entries(n) {
			if k, at := form.Key(v); k == key {
				return [2]int{at.Line, at.Column}
			}
		}
	}
	line, col := l.position(at)
	return [2]int{line, col}
}

func (l *packLoader) errorAt(at [2]int, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", l.origin, at[0], at[1], fmt.Sprintf(format, args...))
}
