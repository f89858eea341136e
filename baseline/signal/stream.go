package signal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/birth"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/sender"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
	"github.com/wrackline/wrackline/baseline/twin"
	"github.com/wrackline/wrackline/baseline/window"
)

// Defaults of StreamOptions.
const (
	SeriesDefault  = 1_000_000
	SignalsDefault = 200_000
	GraceDefault   = int64(90_000)              // ms
	GraceMax       = int64(150_000)             // ms: the rings hold three windows beyond the open one
	RetireDefault  = int64(15 * 24 * 3_600_000) // ms
	ClustersMax    = 1000                       // clusters in a stream; series of further ones are refused
	DefaultCluster = "default"
)

// StreamOptions configure a Stream. The zero value derives nothing, since it has no packs.
type StreamOptions struct {
	Packs []*pack.Pack
	// MaxSeries bounds the series that rules need: those of an HA pair are one. room.UnneededShare times as many may be known that none needs. 0 = SeriesDefault.
	// Series that a rule needs are also bounded by it on their own, so that others take no room from them. Beyond it new series are
	// refused with a count and known ones go on.
	MaxSeries int
	// MaxSignals bounds the signals; 0 = SignalsDefault. Beyond it new entities are not asked about, with a count.
	MaxSignals int
	// ClusterSeries and ClusterSignals bound the series and signals of each cluster beside the limits of all; 0 = they are not.
	ClusterSeries, ClusterSignals int
	// GraceMs is how long a window waits for slow senders, in event time and by the receive clock; 0 = GraceDefault, at most GraceMax.
	GraceMs int64
	// RetireMs is for how long a signal without a value is kept, in event time; 0 = RetireDefault.
	RetireMs int64
	// ClusterLabels name the labels that hold a cluster's name, best first; nil = cluster, k8s_cluster, cluster_name, k8s.cluster.name.
	ClusterLabels []string
	// ReplicaLabels name the labels by which HA replicas differ, best first; nil = __replica__, prometheus_replica, and any other that what they send shows to be one.
	ReplicaLabels []string
	// DefaultCluster is the name of a cluster that nobody names; "" = "default".
	DefaultCluster string
	// Cluster makes the stream that of one cluster: whatever comes belongs to it, since somebody else has decided so. "" = labels and senders decide.
	Cluster string
	// Salt is what the keys of entries are made with (series.Keyer), kept as long as the state is. With another one, and after a
	// restart with the zero value, which is one for the process, every series is learned anew.
	Salt series.Salt
	// Measured takes what packs measure, within Apply, before the window is handed on; nil = nothing is measured.
	Measured func(*Measured)
	// Changing is called before a window is closed, before anything is forgotten, and when the clock turns back; nil = nobody wants to know.
	Changing func()
}

// Stream turns batches into closed windows: it finds out which series are needed and whose they are, keeps their newest minutes and
// asks every rule of every cluster when a minute of event time is complete. It is a deterministic fold that reads no clock.
// Its methods must be called by one goroutine at a time.
type Stream struct {
	opts   StreamOptions
	closed func(*Window)

	// What the rules ask; fixed.
	rules    []*ruleForms
	leaves   []*leafPlan
	measures []*measure
	metrics  []*metric
	byName   map[string]uint32 // metric name → metrics
	signed   *series.Print     // the signature of all that, nil = not made yet

	// Keys, of this salt only.
	keys    spelling.Table
	unspelt int64 // keys forgotten

	// Tracked series, in order of registration.
	hot      []tracked
	cold     []cold
	cells    []float64
	moved    bool // cells are not in order of series
	binds    []bind
	prints   series.Index
	groups   []bucketSet
	groupAt  map[series.Print]uint32
	groupNo  []uint32         // free numbers
	kin      map[uint64]int32 // most buckets of a set, by bucketSet.kin; of the window that closes
	targets  birth.Targets
	twins    twin.Table
	halves   replica.Book
	lost     []uint32 // scratch of depart
	left     []uint32 // series with flagLeft, while a window closes
	natives  []window.Hists
	nativeNo []uint32 // free numbers
	buckets  int      // that natives have room for

	frozen *freeze       // what is copied for a checkpoint; nil = nothing is
	apart  [2]codec.Size // of what the newest state was made of, see write

	words        []change.Word  // what watched series say of objects, in order of registration
	changeCounts *change.Counts // of the trackers of all clusters

	clusters  []*cluster
	clusterAt map[string]uint16
	senders   sender.Book
	names     replica.Names // of replicas

	signals  []*Signal // by Signal.Index; nil = free
	signalNo []uint32  // free numbers
	signalAt map[string]*Signal
	marks    []mark // by Signal.Index

	nowMs        int64           // newest receive stamp
	eventMs      int64           // newest sample of any cluster
	over         series.Overflow // series that found no room
	overSignal   string          // see Stats
	overSignalMs int64
	overSignalBy string
	stats        Stats // counters

	counters  []*int64 // those of stats that are published as metrics
	published []int64

	drops map[uint16][]string // senders of which series with these cluster labels of their own are to be forgotten

	// Scratch.
	unkeyed  uint16 // the replica of a series that learn had no room for
	arriving int64  // the first sample of the series that is being learned
	labels   series.Labels
	bytes    []byte
	epoch    byte
	window   Window
	raw      []Observation
	out      []Observation
	tops     []Member
	result   []promql.Element
	current  evaluation
	rollouts []change.RolloutView // see rolloutsOf
	input    promql.Input
	fed      []int // by leafPlan.selector: elements given in the window that is evaluated
	limits   sender.Limits
	giving   giving          // while room is made
	short    int             // the field of which the request under way found no room; below 0 = none
	work     window.HistWork // of the native histogram that is folded
}

// NewStream returns a stream that has seen nothing. closed is called for every closed window, within Apply, in order of time for
// each cluster. An error names the rule that does not compile.
func NewStream(o StreamOptions, closed func(*Window)) (*Stream, error) {
	if o.MaxSeries <= 0 {
		o.MaxSeries = SeriesDefault
	}
	if o.MaxSignals <= 0 {
		o.MaxSignals = SignalsDefault
	}
	if o.GraceMs <= 0 {
		o.GraceMs = GraceDefault
	}
	o.GraceMs = min(o.GraceMs, GraceMax)
	if o.RetireMs <= 0 {
		o.RetireMs = RetireDefault
	}
	if o.ClusterLabels == nil {
		o.ClusterLabels = ClusterLabels()
	}
	if o.DefaultCluster == "" {
		o.DefaultCluster = DefaultCluster
	}
	if closed == nil {
		closed = func(*Window) {}
	}
	if o.Changing == nil {
		o.Changing = func() {}
	}
	s := &Stream{opts: o, closed: closed, byName: map[string]uint32{}}
	s.clear()
	for _, name := range identity.Metrics() {
		s.metric(name).fact = identity.FactOf(name)
	}
	for _, name := range change.Metrics() {
		s.metric(name).watch = change.MetricOf(name)
	}
	slices.SortFunc(s.metrics, func(a, b *metric) int { return strings.Compare(a.name, b.name) })
	for i, m := range s.metrics {
		s.byName[m.name] = uint32(i)
	}
	specs := map[string]uint32{}
	names := map[string]bool{}
	var plans []*promql.Plan
	add := func(r *pack.Rule) error {
		if names[r.Name] {
			return fmt.Errorf("signal %s is asked by two rules", r.Name)
		}
		names[r.Name] = true
		rf := &ruleForms{Rule: r}
		for _, src := range r.Exprs {
			p, err := pack.Compile(src)
			if err != nil {
				return fmt.Errorf("signal %s: %w", r.Name, err)
			}
			f := form{plan: p}
			plans = append(plans, p)
			for _, l := range p.Leaves {
				f.leaves = append(f.leaves, s.leaf(l, specs, false))
				stand := uint32(none)
				if n := l.Native(); n != nil {
					stand = s.leaf(n, specs, true)
				}
				f.natives = append(f.natives, stand)
			}
			for i := range rf.forms {
				f.instead = append(f.instead, s.standsFor(&f, &rf.forms[i]))
			}
			rf.forms = append(rf.forms, f)
		}
		s.rules = append(s.rules, rf)
		return nil
	}
	for _, p := range o.Packs {
		for _, r := range p.Rules {
			if err := add(r); err != nil {
				return nil, err
			}
		}
	}
	plans, err := s.addMeasures(o.Packs, specs, plans)
	if err != nil {
		return nil, err
	}
	s.input.Shared = make([]promql.SharedVector, promql.Share(plans))
	return s, nil
}

// clear makes the state that of a stream that has seen nothing. What the rules ask stays.
func (s *Stream) clear() {
	*s = Stream{
		opts: s.opts, closed: s.closed, rules: s.rules, measures: s.measures, leaves: s.leaves, metrics: s.metrics, byName: s.byName, signed: s.signed,
		input:   promql.Input{Shared: s.input.Shared},
		groupAt: map[series.Print]uint32{}, kin: map[uint64]int32{}, clusterAt: map[string]uint16{},
		changeCounts: &change.Counts{},
		signalAt:     map[string]*Signal{},
	}
	s.keys.Reset(0)
	s.senders.Reset(s.opts.Salt)
	s.limits.Allow(room.Room{}, RoomOf(s.opts), RoomOf(s.opts))
	s.prints.Reset(0)
	s.targets.Reset()
	s.twins.Reset()
	s.halves.Reset()
	s.names.Reset()
	s.bind()
}

// bind points what must point into s there, after s has been made or copied.
func (s *Stream) bind() {
	s.input.Leaf = s.vector
	s.counters = s.stateCounters()
	s.published = make([]int64, len(s.counters))
	for _, c := range s.clusters {
		c.bind(s)
	}
}

// Signals returns all signals by their Index; nil is a number that is free. The slice is borrowed and must not be changed.
func (s *Stream) Signals() []*Signal { return s.signals }

// EventMs returns the newest time of a sample, or what Passed said, Unix milliseconds.
func (s *Stream) EventMs() int64 { return s.eventMs }

// Passed lets event time pass without samples, as it does elsewhere: what has had no value for long enough is forgotten in a stream that has fallen silent, too.
func (s *Stream) Passed(t int64) {
	was := s.eventMs
	if s.eventMs = max(was, t); was != 0 && s.eventMs/sweepMs != was/sweepMs {
		s.sweep()
	}
}

// Present returns how late it is in the stream's event time when nothing has come up to now, receive clock: its newest sample and what has passed since its newest request. Unix milliseconds; now while nothing is known.
func (s *Stream) Present(nowMs int64) int64 {
	heard := s.HeardMs()
	if t := s.LastT(); t != 0 && heard != 0 {
		return t + max(nowMs-heard, 0)
	}
	return nowMs
}

// Silent reports whether no series is left: nothing has come for an hour.
func (s *Stream) Silent() bool { return len(s.hot) == 0 }

// LastT returns the time of the newest sample of any cluster, Unix milliseconds; 0 = none.
func (s *Stream) LastT() (t int64) {
	for _, c := range s.clusters {
		t = max(t, c.newest)
	}
	return t
}

// Empty reports whether nothing is left of what ever came: no series and no signal.
func (s *Stream) Empty() bool { return len(s.hot) == 0 && len(s.signalAt) == 0 }

// ClusterLabels returns the labels that hold a cluster's name when nobody says otherwise, best first.
func ClusterLabels() []string {
	return []string{"cluster", "k8s_cluster", "cluster_name", "k8s.cluster.name"}
}

// Drop forgets the series of a sender that carry one of the cluster labels themselves: they belong to another stream now.
func (s *Stream) Drop(name, fixed string, owns []string) {
	i, ok := s.senders.Find(name, fixed)
	if !ok {
		return
	}
	s.drops = map[uint16][]string{i: owns}
	s.sweep()
	s.drops = nil
}

// Clusters returns the names of the clusters of which anything ever came, in order of appearance.
func (s *Stream) Clusters() (names []string) {
	for _, c := range s.clusters {
		if c.used() {
			names = append(names, c.name)
		}
	}
	return names
}

// Tick lets the receive clock pass without a request of this stream: windows that have waited for long enough are closed.
func (s *Stream) Tick(receivedMs int64) {
	s.clock(receivedMs)
	for _, c := range s.clusters {
		s.closeDue(c)
	}
	s.tidy()
	s.publish()
}

// Apply folds one request and closes the windows that are complete with it. Every sample counts once in the result.
func (s *Stream) Apply(b *series.Batch) series.Result {
	var res series.Result
	s.clock(b.ReceivedMs)
	was := s.senders.List
	s.reassign(was, s.senders.Gather(b, b.ReceivedMs))
	from, fromNo := s.senders.Of(b)
	from.Seen(b.ReceivedMs)
	s.halves.Begin(int(fromNo))
	from.Used = false
	s.short = -1
	s.limits.Begin()
	limit := b.ReceivedMs + series.FutureMs
	if s.eventMs == 0 && len(b.Samples) > 0 {
		s.eventMs = max(0, min(b.Samples[0].T, limit))
	} else if s.eventMs == 0 && len(b.Histograms) > 0 {
		s.eventMs = max(0, min(b.Histograms[0].T, limit))
	}
	s.epoch = byte(s.eventMs / sweepMs)
	last := uint32(none)
	expect := from.First
	for i := range b.Entries {
		e := &b.Entries[i]
		hash := e.Key ^ from.Salt
		at := expect
		if uint64(at) >= uint64(len(s.keys.List)) || s.keys.List[at].Hash != hash {
			at = s.keys.Find(hash)
		}
		if at == none {
			if s.limits.Full(s.Holds()) {
				s.Yield()
				last = none
			}
			var id uint32
			var err error
			if at, id, err = s.learn(b, i, hash, fromNo); err != nil {
				s.refuse(&res, from, err, int(e.SampleHi-e.SampleLo), int(e.HistHi-e.HistLo))
				continue
			}
			if at == none { // known, but there is no room for the key
				s.apply(&res, from, b, e, id, s.unkeyed, limit)
				continue
			}
		}
		if i == 0 {
			from.First = at
		} else if last != none {
			s.keys.List[last].Next = at
		}
		last = at
		k := &s.keys.List[at]
		k.Seen = s.epoch
		if k.Sender != fromNo {
			s.takes(k, fromNo)
		}
		expect = k.Next
		s.apply(&res, from, b, e, k.Series, k.Replica, limit)
	}
	if from.Used {
		from.UsedMs = max(from.UsedMs, b.ReceivedMs)
	}
	for _, c := range s.clusters {
		s.closeDue(c)
	}
	s.tidy()
	s.publish()
	if res.Reason != "" {
		res.Reason += s.senders.Whose(&s.limits, s.short, fromNo) + s.over.Worst()
	}
	return res
}

// apply takes the samples of one entry, which belong to the tracked series id, or to none that a rule needs.
func (s *Stream) apply(res *series.Result, from *sender.Sender, b *series.Batch, e *series.Entry, id uint32, replica uint16, limit int64) {
	for j := e.SampleLo; j < e.SampleHi; j++ {
		x := &b.Samples[j]
		s.stats.Samples++
		from.Samples++
		if x.T > limit {
			s.future(res, from)
			continue
		}
		res.Samples++
		if id == none {
			s.stats.Ignored++
			continue
		}
		s.stats.Needed++
		from.Needed++
		from.LastT = max(from.LastT, x.T)
		s.sample(from, id, replica, x)
	}
	for j := e.HistLo; j < e.HistHi; j++ {
		if t := b.Histograms[j].T; t > limit {
			s.future(res, from)
			continue
		}
		s.stats.Histograms++
		res.Histograms++
		if id == none {
			s.stats.HistogramsUnused++
			continue
		}
		x := &b.Histograms[j]
		from.Needed++
		from.LastT = max(from.LastT, x.T)
		s.histogram(from, id, replica, x)
	}
}

func (s *Stream) future(res *series.Result, from *sender.Sender) {
	s.stats.Future++
	from.Rejected++
	res.Barred++
}

// Reasons for refusing a series.
var (
	errOverSeries   = errors.New("series limit reached")
	errOverClusters = errors.New("cluster limit reached")
	errWaits        = errors.New("it is not known yet whether it is a replica's copy") // no fault of the sender
)

func (s *Stream) refuse(res *series.Result, from *sender.Sender, err error, samples, hists int) {
	n := samples + hists
	if errors.Is(err, errWaits) {
		s.stats.Samples, s.stats.Histograms, s.stats.Replica = s.stats.Samples+int64(samples), s.stats.Histograms+int64(hists), s.stats.Replica+int64(n)
		from.Samples, from.Duplicate, from.Used = from.Samples+int64(samples), from.Duplicate+int64(n), true
		res.Samples, res.Histograms = res.Samples+samples, res.Histograms+hists
		return
	}
	s.stats.Samples += int64(samples)
	s.stats.Refused += int64(n)
	from.Samples += int64(samples)
	from.Rejected += int64(n)
	if !errors.Is(err, errOverSeries) && !errors.Is(err, errOverClusters) {
		s.stats.BadSeries++
		res.Barred += n
		return
	}
	s.stats.OverSeries += int64(n)
	res.Rejected += n
	if res.Reason == "" && n > 0 {
		res.Reason = err.Error()
	}
}
