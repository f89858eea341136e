package identity

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
)

// None is the number of no pod and of no series.
const None = codec.None

// Waiting times of identity, milliseconds of event time.
const (
	ownerWaitMs    = 90_000          // a new workload's pod waits this long for its owner
	ownerUnknownMs = 120_000         // so long after a cluster's first sample it may yet turn out to have owner data
	nodeWaitMs     = 120_000         // an instance waits this long for a node that has its address
	workloadKeepMs = 24 * 60 * 60000 // a workload without pods is remembered for this long
)

// Book is what is known of the identities in one cluster: facts in, answers out. It reads no clock; the caller says what time it is (Tick). Pods have
// dense numbers, which Sweep gives anew. Its methods must be called by one goroutine at a time.
type Book struct {
	words func(string) string
	open  int64 // end of the open window, Unix milliseconds
	born  int64 // of the first one

	owners    bool // owner data was seen
	pods      []pod
	podAt     map[key]uint32
	held      []uint32 // pods that wait for their owner
	workloads map[key]*workload
	sets      map[key]owner
	jobs      map[key]owner
	nodes     map[string]node
	ips       map[string]string // internal address → node
	hosts     map[string]*host
	nested    bool             // a pod is owned by a pod
	nodesNew  bool             // what is placed by its instance must be looked at again
	hostsAt   int64            // when the next host has waited long enough for its node; 0 = none waits
	kids      map[key][]uint32 // by owner: pods
	kins      map[kinKey]*kin
	serials   map[key][]string // by namespace and kind: patterns of workloads of short-lived pods
	runs      func(pod uint32) bool
	moved     []uint32 // pods of which the answers are others than they were
}

// key is a namespaced name.
type key struct{ ns, name string }

// pod is what is known of a pod. It lives as long as one of its series.
type pod struct {
	key
	node                 string
	owned                bool // owner data was seen: ownerKind and ownerName are true, "" for none
	ownerKind, ownerName string
	work, kind           string
	why                  why
	sure                 bool // from owner data
	lone                 bool // it may be one short-lived pod of many, so it waits until it has lived for an hour
	held                 bool // its series take no part in signals of workloads yet
	net                  network
	firstT               int64 // first sample, Unix milliseconds; 0 = none yet
}

// workload is a workload that has been seen in a cluster.
type workload struct {
	key
	kind  string
	pods  int
	known bool  // has been part of signals, so a new pod of it need not wait
	lastT int64 // end of the window in which it last had a pod
}

// owner is what owns a ReplicaSet or a Job, and which series says so.
type owner struct {
	kind, name string
	source     uint32
}

// host is an instance without its port.
type host struct {
	firstT int64
	uname  string // the name it gives itself
	used   bool   // found by the running sweep
}

// node is a node of kube_node_info, and which series says so.
type node struct {
	ip     string
	source uint32
}

// NewBook returns a book that knows nothing. words returns a string that may be kept, the same for equal ones; nil = a copy each time.
func NewBook(words func(string) string) *Book {
	if words == nil {
		words = strings.Clone
	}
	return &Book{words: words, podAt: map[key]uint32{}, workloads: map[key]*workload{}, sets: map[key]owner{}, jobs: map[key]owner{},
		nodes: map[string]node{}, ips: map[string]string{}, hosts: map[string]*host{}, kids: map[key][]uint32{}, kins: map[kinKey]*kin{}}
}

// Asks says how to find out whether a pod still runs: false when more than its object was heard of, and is no more.
func (b *Book) Asks(runs func(pod uint32) bool) { b.runs = runs }

// Tick says what time it is: when the open window of the cluster ends, and when its first one did, Unix milliseconds.
func (b *Book) Tick(open, born int64) { b.open, b.born = open, born }

// Owners reports whether owner data of kube-state-metrics was seen; without it workloads follow from the names of pods.
func (b *Book) Owners() bool { return b.owners }

// Workloads returns how many workloads have pods.
func (b *Book) Workloads() (n int) {
	for _, w := range b.workloads {
		if w.pods > 0 {
			n++
		}
	}
	return n
}

// Sizes says how many of each kind a book holds.
type Sizes struct{ Pods, Workloads, Sets, Jobs, Nodes, Hosts int }

// Sizes returns how much is known.
func (b *Book) Sizes() Sizes {
	return Sizes{len(b.pods), len(b.workloads), len(b.sets), len(b.jobs), len(b.nodes), len(b.hosts)}
}

// Pods returns how many pods are known; their numbers are below.
func (b *Book) Pods() int { return len(b.pods) }

// Pod returns the number of a pod, made when it is new.
func (b *Book) Pod(ns, name string) uint32 {
	if i, ok := b.podAt[key{ns, name}]; ok {
		return i
	}
	k := key{b.words(ns), b.words(name)}
	i := uint32(len(b.pods))
	b.pods = append(b.pods, pod{key: k})
	b.podAt[k] = i
	b.resolve(i)
	return i
}

// Began notes a sample of a pod's series that had none before.
func (b *Book) Began(i uint32, t int64) {
	if p := &b.pods[i]; p.firstT == 0 || t < p.firstT {
		p.firstT = t
	}
}

// Moved returns the pods of which the answers are others than when it was last called: their series must be asked about again. The slice is borrowed until
// the next call of any method. A pod may be in it twice.
func (b *Book) Moved() []uint32 {
	m := b.moved
	b.moved = b.moved[:0]
	return m
}

func (b *Book) move(i uint32) { b.moved = append(b.moved, i) }

// Settle brings the book up to date before a window closes. nodes reports that series which are placed by their instance must be asked about again,
// besides those of the pods in Moved.
func (b *Book) Settle() (nodes bool) {
	b.release()
	if b.hostsAt != 0 && b.open >= b.hostsAt {
		b.nodesNew = true
	}
	if !b.nodesNew {
		return false
	}
	b.nodesNew, b.hostsAt = false, 0
	for i := range b.pods {
		if !b.pods[i].owned {
			b.resolve(uint32(i)) // its name may end in a node's
		}
	}
	return true
}

// resolveTree resolves a pod whose owner has become known, and the pods that it owns itself.
func (b *Book) resolveTree(i uint32) {
	b.resolve(i)
	b.nested = b.nested || b.pods[i].ownerKind == "Pod"
	if !b.nested {
		return
	}
	for _, j := range b.ownedBy(b.pods[i].key) {
		if b.pods[j].ownerKind == "Pod" {
			b.resolve(j)
		}
	}
}

// ownedBy returns the pods whose owner data names k.
func (b *Book) ownedBy(k key) []uint32 {
	var out []uint32
	for _, i := range b.kids[k] {
		if p := &b.pods[i]; p.owned && p.ownerName == k.name {
			out = append(out, i)
		}
	}
	return out
}

// own notes who owns a pod.
func (b *Book) own(i uint32, kind, name string) {
	p := &b.pods[i]
	b.owners = true
	if !p.owned || p.ownerName != name {
		k := key{p.ns, name}
		b.kids[k] = append(b.kids[k], i)
	}
	p.owned, p.ownerKind, p.ownerName = true, kind, name
	b.resolveTree(i)
}

// listKids lists anew who owns which pods.
func (b *Book) listKids() {
	clear(b.kids)
	for i := range b.pods {
		if p := &b.pods[i]; p.owned {
			k := key{p.ns, p.ownerName}
			b.kids[k] = append(b.kids[k], uint32(i))
		}
	}
}

// KindOf returns the kind of a workload that has been seen, "" when it has not or its kind is not known.
func (b *Book) KindOf(ns, workload string) string {
	if w := b.workloads[key{ns, workload}]; w != nil {
		return w.kind
	}
	return ""
}

// Knows reports whether a workload has pods, or had some within a day.
func (b *Book) Knows(ns, workload string) bool { return b.workloads[key{ns, workload}] != nil }

// resolve folds a pod into its workload anew.
func (b *Book) resolve(i uint32) {
	p := &b.pods[i]
	work, kind, why, sure := b.workloadOf(p)
	if all := b.serial(p.ns, kind, work); all != "" {
		work, why, sure = all, whySerial, true
	} else if p.why == whyEnded && work == p.work {
		why = whyEnded
	}
	work, kind = b.words(work), b.words(kind)
	same := work == p.work && kind == p.kind && p.why != whyNothing
	held := p.held
	p.why, p.sure, p.lone = why, sure, why != whySerial && lone(work, kind)
	if !same {
		if p.work != "" {
			b.workload(p.ns, p.work, p.kind).pods--
		}
		p.work, p.kind = work, kind
		b.workload(p.ns, work, kind).pods++
	}
	w := b.workload(p.ns, work, kind)
	w.lastT = b.open
	p.held = b.holds(i, w)
	if !p.held {
		w.known = true
		if sure {
			w.kind = kind
		}
	} else if !held && why != whyCut && why != whyEnded {
		b.held = append(b.held, i)
	}
	if !same || held != p.held {
		b.move(i)
	}
}

// holds reports whether a pod's series must not open or feed signals of its workload yet.
func (b *Book) holds(i uint32, w *workload) bool {
	p := &b.pods[i]
	switch {
	case p.why == whyCut, p.why == whyEnded:
		return true
	case w.known:
		return false
	case p.lone:
		return p.firstT == 0 || b.open < max(p.firstT+loneMs, b.born+settleMs)
	case p.sure:
		return false
	case p.firstT == 0:
		return true
	}
	return b.open < p.firstT+ownerWaitMs && (b.owners || b.open < b.born+ownerUnknownMs)
}

// release lets pods go that have waited for an owner for long enough.
func (b *Book) release() {
	kept := b.held[:0]
	var ended []uint32
	for _, i := range b.held {
		p := &b.pods[i]
		if !p.held {
			continue
		}
		w := b.workload(p.ns, p.work, p.kind)
		if b.holds(i, w) {
			if p.why != whyCut && p.why != whyEnded {
				kept = append(kept, i)
			}
			continue
		}
		if !w.known && p.lone && b.runs != nil && !b.runs(i) {
			p.why = whyEnded // its object is still told of, as that of a Job is that has run
			ended = append(ended, i)
			continue
		}
		p.held = false
		w.known = true
		b.move(i)
	}
	b.held = kept
	for _, i := range ended {
		b.endedYoung(&b.pods[i])
	}
}

func (b *Book) workload(ns, name, kind string) *workload {
	k := key{ns, name}
	w := b.workloads[k]
	if w == nil {
		w = &workload{key: k, kind: kind}
		b.workloads[k] = w
	}
	return w
}
