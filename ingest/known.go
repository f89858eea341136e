package ingest

import (
	"cmp"
	"sync"
	"sync/atomic"

	"github.com/wrackline/wrackline/baseline/series"
)

// known remembers keys of series whose labels have been found right, so that the door reads labels of new series only: a key stands for
// its labels to the byte. It forgets as it likes, and then labels are read once more; so what it answers never depends on what it remembers. The zero value knows
// nothing. Safe for concurrent use.
type known struct {
	table atomic.Pointer[[]row]
	mu    sync.Mutex   // of growing
	lost  atomic.Int64 // keys that another one has pushed out of the table
}

// row holds keys that share their lowest bits: a line of the processor's cache.
type row [8]atomic.Uint64

const (
	knownLeast = 1 << 10 // rows at first
	knownMost  = 1 << 18 // 16 MiB
	knownAhead = 16      // series whose rows are asked for together
)

// has reports whether a key is remembered.
func (r *row) has(key uint64) bool {
	for i := range r {
		if r[i].Load() == key {
			return key != 0
		}
	}
	return false
}

// put remembers a key, and reports whether another one had to go.
func (r *row) put(key uint64) bool {
	for i := range r {
		if r[i].CompareAndSwap(0, key) {
			return false
		}
	}
	r[key>>61].Store(key)
	return true
}

// check reads the labels of the batch's series that are new and the times of its samples, and returns what must be refused for them; unlabelled of it for its labels. The batch is left as it is: the fold refuses the
// same series for the same reasons, now and when it is folded again.
func (k *known) check(b *series.Batch, scratch series.Labels) (res series.Result, unlabelled int, _ series.Labels) {
	t := k.table.Load()
	if t == nil {
		t = k.grow(nil)
	}
	latest := b.ReceivedMs + series.FutureMs
	for i := range b.Entries {
		if i%knownAhead == 0 { // their rows lie anywhere in memory: waiting for all of them at once takes as long as for one
			for j := i; j < min(i+knownAhead, len(b.Entries)); j++ {
				(*t)[b.Entries[j].Key&uint64(len(*t)-1)][0].Load()
			}
		}
		e := &b.Entries[i]
		samples, hists := int(e.SampleHi-e.SampleLo), int(e.HistHi-e.HistLo)
		at := &(*t)[e.Key&uint64(len(*t)-1)]
		if !at.has(e.Key) {
			l, err := b.Labels.AppendLabels(scratch[:0], i)
			scratch = l[:0]
			if err == nil {
				_, err = series.Canonical(l)
			}
			if err != nil {
				res.Barred += samples + hists
				unlabelled += samples + hists
				res.Reason = cmp.Or(res.Reason, err.Error())
				continue
			}
			if at.put(e.Key) && k.lost.Add(1) > int64(len(*t)) {
				t = k.grow(t)
			}
		}
		ahead := 0
		for _, x := range b.Samples[e.SampleLo:e.SampleHi] {
			if x.T > latest {
				ahead++
				res.Reason = cmp.Or(res.Reason, series.Ahead(x.T, b.ReceivedMs))
			}
		}
		res.Samples += samples - ahead
		for i := e.HistLo; i < e.HistHi; i++ {
			if t := b.Histograms[i].T; t > latest {
				ahead++
				hists--
				res.Reason = cmp.Or(res.Reason, series.Ahead(t, b.ReceivedMs))
			}
		}
		res.Histograms += hists
		res.Barred += ahead
	}
	return res, unlabelled, scratch
}

// grow replaces a table that is too small by one twice as large, and returns the one to use.
func (k *known) grow(old *[]row) *[]row {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.table.Load()
	if now != old {
		return now
	}
	n := knownLeast
	if now != nil {
		n = min(2*len(*now), knownMost)
	}
	k.lost.Store(0)
	if now != nil && n == len(*now) {
		return now
	}
	next := make([]row, n)
	if now != nil {
		for i := range *now {
			for j := range (*now)[i] {
				if key := (*now)[i][j].Load(); key != 0 {
					next[key&uint64(n-1)].put(key)
				}
			}
		}
	}
	k.table.Store(&next)
	return &next
}
