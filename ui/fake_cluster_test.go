package ui

import (
	"fmt"
	"math"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// newFake builds the cluster.
func newFake() *fake {
	f := &fake{view: &baseline.View{AtMs: fakeNow - 9_000}, curve: map[string]func(int64) Point{}, snap: &alerting.Snapshot{T: fakeNow - fakeMinute}}
	r := newFakeRules()
	var n notable
	f.addCluster(r, &n)
	f.addNodes(r, &n)
	f.addWorkloads(r, &n)
	f.addOthers(r, &n)
	f.view.Changes, f.view.Sizes = fakeChanges(), fakedSizes
	f.snap.Open = []*alerting.Incident{fakeDisk(&n), fakeDNS(&n, f.view.Changes)}
	f.snap.Closed = []*alerting.Incident{fakeOOM(&n)}
	f.snap.Loose = []alerting.Member{n.loose}
	today := fakeNow / 86_400_000
	f.snap.Days = []alerting.DayTally{{Day: today, Sent: 1, Pages: 2, Resolved: 1}, {Day: today - 1, Sent: 2}, {Day: today - 3, Sent: 6, Withheld: 2, Resolved: 6}, {Day: today - 6, Pages: 1, Resolved: 1}}
	f.sort()
	f.status = fakeStatus(f, r)
	return f
}

// fakeOnset is when names begin not to resolve.
var fakeOnset = fakeNow - 34*fakeMinute

// fakeRules are what is asked about the cluster.
type fakeRules struct {
	latency, servfail, qps, fill, retrans, cpu, mem, errs, rps, ws, fs, nodeCPU, api, forbidden *pack.Rule
}

func newFakeRules() *fakeRules {
	r := &fakeRules{}
	r.latency = fakeRule("dns", "dns.latency_p99", "Are cluster DNS answers slow?", "s", pack.Warn, model.Up)
	r.latency.Summary = "DNS answers take {{ $value }} at the 99th percentile (normal {{ $band }})"
	r.servfail = fakeRule("dns", "dns.servfail_ratio", "Are cluster DNS lookups failing?", "ratio", pack.Page, model.Up)
	r.servfail.Summary = "{{ $value }} of DNS answers fail (normal {{ $band }})"
	r.servfail.Params.Ceiling = 0.25
	r.servfail.Evidence = []string{"dns.latency_p99", "net.conntrack_fill"}
	r.servfail.Meaning = "CoreDNS answers SERVFAIL: names do not resolve for the workloads that ask. Retries hide it at first and add load."
	r.servfail.Causes = []string{"The upstream resolver does not answer", "A CoreDNS replica has lost its route to the API server", "Conntrack tables on the node are full"}
	r.servfail.Next = []string{"kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50", "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide", "dig @10.96.0.10 kubernetes.default.svc.cluster.local"}
	r.qps = fakeRule("dns", "dns.qps", "Is there a retry storm, or is traffic lost?", "/s", pack.Warn, model.Both)
	r.fill = fakeRule("net", "net.conntrack_fill", "Is the connection table filling?", "ratio", pack.Page, model.Up)
	r.retrans = fakeRule("net", "net.tcp_retrans", "Does the path lose packets?", "ratio", pack.Warn, model.Up)
	r.cpu = fakeRule("wl", "wl.cpu_cores", "Is CPU use normal?", "cores", pack.Info, model.Both)
	r.mem = fakeRule("wl", "wl.mem_of_limit", "Will it be OOM-killed?", "ratio", pack.Page, model.Up)
	r.mem.Params.Limit = 1
	r.errs = fakeRule("svc", "svc.error_ratio", "Do requests fail?", "ratio", pack.Page, model.Up)
	r.rps = fakeRule("svc", "svc.rps", "Is traffic normal?", "/s", pack.Info, model.Both)
	r.ws = fakeRule("wl", "wl.memory", "Is memory use normal?", "B", pack.Warn, model.Up)
	r.fs = fakeRule("node", "node.fs_used", "Is a file system filling?", "ratio", pack.Warn, model.Up)
	r.fs.Params.Mode, r.fs.Params.Limit = model.Trend, 1
	r.fs.Summary = "{{ $labels.node }} fills by {{ $slope }} a day{{ if $eta }} and is full in {{ $eta }}{{ end }}"
	r.nodeCPU = fakeRule("node", "node.cpu", "Is the node hot?", "ratio", pack.Info, model.Up)
	r.api = fakeRule("api", "api.latency_p99", "Is the API server slow?", "s", pack.Warn, model.Up)
	r.forbidden = fakeRule("api", "api.forbidden", "Is somebody denied?", "/s", pack.Page, model.Up)
	return r
}

// notable are the signals that incidents are about, as they stood.
type notable struct {
	lat, sf, cartErr, drift, memWas baseline.SignalView
	loose                           alerting.Member
}

// rise makes a value grow by so much, over so many minutes. It is an alarm from the third on.
func rise(to, over float64) func(float64, float64) (float64, model.State) {
	return func(v, m float64) (float64, model.State) {
		s := model.High
		if m < 3 {
			s = model.Normal
		}
		return v + to*min(m/over, 1), s
	}
}

// addCluster adds what is asked of the cluster as a whole.
func (f *fake) addCluster(r *fakeRules, n *notable) {
	n.lat = *f.add(r.latency, fakeEntity(), curveOf(1, 0.014, 0.003, 0.004, fakeOnset, rise(2.1, 12)), fakeOnset, model.PointTest)
	n.lat.Top = []signal.Member{{Name: "coredns-5d78c9869d-x7k2p", Value: 2.4}, {Name: "coredns-5d78c9869d-9fjq4", Value: 0.02}}
	n.sf = *f.add(r.servfail, fakeEntity(), curveOf(3, 0.0008, 0.0002, 0.0008, fakeOnset+4*fakeMinute, rise(0.31, 10)), fakeOnset+4*fakeMinute, model.PointTest)
	f.view.Signals[len(f.view.Signals)-1].Top = n.lat.Top[:1]
	f.add(r.qps, fakeEntity(), curveOf(5, 1800, 600, 160, fakeOnset+6*fakeMinute, rise(1400, 20)), fakeOnset+6*fakeMinute, model.ShiftTest)
	f.add(r.api, fakeEntity(), curveOf(7, 0.12, 0.02, 0.03, 0, nil), 0, model.NoTest)
	f.add(r.forbidden, fakeEntity(), curveOf(9, 0.02, 0.005, 0.02, 0, nil), 0, model.NoTest)
}

func (f *fake) addNodes(r *fakeRules, n *notable) {
	for i := range 4 {
		node := fmt.Sprintf("worker-%d", i+1)
		e := fakeEntity("node", node)
		seed := int64(20 + 10*i)
		f.add(r.fill, e, curveOf(seed, 0.22, 0.06, 0.03, 0, nil), 0, model.NoTest)
		f.add(r.retrans, e, curveOf(seed+1, 0.002, 0.0005, 0.001, 0, nil), 0, model.NoTest)
		f.add(r.nodeCPU, e, curveOf(seed+2, 0.45, 0.2, 0.06, 0, nil), 0, model.NoTest)
		e = fakeEntity("node", node, "mountpoint", "/var/lib/containerd")
		if i == 2 {
			began := fakeNow - 3*24*60*fakeMinute
			v := f.add(r.fs, e, curveOf(seed+3, 0.61, 0, 0.012, began, func(v, m float64) (float64, model.State) {
				s := model.Drifting
				if m < 20*60 {
					s = model.Normal
				}
				return v + 0.031*m/1440, s
			}), began, model.DriftTest)
			v.SlopePerDay, v.LimitEta = 0.031, 9*24*60*fakeMinute
			n.drift = *v
		} else {
			f.add(r.fs, e, curveOf(seed+3, 0.48, 0, 0.01, 0, nil), 0, model.NoTest)
		}
	}
}

func (f *fake) addWorkloads(r *fakeRules, n *notable) {
	for i, w := range []string{"cart", "checkout", "catalog", "search"} {
		e := fakeEntity("namespace", "shop", "workload", w, "workload_type", "deployment")
		seed := int64(100 + 10*i)
		f.add(r.cpu, e, curveOf(seed, 1.4, 0.5, 0.2, 0, nil), 0, model.NoTest)
		f.add(r.ws, e, curveOf(seed+1, 700*1024*1024, 4e7, 5e7, 0, nil), 0, model.NoTest)
		f.add(r.rps, e, curveOf(seed+2, 320, 180, 40, 0, nil), 0, model.NoTest)
		switch w {
		case "cart":
			n.cartErr = *f.add(r.errs, e, curveOf(seed+3, 0.001, 0, 0.0015, fakeOnset+9*fakeMinute, rise(0.12, 8)), fakeOnset+9*fakeMinute, model.PointTest)
			f.add(r.mem, e, curveOf(seed+4, 0.6, 0.05, 0.03, 0, nil), 0, model.NoTest)
		case "search":
			v := f.add(r.errs, e, func(t int64) Point {
				p := curveOf(seed+3, 0.001, 0, 0.0015, 0, nil)(t)
				if t > fakeNow-50*fakeMinute { // it fell silent
					p.Value, p.Min, p.Max, p.State, p.Score = math.NaN(), math.NaN(), math.NaN(), model.Absent, 0
				}
				return p
			}, fakeNow-50*fakeMinute, model.NoTest)
			v.Members = 0
		default:
			f.add(r.errs, e, curveOf(seed+3, 0.001, 0, 0.0015, 0, nil), 0, model.NoTest)
		}
		if w == "catalog" {
			ended := fakeNow - 5*60*fakeMinute
			v := f.add(r.mem, e, curveOf(seed+4, 0.6, 0.05, 0.03, fakeNow-7*60*fakeMinute, func(v, m float64) (float64, model.State) {
				if m > 120 {
					return v, model.Normal
				}
				return min(v+m/300, 0.99), model.High
			}), 0, model.NoTest)
			n.memWas = *v
			n.memWas.Onset, n.memWas.Test = ended-120*fakeMinute, model.ShiftTest
		}
	}
}

// addOthers adds a signal that still learns and an alarm without an incident.
func (f *fake) addOthers(r *fakeRules, n *notable) {
	young := f.add(r.cpu, fakeEntity("namespace", "batch", "workload", "report<b>er\"", "workload_type", "cronjob"), curveOf(200, 0.3, 0, 0.2, 0, nil), 0, model.NoTest)
	young.State, young.Maturity, young.Seen, young.Seasonal = model.Learning, 0.12, 240, model.NoSeason
	young.Borrowed = 23
	spike := f.add(r.nodeCPU, fakeEntity("node", "edge-1"), curveOf(210, 0.3, 0.1, 0.05, fakeNow-12*fakeMinute, rise(0.5, 6)), fakeNow-12*fakeMinute, model.PointTest)
	n.loose = memberFrom(*spike, 0, "")
}

func fakeChanges() []change.Change {
	return []change.Change{
		{T: fakeNow - 300*fakeMinute, Kind: change.NodeNew, Cluster: "prod-eu", Entity: series.Labels{{Name: "node", Value: "worker-4"}}, Object: "node worker-4"},
		{T: fakeNow - 90*fakeMinute, Kind: change.Scale, Cluster: "prod-eu", Entity: series.Labels{{Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}}, Object: "deployment shop/cart", From: "3", To: "4 by its autoscaler"},
		{T: fakeOnset - 5*fakeMinute, Kind: change.RBAC, Cluster: "prod-eu", Object: "clusterrolebinding coredns"},
		{T: fakeOnset - 3*fakeMinute, Kind: change.Rollout, Cluster: "prod-eu", Entity: series.Labels{{Name: "namespace", Value: "kube-system"}, {Name: "workload", Value: "coredns"}, {Name: "workload_type", Value: "deployment"}}, Object: "deployment kube-system/coredns", From: "coredns:1.14.0", To: "coredns:1.14.1"},
		{T: fakeOnset - 4*fakeMinute, Kind: change.Rollout, Cluster: "staging", Entity: series.Labels{{Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}}, Object: "deployment shop/cart", To: "cart-84557f7547"},
	}
}

// fakeDNS is open and urgent: names do not resolve.
func fakeDNS(n *notable, changes []change.Change) *alerting.Incident {
	dns := &alerting.Incident{ID: "inc_7h2k9qv4m1xz", Severity: pack.Page, Cluster: "prod-eu", Scope: fakeEntity(), Onset: fakeOnset, Opened: fakeOnset + 4*fakeMinute, Updated: fakeNow - fakeMinute, Lead: 1,
		Members: []alerting.Member{memberFrom(n.lat, 0, ""), memberFrom(n.sf, 0, ""), memberFrom(n.cartErr, 0, "")}, Earlier: 1, Told: 2}
	dns.Title = dns.Members[1].Sentence(true)
	dns.Timeline = []alerting.Event{{T: fakeOnset + 4*fakeMinute, Kind: "opened", Signal: n.lat.Signal.ID}, {T: fakeOnset + 7*fakeMinute, Kind: "joined", Signal: n.sf.Signal.ID}, {T: fakeOnset + 7*fakeMinute, Kind: "severity", Signal: "page"},
		{T: fakeOnset + 7*fakeMinute, Kind: "notified", Signal: "first"}, {T: fakeOnset + 12*fakeMinute, Kind: "joined", Signal: n.cartErr.Signal.ID}, {T: fakeOnset + 18*fakeMinute, Kind: "notified", Signal: "changed"}}
	dns.Changes = []alerting.Cause{{Change: changes[3], Nearness: alerting.SameThing}, {Change: changes[2], Nearness: alerting.WholeCluster}}
	return dns
}

// fakeDisk is open: a file system fills.
func fakeDisk(n *notable) *alerting.Incident {
	disk := &alerting.Incident{ID: "inc_0c8ft3w6r5bn", Severity: pack.Warn, Cluster: "prod-eu", Scope: n.drift.Signal.Entity, Onset: n.drift.Onset, Opened: n.drift.Onset + 1200*fakeMinute, Updated: fakeNow - fakeMinute, Lead: 0,
		Members: []alerting.Member{memberFrom(n.drift, 0, "")}, Told: 1}
	disk.Title = disk.Members[0].Sentence(false)
	disk.Timeline = []alerting.Event{{T: disk.Opened, Kind: "opened", Signal: n.drift.Signal.ID}, {T: disk.Opened, Kind: "notified", Signal: "first"}}
	return disk
}

// fakeOOM has ended.
func fakeOOM(n *notable) *alerting.Incident {
	was := memberFrom(n.memWas, fakeNow-5*60*fakeMinute, "recovered")
	was.State = model.Normal
	oom := &alerting.Incident{ID: "inc_5d1nq8y2jkta", Severity: pack.Page, Cluster: "prod-eu", Scope: n.memWas.Signal.Entity, Onset: n.memWas.Onset, Opened: n.memWas.Onset + 3*fakeMinute, Updated: was.Ended, Resolved: was.Ended, Resolution: "recovered",
		Members: []alerting.Member{was}, Told: 2, Title: "catalog uses 97 % of its memory limit (normal 52–71 %)", Refires: 1}
	oom.Timeline = []alerting.Event{{T: oom.Opened, Kind: "opened", Signal: was.SignalID}, {T: oom.Opened, Kind: "notified", Signal: "first"}, {T: was.Ended, Kind: "recovered", Signal: was.SignalID}, {T: was.Ended, Kind: "resolved"}, {T: was.Ended + 5*fakeMinute, Kind: "notified", Signal: "resolved"}}
	return oom
}
