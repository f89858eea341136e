package model

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/counts"
	"github.com/wrackline/wrackline/baseline/model/extreme"
	"github.com/wrackline/wrackline/baseline/model/habit"
	"github.com/wrackline/wrackline/baseline/model/tail"
)

var update = flag.Bool("update", false, "rewrite the offsets in FORMAT.md")

// layout lists the fields of a type as FORMAT.md does: offset, size, name and type.
func layout(t reflect.Type) (rows []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		rows = append(rows, fmt.Sprintf("| %d | %d | %s | %s |", f.Offset, f.Type.Size(), f.Name, strings.ReplaceAll(f.Type.String(), "model.", "")))
	}
	return rows
}

// FORMAT.md draws what a model is made of. A field that moves, or that has no meaning there, fails.
func TestFormatIsDrawn(t *testing.T) {
	const file = "FORMAT.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, typ := range map[string]reflect.Type{"Model": reflect.TypeFor[Model](), "tail": reflect.TypeFor[tail.Law](), "extreme": reflect.TypeFor[extreme.Law](), "habit": reflect.TypeFor[habit.Habit](), "tally": reflect.TypeFor[counts.Tally](), "run": reflect.TypeFor[counts.Run]()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end "+name+" -->"
		_, rest, ok := strings.Cut(text, begin)
		table, _, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s: no table between %q and %q", file, begin, end)
		}
		meaning := map[string]string{}
		for _, line := range strings.Split(table, "\n") {
			if c := strings.Split(line, "|"); len(c) == 7 {
				meaning[strings.TrimSpace(c[3])] = strings.TrimSpace(c[5])
			}
		}
		want := "| at | bytes | field | type | meaning |\n|---|---|---|---|---|\n"
		for _, row := range layout(typ) {
			field := strings.TrimSpace(strings.Split(row, "|")[3])
			if meaning[field] == "" {
				t.Errorf("%s: field %s of %s has no meaning", file, field, name)
			}
			want += row + " " + meaning[field] + " |\n"
		}
		if *update {
			text = strings.Replace(text, begin+table+end, begin+want+end, 1)
			continue
		}
		if table != want {
			a, b := strings.Split(table, "\n"), strings.Split(want, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Errorf("%s, table %s, line %d:\n  drawn %s\n  it is %s", file, name, i+1, a[i], b[i])
					break
				}
			}
			if len(a) != len(b) {
				t.Errorf("%s, table %s: %d lines, want %d; go test ./baseline/model -run Format -update rewrites offsets and keeps meanings", file, name, len(a), len(b))
			}
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	var m Model
	p := Defaults()
	m.Init(&p)
	for _, want := range []string{fmt.Sprintf("%d bytes in memory", reflect.TypeFor[Model]().Size()), fmt.Sprintf("%d bytes encoded", len(m.AppendBinary(nil))), fmt.Sprintf("version %d", version)} {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}
