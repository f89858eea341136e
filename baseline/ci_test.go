package baseline_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// ciPod is a pod that runs once.
type ciPod struct {
	ns, name, kind, owner string
	from, to              int64
	node                  int
}

// ciPods are so many pods of several makes, spread over a time, each of which lives for minutes; one in fifty for more than an hour.
func ciPods(n int, from, to int64) (pods []ciPod) {
	letters := func(seed, n int) string {
		const alphabet = "bcdfghjklmnpqrstvwxz2456789"
		b := make([]byte, n)
		for i, h := 0, series.Hash64([]byte(fmt.Sprint(seed, n))); i < n; i, h = i+1, h/27 {
			b[i] = alphabet[h%27]
		}
		return string(b)
	}
	for i := range n {
		p := ciPod{ns: "ci", from: from + int64(i)*(to-from)/int64(n), node: i % 3}
		p.to = p.from + int64(3+i%9)*60_000
		if i%50 == 0 {
			p.to = p.from + 80*60_000
		}
		switch i % 5 {
		case 0:
			p.name = fmt.Sprintf("runner-%s-project-%d-concurrent-%d-%s", letters(i%4, 8), i%37, i%6, letters(i, 6))
		case 1:
			p.owner, p.kind = "build-"+letters(i, 5), "TaskRun"
			p.name = p.owner + "-pod"
		case 2:
			p.name = fmt.Sprintf("shop-main-%d-%s-%s-%s", i, letters(i, 5), letters(i+1, 5), letters(i+2, 5))
		case 3:
			p.owner, p.kind = "etl-"+letters(i, 5), "Workflow"
			p.name = fmt.Sprintf("%s-load-%d", p.owner, 1_000_000+7*i)
		case 4:
			p.name = fmt.Sprintf("spark-pi-%d-driver", 1_700_000_000_000+int64(i))
		}
		pods = append(pods, p)
	}
	return pods
}

// scrapeCI is what a minute's scrapes show of the pods that live then.
func scrapeCI(pods []ciPod, at int64) *series.Batch {
	b := &series.Batch{Sender: "prom", ReceivedMs: at + 500}
	var l keptLabels
	add := func(v float64, kv ...string) {
		labels := series.Labels{{Name: series.NameLabel, Value: kv[0]}}
		for i := 1; i < len(kv); i += 2 {
			labels = append(labels, series.Label{Name: kv[i], Value: kv[i+1]})
		}
		k := uint32(len(b.Samples))
		b.Entries = append(b.Entries, series.Entry{Key: series.Hash64([]byte(labels.String())), SampleLo: k, SampleHi: k + 1})
		b.Samples = append(b.Samples, series.Sample{T: at, V: v})
		l = append(l, labels)
	}
	for i := range pods {
		p := &pods[i]
		if at < p.from || at >= p.to {
			continue
		}
		s := float64(at-p.from) / 1000
		kubelet := []string{"job", "kubelet", "instance", fmt.Sprintf("10.9.0.%d:10250", p.node), "namespace", p.ns, "pod", p.name}
		ksm := []string{"job", "kube-state-metrics", "instance", "10.9.1.1:8080", "namespace", p.ns, "pod", p.name}
		of := func(target []string, name string, more ...string) []string {
			return append(append([]string{name}, target...), more...)
		}
		kind, owner := p.kind, p.owner
		if kind == "" {
			kind, owner = "<none>", "<none>"
		}
		add(1, of(ksm, "kube_pod_owner", "owner_kind", kind, "owner_name", owner, "owner_is_controller", "true")...)
		add(1, of(ksm, "kube_pod_info", "node", fmt.Sprint("n", p.node), "created_by_kind", kind, "created_by_name", owner)...)
		for _, phase := range []string{"Pending", "Running", "Failed", "Succeeded", "Unknown"} {
			v := 0.0
			if phase == "Running" {
				v = 1
			}
			add(v, of(ksm, "kube_pod_status_phase", "phase", phase)...)
		}
		add(1, of(ksm, "kube_pod_status_ready", "condition", "true")...)
		add(float64(p.from)/1000, of(ksm, "kube_pod_created")...)
		for _, c := range []string{"build", "helper"} {
			add(0, of(ksm, "kube_pod_container_status_restarts_total", "container", c)...)
			add(1e9, of(ksm, "kube_pod_container_resource_limits", "container", c, "resource", "memory", "unit", "byte")...)
			add(0.7*s, of(kubelet, "container_cpu_usage_seconds_total", "container", c)...)
			add(1e8+1e5*s, of(kubelet, "container_memory_working_set_bytes", "container", c)...)
			add(0, of(kubelet, "container_cpu_cfs_throttled_periods_total", "container", c)...)
			add(10*s, of(kubelet, "container_cpu_cfs_periods_total", "container", c)...)
		}
		add(1e4*s, of(kubelet, "container_network_receive_bytes_total", "interface", "eth0")...)
		add(2e4*s, of(kubelet, "container_network_transmit_bytes_total", "interface", "eth0")...)
	}
	b.Labels = l
	return b
}

// A cluster in which 4,000 pods run for minutes in two days has at most twice the signals of the same one without them, and costs at most twice the CPU.
func TestShortLivedPodsCostLittle(t *testing.T) {
	days := int64(2)
	if testing.Short() {
		days = 1
	}
	from := int64(scenario.Epoch)
	to := from + days*24*3_600_000
	run := func(pods []ciPod) (st signal.Stats, most int, cpu time.Duration) {
		e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs(t)}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := scenario.New(scenario.Config{Seed: 5, Quiet: true})
		if err != nil {
			t.Fatal(err)
		}
		for at := from; at < to; at += 60_000 {
			for {
				r, ok := g.Next(at)
				if !ok {
					break
				}
				before := cpuTime(t)
				e.Apply(&r.Batch, 0)
				cpu += cpuTime(t) - before
			}
			alive := pods
			for len(alive) > 0 && alive[0].from+3*3_600_000 < at {
				alive, pods = alive[1:], pods[1:]
			}
			for i := range alive {
				if alive[i].from > at {
					alive = alive[:i]
					break
				}
			}
			if b := scrapeCI(alive, at); len(b.Entries) > 0 {
				before := cpuTime(t)
				e.Apply(b, 0)
				cpu += cpuTime(t) - before
			}
			if (at-from)%3_600_000 == 0 {
				e.Publish()
				s := e.Stats()
				most = max(most, s.Signals)
			}
		}
		e.Publish()
		return e.Stats(), most, cpu
	}
	without, _, cpu := run(nil)
	with, most, more := run(ciPods(int(2000*days), from, to))
	t.Logf("without them %d signals and %v, with them %d, %d at most, and %v; %d retired", without.Signals, cpu, with.Signals, most, more, with.Retired)
	if most > 2*without.Signals || without.Signals < 300 {
		t.Errorf("%d signals with them, %d without", most, without.Signals)
	}
	if more > 2*cpu {
		t.Errorf("%v CPU with them, %v without", more, cpu)
	}
}

// cpuTime is what the process has used.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
