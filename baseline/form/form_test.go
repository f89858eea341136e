package form_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/form"
)

type part struct {
	Name  string            `yaml:"name"`
	Every time.Duration     `yaml:"every"`
	On    *bool             `yaml:"on"`
	Below []*part           `yaml:"below"`
	Extra map[string]string `yaml:"extra"`
}

type inner struct {
	Mode  string  `yaml:"mode" enum:"fast,slow"`
	Count int     `yaml:"count" min:"1" max:"10"`
	Share float64 `yaml:"share"`
	Port  uint16  `yaml:"port"`
}

type whole struct {
	inner  `yaml:",inline"`
	Parts  []part `yaml:"parts"`
	One    part   `yaml:"one"`
	Any    any    `yaml:"any"`
	Hidden string
}

func decode(t testing.TB, text string) (whole, string) {
	t.Helper()
	w := whole{inner: inner{Count: 3, Mode: "slow"}, One: part{Name: "kept"}}
	f, fault := form.Parse([]byte(text))
	if fault != nil {
		return w, fault.Error()
	}
	var list []string
	for _, x := range f.Decode(&w, form.Words{}) {
		list = append(list, x.Error())
	}
	return w, strings.Join(list, "\n")
}

// TestDecode: what YAML can say, in the places where people say it.
func TestDecode(t *testing.T) {
	w, bad := decode(t, `
base: &b {name: of the anchor, extra: {a: "1", b: 2}}
`)
	if !strings.Contains(bad, "2:1: base: there is no such key") {
		t.Errorf("%q", bad)
	}
	w, bad = decode(t, `
mode: fast
share: 1_000.5
port: 0x10
parts:
- &b {name: of the anchor, extra: {a: "1", b: 2}}
- *b
- <<: *b
  every: 90s
  on: false
- name: |
    two
    lines
- {}
one:
any: {x: [1]}
`)
	p := w.Parts
	switch {
	case bad != "":
		t.Errorf("%s", bad)
	case w.Mode != "fast" || w.Share != 1000.5 || w.Port != 16 || w.Count != 3 || w.One.Name != "kept" || len(p) != 5:
		t.Errorf("%+v", w)
	case p[1].Name != "of the anchor" || p[1].Extra["b"] != "2" || p[2].Name != "of the anchor" || p[2].Every != 90*time.Second || p[2].On == nil || *p[2].On || p[3].Name != "two\nlines\n":
		t.Errorf("%+v", p)
	case fmt.Sprint(w.Any) != "map[x:[1]]":
		t.Errorf("%v", w.Any)
	}
}

// TestKeysAsProgramsWriteThem: a key behind a question mark, which is how long ones are written by libraries, in quotes of either kind, behind a tag, is the same key.
func TestKeysAsProgramsWriteThem(t *testing.T) {
	long := strings.Repeat("x", 200) + `{a="b"}`
	for _, text := range []string{
		"parts:\n- name: n\n  extra:\n    ? '" + long + "'\n    : \"1\"\n    ? b\n    : two\n",
		"parts:\n- name: n\n  extra:\n    ? " + strings.ReplaceAll(long, `{a="b"}`, "") + "\n    : \"1\"\n    b: two\n",
		"parts:\n- name: n\n  extra: {? '" + long + "' : \"1\", \"b\": two}\n",
		"? parts\n: - ? name\n    : n\n    ? extra\n    : {'" + long + "': '1', !!str b: two}\n",
	} {
		w, bad := decode(t, text)
		if bad != "" || len(w.Parts) != 1 || w.Parts[0].Name != "n" || len(w.Parts[0].Extra) != 2 || w.Parts[0].Extra["b"] != "two" {
			t.Errorf("%s\n%s\n%+v", text, bad, w.Parts)
		}
	}
	_, bad := decode(t, "parts:\n- extra:\n    '': b\n    ? x\n    : y\n    ? x\n    : z\n")
	if !strings.Contains(bad, "3:5: parts[0].extra: a key is one word") || !strings.Contains(bad, "6:7: parts[0].extra.x: the key stands twice, first in line 4") {
		t.Errorf("%s", bad)
	}
}

// TestFaults: all of them, at their place, in the order of the file; and what is faulty changes nothing.
func TestFaults(t *testing.T) {
	w, bad := decode(t, `mode: fsat
count: 11
share: much
port: 70000
parts: {name: a}
one: {nmae: b, every: 5 minutes, on: maybe, below: [{extra: [1]}, {name: [x]}]}
parst: 1
name: x
mode: slow
`)
	want := `1:7: mode: "fsat" is not one of fast, slow; did you mean "fast"?
2:8: count: it is 11; it must be between 1 and 10
3:8: share: want a number, not text; such as 0.5
4:7: port: it is 70000; it must be between 0 and 65535
5:8: parts: want a list, not a mapping; write "- " before each
6:7: one.nmae: there is no such key; did you mean "name"?
6:23: one.every: "5 minutes" is not a duration such as 90s, 5m, 36h or 15d; did you mean 5m?
6:38: one.on: want true or false, not text; write true or false
6:61: one.below[0].extra: want a mapping, not a list; write name: value below it
6:74: one.below[1].name: want text, not a list; write it in one line, in quotes where it has a colon
7:1: parst: there is no such key; did you mean "parts"?
8:1: name: there is no such key here; it belongs to parts
9:1: mode: the key stands twice, first in line 1; leave one out`
	if bad != want {
		t.Errorf("got\n%s\nwant\n%s", bad, want)
	}
	if w.Count != 3 || w.Mode != "slow" || w.One.Name != "kept" || w.Port != 0 {
		t.Errorf("%+v", w)
	}
	for text, want := range map[string]string{
		"":                      "",
		"# nothing\n":           "",
		"---\n":                 "",
		"[]":                    "want a mapping, not a list",
		"one: *none":            "no anchor of that name",
		"a: 1\n---\nb: 2\n":     "3:1: a second document begins here",
		"one: {name: \x00}":     "",
		"one: [":                "it is no YAML",
		"count: 99999999999999": "it must be between",
		"port: -1":              "between 0 and 65535",
		"share: inf":            "",
		"share: '0.5'":          "",
		"count: '4'":            "",
		"count: 'four'":         "want a whole number",
		"share: nan":            "want a number",
	} {
		if _, bad := decode(t, text); !strings.Contains(bad, want) || want == "" && bad != "" && !strings.Contains(text, "\x00") {
			t.Errorf("%q: %q, want %q", text, bad, want)
		}
	}
}

// TestAliasesAreBounded: a few lines that stand for a billion nodes, or that hold themselves, are a fault and not an end of the process.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("parts:\n- &a0 {name: x}\n")
	for i := range 9 {
		fmt.Fprintf(&b, "- &a%d {below: [%s]}\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	for _, text := range []string{b.String(), "one: &a {below: [*a]}\n", "one: &a\n  below: [{below: [*a]}]\n", "one:\n  <<: &a {<<: *a}\n", strings.Repeat("one: {below: [{", 1) + strings.Repeat("below: [{", 200) + strings.Repeat("}]", 200) + "}]}"} {
		if _, bad := decode(t, text); !strings.Contains(bad, "too large, or nested too deep") && !strings.Contains(bad, "no anchor") && !strings.Contains(bad, "YAML") && bad != "" {
			t.Errorf("%.60q: %.200q", text, bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"mode: fast", "parts:\n- {name: a, extra: {b: c}}\n", "one: &a {below: [*a]}", "<<: [1]", "? [a]\n: b", "one:\n  <<: *x\n", "any: !!binary x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 10_000 {
			decode(t, text)
		}
	})
}
