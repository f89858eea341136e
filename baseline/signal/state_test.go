package signal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

func TestStateIsCompleteAtAnyCut(t *testing.T) {
	// Three hours of scrapes a minute: pods come, go and are forgotten, senders have a cluster label, series move to it.
	long := scenario.Config{Seed: 8, Replicas: 2, Shards: 3, RequestMax: 700, StartMs: scenario.Epoch + 8*hour, Cluster: "prod",
		Faults: []scenario.Fault{{Kind: scenario.PrometheusStall, StartMs: scenario.Epoch + 9*hour}}}
	t.Run("live", func(t *testing.T) { t.Parallel(); testCuts(t, busy, 45*60_000) })
	t.Run("history", func(t *testing.T) { t.Parallel(); testCuts(t, long, 3*hour) })
}

func testCuts(t *testing.T, config scenario.Config, span int64) {
	opts := StreamOptions{Packs: packOf(shopRules()...)}
	requests := 0
	run := func(cuts map[int]bool) (*recorder, Stats, []byte) {
		s, r := newTestStream(t, opts)
		g := generator(t, config)
		for n := 0; ; n++ {
			req, ok := g.Next(config.StartMs + span)
			if !ok {
				break
			}
			s.Apply(&req.Batch)
			requests = max(requests, n+1)
			if cuts[n] {
				state := s.AppendState(nil)
				next, err := NewStream(opts, r.closed)
				if err != nil {
					t.Fatal(err)
				}
				if err := next.RestoreState(state); err != nil {
					t.Fatalf("cut after request %d: %v", n, err)
				}
				if again := next.AppendState(nil); !bytes.Equal(state, again) {
					t.Fatalf("cut after request %d: the state of the restored stream differs: %d and %d bytes", n, len(state), len(again))
				}
				s = next
			}
		}
		return r, s.Stats(), s.AppendState(nil)
	}
	whole, stats, state := run(nil)
	if len(whole.windows) < 40 {
		t.Fatalf("%d windows closed", len(whole.windows))
	}
	if again, _, st := run(nil); !bytes.Equal(st, state) || len(again.windows) != len(whole.windows) {
		t.Error("two runs end in different states")
	}
	if span > 2*hour && stats.Evicted == 0 {
		t.Error("nothing was forgotten")
	}
	t.Logf("%d windows, %d signals, state of %d series: %d bytes", len(whole.windows), stats.Signals, stats.Tracked, len(state))
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	cuts := map[int]bool{0: true, 1: true}
	for range 25 {
		cuts[rnd.IntN(requests)] = true
	}
	cut, cutStats, cutState := run(cuts)
	if len(cut.windows) != len(whole.windows) {
		t.Fatalf("seed %d: %d windows with restarts, %d without", seed, len(cut.windows), len(whole.windows))
	}
	for i := range cut.windows {
		if cut.windows[i] != whole.windows[i] {
			t.Fatalf("seed %d: window %d with restarts\n%s\nwithout\n%s", seed, i, cut.windows[i], whole.windows[i])
		}
	}
	if cutStats.Needed != stats.Needed || cutStats.Replica != stats.Replica || cutStats.Tracked != stats.Tracked {
		t.Errorf("seed %d: stats with restarts %+v, without %+v", seed, cutStats, stats)
	}
	if !bytes.Equal(cutState, state) {
		t.Errorf("seed %d: the states at the end differ", seed)
	}
}

func TestOtherRulesKeepIdentityAndSignals(t *testing.T) {
	rules := shopRules()
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(rules...)})
	g := generator(t, busy)
	play(s, g, busy.StartMs+20*60_000)
	state := s.AppendState(nil)
	// One rule gone, one new, one asked of another kind of entity.
	changed := append([]*pack.Rule(nil), rules[1:]...)
	for i, r := range changed {
		if r.Name == "wl.mem" {
			changed[i] = rule("wl.mem", `max by (cluster, namespace) (container_memory_working_set_bytes)`)
		}
	}
	changed = append(changed, rule("new.qps", `sum by (cluster) (rate(coredns_dns_requests_total[1m]))`))
	n, r := newTestStream(t, StreamOptions{Packs: packOf(changed...)})
	if err := n.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, sig := range n.Signals() {
		kept[sig.Rule.Name] = true
	}
	if !kept["wl.cpu"] || kept["dns.qps"] || kept["wl.mem"] {
		t.Errorf("rules with kept signals: %v", kept)
	}
	play(n, g, busy.StartMs+26*60_000)
	for _, id := range []string{"new.qps~cluster=default", "wl.cpu~cluster=default~container=cart~namespace=shop~workload=cart", "wl.mem~cluster=default~namespace=shop"} {
		if len(r.values[id]) < 2 {
			t.Errorf("%s has %d values in the minutes after", id, len(r.values[id]))
		}
	}
	for id := range r.values {
		if s.signalAt[id] == nil && n.signalAt[id].Rule.Name != "new.qps" && n.signalAt[id].Rule.Name != "wl.mem" {
			t.Errorf("a restart with other rules opened %s", id)
		}
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	play(s, generator(t, busy), busy.StartMs+3*60_000)
	state := s.AppendState(nil)
	for _, b := range [][]byte{nil, []byte("wlst"), []byte("else"), state[:len(state)-1], state[:len(state)/2], append(append([]byte(nil), state...), 0)} {
		n, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
		if err := n.RestoreState(b); !errors.Is(err, ErrState) {
			t.Errorf("%d of %d bytes: error %v", len(b), len(state), err)
		}
		if n.Stats().Tracked != 0 || len(n.Signals()) != 0 {
			t.Errorf("%d of %d bytes: the stream is changed", len(b), len(state))
		}
	}
}

// FuzzRestoreState holds that no bytes make a stream panic, then or when it goes on.
func FuzzRestoreState(f *testing.F) {
	rules := packOf(rule("a.rate", `sum by (cluster, workload) (rate(x_total[1m]))`), rule("a.long", `sum by (cluster) (changes(x_total[15m]))`),
		rule("a.p99", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[5m])))`), rule("a.g", `max by (cluster, node) (g)`))
	var sent []*batch
	for i := range 4 {
		b := newBatch(int64(i)*30_000 + t0)
		for _, l := range []string{`x_total{namespace="n",pod="web-5d78c9869d-x7k2p"}`, `h_bucket{le="1",instance="a:1"}`, `h_bucket{le="+Inf",instance="a:1"}`,
			`g{instance="10.0.0.1:9100"}`, `kube_node_info{node="n1",internal_ip="10.0.0.1"}`,
			`kube_pod_owner{namespace="n",pod="web-5d78c9869d-x7k2p",owner_kind="ReplicaSet",owner_name="web-5d78c9869d"}`} {
			b.add(l, b.ReceivedMs, float64(i))
		}
		sent = append(sent, b)
	}
	seed, _ := newTestStream(f, StreamOptions{Packs: rules})
	for i, b := range sent {
		seed.Apply(&b.Batch)
		if i > 0 {
			f.Add(seed.AppendState(nil))
		}
	}
	f.Add([]byte("wlst"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := newTestStream(t, StreamOptions{Packs: rules})
		if err := s.RestoreState(b); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("error %v", err)
			}
			return
		}
		for i := range 4 {
			b := newBatch(t0 + int64(i)*40_000 + 150_000)
			for j := range sent[0].Entries {
				b.labels = append(b.labels, sent[0].labels[j])
				b.Entries = append(b.Entries, series.Entry{Key: sent[0].Entries[j].Key, SampleLo: uint32(j), SampleHi: uint32(j + 1)})
				b.Samples = append(b.Samples, series.Sample{T: b.ReceivedMs, V: float64(i + 5)})
			}
			s.Apply(&b.Batch)
		}
		s.Stats()
		s.Explain("a.rate")
		s.AppendState(nil)
	})
}

// TestFlippedStateNeverPanics damages a state in a few bytes, which a fuzzer seldom does so that most of it is still read.
func TestFlippedStateNeverPanics(t *testing.T) {
	rules := packOf(rule("a.rate", `sum by (cluster, workload) (rate(x_total[1m]))`), rule("a.long", `sum by (cluster, node) (changes(x_total[15m]))`),
		rule("a.p99", `histogram_quantile(0.9, sum by (cluster, le) (rate(h_bucket[5m])))`), rule("a.g", `max by (cluster, node) (g)`))
	other := packOf(rule("a.rate", `sum by (cluster, workload) (rate(x_total[1m]))`), rule("a.node", `sum by (cluster, node) (changes(x_total[5m]))`),
		rule("a.p50", `histogram_quantile(0.5, sum by (cluster, le) (rate(h_bucket[15m])))`), rule("a.i", `count by (cluster) (kube_node_info)`))
	names := []string{`x_total{namespace="n",pod="web-5d78c9869d-x7k2p"}`, `h_bucket{le="1",instance="a:1"}`, `h_bucket{le="+Inf",instance="a:1"}`,
		`g{instance="10.0.0.1:9100"}`, `kube_node_info{node="n1",internal_ip="10.0.0.1"}`, `x_total{instance="b:1",cluster="c"}`,
		podOwner("n", "web-5d78c9869d-x7k2p", "ReplicaSet", "web-5d78c9869d"), `kube_job_owner{namespace="n",job_name="j",owner_kind="CronJob",owner_name="c"}`}
	s, _ := newTestStream(t, StreamOptions{Packs: rules})
	feed := func(s *Stream, from, to int64) {
		feedSeries(s, from, to, 30_000, names, ramp)
		for at := from; at <= to; at += 30_000 {
			b := newBatch(at).addHistogram(series.Labels{{Name: series.NameLabel, Value: "h"}, {Name: "instance", Value: "b:1"}}, steady(at, 1))
			s.Apply(&b.Batch)
		}
	}
	feed(s, t0, t0+400_000)
	state := s.AppendState(nil)
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	r := rand.New(rand.NewPCG(seed, 4))
	restored := 0
	for i := range 6000 {
		b := bytes.Clone(state)
		for range 1 + r.IntN(3) {
			at := 21 + r.IntN(len(b)-21) // after the signature
			switch r.IntN(3) {
			case 0:
				b[at] ^= 1 << r.IntN(8)
			case 1:
				b[at] = byte(r.IntN(256))
			case 2:
				n := min(1+r.IntN(8), len(b)-at)
				copy(b[at:], state[21+r.IntN(len(state)-21-n):][:n])
			}
		}
		asked := rules
		if i%2 == 1 {
			asked = other
		}
		n, _ := newTestStream(t, StreamOptions{Packs: asked})
		if err := n.RestoreState(b); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("seed %d, %d: %v", seed, i, err)
			}
			continue
		}
		restored++
		n.closed = func(*Window) {}
		feed(n, t0+430_000, t0+640_000)
		feed(n, t0+5*hour, t0+5*hour+90_000)
		n.AppendState(nil)
		n.Stats()
		explainPod(n, "default", "n", "web-5d78c9869d-x7k2p")
	}
	t.Logf("seed %d: %d of 6000 damaged states are read", seed, restored)
}
