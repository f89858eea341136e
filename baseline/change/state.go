package change

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

// stateVersion is that of a tracker's section. 1 had no ends of rollouts.
//
//	version, began, windows until what is gone is looked for
//	families: name, since, last
//	objects: what, ns, name, sub, kind, family, times and counts, facts
//	changes that wait, numbers of objects with restarts to tell, of cordoned nodes, of rollouts under way
//
// What a series says (Word) is written with the series: the number of its object + 1, its sub and its fact.
const stateVersion = 2

// numbers lists the numbers of an object that are part of the state.
func (o *object) numbers() []*int64 {
	return []*int64{&o.sinceT, &o.lastT, &o.endT, &o.refillT, &o.toldT, &o.pendT, &o.pendN, &o.pods, &o.until, &o.aliveT}
}

// Append writes the tracker's section.
func (tk *Tracker) Append(w *codec.Writer) {
	w.Num(stateVersion)
	w.Int(tk.began)
	w.Num(tk.sweepIn)
	names := Metrics()
	w.Num(len(names))
	for i, n := range names {
		w.Word(n)
		w.Int(tk.families[i].sinceT)
		w.Int(tk.families[i].lastT)
	}
	w.Num(len(tk.objects))
	for i := range tk.objects {
		o := &tk.objects[i]
		w.Num(int(o.what))
		for _, x := range [...]string{o.ns, o.name, o.sub, o.kind, o.pendPod} {
			w.Word(x)
		}
		w.Num(int(o.fam))
		for _, n := range o.numbers() {
			w.Int(*n)
		}
		w.Num(int(o.words))
		w.Num(int(o.spent))
		w.Bool(o.fresh)
		w.Bool(o.gone)
		w.Bool(o.oom)
		w.Int(o.rollT)
		w.Int(o.usual)
		w.Bool(o.late)
		w.Num(len(o.facts))
		for _, f := range o.facts {
			w.Float(math.Float64frombits(f.bits))
			w.Word(f.text)
			w.Int(f.firstT)
			w.Int(f.lastT)
			w.Bool(f.known)
		}
	}
	w.Num(len(tk.pending))
	for i := range tk.pending {
		p := &tk.pending[i]
		w.Int(p.holdT)
		w.Int(p.T)
		for _, x := range [...]string{string(p.Kind), p.Object, p.From, p.To} {
			w.Word(x)
		}
		w.Labels(p.Entity)
		w.Num(int(p.by))
		w.Num(len(p.Works))
		for _, x := range p.Works {
			w.Word(x)
		}
	}
	for _, list := range [...][]uint32{tk.restarts, tk.cordons, tk.rolls} {
		w.Num(len(list))
		for _, i := range list {
			w.Num(int(i))
		}
	}
}

// entityMost is how many labels the entity of a change may have.
const entityMost = 8

// Restore reads what Append wrote into a tracker that was told nothing. Faults are the reader's.
func (tk *Tracker) Restore(r *codec.Reader) { tk.RestoreVersion(r, r.Section(stateVersion)) }

// RestoreVersion reads a section of states whose sections did not say their version.
func (tk *Tracker) RestoreVersion(r *codec.Reader, version int) {
	tk.began, tk.sweepIn = r.Time(), r.Num(sweepEvery)
	var fams []uint8
	for range r.Count(3) {
		name, f := r.Word(), family{r.Time(), r.Time()}
		i, known := families[name]
		if known {
			tk.families[i] = f
		}
		fams = append(fams, i)
	}
	n := r.Count(20)
	tk.objects = slices.Grow(tk.objects, min(n, ObjectsMax))
	for range n {
		o := object{objectKey: objectKey{what: topic(r.Num(int(whatMax)))}}
		for _, x := range [...]*string{&o.ns, &o.name, &o.sub, &o.kind, &o.pendPod} {
			*x = tk.words(r.Word())
		}
		fam := r.Num(len(fams) - 1)
		for _, n := range o.numbers() {
			*n = r.Time()
		}
		o.words, o.spent = uint8(r.Num(2)), uint8(r.Num(math.MaxUint8))
		o.fresh, o.gone, o.oom = r.Bool(), r.Bool(), r.Bool()
		if version >= 2 {
			o.rollT, o.usual, o.late = r.Time(), r.Time(), r.Bool()
		}
		for range r.Count(5) {
			o.facts = append(o.facts, fact{math.Float64bits(r.Float()), r.Word(), r.Time(), r.Time(), r.Bool()})
		}
		_, twice := tk.at[o.objectKey]
		if r.Err() != nil || twice || tk.counts.Objects >= ObjectsMax || len(o.facts) > factsMax || o.what == notWatched {
			r.Fail()
			return
		}
		o.fam = fams[fam]
		tk.at[o.objectKey] = uint32(len(tk.objects))
		tk.objects = append(tk.objects, o)
		tk.counts.Objects++
	}
	for range r.Count(10) {
		p := pendingChange{holdT: r.Time()}
		p.T, p.Cluster = r.Time(), tk.cluster
		p.Kind = Kind(r.Word())
		p.Object, p.From, p.To = r.Word(), r.Word(), r.Word()
		p.Entity, p.by = r.Labels(entityMost), uint32(r.Num(math.MaxUint32))
		for range r.Count(1) {
			p.Works = append(p.Works, r.Word())
		}
		if r.Err() != nil || !slices.Contains(Kinds(), p.Kind) || len(tk.pending) >= pendingMax || len(p.Works) > WorksMax {
			r.Fail()
			return
		}
		tk.pending = append(tk.pending, p)
	}
	lists := []*[]uint32{&tk.restarts, &tk.cordons, &tk.rolls}
	if version < 2 {
		lists = lists[:2]
	}
	for _, list := range lists {
		for range r.Count(1) {
			*list = append(*list, uint32(r.Num(len(tk.objects)-1)))
		}
	}
}

// Append writes a word.
func (x *Word) Append(w *codec.Writer) {
	w.Num(int(x.object + 1))
	w.Word(x.sub)
	w.Word(x.fact)
}

// RestoreWord reads what Append wrote of a series of the metric; pod is its pod. Faults are the reader's.
func (tk *Tracker) RestoreWord(r *codec.Reader, m Metric, pod uint32) Word {
	w := Word{object: r.Number(), sub: tk.words(r.Word()), fact: tk.words(r.Word())}
	what := m.what
	if what == watchOOM {
		what = watchRestart
	}
	switch {
	case !m.Watched(), m.OfPod() && pod == None, !m.OfPod() && w.object == None,
		w.object != None && (int(w.object) >= len(tk.objects) || tk.objects[w.object].what != what):
		r.Fail()
	}
	return w
}

// RestoreGone reads over what Append wrote of a series that nobody needs any more.
func RestoreGone(r *codec.Reader) {
	r.Number()
	r.Word()
	r.Word()
}
