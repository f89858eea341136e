package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/promql/oracle"
)

// A router that knows stretches of series as a whole decides, and remembers, what one does that looks at each series: scrapes in their order, cut anywhere, with series that come and go,
// some in an order of their own, of senders of one cluster and of several.
func TestRunsDecideNothing(t *testing.T) {
	seed := oracle.EnvInt(t, "SEED", rand.Uint64())
	rnd := rand.New(rand.NewPCG(seed, 11))
	a, b := newRouter(), newRouter()
	at, born, found := t0, 600, 0
	var live [3][]int
	for s := range live {
		for i := range 200 {
			live[s] = append(live[s], s*200+i)
		}
	}
	for range 600 {
		at += rnd.Int64N(2 * 60_000)
		s := rnd.IntN(3)
		if rnd.IntN(4) == 0 { // one goes, one comes
			live[s][rnd.IntN(len(live[s]))] = born
			born++
		}
		if rnd.IntN(40) == 0 {
			rnd.Shuffle(len(live[s]), func(i, j int) { live[s][i], live[s][j] = live[s][j], live[s][i] })
		}
		lo := rnd.IntN(100)
		q := send(fmt.Sprint("s", s), at)
		for _, i := range live[s][lo : lo+50+rnd.IntN(50)] {
			own := []string{"", "east", "west"}[s]
			if s == 2 && i%50 < 20 {
				own = "east" // an agent of two clusters
			}
			q.add("container_cpu_usage_seconds_total", own, i)
		}
		for i := range a.runs.list {
			found += int(a.runs.list[i].n)
		}
		b.settle()
		b.scatter()
		x, y := clusters(t, a, q), clusters(t, b, q)
		if fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("seed %d: %q, without runs %q", seed, x, y)
		}
		if m, n := a.Moves(), b.Moves(); fmt.Sprint(m) != fmt.Sprint(n) {
			t.Fatalf("seed %d: moves %v, without runs %v", seed, m, n)
		}
		if !bytes.Equal(a.Append(nil), b.Append(nil)) {
			t.Fatalf("seed %d: another state than without runs", seed)
		}
		if len(a.runs.members) > 3*len(a.keys) {
			t.Fatalf("seed %d: %d members of runs, %d keys", seed, len(a.runs.members), len(a.keys))
		}
	}
	if found == 0 {
		t.Errorf("seed %d: no stretch was ever known", seed)
	}
}

// A stretch that is known is not looked at: its keys could be anywhere.
func TestRunsAreUsed(t *testing.T) {
	r := newRouter()
	q := send("s", t0)
	for i := range 500 {
		q.add("x", "", i)
	}
	clusters(t, r, q)
	known := 0
	for i := range r.runs.list {
		known += int(r.runs.list[i].n)
	}
	if known < 300 {
		t.Fatalf("%d of 500 series are in stretches that are known", known)
	}
	for i := range r.keys {
		r.keys[i].cluster = nobody
	}
	routed := 0
	for _, c := range clusters(t, r, q) {
		if c != "" {
			routed++
		}
	}
	if routed != known {
		t.Errorf("%d series went by their stretch, want %d", routed, known)
	}
}
