package signal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
)

func TestIdleSeriesAreForgotten(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule, rule("x.max", `max by (cluster) (sum by (cluster, pod) (rate(container_cpu_usage_seconds_total[1m])))`))})
	stay := []string{cpu("n", "web-8448574976-aaaaa"), podOwner("n", "web-8448574976-aaaaa", "ReplicaSet", "web-8448574976"),
		`kube_replicaset_owner{namespace="n",replicaset="web-8448574976",owner_kind="Deployment",owner_name="web"}`}
	n, tracked, sets := 0, 0, 0
	rnd := rand.New(rand.NewPCG(1, 1))
	for at := int64(t0); at <= t0+30*hour; at += 10 * 60_000 {
		names := append([]string(nil), stay...)
		for range 10 { // pods that live for five minutes
			pod := "job-" + randomSuffix(rnd) + "-" + randomSuffix(rnd)
			n++
			names = append(names, cpu("n", pod), podOwner("n", pod, "Job", "job-"+fmt.Sprint(n)), fmt.Sprintf(`y_total{pod="%s"}`, pod),
				fmt.Sprintf(`kube_job_owner{namespace="n",job_name="job-%d",owner_kind="CronJob",owner_name="job"}`, n))
		}
		feedSeries(s, at, at+300_000, 60_000, names, ramp)
		feedSeries(s, at+360_000, at+540_000, 60_000, stay, ramp)
		tracked = max(tracked, s.Stats().Tracked)
		sets = max(sets, s.clusters[0].table.Len())
	}
	st := s.Stats()
	if tracked > 300 || st.Series > 500 || s.clusters[0].book.Sizes().Pods > 100 || s.clusters[0].book.Sizes().Jobs > 100 || sets > 10_000 || st.Evicted < int64(n)*3 {
		t.Errorf("%d pods came and went: at most %d tracked, now %d known, %d pods, %d jobs, %d label sets, %d evicted", n, tracked, st.Series, s.clusters[0].book.Sizes().Pods,
			s.clusters[0].book.Sizes().Jobs, sets, st.Evicted)
	}
	web := only(r, "wl.cpu~cluster=default~namespace=n~workload=web")
	for m := int64(3); m < 30*60-5; m++ {
		if v, ok := web[m]; !ok || math.Abs(v-1) > 1e-9 {
			t.Fatalf("the workload that stays, minute %d: %v %v", m, v, ok)
		}
	}
	if x, ok := explainPod(s, "default", "n", "web-8448574976-aaaaa"); !ok || x.Why != "kube_pod_owner names a ReplicaSet, kube_replicaset_owner its owner" || x.Series != 2 {
		t.Errorf("%+v %v", x, ok)
	}
	if got := ids(r); len(got) != 3 {
		t.Errorf("signals %v", got)
	}
}

// TestWatchedSeriesAreKept holds that a series that is followed for changes alone, and read by no rule, is not forgotten while it is
// alive: a sweep would otherwise drop and learn it anew every ten minutes.
func TestWatchedSeriesAreKept(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStream(StreamOptions{Packs: packs}, func(*Window) {})
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(scenario.Config{Seed: 3, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	play := func(until int64) {
		for {
			r, ok := g.Next(until)
			if !ok {
				return
			}
			s.Apply(&r.Batch)
		}
	}
	const minute = int64(60_000)
	play(scenario.Epoch + 5*minute)
	watched := func() map[string]bool {
		out := map[string]bool{}
		for id := range s.cold {
			if d := &s.cold[id]; d.nbinds == 0 && s.metrics[d.metric].watch.Watched() && s.metrics[d.metric].fact == 0 {
				out[string(d.print[:])] = true
			}
		}
		return out
	}
	before := watched()
	if len(before) == 0 {
		t.Fatal("no series is watched alone")
	}
	play(scenario.Epoch + 35*minute)
	if n := s.Stats().Evicted; n > 0 { // whoever is silent is forgotten after an hour only
		t.Errorf("%d series were forgotten within half an hour", n)
	}
	after := watched()
	gone := 0
	for k := range before {
		if !after[k] {
			gone++
		}
	}
	if gone > 0 {
		t.Errorf("%d of %d watched series are gone", gone, len(before))
	}
}
