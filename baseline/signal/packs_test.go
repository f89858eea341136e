package signal_test

import (
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

func embedded(t *testing.T) []*pack.Rule {
	t.Helper()
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var rules []*pack.Rule
	for _, p := range packs {
		rules = append(rules, p.Rules...)
	}
	return rules
}

// names are all signals of the embedded packs.
func names(rules []*pack.Rule) map[string]*pack.Rule {
	m := map[string]*pack.Rule{}
	for _, r := range rules {
		m[r.Name] = r
	}
	return m
}

func TestEmbeddedPacksLoad(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range packs {
		got = append(got, p.Name)
		if want := "packs/" + p.Name + ".yaml"; p.Origin != want {
			t.Errorf("pack %s is in %s, want %s", p.Name, p.Origin, want)
		}
	}
	for _, want := range []string{"api", "dns", "net", "node", "prom", "svc", "wl"} {
		if !slices.Contains(got, want) {
			t.Errorf("no pack %s, there are %v", want, got)
		}
	}
}

func TestSignalNamesAreUniqueOverAllPacks(t *testing.T) {
	seen := map[string]string{}
	for _, r := range embedded(t) {
		if was := seen[r.Name]; was != "" {
			t.Errorf("%s is in pack %s and in pack %s", r.Name, was, r.Pack)
		}
		seen[r.Name] = r.Pack
	}
}

func TestTheFirstSixteenSignalsExist(t *testing.T) {
	have := names(embedded(t))
	for _, want := range []string{
		"dns.servfail_ratio", "dns.replica_share_min", "dns.latency_p99", "dns.qps", "net.conntrack_fill", "wl.mem_of_limit", "wl.mem_growth",
		"wl.throttle_ratio", "wl.psi_cpu", "wl.restarts", "wl.ready_ratio", "api.forbidden", "api.client_denied", "api.latency_p99",
		"node.disk_latency", "svc.error_ratio", "svc.latency_p99", "svc.rps",
	} {
		if have[want] == nil {
			t.Errorf("no signal %s", want)
		}
	}
}

// What the simulator's truth demands must be askable, or its recall could never be reached. A pattern in its other lists must
// match something, or it is misspelt; what only comes from outside the packs is excused by name.
func TestEverySignalOfTheGroundTruthExists(t *testing.T) {
	have := names(embedded(t))
	matches := func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if !wild {
			return have[pattern] != nil
		}
		for n := range have {
			if strings.HasPrefix(n, prefix) {
				return true
			}
		}
		return false
	}
	outside := []string{"roll.*"}
	for _, k := range scenario.Kinds() {
		g, err := scenario.New(scenario.Config{Faults: []scenario.Fault{{Kind: k, StartMs: scenario.Epoch}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, truth := range g.Truth() {
			for _, e := range truth.Must {
				r := have[e.Signal]
				if r == nil {
					t.Errorf("%s must raise %s, which no pack has", k, e.Signal)
					continue
				}
				if e.Dir == "up" && r.Params.Bad == model.Down || e.Dir == "down" && r.Params.Bad == model.Up {
					t.Errorf("%s must raise %s %s, but only %s is bad", k, e.Signal, e.Dir, r.Params.Bad)
				}
				for _, kv := range strings.Split(e.Group, ",") {
					label, _, _ := strings.Cut(kv, "=")
					if label != "" && !strings.Contains(r.Exprs[0], label) {
						t.Errorf("%s asks for %s of a %s, which it does not group by", k, e.Signal, label)
					}
				}
				if within := int64(r.Params.Persist) * r.Params.StepMs / 1000; e.Within > 0 && within > e.Within && r.Params.Mode != model.Trend {
					t.Errorf("%s must raise %s within %d s, but it takes %d s", k, e.Signal, e.Within, within)
				}
			}
			for _, e := range truth.May {
				if !matches(e.Signal) && !slices.Contains(outside, e.Signal) {
					t.Errorf("%s may raise %s, which no pack has", k, e.Signal)
				}
			}
			for _, p := range truth.MustNot {
				if !matches(p) && !slices.Contains(outside, p) {
					t.Errorf("%s must not raise %s, which no pack has", k, p)
				}
			}
		}
	}
}

var (
	question  = regexp.MustCompile(`^[A-Z].*\?$`)
	sentences = regexp.MustCompile(`^[A-Za-z].*\.$`)
	braces    = regexp.MustCompile(`\{\{.*?\}\}`)
	// labels that a summary or a command takes from the entity
	labelRef = regexp.MustCompile(`\$labels\.([a-z_]+)`)
	units    = []string{"ratio", "s", "B", "B/s", "/s", "cores", "d", "×"}
)

func TestEveryRuleSaysWhatItMeans(t *testing.T) {
	for _, r := range embedded(t) {
		switch {
		case !question.MatchString(r.Question):
			t.Errorf("%s: question %q", r.Name, r.Question)
		case r.Unit == "":
			t.Errorf("%s has no unit", r.Name)
		case !sentences.MatchString(r.Meaning) || len(r.Meaning) > 400:
			t.Errorf("%s: meaning %q is no sentence or too long", r.Name, r.Meaning)
		case len(r.Causes) == 0 || len(r.Next) == 0:
			t.Errorf("%s names no causes or nothing to do next", r.Name)
		case r.Lesson == "":
			t.Errorf("%s belongs to no lesson", r.Name)
		case r.Summary == "":
			t.Errorf("%s has no summary", r.Name)
		}
		// A unit that is a word of its own must be a plural: it is written after a number.
		if !slices.Contains(units, r.Unit) && !strings.HasSuffix(r.Unit, "s") && r.Unit != "ok" && r.Unit != "in use" {
			t.Errorf("%s: unit %q", r.Name, r.Unit)
		}
	}
}

// A template that cannot be filled leaves a message without its sentence, a label that the entity lacks a hole in it.
func TestSummariesAndCommandsCanBeFilled(t *testing.T) {
	for _, r := range embedded(t) {
		texts := append([]string{r.Summary}, r.Next...)
		for _, step := range r.Next { // a label's value is quoted as one word of a shell; within quotes it would break out of them
			if strings.Count(step[:max(strings.LastIndex(step, "{{"), 0)], `"`)%2 == 1 || strings.Contains(step, "='{{") || strings.Contains(step, "`") {
				t.Errorf("%s: a value stands within quotes: %q", r.Name, step)
			}
		}
		for _, text := range texts {
			if err := alerting.CheckSummary(text); err != nil {
				t.Errorf("%s: %q: %v", r.Name, text, err)
			}
			for _, m := range labelRef.FindAllStringSubmatch(text, -1) {
				by := regexp.MustCompile(`by \([^)]*\b` + m[1] + `\b[^)]*\)`)
				found := false
				for _, x := range r.Exprs {
					found = found || by.MatchString(x)
				}
				if !found {
					t.Errorf("%s: %q uses the label %s, by which no form groups", r.Name, text, m[1])
				}
			}
		}
		if plain := braces.ReplaceAllString(r.Summary, ""); len(plain) > 140 {
			t.Errorf("%s: the fixed text of the summary has %d bytes", r.Name, len(plain))
		}
		shows := strings.Contains(r.Summary, "$value")
		if learned := r.Params.Mode == model.Level || r.Params.Mode == model.Trend; learned && (!shows || !strings.Contains(r.Summary, "$band")) {
			t.Errorf("%s: the summary shows no value or not what is normal: %q", r.Name, r.Summary)
		}
		if math.IsNaN(r.Params.Limit) == strings.Contains(r.Summary, "$eta") {
			t.Errorf("%s: the summary must name the time to the limit exactly when there is one: %q", r.Name, r.Summary)
		}
	}
}

func TestEvidenceNamesSignalsThatExist(t *testing.T) {
	rules := embedded(t)
	have := names(rules)
	for _, r := range rules {
		if len(r.Evidence) == 0 {
			t.Errorf("%s has no evidence", r.Name)
		}
		for i, e := range r.Evidence {
			if have[e] == nil {
				t.Errorf("%s: evidence %s is in no pack", r.Name, e)
			}
			if e == r.Name || slices.Contains(r.Evidence[:i], e) {
				t.Errorf("%s: evidence %s is itself or twice", r.Name, e)
			}
		}
	}
}

func TestParametersAreSane(t *testing.T) {
	pages := 0
	rules := embedded(t)
	for _, r := range rules {
		p := r.Params
		if r.Severity == pack.Page {
			pages++
			if p.Bad == model.Both {
				t.Errorf("%s pages in both directions: one of them is surely the good one", r.Name)
			}
		}
		if p.EffectAbs == 0 && p.EffectRel == 0 && math.IsNaN(p.Ceiling) {
			t.Errorf("%s: every significant deviation would be news, however small", r.Name)
		}
		if !math.IsNaN(p.Ceiling) && (p.Ceiling < p.Min || p.Ceiling > p.Max) {
			t.Errorf("%s: ceiling %v is outside the bounds", r.Name, p.Ceiling)
		}
		if p.Mode == model.Event && p.EffectAbs == 0 {
			t.Errorf("%s: an event without a size", r.Name)
		}
		if p.Mode == model.Event && p.Bad != model.Up {
			t.Errorf("%s: events go up", r.Name)
		}
		if !math.IsNaN(p.Limit) && p.Mode != model.Trend {
			t.Errorf("%s has a limit but is no trend", r.Name)
		}
		// A level of which a small part of a percent counts needs numbers behind it.
		if r.Unit == "ratio" && p.Mode == model.Level && p.EffectAbs <= 0.005 && r.MinEvents == 0 {
			t.Errorf("%s: one request of ten would be an effect of 10 %%", r.Name)
		}
		if strings.Contains(r.Exprs[0], "histogram_quantile") && r.MinEvents == 0 {
			t.Errorf("%s: a quantile of three requests is no quantile", r.Name)
		}
		if len(r.Name) > 32 {
			t.Errorf("%s: the name is too long for a table", r.Name)
		}
		for _, x := range r.Exprs {
			for _, m := range []string{"container_cpu", "container_memory", "container_oom", "container_pressure"} {
				if strings.Count(x, m) > 0 && strings.Count(x, `container!=""`) == 0 {
					t.Errorf("%s: %s is counted for containers and again for their pods", r.Name, m)
				}
			}
		}
	}
	if pages*2 > len(rules) {
		t.Errorf("%d of %d signals page: then none of them is urgent", pages, len(rules))
	}
}

// Each fault must move the signals that it must raise: by more than their smallest effect, in the bad direction, for as many windows
// as the rule asks for, in the time that the truth allows. Whether the model then speaks is for the scoring of scenarios to say.
func TestEveryFaultMovesItsSignalsInTime(t *testing.T) {
	const minute = int64(60_000)
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range scenario.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			hour := int64(7) // Tuesday morning
			if k == scenario.CPULimitHalved {
				hour = 13 // it bites at the daily peak only
			}
			begin := scenario.Epoch + (24+hour)*60*minute
			start := begin + 25*minute
			if k == scenario.RolloutStuck {
				start = begin + 70*minute // a cluster's first hour is learned
			}
			c := scenario.Config{Seed: 11, Live: true, Shards: 4, StartMs: begin, Quiet: true, Faults: []scenario.Fault{{Kind: k, StartMs: start}}}
			if k == scenario.MemoryLeak {
				c.Live = false // a working day; a sample a minute tells as much
			}
			g, err := scenario.New(c)
			if err != nil {
				t.Fatal(err)
			}
			truth := g.Truth()[0]
			if len(truth.Must) == 0 {
				t.Skip("it must raise nothing")
			}
			type watch struct {
				scenario.Expect
				before    map[string][]float64 // by signal id
				run, best int
				seen      bool
			}
			var watched []*watch
			last := start
			for _, e := range truth.Must {
				watched = append(watched, &watch{Expect: e, before: map[string][]float64{}})
				within := e.Within * 1000
				if within == 0 {
					within = truth.End - start
				}
				last = max(last, start+within)
			}
			s, err := signal.NewStream(signal.StreamOptions{Packs: packs}, func(w *signal.Window) {
				for _, x := range watched {
					for i := range w.Observations {
						o := &w.Observations[i]
						if o.Signal.Rule.Name != x.Signal || !inGroup(o.Signal, x.Group) {
							continue
						}
						if w.End <= start {
							x.before[o.Signal.ID] = append(x.before[o.Signal.ID], o.Value)
							continue
						}
						// A window closes half a minute after its end at these scrapes; that much is left for it.
						if x.Within > 0 && w.End+minute/2 > start+x.Within*1000 {
							continue
						}
						x.seen = true
						if beyond(o, x.before[o.Signal.ID]) {
							x.run++
							x.best = max(x.best, x.run)
						} else {
							x.run = 0
						}
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			for {
				r, ok := g.Next(last + 3*minute)
				if !ok {
					break
				}
				s.Apply(&r.Batch)
			}
			for _, x := range watched {
				rule := names(packs[0].Rules)[x.Signal]
				for _, p := range packs {
					if r := names(p.Rules)[x.Signal]; r != nil {
						rule = r
					}
				}
				want := rule.Params.Persist
				if rule.Params.Mode == model.Trend {
					want = min(want, 10) // the test of trends does not count windows
				}
				if !x.seen || len(x.before) == 0 && rule.Params.Mode != model.Event || x.best < want {
					t.Errorf("%s of %q: values %v, %d windows beyond its effect in a row, want %d", x.Signal, x.Group, x.seen, x.best, want)
				}
			}
		})
	}
}

func inGroup(s *signal.Signal, group string) bool {
	for _, kv := range strings.Split(group, ",") {
		if name, value, ok := strings.Cut(kv, "="); ok && s.Entity.Get(name) != value {
			return false
		}
	}
	return true
}

// beyond reports whether a value would be news beside those before.
func beyond(o *signal.Observation, before []float64) bool {
	p := o.Signal.Rule.Params
	if p.Mode == model.Event {
		return o.Value >= p.EffectAbs
	}
	if len(before) < 5 {
		return false
	}
	sorted := slices.Sorted(slices.Values(before))
	usual := sorted[len(sorted)/2]
	dev := o.Value - usual
	bad := p.Bad == model.Up && dev > 0 || p.Bad == model.Down && dev < 0 || p.Bad == model.Both
	effect := max(p.EffectAbs, p.EffectRel*math.Abs(usual))
	return bad && math.Abs(dev) >= effect && o.Value*o.Events >= o.Signal.Rule.EffectEvents
}

// Rules of which the simulated cluster has the metrics must give values there, inside their bounds, for entities with all the labels
// that they group by.
func TestSignalsLiveInTheSimulatedCluster(t *testing.T) {
	const minute = int64(60_000)
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	s, err := signal.NewStream(signal.StreamOptions{Packs: packs}, func(w *signal.Window) {
		for i := range w.Observations {
			o := &w.Observations[i]
			r := o.Signal.Rule
			values[r.Name]++
			if o.Value < r.Params.Min || o.Value > r.Params.Max {
				t.Errorf("%s = %v is outside its bounds %v to %v", o.Signal.ID, o.Value, r.Params.Min, r.Params.Max)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(scenario.Config{Seed: 5, Live: true, Replicas: 2, Shards: 4, StartMs: scenario.Epoch + 9*60*minute})
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(scenario.Epoch + 9*60*minute + 30*minute)
		if !ok {
			break
		}
		s.Apply(&r.Batch)
	}
	alive := 0
	for _, r := range s.Stats().Rules {
		if r.Form < 0 {
			continue
		}
		alive++
		if values[r.Rule.Name] == 0 && r.Rule.Name != "wl.gone" && r.Rule.Name != "dns.nodelocal_servfail" { // no workload goes in these minutes, and no node has a cache
			t.Errorf("%s has its metrics but no value: form %d, %d series", r.Rule.Name, r.Form, r.Series)
		}
	}
	if alive < 60 {
		t.Errorf("only %d rules are alive in the simulated cluster", alive)
	}
	for id, want := range map[string]string{ // entities, for rules whose labels are hard to come by
		"wl.ready_ratio":     "cluster=default~namespace=shop~workload=cart",
		"wl.mem_of_limit":    "cluster=default~container=cart~namespace=shop~workload=cart",
		"api.client_denied":  "cluster=default~namespace=ci~workload=ci-deployer",
		"ing.rps":            "cluster=default~ingress=storefront~namespace=shop",
		"net.conntrack_fill": "cluster=default~node=node-2",
		"pvc.free":           "cluster=default~namespace=data~persistentvolumeclaim=data-catalog-db-0",
	} {
		if !slices.ContainsFunc(s.Signals(), func(x *signal.Signal) bool { return x.ID == id+"~"+want }) {
			t.Errorf("there is no %s of %s", id, want)
		}
	}
}

// A Prometheus on a plain host with node-exporter is a user too: no pods, no kube-state-metrics, an instance that is an address.
func TestPlainHostsHaveNodeAndPrometheusSignals(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	s, err := signal.NewStream(signal.StreamOptions{Packs: packs}, func(w *signal.Window) {
		for i := range w.Observations {
			seen[w.Observations[i].Signal.ID] = w.Observations[i].Value
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const start, step = scenario.Epoch, int64(15_000)
	for n := range int64(4 * 20) {
		b := plainBatch{at: start + n*step, secs: float64(n) * 15}
		for _, h := range [][2]string{{"10.0.0.5:9100", "web-1"}, {"web-2:9100", "web-2"}} {
			on := func(v float64, name string, kv ...string) {
				b.add(v, name, append(kv, "job", "node", "instance", h[0])...)
			}
			on(1, "node_uname_info", "nodename", h[1], "sysname", "Linux")
			on(1, "up")
			on(500, "scrape_samples_scraped")
			for _, cpu := range []string{"0", "1"} {
				on(b.secs*0.7, "node_cpu_seconds_total", "cpu", cpu, "mode", "idle")
				on(b.secs*0.3, "node_cpu_seconds_total", "cpu", cpu, "mode", "user")
				on(0, "node_cpu_seconds_total", "cpu", cpu, "mode", "steal")
			}
			on(4e9, "node_memory_MemAvailable_bytes")
			on(8e9, "node_memory_MemTotal_bytes")
			on(3e9, "node_filesystem_avail_bytes", "device", "/dev/sda1", "fstype", "ext4", "mountpoint", "/")
			on(1e10, "node_filesystem_size_bytes", "device", "/dev/sda1", "fstype", "ext4", "mountpoint", "/")
			on(1e6, "node_filesystem_avail_bytes", "device", "tmpfs", "fstype", "tmpfs", "mountpoint", "/run")
			on(1e9, "node_filesystem_size_bytes", "device", "tmpfs", "fstype", "tmpfs", "mountpoint", "/run")
			on(b.secs*100, "node_disk_reads_completed_total", "device", "sda")
			on(b.secs*100, "node_disk_writes_completed_total", "device", "sda")
			on(b.secs*0.1, "node_disk_read_time_seconds_total", "device", "sda")
			on(b.secs*0.3, "node_disk_write_time_seconds_total", "device", "sda")
			on(1000, "node_nf_conntrack_entries")
			on(10000, "node_nf_conntrack_entries_limit")
			on(-0.002, "node_timex_offset_seconds")
		}
		prom := []string{"job", "prometheus", "instance", "localhost:9090"}
		b.add(5000, "prometheus_tsdb_head_series", prom...)
		remote := append(prom, "remote_name", "wrackline", "url", "http://127.0.0.1:9099/api/v1/write")
		b.add(float64(b.at)/1000-3, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds", remote...)
		b.add(float64(b.at)/1000, "prometheus_remote_storage_highest_timestamp_in_seconds", prom...)
		s.Apply(b.batch())
	}
	for id, want := range map[string]float64{
		"node.cpu~cluster=default~node=web-1":                     0.3,
		"node.cpu~cluster=default~node=web-2":                     0.3,
		"node.steal~cluster=default~node=web-1":                   0,
		"node.mem_available~cluster=default~node=web-1":           0.5,
		"node.fs_free~cluster=default~mountpoint=!2f~node=web-1":  0.3,
		"node.fs_full~cluster=default~mountpoint=!2f~node=web-2":  0.3,
		"node.disk_latency~cluster=default~device=sda~node=web-1": 0.002,
		"node.clock_offset~cluster=default~node=web-2":            0.002,
		"net.conntrack_fill~cluster=default~node=web-1":           0.1,
		"prom.targets_up~cluster=default~job=node":                1,
		"prom.samples~cluster=default~job=node":                   1000,
		"prom.series~cluster=default":                             5000,
		"prom.rw_lag~cluster=default~remote_name=wrackline":       3,
	} {
		if got, ok := seen[id]; !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %v, %v; want %v", id, got, ok, want)
		}
	}
	for id := range seen {
		if strings.Contains(id, "!2frun") {
			t.Errorf("a file system in memory is watched: %s", id)
		}
	}
}

// plainBatch is a hand-made request.
type plainBatch struct {
	at      int64
	secs    float64
	sets    []series.Labels
	entries []series.Entry
	samples []series.Sample
}

func (b *plainBatch) add(v float64, name string, kv ...string) {
	l := series.Labels{{Name: series.NameLabel, Value: name}}
	for i := 0; i < len(kv); i += 2 {
		l = append(l, series.Label{Name: kv[i], Value: kv[i+1]})
	}
	h := fnv.New64a()
	h.Write([]byte(l.String()))
	n := uint32(len(b.samples))
	b.sets = append(b.sets, l)
	b.entries = append(b.entries, series.Entry{Key: h.Sum64(), SampleLo: n, SampleHi: n + 1})
	b.samples = append(b.samples, series.Sample{T: b.at, V: v})
}

func (b *plainBatch) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, b.sets[i]...), nil
}

func (b *plainBatch) batch() *series.Batch {
	return &series.Batch{Sender: "host", ReceivedMs: b.at + 1000, Entries: b.entries, Samples: b.samples, Labels: b}
}
