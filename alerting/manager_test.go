package alerting

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// t0 is 2026-03-02 00:00 UTC, the start of a day.
const t0 = int64(1772409600000)

var (
	servfail = &signal.Rule{Name: "dns.servfail_ratio", Question: "Are cluster DNS lookups failing?", Unit: "ratio", Severity: signal.Page,
		Summary: "{{ $value | pct }} of DNS answers fail (normal {{ $band }})", Meaning: "Names do not resolve.", Next: []string{"kubectl -n kube-system logs -l k8s-app=kube-dns"},
		Evidence: []string{"dns.latency_p99", "net.conntrack_fail"}}
	dnsLat  = &signal.Rule{Name: "dns.latency_p99", Unit: "s", Severity: signal.Warn}
	wlCPU   = &signal.Rule{Name: "wl.cpu", Unit: "cores", Severity: signal.Warn}
	wlMem   = &signal.Rule{Name: "wl.memory", Unit: "B", Severity: signal.Warn}
	wlOOM   = &signal.Rule{Name: "wl.oom", Unit: "count", Severity: signal.Page}
	nodeCPU = &signal.Rule{Name: "node.cpu", Unit: "ratio", Severity: signal.Info}
	rules   = []*signal.Rule{servfail, dnsLat, wlCPU, wlMem, wlOOM, nodeCPU}
)

func ruleByName(name string) *signal.Rule {
	for _, r := range rules {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func sig(r *signal.Rule, labels ...string) *signal.Signal {
	e := series.Labels{{Name: "cluster", Value: "prod"}}
	for i := 0; i < len(labels); i += 2 {
		e = append(e, series.Label{Name: labels[i], Value: labels[i+1]})
	}
	slices.SortFunc(e, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	return &signal.Signal{ID: signal.MakeID(r.Name, e), Rule: r, Entity: e}
}

// bench drives a Manager minute by minute.
type bench struct {
	m    *Manager
	t    int64
	told []Notification
	on   map[*signal.Signal]baseline.Verdict
	old  bool
}

func newBench(o Options) *bench {
	b := &bench{t: t0, on: map[*signal.Signal]baseline.Verdict{}}
	o.Rule = ruleByName
	o.Emit = func(n Notification) { b.told = append(b.told, n) }
	b.m = NewManager(o)
	return b
}

// alarm sets a signal's verdict for the windows to come; the alarm began onsetAgo minutes before the next window.
func (b *bench) alarm(s *signal.Signal, state model.State, value float64, onsetAgo int64) {
	b.on[s] = baseline.Verdict{Signal: s, Value: value, Judgement: model.Judgement{State: state, Score: 1.5, Test: model.PointTest,
		Onset: b.t + minuteMs - onsetAgo*minuteMs, Band: model.Band{Lower: 0, Expected: 0.001, Upper: 0.002}}, Top: []signal.Member{{Name: "pod-a", Value: value}}}
}

// calm lets a signal return to its band.
func (b *bench) calm(s *signal.Signal, how model.Transition) {
	b.on[s] = baseline.Verdict{Signal: s, Value: 0.001, Judgement: model.Judgement{State: model.Normal, Transition: how, Score: 0.1,
		Band: model.Band{Lower: 0, Expected: 0.001, Upper: 0.002}}}
}

func (b *bench) minutes(n int) {
	for range n {
		b.t += minuteMs
		batch := baseline.Batch{Cluster: "prod", T: b.t, Old: b.old}
		for _, v := range b.on {
			v.T = b.t
			batch.Verdicts = append(batch.Verdicts, v)
		}
		slices.SortFunc(batch.Verdicts, func(a, b baseline.Verdict) int { return cmp.Compare(a.Signal.ID, b.Signal.ID) })
		b.m.Observe(batch)
	}
}

func (b *bench) reasons() string {
	var r []string
	for _, n := range b.told {
		r = append(r, string(n.Reason))
	}
	return strings.Join(r, " ")
}

func TestOneFaultIsOneIncidentWithAFirstMoverAndAClosingWord(t *testing.T) {
	b := newBench(Options{})
	dns, lat, cpu := sig(servfail), sig(dnsLat), sig(wlCPU, "namespace", "shop", "workload", "cart")
	b.minutes(5)
	b.alarm(lat, model.High, 2.5, 4)
	b.minutes(1)
	b.alarm(dns, model.High, 0.31, 3)
	b.minutes(1)
	b.alarm(cpu, model.High, 3, 1)
	b.minutes(3)
	s := b.m.Snapshot()
	if len(s.Open) != 1 {
		t.Fatalf("open incidents = %d, want 1", len(s.Open))
	}
	inc := s.Open[0]
	if got := inc.FirstMover().Name; got != "dns.latency_p99" {
		t.Errorf("first mover = %s, want dns.latency_p99", got)
	}
	if inc.Title != "31 % of DNS answers fail (normal 0–0.2 %)" {
		t.Errorf("title = %q", inc.Title)
	}
	if inc.Severity != signal.Page || inc.Headline().Name != "dns.servfail_ratio" || len(inc.Members) != 3 {
		t.Errorf("severity %s, headline %s, %d members", inc.Severity, inc.Headline().Name, len(inc.Members))
	}
	if got := inc.Scope.String(); got != `{cluster="prod"}` {
		t.Errorf("scope = %s", got)
	}
	if got := b.reasons(); got != "first" {
		t.Errorf("notifications = %q, want first alone: the page joined before the warn incident was announced", got)
	}
	for s := range b.on {
		b.calm(s, model.Recovered)
	}
	b.minutes(4)
	if b.reasons() != "first" {
		t.Fatalf("resolved before the hold had passed: %s", b.reasons())
	}
	b.minutes(1)
	if b.reasons() != "first resolved" {
		t.Fatalf("notifications = %q", b.reasons())
	}
	last := b.told[1].Incident
	if last.Open() || last.Resolution != "recovered" || last.ID != inc.ID || len(b.m.Snapshot().Open) != 0 {
		t.Errorf("closing word is about %+v", last)
	}
	if last.Resolved != t0+11*minuteMs {
		t.Errorf("resolved at %s, want the return to the band", Clock(last.Resolved))
	}
	if got, ok := b.m.Incident(inc.ID); !ok || got.Told != 2 {
		t.Errorf("Incident(%s) = %v, %v", inc.ID, got, ok)
	}
}

func TestAFlapWithinTheHoldReusesTheIncident(t *testing.T) {
	b := newBench(Options{})
	dns := sig(servfail)
	for range 4 {
		b.alarm(dns, model.High, 0.3, 2)
		b.minutes(3)
		b.calm(dns, model.Recovered)
		b.minutes(4)
	}
	s := b.m.Snapshot()
	if len(s.Open) != 1 || s.Open[0].Refires != 3 || b.reasons() != "first" {
		t.Fatalf("open %d, notifications %q", len(s.Open), b.reasons())
	}
	b.minutes(30)
	if b.reasons() != "first resolved" {
		t.Errorf("notifications = %q", b.reasons())
	}
}

func TestAWarningThatIsOverAtOnceIsNeverTold(t *testing.T) {
	b := newBench(Options{})
	lat := sig(dnsLat)
	b.alarm(lat, model.High, 2, 3)
	b.minutes(1)
	b.calm(lat, model.Recovered)
	b.minutes(10)
	if b.reasons() != "" || len(b.m.Snapshot().Closed) != 1 {
		t.Errorf("notifications %q, closed %d", b.reasons(), len(b.m.Snapshot().Closed))
	}
}

func TestInfoOnlyJoinsAndMayHaveMovedFirst(t *testing.T) {
	b := newBench(Options{})
	node := sig(nodeCPU, "node", "n1")
	b.alarm(node, model.High, 0.99, 5)
	b.minutes(10)
	if s := b.m.Snapshot(); len(s.Open) != 0 || len(s.Loose) != 1 {
		t.Fatalf("open %d, loose %d, want 0 and 1", len(s.Open), len(s.Loose))
	}
	b.alarm(sig(servfail), model.High, 0.2, 10)
	b.minutes(2)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || len(s.Loose) != 0 || s.Open[0].FirstMover().Name != "node.cpu" || s.Open[0].Headline().Name != "dns.servfail_ratio" {
		t.Errorf("open %d, loose %d, %+v", len(s.Open), len(s.Loose), s.Open[0].Members)
	}
}

func TestWhatBelongsTogether(t *testing.T) {
	shop := []string{"namespace", "shop", "workload", "cart"}
	for _, c := range []struct {
		name string
		a, b *signal.Signal
		ago  int64 // onset of b before the window that opens it; a has minute 1, b comes in minute 6
		want int   // incidents
	}{
		{"the same workload at the same time", sig(wlCPU, shop...), sig(wlMem, shop...), 4, 1},
		{"the same workload, half an hour apart", sig(wlCPU, shop...), sig(wlMem, shop...), 36, 2},
		{"the same namespace", sig(wlCPU, shop...), sig(wlMem, "namespace", "shop", "workload", "db"), 4, 1},
		{"two namespaces", sig(wlCPU, shop...), sig(wlMem, "namespace", "bank", "workload", "db"), 4, 2},
		{"the same workload name in two namespaces", sig(wlCPU, shop...), sig(wlMem, "namespace", "bank", "workload", "cart"), 4, 2},
		{"the same question", sig(wlCPU, shop...), sig(wlCPU, "namespace", "bank", "workload", "db"), 4, 1},
		{"one concerns the cluster", sig(wlCPU, shop...), sig(servfail), 4, 1},
		{"named as evidence", sig(dnsLat, "node", "n1"), sig(servfail, "namespace", "kube-system"), 4, 1},
	} {
		b := newBench(Options{})
		b.alarm(c.a, model.High, 1, 1)
		b.minutes(5)
		b.alarm(c.b, model.High, 1, c.ago)
		b.minutes(1)
		if got := len(b.m.Snapshot().Open); got != c.want {
			t.Errorf("%s: %d incidents, want %d", c.name, got, c.want)
		}
	}
}

func TestWhatHappensToADriftingWorkloadIsItsConsequence(t *testing.T) {
	b := newBench(Options{})
	shop := []string{"namespace", "shop", "workload", "cart"}
	b.alarm(sig(wlMem, shop...), model.Drifting, 9e8, 600)
	b.minutes(180)
	b.alarm(sig(wlOOM, shop...), model.High, 2, 1)
	b.minutes(1)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || s.Open[0].FirstMover().Name != "wl.memory" || s.Open[0].Severity != signal.Page {
		t.Fatalf("%d incidents, %+v", len(s.Open), s.Open[0])
	}
	if b.reasons() != "first changed" {
		t.Errorf("notifications = %q, want the rise to page told at once", b.reasons())
	}
}

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
		s := sig(&signal.Rule{Name: fmt.Sprint("q", i), Unit: "count", Severity: signal.Warn}, "namespace", fmt.Sprint("n", i))
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

func TestGoneSignalsEndTheirIncident(t *testing.T) {
	b := newBench(Options{})
	dns := sig(servfail)
	b.alarm(dns, model.High, 1, 1)
	b.minutes(3)
	delete(b.on, dns)
	b.minutes(60)
	s := b.m.Snapshot()
	if len(s.Open) != 0 || s.Closed[0].Resolution != "gone" || b.reasons() != "first resolved" {
		t.Errorf("open %d, %q", len(s.Open), b.reasons())
	}
}

func TestHostileLabelsAndCrowdsStayBounded(t *testing.T) {
	b := newBench(Options{})
	long := strings.Repeat("<!channel>\u202e", 400)
	for i := range 1000 {
		b.alarm(sig(wlCPU, "namespace", "shop", "workload", fmt.Sprint(i)+long), model.High, 1, 1)
	}
	b.minutes(3)
	s := b.m.Snapshot()
	if len(s.Open) != 1 || len(s.Open[0].Members) != 64 || s.Open[0].More != 1000-64 {
		t.Fatalf("open %d, members %d, more %d", len(s.Open), len(s.Open[0].Members), s.Open[0].More)
	}
	if n := len(b.m.AppendState(nil)); n > 256<<10 {
		t.Errorf("state = %d B", n)
	}
	for s := range b.on {
		b.calm(s, model.Recovered)
	}
	b.minutes(10)
	if len(b.m.Snapshot().Open) != 0 {
		t.Error("did not resolve")
	}
	for i := range 400 {
		b.alarm(sig(&signal.Rule{Name: fmt.Sprint("r", i), Severity: signal.Warn}, "zone", fmt.Sprint(i)), model.High, 1, 1)
		b.alarm(sig(&signal.Rule{Name: fmt.Sprint("i", i), Severity: signal.Info}, "zone", fmt.Sprint(i)), model.High, 1, 1)
	}
	b.minutes(3)
	if s := b.m.Snapshot(); len(s.Open) != 256 || len(s.Loose) > looseMax {
		t.Errorf("open %d, loose %d", len(s.Open), len(s.Loose))
	}
}

// randomWorld makes batches of two clusters in which signals rise, fall, fall silent and lag.
func randomWorld(r *rand.Rand, batches int) []baseline.Batch {
	var sigs []*signal.Signal
	for _, rule := range rules {
		for n := range 3 {
			for w := range 2 {
				sigs = append(sigs, sig(rule, "namespace", fmt.Sprint("n", n), "workload", fmt.Sprint("w", w)))
			}
		}
	}
	sigs = append(sigs, sig(servfail), sig(dnsLat), sig(nodeCPU, "node", "n1"))
	slices.SortFunc(sigs, func(a, b *signal.Signal) int { return cmp.Compare(a.ID, b.ID) })
	onset := make([][2]int64, len(sigs))
	var out []baseline.Batch
	t := [2]int64{t0, t0 - 5*minuteMs}
	for i := range batches {
		c := r.IntN(2)
		t[c] += minuteMs
		if r.IntN(200) == 0 {
			t[c] += int64(r.IntN(3000)) * minuteMs
		}
		b := baseline.Batch{Cluster: []string{"prod", "dev"}[c], T: t[c], Old: i%500 > 350}
		for k, s := range sigs {
			if r.IntN(30) == 0 {
				continue
			}
			v := baseline.Verdict{Signal: s, T: t[c], Value: r.Float64()}
			v.Band = model.Band{Upper: 0.5}
			switch {
			case onset[k][c] == 0 && r.IntN(150) == 0:
				onset[k][c] = t[c] - int64(r.IntN(15))*minuteMs
				v.Transition = model.Opened
			case onset[k][c] != 0 && r.IntN(12) == 0:
				onset[k][c] = 0
				v.Transition = model.Transition(2 + r.IntN(2))
			}
			v.State = model.Normal
			if onset[k][c] != 0 {
				v.State, v.Onset, v.Score = model.State(2+r.IntN(4)), onset[k][c], 1+r.Float64()
				if v.State == model.Absent {
					v.Value = math.NaN()
				}
			}
			b.Verdicts = append(b.Verdicts, v)
		}
		out = append(out, b)
	}
	return out
}

// TestRestoredManagerContinuesBitForBit restores at random points and compares with the run that was never stopped.
func TestRestoredManagerContinuesBitForBit(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		world := randomWorld(r, 1500)
		var want, got []Notification
		opts := func(to *[]Notification) Options {
			return Options{Rule: ruleByName, ClosedMax: 40, Emit: func(n Notification) { *to = append(*to, n) }}
		}
		a, b := NewManager(opts(&want)), NewManager(opts(&got))
		for i, batch := range world {
			a.Observe(batch)
			b.Observe(batch)
			if r.IntN(40) != 0 {
				continue
			}
			state := b.AppendState(nil)
			if !bytes.Equal(state, a.AppendState([]byte("x"))[1:]) {
				t.Fatalf("seed %d, batch %d: states differ", seed, i)
			}
			b = NewManager(opts(&got))
			if err := b.RestoreState(state); err != nil {
				t.Fatalf("seed %d, batch %d: %v", seed, i, err)
			}
			if !bytes.Equal(state, b.AppendState(nil)) {
				t.Fatalf("seed %d, batch %d: the restored state writes differently", seed, i)
			}
			if x, y := fmt.Sprint(derefs(a.Incidents())), fmt.Sprint(derefs(b.Incidents())); x != y {
				k := 0
				for k < min(len(x), len(y)) && x[k] == y[k] {
					k++
				}
				t.Fatalf("seed %d, batch %d: pictures differ: …%.400s\n…%.400s", seed, i, x[max(0, k-200):], y[max(0, k-200):])
			}
		}
		if fmt.Sprint(flat(want)) != fmt.Sprint(flat(got)) || len(want) < 20 {
			t.Errorf("seed %d: %d and %d notifications, or they differ", seed, len(want), len(got))
		}
	}
}

func derefs(in []*Incident) (out []Incident) {
	for _, i := range in {
		out = append(out, *i)
	}
	return out
}

func flat(in []Notification) (out []string) {
	for _, n := range in {
		out = append(out, fmt.Sprint(n.ID, n.IncidentID, n.Reason, n.Seq, n.T, *n.Incident))
	}
	return out
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

func TestRestoreRefusesDamage(t *testing.T) {
	m := NewManager(Options{Rule: ruleByName})
	for _, b := range randomWorld(rand.New(rand.NewPCG(7, 7)), 600) {
		m.Observe(b)
	}
	state := m.AppendState(nil)
	for n := range len(state) {
		if n > 500 && n%197 != 0 {
			continue
		}
		if err := NewManager(Options{}).RestoreState(state[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if err := NewManager(Options{}).RestoreState(append(slices.Clone(state), 0)); !errors.Is(err, ErrState) {
		t.Errorf("a byte too many: %v", err)
	}
}

func FuzzRestoreState(f *testing.F) {
	m := NewManager(Options{Rule: ruleByName})
	for _, b := range randomWorld(rand.New(rand.NewPCG(7, 7)), 200) {
		m.Observe(b)
	}
	f.Add(m.AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := NewManager(Options{})
		if m.RestoreState(b) == nil {
			again := NewManager(Options{})
			if err := again.RestoreState(m.AppendState(nil)); err != nil {
				t.Errorf("what was restored cannot be written: %v", err)
			}
		}
	})
}

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

func TestQuietWindowsCostNothing(t *testing.T) {
	m := NewManager(Options{})
	b := baseline.Batch{Cluster: "prod", T: t0}
	for i := range 1000 {
		s := sig(wlCPU, "namespace", "n", "workload", fmt.Sprint(i))
		b.Verdicts = append(b.Verdicts, baseline.Verdict{Signal: s, T: t0, Judgement: model.Judgement{State: model.Normal}})
	}
	m.Observe(b)
	if n := testing.AllocsPerRun(20, func() { m.Observe(b) }); n > 0 {
		t.Errorf("a quiet window of 1,000 signals makes %v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := NewManager(Options{Rule: ruleByName})
	batch := baseline.Batch{Cluster: "prod", T: t0}
	for i := range 7500 {
		s := sig(wlCPU, "namespace", fmt.Sprint("n", i%50), "workload", fmt.Sprint(i))
		v := baseline.Verdict{Signal: s, Judgement: model.Judgement{State: model.Normal}}
		if i%100 == 0 {
			v.State, v.Onset = model.High, t0
		}
		batch.Verdicts = append(batch.Verdicts, v)
	}
	b.ReportAllocs()
	for b.Loop() {
		batch.T += minuteMs
		for i := range batch.Verdicts {
			batch.Verdicts[i].T = batch.T
		}
		m.Observe(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/7500, "ns/verdict")
}

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.312, "ratio", "31.2 %"}, {0.00213, "ratio", "0.213 %"}, {0, "ratio", "0 %"}, {1, "ratio", "100 %"},
		{0.18, "s", "180 ms"}, {2.5, "s", "2.5 s"}, {0.000012, "s", "12 µs"}, {600, "s", "10 min"}, {250, "ms", "250 ms"}, {4200, "ms", "4.2 s"}, {0, "s", "0 s"},
		{1610612736, "B", "1.5 GiB"}, {512, "B", "512 B"}, {3 << 20, "B/s", "3 MiB/s"},
		{12.34, "/s", "12.3 /s"}, {1234567, "/s", "1.23 M/s"}, {0.25, "cores", "0.25 cores"}, {12345, "count", "12345"}, {3, "", "3"}, {-1.5, "%/h", "-1.5 %/h"},
		{math.NaN(), "s", "no data"}, {math.Inf(1), "count", "∞"}, {99.96, "ratio", "9996 %"}, {9.999, "cores", "10 cores"},
	} {
		if got := Quantity(c.v, c.unit); got != c.want {
			t.Errorf("Quantity(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b float64
		unit string
		want string
	}{
		{0, 0.002, "ratio", "0–0.2 %"}, {0.12, 0.18, "s", "120–180 ms"}, {-3, 5, "/s", "-3 to 5 /s"}, {2, 2, "cores", "2 cores"},
		{math.Inf(-1), 3, "cores", "≤ 3 cores"}, {3, math.Inf(1), "B", "≥ 3 B"}, {math.NaN(), math.NaN(), "s", "anything"}, {1 << 20, 1 << 30, "B", "0.000977–1 GiB"},
	} {
		if got := Range(c.a, c.b, c.unit); got != c.want {
			t.Errorf("Range(%v, %v, %q) = %q, want %q", c.a, c.b, c.unit, got, c.want)
		}
	}
	for _, c := range []struct {
		ms   int64
		want string
	}{{45_000, "45 s"}, {720_000, "12 min"}, {12_000_000, "3 h 20 min"}, {2*dayMs + 4*3600_000, "2 d 4 h"}, {-5, "0 s"}} {
		if got := Span(c.ms); got != c.want {
			t.Errorf("Span(%d) = %q, want %q", c.ms, got, c.want)
		}
	}
}

func TestSentencesAreOneSafeLine(t *testing.T) {
	m := newMember(&baseline.Verdict{Signal: sig(wlCPU, "workload", "a\nb\u202e\x1b[31m"), T: t0, Value: 3,
		Judgement: model.Judgement{State: model.High, Band: model.Band{Upper: 1}}})
	if got := m.Sentence(false); got != "wl.cpu is 3 cores (normal 0–1 cores)" {
		t.Errorf("without a template: %q", got)
	}
	m.Rule = &signal.Rule{Summary: "{{ $labels.workload }} uses {{ $value }}{{ $labels.none }} > {{ $high | num }}"}
	if got := m.Sentence(false); got != "a b [31m uses 3 cores > 1" {
		t.Errorf("with a template: %q", got)
	}
	m.Rule = &signal.Rule{Summary: "{{ $labels.workload | pct }}"} // fails when filled
	if got := m.Sentence(false); !strings.HasPrefix(got, "wl.cpu is 3") {
		t.Errorf("with a broken template: %q", got)
	}
	if got := m.Command("kubectl describe deploy {{ $labels.workload }}"); got != "kubectl describe deploy 'a b [31m'" {
		t.Errorf("command: %q", got)
	}
	m.Entity[1].Value = "x'; rm -rf / #"
	if got := m.Command("describe {{ $labels.workload }} {{ $labels.cluster }}"); got != `describe 'x'\''; rm -rf / #' prod` {
		t.Errorf("command: %q", got)
	}
	m.State, m.Value = model.Absent, math.NaN()
	if got := m.Sentence(false); got != "wl.cpu has no data any more" {
		t.Errorf("absent: %q", got)
	}
	for text, ok := range map[string]bool{"{{ $value | pct }} of {{ $labels.x }}": true, "{{ $valu }}": false, "{{": false, "": true, "{{ $eta }} {{ $slope }} {{ $top }} {{ $expected }}": true} {
		if err := CheckSummary(text); (err == nil) != ok {
			t.Errorf("CheckSummary(%q) = %v", text, err)
		}
	}
	if got := Place(series.Labels{{Name: "cluster", Value: "prod"}, {Name: "device", Value: "sda"}, {Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}, {Name: "workload_type", Value: "deployment"}}); got != "prod / shop / cart / device=sda" {
		t.Errorf("Place = %q", got)
	}
	if got := Cut("aé…", 4); got != "a…" || !reflect.DeepEqual(Cut("abc", 3), "abc") {
		t.Errorf("Cut = %q", got)
	}
}

func TestAlarmsOfVanishedRulesEndAsGone(t *testing.T) {
	b := newBench(Options{})
	dns, cpu := sig(servfail), sig(wlCPU, "namespace", "shop", "workload", "cart")
	b.minutes(5)
	b.alarm(dns, model.High, 0.31, 3)
	b.alarm(cpu, model.High, 3, 1)
	b.minutes(3)
	if n := len(b.m.Snapshot().Open); n != 1 {
		t.Fatalf("open incidents = %d, want 1", n)
	}
	renamed := *wlCPU
	renamed.Question = "Is it another?"
	delete(b.on, dns)
	b.m.SetRules(func(name string) *signal.Rule {
		if name == wlCPU.Name {
			return &renamed
		}
		return nil
	})
	inc := b.m.Snapshot().Open[0]
	for i := range inc.Members {
		m := &inc.Members[i]
		if gone := m.Ending == "gone"; gone != (m.Name == servfail.Name) || m.Name == wlCPU.Name && m.Rule != &renamed {
			t.Errorf("%s: ending %q, rule %v", m.Name, m.Ending, m.Rule)
		}
	}
	delete(b.on, cpu)
	b.m.SetRules(func(string) *signal.Rule { return nil })
	b.minutes(30)
	s := b.m.Snapshot()
	if len(s.Open) != 0 || len(s.Closed) != 1 || s.Closed[0].Resolution != "gone" {
		t.Errorf("open %d, closed %+v", len(s.Open), s.Closed)
	}
	if got := b.reasons(); !strings.HasSuffix(got, "resolved") {
		t.Errorf("told %q; the closing word is missing", got)
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

func sigOf(b *bench, name string) *signal.Signal {
	for s := range b.on {
		if s.Rule.Name == name {
			return s
		}
	}
	return nil
}

// TestWhatWasToldStaysTold holds that the first mover and the headline of a message are those of the page later, also when a member with
// an earlier onset or a higher score joins, and after a restore.
func TestWhatWasToldStaysTold(t *testing.T) {
	b := newBench(Options{})
	first := sig(servfail)
	b.minutes(30)
	b.alarm(first, model.High, 0.3, 2)
	b.minutes(2)
	told := b.told[0].Incident
	late := sig(wlOOM, "namespace", "shop", "workload", "cart")
	b.alarm(late, model.High, 5, 6)
	v := b.on[late]
	v.Score = 9
	b.on[late] = v
	b.minutes(3)
	for range 2 {
		now, ok := b.m.Incident(told.ID)
		if !ok || len(now.Members) != 2 {
			t.Fatalf("incident %v, %v", now, ok)
		}
		if now.FirstMover().SignalID != first.ID || now.Headline().SignalID != first.ID || now.Title != told.Title {
			t.Errorf("told: %q, %s first; now: %q, %s first", told.Title, told.FirstMover().SignalID, now.Title, now.FirstMover().SignalID)
		}
		state := b.m.AppendState(nil)
		if err := b.m.RestoreState(state); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAmongEqualsTheOneThatNamesSomebodyLeads holds that of two signals of one minute the more specific one is the first mover.
func TestAmongEqualsTheOneThatNamesSomebodyLeads(t *testing.T) {
	b := newBench(Options{})
	b.minutes(5)
	b.alarm(sig(dnsLat), model.High, 2, 1)
	b.alarm(sig(wlCPU, "namespace", "shop", "workload", "cart"), model.High, 2, 1)
	b.minutes(3)
	if s := b.m.Snapshot(); len(s.Open) != 1 || s.Open[0].FirstMover().Name != "wl.cpu" {
		t.Errorf("%d incidents, first mover %s", len(s.Open), s.Open[0].FirstMover().Name)
	}
}
