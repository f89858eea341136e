package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
)

func TestNotificationsOverTheBudgetAreMarked(t *testing.T) {
	st := newFake().status
	n := noiseOf(&st, fakeNow)
	if len(n.Days) != daysShown || n.Withheld != 2 || n.Most != 6 {
		t.Fatalf("days %d, withheld %d, most %d", len(n.Days), n.Withheld, n.Most)
	}
	if got := n.Rate * n.Observed; got < 11.99 || got > 12.01 {
		t.Errorf("rate × days = %v, want the 12 notifications", got)
	}
	if !n.Days[daysShown-4].Over || n.Days[daysShown-1].Over {
		t.Error("the wrong day is marked")
	}
	if n.Days[daysShown-1].Sent != 1 || n.Newest()[0].Pages != 2 {
		t.Error("today is not last")
	}
}

// TestAYoungServerDoesNotFlatterItsRate: two messages on the first half day are not 0.1 a day.
func TestAYoungServerDoesNotFlatterItsRate(t *testing.T) {
	st := Status{NotificationsPerDay: 3, Senders: []Sender{{FirstMs: fakeNow - 12*60*fakeMinute}}, Days: []alerting.DayTally{{Day: fakeNow / 86_400_000, Sent: 2}}}
	if n := noiseOf(&st, fakeNow); n.Rate != 2 {
		t.Errorf("rate = %v a day, want 2", n.Rate)
	}
}

// TestTheBudgetIsSaid: how many false alarms chance gives, against how many are allowed.
func TestTheBudgetIsSaid(t *testing.T) {
	f := newFake()
	f.view.Budget = []baseline.BudgetView{{Kind: "packs", Signals: 300, Asked: .5, Expected: .001, Known: true, Strict: 1},
		{Kind: "tracked", Signals: 12, Asked: .5, Expected: .5, Known: true, Strict: 1.24}}
	h := New(f, Options{})
	for _, page := range []string{"/", "/receivers"} { // an incident is open: what rises beside it is not chance
		if got := body(t, h, page, http.StatusOK); strings.Contains(got, "false alarms a week") {
			t.Errorf("%s speaks of chance beside an incident", page)
		}
	}
	f.snap = &alerting.Snapshot{}
	for _, page := range []string{"/", "/receivers"} {
		got := body(t, h, page, http.StatusOK)
		for _, want := range []string{"Rules of packs: chance raises less than one false alarm in two years, allowed 0.5 a week.",
			"Tracked metrics: chance raises 0.5 false alarms a week at most, allowed 0.5 a week; each asks for 1.24 times the usual evidence."} {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
	f.view.Budget = []baseline.BudgetView{{Kind: "packs", Signals: 3, Asked: 1}}
	if got := body(t, h, "/", http.StatusOK); !strings.Contains(got, "Rules of packs: how many false alarms chance raises is not known yet; that takes two days, allowed 1 a week.") {
		t.Error("a young budget claims to know")
	}
	if got := body(t, h, "/api/v1/status/noise", http.StatusOK); !strings.Contains(got, `"budget":[{"allowed_false_alarms_per_week":1,"kind":"packs","signals":3,"strictness":0}]`) {
		t.Errorf("the answer: %s", got)
	}
}
