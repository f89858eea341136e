package alerting

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// What the contract keeps back is handed on once, with its end, and with ids that a second manager makes again; what is said is not.
func TestWhatIsKeptBackIsHandedOn(t *testing.T) {
	life := func() (kept []Notification, told string) {
		b := newBench(Options{NotificationsPerDay: 1, Keep: func(n Notification) { kept = append(kept, n) }})
		var list []*signal.Signal
		for i := range 3 {
			list = append(list, sig(wlCPU, "namespace", fmt.Sprint("n", i), "workload", fmt.Sprint("w", i)))
			b.alarm(list[i], model.High, 1, 2)
			b.minutes(30)
		}
		for _, s := range list {
			b.calm(s, model.Recovered)
		}
		b.minutes(40)
		return kept, b.reasons()
	}
	kept, told := life()
	again, _ := life()
	got := ""
	for i, n := range kept {
		got += string(n.Reason) + " "
		if !n.Kept || n.ID != again[i].ID || n.Incident.ID != n.IncidentID {
			t.Errorf("%+v, the second time %s", n, again[i].ID)
		}
	}
	if got != "first first resolved resolved " || told != "first resolved" {
		t.Errorf("kept %q, told %q", got, told)
	}
	seen := map[string]bool{}
	for _, n := range kept {
		if seen[n.ID] {
			t.Errorf("%s comes twice", n.ID)
		}
		seen[n.ID] = true
	}
}

// Of severity info nobody is called, and what lasts is in the digest; a page is never kept back by the contract of warnings.
func TestInfoIsHandedOnAndPagesAreNot(t *testing.T) {
	var kept []Notification
	b := newBench(Options{NotificationsPerDay: 1, Keep: func(n Notification) { kept = append(kept, n) }})
	note := *wlCPU
	note.Severity, note.Digest = pack.Info, true
	b.alarm(sig(&note, "namespace", "a", "workload", "w"), model.High, 1, 2)
	b.minutes(5)
	for i := range 3 {
		b.alarm(sig(servfail, "namespace", fmt.Sprint("p", i), "zone", fmt.Sprint(i)), model.High, 1, 2)
		b.minutes(30)
	}
	if len(kept) != 1 || kept[0].Reason != First || kept[0].Incident.Severity != pack.Info {
		t.Errorf("%+v", kept)
	}
}
