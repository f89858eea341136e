package signal

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// bigBatches makes requests of 2,000 samples for n series, in the order of a scrape.
func bigBatches(n int, name func(i int) string) []*batch {
	var out []*batch
	for i := range n {
		if i%2000 == 0 {
			out = append(out, newBatch(t0))
		}
		out[len(out)-1].add(name(i), t0, 0)
	}
	return out
}

// scrape sends the batches once more, at a later time.
func scrape(s *Stream, bs []*batch, at int64) {
	for _, b := range bs {
		b.ReceivedMs = at + 1000
		for i := range b.Samples {
			b.Samples[i].T = at
			b.Samples[i].V += float64(1 + i%7)
		}
		s.Apply(&b.Batch)
	}
}

func cpuName(i int) string {
	var suffix [5]byte
	for k, n := len(suffix)-1, i; k >= 0; k, n = k-1, n/len(alphabet) {
		suffix[k] = alphabet[n%len(alphabet)]
	}
	return fmt.Sprintf(`container_cpu_usage_seconds_total{namespace="ns%d",pod="web%d-8448574976-%s",container="c",node="n%d"}`, i%50, i/8%2500, suffix[:], i%100)
}

// benchApply measures a sample of n known series; the windows that close meanwhile are left out.
func benchApply(b *testing.B, n int, name func(i int) string, rules ...*pack.Rule) {
	s, _ := newTestStream(b, StreamOptions{Packs: packOf(rules...)})
	s.closed = func(*Window) {}
	bs := bigBatches(n, name)
	at := int64(t0)
	for range 12 {
		scrape(s, bs, at)
		at += 30_000
	}
	scrape(s, bs, at+500) // closes the window before
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for done < b.N {
		if at%60_000 > 50_000 {
			b.StopTimer()
			at += 60_000
			at -= at % 60_000
			scrape(s, bs, at)
			b.StartTimer()
		}
		at += 1000
		scrape(s, bs, at)
		done += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/sample")
}

func BenchmarkApply(b *testing.B) {
	one := cpuRule
	three := []*pack.Rule{cpuRule, rule("x.ns", `sum by (cluster, namespace) (rate(container_cpu_usage_seconds_total[5m]))`),
		rule("x.node", `sum by (cluster, node) (increase(container_cpu_usage_seconds_total[5m]))`)}
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("ignored/%d", n), func(b *testing.B) {
			benchApply(b, n, func(i int) string { return fmt.Sprintf(`other_total{i="%d"}`, i) }, one)
		})
		b.Run(fmt.Sprintf("one/%d", n), func(b *testing.B) { benchApply(b, n, cpuName, one) })
		b.Run(fmt.Sprintf("three/%d", n), func(b *testing.B) { benchApply(b, n, cpuName, three...) })
	}
}

// BenchmarkClose closes a window of 20,000 workloads with eight series each.
func BenchmarkClose(b *testing.B) {
	s, _ := newTestStream(b, StreamOptions{Packs: packOf(cpuRule)})
	groups := 0
	s.closed = func(w *Window) { groups = len(w.Observations) }
	bs := bigBatches(160_000, func(i int) string {
		return fmt.Sprintf(`container_cpu_usage_seconds_total{namespace="ns%d",pod="web%d-8448574976-bcdf%c",container="c",node="n%d"}`, i/8%50, i/8, "bcdfghjk"[i%8], i%100)
	})
	at := int64(t0)
	for range 12 {
		scrape(s, bs, at)
		at += 30_000
	}
	c := s.clusters[0]
	c.open -= windowMs
	b.ReportAllocs()
	for b.Loop() {
		s.close(c, true)
		c.open -= windowMs // the same one again
	}
	b.ReportMetric(float64(groups), "groups")
	if groups != 20_000 {
		b.Fatalf("%d groups", groups)
	}
}

// BenchmarkRegister learns new series, as at a rollout.
func BenchmarkRegister(b *testing.B) {
	bs := bigBatches(20_000, cpuName)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s, _ := newTestStream(b, StreamOptions{Packs: packOf(cpuRule)})
		for _, x := range bs {
			s.Apply(&x.Batch)
		}
		n += 20_000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/series")
}

// BenchmarkState writes and reads the state of 100,000 series.
func BenchmarkState(b *testing.B) {
	s, _ := newTestStream(b, StreamOptions{Packs: packOf(cpuRule)})
	bs := bigBatches(100_000, cpuName)
	for i := range int64(12) {
		scrape(s, bs, t0+i*30_000)
	}
	state := s.AppendState(nil)
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			state = s.AppendState(state[:0])
		}
		b.ReportMetric(float64(len(state))/100_000, "B/series")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			n, _ := newTestStream(b, StreamOptions{Packs: packOf(cpuRule)})
			if err := n.RestoreState(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestKnownSeriesAllocateNothing(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	s.closed = func(*Window) {}
	bs := bigBatches(4000, func(i int) string {
		if i%2 == 0 {
			return fmt.Sprintf(`other_total{i="%d"}`, i)
		}
		return cpuName(i)
	})
	at := int64(t0)
	for range 20 {
		scrape(s, bs, at)
		at += 30_000
	}
	if n := testing.AllocsPerRun(20, func() {
		at += 500
		scrape(s, bs, at)
	}); n != 0 {
		t.Errorf("%v allocations for 4,000 samples of known series", n)
	}
}

func TestSteadyWindowAllocatesLittle(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	s.closed = func(*Window) {}
	bs := bigBatches(4000, cpuName)
	at := int64(t0)
	for range 40 {
		scrape(s, bs, at)
		at += 30_000
	}
	groups := len(s.clusters[0].order)
	n := testing.AllocsPerRun(10, func() {
		scrape(s, bs, at)
		scrape(s, bs, at+30_000)
		at += 60_000
	})
	if n > 20 || groups < 400 {
		t.Errorf("%v allocations for a window of %d groups", n, groups)
	}
}

// TestBytesOfATrackedSeries measures what the process holds, labels and slack included.
func TestBytesOfATrackedSeries(t *testing.T) {
	if each := trackedBytes(t, 50_000); each > 420 {
		t.Errorf("%d bytes a tracked series", each)
	}
}

// BenchmarkTracked reports the same at the sizes that are promised.
func BenchmarkTracked(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var each int64
			for b.Loop() {
				each = trackedBytes(b, n)
			}
			b.ReportMetric(float64(each), "B/series")
		})
	}
}

func trackedBytes(t testing.TB, n int) int64 {
	names := make([]series.Labels, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range names {
		pod := fmt.Sprintf("web%d-8448574976-%s", i/40/3, randomSuffix(rnd))
		if i%40 > 0 { // forty series a pod
			pod = names[i-1].Get("pod")
		}
		names[i] = parseLabels(fmt.Sprintf(`container_cpu_usage_seconds_total{namespace="ns%d",pod="%s",container="c",node="n%d",cpu="cpu%d"}`, i/40%50, pod, i/40%100, i%40))
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
	s.closed = func(*Window) {}
	before := heap()
	b := newBatch(t0)
	b.labels = names
	for i := range names {
		b.Entries = append(b.Entries, series.Entry{Key: rnd.Uint64(), SampleLo: uint32(i), SampleHi: uint32(i + 1)})
		b.Samples = append(b.Samples, series.Sample{T: t0, V: 1})
	}
	own := heap() - before
	s.Apply(&b.Batch)
	each := (heap() - before - own) / int64(n)
	runtime.KeepAlive(b)
	t.Logf("%d bytes a tracked series, %d of them counted by Stats", each, s.Stats().PerSeriesBytes)
	runtime.KeepAlive(s)
	return each
}
