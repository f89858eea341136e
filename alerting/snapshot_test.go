package alerting

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestSnapshotsNeverChange(t *testing.T) {
	m := NewManager(Options{Rule: ruleByName})
	type held struct {
		s    *Snapshot
		text string
	}
	var all []held
	for _, b := range randomWorld(rand.New(rand.NewPCG(3, 3)), 800) {
		m.Observe(b)
		if s := m.Snapshot(); len(s.Open) > 0 && len(all) < 50 {
			all = append(all, held{s, fmt.Sprint(derefs(s.Open), s.Loose)})
		}
	}
	for _, h := range all {
		if got := fmt.Sprint(derefs(h.s.Open), h.s.Loose); got != h.text {
			t.Fatalf("a published snapshot changed\n%s\n%s", h.text, got)
		}
	}
}
