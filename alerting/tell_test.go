package alerting

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

func TestAWideningIncidentIsToldAgainButNotOften(t *testing.T) {
	b := newBench(Options{NotificationsPerDay: -1})
	for i := range 60 {
		b.alarm(sig(wlCPU, "namespace", "shop", "workload", fmt.Sprint("w", i)), model.High, 1, 2)
		b.minutes(1)
	}
	var at []int64
	for _, n := range b.told {
		at = append(at, (n.T-t0)/minuteMs)
	}
	if b.told[0].Reason != First || len(at) > 5 || len(at) < 3 {
		t.Errorf("told at minutes %v", at)
	}
	for i := 1; i < len(at); i++ {
		if at[i]-at[i-1] < 10 {
			t.Errorf("told at minutes %v, closer than 10", at)
		}
	}
}

func TestBacklogIsSilentAndWhatIsStillOpenIsAnnouncedOnce(t *testing.T) {
	b := newBench(Options{})
	b.old = true
	over, lasting := sig(wlCPU, "namespace", "a", "workload", "a"), sig(servfail, "zone", "z")
	b.alarm(over, model.High, 1, 1)
	b.minutes(20)
	b.calm(over, model.Recovered)
	b.minutes(30)
	b.alarm(lasting, model.High, 1, 1)
	b.minutes(60)
	if b.reasons() != "" {
		t.Fatalf("history was announced: %s", b.reasons())
	}
	b.old = false
	b.minutes(5)
	if b.reasons() != "first" {
		t.Fatalf("notifications = %q, want one for the incident that lasts", b.reasons())
	}
	b.old = true // the sender was away; its backlog shows the end
	b.calm(lasting, model.Recovered)
	b.minutes(30)
	if b.reasons() != "first" {
		t.Fatalf("a backlog spoke: %q", b.reasons())
	}
	b.old = false
	b.minutes(1)
	if b.reasons() != "first resolved" {
		t.Errorf("notifications = %q, want the closing word", b.reasons())
	}
}

func TestTheDailyCapHoldsPagesApartAndOpensAgainTheNextDay(t *testing.T) {
	b := newBench(Options{NotificationsPerDay: 2})
	var sigs []*signal.Signal
	for i := range 4 {
		s := sig(&pack.Rule{Name: fmt.Sprint("q", i), Unit: "count", Severity: pack.Warn}, "namespace", fmt.Sprint("n", i))
		sigs = append(sigs, s)
		b.alarm(s, model.High, 1, 1)
	}
	b.minutes(10)
	if b.reasons() != "first first" {
		t.Fatalf("notifications = %q", b.reasons())
	}
	if d := b.m.Snapshot().Days[0]; d.Sent != 2 || d.Withheld != 2 {
		t.Errorf("tally = %+v", d)
	}
	b.alarm(sig(wlOOM, "namespace", "z"), model.High, 1, 1)
	b.minutes(1)
	if b.reasons() != "first first first" {
		t.Fatalf("a page was held back: %q", b.reasons())
	}
	b.calm(sigs[0], model.Recovered)
	b.calm(sigs[1], model.Adopted)
	b.calm(sigs[2], model.Recovered)
	b.minutes(10)
	closing := map[string]string{}
	for _, n := range b.told[3:] {
		closing[n.Incident.Resolution] += string(n.Reason)
	}
	if len(b.told)-3 > 2 || len(closing) == 0 {
		t.Fatalf("only announced incidents get a closing word: %v", closing)
	}
	b.minutes(24 * 60)
	if n := b.told[len(b.told)-1]; n.T < t0+dayMs || n.Reason != First {
		t.Errorf("the incident that lasted was not announced the next day: %+v", n)
	}
}

// TestNobodyIsCalledWhileAllIsBack holds that signals whose values are back inside their bands, but whose alarms wait in case they
// come again, are no reason for a message: neither about a wider incident nor about a new one.
func TestNobodyIsCalledWhileAllIsBack(t *testing.T) {
	b := newBench(Options{})
	b.alarm(sig(servfail), model.High, 0.3, 1)
	b.minutes(2)
	for _, w := range []string{"a", "b", "c", "d", "e"} {
		s := sig(dnsLat, "namespace", "shop", "workload", w)
		b.alarm(s, model.High, 2, 1)
		v := b.on[s]
		v.Value = 0.001 // back, and still in alarm
		b.on[s] = v
	}
	v := b.on[sigOf(b, "dns.servfail_ratio")]
	v.Value = 0.001
	b.on[v.Signal] = v
	b.minutes(20)
	if got := b.reasons(); got != "first" {
		t.Errorf("notifications = %q, want first alone: everything is back inside its band", got)
	}
	lone := newBench(Options{})
	s := sig(wlCPU, "namespace", "shop", "workload", "cart")
	lone.alarm(s, model.High, 0.001, 1)
	lone.minutes(10)
	if got := lone.reasons(); got != "" {
		t.Errorf("notifications = %q of an alarm whose value is inside its band", got)
	}
}

// TestNotificationGrammar holds for any world: every incident is announced at most once, before anything else is
// said of it, closed at most once and last, ids are unique, and the caps hold.
func TestNotificationGrammar(t *testing.T) {
	for seed := range uint64(4) {
		var told []Notification
		m := NewManager(Options{Rule: ruleByName, NotificationsPerDay: 4, PagesPerDay: 6, Emit: func(n Notification) { told = append(told, n) }})
		latest, perDay := int64(0), map[int64][2]int{} // by the latest day on which anything was said: clusters disagree about the date
		for _, b := range randomWorld(rand.New(rand.NewPCG(seed, 2)), 2000) {
			before := len(told)
			m.Observe(b)
			if b.Old && len(told) > before {
				t.Fatalf("seed %d: a backlog spoke", seed)
			}
			for _, n := range told[before:] {
				latest = max(latest, n.T/dayMs)
				if n.Reason != Resolved {
					d := perDay[latest]
					d[SeverityRank(n.Incident.Severity)-1]++
					perDay[latest] = d
				}
			}
			for _, inc := range m.Snapshot().Open {
				if len(inc.Members) == 0 || inc.Headline() == nil || inc.Title == "" || len(inc.Timeline) > timelineMax {
					t.Fatalf("seed %d: bad incident %+v", seed, inc)
				}
				if !slices.IsSortedFunc(inc.Members[1:], func(a, b Member) int { return cmp.Compare(a.Onset, b.Onset) }) ||
					inc.Told == 0 && inc.Members[0].Onset != inc.Onset {
					t.Fatalf("seed %d: members are not in order of onset", seed)
				}
			}
		}
		state := map[string]Reason{}
		ids := map[string]bool{}
		for _, n := range told {
			if ids[n.ID] {
				t.Fatalf("seed %d: id %s twice", seed, n.ID)
			}
			ids[n.ID] = true
			prev, known := state[n.IncidentID]
			if (n.Reason == First) == known || prev == Resolved {
				t.Fatalf("seed %d: %s after %q", seed, n.Reason, prev)
			}
			state[n.IncidentID] = n.Reason
		}
		for day, d := range perDay {
			if d[0] > 4 || d[1] > 6 {
				t.Errorf("seed %d, day %d: %d warnings and %d pages", seed, day, d[0], d[1])
			}
		}
		if len(told) < 20 {
			t.Errorf("seed %d: only %d notifications, the test tests little", seed, len(told))
		}
	}
}
