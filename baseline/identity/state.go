package identity

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
)

// stateVersion is that of a book's section:
//
//	version, hosts wait until, owner data seen, nodes to be looked at
//	pods: namespace, name, node, owner, workload; owned, sure, held, why, first sample, network (from 2 on)
//	workloads, owners of ReplicaSets, owners of Jobs, nodes, hosts, names of short-lived pods (from 3 on), each in order of its name
const stateVersion = 3

// Append writes the book's section.
func (b *Book) Append(w *codec.Writer) {
	w.Num(stateVersion)
	w.Int(b.hostsAt)
	w.Bool(b.owners)
	w.Bool(b.nodesNew)
	w.Num(len(b.pods))
	for i := range b.pods {
		p := &b.pods[i]
		for _, x := range [...]string{p.ns, p.name, p.node, p.ownerKind, p.ownerName, p.work, p.kind} {
			w.Word(x)
		}
		w.Bool(p.owned)
		w.Bool(p.sure)
		w.Bool(p.held)
		w.Num(int(p.why))
		w.Int(p.firstT)
		w.Byte(byte(p.net))
	}
	w.Num(len(b.workloads))
	for _, k := range sorted(b.workloads) {
		x := b.workloads[k]
		w.Word(k.ns)
		w.Word(k.name)
		w.Word(x.kind)
		w.Bool(x.known)
		w.Int(x.lastT)
	}
	for _, m := range [...]map[key]owner{b.sets, b.jobs} {
		w.Num(len(m))
		for _, k := range sorted(m) {
			o := m[k]
			w.Word(k.ns)
			w.Word(k.name)
			w.Word(o.kind)
			w.Word(o.name)
			w.Num(int(o.source + 1))
		}
	}
	w.Num(len(b.nodes))
	for _, k := range slices.Sorted(maps.Keys(b.nodes)) {
		n := b.nodes[k]
		w.Word(k)
		w.Word(n.ip)
		w.Num(int(n.source + 1))
		w.Bool(b.ips[n.ip] == k)
	}
	w.Num(len(b.hosts))
	for _, k := range slices.Sorted(maps.Keys(b.hosts)) {
		w.Word(k)
		w.Word(b.hosts[k].uname)
		w.Int(b.hosts[k].firstT)
	}
	b.appendKins(w)
}

func sorted[V any](m map[key]V) []key {
	return slices.SortedFunc(maps.Keys(m), func(a, b key) int { return cmp.Or(strings.Compare(a.ns, b.ns), strings.Compare(a.name, b.name)) })
}

// Restore reads what Append wrote into a book that knows nothing. Faults are the reader's.
func (b *Book) Restore(r *codec.Reader) {
	version := r.Section(stateVersion)
	b.restore(r, r.Time(), version)
}

// RestoreUnversioned reads a section of states that had no versions of sections, where hostsAt stood elsewhere.
func (b *Book) RestoreUnversioned(r *codec.Reader, hostsAt int64) { b.restore(r, hostsAt, 1) }

func (b *Book) restore(r *codec.Reader, hostsAt int64, version int) {
	b.hostsAt = hostsAt
	b.owners, b.nodesNew = r.Bool(), r.Bool()
	for i := range r.Count(12) {
		var p pod
		for _, x := range [...]*string{&p.ns, &p.name, &p.node, &p.ownerKind, &p.ownerName, &p.work, &p.kind} {
			*x = b.words(r.Word())
		}
		p.owned, p.sure, p.held = r.Bool(), r.Bool(), r.Bool()
		p.why, p.firstT = why(r.Num(int(whyEnded))), r.Time()
		if version >= 2 {
			if p.net = network(r.Byte()); p.net&^netNamed > netsMax {
				r.Fail()
			}
		}
		if _, ok := b.podAt[p.key]; ok {
			r.Fail()
			return
		}
		p.lone = p.why != whySerial && lone(p.work, p.kind)
		b.nested = b.nested || p.ownerKind == "Pod"
		b.pods = append(b.pods, p)
		b.podAt[p.key] = uint32(i)
		if p.held && p.why != whyCut && p.why != whyEnded {
			b.held = append(b.held, uint32(i))
		}
		b.workload(p.ns, p.work, p.kind).pods++
	}
	b.listKids()
	for range r.Count(5) {
		w := b.workload(r.Word(), r.Word(), "")
		w.kind, w.known, w.lastT = r.Word(), r.Bool(), r.Time()
	}
	for _, m := range [...]map[key]owner{b.sets, b.jobs} {
		for range r.Count(5) {
			k := key{r.Word(), r.Word()}
			m[k] = owner{r.Word(), r.Word(), r.Number()}
		}
	}
	for range r.Count(4) {
		k := r.Word()
		n := node{r.Word(), r.Number()}
		b.nodes[k] = n
		if r.Bool() && n.ip != "" {
			b.ips[n.ip] = k
		}
	}
	for range r.Count(3) {
		k := r.Word()
		b.hosts[k] = &host{uname: r.Word(), firstT: r.Time()}
	}
	if version >= 3 {
		b.restoreKins(r)
	}
}

// Renumber gives owners and nodes the present numbers of the series that say so, None for those that are gone, and reports whether each has one.
func (b *Book) Renumber(to []uint32) bool {
	ok := true
	renumber := func(source *uint32) {
		if *source == None {
			return
		}
		if ok = ok && int(*source) < len(to); ok {
			*source = to[*source]
		}
	}
	for _, m := range [...]map[key]owner{b.sets, b.jobs} {
		for k, o := range m {
			renumber(&o.source)
			m[k] = o
		}
	}
	for k, n := range b.nodes {
		renumber(&n.source)
		b.nodes[k] = n
	}
	return ok
}
