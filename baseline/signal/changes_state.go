package signal

import (
	"math"
	"slices"
)

// The tracker in the state of a stream, at the end of each cluster:
//
//	began, sweepIn
//	families: name, since, last
//	objects: what, ns, name, sub, kind, family, times and counts, facts
//	changes that wait, numbers of objects with restarts to tell, of cordoned nodes, of rollouts under way
//
// and with each watched series the number of its object + 1, its sub and its fact.

// numbers lists the numbers of an object that are part of the state.
func (o *object) numbers() []*int64 {
	return []*int64{&o.sinceT, &o.lastT, &o.endT, &o.refillT, &o.toldT, &o.pendT, &o.pendN, &o.pods, &o.until, &o.aliveT}
}

func (t *tracker) append(w *stateWriter) {
	w.int(t.began)
	w.num(t.sweepIn)
	names := ChangeMetrics()
	w.num(len(names))
	for i, n := range names {
		w.word(n)
		w.int(t.families[i].sinceT)
		w.int(t.families[i].lastT)
	}
	w.num(len(t.objects))
	for i := range t.objects {
		o := &t.objects[i]
		w.num(int(o.what))
		for _, x := range [...]string{o.ns, o.name, o.sub, o.kind, o.pendPod} {
			w.word(x)
		}
		w.num(int(o.fam))
		for _, n := range o.numbers() {
			w.int(*n)
		}
		w.num(int(o.words))
		w.num(int(o.spent))
		w.bool(o.fresh)
		w.bool(o.gone)
		w.bool(o.oom)
		w.int(o.rollT)
		w.int(o.usual)
		w.bool(o.late)
		w.num(len(o.facts))
		for _, f := range o.facts {
			w.float(math.Float64frombits(f.bits))
			w.word(f.text)
			w.int(f.firstT)
			w.int(f.lastT)
			w.bool(f.known)
		}
	}
	w.num(len(t.pending))
	for i := range t.pending {
		p := &t.pending[i]
		w.int(p.holdT)
		w.int(p.T)
		for _, x := range [...]string{string(p.Kind), p.Object, p.From, p.To} {
			w.word(x)
		}
		w.labels(p.Entity)
		w.num(int(p.by))
		w.num(len(p.Works))
		for _, x := range p.Works {
			w.word(x)
		}
	}
	for _, list := range [...][]uint32{t.restarts, t.cordons, t.rolls} {
		w.num(len(list))
		for _, i := range list {
			w.num(int(i))
		}
	}
}

func (s *Stream) restoreChanges(r *stateReader, c *cluster) {
	t := &c.changes
	t.began, t.sweepIn = r.time(), r.num(changeSweepEvery)
	var fams []uint8
	for range r.count(3) {
		name, f := r.word(), family{r.time(), r.time()}
		i, known := families[name]
		if known {
			t.families[i] = f
		}
		fams = append(fams, i)
	}
	for range r.count(20) {
		o := object{objectKey: objectKey{what: watchKind(r.num(int(watchKindMax)))}}
		for _, x := range [...]*string{&o.ns, &o.name, &o.sub, &o.kind, &o.pendPod} {
			*x = c.table.Word(r.word())
		}
		fam := r.num(len(fams) - 1)
		for _, n := range o.numbers() {
			*n = r.time()
		}
		o.words, o.spent = uint8(r.num(2)), uint8(r.num(math.MaxUint8))
		o.fresh, o.gone, o.oom = r.bool(), r.bool(), r.bool()
		if r.version >= 5 {
			o.rollT, o.usual, o.late = r.time(), r.time(), r.bool()
		}
		for range r.count(5) {
			o.facts = append(o.facts, fact{math.Float64bits(r.float()), r.word(), r.time(), r.time(), r.bool()})
		}
		_, twice := t.at[o.objectKey]
		if r.err != nil || twice || s.objects >= objectsMax || len(o.facts) > factsMax || o.what == notWatched {
			r.fail()
			return
		}
		o.fam = fams[fam]
		t.at[o.objectKey] = uint32(len(t.objects))
		t.objects = append(t.objects, o)
		s.objects++
	}
	for range r.count(10) {
		p := pendingChange{holdT: r.time()}
		p.T, p.Cluster = r.time(), c.name
		p.Kind = ChangeKind(r.word())
		p.Object, p.From, p.To = r.word(), r.word(), r.word()
		p.Entity, p.by = r.labels(), uint32(r.num(math.MaxUint32))
		for range r.count(1) {
			p.Works = append(p.Works, r.word())
		}
		if r.err != nil || !slices.Contains(ChangeKinds(), p.Kind) || len(t.pending) >= pendingMax || len(p.Works) > ChangeWorksMax {
			r.fail()
			return
		}
		t.pending = append(t.pending, p)
	}
	lists := []*[]uint32{&t.restarts, &t.cordons, &t.rolls}
	if r.version < 5 {
		lists = lists[:2]
	}
	for _, list := range lists {
		for range r.count(1) {
			*list = append(*list, uint32(r.num(len(t.objects)-1)))
		}
	}
}

// restoreWatcher reads what a watched series speaks of.
func (s *Stream) restoreWatcher(r *stateReader, c *cluster, d *cold) bool {
	w := watcher{object: r.number(), sub: c.table.Word(r.word()), fact: c.table.Word(r.word())}
	if int(d.metric) >= len(s.metrics) {
		r.fail() // a metric that nobody asks for is not watched either
		return false
	}
	what := s.metrics[d.metric].watch
	ofPod := what.ofPod()
	if what == notWatched || ofPod && d.pod == none || !ofPod && w.object == none {
		r.fail()
	}
	if what == watchOOM {
		what = watchRestart
	}
	if w.object != none && (int(w.object) >= len(c.changes.objects) || c.changes.objects[w.object].what != what) {
		r.fail()
	}
	if r.err != nil {
		return false
	}
	d.watch = uint32(len(s.watchers))
	s.watchers = append(s.watchers, w)
	return true
}
