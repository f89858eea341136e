package sizes_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// setting is what one rule recommends, 0 = unset.
type setting struct{ request, limit sizes.Resources }

// outcome is what became of a rule's settings over the two weeks behind those that they were learned from.
type outcome struct {
	containers, killed int
	minutes, throttled float64
	freed, could       [2]float64 // cores, bytes

}

func (o *outcome) add(x *outcome) {
	o.containers += x.containers
	o.killed += x.killed
	o.minutes += x.minutes
	o.throttled += x.throttled
	for i := range o.freed {
		o.freed[i] += x.freed[i]
		o.could[i] += x.could[i]
	}
}

// vpa is the published rule of the vertical autoscaler's recommender, in our words: histograms that count half as much for each day; the CPU that nine of ten samples do not exceed, weighed by what is used at least,
// and the memory that nine of ten daily peaks do not exceed, and 15 % on top. Limits keep their proportion to requests.
type vpa struct {
	cpu   []weighed
	peaks []weighed
	day   [2]int
	peak  [2]float64
}

type weighed struct{ v, w float64 }

func quantileOf(list []weighed, q float64) float64 {
	slices.SortFunc(list, func(a, b weighed) int {
		switch {
		case a.v < b.v:
			return -1
		case a.v > b.v:
			return 1
		}
		return 0
	})
	sum := 0.0
	for _, x := range list {
		sum += x.w
	}
	at := 0.0
	for _, x := range list {
		if at += x.w; at >= q*sum {
			return x.v
		}
	}
	return 0
}

func (v *vpa) see(k, m int, cores, bytes float64) {
	w := math.Exp2(float64(m) / dayMinutes)
	v.cpu = append(v.cpu, weighed{cores, w})
	if d := m / dayMinutes; d != v.day[k] {
		v.peaks = append(v.peaks, weighed{v.peak[k], math.Exp2(float64(v.day[k]))})
		v.day[k], v.peak[k] = d, 0
	}
	v.peak[k] = max(v.peak[k], bytes)
}

func (v *vpa) advise(l *life) setting {
	cpu, mem := quantileOf(v.cpu, .9)*1.15, quantileOf(v.peaks, .9)*1.15
	s := setting{request: sizes.Resources{CPU: max(cpu, .025), Memory: max(mem, 250*mib)}}
	s.limit.Memory = s.request.Memory * l.limit[1] / l.request[1]
	s.limit.CPU = s.request.CPU * l.limit[0] / l.request[0]
	return s
}

// krr is the published simple rule of the resource recommender, in our words: the CPU that 95 of 100 samples do not exceed and no limit; the largest memory and 15 % on top, as request and limit.
func krr(cpu []weighed, most float64) setting {
	mem := max(most*1.15, 100*mib)
	return setting{request: sizes.Resources{CPU: max(quantileOf(cpu, .95), .01), Memory: mem}, limit: sizes.Resources{Memory: mem}}
}

// prove lives one container's life: two weeks to learn from, two to see what would have become of each rule's setting.
func prove(seed uint64, i int) (k kind, out [3]outcome, ok bool) {
	l := newLife(seed, i)
	named, b := &sets{}, sizes.NewBook()
	minute := func(m int) { b.Minute(uint32(m+dayMinutes), m%(7*dayMinutes)) }
	app := func(resource string) uint32 {
		set := named.add(fmt.Sprintf("c%d", i), "")
		l := slices.Clone(named.list[set])
		l[2] = series.Label{Name: "resource", Value: resource}
		named.list[set] = l
		return set
	}
	cpuSet, memSet := app("cpu"), app("memory")
	if l.kind == job {
		b.KindOf = func(string, string) string { return "cronjob" }
	}
	var v vpa
	var cpu []weighed
	most := 0.0
	l.live(i, 0, learnDays, named, func(p *pod, m int, cores, bytes float64) {
		minute(m)
		if m%15 == 0 {
			b.Requests(cpuSet, l.request[0], named.labels)
			b.Requests(memSet, l.request[1], named.labels)
			b.Limits(memSet, l.limit[1], named.labels)
			if l.limit[0] > 0 {
				b.Limits(cpuSet, l.limit[0], named.labels)
			}
		}
		if l.kind == version && m == versionDay*dayMinutes {
			b.Rolled("shop", fmt.Sprintf("c%d", i))
		}
		if l.kind == tight && bytes > l.limit[1] {
			bytes = l.limit[1] * .99         // the newest that was seen of it
			b.Kills(cpuSet, 2, named.labels) // both pods
		} else if l.kind == tight && m%7 == 0 {
			b.Kills(cpuSet, 0, named.labels)
		}
		b.CPU(p.set, cores, named.labels)
		b.Memory(p.set, bytes, named.labels)
		k := 0
		if p == &l.pods[1] {
			k = 1
		}
		v.see(k, m, cores, bytes)
		cpu = append(cpu, weighed{cores, 1})
		most = max(most, bytes)
	})
	minute(learnDays * dayMinutes)
	c := b.Containers()[0]

	a := c.Advise()
	ours := setting{a.Set.Requests, a.Set.Limits}
	rules := []setting{ours, krr(cpu, most), v.advise(l)}
	var next []weighed
	peak := 0.0
	var killed [3]bool
	l.live(i, learnDays, learnDays+replayDays, named, func(p *pod, m int, cores, bytes float64) {
		next, peak = append(next, weighed{cores, 1}), max(peak, bytes)
		for r, s := range rules {
			out[r].minutes++
			if s.limit.CPU > 0 && cores > s.limit.CPU {
				out[r].throttled++
			}
			killed[r] = killed[r] || s.limit.Memory > 0 && bytes > s.limit.Memory
		}
	})
	oracle := [2]float64{quantileOf(next, .95), peak}
	for r, s := range rules {
		o := &out[r]
		o.containers = 1
		if killed[r] {
			o.killed = 1
		}
		for x, got := range [2]float64{s.request.CPU, s.request.Memory} {
			if could := l.request[x] - oracle[x]; could > 0 {
				o.could[x] += could
				o.freed[x] += min(could, l.request[x]-got) // what is below the oracle is no gain
			}
		}
	}
	return l.kind, out, !a.Missing.Any()
}

const proofSeeds, proofContainers = 4, 200

// shares words which share of what could be freed the rules would free.
func shares(o *[3]outcome, x int) string {
	if o[0].could[x] == 0 {
		return "nothing is to be freed"
	}
	return fmt.Sprintf("%.0f, %.0f, %.0f %%", 100*o[0].freed[x]/o[0].could[x], 100*o[1].freed[x]/o[1].could[x], 100*o[2].freed[x]/o[2].could[x])
}

// TestRecommendationsHold holds what a recommendation promises over the two weeks that follow, beside what two known rules do on the same series.
func TestRecommendationsHold(t *testing.T) {
	seeds := proofSeeds
	if testing.Short() {
		seeds = 1
	}
	names := [3]string{"Wrackline", "KRR's simple rule", "VPA's recommender"}
	var all [3]outcome
	var by [kinds][3]outcome
	for seed := range seeds {
		for i := range proofContainers {
			k, out, ok := prove(uint64(seed)+1, i)
			if !ok {
				t.Fatalf("seed %d, container %d (%s): nothing is recommended after two weeks", seed+1, i, k)
			}
			for r := range out {
				all[r].add(&out[r])
				by[k][r].add(&out[r])
			}
		}
	}
	var table strings.Builder
	fmt.Fprintln(&table, "| rule | containers killed | minutes throttled | CPU freed of what could be | memory freed of what could be |\n|---|---|---|---|---|")
	for r, o := range all {
		fmt.Fprintf(&table, "| %s | %d of %d | %.2f %% | %.0f %% | %.0f %% |\n", names[r], o.killed, o.containers, 100*o.throttled/o.minutes, 100*o.freed[0]/o.could[0], 100*o.freed[1]/o.could[1])
	}
	fmt.Fprintln(&table, "\n| kind | killed: Wrackline, KRR, VPA | CPU freed | memory freed |\n|---|---|---|---|")
	for k := range by {
		o := &by[k]
		fmt.Fprintf(&table, "| %s | %d, %d, %d | %s | %s |\n", kind(k), o[0].killed, o[1].killed, o[2].killed, shares(o, 0), shares(o, 1))
	}
	t.Log("\n" + table.String())
	o := all[0]
	if o.killed > 0 {
		t.Errorf("%d containers would have been killed", o.killed)
	}
	if o.throttled > .01*o.minutes {
		t.Errorf("%.2f %% of the minutes would have been throttled, more than 1 %%", 100*o.throttled/o.minutes)
	}
	for x, what := range []string{"CPU", "memory"} {
		if o.freed[x] < .85*o.could[x] {
			t.Errorf("%.1f %% of the %s that could be freed would be, less than 85 %%", 100*o.freed[x]/o.could[x], what)
		}
	}
	if seeds == proofSeeds {
		doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "sizes.md"))
		if err != nil || !strings.Contains(string(doc), table.String()) {
			t.Errorf("docs/sizes.md does not hold this table: %v", err)
		}
	}
}
