package form

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Docs says what a field of a struct is for, as "Type.Field"; "" = it does not know.
type Docs func(field string) string

// Schema returns the JSON schema (draft 7, which editors read) of files that are decoded into values of the type of defaults, a pointer to a struct that holds them.
func Schema(defaults any, title string, docs Docs) ([]byte, error) {
	s := &schemas{docs: docs, defs: map[string]any{}}
	root := s.object(reflect.ValueOf(defaults).Elem())
	root["$schema"], root["title"] = "http://json-schema.org/draft-07/schema#", title
	if len(s.defs) > 0 {
		root["definitions"] = s.defs
	}
	return json.MarshalIndent(root, "", "  ")
}

type object = map[string]any

type schemas struct {
	docs Docs
	defs map[string]any // of types that hold themselves
	open []reflect.Type // being written
}

// object describes a struct; v holds the defaults.
func (s *schemas) object(v reflect.Value) object {
	t := v.Type()
	properties := object{}
	fields(t, func(name string, index []int, f reflect.StructField) {
		p := s.of(f.Type, v.FieldByIndex(index), f.Tag)
		owner := t
		if len(index) > 1 {
			owner = t.FieldByIndex(index[:len(index)-1]).Type
		}
		if s.docs != nil {
			if text := s.docs(owner.Name() + "." + f.Name); text != "" {
				if p["$ref"] != nil { // beside one draft 7 reads nothing
					p = object{"allOf": []any{p}}
				}
				p["description"] = text
			}
		}
		properties[name] = p
	})
	return object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}

// of describes a value of a type; def holds its default.
func (s *schemas) of(t reflect.Type, def reflect.Value, tag reflect.StructTag) object {
	if p, ok := reflect.New(t).Interface().(interface{ Pattern() (string, string) }); ok {
		pattern, example := p.Pattern()
		return withDefault(object{"type": []string{"string", "integer"}, "pattern": pattern, "examples": []string{example}}, def)
	}
	if t == durationType {
		return object{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`, "examples": []string{"30s"}}
	}
	if reflect.PointerTo(t).Implements(textType) { // a secret
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		for i, o := range s.open {
			if o == t.Elem() {
				return object{"$ref": "#/definitions/" + s.open[i].Name()}
			}
		}
		if t.Elem().Kind() != reflect.Struct {
			return s.of(t.Elem(), reflect.Zero(t.Elem()), tag)
		}
		return s.recursive(t.Elem())
	case reflect.Struct:
		if def.IsValid() {
			return s.object(def)
		}
		return s.object(reflect.Zero(t))
	case reflect.Slice, reflect.Array:
		return object{"type": []string{"array", "null"}, "items": s.of(t.Elem(), reflect.Zero(t.Elem()), tag)}
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem(), reflect.Zero(t.Elem()), "")}
	case reflect.Bool:
		return withDefault(object{"type": "boolean"}, def)
	case reflect.String:
		out := object{"type": "string"}
		if e := tag.Get("enum"); e != "" {
			out["enum"] = strings.Split(e, ",")
		} else {
			out["type"] = []string{"string", "number", "boolean"} // 0123 is text here
		}
		return withDefault(out, def)
	case reflect.Float32, reflect.Float64:
		return withDefault(bounded(object{"type": "number"}, tag), def)
	case reflect.Interface:
		return object{}
	}
	return withDefault(bounded(object{"type": "integer"}, tag), def)
}

// recursive describes a struct that may hold others of its kind.
func (s *schemas) recursive(t reflect.Type) object {
	if _, ok := s.defs[t.Name()]; !ok {
		s.defs[t.Name()] = object{}
		s.open = append(s.open, t)
		s.defs[t.Name()] = s.object(reflect.Zero(t))
		s.open = s.open[:len(s.open)-1]
	}
	return object{"$ref": "#/definitions/" + t.Name()}
}

func bounded(o object, tag reflect.StructTag) object {
	if n, ok := number(tag.Get("min")); ok {
		o["minimum"] = n
	}
	if n, ok := number(tag.Get("max")); ok {
		o["maximum"] = n
	}
	return o
}

// withDefault notes a default that is not zero.
func withDefault(o object, def reflect.Value) object {
	if !def.IsValid() || def.IsZero() || def.Kind() == reflect.Pointer {
		return o
	}
	switch x := def.Interface().(type) {
	case interface{ MarshalYAML() (any, error) }:
		if v, err := x.MarshalYAML(); err == nil {
			o["default"] = v
		}
	case time.Duration:
		o["default"] = x.String()
	case fmt.Stringer:
		o["default"] = x.String()
	default:
		o["default"] = def.Interface()
		if s, ok := o["default"].(string); ok {
			if _, err := strconv.Atoi(s); err == nil {
				delete(o, "default")
			}
		}
	}
	return o
}
