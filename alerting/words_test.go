package alerting

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// wordy makes an incident of so many members of one rule, of which the first is the headline, in a phase.
func wordy(p Phase, st model.State, unit string, n int, worst, now float64, band model.Band) *Incident {
	r := &pack.Rule{Name: "x.y", Unit: unit, Summary: `{{ count $value "pod" }} of {{ $labels.workload }} {{ verb $value "wait" }}, {{ $value }} (normal {{ $band }}){{ if $eta }}, full in {{ $eta }}{{ end }}`, Params: model.Defaults()}
	inc := &Incident{Opened: t0}
	for k := range n {
		m := Member{SignalID: string(rune('a' + k)), Name: r.Name, Rule: r, Unit: unit, State: st, Value: now, Band: band, Worst: worst, WorstBand: band, LimitEta: 3_600_000,
			Entity: series.Labels{{Name: "workload", Value: "waits"}}}
		if p >= Closing {
			m.State, m.Ended, m.Ending = model.Normal, t0+minuteMs, "recovered"
		}
		inc.Members = append(inc.Members, m)
	}
	if p == Over {
		inc.Resolved = t0 + 2*minuteMs
	}
	return inc
}

func TestWordsAgreeInEveryPhase(t *testing.T) {
	type side struct {
		st         model.State
		worst, out float64
	}
	present := regexp.MustCompile(`\b(is|are|waits?|in alarm)\b`)
	for _, unit := range []string{"ratio", "s", "B", "/s", "nodes", "d", ""} {
		band := model.Band{Lower: .2, Expected: .3, Upper: .4}
		for _, s := range []side{{model.High, .9, .8}, {model.Low, .01, .1}} {
			for _, n := range []int{1, 2, 12} {
				for _, p := range []Phase{Firing, Recovering, Closing, Over} {
					now := s.out
					if p != Firing {
						now = .3
					}
					inc := wordy(p, s.st, unit, n, s.worst, now, band)
					if inc.Phase() != p {
						t.Fatalf("%v: phase is %v", p, inc.Phase())
					}
					h := inc.Headline()
					title, tally, stand := h.title(p != Firing), inc.Tally(), h.Standing()
					about := strings.TrimPrefix(strings.ReplaceAll(title, "waits", ""), " ")
					switch {
					case p == Firing && (!present.MatchString(tally) || !strings.Contains(stand, "normal") || !strings.Contains(title, "full in 1 h")):
						t.Errorf("%s %v %d %v: %q, %q, %q", unit, s.st, n, p, title, tally, stand)
					case p != Firing && (present.MatchString(about) || strings.Contains(title, "full in") || !strings.Contains(title, "waited") || !strings.Contains(stand, "back inside") || !strings.Contains(stand, "at its worst")):
						t.Errorf("%s %v %d %v: %q, %q", unit, s.st, n, p, title, stand)
					case p == Recovering && strings.Contains(tally, "in alarm"), p == Closing && strings.Contains(tally, " of "), p == Over && !strings.Contains(tally, " in alarm"):
						t.Errorf("%d %v: %q", n, p, tally)
					case n == 1 && strings.Contains(tally, "signals"), n > 1 && strings.Contains(tally, "1 signal "):
						t.Errorf("%d: %q", n, tally)
					}
				}
			}
		}
	}
	// Some are back and some are not: the tally tells them apart.
	inc := wordy(Firing, model.High, "ratio", 4, .9, .8, model.Band{Upper: .4})
	inc.Members[3].Value, inc.Members[2].Ended, inc.Members[2].Ending = .1, t0, "recovered"
	if got := inc.Tally(); got != "2 of 4 signals in alarm, 1 back inside" {
		t.Error(got)
	}
}

// What there is one of is written so, also beside a verb; what has been counted is whole, and nothing is left of a life that is over.
func TestNumbersAgreeWithTheirWords(t *testing.T) {
	rule := func(unit, text string) *pack.Rule {
		return &pack.Rule{Name: "x", Unit: unit, Summary: text, Params: model.Defaults()}
	}
	share := rule("ratio", "{{ $value | pct }} of pods are ready (normal {{ $band }})")
	share.Params.Min, share.Params.Max = 0, 1
	const waits = `{{ count $value "process" }} {{ verb $value "wait" }}`
	for _, c := range []struct {
		r          *pack.Rule
		v          float64
		now, after string
	}{
		{rule("nodes", waits), 1, "1 process waits", "1 process waited"}, {rule("nodes", waits), 2, "2 processes wait", "2 processes waited"}, {rule("nodes", waits), 1.02, "1 process waits", "1 process waited"},
		{rule("nodes", waits), 0, "0 processes wait", "0 processes waited"}, {rule("nodes", `{{ count $value "entry" }} {{ verb $value "are" }} left`), 1, "1 entry is left", "1 entry was left"},
		{rule("nodes", `{{ count $value "entry" }} {{ verb $value "are" }} left`), 3.97, "4 entries are left", "4 entries were left"},
		{rule("errors", "It failed {{ times $value }}"), 1.03, "It failed once", "It failed once"}, {rule("errors", "It failed {{ times $value }}"), 11.6, "It failed 12 times", "It failed 12 times"},
		{rule("errors", "It failed {{ times $value }}"), 2, "It failed twice", "It failed twice"},
		{rule("d", "The certificate {{ ends $value }}"), 13.995, "The certificate ends in 13 days", "The certificate was to end in 13 days"},
		{rule("d", "The certificate {{ ends $value }}"), -.995, "The certificate ended 23 h 52 min ago", "The certificate had ended 23 h 52 min before"},
		{rule("s", "The certificate {{ ends $value }}"), 7200, "The certificate ends in 2 h", "The certificate was to end in 2 h"},
		{share, 1.004, "100 % of pods are ready (normal 0–100 %)", "100 % of pods were ready (normal 0–100 %)"}, {share, -.001, "0 % of pods are ready (normal 0–100 %)", "0 % of pods were ready (normal 0–100 %)"},
		{rule("/s", `It gets {{ rate $value "lookup" }}`), 12.31, "It gets 12.3 lookups/s", "It got 12.3 lookups/s"}, {rule("/s", `It gets {{ rate $value "request" }}`), 250000, "It gets 250 k requests/s", "It got 250 k requests/s"},
		{rule("members", "It sees {{ $value }} (normal {{ $low }})"), 1, "It sees 1 member (normal -0.5 members)", "It saw 1 member (normal -0.5 members)"},
	} {
		m := &Member{Name: "x", Rule: c.r, Unit: c.r.Unit, State: model.High, Value: c.v, Worst: c.v, Band: model.Band{Lower: -.5, Upper: 1.2}, WorstBand: model.Band{Lower: -.5, Upper: 1.2}}
		if got := m.sentence(true, false); got != c.now {
			t.Errorf("now: %q, want %q", got, c.now)
		}
		if got := m.sentence(true, true); got != c.after {
			t.Errorf("afterwards: %q, want %q", got, c.after)
		}
	}
	for want, got := range map[string]string{
		"1 node": Quantity(1, "nodes"), "2 nodes": Quantity(2, "nodes"), "1 file system": Quantity(1, "file systems"), "1 core": Quantity(1, "cores"), "0.995 cores": Quantity(.995, "cores"),
		"0–1 pods": Range(0, 1, "pods"), "1 pod": Range(1, 1, "pods"), "3 pods": Quantity(2.98, "pods"), "2.5 pods": Quantity(2.5, "pods"), "13 pods": Quantity(12.7, "pods"),
		"1 entry": Count(1, "entry"), "2 entries": Count(2, "entry"), "2 processes": Count(2, "process"), "1 series": Count(1, "series"), "7 days": Count(7, "day"), "12 h": Quantity(.5, "d"), "no data": Quantity(math.NaN(), "pods"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Each summary of the packs can be told in the past: nothing that is over is said in words of the present, and what labels say is nobody's verb.
func TestEverySummaryHasAPast(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	now := regexp.MustCompile(`\b(is|are|has|fails?|waits|takes|drops|uses|comes|needs|gets|does|keeps|says|cannot)\b`)
	then := regexp.MustCompile(`\b(was|were|had|did|could|[a-z]+ed|took|came|got|gave|held|kept|knew|left|ran|said|saw|sent|told|found|not)\b`)
	for _, p := range packs {
		for _, r := range p.Rules {
			if r.Summary == "" {
				continue
			}
			m := &Member{Name: r.Name, Rule: r, Unit: r.Unit, State: model.High, Value: 3, Worst: 3, Band: model.Band{Upper: 1}, WorstBand: model.Band{Upper: 1}}
			for _, l := range []string{"workload", "node", "namespace", "name", "resource", "container"} {
				m.Entity = append(m.Entity, series.Label{Name: l, Value: "waits"})
			}
			got := m.sentence(true, true)
			if bare := strings.ReplaceAll(got, "waits", "X"); now.MatchString(bare) || !then.MatchString(bare) {
				t.Errorf("%s: %q", r.Name, got)
			}
			if strings.Count(got, "waits") != strings.Count(m.sentence(true, false), "waits") && !strings.Contains(r.Summary, "waits") {
				t.Errorf("%s: a label was put into the past: %q", r.Name, got)
			}
		}
	}
}
