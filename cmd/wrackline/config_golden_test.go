package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sections reads "-- name --" and the text below it.
func sections(t *testing.T, file string) (names []string, texts map[string]string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^-- `).Split(string(b), -1)[1:] {
		name, text, _ := strings.Cut(part, " --\n")
		names = append(names, name)
		texts[name] = text
	}
	return names, texts
}

// TestWrongConfigsGolden: each of these configurations is refused, everything that is wrong in it at once, and each fault names line, column, key, and what to do.
func TestWrongConfigsGolden(t *testing.T) {
	t.Setenv("WRACKLINE_TEST_HOST", "x") // what WRACKLINE_TEST_HOTS was meant to be
	const golden = "testdata/config_errors.golden"
	names, texts := sections(t, "testdata/config_errors.txt")
	if len(names) < 40 {
		t.Fatalf("%d wrong configurations", len(names))
	}
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "my-pack.yaml"), "")
	place := regexp.MustCompile(`^w\.yml:[0-9]+:[0-9]+: `)
	key := regexp.MustCompile(`^w\.yml:[0-9:]+ [a-z_]+(\.[A-Za-z_]+|\[[0-9]+\])*: `)
	advice := regexp.MustCompile(`did you mean|there (is|are) |it belongs to|such as|like |use |want|must be|leave|write|[Gg]ive|name the|\bas [A-Za-z0-9]`)
	var out strings.Builder
	for _, name := range names {
		f := filepath.Join(dir, "w.yml")
		replace(t, f, texts[name])
		code, _, errs := run(t, "check-config", f)
		if code != exitFailure {
			t.Errorf("%s: code %d, %s", name, code, errs)
		}
		errs = strings.ReplaceAll(strings.TrimPrefix(errs, "wrackline check-config: "), dir+"/", "")
		fmt.Fprintf(&out, "-- %s --\n%s", name, errs)
		for line := range strings.Lines(strings.TrimSpace(errs)) {
			if regexp.MustCompile(`^[0-9]+ things are wrong`).MatchString(line) {
				continue
			}
			whole := name == "no YAML" || name == "tabs" || name == "an unset variable"
			if !place.MatchString(line) || !whole && !key.MatchString(line) || !whole && !advice.MatchString(line) {
				t.Errorf("%s: no place, no key or no advice: %s", name, line)
			}
		}
	}
	if *update {
		replace(t, golden, out.String())
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != out.String() {
		t.Errorf("%s differs; -update writes it anew, then look at the difference\n%s", golden, out.String())
	}
}
