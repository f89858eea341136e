// Package form reads YAML files into Go values: every fault at its place at once, each with what was probably meant; and it writes the form that a type asks for as a JSON schema.
//
// The type is the one source of both. Beside its yaml tags a field may have
//
//	enum:"1s,always,off"   the words that a text may be
//	min:"1" max:"1000"     the bounds of a number
//
// A type that reads itself from text (encoding.TextUnmarshaler) may have Pattern() (regexp, example string), by which schema and suggestions know what it wants.
package form

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/wrackline/wrackline/baseline/near"
)

// Bounds on what is read of one file.
const (
	nodesMax  = 1 << 18 // nodes, aliases followed
	depthMax  = 100
	faultsMax = 100
)

// Fault is one thing that is wrong with a file. It quotes nothing of the file but keys, and words where one of a few is wanted: a secret may stand there.
type Fault struct {
	Line, Column int    // from 1
	Path         string // receivers[0].slack_configs[1]; "" = the file
	Text         string
}

// Error is line:column: path: text.
func (f *Fault) Error() string {
	if f.Path == "" {
		return fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Text)
	}
	return fmt.Sprintf("%d:%d: %s: %s", f.Line, f.Column, f.Path, f.Text)
}

// File is a YAML file. Safe for use by one goroutine.
type File struct {
	body   ast.Node // nil = the file is empty
	places map[string]*token.Position
}

// Parse reads a file; what is no YAML, and more than one document, is a fault.
func Parse(data []byte) (*File, *Fault) {
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f := &Fault{Line: 1, Column: 1, Text: "it is no YAML: " + message(err)}
		if ye, ok := err.(yaml.Error); ok && ye.GetToken() != nil && ye.GetToken().Position != nil {
			f.Line, f.Column = ye.GetToken().Position.Line, ye.GetToken().Position.Column
		}
		return nil, f
	}
	f := &File{places: map[string]*token.Position{}}
	for _, doc := range tree.Docs {
		if _, comments := doc.Body.(*ast.CommentGroupNode); doc.Body == nil || comments {
			continue
		}
		if f.body != nil {
			at := Begin(doc.Body)
			return nil, &Fault{Line: at.Line, Column: at.Column, Text: "a second document begins here; want one, without ---"}
		}
		f.body = doc.Body
	}
	return f, nil
}

// message is what the YAML library says, without the lines of the file that it shows, or a type that reads itself.
func message(err error) string {
	if ye, ok := err.(yaml.Error); ok {
		if msg := ye.GetMessage(); !strings.Contains(msg, "found character '\t'") {
			return msg
		}
		return "a tab cannot stand here; indent with spaces"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return shown(line)
}

// Node returns the root, nil of an empty file.
func (f *File) Node() ast.Node { return f.body }

// Has reports whether the file that has been decoded says something at a path.
func (f *File) Has(path string) bool { return f.places[path] != nil }

// Place returns where a path of a file that has been decoded stands, or its nearest parent; 1, 1 when there is none.
func (f *File) Place(path string) (line, column int) {
	for p := path; p != ""; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		if at := f.places[p]; at != nil {
			return at.Line, at.Column
		}
	}
	return 1, 1
}

// Words are what somebody else knows of keys. The zero value knows nothing.
type Words struct {
	// Instead says what to use in the place of a key that nobody knows, as "use x"; "" = it does not know.
	Instead func(path string) string
	// Home says where keys of the name belong when they are not known where they stand; set by Decode.
	home map[string][]string
}

// Decode reads the file into what out points to, whose values are the defaults: what the file does not name, or names without a value, stays as it is. It returns every fault, in the order of the file; what is faulty
// is left as it was.
func (f *File) Decode(out any, w Words) []*Fault {
	if f.body == nil {
		return nil
	}
	v := reflect.ValueOf(out).Elem()
	w.home = homes(v.Type())
	d := &decoder{file: f, words: w, anchors: map[string]ast.Node{}}
	d.collect(f.body, 0)
	d.value(f.body, v, "", "")
	slices.SortStableFunc(d.faults, func(a, b *Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return d.faults
}

type decoder struct {
	file    *File
	words   Words
	anchors map[string]ast.Node
	faults  []*Fault
	nodes   int
	depth   int
	large   bool // that is said
}

func (d *decoder) bad(at *token.Position, path, format string, args ...any) {
	if len(d.faults) >= faultsMax {
		return
	}
	f := &Fault{Line: 1, Column: 1, Path: path, Text: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	d.faults = append(d.faults, f)
}

// collect finds anchors.
func (d *decoder) collect(n ast.Node, depth int) {
	if depth > depthMax {
		return
	}
	switch x := n.(type) {
	case *ast.AnchorNode:
		d.anchors[x.Name.GetToken().Value] = x.Value
		d.collect(x.Value, depth+1)
	case *ast.TagNode:
		d.collect(x.Value, depth+1)
	case *ast.MappingNode, *ast.MappingValueNode:
		for _, e := range Entries(n) {
			d.collect(e.Value, depth+1)
		}
	case *ast.SequenceNode:
		for _, e := range x.Values {
			d.collect(e, depth+1)
		}
	}
}

// plain follows anchors, aliases and tags to what they stand for; nil = to nothing.
func (d *decoder) plain(n ast.Node) ast.Node {
	for range depthMax {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.TagNode:
			n = x.Value
		case *ast.AliasNode:
			n = d.anchors[x.Value.GetToken().Value]
		default:
			return n
		}
	}
	return nil
}

// Begin returns where a node begins: of a mapping in lines its first key, since the parser gives the colon. It is never nil.
func Begin(n ast.Node) *token.Position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return Begin(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return Begin(m.Key)
	case *ast.AnchorNode:
		if m.Start != nil {
			return m.Start.Position
		}
	}
	if n == nil {
		return &token.Position{Line: 1, Column: 1}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position
	}
	return &token.Position{Line: 1, Column: 1}
}

var (
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	yamlType     = reflect.TypeFor[yaml.InterfaceUnmarshaler]()
	durationType = reflect.TypeFor[time.Duration]()
	anyType      = reflect.TypeFor[any]()
)

// value reads a node into v. tag is that of the field that v is.
func (d *decoder) value(node ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	at := Begin(node)
	d.file.places[path] = at
	if d.nodes++; d.nodes > nodesMax || d.depth > depthMax {
		if !d.large {
			d.large = true
			d.bad(at, path, "the file is too large, or nested too deep, once its aliases are followed")
		}
		return
	}
	d.depth++
	defer func() { d.depth-- }()
	n := d.plain(node)
	if n == nil {
		d.bad(at, path, "there is no anchor of that name")
		return
	}
	if _, null := n.(*ast.NullNode); null {
		return
	}
	t := v.Type()
	switch {
	case t == durationType || reflect.PointerTo(t).Implements(textType):
		d.text(n, at, v, path, tag)
	case reflect.PointerTo(t).Implements(yamlType) || t == anyType:
		if err := yaml.NodeToValue(n, v.Addr().Interface()); err != nil {
			d.bad(at, path, "%s", message(err))
		}
	default:
		d.kind(n, at, v, path, tag)
	}
}

func (d *decoder) kind(n ast.Node, at *token.Position, v reflect.Value, path string, tag reflect.StructTag) {
	switch t := v.Type(); t.Kind() {
	case reflect.Pointer:
		x := reflect.New(t.Elem())
		if !v.IsNil() {
			x.Elem().Set(v.Elem())
		}
		before := len(d.faults)
		if d.value(n, x.Elem(), path, tag); len(d.faults) == before || t.Elem().Kind() == reflect.Struct {
			v.Set(x)
		}
	case reflect.Struct:
		d.structure(n, at, v, path)
	case reflect.Map:
		d.mapping(n, at, v, path)
	case reflect.Slice, reflect.Array:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.wrong(n, at, v, path, tag)
			return
		}
		out := reflect.MakeSlice(t, len(seq.Values), len(seq.Values))
		for i, e := range seq.Values {
			d.value(e, out.Index(i), fmt.Sprintf("%s[%d]", path, i), tag)
		}
		v.Set(out)
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64, reflect.Float32:
		d.scalar(n, at, v, path, tag)
	default:
		d.bad(at, path, "this key cannot be read from a file")
	}
}

// Field returns the name of a field in files; "" = it is in none.
func Field(f reflect.StructField) (name string, inline bool) {
	name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if slices.Contains(strings.Split(options, ","), "inline") {
		return "", true
	}
	if name == "-" || !f.IsExported() || f.Tag.Get("yaml") == "" {
		return "", false
	}
	return name, false
}

// fields calls do for each field of a struct, those of inlined ones included.
func fields(t reflect.Type, do func(name string, index []int, f reflect.StructField)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, inline := Field(f)
		switch {
		case inline:
			fields(f.Type, func(name string, index []int, g reflect.StructField) { do(name, append([]int{i}, index...), g) })
		case name != "":
			do(name, []int{i}, f)
		}
	}
}

func (d *decoder) structure(n ast.Node, at *token.Position, v reflect.Value, path string) {
	if !isMapping(n) {
		d.wrong(n, at, v, path, "")
		return
	}
	byName := map[string][]int{}
	tags := map[string]reflect.StructTag{}
	var names []string
	fields(v.Type(), func(name string, index []int, f reflect.StructField) {
		byName[name], tags[name] = index, f.Tag
		names = append(names, name)
	})
	d.entries(n, path, func(key string, k, value ast.Node) {
		index, ok := byName[key]
		if !ok {
			d.unknown(k, value, key, path, names)
			return
		}
		d.value(value, v.FieldByIndex(index), join(path, key), tags[key])
		if at := d.file.places[join(path, key)]; at != nil && isNull(value) {
			d.file.places[join(path, key)] = Begin(k)
		}
	})
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func isNull(n ast.Node) bool { _, ok := n.(*ast.NullNode); return ok }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) merged(n ast.Node, path string, do func(key string, k, value ast.Node)) {
	d.nodes++
	if d.depth++; d.depth <= depthMax && d.nodes <= nodesMax {
		d.entries(n, path, do)
	}
	d.depth--
}

func (d *decoder) mapping(n ast.Node, at *token.Position, v reflect.Value, path string) {
	if !isMapping(n) {
		d.wrong(n, at, v, path, "")
		return
	}
	out := reflect.MakeMap(v.Type())
	d.entries(n, path, func(key string, k, value ast.Node) {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(value, x, join(path, key), "")
		if v.Type().Key().Kind() == reflect.String {
			out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), x)
		}
	})
	v.Set(out)
}

// textOf is the text of a scalar.
func textOf(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// text reads a scalar into a type that reads itself from text.
func (d *decoder) text(n ast.Node, at *token.Position, v reflect.Value, path string, tag reflect.StructTag) {
	s, ok := textOf(n)
	if !ok {
		d.bad(at, path, "want text, not %s; such as %s", nodeKind(n), example(v.Type(), tag))
		return
	}
	if v.Type() == durationType {
		x, err := time.ParseDuration(s)
		if err != nil {
			d.bad(at, path, "%s", NoDuration(s))
			return
		}
		v.SetInt(int64(x))
		return
	}
	x := reflect.New(v.Type())
	if err := x.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		d.bad(at, path, "%s", err)
		return
	}
	v.Set(x.Elem())
}

// NoDuration says what is wrong with a text that is no duration, and which was probably meant.
func NoDuration(text string) string {
	return strconv.Quote(shown(text)) + " is not a duration such as 90s, 5m, 36h or 15d" + near.Duration(text)
}

// scalar reads a number, a text, or true and false.
func (d *decoder) scalar(n ast.Node, at *token.Position, v reflect.Value, path string, tag reflect.StructTag) {
	s, ok := textOf(n)
	if !ok {
		d.wrong(n, at, v, path, tag)
		return
	}
	x := reflect.New(v.Type()).Elem()
	switch k := v.Kind(); {
	case k == reflect.String:
		if list := tag.Get("enum"); list != "" {
			words := strings.Split(list, ",")
			if s != "" && !slices.Contains(words, s) {
				d.bad(at, path, "%q is not one of %s%s", shown(s), strings.Join(words, ", "), near.Meant(strings.ToLower(s), words))
				return
			}
		}
		x.SetString(s)
	case k == reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrong(n, at, v, path, tag)
			return
		}
		x.SetBool(b.Value)
	case k == reflect.Float64 || k == reflect.Float32:
		var f float64
		switch y := n.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
			f, ok = number(n.GetToken().Value)
		case *ast.InfinityNode:
			f = y.Value
		case *ast.StringNode: // in quotes, as variables of the environment often stand; or inf
			f, ok = number(y.Value)
			ok = ok && f == f
		default:
			ok = false
		}
		if !ok {
			d.wrong(n, at, v, path, tag)
			return
		}
		x.SetFloat(f)
	default:
		var num int64
		switch y := n.(type) {
		case *ast.IntegerNode:
			switch i := y.Value.(type) {
			case int64:
				num = i
			case uint64:
				num = int64(min(i, 1<<63-1))
			}
		case *ast.StringNode: // in quotes
			var err error
			if num, err = strconv.ParseInt(y.Value, 10, 64); err != nil {
				d.wrong(n, at, v, path, tag)
				return
			}
		default:
			d.wrong(n, at, v, path, tag)
			return
		}
		if k == reflect.Uint || k >= reflect.Uint8 && k <= reflect.Uint64 {
			if num < 0 || x.OverflowUint(uint64(num)) {
				d.bad(at, path, "it is %d; it must be between 0 and %d", num, ^uint64(0)>>(64-v.Type().Bits()))
				return
			}
			x.SetUint(uint64(num))
		} else if x.OverflowInt(num) {
			d.bad(at, path, "the number is too large")
			return
		} else {
			x.SetInt(num)
		}
	}
	if !d.within(x, at, path, tag) {
		return
	}
	v.Set(x)
}

func number(text string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil {
		i, err2 := strconv.ParseInt(text, 0, 64)
		return float64(i), err2 == nil
	}
	return f, true
}

// within reports whether a number keeps to the bounds of its field.
func (d *decoder) within(v reflect.Value, at *token.Position, path string, tag reflect.StructTag) bool {
	least, most := tag.Get("min"), tag.Get("max")
	if least == "" && most == "" {
		return true
	}
	var f float64
	switch {
	case v.CanInt():
		f = float64(v.Int())
	case v.CanFloat():
		f = v.Float()
	default:
		return true
	}
	lo, hasLo := number(least)
	hi, hasHi := number(most)
	if f == f && (!hasLo || f >= lo) && (!hasHi || f <= hi) {
		return true
	}
	switch {
	case hasLo && hasHi:
		d.bad(at, path, "it is %v; it must be between %s and %s", v.Interface(), least, most)
	case hasLo:
		d.bad(at, path, "it is %v; it must be at least %s", v.Interface(), least)
	default:
		d.bad(at, path, "it is %v; it must be at most %s", v.Interface(), most)
	}
	return false
}

// shown makes a word of a file short.
func shown(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
