package ingest

import (
	"sync"
	"sync/atomic"

	"github.com/wrackline/wrackline/baseline/series"
)

// known remembers keys of series whose labels have been found right, so that the door reads labels of new series only: a key stands for
// its labels to the byte. It forgets as it likes, and then labels are read once more; so what it answers never depends on what it remembers. The zero value knows
// nothing. Safe for concurrent use.
// What it knows of whole stretches (series.Stretch) it keeps by their sums, beside the keys.
type known struct {
	table atomic.Pointer[[]row]
	mu    sync.Mutex   // of growing
	count atomic.Int64 // put into the table
}

// row holds keys that share their lowest bits: a line of the processor's cache.
type row [8]atomic.Uint64

const (
	knownLeast = 1 << 10 // rows at first
	knownMost  = 1 << 18 // 16 MiB
	knownFull  = 4       // keys a row on average, beyond which there are to be more rows: a full one forgets
)

// check reads the labels of the batch's series that are new and the times of its samples, and returns what must be refused for them; unlabelled of it for its labels. The batch is left as it is: the
// fold refuses the same series for the same reasons, now and when it is folded again.
func (k *known) check(b *series.Batch, scratch series.Labels) (res series.Result, unlabelled int, _ series.Labels) {
	for lo := 0; lo < len(b.Entries); {
		hi, sum := series.Stretch(b.Entries, lo)
		seen := sum != 0 && k.has(sum)
		right := true
		for i := lo; i < hi; i++ {
			e := &b.Entries[i]
			if !seen && !k.has(e.Key) {
				l, err := b.Labels.AppendLabels(scratch[:0], i)
				scratch = l[:0]
				if err == nil {
					_, err = series.Canonical(l) // in place
				}
				if err != nil {
					unlabelled += int(e.SampleHi-e.SampleLo) + int(e.HistHi-e.HistLo)
					if res.Reason == "" {
						res.Reason = nameOf(l) + err.Error()
					}
					right = false
					continue
				}
				k.put(e.Key)
			}
			said := res.Reason != ""
			if inTime(b, e, &res); !said && res.Reason != "" {
				if l, err := b.Labels.AppendLabels(scratch[:0], i); err == nil {
					res.Reason = nameOf(l) + res.Reason
				}
			}
		}
		if !seen && right && sum != 0 {
			k.put(sum)
		}
		lo = hi
	}
	res.Barred += unlabelled
	return res, unlabelled, scratch
}

// nameOf returns which metric a reason is about, as far as its labels could be read; "" when that is not known.
func nameOf(l series.Labels) string {
	if name := l.Get(series.NameLabel); name != "" {
		return "metric " + series.Clean(name, 100) + ": "
	}
	return ""
}

// inTime counts the samples of an entry that are not too far ahead, and those that are.
func inTime(b *series.Batch, e *series.Entry, res *series.Result) {
	latest := b.ReceivedMs + series.FutureMs
	count := func(t int64, right *int) {
		if t <= latest {
			*right++
			return
		}
		res.Barred++
		if res.Reason == "" { // wording it for each would cost more than all else
			res.Reason = series.Ahead(t, b.ReceivedMs)
		}
	}
	for i := e.SampleLo; i < e.SampleHi; i++ {
		count(b.Samples[i].T, &res.Samples)
	}
	for i := e.HistLo; i < e.HistHi; i++ {
		count(b.Histograms[i].T, &res.Histograms)
	}
}

// has reports whether a key is remembered.
func (k *known) has(key uint64) bool {
	t := k.table.Load()
	if t == nil || key == 0 {
		return false
	}
	r := &(*t)[key&uint64(len(*t)-1)]
	for i := range r {
		if r[i].Load() == key {
			return true
		}
	}
	return false
}

// put remembers a key.
func (k *known) put(key uint64) {
	t := k.table.Load()
	if t == nil || k.count.Add(1) > int64(len(*t)*knownFull) {
		t = k.grow(t)
	}
	(*t)[key&uint64(len(*t)-1)].put(key)
}

// put takes a free place, or that of another key.
func (r *row) put(key uint64) {
	for i := range r {
		if r[i].CompareAndSwap(0, key) {
			return
		}
	}
	r[key>>61].Store(key)
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
		if n == len(*now) {
			k.count.Store(0)
			return now
		}
	}
	next, kept := make([]row, n), int64(0)
	if now != nil {
		for i := range *now {
			for j := range (*now)[i] {
				if key := (*now)[i][j].Load(); key != 0 {
					next[key&uint64(n-1)].put(key)
					kept++
				}
			}
		}
	}
	k.count.Store(kept)
	k.table.Store(&next)
	return &next
}
