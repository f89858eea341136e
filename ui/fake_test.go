package ui

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// fakeNow is 2026-03-02 14:21 UTC.
var fakeNow = time.Date(2026, 3, 2, 14, 21, 0, 0, time.UTC).UnixMilli()

const fakeMinute = int64(60_000)

// fake is a Source in memory: a small cluster with two open incidents and one that has ended.
type fake struct {
	view   *baseline.View
	snap   *alerting.Snapshot
	status Status
	curve  map[string]func(t int64) Point // one window
	ready  string                         // "" = ready
	fails  bool                           // Range fails
	short  bool                           // only the last hour has history

	mu    sync.Mutex // guards cache
	cache map[string]ranged
}

type ranged struct {
	points []Point
	step   int64
}

func (f *fake) View() *baseline.View          { return f.view }
func (f *fake) Incidents() *alerting.Snapshot { return f.snap }
func (f *fake) Status() Status                { return f.status }
func (f *fake) Ready() (bool, string)         { return f.ready == "", f.ready }

// Pods knows the pods that weigh in signals.
func (f *fake) Pods(cluster, namespace, pod string, limit int) []signal.PodExplanation {
	var out []signal.PodExplanation
	if f.view == nil || pod == "" {
		return nil
	}
	for i := range f.view.Signals {
		s := &f.view.Signals[i]
		for _, m := range s.Top {
			if m.Name == pod && len(out) < min(limit, 1) && (cluster == "" || cluster == s.Signal.Entity.Get("cluster")) {
				out = append(out, signal.PodExplanation{Cluster: s.Signal.Entity.Get("cluster"), Namespace: cmp.Or(namespace, "kube-system"), Pod: pod, Workload: "coredns", Kind: "deployment",
					Why: "kube_pod_owner names a ReplicaSet, and its name ends in a template hash", Sure: true, OwnerKind: "ReplicaSet", OwnerName: "coredns-5d78c9869d", Node: "worker-1", Series: 41})
			}
		}
	}
	return out
}

func (f *fake) Shadow(string) *baseline.Shadow { return nil }

func (f *fake) Shadows(int) ([]*baseline.Shadow, int) { return nil, 0 }

func (f *fake) Explain(rule string) signal.Explanation {
	if f.view == nil {
		return signal.Explanation{}
	}
	x := signal.RuleExplanation{Cluster: "prod-eu", Expr: "sum(x)", Leaves: []signal.LeafExplanation{{Metric: "x_total", Selector: `x_total{rcode="SERVFAIL"}`, Series: 12, Active: 11, Live: 10, LastT: fakeNow}}}
	var r *signal.Rule
	for i := range f.view.Signals {
		if s := f.view.Signals[i].Signal; s.Rule.Name == rule {
			r = s.Rule
			x.Groups = append(x.Groups, s.ID)
		}
	}
	for i := range f.status.Rules { // dormant ones have no signals
		if u := &f.status.Rules[i]; r == nil && u.Rule != nil && u.Rule.Name == rule {
			r = u.Rule
			x.Form, x.Expr, x.Missing = -1, "", u.Missing
		}
	}
	if r == nil {
		return signal.Explanation{}
	}
	return signal.Explanation{Rule: r, Clusters: []signal.RuleExplanation{x}}
}

func (f *fake) Range(id string, from, to int64, points int) ([]Point, int64, error) {
	if f.fails {
		return nil, 0, errors.New("disk on fire")
	}
	curve := f.curve[id]
	if curve == nil {
		return nil, fakeMinute, nil
	}
	key := fmt.Sprint(id, from, to, points)
	f.mu.Lock()
	r, ok := f.cache[key]
	f.mu.Unlock()
	if ok {
		return r.points, r.step, nil
	}
	history := 15 * 24 * 60 * fakeMinute
	if f.short {
		history = 60 * fakeMinute
	}
	first := max((from+fakeMinute-1)/fakeMinute*fakeMinute, fakeNow-history)
	var all []Point
	for t := first; t < min(to, fakeNow); t += fakeMinute {
		if p := curve(t); !math.IsNaN(p.Value) || p.State == model.Absent {
			all = append(all, p)
		}
	}
	out, step := thin(all, fakeMinute, max(points, 1))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cache == nil {
		f.cache = map[string]ranged{}
	}
	f.cache[key] = ranged{out, step}
	return out, step, nil
}

// noiseAt is a deterministic wiggle between −1 and 1.
func noiseAt(seed, t int64) float64 {
	x := uint64(t/fakeMinute)*0x9E3779B97F4A7C15 ^ uint64(seed)*0xBF58476D1CE4E5B9
	x ^= x >> 31
	x *= 0x94D049BB133111EB
	x ^= x >> 29
	return float64(x%20001)/10000 - 1
}

func day(t int64) float64 {
	return math.Sin(2 * math.Pi * (float64(t%(24*60*fakeMinute))/float64(24*60*fakeMinute) - 0.3))
}

// curveOf returns a daily wave around level with noise; from onset on, fault changes the value.
func curveOf(seed int64, level, swing, noise float64, onset int64, fault func(v float64, minutes float64) (float64, model.State)) func(int64) Point {
	return func(t int64) Point {
		e := level + swing*day(t)
		v := e + noise*(noiseAt(seed, t)+noiseAt(seed+1, t))/2
		p := Point{T: t, Lower: e - 1.3*noise, Expected: e, Upper: e + 1.3*noise, State: model.Normal, Score: math.Abs(noiseAt(seed+2, t)) * 0.4}
		if level-swing >= 0 && p.Lower < 0 {
			p.Lower = 0
		}
		if onset > 0 && t >= onset && fault != nil {
			m := float64(t-onset) / float64(fakeMinute)
			var s model.State
			if v, s = fault(v, m); s != model.Normal {
				p.State, p.Score = s, min(1+m/8, 3.2)
			}
		}
		if level-swing >= 0 {
			v = max(v, 0)
		}
		p.Value, p.Min, p.Max = v, v, v
		return p
	}
}

func fakeRule(pack, name, question, unit string, sev signal.Severity, bad model.Direction) *signal.Rule {
	p := model.Defaults()
	p.Bad = bad
	if unit == "ratio" {
		p.Min, p.Max = 0, 1
	}
	return &signal.Rule{Pack: pack, Name: name, Question: question, Unit: unit, Severity: sev, Params: p,
		Exprs:   []string{"sum by (cluster) (rate(" + strings.ReplaceAll(name, ".", "_") + "_total[1m]))"},
		Summary: "{{ $value }} (normal {{ $band }})", Meaning: "Something that " + question + " would tell you."}
}

func fakeEntity(labels ...string) series.Labels {
	e := series.Labels{{Name: "cluster", Value: "prod-eu"}}
	for i := 0; i < len(labels); i += 2 {
		e = append(e, series.Label{Name: labels[i], Value: labels[i+1]})
	}
	slices.SortFunc(e, func(a, b series.Label) int { return cmp.Compare(a.Name, b.Name) })
	return e
}

// add puts a signal into the view, as it stands at fakeNow.
func (f *fake) add(r *signal.Rule, e series.Labels, curve func(int64) Point, onset int64, test model.Test) *baseline.SignalView {
	s := &signal.Signal{ID: signal.MakeID(r.Name, e), Rule: r, Entity: e}
	f.curve[s.ID] = curve
	p := curve(fakeNow - fakeMinute)
	v := baseline.SignalView{Since: onset, Verdict: baseline.Verdict{Signal: s, T: fakeNow - fakeMinute, Value: p.Value, Members: 3, Expected: 3,
		Judgement: model.Judgement{Band: model.Band{Lower: p.Lower, Expected: p.Expected, Upper: p.Upper}, State: p.State, Test: test, Score: p.Score,
			Evidence: p.Score * 18, Onset: onset, Maturity: 0.93, Seasonal: model.Daily, Seen: 15 * 24 * 60}}}
	if onset == 0 {
		v.Since = fakeNow - 7*24*60*fakeMinute
	}
	if p.State == model.Absent {
		v.Value = math.NaN()
	}
	f.view.Signals = append(f.view.Signals, v)
	return &f.view.Signals[len(f.view.Signals)-1]
}

func (f *fake) sort() {
	slices.SortFunc(f.view.Signals, func(a, b baseline.SignalView) int { return strings.Compare(a.Signal.ID, b.Signal.ID) })
}

func memberFrom(v baseline.SignalView, ended int64, how string) alerting.Member {
	r := v.Signal.Rule
	m := alerting.Member{SignalID: v.Signal.ID, Name: r.Name, Rule: r, Entity: v.Signal.Entity, Unit: r.Unit, Severity: r.Severity, Onset: v.Onset, Opened: v.Onset + 3*fakeMinute,
		Ended: ended, Ending: how, Fired: 1, State: v.State, Test: v.Test, Value: v.Value, Band: v.Band, Score: v.Score, Peak: max(v.Score, 1.4), Worst: v.Value * 1.1, WorstT: v.Onset + 9*fakeMinute,
		WorstBand: v.Band, Maturity: v.Maturity, SlopePerDay: v.SlopePerDay, LimitEta: v.LimitEta, Top: v.Top, LastSeen: fakeNow - fakeMinute}
	return m
}

// newFake builds the cluster.
func newFake() *fake {
	f := &fake{view: &baseline.View{AtMs: fakeNow - 9_000}, curve: map[string]func(int64) Point{}, snap: &alerting.Snapshot{T: fakeNow - fakeMinute}}
	onset := fakeNow - 34*fakeMinute

	latency := fakeRule("dns", "dns.latency_p99", "Are cluster DNS answers slow?", "s", signal.Warn, model.Up)
	latency.Summary = "DNS answers take {{ $value }} at the 99th percentile (normal {{ $band }})"
	servfail := fakeRule("dns", "dns.servfail_ratio", "Are cluster DNS lookups failing?", "ratio", signal.Page, model.Up)
	servfail.Summary = "{{ $value }} of DNS answers fail (normal {{ $band }})"
	servfail.Params.Ceiling = 0.25
	servfail.Evidence = []string{"dns.latency_p99", "net.conntrack_fill"}
	servfail.Meaning = "CoreDNS answers SERVFAIL: names do not resolve for the workloads that ask. Retries hide it at first and add load."
	servfail.Causes = []string{"The upstream resolver does not answer", "A CoreDNS replica has lost its route to the API server", "Conntrack tables on the node are full"}
	servfail.Next = []string{"kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50", "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide", "dig @10.96.0.10 kubernetes.default.svc.cluster.local"}
	qps := fakeRule("dns", "dns.qps", "Is there a retry storm, or is traffic lost?", "/s", signal.Warn, model.Both)
	fill := fakeRule("net", "net.conntrack_fill", "Is the connection table filling?", "ratio", signal.Page, model.Up)
	retrans := fakeRule("net", "net.tcp_retrans", "Does the path lose packets?", "ratio", signal.Warn, model.Up)
	cpu := fakeRule("wl", "wl.cpu_cores", "Is CPU use normal?", "cores", signal.Info, model.Both)
	mem := fakeRule("wl", "wl.mem_of_limit", "Will it be OOM-killed?", "ratio", signal.Page, model.Up)
	mem.Params.Limit = 1
	errs := fakeRule("svc", "svc.error_ratio", "Do requests fail?", "ratio", signal.Page, model.Up)
	rps := fakeRule("svc", "svc.rps", "Is traffic normal?", "/s", signal.Info, model.Both)
	ws := fakeRule("wl", "wl.memory", "Is memory use normal?", "B", signal.Warn, model.Up)
	fs := fakeRule("node", "node.fs_used", "Is a file system filling?", "ratio", signal.Warn, model.Up)
	fs.Params.Mode, fs.Params.Limit = model.Trend, 1
	fs.Summary = "{{ $labels.node }} fills by {{ $slope }} a day{{ if $eta }} and is full in {{ $eta }}{{ end }}"
	nodeCPU := fakeRule("node", "node.cpu", "Is the node hot?", "ratio", signal.Info, model.Up)
	api := fakeRule("api", "api.latency_p99", "Is the API server slow?", "s", signal.Warn, model.Up)
	forbidden := fakeRule("api", "api.forbidden", "Is somebody denied?", "/s", signal.Page, model.Up)

	rise := func(to, over float64) func(float64, float64) (float64, model.State) {
		return func(v, m float64) (float64, model.State) {
			s := model.High
			if m < 3 {
				s = model.Normal
			}
			return v + to*min(m/over, 1), s
		}
	}
	lat := *f.add(latency, fakeEntity(), curveOf(1, 0.014, 0.003, 0.004, onset, rise(2.1, 12)), onset, model.PointTest)
	lat.Top = []signal.Member{{Name: "coredns-5d78c9869d-x7k2p", Value: 2.4}, {Name: "coredns-5d78c9869d-9fjq4", Value: 0.02}}
	sf := *f.add(servfail, fakeEntity(), curveOf(3, 0.0008, 0.0002, 0.0008, onset+4*fakeMinute, rise(0.31, 10)), onset+4*fakeMinute, model.PointTest)
	f.view.Signals[len(f.view.Signals)-1].Top = lat.Top[:1]
	f.add(qps, fakeEntity(), curveOf(5, 1800, 600, 160, onset+6*fakeMinute, rise(1400, 20)), onset+6*fakeMinute, model.ShiftTest)
	f.add(api, fakeEntity(), curveOf(7, 0.12, 0.02, 0.03, 0, nil), 0, model.NoTest)
	f.add(forbidden, fakeEntity(), curveOf(9, 0.02, 0.005, 0.02, 0, nil), 0, model.NoTest)
	var nodes []string
	for i := range 4 {
		nodes = append(nodes, fmt.Sprintf("worker-%d", i+1))
	}
	var drift baseline.SignalView
	for i, n := range nodes {
		e := fakeEntity("node", n)
		seed := int64(20 + 10*i)
		f.add(fill, e, curveOf(seed, 0.22, 0.06, 0.03, 0, nil), 0, model.NoTest)
		f.add(retrans, e, curveOf(seed+1, 0.002, 0.0005, 0.001, 0, nil), 0, model.NoTest)
		f.add(nodeCPU, e, curveOf(seed+2, 0.45, 0.2, 0.06, 0, nil), 0, model.NoTest)
		e = fakeEntity("node", n, "mountpoint", "/var/lib/containerd")
		if i == 2 {
			began := fakeNow - 3*24*60*fakeMinute
			v := f.add(fs, e, curveOf(seed+3, 0.61, 0, 0.012, began, func(v, m float64) (float64, model.State) {
				s := model.Drifting
				if m < 20*60 {
					s = model.Normal
				}
				return v + 0.031*m/1440, s
			}), began, model.DriftTest)
			v.SlopePerDay, v.LimitEta = 0.031, 9*24*60*fakeMinute
			drift = *v
		} else {
			f.add(fs, e, curveOf(seed+3, 0.48, 0, 0.01, 0, nil), 0, model.NoTest)
		}
	}
	var cartErr, memWas baseline.SignalView
	for i, w := range []string{"cart", "checkout", "catalog", "search"} {
		e := fakeEntity("namespace", "shop", "workload", w, "workload_type", "deployment")
		seed := int64(100 + 10*i)
		f.add(cpu, e, curveOf(seed, 1.4, 0.5, 0.2, 0, nil), 0, model.NoTest)
		f.add(ws, e, curveOf(seed+1, 700*1024*1024, 4e7, 5e7, 0, nil), 0, model.NoTest)
		f.add(rps, e, curveOf(seed+2, 320, 180, 40, 0, nil), 0, model.NoTest)
		switch w {
		case "cart":
			cartErr = *f.add(errs, e, curveOf(seed+3, 0.001, 0, 0.0015, onset+9*fakeMinute, rise(0.12, 8)), onset+9*fakeMinute, model.PointTest)
			f.add(mem, e, curveOf(seed+4, 0.6, 0.05, 0.03, 0, nil), 0, model.NoTest)
		case "search":
			v := f.add(errs, e, func(t int64) Point {
				p := curveOf(seed+3, 0.001, 0, 0.0015, 0, nil)(t)
				if t > fakeNow-50*fakeMinute { // it fell silent
					p.Value, p.Min, p.Max, p.State, p.Score = math.NaN(), math.NaN(), math.NaN(), model.Absent, 0
				}
				return p
			}, fakeNow-50*fakeMinute, model.NoTest)
			v.Members = 0
		default:
			f.add(errs, e, curveOf(seed+3, 0.001, 0, 0.0015, 0, nil), 0, model.NoTest)
		}
		if w == "catalog" {
			ended := fakeNow - 5*60*fakeMinute
			v := f.add(mem, e, curveOf(seed+4, 0.6, 0.05, 0.03, fakeNow-7*60*fakeMinute, func(v, m float64) (float64, model.State) {
				if m > 120 {
					return v, model.Normal
				}
				return min(v+m/300, 0.99), model.High
			}), 0, model.NoTest)
			memWas = *v
			memWas.Onset, memWas.Test = ended-120*fakeMinute, model.ShiftTest
		}
	}
	young := f.add(cpu, fakeEntity("namespace", "batch", "workload", "report<b>er\"", "workload_type", "cronjob"), curveOf(200, 0.3, 0, 0.2, 0, nil), 0, model.NoTest)
	young.State, young.Maturity, young.Seen, young.Seasonal = model.Learning, 0.12, 240, model.NoSeason
	young.Borrowed = 23
	spike := f.add(nodeCPU, fakeEntity("node", "edge-1"), curveOf(210, 0.3, 0.1, 0.05, fakeNow-12*fakeMinute, rise(0.5, 6)), fakeNow-12*fakeMinute, model.PointTest)
	loose := memberFrom(*spike, 0, "")

	dns := &alerting.Incident{ID: "inc_7h2k9qv4m1xz", Severity: signal.Page, Cluster: "prod-eu", Scope: fakeEntity(), Onset: onset, Opened: onset + 4*fakeMinute, Updated: fakeNow - fakeMinute, Lead: 1,
		Members: []alerting.Member{memberFrom(lat, 0, ""), memberFrom(sf, 0, ""), memberFrom(cartErr, 0, "")}, Earlier: 1, Told: 2}
	dns.Title = dns.Members[1].Sentence(true)
	dns.Timeline = []alerting.Event{{T: onset + 4*fakeMinute, Kind: "opened", Signal: lat.Signal.ID}, {T: onset + 7*fakeMinute, Kind: "joined", Signal: sf.Signal.ID}, {T: onset + 7*fakeMinute, Kind: "severity", Signal: "page"},
		{T: onset + 7*fakeMinute, Kind: "notified", Signal: "first"}, {T: onset + 12*fakeMinute, Kind: "joined", Signal: cartErr.Signal.ID}, {T: onset + 18*fakeMinute, Kind: "notified", Signal: "changed"}}
	disk := &alerting.Incident{ID: "inc_0c8ft3w6r5bn", Severity: signal.Warn, Cluster: "prod-eu", Scope: drift.Signal.Entity, Onset: drift.Onset, Opened: drift.Onset + 1200*fakeMinute, Updated: fakeNow - fakeMinute, Lead: 0,
		Members: []alerting.Member{memberFrom(drift, 0, "")}, Told: 1}
	disk.Title = disk.Members[0].Sentence(false)
	disk.Timeline = []alerting.Event{{T: disk.Opened, Kind: "opened", Signal: drift.Signal.ID}, {T: disk.Opened, Kind: "notified", Signal: "first"}}
	was := memberFrom(memWas, fakeNow-5*60*fakeMinute, "recovered")
	was.State = model.Normal
	oom := &alerting.Incident{ID: "inc_5d1nq8y2jkta", Severity: signal.Page, Cluster: "prod-eu", Scope: memWas.Signal.Entity, Onset: memWas.Onset, Opened: memWas.Onset + 3*fakeMinute, Updated: was.Ended, Resolved: was.Ended, Resolution: "recovered",
		Members: []alerting.Member{was}, Told: 2, Title: "catalog uses 97 % of its memory limit (normal 52–71 %)", Refires: 1}
	oom.Timeline = []alerting.Event{{T: oom.Opened, Kind: "opened", Signal: was.SignalID}, {T: oom.Opened, Kind: "notified", Signal: "first"}, {T: was.Ended, Kind: "recovered", Signal: was.SignalID}, {T: was.Ended, Kind: "resolved"}, {T: was.Ended + 5*fakeMinute, Kind: "notified", Signal: "resolved"}}
	f.view.Changes = []signal.Change{
		{T: fakeNow - 300*fakeMinute, Kind: signal.ChangeNodeNew, Cluster: "prod-eu", Entity: series.Labels{{Name: "node", Value: "worker-4"}}, Object: "node worker-4"},
		{T: fakeNow - 90*fakeMinute, Kind: signal.ChangeScale, Cluster: "prod-eu", Entity: series.Labels{{Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}}, Object: "deployment shop/cart", From: "3", To: "4 by its autoscaler"},
		{T: onset - 5*fakeMinute, Kind: signal.ChangeRBAC, Cluster: "prod-eu", Object: "clusterrolebinding coredns"},
		{T: onset - 3*fakeMinute, Kind: signal.ChangeRollout, Cluster: "prod-eu", Entity: series.Labels{{Name: "namespace", Value: "kube-system"}, {Name: "workload", Value: "coredns"}, {Name: "workload_type", Value: "deployment"}}, Object: "deployment kube-system/coredns", From: "coredns:1.14.0", To: "coredns:1.14.1"},
		{T: onset - 4*fakeMinute, Kind: signal.ChangeRollout, Cluster: "staging", Entity: series.Labels{{Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}}, Object: "deployment shop/cart", To: "cart-84557f7547"},
	}
	dns.Changes = []alerting.Cause{{Change: f.view.Changes[3], Nearness: alerting.SameThing}, {Change: f.view.Changes[2], Nearness: alerting.WholeCluster}}
	f.snap.Open, f.snap.Closed, f.snap.Loose = []*alerting.Incident{disk, dns}, []*alerting.Incident{oom}, []alerting.Member{loose}
	today := fakeNow / 86_400_000
	f.snap.Days = []alerting.DayTally{{Day: today, Sent: 1, Pages: 2, Resolved: 1}, {Day: today - 1, Sent: 2}, {Day: today - 3, Sent: 6, Withheld: 2, Resolved: 6}, {Day: today - 6, Pages: 1, Resolved: 1}}
	f.sort()

	rules := []RuleUse{}
	titles := map[string]string{"dns": "DNS and service networking", "net": "Node networking", "wl": "Workloads and resources", "svc": "Service golden signals", "node": "Nodes", "api": "API server and RBAC"}
	for _, r := range []*signal.Rule{latency, servfail, qps, fill, retrans, cpu, mem, ws, errs, rps, fs, nodeCPU, api, forbidden} {
		n := 0
		for i := range f.view.Signals {
			n += b2i(f.view.Signals[i].Signal.Rule == r)
		}
		rules = append(rules, RuleUse{Pack: r.Pack, PackTitle: titles[r.Pack], Rule: r, Cluster: "prod-eu", Form: 0, Series: n * 6, Signals: n})
	}
	hit := fakeRule("dns", "dns.cache_hit_ratio", "Is the cache decaying?", "ratio", signal.Warn, model.Down)
	psi := fakeRule("node", "node.psi_cpu", "Do tasks wait for CPU?", "ratio", signal.Warn, model.Up)
	rules = append(rules, RuleUse{Pack: "dns", PackTitle: titles["dns"], Rule: hit, Cluster: "prod-eu", Form: -1, Missing: []string{"coredns_cache_hits_total", "coredns_cache_requests_total"}},
		RuleUse{Pack: "node", PackTitle: titles["node"], Rule: psi, Cluster: "prod-eu", Form: -1, Missing: []string{"node_pressure_cpu_waiting_seconds_total"}})
	at := func(ago int64) time.Time { return time.UnixMilli(fakeNow - ago*fakeMinute) }
	f.status = Status{Version: "v0.1.0", Go: "go1.26.8", Platform: "linux/amd64", StartedMs: fakeNow - 16*24*60*fakeMinute, NowMs: fakeNow, ReceiveMs: fakeNow - 9_000,
		Senders: []Sender{{Name: "monitoring/k8s", Cluster: "prod-eu", Replica: "prometheus-k8s-0", Samples: 81_234_567, Accepted: 12_345_678, Duplicates: 120, FirstMs: fakeNow - 15*24*60*fakeMinute, LastMs: fakeNow - 9_000, LastT: fakeNow - 14_000, Leader: 0.99},
			{Name: "monitoring/k8s", Cluster: "prod-eu", Replica: "prometheus-k8s-1", Samples: 81_234_001, Accepted: 11_000, Duplicates: 12_330_000, Late: 3, FirstMs: fakeNow - 15*24*60*fakeMinute, LastMs: fakeNow - 11_000, LastT: fakeNow - 19_000, Leader: 0.01}},
		Clusters: []Cluster{{Name: "prod-eu", Series: 48_213, Tracked: 9_120, Signals: len(f.view.Signals), Workloads: 42, LastT: fakeNow - 14_000, ClosedEnd: fakeNow - fakeMinute, WindowsClosed: 21_600, Owners: true}},
		Rules:    rules,
		Limits: []Limit{{Name: "series known", Used: 48_213, Max: 1_000_000, Unit: "count", Meaning: "new series are refused with a count; known ones keep working"}, {Name: "signals", Used: 172_000, Max: 200_000, Unit: "count", Meaning: "new signals are refused with a count"},
			{Name: "journal", Used: 412 << 20, Max: 2 << 30, Unit: "B", Meaning: "requests are refused with 503 until a checkpoint frees room"}},
		Counters: []Counter{{Name: "samples", Value: 162_468_568, Unit: "samples", Meaning: "received in all"}, {Name: "late", Value: 3, Unit: "samples", Meaning: "came after their window had closed", Loss: true}, {Name: "over_series", Value: 0, Unit: "series", Meaning: "refused because the series limit was reached", Loss: true}},
		Journal:  Journal{FirstPos: 912_001, LastPos: 934_555, SyncedPos: 934_554, Bytes: 412 << 20, MaxBytes: 2 << 30, Segments: 7, Sync: "1s", LastSyncMs: fakeNow - 700},
		Store:    Store{Path: "data/wrackline.db", Bytes: 61 << 20, CheckpointMs: fakeNow - 41_000, TookMs: 118, Models: len(f.view.Signals), HistoryDays: 15},
		Receivers: []Receiver{{Name: "team-slack", Kind: "slack", Host: "hooks.slack.com", Sent: 14, LastSuccess: at(16), Test: "wrackline receivers test team-slack"},
			{Name: "pager", Kind: "webhook", Host: "pager.example.com", Queued: 2, Sent: 3, Failed: 9, LastSuccess: at(900), LastError: "answered 503: upstream is away", LastErrorAt: at(1), NextAttempt: time.UnixMilli(fakeNow + 64_000), Oldest: at(20)}},
		DeadLetters:         []DeadLetter{{AtMs: fakeNow - 3*24*60*fakeMinute, Receiver: "pager", ID: "msg_1", Incident: oom.ID, Title: "catalog uses 97 % of its memory limit", Why: "answered 410: the webhook is gone"}},
		Problems:            []Problem{{Severity: "warn", Text: "signals: 86 % of the limit is used", Fix: "Raise signals.signals_max or narrow a track rule."}, {Severity: "info", Text: "retention is 15 d"}},
		NotificationsPerDay: 3, PagesPerDay: 20, Days: f.snap.Days,
		Config: "storage:\n  path: data\nreceivers:\n- name: team-slack\n  slack_configs:\n  - api_url: <secret>\n",
		Demo: &Demo{Speed: 20, Scenario: "three nodes, 42 workloads, two weeks of history", Next: "conntrack table of worker-2 fills", NextMs: fakeNow + 9*fakeMinute,
			Inbox: []InboxMessage{{AtMs: fakeNow - 16*fakeMinute, Receiver: "demo", Reason: "changed", Severity: "page", Title: dns.Title, Incident: dns.ID, Where: "prod-eu", Value: "31 % (normal 0–0.2 %)", First: "dns.latency_p99 at " + alerting.Clock(onset) + " (prod-eu)", Meaning: servfail.Meaning, Next: servfail.Next[:2], Lines: []string{"dns.latency_p99: 2.1 s (normal 8.8–19 ms)", "dns.servfail_ratio: 31 % (normal 0–0.2 %)", "svc.error_ratio: 12 % (normal 0–0.3 %)"}},
				{AtMs: fakeNow - 295*fakeMinute, Receiver: "demo", Reason: "resolved", Severity: "page", Title: oom.Title, Incident: oom.ID, Where: "prod-eu / shop / catalog", Value: "61 % (normal 52–71 %), worst 97 %"}}}}
	return f
}
