package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhatIsMissingIsSaid: a start that goes on without a part of what had been there says so, though all that is there is sound: the journal behind the checkpoint, or the file that charts and
// waiting messages are in. A start that has everything says nothing, after a kill too.
func TestWhatIsMissingIsSaid(t *testing.T) {
	segments := func(t *testing.T, dir string) []string {
		list, err := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		return list
	}
	remove := func(t *testing.T, list ...string) {
		for _, name := range list {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		lose func(t *testing.T, dir string)
		says string // "" = nothing
	}{
		"the journal":                   {func(t *testing.T, dir string) { remove(t, segments(t, dir)...) }, "requests up to"},
		"the end of the journal":        {func(t *testing.T, dir string) { list := segments(t, dir); replace(t, list[len(list)-1], "") }, "requests up to"},
		"the store":                     {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "wrackline.db")) }, "charts of before"},
		"all of the store":              {func(t *testing.T, dir string) { replace(t, filepath.Join(dir, "wrackline.db"), "") }, "charts of before"},
		"nothing":                       {func(*testing.T, string) {}, ""},
		"what the life before had told": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, markFile)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newBlindRig(t, rigOptions{})
			r.steps(2*time.Minute, nil)
			checkpointOf(r)
			checkpointOf(r)
			r.steps(3*time.Minute, nil)
			r.die()
			c.lose(t, r.dir)
			r.start(nil)
			said := ""
			for _, x := range conditionsOf(r) {
				if x.kind == "store.older" {
					said = x.text
				}
			}
			if (said != "") != (c.says != "") || !strings.Contains(said, c.says) {
				t.Errorf("said: %q", said)
			}
			r.steps(5*time.Minute, nil)
			if n := len(r.got("/a")); (n > 0) != (c.says != "") {
				t.Errorf("told %d times: %+v", n, r.got("/a"))
			}
			r.again()
			for _, x := range conditionsOf(r) {
				if x.kind == "store.older" && c.says == "requests up to" {
					t.Errorf("the life after says it too: %s", x.text)
				}
			}
		})
	}
}
