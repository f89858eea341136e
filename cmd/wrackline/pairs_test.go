package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// One cause, one story: each simulated fault alone, and every pair of two of them of which the second begins minutes before the first ends, on a cluster
// that has learned for some days. What is told is held against the truth: how many incidents a cause, what moved first, which change is named.

// learnedCluster is a simulated cluster and what the engine knows of it at the end of a quiet history.
type learnedCluster struct {
	sc       scenario.Config
	until    int64
	sections map[string][]byte
	models   map[string][]byte
}

func learnCluster(t *testing.T, days int64) *learnedCluster {
	t.Helper()
	c := &learnedCluster{sc: scenario.Config{Seed: 5, StartMs: scenario.Epoch + (2-days)*86_400_000}, sections: map[string][]byte{}, models: map[string][]byte{}}
	c.until = scenario.Epoch + 2*86_400_000 // a Wednesday, whatever was learned
	g, err := scenario.New(c.sc)
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOffline(defaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(c.until)
		if !ok {
			break
		}
		o.engine.Apply(&r.Batch, 0)
	}
	for name, section := range o.engine.Sections {
		c.sections[name] = section(nil)
	}
	for id, data := range o.engine.Models {
		c.models[id] = append([]byte(nil), data...)
	}
	return c
}

// play goes on with faults, until some hours after the last, and returns what was told.
func (c *learnedCluster) play(faults ...scenario.Fault) (*offline, []scenario.Truth, error) {
	g, err := scenario.New(c.sc)
	if err != nil {
		return nil, nil, err
	}
	g.Skip(c.until)
	cfg := defaultConfig()
	cfg.Alerting.NotificationsPerDay = -1 // what a day has room for is another question
	o, err := newOffline(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := o.engine.Restore(0, c.sections, func(yield func(string, []byte) bool) {
		for id, data := range c.models {
			if !yield(id, data) {
				return
			}
		}
	}); err != nil {
		return nil, nil, err
	}
	for _, f := range faults {
		if err := g.Add(f); err != nil {
			return nil, nil, err
		}
	}
	truth, end := g.Truth(), int64(0)
	for i := range truth {
		end = max(end, truth[i].End)
	}
	for {
		r, ok := g.Next(end + 90*60_000)
		if !ok {
			return o, truth, nil
		}
		o.engine.Apply(&r.Batch, 0)
	}
}

// storyScore counts how well incidents tell of causes.
type storyScore struct {
	cases, causes, incidents, movers, changes, swallowed int
	wrong                                                []string
}

func (s *storyScore) add(o storyScore) {
	s.cases += o.cases
	s.causes += o.causes
	s.incidents += o.incidents
	s.movers += o.movers
	s.changes += o.changes
	s.swallowed += o.swallowed
	s.wrong = append(s.wrong, o.wrong...)
}

func (s *storyScore) String() string {
	of := func(n int) float64 { return float64(n) / float64(max(s.causes, 1)) }
	return fmt.Sprintf("%3d cases, %3d causes: %.2f incidents a cause, first mover right %.2f, change right %.2f, swallowed %d", s.cases, s.causes, of(s.incidents), of(s.movers), of(s.changes), s.swallowed)
}

// scoreStory holds what was told against the truth. A cause has its story when an incident was told whose first mover is what the fault must move.
func scoreStory(name string, o *offline, truth []scenario.Truth) storyScore {
	s := storyScore{cases: 1}
	fail := func(format string, args ...any) { s.wrong = append(s.wrong, name+": "+fmt.Sprintf(format, args...)) }
	asAlarm := func(m *alerting.Member) *scenario.Alarm {
		dir := "up"
		if outsideLow(m) {
			dir = "down"
		}
		return &scenario.Alarm{Signal: m.Name, Entity: m.Entity, ID: m.SignalID, Start: m.Opened, Dir: dir}
	}
	var told []*alerting.Incident
	for _, inc := range o.manager.Incidents() {
		if inc.Told > 0 && inc.Opened >= truth[0].Start {
			told = append(told, inc)
		}
	}
	for i := range truth {
		t := &truth[i]
		if len(t.Must) == 0 { // nothing need be told of it, though it may be
			told = slices.DeleteFunc(told, func(inc *alerting.Incident) bool {
				a := asAlarm(inc.FirstMover())
				return t.Explains(a) && !slices.ContainsFunc(truth, func(x scenario.Truth) bool { return len(x.Must) > 0 && x.Explains(a) })
			})
		}
	}
	s.incidents = len(told)
	for i := range truth {
		t := &truth[i]
		if len(t.Must) == 0 {
			continue
		}
		s.causes++
		var own *alerting.Incident
		said := false
		for _, inc := range told {
			if t.Expects(asAlarm(inc.FirstMover())) && (own == nil || inc.Opened < own.Opened) {
				own = inc
			}
			for k := range inc.Members {
				said = said || t.Expects(asAlarm(&inc.Members[k])) && inc.Members[k].Severity == inc.Severity
			}
		}
		switch {
		case own == nil && !said:
			s.swallowed++
			fail("%s: not told", t.Kind)
			for _, inc := range o.manager.Incidents() {
				for k := range inc.Members {
					if m := &inc.Members[k]; inc.Opened >= truth[0].Start {
						fail("    %s, told %d: %s, began +%d, rose +%d", inc.ID, inc.Told, m.SignalID, (m.Onset-truth[0].Start)/60_000, (m.Opened-truth[0].Start)/60_000)
					}
				}
			}
			continue
		case own == nil:
			fail("%s: told inside another story", t.Kind)
			for _, inc := range told {
				for k := range inc.Members {
					m := &inc.Members[k]
					fail("    %s: %s, began +%d, rose +%d, top %v", inc.ID, m.SignalID, (m.Onset-truth[0].Start)/60_000, (m.Opened-truth[0].Start)/60_000, m.Top)
				}
			}
			continue
		}
		s.movers++
		want, got := t.Change, ""
		for k := range own.Changes {
			if c := &own.Changes[k]; c.Nearness > alerting.WholeCluster {
				got = string(c.Kind) + " " + c.Object
				break
			}
		}
		if want == "" && got == "" || want != "" && named(own, want) || want == "" && !changeOf(truth, got) {
			s.changes++
		} else {
			fail("%s: change %q, want %q", t.Kind, got, want)
		}
	}
	if s.incidents != s.causes {
		for _, inc := range told {
			fail("  told %s: %q, first %s at +%d min, opened +%d min, %d members", inc.ID, inc.Title, inc.FirstMover().SignalID, (inc.FirstMover().Onset-truth[0].Start)/60_000, (inc.Opened-truth[0].Start)/60_000, len(inc.Members))
		}
	}
	return s
}

// named reports whether an incident names a change, kind and object, among its closest, which are those that a message has room for.
func named(inc *alerting.Incident, want string) bool {
	for k := range inc.Changes[:min(3, len(inc.Changes))] {
		if c := &inc.Changes[k]; string(c.Kind)+" "+c.Object == want {
			return true
		}
	}
	return false
}

// changeOf reports whether a change caused one of the faults.
func changeOf(truth []scenario.Truth, change string) bool {
	for i := range truth {
		if truth[i].Change != "" && truth[i].Change == change {
			return true
		}
	}
	return false
}

type storyCase struct {
	name   string
	group  string
	faults []scenario.Fault
}

// storyCases are all faults alone, and all pairs with overlaps, the later one first in the list beginning so many minutes before the other ends.
func storyCases(at int64, overlaps ...int64) []storyCase {
	kinds := scenario.Kinds()
	var out []storyCase
	for i, a := range kinds {
		first := scenario.Fault{Kind: a, StartMs: at}
		out = append(out, storyCase{string(a), "alone", []scenario.Fault{first}})
		for _, b := range kinds[i+1:] {
			for _, n := range overlaps {
				second := scenario.Fault{Kind: b, StartMs: max(first.EndMs()-n*60_000, at)}
				out = append(out, storyCase{fmt.Sprintf("%s and %s, %d min", a, b, n), fmt.Sprintf("overlap of %d min", n), []scenario.Fault{first, second}})
			}
		}
	}
	return out
}

// shortStories are what the normal tests have time for; make stories plays all 145.
var shortStories = []string{"coredns_overload", "rbac_403", "rollout_stuck", "conntrack_exhaustion", "cpu_limit_halved and rbac_403, 10 min", "coredns_overload and rbac_403, 3 min"}

// TestOneCauseOneStory scores the stories. WRACKLINE_STORIES is all, or a part of the names of cases.
func TestOneCauseOneStory(t *testing.T) {
	only := os.Getenv("WRACKLINE_STORIES")
	if only == "" && (testing.Short() || underRace) {
		t.Skip("takes half a minute of CPU time; one goroutine a world, so there is nothing to find")
	}
	t.Parallel()
	days, overlaps := int64(4), []int64{3, 10, 30}
	if only != "" {
		days = 9
	}
	begun := time.Now()
	c := learnCluster(t, days)
	var mu sync.Mutex
	sums, order := map[string]*storyScore{}, []string{"alone"}
	for _, n := range overlaps {
		order = append(order, fmt.Sprintf("overlap of %d min", n))
	}
	for _, g := range order {
		sums[g] = &storyScore{}
	}
	work := make(chan storyCase)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for x := range work {
				o, truth, err := c.play(x.faults...)
				if err != nil {
					t.Error(err)
					continue
				}
				s := scoreStory(x.name, o, truth)
				mu.Lock()
				sums[x.group].add(s)
				mu.Unlock()
			}
		})
	}
	for _, x := range storyCases(c.until+12*3_600_000, overlaps...) {
		if only == "all" || only != "" && strings.Contains(x.group+" "+x.name, only) || only == "" && slices.Contains(shortStories, x.name) {
			work <- x
		}
	}
	close(work)
	wg.Wait()
	total := &storyScore{}
	for _, g := range order {
		if sums[g].cases > 0 {
			total.add(*sums[g])
			t.Logf("%-18s %s", g, sums[g])
		}
	}
	for _, w := range total.wrong {
		t.Log(w)
	}
	t.Logf("%-18s %s; %s", "all", total, time.Since(begun).Round(time.Second))
	if n := float64(total.causes); only == "" && (total.swallowed > 0 || float64(total.incidents) > 1.15*n || float64(total.movers) < .85*n || float64(total.changes) < .85*n) {
		t.Error("causes are told less well than they were")
	}
}
