//go:build linux

// How Wrackline's costs grow with clusters and signals: the table of docs/performance.md. Nothing here fails because a machine is slow; it prints.

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// What the table is about.
const (
	scaleSignals  = 56_000
	scaleSeries   = 460_000
	scaleClusters = 60
)

// row is one line of the table: what, as issue 11 found it, as it wants it, as it is.
type row struct{ what, was, wanted, is string }

// scaleParts are the parts of the table, each of which runs alone.
var scaleParts = []struct {
	name string
	run  func(*testing.T) []row
}{
	{"fold", scaleFold},
	{"window", scaleWindow},
	{"process", scaleProcess},
	{"latency", scaleLatency},
}

// TestScale prints the table. WRACKLINE_SCALE names its parts, separated by commas, or all.
func TestScale(t *testing.T) {
	asked := os.Getenv("WRACKLINE_SCALE")
	if asked == "" {
		t.Skip("WRACKLINE_SCALE says which parts; make bench-scale")
	}
	var rows []row
	for _, p := range scaleParts {
		if asked == "all" || slices.Contains(strings.Split(asked, ","), p.name) {
			t.Run(p.name, func(t *testing.T) { rows = append(rows, p.run(t)...) })
			runtime.GC()
		}
	}
	if len(rows) == 0 {
		t.Fatalf("WRACKLINE_SCALE=%q: want all, fold, window, process or latency", asked)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| what\t| issue 11 found\t| wanted\t| measured\t|\n|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", r.what, r.was, r.wanted, r.is)
	}
	w.Flush()
	t.Logf("%s, %s, %d CPUs:\n%s", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), b.String())
}

// cpuOf returns the CPU time of this process (syscall.RUSAGE_SELF) or thread (rusageThread), in the kernel too.
func cpuOf(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err) // it cannot fail for these
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const rusageThread = 1 // RUSAGE_THREAD of Linux

// scaleApp opens an application of its own whose requests come from here.
func scaleApp(t *testing.T) *app {
	t.Helper()
	a, kill := lineApp(t, t.TempDir())
	t.Cleanup(kill)
	return a
}

// appendTo journals and folds one request, on this thread.
func appendTo(t *testing.T, a *app, b *series.Batch, body []byte) {
	pos, err := a.journal.Append(journal.Record{Sender: b.Sender, Cluster: b.Cluster, ReceivedMs: b.ReceivedMs, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if res := a.engine.Apply(b, pos); res.Rejected > 0 {
		t.Fatalf("%+v", res)
	}
}

// scaleFold is append and fold of one to sixty clusters of 4,500 series, true to life and asked by all packs: CPU of the whole process a sample,
// collection of garbage included, without the making of requests.
func scaleFold(t *testing.T) []row {
	r := row{"append + fold, ns a sample, 1 / 5 / 20 / 60 clusters of 4,500 series", "512–813 / 1,164 / 3,650 / 7,400", "flat within 1.3×", ""}
	first := 0.
	for _, n := range []int{1, 5, 20, 60} {
		ns, signals := foldClusters(t, n)
		if first == 0 {
			first = ns
		} else {
			r.is += " / "
		}
		r.is += fmt.Sprintf("%.0f", ns)
		t.Logf("%d clusters, %d signals: %.0f ns a sample, %.2f times one cluster's", n, signals, ns, ns/first)
	}
	return []row{r}
}

func foldClusters(t *testing.T, n int) (ns float64, signals int) {
	const warm, minutes = 4, 6 // signals begin in the minutes that are not counted
	a := scaleApp(t)
	var list []*scenario.Generator
	for i := range n {
		g, err := scenario.New(scenario.Config{Seed: uint64(i + 1), Quiet: true, Live: true, Cluster: fmt.Sprintf("cluster-%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, g)
	}
	var spent time.Duration
	var samples int
	var body, scratch []byte
	begin := list[0].Config().StartMs
	for m := range int64(warm + minutes) {
		for i, g := range list {
			for {
				r, ok := g.Next(begin + (m+1)*60_000)
				if !ok {
					break
				}
				r.Sender = fmt.Sprintf("prometheus-%d", i)
				body, scratch = r.AppendBody(body[:0], scratch)
				before := cpuOf(syscall.RUSAGE_SELF)
				appendTo(t, a, &r.Batch, body)
				if m >= warm {
					spent += cpuOf(syscall.RUSAGE_SELF) - before
					samples += len(r.Samples)
				}
			}
		}
	}
	st := a.engine.Stats()
	t.Logf("%d series in %d clusters", st.Series, len(st.Clusters))
	return float64(spent) / float64(samples), st.Signals
}

// scaleWindow is what closing a window of 56,000 signals of one cluster costs, and what a checkpoint of them keeps from others: CPU of the thread
// that does it, so that what the machine does besides is not counted.
func scaleWindow(t *testing.T) []row {
	var out []row
	for _, clusters := range []int{1, scaleClusters} {
		rounds := 6
		if clusters > 1 {
			rounds = 2 // a minute of sixty clusters closes sixty windows
		}
		a := scaleApp(t)
		w, err := crowd.New(crowd.Config{Clusters: clusters, Series: scaleSeries, Signals: scaleSignals})
		if err != nil {
			t.Fatal(err)
		}
		c := newClosing(t, a, w)
		runtime.LockOSThread()
		for range 10 { // five minutes, of which the first begin signals
			c.round()
		}
		c.reset()
		for range rounds {
			c.round()
		}
		st := a.engine.Stats()
		out = append(out, c.rows(clusters, st.Signals)...)
		runtime.UnlockOSThread() // the clusters of a checkpoint begin side by side
		var held, all []time.Duration
		var frozen int
		for range 3 {
			c.round() // so that something changes between two checkpoints
			a.makeRooms()
			before := cpuOf(syscall.RUSAGE_SELF) // all threads that freeze
			f := a.freezing()
			longest := cpuOf(syscall.RUSAGE_SELF) - before
			all = append(all, longest)
			for left := true; left; {
				before := cpuOf(syscall.RUSAGE_SELF)
				for cpuOf(syscall.RUSAGE_SELF)-before < sliceMost && left {
					left = f.rest.Slice()
				}
				took := cpuOf(syscall.RUSAGE_SELF) - before
				longest = max(longest, took)
				all[len(all)-1] += took
			}
			held = append(held, longest)
			cp := *f.c
			a.sized(cp.Sections)
			frozen = 0
			for _, section := range cp.Sections {
				frozen += len(section)
			}
			if err := a.save(cp); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(all)
		slices.Sort(held)
		t.Logf("%d clusters, %d signals: %d series, %d tracked; sections %d MB", clusters, st.Signals, st.Series, st.Tracked, frozen>>20)
		out = append(out, row{fmt.Sprintf("fold held by a checkpoint, %d signals in %s (no request waits for it)", st.Signals, ofClusters(clusters)), "420–890 ms", "≤ 5 ms in one piece",
			fmt.Sprintf("longest %d–%d ms of CPU, median %d, of %d", held[0].Milliseconds(), held[2].Milliseconds(), held[1].Milliseconds(), all[1].Milliseconds())})
	}
	return out
}

func ofClusters(n int) string {
	if n == 1 {
		return "one cluster"
	}
	return fmt.Sprintf("%d clusters", n)
}

// closing folds rounds of a crowd, half a minute each, and tells requests that close a window from those that do not.
type closing struct {
	t    *testing.T
	a    *app
	w    *crowd.Crowd
	q    crowd.Request
	at   int64
	body []byte
	scr  []byte

	closed, plain []time.Duration // of requests
	windows       int64           // closed
}

func newClosing(t *testing.T, a *app, w *crowd.Crowd) *closing {
	return &closing{t: t, a: a, w: w, at: scenario.Epoch}
}

func (c *closing) reset() { c.closed, c.plain, c.windows = nil, nil, 0 }

func (c *closing) round() {
	for r := range c.w.Requests() {
		t := c.at + int64(r)*30_000/int64(c.w.Requests())
		c.w.Fill(&c.q, r, t, t+5)
		c.body, c.scr = c.q.AppendBody(c.body[:0], c.scr)
		seen := c.closedWindows()
		before := cpuOf(rusageThread)
		appendTo(c.t, c.a, &c.q.Batch, c.body)
		took := cpuOf(rusageThread) - before
		if now := c.closedWindows(); now != seen {
			c.closed = append(c.closed, took)
			c.windows += now - seen
		} else {
			c.plain = append(c.plain, took)
		}
	}
	c.at += 30_000
}

// closedWindows counts windows by what is published of clusters.
func (c *closing) closedWindows() (n int64) {
	st := c.a.engine.Stats()
	for i := range st.Clusters {
		n += st.Clusters[i].ClosedEnd / 60_000
	}
	return n
}

func (c *closing) rows(clusters, signals int) []row {
	slices.Sort(c.closed)
	var closed, plain time.Duration
	for _, d := range c.closed {
		closed += d
	}
	for _, d := range c.plain {
		plain += d
	}
	each := plain / time.Duration(max(1, len(c.plain)))
	longest := time.Duration(0)
	if n := len(c.closed); n > 0 {
		longest = c.closed[n-1]
	}
	cost := closed - each*time.Duration(len(c.closed))
	perSignal := float64(cost) / max(1, float64(c.windows)*float64(signals)/float64(clusters))
	c.t.Logf("%s: %d windows closed within %d requests, %d requests besides at %s", ofClusters(clusters), c.windows, len(c.closed), len(c.plain), each)
	return []row{
		{fmt.Sprintf("closing a window, ns a signal, %d signals in %s", signals, ofClusters(clusters)), "6,000–11,000", "≤ 1,500", fmt.Sprintf("%.0f", perSignal)},
		{fmt.Sprintf("fold held by a closing window, longest, %s (no request waits for it)", ofClusters(clusters)), "343–897 ms", "≤ 5 ms in one piece", fmt.Sprintf("%.1f ms", longest.Seconds()*1000)},
	}
}
