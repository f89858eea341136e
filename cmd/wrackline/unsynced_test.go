package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/ingest/journal"
)

// A disk whose syncs fail again and again is told, though each request finds room elsewhere and is acknowledged; two failures within seconds, and one now and then, are a hiccup.
func TestSyncsThatFailAndHealAreTold(t *testing.T) {
	t.Parallel()
	why := errors.New("sync 7.seg: input/output error")
	for _, c := range []struct {
		name string
		fail func(second int) bool // one look and one sync each ten seconds
		told bool
	}{
		{"each one", func(int) bool { return true }, true},
		{"each one for two minutes", func(s int) bool { return s < 120 }, true},
		{"none", func(int) bool { return false }, false},
		{"two within seconds", func(s int) bool { return s == 60 || s == 70 }, false},
		{"one in five minutes", func(s int) bool { return s%300 == 0 }, false},
	} {
		s := self{memory: newMemory()}
		f := facts{}
		told := false
		for second := 0; second < 600; second += 10 {
			if f.now = time.Duration(second) * time.Second; c.fail(second) {
				f.journal.SyncFails++
				f.journal.LastSyncErr = why
			} else {
				f.journal.Syncs++
			}
			s.memory.learn(&f)
			told = told || slices.ContainsFunc(s.ofDisk(&f), func(x condition) bool {
				return x.kind == "journal.unsynced" && x.blind && x.stops == 0 && strings.Contains(x.text, why.Error())
			})
		}
		if told != c.told {
			t.Errorf("%s: told %v", c.name, told)
		}
		if f.journal.SyncErr = journal.ErrSync; len(s.ofDisk(&f)) == 0 {
			t.Errorf("%s: a sync that stands failed is no condition", c.name)
		}
	}
}
