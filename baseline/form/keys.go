package form

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Entries returns the keys and values of a mapping, nil of anything else; the parser may make a lone one no mapping.
func Entries(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// Key returns the text of an entry's key and where that stands. A long key is written behind a question mark, one line above its value; "" = the key is a list or a mapping.
func Key(e *ast.MappingValueNode) (string, *token.Position) {
	return keyText(e.Key)
}

func keyText(n ast.Node) (string, *token.Position) {
	at := Begin(n)
	for range depthMax {
		switch x := n.(type) {
		case *ast.MappingKeyNode:
			n = x.Value
		case *ast.AnchorNode:
			n = x.Value
		case *ast.TagNode:
			n = x.Value
		case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, nil:
			return "", at
		default:
			if text, ok := textOf(n); ok {
				return text, Begin(n)
			}
			return n.GetToken().Value, Begin(n)
		}
	}
	return "", at
}

// entries calls do for each key of a mapping, those of merged ones first. A key that comes twice is a fault.
func (d *decoder) entries(n ast.Node, path string, do func(key string, k, value ast.Node)) {
	first := map[string]*token.Position{}
	for _, e := range Entries(n) {
		if _, merge := e.Key.(*ast.MergeKeyNode); merge {
			m := d.plain(e.Value)
			if seq, ok := m.(*ast.SequenceNode); ok {
				for _, x := range seq.Values {
					d.merged(d.plain(x), path, do)
				}
			} else {
				d.merged(m, path, do)
			}
			continue
		}
		k := ast.Node(e.Key)
		if x, ok := k.(*ast.MappingKeyNode); ok {
			k = x.Value
		}
		if x, ok := k.(*ast.AliasNode); ok {
			k = d.plain(x)
		}
		key, at := keyText(k)
		if key == "" {
			d.bad(Begin(e.Key), path, "a key is one word or a text in quotes, not a list, a mapping or nothing")
			continue
		}
		if other := first[key]; other != nil {
			d.bad(at, join(path, key), "the key stands twice, first in line %d; leave one out", other.Line)
			continue
		}
		first[key] = at
		do(key, k, e.Value)
	}
}
