package baseline

import (
	"iter"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store"
)

// A checkpoint is of one moment, and copying what it takes of 56,000 signals lasts longer than anybody should wait. So models, verdicts, signals and series are copied in slices while requests
// are folded in between. Models and verdicts change only when a window closes, and of series is put aside what they were (signal.Stream.Freeze); whatever changes more before its turn has come
// copies the rest of its cluster first (settle). That makes a slice long where a window closes meanwhile, and never a byte different.

// sliceSignals is of how many signals something is copied in a slice: tenths of a millisecond.
const sliceSignals = 64

// Frozen is the part of a checkpoint that is copied in slices. The zero value has nothing to copy.
type Frozen struct {
	copies   []*frozenPart
	sections []*frozenPart // those of copies that become sections
	to       *store.Checkpoint
}

// frozenPart is a copy under way.
type frozenPart struct {
	next func() (struct{}, bool)
	name string // of the section; "" = it is a group of models, which the store copies
	data []byte
}

// more copies a slice and reports whether anything is left.
func (p *frozenPart) more() bool {
	_, ok := p.next()
	return ok
}

// Freeze begins to copy the streams, models and verdicts of this moment into a checkpoint, which lacks them until Frozen.Slice has said that nothing is left. It belongs to the fold. room returns
// an empty slice that a section is written to, with room for as much as it may have; do is that of ApplyAll.
func (e *Engine) Freeze(to *store.Checkpoint, room func(name string) []byte, do func(n int, each func(i int))) *Frozen {
	f := &Frozen{to: to}
	to.Groups = e.Groups()
	var active []*cluster
	for _, c := range e.clusters {
		if c != nil {
			active = append(active, c)
		}
	}
	pauses := make([]func() bool, len(active))
	for i := range active { // Groups are in this order
		to.Groups[i].Models = paused(to.Groups[i].Models, func() bool { return pauses[i]() })
	}
	models := to.Freeze()
	section := func(kind string, number uint16) *frozenPart {
		p := &frozenPart{name: sectionOf(kind, number)}
		p.data = room(p.name)
		f.sections = append(f.sections, p)
		return p
	}
	for i, c := range active {
		stream, view := section(sectionStream, c.number), section(sectionView, c.number)
		stream.begin(c.stream.Freeze(&stream.data))
		view.begin(c.viewSlices(view, viewNewest))
		of := &frozenPart{}
		of.begin(func(yield func(struct{}) bool) {
			pauses[i] = func() bool { return yield(struct{}{}) }
			models[i]()
		})
		c.copies = append(c.copies, stream, view, of)
		f.copies = append(f.copies, stream, view, of)
	}
	for _, copy := range models[len(active):] {
		copy()
	}
	// The first slices are of now: of whatever any request may change.
	do(len(active), func(i int) {
		for _, p := range active[i].copies {
			p.more()
		}
	})
	return f
}

// paused yields models and calls pause between slices of them, first before any, until that returns false.
func paused(models iter.Seq2[string, []byte], pause func() bool) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		n, on := 0, true
		for id, data := range models {
			if on && n%sliceSignals == 0 {
				on = pause()
			}
			if n++; !yield(id, data) {
				return
			}
		}
	}
}

// begin readies a copy, of which nothing is made yet.
func (p *frozenPart) begin(slices iter.Seq[struct{}]) { p.next, _ = iter.Pull(slices) }

// Slice copies a little, and reports whether anything is left. It belongs to the fold; Frozen must be asked until nothing is.
func (f *Frozen) Slice() bool {
	for len(f.copies) > 0 {
		if f.copies[0].more() {
			return true
		}
		f.copies = f.copies[1:]
	}
	for _, p := range f.sections {
		f.to.Sections[p.name] = p.data
	}
	f.sections = nil
	return false
}

// settle copies what is left to be copied of a cluster that is about to change.
func (c *cluster) settle() {
	for _, p := range c.copies {
		for p.more() {
		}
	}
	clear(c.copies)
	c.copies = c.copies[:0]
}

// settle does it for all clusters.
func (e *Engine) settle() {
	for _, c := range e.clusters {
		if c != nil {
			c.settle()
		}
	}
}

// viewSlices appends the cluster's verdicts to p in slices.
func (c *cluster) viewSlices(p *frozenPart, format int) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		x := viewCoder{codec.Writing(append(append(p.data, viewMagic...), byte('0'+format))), format}
		c.writeView(x, func() bool { return yield(struct{}{}) })
		p.data = x.Bytes()
	}
}
