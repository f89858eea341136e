package main

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// foldMost is how many records are folded at once at most: enough that several clusters have some among them, few enough that what they
// decode to stays small.
const foldMost = 8

// aheadMax bounds the bodies that are decoded ahead of the fold, in bytes as they came. One alone may be larger.
const aheadMax = 4 << 20

// decoded is a record of the journal on its way to the fold.
type decoded struct {
	pos     uint64
	body    []byte
	record  journal.Record // its Body is body
	batch   series.Batch   // the decoder's, until the next record
	said    *act.Entry     // in place of a batch: what somebody said; nil = it is a request
	err     error          // of decoding
	decoder *ingest.Decoder
	done    chan struct{}
}

func (x *decoded) decode() {
	r := &x.record
	x.batch, x.said = series.Batch{}, nil
	if r.Proto == protoSaid {
		x.said, x.err = act.Decode(r.Body)
		x.done <- struct{}{}
		return
	}
	_, x.err = x.decoder.Decode(ingest.Proto(r.Proto), ingest.Encoding(r.Encoding), r.Body, &x.batch)
	x.batch.Sender, x.batch.Cluster, x.batch.ReceivedMs = r.Sender, r.Cluster, r.ReceivedMs
	x.done <- struct{}{}
}

// decodeAhead reads the records of a journal after a position and calls fold with those that are ready, in order, while others decode those that follow:
// as many as there are processors, and two records more than that and than are folded are under way at most. What fold is given is borrowed for the call.
// All that runs has ended when it returns, the error of ctx when that ended first.
func decodeAhead(ctx context.Context, j *journal.Journal, after uint64, decoder func() *ingest.Decoder, fold func([]*decoded)) error {
	workers := runtime.GOMAXPROCS(0)
	places := workers + 2 + foldMost
	// As many fit into each as there are, so that only the wait for a free one ever blocks the reader.
	free, work, order := make(chan *decoded, places), make(chan *decoded, places), make(chan *decoded, places)
	for range places {
		free <- &decoded{decoder: decoder(), done: make(chan struct{}, 1)}
	}
	var wg sync.WaitGroup
	var err error // the reader's, until wg is done
	wg.Go(func() {
		defer close(order)
		defer close(work)
		var idle []*decoded
		held := 0 // bytes under way
		err = j.Replay(after, func(pos uint64, r journal.Record) error {
			for len(idle) == 0 || held > 0 && held+len(r.Body) > aheadMax {
				select {
				case x := <-free:
					held -= len(x.body)
					idle = append(idle, x)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			x := idle[len(idle)-1]
			idle = idle[:len(idle)-1]
			x.pos, x.record = pos, r
			x.body = append(x.body[:0], r.Body...)
			x.record.Body = x.body
			held += len(x.body)
			work <- x
			order <- x
			return ctx.Err()
		})
	})
	for range workers {
		wg.Go(func() {
			for x := range work {
				x.decode()
			}
		})
	}
	var ready []*decoded
	var left error // why some have not been folded, which the reader may not know: it may have ended before
	for x := range order {
		<-x.done
		ready = append(ready, x)
		if len(ready) < foldMost && len(order) > 0 {
			continue // the reader may wait for those that are held here, but then order runs empty
		}
		if ctx.Err() == nil {
			fold(ready)
		} else {
			left = ctx.Err()
		}
		for _, x := range ready {
			free <- x
		}
		ready = ready[:0]
	}
	wg.Wait()
	return cmp.Or(err, left)
}

// sideBySide calls each(0) … each(n−1) on as many goroutines as there are processors, this one among them.
func sideBySide(n int, each func(i int)) { sideBy(runtime.GOMAXPROCS(0), n, each, nil) }

// sideBy is sideBySide with so many goroutines, at least this one, and one more once late returns true, unless that is nil. late must return soon after done has been closed.
func sideBy(workers, n int, each func(i int), late func(done <-chan struct{}) bool) {
	var next atomic.Int64
	run := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			each(i)
		}
	}
	var wg sync.WaitGroup
	for range min(n, workers) - 1 {
		wg.Go(run)
	}
	done := make(chan struct{})
	if late != nil {
		wg.Go(func() {
			if late(done) {
				run()
			}
		})
	}
	run()
	close(done)
	wg.Wait()
}
