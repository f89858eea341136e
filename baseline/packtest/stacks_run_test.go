package packtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	prom "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	stackStepMs  = int64(30_000)
	stackSamples = 40 // of each series
)

// TestStacks puts real expositions behind the scrape rules of the set-ups that people have, and says of each how many signals live and how many
// entities have another value than the Prometheus engine gives. It needs WRACKLINE_EXPOSITIONS: directories of *.gz, with lists/ in the first, separated by ":".
func TestStacks(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("WRACKLINE_EXPOSITIONS"))
	if len(dirs) == 0 {
		t.Skip("WRACKLINE_EXPOSITIONS is not set")
	}
	groups := readExpositions(t, dirs[0])
	for _, d := range dirs[1:] {
		for g, list := range readExpositions(t, d) {
			groups[g] = append(groups[g], list...)
		}
	}
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stacks(t, dirs[0]) {
		for group, list := range groups {
			if !slices.ContainsFunc(list, func(x *exposition) bool { return x.program == stateMetrics }) {
				continue
			}
			t.Run(st.name+"/"+group, func(t *testing.T) {
				x := newStackRun(t, packs, st, append(slices.Clone(list), groups["-"]...))
				x.play()
				x.compare()
				x.report()
			})
		}
	}
}

// TestStacksAreAsTheyCome holds what the binary knows of set-ups against their own lists.
func TestStacksAreAsTheyCome(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("WRACKLINE_EXPOSITIONS"))
	if len(dirs) == 0 {
		t.Skip("WRACKLINE_EXPOSITIONS is not set")
	}
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	known, err := pack.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stacks(t, dirs[0]) {
		for _, s := range known {
			if s.Name != st.name {
				continue
			}
			for _, m := range pack.KeepList(packs) {
				if !s.Scraped(m) || strings.HasPrefix(m, "scrape_") || m == "up" {
					continue
				}
				of := strings.ToLower(pack.SoftwareOf(m)[0]) // as programs are called here
				for i := range st.jobs {
					if j := &st.jobs[i]; j.program == of {
						l := series.Labels{{Name: series.NameLabel, Value: m}, {Name: "id", Value: "/a"}, {Name: "pod", Value: "b"}}
						if (&target{job: j}).scraped(l) != nil != s.Has(m) {
							t.Errorf("%s: %s: it is said to have it: %v", s.Name, m, s.Has(m))
						}
					}
				}
			}
		}
	}
}

// TestNamesAreReal says which metrics that are asked for were never seen in an exposition. Whether they exist is for upstream's sources to say.
func TestNamesAreReal(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("WRACKLINE_EXPOSITIONS"))
	if len(dirs) == 0 {
		t.Skip("WRACKLINE_EXPOSITIONS is not set")
	}
	seen := map[string]bool{}
	for _, d := range dirs {
		for _, list := range readExpositions(t, d) {
			for _, x := range list {
				for _, s := range x.series {
					seen[s.labels.Get(series.NameLabel)] = true
				}
			}
		}
	}
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	never := map[string][]string{}
	for _, m := range pack.KeepList(packs) {
		if !seen[m] && !seen[m+"_bucket"] { // the other form of a histogram
			of := strings.Join(pack.SoftwareOf(m), ", ")
			never[of] = append(never[of], m)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(never)) {
		t.Logf("never seen, of %s: %s", of, strings.Join(never[of], " "))
	}
}

// stackRun is one stack with the expositions of one cluster.
type stackRun struct {
	t       *testing.T
	packs   []*pack.Pack
	stack   stack
	who     *whose
	all     []oracle.Series // as sent
	known   []series.Labels // the same with workload and node
	again   []bool          // another target has sent the same
	end     int64           // of the last window
	have    map[string]map[string]float64
	live    map[string]bool
	whole   bool // there is an exposition of each program that the stack scrapes
	checked int
	wrong   []string
}

func newStackRun(t *testing.T, packs []*pack.Pack, st stack, list []*exposition) *stackRun {
	x := &stackRun{t: t, packs: packs, stack: st, live: map[string]bool{}, have: map[string]map[string]float64{}}
	x.who = newWhose(list)
	x.whole = !slices.ContainsFunc(st.programs(), func(p string) bool {
		return !slices.ContainsFunc(list, func(x *exposition) bool { return x.program == p })
	})
	counters := map[string]bool{}
	for _, p := range packs {
		for _, r := range p.Rules {
			for _, src := range r.Exprs {
				plan, err := pack.Compile(src)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range plan.Leaves {
					counters[l.Name] = counters[l.Name] || l.Func == promql.Rate || l.Func == promql.Increase
				}
			}
		}
	}
	begin := x.who.newest/60_000*60_000 + 3_600_000
	seen, process := map[string]bool{}, false
	for i := range st.jobs {
		j := &st.jobs[i]
		for c := range max(1, j.copies) {
			for _, ex := range list {
				if ex.program != j.program {
					continue
				}
				tg := x.target(j, ex, c)
				again := j.again || c > 0 || j.merge != nil && process
				process = process || j.merge != nil
				for _, s := range append(merged(j, ex, list), exposed{series.Labels{{Name: series.NameLabel, Value: "up"}}, 1},
					exposed{series.Labels{{Name: series.NameLabel, Value: "scrape_samples_scraped"}}, float64(len(ex.series))}) {
					l := tg.scraped(s.labels)
					if l == nil || seen[l.String()] {
						continue
					}
					seen[l.String()] = true
					name := l.Get(series.NameLabel)
					x.again = append(x.again, again && name != "up" && name != "scrape_samples_scraped")
					x.add(s, l, begin, counters[name])
				}
			}
		}
	}
	return x
}

// merged returns what an endpoint exports: the program's own series, and of a process that is several programs those of all.
func merged(j *job, ex *exposition, list []*exposition) []exposed {
	out := ex.series
	if j.merge == nil {
		return slices.Clip(out)
	}
	seen := map[string]bool{}
	out = nil
	for _, o := range list {
		if !slices.Contains(j.merge, o.program) {
			continue
		}
		for _, s := range o.series {
			if k := s.labels.String(); !seen[k] {
				seen[k] = true
				out = append(out, s)
			}
		}
	}
	return out
}

func (x *stackRun) target(j *job, ex *exposition, n int) *target {
	tg := &target{job: j, series: ex.series}
	r := strings.NewReplacer("$node", x.who.node, "$ip", x.who.ip)
	for i := 0; i < len(j.labels); i += 2 {
		v := r.Replace(j.labels[i+1])
		if n > 0 && (j.labels[i] == "instance" || j.labels[i] == "pod") {
			v = fmt.Sprintf("%d%s", n, v)
		}
		tg.labels = append(tg.labels, series.Label{Name: j.labels[i], Value: v})
	}
	return tg
}

// add makes the samples of a scraped series: what rules read as a counter doubles what it was each step, all else stays.
func (x *stackRun) add(s exposed, l series.Labels, begin int64, counter bool) {
	o := oracle.Series{Labels: l}
	for i := range stackSamples {
		v := s.value
		if counter {
			v *= float64(1 + i)
		}
		o.Samples = append(o.Samples, series.Sample{T: begin + int64(i)*stackStepMs, V: v})
	}
	x.all = append(x.all, o)
	x.known = append(x.known, x.who.of(s.labels, l))
}

// play sends all and keeps what the last window has.
func (x *stackRun) play() {
	s, err := signal.NewStream(signal.StreamOptions{Packs: x.packs}, func(w *signal.Window) {
		x.end = w.End
		clear(x.have)
		for i := range w.Observations {
			o := &w.Observations[i]
			x.live[o.Signal.Rule.Name] = true
			m := x.have[o.Signal.Rule.Name]
			if m == nil {
				m = map[string]float64{}
				x.have[o.Signal.Rule.Name] = m
			}
			m[o.Signal.Entity.String()] = o.Value
		}
	})
	if err != nil {
		x.t.Fatal(err)
	}
	for i := range stackSamples {
		b := stackBatch{x: x}
		b.Sender, b.Labels = "prometheus", &b
		for k := range x.all {
			o := &x.all[k].Samples[i]
			h := fnv.New64a()
			h.Write([]byte(x.all[k].Labels.String()))
			n := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: h.Sum64(), SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, *o)
			b.ReceivedMs = o.T + 1000
		}
		s.Apply(&b.Batch)
	}
}

type stackBatch struct {
	series.Batch
	x *stackRun
}

// AppendLabels implements series.LabelReader.
func (b *stackBatch) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, b.x.all[i].Labels...), nil
}

// compare asks the Prometheus engine what each rule's entities are in the last window.
func (x *stackRun) compare() {
	engine := prom.NewEngine(prom.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: promql.Lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true}),
	})
	byName := map[string][]oracle.Series{}
	for i, s := range x.all {
		if x.again[i] {
			continue // what two tell of one thing counts once
		}
		s.Labels = x.known[i]
		byName[s.Labels.Get(series.NameLabel)] = append(byName[s.Labels.Get(series.NameLabel)], s)
	}
	for _, p := range x.packs {
		for _, r := range p.Rules {
			have := x.have[r.Name]
			if len(have) == 0 {
				continue
			}
			want := map[string]float64{}
			var labels []string // of the form that answers: others complement it when they have the same
			for _, src := range r.Exprs {
				p, got := x.ask(engine, byName, src)
				if labels == nil && got != nil {
					labels = p.Labels
				}
				if !slices.Equal(labels, p.Labels) {
					continue
				}
				for k, v := range got {
					if _, ok := want[k]; !ok {
						want[k] = v
					}
				}
			}
			for k, v := range have {
				w, ok := want[k]
				switch {
				case ok && math.Abs(v-w) > 1e-6*max(math.Abs(w), 1e-6):
					x.wrong = append(x.wrong, fmt.Sprintf("%s%s is %g, want %g", r.Name, k, v, w))
				case !ok && v != 0: // a part that was never counted is 0 here, see promql.Dialect
					x.wrong = append(x.wrong, fmt.Sprintf("%s%s is %g, want none", r.Name, k, v))
				}
				x.checked++
			}
			for k, w := range want {
				if _, ok := have[k]; !ok && r.MinEvents == 0 {
					x.wrong = append(x.wrong, fmt.Sprintf("%s%s is missing, want %g", r.Name, k, w))
				}
			}
		}
	}
	slices.Sort(x.wrong)
}

// ask compiles an expression and evaluates it in the engine; nil when not all of its metrics are there.
func (x *stackRun) ask(engine *prom.Engine, byName map[string][]oracle.Series, src string) (*promql.Plan, map[string]float64) {
	p, err := pack.Compile(src)
	if err != nil {
		x.t.Fatal(err)
	}
	if p.Newest(func(leaf int) int64 { return int64(len(byName[p.Leaves[leaf].Name])) }, 0) == 0 {
		return p, nil
	}
	var all []oracle.Series
	seen := map[string]bool{}
	for _, l := range p.Leaves {
		if !seen[l.Name] {
			seen[l.Name] = true
			all = append(all, byName[l.Name]...)
		}
	}
	e, err := promql.Parser.ParseExpr(p.Source)
	if err != nil {
		x.t.Fatal(err)
	}
	q, err := engine.NewInstantQuery(context.Background(), oracle.New(all), nil, oracle.AsEngine(e, map[string]bool{}).String(), time.UnixMilli(x.end))
	if err != nil {
		x.t.Fatal(err)
	}
	defer q.Close()
	out := map[string]float64{}
	res := q.Exec(context.Background())
	if res.Err != nil {
		x.t.Logf("not compared: %v: %s", res.Err, src)
		return p, out
	}
	for _, s := range res.Value.(prom.Vector) {
		if s.F-s.F != 0 {
			continue
		}
		ls := series.Labels{{Name: "cluster", Value: x.who.cluster(x.stack)}}
		s.Metric.Range(func(l labels.Label) {
			if l.Name != "cluster" {
				ls = append(ls, series.Label{Name: l.Name, Value: l.Value})
			}
		})
		slices.SortFunc(ls, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
		out[ls.String()] = s.F
	}
	return p, out
}

func (x *stackRun) report() {
	var live, dead []string
	for _, p := range x.packs {
		for _, r := range p.Rules {
			if x.live[r.Name] {
				live = append(live, r.Name)
			} else {
				dead = append(dead, r.Name)
			}
		}
	}
	if least := x.stack.least; len(live) < least && x.whole {
		x.t.Errorf("%d signals live, want %d", len(live), least)
	}
	if len(x.wrong) > 0 {
		x.t.Errorf("%d of %d entities are wrong", len(x.wrong), x.checked)
	}
	x.t.Logf("%d of %d signals live, %d entities compared, %d wrong; scraped %s", len(live), len(live)+len(dead), x.checked, len(x.wrong), strings.Join(x.stack.programs(), ", "))
	keep, _, err := pack.SendList(x.packs)
	if err != nil {
		x.t.Fatal(err)
	}
	kept := 0
	for i := range x.all {
		if _, ok := slices.BinarySearch(keep, x.all[i].Labels.Get(series.NameLabel)); ok {
			kept++
		}
	}
	x.t.Logf("the keep-list passes %d of %d series (%.0f %%)", kept, len(x.all), 100*float64(kept)/float64(len(x.all)))
	if testing.Verbose() {
		x.t.Logf("live: %s", strings.Join(live, " "))
		x.t.Logf("not: %s", strings.Join(dead, " "))
	}
	for _, w := range x.wrong[:min(len(x.wrong), 40)] {
		x.t.Log(w)
	}
}
