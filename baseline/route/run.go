package route

import "github.com/wrackline/wrackline/baseline/series"

// run is a stretch of series that are known, of one cluster: whoever finds it need not look for its keys. It decides nothing that its keys do not, and so is no part of the state.
type run struct {
	sum     uint64 // of the keys, in their order
	first   uint32 // in members
	n       uint8  // of members
	seen    uint8  // epoch; its keys learn of it when it matters, see settle
	cluster uint16
}

// runs are the stretches that are known.
type runs struct {
	list    []run
	members []uint32 // keys
	index   series.Index
}

// find returns the number of the run of a sum, series.None when there is none. Runs are numbered as they came, so that the one behind the last that was found is nearly always the next.
func (x *runs) find(sum uint64, guess uint32) uint32 {
	if uint64(guess) < uint64(len(x.list)) && x.list[guess].sum == sum {
		return guess
	}
	if len(x.list) == 0 {
		return series.None
	}
	return x.index.Find(sum, func(i uint32) bool { return x.list[i].sum == sum })
}

// last returns the last key of a run.
func (x *runs) last(i uint32) uint32 {
	r := &x.list[i]
	return x.members[r.first+uint32(r.n)-1]
}

// add makes a run of the keys that have been put behind members since there were first.
func (x *runs) add(sum uint64, first int, cluster uint16, epoch uint8) {
	if len(x.list) == 0 {
		x.index.Reset(0)
	}
	at := uint32(len(x.list))
	x.list = append(x.list, run{sum: sum, first: uint32(first), n: uint8(len(x.members) - first), cluster: cluster, seen: epoch})
	x.index.Put(at, func(i uint32) uint64 { return x.list[i].sum })
}

// settle tells the keys of all runs when they were seen last. Epochs are counted round and round, so runs are scattered at each sweep.
func (r *Router) settle() {
	for i := range r.runs.list {
		x := &r.runs.list[i]
		for _, at := range r.runs.members[x.first : x.first+uint32(x.n)] {
			if k := &r.keys[at]; r.epoch-x.seen < r.epoch-k.seen {
				k.seen = x.seen
			}
		}
	}
}

// scatter forgets the runs, whose keys have other numbers now or belong elsewhere.
func (r *Router) scatter() {
	r.runs.list, r.runs.members = r.runs.list[:0], r.runs.members[:0]
}
