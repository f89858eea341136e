package change

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/series"
)

// Hear takes a sample of a watched series: its word, its metric, its pod (None for none), and the time and value of the sample before, 0 for none.
func (tk *Tracker) Hear(w *Word, m Metric, pod uint32, x *series.Sample, lastT int64, lastV float64) {
	f := &tk.families[m.family]
	if x.T > f.lastT {
		if x.T-f.lastT > goneMs {
			f.sinceT = x.T
		}
		f.lastT = x.T
	}
	oi := w.object
	if oi == None && m.OfPod() {
		if oi = tk.ofPod(m, pod, w); oi == None {
			return
		}
	}
	if oi == None {
		return
	}
	o := &tk.objects[oi]
	o.aliveT = max(o.aliveT, x.T)
	switch m.what {
	case watchProgress:
		o.lastT = max(o.lastT, x.T)
		tk.progressed(o, w.fact, x)
		return
	case watchOOM:
		if o.pendT != 0 && x.V == 1 && o.pendPod == tk.book.View(pod).Name {
			o.oom = true
		}
		return
	case watchRestart:
		o.lastT = max(o.lastT, x.T)
		if lastT != 0 && x.T-lastT <= gapMs && x.V > lastV && !tk.young(x.T) {
			tk.restarted(oi, pod, x.T, x.V-lastV)
		}
		return
	case watchSet, watchNode, watchImage, watchRevision, watchBuild:
		if x.V == 0 {
			return // said not to be so
		}
	}
	if o.lastT == 0 || x.T-o.lastT > gapMs {
		// Created, or back: new only when its metric is not.
		o.fresh = (o.lastT == 0 || o.gone) && !tk.young(x.T) && x.T-f.sinceT >= goneMs
		o.words, o.gone = 0, false
		o.sinceT = x.T
		o.facts = o.facts[:0]
	}
	if x.T > o.lastT && o.words < 2 {
		if o.words++; o.words == 2 && o.fresh {
			o.fresh = false
			tk.appeared(o)
		}
	}
	newest := o.lastT
	o.lastT = max(o.lastT, x.T)
	if x.T >= o.endT {
		o.endT = 0
	}
	bits := math.Float64bits(x.V)
	switch m.what {
	case watchSet:
		if w.fact == "" {
			return // it was there before
		}
		bits = 0
	case watchImage, watchRevision, watchNode, watchBuild:
		bits = 0
	case watchBoot:
		if n := len(o.facts); n > 0 && math.Abs(math.Float64frombits(o.facts[0].bits)-x.V) <= bootSlackS {
			bits = o.facts[0].bits
		}
	}
	if tk.said(o, bits, w.fact, x.T, newest) {
		from, to := o.learn(bits, w.fact)
		if !tk.young(x.T) {
			tk.changed(oi, from, to)
		}
	}
	if m.what == watchSet {
		// Once told or learned it is one of those that are there.
		if i := slices.IndexFunc(o.facts, func(f fact) bool { return f.text == w.fact }); i >= 0 && o.facts[i].known {
			w.fact = ""
		}
	}
}

// restarted notes that a container of a pod began anew n times.
func (tk *Tracker) restarted(oi, pod uint32, t int64, n float64) {
	o := &tk.objects[oi]
	if o.pendT == 0 {
		o.pendT = t
		tk.restarts = append(tk.restarts, oi)
	}
	o.pendT = min(o.pendT, t)
	o.pendN += int64(min(n, 1e9))
	o.pendPod = tk.book.View(pod).Name
}

// learn makes a value that was said the one that is known last, and returns what was and what is.
func (o *object) learn(bits uint64, text string) (from, to fact) {
	for i := range o.facts {
		if o.facts[i].known {
			from = o.facts[i]
		}
	}
	at := slices.IndexFunc(o.facts, func(f fact) bool { return f.bits == bits && f.text == text })
	to = o.facts[at]
	to.known = true
	if o.single() {
		o.facts = append(o.facts[:0], to)
	} else { // the last that is known is what it is now
		o.facts = append(slices.Delete(o.facts, at, at+1), to)
	}
	return from, to
}

// single reports whether an object has one value at a time. Others have as many as their pods or targets have.
func (o *object) single() bool {
	switch o.what {
	case watchReplicas, watchHPA, watchCordon, watchBoot, watchNode, watchVersion, watchRevision:
		return true
	}
	return false
}

// young reports whether a cluster is in its first hour.
func (tk *Tracker) young(t int64) bool { return t < tk.began+youngMs }

// said notes a value and reports whether it has just become certain that it is another than before. newest is when the object was
// last spoken of before.
func (tk *Tracker) said(o *object, bits uint64, text string, t, newest int64) bool {
	if !o.single() && o.what != watchSet {
		o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return f.lastT < t-keepMs })
	}
	at := slices.IndexFunc(o.facts, func(f fact) bool { return f.bits == bits && f.text == text })
	if at >= 0 {
		f := &o.facts[at]
		before := f.lastT
		f.lastT = max(f.lastT, t)
		if f.known {
			if o.single() && t >= newest { // what was about to replace it did not stay
				o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return !f.known && f.lastT < t })
			}
			return false
		}
		return t > before
	}
	if o.single() {
		if t < newest {
			return false
		}
		o.facts = slices.DeleteFunc(o.facts, func(f fact) bool { return !f.known })
	} else if len(o.facts) >= factsMax {
		o.facts = slices.Delete(o.facts, 0, 1)
	}
	f := fact{bits: bits, text: text, firstT: t, lastT: t}
	switch {
	case o.what == watchSet:
		f.known = t-o.sinceT < settleMs || t-tk.families[o.fam].sinceT < goneMs
	case len(o.facts) == 0:
		f.known = true
	case !o.single():
		f.known = t-o.sinceT < settleMs
	}
	o.facts = append(o.facts, f)
	return false
}

// Unheard takes a stale marker of a watched series.
func (tk *Tracker) Unheard(w *Word, t int64) {
	if w.object == None {
		return
	}
	if o := &tk.objects[w.object]; t >= o.lastT {
		o.endT = t
	}
}
