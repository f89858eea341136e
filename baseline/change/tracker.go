package change

import (
	"cmp"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
)

// The tracker of changes. Some metrics say little as numbers and much when they become others: an object's resource version, the
// image of a container, the replicas that a Deployment wants. For each *object* the tracker keeps what was last said of it; what is
// said anew is a change once two scrapes have said it.
//
// What is learned and not told: the first hour of a cluster; what is said of an object for the first time, or after its metrics
// were away for ten minutes; and what is new in a metric that has itself only just come. Objects are keyed by what they are, not by
// the series that speak of them, so a kube-state-metrics that starts anew, an HA pair or two Prometheus with different label habits
// say nothing twice.

// None is the number of no pod.
const None = codec.None

// Times of the tracker, milliseconds of event time.
const (
	windowMs   = 60_000
	liveMs     = 5 * windowMs       // a pod of which nothing was heard for so long is not on its node
	youngMs    = 60 * windowMs      // a cluster's first hour is learned
	gapMs      = 10 * windowMs      // an object not heard of for so long is learned anew
	settleMs   = 3 * windowMs       // what is said of an object within this of its first word is how it was
	keepMs     = 15 * windowMs      // one of several values that nobody says any more is forgotten after this
	goneMs     = 5 * windowMs       // a node with a stale marker this old is gone
	silentMs   = 15 * windowMs      // … and one that is silent for this long while others speak
	drainMs    = 30 * windowMs      // so long after a cordon pods that leave are a drain
	rolloutMs  = 15 * windowMs      // what rolls with a rollout is part of it
	restartMs  = 10 * windowMs      // a workload's restarts are told together
	refillMs   = 30 * windowMs      // an object that changes all the time is let speak again after so long a rest
	forgetMs   = 24 * 60 * windowMs // an object not heard of for so long is forgotten
	sweepEvery = 5                  // windows between two looks for what is gone
)

// Bounds of the tracker.
const (
	ObjectsMax = 200_000 // objects in all clusters together; further ones are not watched, with a count
	factsMax   = 8       // values of an object that are told apart
	pendingMax = 1000    // changes that wait for their window; further ones are dropped with a count
	bootSlackS = 120     // a boot time that wanders by less is the same
)

// objectKey names an object: what is watched of it, and which.
type objectKey struct {
	what          topic
	ns, name, sub string
}

// object is what is known of one object.
type object struct {
	objectKey
	kind    string // of a workload, or of what has a version
	sinceT  int64  // first word, or the first after a gap
	lastT   int64  // newest word
	endT    int64  // stale marker after the newest word; 0 = none
	facts   []fact // oldest first
	words   uint8  // scrapes that have spoken of it, at most 2
	fresh   bool   // came while its metric was known: told as new with the second word
	gone    bool   // told as gone
	spent   uint8  // changes told and not refilled yet
	refillT int64  // newest attempt to speak, or refill
	toldT   int64  // rollouts and restarts: the newest told
	pendT   int64  // restarts: since when some wait to be told; 0 = none
	pendN   int64  // restarts: how many
	pendPod string // restarts: whose the newest was
	oom     bool   // restarts: one of them was at the memory limit
	pods    int64  // cordon: pods on the node then; workloads: 1 = that it went was news
	until   int64  // cordon: until when a drain is looked for, 0 = not any more; rollouts: end of the newest; workloads: when it went, see gone.go
	rollT   int64  // rollouts: when the one under way began; 0 = none
	usual   int64  // rollouts: how long they usually take, ms; 0 = none has ended yet
	late    bool   // rollouts: the one under way was told as late
	fam     uint8  // family of its metric
	aliveT  int64  // newest sample of any series that speaks of it, whatever it says
}

// fact is one value that was said of an object.
type fact struct {
	bits          uint64 // of the number
	text          string // of the labels, when they say it
	firstT, lastT int64
	known         bool // how it was, or told
}

// family is a watched metric in a cluster.
type family struct{ sinceT, lastT int64 }

// pendingChange waits for its window.
type pendingChange struct {
	Change
	holdT int64 // not before the end of a window at or after this
}

// Counts are shared by the trackers of a stream.
type Counts struct {
	Objects    int   // watched now
	Told, Held int64 // changes told, and not told: part of a rollout that was told, or of an object that changes all the time
	Over       int64 // series whose object is not watched because there are too many
	Most       int   // objects that may be watched; 0 = ObjectsMax
}

func (c *Counts) most() int { return cmp.Or(c.Most, ObjectsMax) }

// Deps are what a tracker needs.
type Deps struct {
	Cluster string              // name of the cluster
	Book    *identity.Book      // who pods and nodes are
	Words   func(string) string // returns a string that may be kept, the same for equal ones
	Counts  *Counts
}

// Tracker notices what is done to one cluster: words in, changes out. It reads no clock; the caller says what time it is (Tick). Its methods must be called by one
// goroutine at a time.
type Tracker struct {
	cluster string
	book    *identity.Book
	words   func(string) string
	counts  *Counts
	heard   func(pod uint32, t int64, alive bool) bool

	open     int64 // end of the open window, Unix milliseconds
	began    int64 // end of the cluster's first window ever
	families []family
	objects  []object
	at       map[objectKey]uint32
	pending  []pendingChange
	restarts []uint32 // objects with restarts to tell, in order
	cordons  []uint32 // nodes that may be drained, in order
	rolls    []uint32 // rollouts under way, in order
	sweepIn  int      // windows until what is gone is looked for
	told     []Change // by the newest Settle
}

// NewTracker returns a tracker that was told nothing.
func NewTracker(d Deps) *Tracker {
	return &Tracker{cluster: d.Cluster, book: d.Book, words: d.Words, counts: d.Counts, heard: func(uint32, int64, bool) bool { return false },
		families: make([]family, len(families)), at: map[objectKey]uint32{}, sweepIn: sweepEvery}
}

// Tick says when the open window of the cluster ends, Unix milliseconds. The first one that it hears of begins the hour in which nothing is told.
func (tk *Tracker) Tick(open int64) {
	tk.open = open
	if tk.began == 0 {
		tk.began = open
	}
}

// Asks sets whom the tracker asks whether a sample of any series of a pod came after t; with alive, of one that has not ended. Without, no pod has any.
func (tk *Tracker) Asks(heard func(pod uint32, t int64, alive bool) bool) { tk.heard = heard }

// Reword takes the words of another holder from now on.
func (tk *Tracker) Reword(words func(string) string) { tk.words = words }

// object returns the number of an object, made when it is new; None when there is no room.
func (tk *Tracker) object(k objectKey, kind string, fam uint8) uint32 {
	if i, ok := tk.at[k]; ok {
		return i
	}
	if tk.counts.Objects >= tk.counts.most() {
		tk.counts.Over++
		return None
	}
	tk.counts.Objects++
	k.ns, k.name, k.sub = tk.words(k.ns), tk.words(k.name), tk.words(k.sub)
	i := uint32(len(tk.objects))
	tk.objects = append(tk.objects, object{objectKey: k, kind: tk.words(kind), fam: fam, aliveT: tk.open})
	tk.at[k] = i
	return i
}

// Sweep forgets the objects of which nothing was heard for a day. The others keep their order. It returns the new numbers of objects, for Word.Renumber; nil when all
// stay as they are.
func (tk *Tracker) Sweep() []uint32 {
	dead := func(o *object) bool { return max(o.aliveT, o.toldT) <= tk.open-forgetMs && o.pendT == 0 }
	if !slices.ContainsFunc(tk.objects, func(o object) bool { return dead(&o) }) {
		return nil
	}
	to := make([]uint32, len(tk.objects))
	kept := tk.objects[:0]
	for i := range tk.objects {
		o := tk.objects[i]
		if dead(&o) {
			to[i] = None
			delete(tk.at, o.objectKey)
			tk.counts.Objects--
			continue
		}
		to[i] = uint32(len(kept))
		tk.at[o.objectKey] = to[i]
		kept = append(kept, o)
	}
	clear(tk.objects[len(kept):])
	tk.objects = kept
	move := func(list []uint32) []uint32 {
		out := list[:0]
		for _, i := range list {
			if to[i] != None {
				out = append(out, to[i])
			}
		}
		return out
	}
	tk.restarts, tk.cordons, tk.rolls = move(tk.restarts), move(tk.cordons), move(tk.rolls)
	return to
}
