package form

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/wrackline/wrackline/baseline/near"
)

// unknown says of a key that nobody knows what was probably meant.
func (d *decoder) unknown(k, value ast.Node, key, path string, names []string) {
	at, full := Begin(k), join(path, key)
	say := func(format string, args ...any) {
		d.bad(at, full, "there is no such key"+format, args...)
	}
	if d.words.Instead != nil {
		if text := d.words.Instead(full); text != "" {
			say("; %s", text)
			return
		}
	}
	meant := near.Meant(key, names)
	homes := slices.DeleteFunc(slices.Clone(d.words.home[key]), func(h string) bool { return h == generic(path) })
	switch {
	case meant != "":
		say("%s", meant)
	case len(homes) > 0 && homes[0] == "":
		say(" here; it belongs to the top of the file")
	case len(homes) > 0:
		say(" here; it belongs to %s", homes[0])
	default:
		list := slices.Clone(names)
		slices.Sort(list)
		say("; there are %s", strings.Join(list, ", "))
	}
}

// generic is a path without its indexes.
func generic(path string) string {
	var b strings.Builder
	in := false
	for _, r := range path {
		if r == '[' {
			in = true
		}
		if !in {
			b.WriteRune(r)
		}
		if r == ']' {
			in = false
		}
	}
	return b.String()
}

// homes says of every key of a type in which sections it is.
func homes(t reflect.Type) map[string][]string {
	out := map[string][]string{}
	var walk func(t reflect.Type, path string, depth int)
	walk = func(t reflect.Type, path string, depth int) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || depth > 6 {
			return
		}
		fields(t, func(name string, _ []int, f reflect.StructField) {
			if !slices.Contains(out[name], path) {
				out[name] = append(out[name], path)
			}
		})
		fields(t, func(name string, _ []int, f reflect.StructField) { walk(f.Type, join(path, name), depth+1) })
	}
	walk(t, "", 0)
	return out
}

// wrong says which kind of value is wanted.
func (d *decoder) wrong(n ast.Node, at *token.Position, v reflect.Value, path string, tag reflect.StructTag) {
	text := "want " + kindOf(v.Type()) + ", not " + nodeKind(n)
	switch t := v.Type(); {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		text += "; write \"- \" before each"
	case t.Kind() == reflect.Slice:
		text += "; write it in brackets, [" + example(t.Elem(), tag) + "]"
	case t.Kind() == reflect.Struct:
		var names []string
		fields(t, func(name string, _ []int, _ reflect.StructField) { names = append(names, name) })
		text += "; its keys are " + strings.Join(names, ", ")
	case t.Kind() == reflect.Map:
		text += "; write name: value below it"
	default:
		text += d.suggest(v, tag)
	}
	d.bad(at, path, "%s", text)
}

// suggest names what could stand there.
func (d *decoder) suggest(v reflect.Value, tag reflect.StructTag) string {
	switch k := v.Kind(); {
	case tag.Get("enum") != "":
		return "; there are " + strings.Join(strings.Split(tag.Get("enum"), ","), ", ")
	case k == reflect.Bool:
		return "; write true or false"
	case k == reflect.String:
		return "; write it in one line, in quotes where it has a colon"
	case k == reflect.Pointer || v.IsZero():
		return "; such as " + example(v.Type(), tag)
	}
	return fmt.Sprintf("; the default is %v", v.Interface())
}

// example is a value of a type as it stands in a file.
func example(t reflect.Type, tag reflect.StructTag) string {
	if e := tag.Get("enum"); e != "" {
		return strings.Split(e, ",")[0]
	}
	if p, ok := reflect.New(t).Interface().(interface{ Pattern() (string, string) }); ok {
		_, example := p.Pattern()
		return example
	}
	switch t.Kind() {
	case reflect.Pointer:
		return example(t.Elem(), tag)
	case reflect.Bool:
		return "true"
	case reflect.Float32, reflect.Float64:
		return "0.5"
	case reflect.String:
		return `"…"`
	}
	if t == durationType {
		return "30s"
	}
	if m := tag.Get("min"); m != "" && m != "0" {
		return m
	}
	return "3"
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint:
		return "a whole number"
	case reflect.Float64, reflect.Float32:
		return "a number"
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Pointer:
		return kindOf(t.Elem())
	}
	return "a mapping"
}

func nodeKind(n ast.Node) string {
	switch n.(type) {
	case *ast.IntegerNode:
		return "a whole number"
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.NullNode:
		return "nothing"
	}
	return "text"
}
