// Package route says to which cluster each series of a request belongs. A router stands before the clusters of an installation: it knows who sends and what their series'
// labels name, and divides requests among clusters that know nothing of each other. What it decides depends on the order of the log alone.
package route

import (
	"slices"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds of a router.
const (
	ClustersMax = 1000 // clusters at a time; series of further ones are refused
	SendersMax  = 1000 // senders told apart; further ones are one
	decidedAt   = 20   // series after which a sender's cluster is decided
	votesMax    = 64   // different cluster labels of a sender that are counted
	epochMs     = 10 * 60_000
	idleEpochs  = 6 // a key that was not seen for so many is forgotten
)

// Options configure a Router. Default must not be empty.
type Options struct {
	Labels  []string          // names of the labels that hold a cluster's name, best first
	Default string            // cluster of what nobody names
	Needed  func(string) bool // reports whether a metric is of use; nil = all are
	KeysMax int               // series that are remembered; those of further ones are looked at each time they come
	KeepMs  int64             // for how long a sender is remembered of which nothing comes; 0 = 15 days
}

// Router divides requests. It is a deterministic fold that reads no clock; its methods must be called by one goroutine at a time.
type Router struct {
	opts     Options
	names    []string       // of clusters; "" = the number is free
	openers  []string       // who sent what opened each; "" = nobody knows
	opened   map[string]int // how many a sender has opened
	at       map[string]uint16
	senders  []*sender // nil = the number is free
	senderAt map[senderKey]uint16
	keys     []key
	index    series.Index
	runs     runs
	nowMs    int64 // newest receive stamp
	epoch    uint8
	moves    []Move

	labels  series.Labels
	parts   []Part
	mine    []uint16 // cluster of each entry of a request of several clusters
	of      []*part  // by cluster, of the request that is divided
	batches []*part  // reused
	lent    int      // of batches
	over    string   // the cluster that found no room last
	reading sync.Mutex
}

// sender is whoever pushes. It is told apart because the cluster of its series is decided for the sender, not for each series: some exporters have a label named cluster of their own,
// which must not open a cluster.
type sender struct {
	name, fixed string // fixed is the cluster that its token or path fixes; "" when labels decide
	salt        uint64 // tells the keys of senders with fixed clusters apart
	first       uint32 // the key that began its last request
	early       []early
	votes       []vote // needed series by their own cluster label
	major       string // the value most of its series carry; "" = none
	done        bool   // major is decided
	moved       bool   // its keys are to be forgotten
	lastMs      int64  // its newest request, receive clock
}

type senderKey struct{ name, fixed string }

type early struct {
	print series.Print
	own   string
}

type vote struct {
	own  string
	n    int
	real bool // carried by a metric that has no such label of its own: it came from the sender's configuration
}

// key is a series as a sender spells it, in order of arrival, so that the one that follows is nearly always the one that followed last time.
type key struct {
	hash    uint64
	next    uint32
	cluster uint16
	sender  uint16
	seen    uint8
}

// Part is what one cluster gets of a request. Batch is borrowed until Release.
type Part struct {
	Cluster uint16
	Batch   *series.Batch
}

// Move says that series of a sender which carry one of the cluster labels belong to another cluster than before: whoever has them shall forget them. They come again.
type Move struct {
	Sender, Fixed string
	Owns          []string
}

// crowd is the name of those beyond SendersMax. What one of them sends says nothing of the others, so of each series its own label counts.
const crowd = "(others)"

const (
	none   = ^uint32(0)
	nobody = ^uint16(0) // no cluster: there are too many
)

// New returns a router that has seen nothing.
func New(o Options) *Router {
	r := &Router{opts: o, at: map[string]uint16{}, opened: map[string]int{}, senderAt: map[senderKey]uint16{}}
	if r.opts.Needed == nil {
		r.opts.Needed = func(string) bool { return true }
	}
	if r.opts.KeysMax <= 0 {
		r.opts.KeysMax = 2_000_000
	}
	if r.opts.KeepMs <= 0 {
		r.opts.KeepMs = 15 * 24 * 3600_000
	}
	r.index.Reset(0)
	return r
}

// Set replaces what may change while the router lives: which metrics are needed, and how many series are remembered.
func (r *Router) Set(needed func(string) bool, keysMax int) {
	r.opts.Needed, r.opts.KeysMax = needed, keysMax
}

// Cluster returns the number of a cluster, made when it is new; ok is false when there are too many. sender is who sends what belongs there, "" when nobody knows.
func (r *Router) Cluster(name, sender string) (i uint16, ok bool) {
	if i, ok := r.at[name]; ok {
		return i, true
	}
	if !r.mayOpen(sender) {
		if r.over != name {
			r.over = strings.Clone(name)
		}
		return nobody, false
	}
	return r.open(name, sender), true
}

// Name returns the name of a cluster by its number, "" for one that is free.
func (r *Router) Name(i uint16) string { return r.names[i] }

// Len returns how many numbers of clusters there are, free ones among them.
func (r *Router) Len() int { return len(r.names) }

// Route divides a request among clusters, in order of their numbers; the slice is borrowed until the next call, the batches until Release. refused is what belongs to none because there are too many.
func (r *Router) Route(b *series.Batch) (parts []Part, refused series.Result) {
	was := r.nowMs
	if r.nowMs = series.Later(was, b.ReceivedMs); r.nowMs < was {
		for _, n := range r.senders {
			if n != nil {
				n.lastMs = min(n.lastMs, r.nowMs)
			}
		}
	}
	if e := uint8(r.nowMs / epochMs); e != r.epoch {
		r.epoch = e
		r.sweep()
	}
	r.parts = r.parts[:0]
	if b.Cluster != "" { // nothing is to be decided of such a sender
		c, ok := r.Cluster(b.Cluster, b.Sender)
		if !ok {
			return nil, r.refuse(b, nil)
		}
		r.parts = append(r.parts, Part{c, b})
		return r.parts, refused
	}
	n, no := r.sender(b)
	n.lastMs = max(n.lastMs, b.ReceivedMs)
	w := walk{r: r, b: b, n: n, no: no, last: none, expect: n.first, run: none}
	for lo := 0; lo < len(b.Entries); {
		lo = w.stretch(lo)
	}
	if n.moved {
		n.moved = false
		r.keep(func(k *key) bool { return k.sender != no })
	}
	switch {
	case len(b.Entries) == 0:
		return nil, refused
	case !w.mixed && w.one == nobody:
		return nil, r.refuse(b, nil)
	case !w.mixed:
		r.parts = append(r.parts, Part{w.one, b})
		return r.parts, refused
	}
	return r.divide(b)
}

// walk goes through the entries of a request.
type walk struct {
	r            *Router
	b            *series.Batch
	n            *sender
	no           uint16
	last, expect uint32 // the key of the entry before, and the one that followed it last time; not up to date behind a run
	run          uint32 // the run that has just been found; none when the entry before was in none
	one          uint16 // the cluster of all entries so far, when they are not mixed
	mixed        bool   // r.mine says of each entry whose it is
}

// stretch finds out where the entries of a stretch belong and returns where it ends.
func (w *walk) stretch(lo int) (hi int) {
	r := w.r
	hi, sum := series.Stretch(w.b.Entries, lo)
	if sum != 0 {
		if at := r.runs.find(sum, w.run+1); at != series.None {
			x := &r.runs.list[at]
			x.seen = r.epoch
			w.run = at
			w.belong(lo, hi, x.cluster)
			return hi
		}
	}
	if w.run != none {
		w.last = r.runs.last(w.run)
		w.run, w.expect = none, r.keys[w.last].next
	}
	first := len(r.runs.members)
	whole := sum != 0 && first <= 2*len(r.keys) // else: somebody sends in another order each time
	cluster := nobody
	for i := lo; i < hi; i++ {
		hash := w.b.Entries[i].Key ^ w.n.salt
		at := w.expect
		if uint64(at) >= uint64(len(r.keys)) || r.keys[at].hash != hash {
			at = r.index.Find(hash, func(k uint32) bool { return r.keys[k].hash == hash })
		}
		c := nobody
		if at == none {
			at, c = r.learn(w.b, i, hash, w.n, w.no)
		} else {
			c = r.keys[at].cluster
		}
		if at == none {
			whole = false
		} else {
			if i == 0 {
				w.n.first = at
			}
			w.follow(at)
			k := &r.keys[at]
			k.seen = r.epoch
			w.last, w.expect = at, k.next
			r.runs.members = append(r.runs.members, at)
		}
		if i == lo {
			cluster = c
		}
		whole = whole && c == cluster
		w.belong(i, i+1, c)
	}
	if whole {
		r.runs.add(sum, first, cluster, r.epoch)
	} else {
		r.runs.members = r.runs.members[:first]
	}
	return hi
}

// follow notes that the key comes behind the one before.
func (w *walk) follow(at uint32) {
	if w.last == none {
		return
	}
	if k := &w.r.keys[w.last]; k.next != at {
		k.next = at
	}
}

// belong notes whose the entries from lo to hi are.
func (w *walk) belong(lo, hi int, cluster uint16) {
	r := w.r
	if lo == 0 {
		w.one = cluster
	}
	if !w.mixed && cluster == w.one {
		return
	}
	if !w.mixed {
		w.mixed = true
		r.mine = r.mine[:0]
		for range lo {
			r.mine = append(r.mine, w.one)
		}
	}
	for ; lo < hi; lo++ {
		r.mine = append(r.mine, cluster)
	}
}

// learn finds out where an unknown key belongs. at is none when there was no room to remember it.
func (r *Router) learn(b *series.Batch, i int, hash uint64, n *sender, no uint16) (at uint32, cluster uint16) {
	own, metric := "", ""
	l, err := b.Labels.AppendLabels(r.labels[:0], i)
	if err == nil {
		r.labels = l[:0]
		if l, err = series.Canonical(l); err == nil {
			metric = l.Get(series.NameLabel)
			for _, name := range r.opts.Labels {
				if own = l.Get(name); own != "" {
					break
				}
			}
			if n.name != crowd {
				r.vote(n, l, own, metric)
			}
		}
	}
	// What no sender may send goes where its sender's series go, and is refused there.
	c, ok := r.Cluster(n.home(r, own), b.Sender)
	if !ok {
		return none, nobody
	}
	if len(r.keys) >= r.opts.KeysMax {
		return none, c
	}
	at = uint32(len(r.keys))
	r.keys = append(r.keys, key{hash: hash, next: at + 1, cluster: c, sender: no, seen: r.epoch})
	r.index.Put(at, func(k uint32) uint64 { return r.keys[k].hash })
	return at, c
}

// home returns the cluster of a series of the sender with the own cluster label: its own label when that is what most of the sender's series carry, or what its infrastructure's
// metrics carry, which have no such label of their own (an agent that forwards several clusters); else that of most of the sender's series; else the default.
func (n *sender) home(r *Router, own string) string {
	name := n.major
	switch {
	case !n.done: // as it stays of the crowd
		name = own
	case own != n.major:
		for i := range n.votes {
			if n.votes[i].own == own && n.votes[i].real {
				name = own
			}
		}
	}
	if name == "" {
		return r.opts.Default
	}
	return name
}

// vote counts what a series of a sender says of its cluster. While the sender is undecided each series counts once, however often its labels are read, so that a restart among
// them changes nothing.
func (r *Router) vote(n *sender, l series.Labels, own, metric string) {
	if !n.done {
		var p series.Print
		p, _ = series.PrintOf("", l, "", nil)
		for i := range n.early {
			if n.early[i].print == p {
				return
			}
		}
		n.early = append(n.early, early{p, strings.Clone(own)})
	}
	if r.opts.Needed(metric) {
		r.count(n, own, metric)
	}
	if !n.done && len(n.early) >= decidedAt {
		r.decide(n)
	}
}

// decide makes what most of a sender's first series carry its cluster.
func (r *Router) decide(n *sender) {
	best := 0
	for _, a := range n.early {
		k := 0
		for _, b := range n.early {
			if a.own == b.own {
				k++
			}
		}
		if k > best {
			best, n.major = k, a.own
		}
	}
	var others []string
	for _, v := range n.early {
		if v.own != n.major {
			others = append(others, v.own)
		}
	}
	n.done, n.early = true, nil
	r.move(n, others)
}

// count counts a needed series.
func (r *Router) count(n *sender, own, metric string) {
	at := -1
	for i := range n.votes {
		if n.votes[i].own == own {
			at = i
		}
	}
	if at < 0 {
		if len(n.votes) >= votesMax {
			return
		}
		at = len(n.votes)
		n.votes = append(n.votes, vote{own: strings.Clone(own)})
	}
	v := &n.votes[at]
	v.n++
	if own != "" && !v.real && (identity.FactOf(metric) != 0 || metric == "container_cpu_usage_seconds_total") {
		v.real = true
		if n.done && own != n.major && v.n > 1 {
			r.move(n, []string{own})
		}
	}
	if n.done && own != n.major {
		// A quarter more is asked for, so that two of equal weight do not take turns.
		least := decidedAt
		for i := range n.votes {
			if n.votes[i].own == n.major {
				least += n.votes[i].n * 5 / 4
			}
		}
		if v.n > least {
			was := n.major
			n.major = v.own
			r.move(n, []string{was, v.own})
		}
	}
}

// move notes that series of a sender with these labels belong elsewhere. Its keys are forgotten behind the request, so that their labels are read again.
func (r *Router) move(n *sender, owns []string) {
	if len(owns) == 0 {
		return
	}
	r.moves = append(r.moves, Move{n.name, n.fixed, owns})
	n.moved = true
}

// Moves returns what has moved since it was last called. Whoever routes must heed it behind the parts of the newest request.
func (r *Router) Moves() []Move {
	m := r.moves
	r.moves = nil
	return m
}

// Forget drops all keys of a cluster and gives its number free.
func (r *Router) Forget(cluster uint16) {
	delete(r.at, r.names[cluster])
	r.names[cluster] = ""
	r.own(int(cluster), "")
	r.keep(func(k *key) bool { return k.cluster != cluster })
}

// sweep forgets the keys that nobody has used for an hour. What was decided of a sender stays for KeepMs: one that comes back after days must not open a cluster of an exporter's label.
func (r *Router) sweep() {
	r.keep(func(k *key) bool { return r.epoch-k.seen <= idleEpochs })
	var old []uint16
	for i, n := range r.senders {
		if n != nil && n.lastMs < r.nowMs-r.opts.KeepMs {
			old = append(old, uint16(i))
		}
	}
	r.dropSenders(old)
}

// keep drops the keys that are not to be kept. The others keep their order.
func (r *Router) keep(ok func(*key) bool) {
	r.settle()
	r.scatter()
	kept := r.keys[:0]
	for i := range r.keys {
		if k := &r.keys[i]; ok(k) {
			kept = append(kept, *k)
			kept[len(kept)-1].next = uint32(len(kept))
		}
	}
	if len(kept) == len(r.keys) {
		return
	}
	r.keys = kept
	r.index.Fill(len(r.keys), func(k uint32) uint64 { return r.keys[k].hash })
	for _, n := range r.senders {
		if n != nil {
			n.first = none
		}
	}
}

// sender returns who sent a request.
func (r *Router) sender(b *series.Batch) (*sender, uint16) {
	k := senderKey{b.Sender, b.Cluster}
	if i, ok := r.senderAt[k]; ok {
		return r.senders[i], i
	}
	if len(r.senderAt) >= SendersMax {
		r.yield()
	}
	if len(r.senderAt) >= SendersMax {
		k.name = crowd
		if i, ok := r.senderAt[k]; ok {
			return r.senders[i], i
		}
	}
	return r.addSender(strings.Clone(k.name), strings.Clone(k.fixed))
}

func (r *Router) addSender(name, fixed string) (*sender, uint16) {
	n := &sender{name: name, fixed: fixed, first: none}
	i := slices.Index(r.senders, nil)
	if i < 0 {
		i = len(r.senders)
		r.senders = append(r.senders, nil)
	}
	r.senders[i] = n
	r.senderAt[senderKey{name, fixed}] = uint16(i)
	return n, uint16(i)
}

var (
	overClusters     = metrics.NewCounter("wrackline_route_samples_over_clusters_total")
	sendersForgotten = metrics.NewCounter("wrackline_route_senders_forgotten_total")
)
