package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/baseline/form"
)

// commentsOf returns the comments of the fields of all structs in a folder, as Type.Field.
func commentsOf(t *testing.T, dir string, out map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		var walk func(owner string, s *ast.StructType)
		walk = func(owner string, s *ast.StructType) {
			for _, field := range s.Fields.List {
				text := field.Doc.Text() + field.Comment.Text()
				for _, n := range field.Names {
					out[owner+"."+n.Name] = strings.Join(strings.Fields(text), " ")
				}
				if inner, ok := field.Type.(*ast.StructType); ok {
					walk("", inner)
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if x, ok := n.(*ast.TypeSpec); ok {
				if s, ok := x.Type.(*ast.StructType); ok {
					walk(x.Name.Name, s)
				}
			}
			return true
		})
	}
}

// TestConfigDocs holds config_docs.txt to the comments of the source, and every key of the configuration to having one.
func TestConfigDocs(t *testing.T) {
	comments := map[string]string{}
	for _, dir := range []string{".", "../../alerting/notify", "../../alerting/route"} {
		commentsOf(t, dir, comments)
	}
	var lines []string
	seen := map[reflect.Type]bool{}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			if name, _ := form.Field(f); name == "" {
				continue
			}
			walk(f.Type)
			key := typ.Name() + "." + f.Name
			if comments[key] == "" && f.Type.Kind() != reflect.Struct {
				t.Errorf("%s has no comment: say what it means", key)
			}
			if comments[key] != "" {
				lines = append(lines, key+"\t"+comments[key]+"\n")
			}
		}
	}
	walk(reflect.TypeFor[config]())
	slices.Sort(lines)
	text := strings.Join(slices.Compact(lines), "")
	if *update {
		replace(t, "config_docs.txt", text)
		return
	}
	if text != configDocs {
		t.Error("config_docs.txt differs from the comments of the source; -update writes it anew")
	}
}

// TestSchemaKnowsTheConfiguration: the schema is of the whole configuration, says what its keys mean, and takes what the program takes: the README's configuration, and nothing misspelt.
func TestSchemaKnowsTheConfiguration(t *testing.T) {
	code, out, errs := run(t, "check-config", "--schema")
	if code != exitOK {
		t.Fatalf("%d %s", code, errs)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); err != nil {
		t.Fatal(err)
	}
	check := func(text string) []string {
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return validateSchema(schema, schema, v, "")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	access, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(access), "```yaml\nweb:\n")[1:]
	if len(blocks) != 3 {
		t.Errorf("%d configurations in docs/access.md", len(blocks))
	}
	for _, text := range blocks {
		text, _, _ = strings.Cut(text, "```")
		if bad := check("web:\n" + text); len(bad) > 0 {
			t.Errorf("docs/access.md: %v", bad)
		}
	}
	for _, text := range []string{readmeConfig(t, string(readme)), goodConfig, routesConfig, "", "ingest:\nsignals:\n"} {
		if bad := check(text); len(bad) > 0 {
			t.Errorf("the schema refuses what is right: %v", bad)
		}
	}
	_, texts := sections(t, "testdata/config_errors.txt")
	for _, name := range []string{"a section misspelt", "two misspelt keys and a wrong word", "a number beyond its bounds", "a list is wanted", "a size in the units of drives", "a unit in words", "an override's severity", "an integration misspelt", "a track rule's function"} {
		if len(check(texts[name])) == 0 {
			t.Errorf("%s: the schema takes it", name)
		}
	}
	described := strings.Count(out, `"description"`)
	if lines := strings.Count(configDocs, "\n"); described < lines {
		t.Errorf("%d descriptions, %d comments", described, lines)
	}
}

// readmeConfig returns the configuration that the README shows.
func readmeConfig(t *testing.T, readme string) string {
	t.Helper()
	for _, block := range strings.Split(readme, "```yaml\n")[1:] {
		if text, _, _ := strings.Cut(block, "```"); strings.Contains(text, "alerting:") {
			return text
		}
	}
	t.Fatal("the README shows no configuration")
	return ""
}

// validateSchema checks a value against as much of JSON schema as form.Schema writes.
func validateSchema(root, s map[string]any, v any, at string) (bad []string) {
	if ref, ok := s["$ref"].(string); ok {
		return validateSchema(root, root["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any), v, at)
	}
	for _, x := range anyList(s["allOf"]) {
		bad = append(bad, validateSchema(root, x.(map[string]any), v, at)...)
	}
	kind := map[bool]string{true: "integer", false: "number"}
	got := ""
	switch x := v.(type) {
	case nil:
		got = "null"
	case string:
		got = "string"
	case bool:
		got = "boolean"
	case []any:
		got = "array"
	case map[string]any:
		got = "object"
	case float64:
		got = kind[x == float64(int64(x))]
		for name, wrong := range map[string]func(float64) bool{"minimum": func(m float64) bool { return x < m }, "maximum": func(m float64) bool { return x > m }} {
			if m, ok := s[name].(float64); ok && wrong(m) {
				bad = append(bad, at+": "+name)
			}
		}
	}
	types := anyList(s["type"])
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	if len(types) > 0 && !slices.Contains(types, any(got)) && !(got == "integer" && slices.Contains(types, any("number"))) {
		return append(bad, at+": is a "+got)
	}
	if e := anyList(s["enum"]); e != nil && !slices.Contains(e, v) {
		bad = append(bad, at+": not one of the words")
	}
	if p, ok := s["pattern"].(string); ok && got == "string" && !mustMatch(p, v.(string)) {
		bad = append(bad, at+": pattern")
	}
	if list, ok := v.([]any); ok && s["items"] != nil {
		for _, x := range list {
			bad = append(bad, validateSchema(root, s["items"].(map[string]any), x, at+"[]")...)
		}
	}
	if m, ok := v.(map[string]any); ok {
		properties, _ := s["properties"].(map[string]any)
		for k, x := range m {
			if p, ok := properties[k].(map[string]any); ok {
				bad = append(bad, validateSchema(root, p, x, at+"."+k)...)
			} else if more, ok := s["additionalProperties"].(map[string]any); ok {
				bad = append(bad, validateSchema(root, more, x, at+"."+k)...)
			} else if s["additionalProperties"] == false {
				bad = append(bad, at+"."+k+": unknown")
			}
		}
	}
	return bad
}

func mustMatch(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

func anyList(v any) []any { list, _ := v.([]any); return list }

// TestConfigShowsWhatHolds: every value of the configuration, those that are defaults marked, no secret; and what is shown is a configuration that means the same.
func TestConfigShowsWhatHolds(t *testing.T) {
	f := file(t, "w.yml", "signals: {grace: 2m}\ningest: {tokens: [{token: canary-canary-canary, sender: a}]}\nreceivers: [{name: a, webhook_configs: [{url: 'http://x/canary'}]}]\nweb: {admin_token: canary-canary-canary}\nalerting: {heartbeat: {url: 'http://x/canary'}}\n")
	code, out, errs := run(t, "config", "--config.file", f)
	if code != exitOK || strings.Contains(out, "canary") {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	for _, want := range []string{"grace: 2m\n", "timezone: UTC # default\n", "token: <secret>\n", "admin_token: <secret>\n", "retention: 15d # default\n", "body_max: 8MiB # default\n", "url: <secret>\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not shown:\n%s", want, out)
		}
	}
	code, out, _ = run(t, "config", "--changed", f)
	if code != exitOK || strings.Contains(out, "default") || !strings.Contains(out, "grace: 2m") || strings.Contains(out, "retention") {
		t.Errorf("%d %s", code, out)
	}
	_, out, _ = run(t, "config")
	got, err := loadConfig(file(t, "again.yml", out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := defaultConfig()
	got.place, got.says, got.seen, want.seen = nil, nil, fingerprint{}, fingerprint{}
	if a, b := configText(&got), configText(&want); a != b || time.Duration(got.Signals.Grace) != 90*time.Second {
		t.Errorf("the defaults read again are others:\n%s\n%s", a, b)
	}
}

// TestFlagsSayWhatWasMeant: of flags, commands and values.
func TestFlagsSayWhatWasMeant(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"serve", "--config-file", "x"}, "there is no flag --config-file; did you mean \"--config.file\"?"},
		{[]string{"serve", "--web.listen-adress=:1"}, "did you mean \"--web.listen-address\"?"},
		{[]string{"serve", "--storage.tsdb.path=x"}, "it is --storage.path"},
		{[]string{"serve", "--config.file"}, "a value is missing behind --config.file"},
		{[]string{"demo", "--speed", "fast"}, "--speed: \"fast\" is not a number"},
		{[]string{"check-confg"}, "did you mean \"check-config\"?"},
		{[]string{"help", "serv"}, "did you mean \"serve\"?"},
		{[]string{"load", "--rounds", "many"}, "--rounds: \"many\" is not a whole number; the default is "},
	} {
		if code, _, errs := run(t, c.args...); code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %q, want %q", c.args, code, errs, c.want)
		}
	}
}
