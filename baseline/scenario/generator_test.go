package scenario

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
)

func generate(t testing.TB, c Config, untilMs int64, fn func(*Request)) *Generator {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(untilMs)
		if !ok {
			return g
		}
		fn(r)
	}
}

// digest hashes everything a receiver could see of requests; labels by their key, which is the same for a process.
func digest(t testing.TB, c Config, untilMs int64) uint64 {
	h := uint64(14695981039346656037)
	put := func(v uint64) { h = (h ^ v ^ v>>29) * 0x9e3779b97f4a7c15 }
	generate(t, c, untilMs, func(r *Request) {
		put(uint64(r.ReceivedMs))
		put(uint64(r.Shard))
		for _, e := range r.Entries {
			put(e.Key)
			for _, s := range r.Samples[e.SampleLo:e.SampleHi] {
				put(uint64(s.T))
				put(math.Float64bits(s.V))
			}
		}
	})
	return h
}

func TestSameConfigGivesSameRequests(t *testing.T) {
	until := Epoch + 3*3_600_000
	a := Config{Seed: 7, Shards: 3, Faults: []Fault{{Kind: CPULimitHalved, StartMs: Epoch + 3_600_000}}}
	if x, y := digest(t, a, until), digest(t, a, until); x != y {
		t.Errorf("two runs differ: %x, %x", x, y)
	}
	b := a
	b.Seed = 8
	if digest(t, a, until) == digest(t, b, until) {
		t.Error("another seed gives the same requests")
	}
	live := Config{Seed: 7, Live: true, Replicas: 2, Shards: 4}
	if x, y := digest(t, live, Epoch+20*60_000), digest(t, live, Epoch+20*60_000); x != y {
		t.Errorf("two live runs differ: %x, %x", x, y)
	}
}

func TestHistoryBeforeAFaultIsShared(t *testing.T) {
	at := Epoch + 11*3_600_000 // past the first deploys
	want := digest(t, Config{Seed: 3, Shards: 4}, at)
	for _, k := range Kinds() {
		if got := digest(t, Config{Seed: 3, Shards: 4, Faults: []Fault{{Kind: k, StartMs: at}}}, at); got != want {
			t.Errorf("%s changes what happens before it", k)
		}
	}
}

// receiver checks what a Prometheus could send.
type receiver struct {
	t        *testing.T
	c        Config
	last     map[uint64]*lastSample
	spelled  map[uint64]string
	names    map[string]bool
	resets   int
	ends     int
	received int64 // when the newest request came
}

// lastSample is the newest of a series.
type lastSample struct {
	t     int64
	v     float64
	ended bool
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

func (x *receiver) request(r *Request) {
	x.t.Helper()
	if len(r.Samples) == 0 || len(r.Samples) > 2000 {
		x.t.Fatalf("a request of %d samples", len(r.Samples))
	}
	if r.ReceivedMs < x.received {
		x.t.Fatalf("arrival runs backwards: %d after %d", r.ReceivedMs, x.received)
	}
	x.received = r.ReceivedMs
	for i, e := range r.Entries {
		s := r.Samples[e.SampleLo]
		if s.T > r.ReceivedMs {
			x.t.Fatalf("sample of %d arrives at %d", s.T, r.ReceivedMs)
		}
		st := x.last[e.Key]
		l, _ := r.AppendLabels(nil, i)
		if st == nil {
			st = &lastSample{t: -1}
			x.last[e.Key] = st
			x.labels(r, l)
			x.spelled[e.Key] = l.String()
			x.names[l.Get(series.NameLabel)] = true
		} else if i%97 == 0 && x.spelled[e.Key] != l.String() {
			x.t.Fatalf("key %x is both %s and %s", e.Key, x.spelled[e.Key], l)
		}
		x.sample(st, s, l)
	}
}

// labels checks the label set of a new series.
func (x *receiver) labels(r *Request, l series.Labels) {
	x.t.Helper()
	canonical, err := series.Canonical(append(series.Labels(nil), l...))
	if err != nil || len(canonical) != len(l) {
		x.t.Fatalf("%s: not canonical: %v", l, err)
	}
	if !metricName.MatchString(l.Get(series.NameLabel)) {
		x.t.Fatalf("bad metric name in %s", l)
	}
	for _, y := range l {
		if !labelName.MatchString(y.Name) {
			x.t.Fatalf("bad label name %q in %s", y.Name, l)
		}
	}
	if l.Get("job") == "" || l.Get("instance") == "" || l.Get("prometheus") != "monitoring/k8s" ||
		l.Get("prometheus_replica") != replicaNames[r.Replica] || l.Get("cluster") != x.c.Cluster {
		x.t.Fatalf("external or target labels wrong: %s", l)
	}
}

// sample checks a sample against the one before it.
func (x *receiver) sample(st *lastSample, s series.Sample, l series.Labels) {
	x.t.Helper()
	if s.T <= st.t {
		x.t.Fatalf("%s: sample at %d after %d", l, s.T, st.t)
	}
	if series.IsStale(s.V) {
		if st.ended {
			x.t.Fatalf("%s: ended twice", l)
		}
		st.ended, st.t = true, s.T
		x.ends++
		return
	}
	if math.IsNaN(s.V) || math.IsInf(s.V, 0) {
		x.t.Fatalf("%s = %v", l, s.V)
	}
	n := l.Get(series.NameLabel)
	counter := strings.HasSuffix(n, "_total") || strings.HasSuffix(n, "_bucket") || strings.HasSuffix(n, "_count")
	if counter && s.V < st.v && !st.ended {
		x.resets++
	}
	if s.V < 0 && n != "node_timex_offset_seconds" {
		x.t.Fatalf("%s = %v", l, s.V)
	}
	st.t, st.v, st.ended = s.T, s.V, false
}

func TestSamplesAreWhatPrometheusWouldSend(t *testing.T) {
	for _, c := range []Config{
		{Seed: 1, Shards: 2},
		{Seed: 2, Live: true, Replicas: 2, Shards: 4, Cluster: "prod-eu"},
	} {
		until := Epoch + 12*3_600_000
		if c.Live {
			until = Epoch + 2*3_600_000
		}
		c.Faults = []Fault{{Kind: CPULimitHalved, StartMs: Epoch + 1_800_000, Duration: 20 * time.Minute}}
		x := receiver{t: t, c: c, last: map[uint64]*lastSample{}, spelled: map[uint64]string{}, names: map[string]bool{}}
		g := generate(t, c, until, x.request)
		names, ends, resets := x.names, x.ends, x.resets
		s := g.Stats()
		t.Logf("live %v: %d samples in %d requests, %d series now or ever, %d pods, %d metric names, %d stale markers, %d counter resets",
			c.Live, s.Samples, s.Requests, s.Series, s.Pods, len(names), ends, resets)
		if ends == 0 {
			t.Error("no series ever ended")
		}
		if s.Pods < 90 || s.Pods > 120 {
			t.Errorf("%d pods, want about 100", s.Pods)
		}
		for _, n := range strings.Fields(`coredns_dns_requests_total coredns_dns_responses_total coredns_dns_request_duration_seconds_bucket
			coredns_cache_hits_total coredns_cache_requests_total coredns_proxy_request_duration_seconds_bucket
			container_cpu_usage_seconds_total container_memory_working_set_bytes container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total
			container_pressure_cpu_waiting_seconds_total kube_pod_owner kube_replicaset_owner kube_job_owner kube_pod_info kube_node_info
			kube_pod_container_resource_limits kube_pod_container_resource_requests kube_pod_container_status_restarts_total kube_pod_status_ready
			kube_deployment_spec_replicas kube_deployment_status_replicas_available kube_statefulset_replicas kube_daemonset_status_number_ready
			apiserver_request_total apiserver_request_sli_duration_seconds_bucket rest_client_requests_total node_cpu_seconds_total
			node_nf_conntrack_entries node_nf_conntrack_entries_limit http_requests_total http_request_duration_seconds_bucket up scrape_samples_scraped`) {
			if !names[n] {
				t.Errorf("no %s", n)
			}
		}
	}
}

func TestSmallProfileIsWhatItSays(t *testing.T) {
	g, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.w.workloads) + len(g.w.jobs); n != 40 {
		t.Errorf("%d workloads, want 40", n)
	}
	for _, p := range []Profile{{Nodes: 6, Workloads: 100}, {Nodes: 3, Workloads: 40, Replicas: 3}} {
		g, err := New(Config{Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(g.w.workloads) + len(g.w.jobs); n != p.Workloads {
			t.Errorf("%d workloads, want %d", n, p.Workloads)
		}
		g.Next(Epoch + 60_000)
	}
}

func TestNamesFollowKubernetes(t *testing.T) {
	if got := templateHash(1234567890); got != "56789bcdf4" {
		t.Errorf("templateHash = %q", got)
	}
	hash := regexp.MustCompile(`^[4-9bcdf]{1,10}$`)
	r := newRNG(1, "x")
	for range 1000 {
		if h := templateHash(uint32(r.next())); !hash.MatchString(h) {
			t.Fatalf("template hash %q", h)
		}
	}
	long := "platform-observability-telemetry-collector-gateway-eu-5d78c9869d"
	got := generated(&r, long)
	if len(got) != 63 || got[:58] != long[:58] {
		t.Errorf("generated(%q) = %q", long, got)
	}
}

// A histogram's buckets must travel apart, as they do when Prometheus shards by series reference.
func TestShardsSplitHistograms(t *testing.T) {
	shards := map[int]bool{}
	seen := map[uint64]int{}
	generate(t, Config{Shards: 4}, Epoch+3*60_000, func(r *Request) {
		for i, e := range r.Entries {
			if s, ok := seen[e.Key]; ok && s != r.Shard {
				t.Fatal("a series changes its shard")
			}
			seen[e.Key] = r.Shard
			l, _ := r.AppendLabels(nil, i)
			if l.Get(series.NameLabel) == "coredns_dns_request_duration_seconds_bucket" && l.Get("instance") == "10.244.0.10:9153" {
				shards[r.Shard] = true
			}
		}
	})
	if len(shards) < 2 && len(seen) > 0 {
		t.Errorf("buckets of one histogram in %d shards", len(shards))
	}
}

// Two Prometheus of a pair send the same series at other times; without the replica label they are the same.
func TestPairSendsEverythingTwice(t *testing.T) {
	var sets [2]map[string][]int64
	sets[0], sets[1] = map[string][]int64{}, map[string][]int64{}
	generate(t, Config{Live: true, Replicas: 2, Shards: 2, Quiet: true}, Epoch+5*60_000, func(r *Request) {
		for i, e := range r.Entries {
			l, _ := r.AppendLabels(nil, i)
			var kept series.Labels
			for _, x := range l {
				if x.Name != "prometheus_replica" {
					kept = append(kept, x)
				}
			}
			sets[r.Replica][kept.String()] = append(sets[r.Replica][kept.String()], r.Samples[e.SampleLo].T)
		}
	})
	if len(sets[0]) != len(sets[1]) {
		t.Errorf("%d and %d series", len(sets[0]), len(sets[1]))
	}
	same := 0
	for k, a := range sets[0] {
		b := sets[1][k]
		if len(b) == 0 {
			t.Fatalf("%s is sent by one only", k)
		}
		if a[0] == b[0] {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d series are scraped at the same moment by both", same)
	}
}

// Going live must not bend a counter: its next sample is as far away in time as in the cluster's life.
func TestGoLiveKeepsSpacing(t *testing.T) {
	g, err := New(Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	last := map[uint64]int64{}
	run := func(until int64, gap func(int64) bool) {
		for {
			r, ok := g.Next(until)
			if !ok {
				return
			}
			for _, e := range r.Entries {
				s := r.Samples[e.SampleLo]
				if at, ok := last[e.Key]; ok && !gap(s.T-at) {
					t.Fatalf("spacing of %d ms", s.T-at)
				}
				last[e.Key] = s.T
			}
		}
	}
	run(Epoch+600_000, func(d int64) bool { return d == 60_000 })
	g.GoLive()
	run(Epoch+660_000, func(d int64) bool { return d == 60_000 || d == 75_000 || d == 15_000 || d == 30_000 })
	run(Epoch+900_000, func(d int64) bool { return d == 15_000 || d == 30_000 })
}

func BenchmarkHistory(b *testing.B) {
	for _, shards := range []int{1, 4} {
		b.Run(map[int]string{1: "shards=1", 4: "shards=4"}[shards], func(b *testing.B) {
			g, err := New(Config{Shards: shards})
			if err != nil {
				b.Fatal(err)
			}
			until := int64(Epoch)
			b.ReportAllocs()
			for b.Loop() {
				until += 60_000
				for {
					if _, ok := g.Next(until); !ok {
						break
					}
				}
			}
			s := g.Stats()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.Samples), "ns/sample")
			b.ReportMetric(float64(s.Samples)/float64(b.N), "samples/step")
		})
	}
}
