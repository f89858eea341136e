package signal

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// yard is a kubelet's cAdvisor, whose samples bring times of their own, and kube-state-metrics, which show pods from one minute to another.
type yard struct {
	pods    map[string][2]int // pod → first and last minute
	ksm     bool              // kube-state-metrics shows them, and ends them with markers
	lacks   func(pod string, series int, minute int) bool
	metrics []string
}

func (y *yard) run(s *Stream, from, to int) {
	for at := t0 + int64(from)*60_000; at < t0+int64(to)*60_000; at += 30_000 {
		b := newBatch(at + 20_000)
		var names []string
		for pod := range y.pods {
			names = append(names, pod)
		}
		slices.Sort(names)
		for i, pod := range names {
			life := y.pods[pod]
			m := int(at-t0) / 60_000
			there := m >= life[0] && m < life[1]
			own := at + int64(i*2749%9000) - 4000 // cAdvisor's own clock for each container
			for k, name := range y.metrics {
				if there && !(y.lacks != nil && y.lacks(pod, k, m)) {
					b.add(fmt.Sprintf(`%s{namespace="shop",pod="%s",container="c",job="kubelet",instance="n1:10250"}`, name, pod), own, 1000+float64(own-t0)/1000)
				}
			}
			if y.ksm {
				for _, name := range []string{"kube_pod_info", "kube_pod_status_ready"} {
					text := fmt.Sprintf(`%s{namespace="shop",pod="%s",condition="true",job="ksm",instance="10.0.0.9:8080"}`, name, pod)
					if there {
						b.add(text, at+3000, 1)
					} else if m == life[1] {
						b.add(text, at+3000, series.StaleNaN)
					}
				}
			}
		}
		s.Apply(&b.Batch)
	}
}

// TestReplacedPodDoesNotBlind holds that the series of a pod that is gone end although no marker says so, and that those of one that is only late do not.
func TestReplacedPodDoesNotBlind(t *testing.T) {
	rules := packOf(rule("x.cpu", `sum by (cluster, namespace, workload) (rate(container_cpu_usage_seconds_total[1m]))`),
		rule("x.mem", `count by (cluster, namespace, workload) (container_memory_working_set_bytes)`),
		rule("x.fs", `sum by (cluster) (rate(container_fs_reads_total[1m]))`), rule("x.ready", `sum by (cluster) (kube_pod_status_ready)`))
	all := []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_fs_reads_total"}
	old, now := "web-6f6b679f8f-", "web-7d9f8b6c5d-"
	rollout := map[string][2]int{"other-0": {0, 99}, "other-1": {0, 99}}
	for i, x := range []string{"bcdfg", "hjklm", "npqrs"} {
		rollout[old+x] = [2]int{0, 10 + i}
		rollout[now+x] = [2]int{10 + i, 99}
	}
	const cpu, mem = "x.cpu~cluster=default~namespace=shop~workload=web", "x.mem~cluster=default~namespace=shop~workload=web"
	for _, c := range []struct {
		name  string
		y     yard
		holes int // minutes of ten without a value
	}{
		{"kube-state-metrics says so", yard{pods: rollout, ksm: true, metrics: all}, 0},
		{"the rest of the scrape says so", yard{pods: rollout, metrics: all}, 0},
		{"few series, and kube-state-metrics", yard{pods: rollout, ksm: true, metrics: all[:2]}, 0},
	} {
		s, r := newTestStream(t, StreamOptions{Packs: rules})
		c.y.run(s, 0, 24)
		for id, want := range map[string]float64{cpu: 3, mem: 3} {
			got := only(r, id)
			holes := 0
			for m := int64(9); m <= 19; m++ {
				v, ok := got[m]
				if !ok {
					holes++
				} else if v < want*.5 || v > want*1.7 {
					t.Errorf("%s: minute %d of %s: %v", c.name, m, id, v)
				}
			}
			if holes > c.holes {
				t.Errorf("%s: %s has no value in %d of 11 minutes: %v", c.name, id, holes, got)
			}
			if v := got[18]; math.Abs(v-want) > 1e-9 {
				t.Errorf("%s: %s is %v after the rollout", c.name, id, v)
			}
		}
	}
	// Twins: a shard that brings a third of the series stalls; kube-state-metrics itself goes; a pod is only waited for.
	stall := yard{pods: map[string][2]int{"web-6f6b679f8f-bcdfg": {0, 99}, "web-6f6b679f8f-hjklm": {0, 99}, "web-6f6b679f8f-npqrs": {0, 99}}, metrics: all,
		lacks: func(pod string, k, m int) bool { return m >= 8 && m < 12 && (int(pod[len(pod)-1])+k)%3 == 0 }}
	s, r := newTestStream(t, StreamOptions{Packs: rules})
	stall.run(s, 0, 20)
	for m, v := range only(r, cpu) {
		if m > 3 && m < 18 && math.Abs(v-3) > 1e-9 {
			t.Errorf("a shard stalls: minute %d is %v, want 3 or nothing", m, v)
		}
	}
	if v := only(r, cpu)[16]; math.Abs(v-3) > 1e-9 {
		t.Errorf("after the stall: %v", v)
	}
	gone := yard{pods: map[string][2]int{"web-6f6b679f8f-bcdfg": {0, 99}, "web-6f6b679f8f-hjklm": {0, 99}}, metrics: all}
	s, r = newTestStream(t, StreamOptions{Packs: rules})
	with := gone
	with.ksm = true
	with.run(s, 0, 8)
	b := newBatch(t0 + 8*60_000)
	for pod := range gone.pods {
		for _, name := range []string{"kube_pod_info", "kube_pod_status_ready"} {
			b.add(fmt.Sprintf(`%s{namespace="shop",pod="%s",condition="true",job="ksm",instance="10.0.0.9:8080"}`, name, pod), t0+8*60_000, series.StaleNaN)
		}
	}
	s.Apply(&b.Batch)
	gone.run(s, 8, 16)
	wantValues(t, "kube-state-metrics goes", only(r, cpu), 4, 13, 2)
}
