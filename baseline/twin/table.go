// Package twin says which series tell the same of the same thing, so that it counts once, whoever was asked.
//
// Three things make twins. Two exporters tell of one object of the cluster (two kube-state-metrics, /metrics/cadvisor and /metrics/resource): that the name of the metric
// says. Two exporters tell of one machine, or one process is asked at several doors (k3s, a pod that is found as a pod and as an endpoint): that only what they say can
// tell, since processes of one host have the same addresses, labels and often the same second of birth. So counters that both show are compared (judge.go).
//
// Series of one asker are never twins of each other.
package twin

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

const none = codec.None

// told is what is known of a series.
type told struct {
	thing uint64 // of an object: which; else the sum of the labels
	asker uint32 // none = nothing is known
	next  uint32 // the next series of the same object, or of the same asker
}

// asker is one target of a scrape, as far as it tells of one kind of thing.
type asker struct {
	key   uint64
	kind  Kind
	port  string
	At           // where it is, of its first series
	first uint32 // series, of no object; none
	n     int    // series
	host  int    // in hosts, −1 = it is alone at its place
}

// At says where an asked process is.
type At struct {
	Cluster   uint16
	Machine   bool   // asked for the node that it runs on, and not for its address
	Host      string // of its instance, without the port
	Namespace string
	Pod, Node string // labels of its first series
}

// Reading is what a series has at the end of a window.
type Reading struct {
	LastT   int64
	Live    bool    // has not ended
	Metric  uint32  //
	Counter bool    // V and Inc are those of a counter at the end of the window
	V       float64 // else the newest value
	Inc     float64 // what it grows by in three windows around
	Step    float64 // … at most, from one sample to the next
	Known   int     // how much is known of whose it is: among equals the one with more counts
}

// Source reads series.
type Source func(id uint32) Reading

// Table holds the series of a stream by number. Call Reset before use.
type Table struct {
	told    []told
	askers  []asker
	askerAt map[uint64]uint32 // by key

	objects   []uint32            // the first series of each object
	objectAt  series.Index        // by thing
	contested map[uint32]struct{} // objects of which more than one asker tells, by their first series

	hosts []host
	stale bool // hosts are to be made anew
	pairs map[pairKey]*pair
	buf   []byte
}

// Reset forgets everything.
func (t *Table) Reset() {
	*t = Table{askerAt: map[uint64]uint32{}, contested: map[uint32]struct{}{}, pairs: map[pairKey]*pair{}}
	t.objectAt.Reset(0)
}

// Knows reports whether Meet was called for a series.
func (t *Table) Knows(id uint32) bool { return int(id) < len(t.told) && t.told[id].asker != none }

// Meet takes note of a series, whose number is at most one more than the largest known. named tells equal names of metrics; cluster is a number.
func (t *Table) Meet(id uint32, metric string, cluster uint16, v *identity.View) {
	for int(id) >= len(t.told) {
		t.told = append(t.told, told{asker: none, next: none})
	}
	kind, names := kindOf(metric, v)
	x := &t.told[id]
	if kind == Target {
		return
	}
	x.asker = t.asker(kind, cluster, v)
	a := &t.askers[x.asker]
	a.n++
	if kind != Object {
		x.thing, t.buf = sum(v.Labels, t.buf)
		x.next, a.first = a.first, id
		if a.host >= 0 {
			t.hosts[a.host].stale = true
		}
		return
	}
	b := append(append(t.buf[:0], byte(cluster), byte(cluster>>8)), metric...)
	if names == nil {
		for _, l := range v.Labels {
			if !asks(l.Name) && !(l.Name == "endpoint" || l.Name == "service" || l.Name == "pod" || l.Name == "container") {
				b = append(append(append(append(b, 0xfe), l.Name...), 0xff), l.Value...)
			}
		}
	}
	for _, n := range names {
		b = append(append(b, 0xff), get(v, n)...)
	}
	t.buf, x.thing = b, spread(series.Hash64(b))
	t.link(id)
}

// link puts a series among those of the same object.
func (t *Table) link(id uint32) {
	x := &t.told[id]
	no := t.objectAt.Find(x.thing, func(no uint32) bool { return t.objectHash(no) == x.thing })
	if no == series.None {
		t.objects = append(t.objects, id)
		t.objectAt.Put(uint32(len(t.objects)-1), t.objectHash)
		return
	}
	first := t.objects[no]
	x.next, t.told[first].next = t.told[first].next, id
	if t.told[first].asker != x.asker {
		t.contested[first] = struct{}{}
	}
}

func (t *Table) objectHash(no uint32) uint64 { return t.told[t.objects[no]].thing }

// asker returns the number of who is asked for a series.
func (t *Table) asker(kind Kind, cluster uint16, v *identity.View) uint32 {
	b := append(t.buf[:0], byte(cluster), byte(cluster>>8), byte(kind))
	for _, n := range [...]string{"job", "instance", "metrics_path"} {
		b = append(append(b, 0xff), v.Labels.Get(n)...)
	}
	if e := v.Labels.Get("endpoint"); e != "" { // an operator's target: it says by which service it was found
		b = append(append(append(append(b, 0xff), e...), 0xff), v.Labels.Get("service")...)
	}
	t.buf = b
	key := spread(series.Hash64(b))
	if i, ok := t.askerAt[key]; ok {
		return i
	}
	a := asker{key: key, kind: kind, first: none, host: -1, At: At{Cluster: cluster}}
	if kind != Object {
		inst := v.Labels.Get("instance")
		host := identity.HostOf(inst)
		a.port = strings.Clone(strings.TrimPrefix(strings.TrimPrefix(inst, host), ":"))
		a.At = At{Cluster: cluster, Machine: kind == Machine, Host: strings.Clone(host), Namespace: strings.Clone(v.Labels.Get("namespace")),
			Pod: strings.Clone(v.Labels.Get("pod")), Node: strings.Clone(v.Labels.Get("node"))}
		t.stale = true
	}
	i := uint32(len(t.askers))
	t.askers = append(t.askers, a)
	t.askerAt[key] = i
	return i
}

// Askers returns how many targets there are; AskerOf returns the number of a series' one, none for what tells of the scrape itself.
func (t *Table) Askers() int { return len(t.askers) }

// AskerOf: see Askers.
func (t *Table) AskerOf(id uint32) uint32 {
	if int(id) >= len(t.told) {
		return none
	}
	return t.told[id].asker
}

// Rehost says that instances may be of other nodes than before.
func (t *Table) Rehost() { t.stale = true }

// Keep gives the series their new numbers, none to those that are forgotten. The others keep their order, and so do askers.
func (t *Table) Keep(to []uint32) {
	kept := t.told[:0]
	for id, x := range t.told {
		if to[id] != none {
			kept = append(kept, x)
		}
	}
	t.told = kept
	for i := range t.askers {
		t.askers[i].n = 0
	}
	for i := range t.told {
		if a := t.told[i].asker; a != none {
			t.askers[a].n++
		}
	}
	now := make([]uint32, len(t.askers))
	left := t.askers[:0]
	for i, a := range t.askers {
		now[i] = none
		if a.n > 0 {
			now[i] = uint32(len(left))
			left = append(left, a)
		}
	}
	clear(t.askers[len(left):])
	t.askers = left
	for i := range t.told {
		if x := &t.told[i]; x.asker != none {
			x.asker = now[x.asker]
		}
	}
	pairs := map[pairKey]*pair{}
	for k, p := range t.pairs {
		if k = (pairKey{now[k.a], now[k.b]}); k.a != none && k.b != none {
			pairs[k] = p
		}
	}
	t.pairs = pairs
	t.relink()
}

// relink makes what follows from series and askers anew.
func (t *Table) relink() {
	t.objects = t.objects[:0]
	t.objectAt.Reset(len(t.told) / 4)
	clear(t.contested)
	clear(t.askerAt)
	t.hosts, t.stale = nil, true
	for i := range t.askers {
		a := &t.askers[i]
		a.first, a.n, a.host = none, 0, -1
		t.askerAt[a.key] = uint32(i)
	}
	for id := range t.told {
		x := &t.told[id]
		x.next = none
		if x.asker == none {
			continue
		}
		a := &t.askers[x.asker]
		a.n++
		if a.kind == Object {
			t.link(uint32(id))
		} else {
			x.next, a.first = a.first, uint32(id)
		}
	}
}
