package birth

import "github.com/wrackline/wrackline/baseline/codec"

// target is a scraped thing. It says whether a new series of it can be counted from zero.
type target struct {
	key    uint64
	refs   uint32
	firstT int64 // first sample of any of its counters
}

// Targets are scraped things by number. Call Reset before use.
type Targets struct {
	list []target
	at   map[uint64]uint32
	free []uint32
}

// Reset forgets all targets.
func (t *Targets) Reset() { *t = Targets{at: map[uint64]uint32{}} }

// Hold returns the number of the target with a key, made where it is new. Each call is to be answered by a Release.
func (t *Targets) Hold(key uint64) uint32 {
	i, ok := t.at[key]
	if !ok {
		if n := len(t.free); n > 0 {
			i = t.free[n-1]
			t.free = t.free[:n-1]
		} else {
			i = uint32(len(t.list))
			t.list = append(t.list, target{})
		}
		t.list[i] = target{key: key}
		t.at[key] = i
	}
	t.list[i].refs++
	return i
}

// Held holds a target once more and returns its number.
func (t *Targets) Held(i uint32) uint32 {
	t.list[i].refs++
	return i
}

// Release gives a target back; it is forgotten when nobody holds it.
func (t *Targets) Release(i uint32) {
	if g := &t.list[i]; g.refs > 1 {
		g.refs--
		return
	}
	delete(t.at, t.list[i].key)
	t.list[i] = target{}
	t.free = append(t.free, i)
}

// Since notes a sample at time t and returns when the target was first heard of, Unix milliseconds.
func (t *Targets) Since(i uint32, at int64) int64 {
	g := &t.list[i]
	if g.firstT == 0 || at < g.firstT {
		g.firstT = at
	}
	return g.firstT
}

// Len returns a bound of the numbers.
func (t *Targets) Len() int { return len(t.list) }

// Append writes a target; old is how it was written when it was of one metric.
func (t *Targets) Append(w *codec.Writer, i uint32, old bool) {
	w.Uint64(t.list[i].key)
	if old {
		w.Num(0)
	}
	w.Int(t.list[i].firstT)
}

// Restore reads a target that nobody holds yet, and holds it. One that is known makes the reader fail.
func (t *Targets) Restore(r *codec.Reader) uint32 {
	key, first := r.Uint64(), r.Time()
	if _, ok := t.at[key]; ok {
		r.Fail()
	}
	i := t.Hold(key)
	t.list[i].firstT = first
	return i
}
