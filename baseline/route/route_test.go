package route

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/promql/oracle"
	"github.com/wrackline/wrackline/baseline/series"
)

const t0 = int64(1_700_000_040_000)

// request is a hand-made one; its series have one sample each.
type request struct {
	series.Batch
	labels []series.Labels
}

func (q *request) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, q.labels[i]...), nil
}

// send makes a request of a sender, of series called name whose cluster label is own, "" = they have none.
func send(sender string, atMs int64) *request {
	q := &request{Batch: series.Batch{Sender: sender, ReceivedMs: atMs}}
	q.Labels = q
	return q
}

func (q *request) add(name, own string, number int) *request {
	l := series.Labels{{Name: series.NameLabel, Value: name}}
	if own != "" {
		l = append(l, series.Label{Name: "cluster", Value: own})
	}
	l = append(l, series.Label{Name: "i", Value: fmt.Sprint(number)})
	n := uint32(len(q.Samples))
	q.labels = append(q.labels, l)
	q.Entries = append(q.Entries, series.Entry{Key: series.Hash64([]byte(l.String())), SampleLo: n, SampleHi: n + 1})
	q.Samples = append(q.Samples, series.Sample{T: q.ReceivedMs, V: float64(number)})
	return q
}

func newRouter() *Router { return New(Options{Labels: []string{"cluster"}, Default: "default"}) }

// clusters routes a request and returns, series by series, the name of the cluster that got it; "" = none. Each part must hold its own labels and samples.
func clusters(t *testing.T, r *Router, q *request) []string {
	t.Helper()
	out := make([]string, len(q.labels))
	parts, refused := r.Route(&q.Batch)
	taken := 0
	for k, p := range parts {
		if k > 0 && p.Cluster <= parts[k-1].Cluster {
			t.Fatalf("parts are not in order: %d after %d", p.Cluster, parts[k-1].Cluster)
		}
		for i, e := range p.Batch.Entries {
			l, err := p.Batch.Labels.AppendLabels(nil, i)
			if err != nil {
				t.Fatal(err)
			}
			whole := int(e.SampleLo)
			if l.String() != q.labels[whole].String() {
				t.Fatalf("the sample of %s is of %s", l, q.labels[whole])
			}
			out[whole] = r.Name(p.Cluster)
			taken++
		}
	}
	if taken+refused.Rejected != len(q.Samples) {
		t.Fatalf("%d of %d taken, %d refused", taken, len(q.Samples), refused.Rejected)
	}
	return out
}

// What most of a sender's series carry is its cluster; some exporters have a label of that name of their own, which must not open one, wherever they stand in a request.
func TestClusterIsDecidedForTheSender(t *testing.T) {
	type span struct {
		own string
		n   int
	}
	for _, c := range []struct {
		name  string
		spans []span
		want  map[string]int
	}{
		{"nobody names it", []span{{"", 60}}, map[string]int{"default": 60}},
		{"an external label", []span{{"prod", 60}}, map[string]int{"prod": 60}},
		{"exporters have such a label", []span{{"prod", 60}, {"redis", 12}}, map[string]int{"prod": 72}},
		{"they come first", []span{{"redis", 15}, {"prod", 60}}, map[string]int{"prod": 75}},
		{"they come first, and the rest has none", []span{{"redis", 12}, {"", 60}}, map[string]int{"default": 72}},
	} {
		r := newRouter()
		var got []string
		for at := t0; at < t0+4000; at += 1000 {
			q, n := send("prometheus", at), 0
			for _, x := range c.spans {
				for range x.n {
					own := x.own
					if own == "redis" {
						own = fmt.Sprint("redis-", n%3)
					}
					q.add("http_requests_total", own, n)
					n++
				}
			}
			got = clusters(t, r, q)
			for range r.Moves() {
			}
		}
		count := map[string]int{}
		for _, g := range got {
			count[g]++
		}
		if fmt.Sprint(count) != fmt.Sprint(c.want) {
			t.Errorf("%s: went to %v, want %v", c.name, count, c.want)
		}
	}
	// Nor does one that appears later.
	r := newRouter()
	q := send("prometheus", t0)
	for i := range 30 {
		q.add("http_requests_total", "prod", i)
	}
	clusters(t, r, q)
	got := clusters(t, r, send("prometheus", t0+1000).add("redis_up", "cache-7", 1).add("http_requests_total", "prod", 40).add("http_requests_total", "", 41))
	for i, c := range got {
		if c != "prod" {
			t.Errorf("series %d went to %q", i, c)
		}
	}
}

func TestAgentOfSeveralClusters(t *testing.T) {
	r := newRouter()
	for at := t0; at < t0+3000; at += 1000 {
		q := send("agent", at)
		for i := range 40 {
			q.add("container_cpu_usage_seconds_total", []string{"east", "west", "east"}[i%3], i)
		}
		clusters(t, r, q)
		for range r.Moves() {
		}
	}
	got := clusters(t, r, send("agent", t0+4000).add("http_requests_total", "west", 1).add("http_requests_total", "east", 2).add("http_requests_total", "", 3))
	if got[0] != "west" || got[1] != "east" || got[2] != "east" {
		t.Errorf("went to %q", got)
	}
}

func TestTokensClusterStandsAboveLabels(t *testing.T) {
	r := newRouter()
	q := send("prometheus", t0).add("x", "prod", 1)
	q.Cluster = "staging"
	if got := clusters(t, r, q); got[0] != "staging" {
		t.Errorf("went to %q", got)
	}
	if got := clusters(t, r, send("prometheus", t0).add("x", "prod", 1)); got[0] != "prod" {
		t.Errorf("the same series without a token went to %q", got)
	}
}

func TestFurtherClustersAreRefused(t *testing.T) {
	r := newRouter()
	for i := range ClustersMax {
		q := send("s", t0).add("x", "", i)
		q.Cluster = fmt.Sprintf("c%d", i)
		clusters(t, r, q)
	}
	q := send("s", t0).add("x", "", 1).add("y", "", 2)
	q.Cluster = "one more"
	if _, res := r.Route(&q.Batch); res.Rejected != 2 || res.Reason == "" {
		t.Errorf("refused %d: %q", res.Rejected, res.Reason)
	}
	r.Forget(7)
	if got := clusters(t, r, q); got[0] != "one more" || r.Len() != ClustersMax {
		t.Errorf("after one was forgotten the next went to %q, with %d numbers", got, r.Len())
	}
}

// A router that was stored and restored at any moment sends everything where the one that lived on does.
func TestRestoredRouterGoesOn(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	rnd := rand.New(rand.NewPCG(seed, 3))
	owns := []string{"", "east", "west", "cache"}
	names := []string{"http_requests_total", "container_cpu_usage_seconds_total", "kube_pod_info"}
	a, b := newRouter(), newRouter()
	at := t0
	moved := 0
	for range 400 {
		at += rnd.Int64N(4 * 60_000)
		q := send(fmt.Sprint("s", rnd.IntN(3)), at)
		bias := rnd.IntN(len(owns))
		for range 1 + rnd.IntN(12) {
			own := owns[bias]
			if rnd.IntN(4) == 0 {
				own = owns[rnd.IntN(len(owns))]
			}
			q.add(names[rnd.IntN(3)], own, rnd.IntN(200))
		}
		if rnd.IntN(10) == 0 {
			q.Cluster = "fixed"
		}
		x, y := clusters(t, a, q), clusters(t, b, q)
		if fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("seed %d: %q, restored %q", seed, x, y)
		}
		m, n := a.Moves(), b.Moves()
		if fmt.Sprint(m) != fmt.Sprint(n) {
			t.Fatalf("seed %d: moves %v, restored %v", seed, m, n)
		}
		moved += len(m)
		if rnd.IntN(5) == 0 {
			state := a.Append(nil)
			b = newRouter()
			if err := b.Restore(state); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if !bytes.Equal(b.Append(nil), state) {
				t.Fatalf("seed %d: the restored state is another", seed)
			}
		}
	}
	if moved == 0 || a.Len() < 4 {
		t.Errorf("seed %d: %d moves, %d clusters", seed, moved, a.Len())
	}
}

// FuzzRestore holds that damaged state is refused with ErrState, and that what is taken can be used.
func FuzzRestore(f *testing.F) {
	r := newRouter()
	for i := range 30 {
		r.Route(&send("s", t0).add("kube_pod_info", []string{"east", "west"}[i%2], i).Batch)
	}
	f.Add(r.Append(nil))
	f.Add(newRouter().Append(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		r := newRouter()
		if err := r.Restore(state); err != nil {
			if !errors.Is(err, ErrState) {
				t.Errorf("error %v", err)
			}
			return
		}
		clusters(t, r, send("s", t0).add("kube_pod_info", "east", 1).add("x", "", 2))
		if err := newRouter().Restore(r.Append(nil)); err != nil {
			t.Errorf("what was taken cannot be stored: %v", err)
		}
	})
}

// Senders that are over make room for others, and what was decided of those that still send stays.
func TestSendersAreForgotten(t *testing.T) {
	r := newRouter()
	q := send("agent", t0)
	for i := range 30 {
		q.add("http_requests_total", "prod", i)
	}
	clusters(t, r, q)
	at := int64(t0)
	for i := range 3 * SendersMax {
		at += 20 * 60_000
		clusters(t, r, send(fmt.Sprint("job-", i), at).add("x", "", i))
		if i%50 == 0 {
			clusters(t, r, send("agent", at).add("http_requests_total", "prod", 1))
		}
		if n := len(r.senderAt); n > 15*24*3+10 {
			t.Fatalf("after %d senders %d are known", i, n)
		}
	}
	if got := clusters(t, r, send("agent", at).add("redis_up", "cache-7", 1)); got[0] != "prod" {
		t.Errorf("a series of a sender that went on went to %q", got[0])
	}
	again := newRouter()
	if err := again.Restore(r.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if a, b := string(again.Append(nil)), string(r.Append(nil)); a != b {
		t.Error("a restored router has another state")
	}
	x, y := send("yet another", at+1).add("x", "", 7), send("yet another", at+1).add("x", "", 7)
	clusters(t, r, x)
	clusters(t, again, y)
	if a, b := string(again.Append(nil)), string(r.Append(nil)); a != b {
		t.Error("a restored router gives a sender another number")
	}
}
