package promql

// slot is scratch that belongs to a label set while one node is evaluated.
type slot struct {
	epoch uint32
	pos   int32
}

// begin makes all slots empty. Only one node uses them at a time: a node evaluates its children first.
func (t *Table) begin() {
	t.epoch++
	if t.epoch == 0 { // wrapped: old marks could look new
		clear(t.slots)
		t.epoch = 1
	}
}

// slot returns the position noted for the id since begin, and whether there is one.
func (t *Table) slot(id uint32) (int32, bool) {
	if int(id) < len(t.slots) && t.slots[id].epoch == t.epoch {
		return t.slots[id].pos, true
	}
	return 0, false
}

// setSlot notes a position for the id.
func (t *Table) setSlot(id uint32, pos int32) {
	if int(id) >= len(t.slots) {
		t.slots = append(t.slots, make([]slot, len(t.sets)-len(t.slots))...)
	}
	t.slots[id] = slot{t.epoch, pos}
}

// Scratch is memory that evaluations share, since they run one after the other: what a plan holds between windows does not grow with
// the number of series that it selects.
type Scratch struct {
	free    [][]Element // vectors that nobody uses
	accs    []acc
	pos     []int32
	ends    []int32
	match   []int32
	vals    []float64
	buckets []bucket
	temp    histArena // histograms of the plan that is evaluated
	kept    histArena // those of shared nodes, until the window is done
	Math    HistMath
}

// histArena hands out histograms and reuses them.
type histArena struct {
	all []*Hist
	n   int
}

func (a *histArena) take() *Hist {
	if a.n == len(a.all) {
		a.all = append(a.all, &Hist{})
	}
	a.n++
	return a.all[a.n-1]
}

// TakeHist returns a histogram to fill, and its number.
func (w *Scratch) TakeHist() (*Hist, int32) {
	h := w.temp.take()
	return h, int32(w.temp.n)
}

// Hist returns the histogram with a number.
func (w *Scratch) Hist(i int32) *Hist {
	if i < 0 {
		return w.kept.all[-i-1]
	}
	return w.temp.all[i-1]
}

// keep moves the histograms of a vector to where they outlive the plan.
func (w *Scratch) keep(vec []Element) {
	for i := range vec {
		if e := &vec[i]; e.Hist > 0 {
			w.kept.take().CopyOf(w.Hist(e.Hist))
			e.Hist = -int32(w.kept.n)
		}
	}
}

// take returns an empty vector, give takes one back. The one that was given last comes first: it is warm, and likely large enough.
func (w *Scratch) take() []Element {
	n := len(w.free)
	if n == 0 {
		return nil
	}
	v := w.free[n-1]
	w.free[n-1] = nil
	w.free = w.free[:n-1]
	return v[:0]
}

func (w *Scratch) give(v []Element) {
	if cap(v) > 0 {
		w.free = append(w.free, v)
	}
}
