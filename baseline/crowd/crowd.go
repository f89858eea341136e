// Package crowd makes many plain clusters whose only truth is how many signals they keep alive: the load of measurements.
//
// Where package scenario plays one cluster that is true to life, a Crowd is cheap, of any size and exact: so many clusters, series and signals of
// the embedded packs. Its series have the names, labels and sizes of the kubelet's, kube-state-metrics' and applications' own; a part of them makes
// signals, the rest nobody asks for. Each request carries the same series in every round, as a sender's shard repeats itself.
//
// Nothing here reads a clock, and everything follows from Config.
package crowd

import (
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/wrackline/wrackline/baseline/series"
)

// Config says how large a crowd is. Clusters, Series and Signals count all of it; they are spread evenly.
type Config struct {
	// Clusters is how many there are, 1 to 10,000; 0 = 1.
	Clusters int
	// Series is how many raw series each round has a sample of, up to 4,000,000. It is met but for less than one pod a cluster.
	Series int
	// Signals is about how many signals the embedded packs make of them, 0 for none. It is met within a tenth.
	Signals int
	// RequestMax is the most samples in a request; 0 = 2,000, as Prometheus has it.
	RequestMax int
	// Quiet gives every series a name that no pack asks for, of the same length: the same load without signals.
	Quiet bool
	// Name is what clusters and senders are called, with a number behind it; "" = crowd.
	Name string
	// Seed makes other values of the same series.
	Seed uint64
}

// What a workload of signals is made of; TestCrowdMakesItsSignals holds these figures against the packs.
const (
	signalsOfWorkload = 14.3 // with those of its namespace's share, and all that need three pods
	signalsOfFew      = 13.3 // of a workload of fewer than three pods: no peers to compare
	seriesOfWorkload  = 13   // of the Deployment and its ReplicaSet
	seriesOfPod       = 20
	podsMost          = 8 // of a workload that makes signals
	workloadsOfSpace  = 20
)

// ErrFew is returned when fewer series are asked for than the signals need.
var ErrFew = errors.New("too few series for so many signals")

// Crowd is many clusters. It is not safe for concurrent use, but for Fill of different requests.
type Crowd struct {
	c        Config
	names    []string // of clusters, and of the sender of each
	series   []line
	wire     []byte // labels of all series, as protobuf
	requests []part
	seed     maphash.Seed
}

// line is one series: where its labels are, and how its value moves.
type line struct {
	key    uint64
	at     uint64 // in wire
	value  float64
	rate   float32 // of a counter, a second; of a gauge its mean
	length uint16  // in wire
	kind   kind
}

// kind is how a value moves.
type kind uint8

const (
	constant kind = iota // rate, always
	gauge                // rate, give or take a tenth
	counter              // rate a second, give or take a tenth
)

// part is the series of one request.
type part struct {
	cluster int
	lo, hi  int // in series
	rng     uint64
	lastMs  int64
}

// New makes a crowd. It returns ErrFew, with the number that is wanted, when Series cannot hold Signals.
func New(c Config) (*Crowd, error) {
	if c.Clusters == 0 {
		c.Clusters = 1
	}
	if c.RequestMax == 0 {
		c.RequestMax = 2000
	}
	if c.Name == "" {
		c.Name = "crowd"
	}
	if c.Clusters < 1 || c.Clusters > 10_000 || c.Series < c.Clusters || c.Series > 4_000_000 || c.Signals < 0 || c.RequestMax < 1 || c.RequestMax > 100_000 {
		return nil, fmt.Errorf("want 1 to 10000 clusters, at least a series of each and at most 4000000 in all: %+v", c)
	}
	w := &Crowd{c: c, seed: maphash.MakeSeed()}
	each := func(n, i int) int { return n*(i+1)/c.Clusters - n*i/c.Clusters }
	for i := range c.Clusters {
		w.names = append(w.names, fmt.Sprintf("%s-%03d", c.Name, i+1))
		if err := w.make(i, each(c.Series, i), each(c.Signals, i)); err != nil {
			return nil, err
		}
	}
	w.interleave()
	return w, nil
}

// shape returns how many workloads of how many pods make so many signals of at most so many series.
func shape(seriesN, signals int) (workloads, pods int, err error) {
	if signals == 0 {
		return 0, 0, nil
	}
	for pods = podsMost; pods >= 1; pods-- {
		of := signalsOfWorkload
		if pods < 3 {
			of = signalsOfFew
		}
		workloads = max(1, int(float64(signals)/of+.5))
		if workloads*(seriesOfWorkload+pods*seriesOfPod) <= seriesN {
			return workloads, pods, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: a cluster of %d signals needs %d, and has %d", ErrFew, signals, workloads*(seriesOfWorkload+seriesOfPod), seriesN)
}

// make adds a cluster: its workloads of signals, then series that nobody asks for until there are enough.
func (w *Crowd) make(i, seriesN, signals int) error {
	workloads, pods, err := shape(seriesN, signals)
	if err != nil {
		return err
	}
	lo := len(w.series)
	b := builder{w: w, cluster: w.names[i], rng: w.c.Seed ^ uint64(i+1)*0x9e3779b97f4a7c15}
	for n := range workloads {
		b.workload(n, pods)
	}
	for n := 0; len(w.series)-lo < seriesN; n++ {
		b.unasked(n, seriesN-(len(w.series)-lo))
	}
	for at := lo; at < len(w.series); at += w.c.RequestMax {
		w.requests = append(w.requests, part{cluster: i, lo: at, hi: min(at+w.c.RequestMax, len(w.series)), rng: b.next() | 1})
	}
	return nil
}

// interleave orders requests so that clusters take turns: nobody scrapes one cluster after the other.
func (w *Crowd) interleave() {
	by := make([][]part, w.c.Clusters)
	for _, p := range w.requests {
		by[p.cluster] = append(by[p.cluster], p)
	}
	w.requests = w.requests[:0]
	for n := 0; ; n++ {
		more := false
		for _, list := range by {
			if n < len(list) {
				w.requests, more = append(w.requests, list[n]), true
			}
		}
		if !more {
			return
		}
	}
}

// Series returns how many series there are.
func (w *Crowd) Series() int { return len(w.series) }

// Requests returns how many requests a round is.
func (w *Crowd) Requests() int { return len(w.requests) }

// Cluster returns the name of the cluster that request r is of. Its sender is called the same.
func (w *Crowd) Cluster(r int) string { return w.names[w.requests[r].cluster] }

// Request is one request, as a receiver would have decoded it.
type Request struct {
	series.Batch
	w      *Crowd
	lo, hi int
}

// Fill makes q request r of the round whose samples are of time tMs, received at receivedMs. Values go on from the last Fill of the same r, which
// must have been earlier. q is used again; it is borrowed until its next Fill.
func (w *Crowd) Fill(q *Request, r int, tMs, receivedMs int64) {
	p := &w.requests[r]
	q.w, q.lo, q.hi = w, p.lo, p.hi
	q.Sender, q.Cluster, q.ReceivedMs, q.Labels = w.names[p.cluster], "", receivedMs, q
	q.Entries, q.Samples = q.Entries[:0], q.Samples[:0]
	dt := 0.
	if p.lastMs > 0 {
		dt = float64(tMs-p.lastMs) / 1000
	}
	p.lastMs = tMs
	x := p.rng
	for i := p.lo; i < p.hi; i++ {
		s := &w.series[i]
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise := .9 + .2*float64(x>>11)/(1<<53)
		switch s.kind {
		case counter:
			s.value += float64(s.rate) * dt * noise
		case gauge:
			s.value = float64(s.rate) * noise
		default:
			s.value = float64(s.rate)
		}
		n := uint32(i - p.lo)
		q.Samples = append(q.Samples, series.Sample{T: tMs, V: s.value})
		q.Entries = append(q.Entries, series.Entry{Key: s.key, SampleLo: n, SampleHi: n + 1})
	}
	p.rng = x
}
