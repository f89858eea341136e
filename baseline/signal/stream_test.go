package signal

import (
	"math"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/scenario"
)

func TestSimulatedClusterGivesSignals(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	var delay []int64
	closed := s.closed
	s.closed = func(w *Window) {
		delay = append(delay, w.ClosedMs-w.End)
		for _, o := range w.Observations {
			if o.Signal.Rule.Name == "wl.mem" && (len(o.Top) == 0 || !strings.HasPrefix(o.Top[0].Name, o.Signal.Entity.Get("workload"))) {
				t.Errorf("%s: top %v", o.Signal.ID, o.Top)
			}
			if s.Signals()[o.Signal.Index] != o.Signal || o.Members < 1 || o.Members > o.Expected && o.Expected == 0 {
				t.Errorf("%s: index %d, %d members, %d expected", o.Signal.ID, o.Signal.Index, o.Members, o.Expected)
			}
		}
		closed(w)
	}
	const minutes = 40
	c := scenario.Config{Seed: 1, Live: true, Replicas: 2, Shards: 4, StartMs: scenario.Epoch + 10*hour}
	play(s, generator(t, c), c.StartMs+minutes*60_000)
	st := s.Stats()
	if len(r.windows) != minutes-1 {
		t.Errorf("%d windows closed in %d minutes", len(r.windows), minutes)
	}
	for i, d := range delay[2:] {
		if d > 60_000 {
			t.Errorf("window %d closed %d s after its end", i+2, d/1000)
		}
	}
	groups := map[string]int{}
	for id, values := range r.values {
		name, _, _ := strings.Cut(id, "~")
		groups[name]++
		if !strings.Contains(id, "workload=export-orders") && !strings.Contains(id, "workload=backup") && len(values) < minutes-16 {
			t.Errorf("%s has %d values", id, len(values))
		}
	}
	for name, want := range map[string]int{"dns.qps": 1, "dns.servfail": 1, "dns.p99": 1, "dns.share": 1, "node.conntrack": 3, "node.mem": 3, "svc.p99": 19, "svc.errors": 19} {
		if groups[name] != want {
			t.Errorf("%s: %d groups, want %d", name, groups[name], want)
		}
	}
	if n := groups["wl.cpu"]; n < 37 || n > 41 {
		t.Errorf("wl.cpu: %d groups, want about 40", n)
	}
	if st.Samples != st.Needed+st.Ignored+st.Future+st.Refused || st.Refused != 0 || st.Late > 0 || st.OutOfOrder > 0 {
		t.Errorf("samples are not accounted for: %+v", s.stats)
	}
	if len(st.Clusters) != 1 || !st.Clusters[0].Owners || st.Clusters[0].Name != "default" || st.Clusters[0].Early < minutes-4 {
		t.Errorf("%+v", st.Clusters)
	}
	if len(st.Senders) != 2 || math.Abs(float64(st.Senders[0].Accepted+st.Senders[1].Accepted)/float64(st.Needed)-.5) > 0.025 {
		t.Errorf("%+v", st.Senders)
	}
	for _, x := range st.Rules {
		if (x.Form < 0) != (x.Rule.Name == "none.such") || x.Form < 0 && len(x.Missing) != 2 || x.Form >= 0 && x.Series == 0 {
			t.Errorf("%s: form %d, %d series, missing %v", x.Rule.Name, x.Form, x.Series, x.Missing)
		}
	}
}

func TestEarlySender(t *testing.T) {
	// Its clock runs five minutes ahead, alone in its cluster.
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	names := []string{`x_total{instance="a:1"}`, `x_total{instance="b:1"}`}
	for at := int64(t0); at <= t0+900_000; at += 30_000 {
		b := newBatch(at - 300_000)
		for i, n := range names {
			b.add(n, at, ramp(i, at))
		}
		s.Apply(&b.Batch)
	}
	wantValues(t, "rate", only(r, qpsID), 2, 12, 2)

	// Further ahead than anybody may be.
	b := newBatch(t0+900_000).add(names[0], t0+900_000+600_001, 1).add(names[1], t0+900_000+600_000, 1)
	if res := s.Apply(&b.Batch); res.Barred != 1 || res.Samples != 1 {
		t.Errorf("%+v", res)
	}
	if s.Stats().Future != 1 {
		t.Errorf("%d future", s.Stats().Future)
	}
}

// TestShardsAndStallsGiveWhatAQuietSenderGives compares two ways in which the same cluster may be sent.
func TestShardsAndStallsGiveWhatAQuietSenderGives(t *testing.T) {
	run := func(c scenario.Config) *recorder {
		s, r := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
		play(s, generator(t, c), c.StartMs+40*60_000)
		return r
	}
	c := busy
	c.Replicas, c.Shards = 1, 1
	plain := run(c)
	sharded := run(busy)
	compared, far := 0, 0
	for id, values := range plain.values {
		// Counts and sums of gauges depend on when a scrape is made; sums of rates do not, much.
		if !strings.HasPrefix(id, "dns.qps") && !strings.HasPrefix(id, "wl.cpu") && !strings.HasPrefix(id, "dns.p99") {
			continue
		}
		for end, v := range values {
			w, ok := sharded.values[id][end]
			if !ok {
				continue
			}
			compared++
			if math.Abs(v-w) > 0.05*max(math.Abs(v), 0.05) {
				far++
			}
		}
	}
	if compared < 1000 || far*50 > compared {
		t.Errorf("%d of %d values are more than 5 %% apart", far, compared)
	}
	t.Logf("%d of %d values are more than 5 %% apart", far, compared)
}
