package ingest

import (
	"sync"
	"sync/atomic"

	"github.com/wrackline/wrackline/baseline/series"
)

// known remembers keys of series whose labels have been found right, so that the door reads labels of new series only: a key stands for
// its labels to the byte. It forgets as it likes (a key has one place, which the next one there takes), and then labels are read once more; so what
// it answers never depends on what it remembers. The zero value knows nothing. Safe for concurrent use.
type known struct {
	table atomic.Pointer[[]atomic.Uint64]
	mu    sync.Mutex   // of growing
	lost  atomic.Int64 // keys that another one has pushed out of the table
}

const (
	knownLeast = 1 << 13 // places at first
	knownMost  = 1 << 21 // 16 MiB
)

// check reads the labels of the batch's series that are new, and returns what must be refused for them. The batch is left as it is: the fold refuses the
// same series for the same reasons, now and when it is folded again.
func (k *known) check(b *series.Batch, scratch series.Labels) (res series.Result, _ series.Labels) {
	t := k.table.Load()
	if t == nil {
		t = k.grow(nil)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		n := int(e.SampleHi - e.SampleLo)
		at := &(*t)[e.Key&uint64(len(*t)-1)]
		was := at.Load()
		if was != e.Key || e.Key == 0 {
			l, err := b.Labels.AppendLabels(scratch[:0], i)
			scratch = l[:0]
			if err == nil {
				_, err = series.Canonical(l)
			}
			if err != nil {
				res.Unlabelled += n + int(e.HistHi-e.HistLo)
				if res.Reason == "" {
					res.Reason = err.Error()
				}
				continue
			}
			at.Store(e.Key)
			if was != 0 && k.lost.Add(1) > int64(len(*t)/4) {
				t = k.grow(t)
			}
		}
		res.Samples += n
		res.Histograms += int(e.HistHi - e.HistLo)
	}
	return res, scratch
}

// grow replaces a table that is too small by one twice as large, and returns the one to use.
func (k *known) grow(old *[]atomic.Uint64) *[]atomic.Uint64 {
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
	next := make([]atomic.Uint64, n)
	k.table.Store(&next)
	return &next
}
