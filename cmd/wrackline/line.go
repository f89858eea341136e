package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/semaphore"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// What may lie between the journal and the fold. A window that closes or a checkpoint holds the fold up for some tenths of a second; what comes meanwhile must fit in. More would not be better:
// what lies there has left the processor's caches when its turn comes, and with 64 MiB a sample took half as much CPU time again under a sender that never rests.
const (
	lineBytes = 16 << 20              // memory of the requests, as decoded: 15,000 samples with labels of a kilobyte, 50,000 with short ones
	lineLeast = 64 << 10              // what the smallest is taken for, so that their number is bounded too
	lineLook  = 10 * time.Millisecond // how often it is seen whether it has become long
	lineWait  = 2 * time.Second       // the longest wait for room, before the sender is told to come again
	lookWait  = 25 * time.Millisecond // the longest that somebody who looks waits for newer counts
	lookShare = 20                    // what publishing for them may take: one part in so many of the time
	refusedMs = 15 * 60_000           // for how long a refusal is a problem
)

// What a decoder holds beside the message.
const (
	entryBytes     = 48
	sampleBytes    = 24
	histogramBytes = 512 // about so much
)

// line holds the requests that are in the journal and not in the fold yet, in the journal's order.
type line struct {
	order   sync.Mutex // to append to the journal and to the line is one step
	closed  bool
	room    *semaphore.Weighted
	wait    time.Duration      // see lineWait
	items   chan waiting       // has room for whatever room lets in
	look    chan chan struct{} // from whoever looks and wants to see newer counts; closed when they have been published
	held    atomic.Int64       // bytes in line
	last    atomic.Uint64      // journal position of the newest request in line
	folded  atomic.Uint64      // journal position of the newest request in the fold
	shown   atomic.Uint64      // of the newest one that counts and views have in them
	spentNs atomic.Int64       // what folding took since the last checkpoint …
	bytes   atomic.Int64       // … and how much of the journal that is
	refused atomic.Pointer[refused]
}

// waiting is a request in line.
type waiting struct {
	baseline.Job
	weight int64
	bytes  int64   // in the journal
	done   func()  // its memory is free
	said   *saying // what somebody says, in place of a request; nil = it is one
}

// refused says what the fold could not take of requests that had been acknowledged.
type refused struct {
	samples        int64 // since the start
	lastMs         int64 // receive clock of the newest
	sender, reason string
}

func newLine() *line {
	return &line{room: semaphore.NewWeighted(lineBytes), wait: lineWait, items: make(chan waiting, lineBytes/lineLeast), look: make(chan chan struct{})}
}

// Append implements ingest.Appender: it returns once the request is in the journal, as safe as ingest.sync asks, and in line for the fold.
func (a *app) Append(ctx context.Context, raw *ingest.Raw, b *series.Batch, done func()) error {
	return a.intake.note(a.append(ctx, raw, b, done))
}

func (a *app) append(ctx context.Context, raw *ingest.Raw, b *series.Batch, done func()) error {
	l := a.line
	held := int64(raw.Decoded) + entryBytes*int64(len(b.Entries)) + sampleBytes*int64(len(b.Samples)) + histogramBytes*int64(len(b.Histograms))
	x := waiting{bytes: int64(len(raw.Body)), weight: min(max(held, lineLeast), lineBytes), done: done}
	if err := l.enter(ctx, x.weight); err != nil {
		done()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		lineFull.Inc()
		return fmt.Errorf("%w: %d requests wait to be folded", ingest.ErrBusy, len(l.items))
	}
	own := *b
	own.Sender, own.Cluster, own.ReceivedMs = raw.Sender, raw.Cluster, raw.ReceivedMs
	x.Batch = &own
	if err := l.put(a.journal, raw, x); err != nil {
		l.room.Release(x.weight)
		done()
		return err
	}
	if err := a.journal.Wait(ctx, x.Pos); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// enter waits for room, but not for long. Room that is there is taken without a look at the clock.
func (l *line) enter(ctx context.Context, weight int64) error {
	if l.room.TryAcquire(weight) {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, l.wait)
	defer cancel()
	return l.room.Acquire(wait, weight)
}

// put appends a request to the journal and to the line.
func (l *line) put(j *journal.Journal, raw *ingest.Raw, x waiting) (err error) {
	l.order.Lock()
	defer l.order.Unlock()
	if l.closed {
		return fmt.Errorf("%w: stopping", ingest.ErrBusy)
	}
	x.Pos, err = j.Append(journal.Record{ReceivedMs: raw.ReceivedMs, Sender: raw.Sender, Cluster: raw.Cluster,
		Proto: uint8(raw.Proto), Encoding: uint8(raw.Encoding), Body: raw.Body})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	l.last.Store(x.Pos)
	l.held.Add(x.weight)
	l.items <- x
	return nil
}

// begin says up to where the journal has been folded, and shown.
func (l *line) begin(pos uint64) {
	l.last.Store(pos)
	l.folded.Store(pos)
	l.shown.Store(pos)
}

// close lets nothing more in; follow returns once what is in line has been folded.
func (l *line) close() {
	l.order.Lock()
	defer l.order.Unlock()
	if !l.closed {
		l.closed = true
		close(l.items)
	}
}

// follow folds what is in line until the line is closed and empty. What has come meanwhile is folded together, clusters side by side.
func (a *app) follow() {
	var batch []waiting
	var jobs []baseline.Job
	var shown time.Time    // when counts were published for somebody who looked
	var took time.Duration // and what that took
	for {
		select {
		case x, ok := <-a.line.items:
			if !ok {
				return
			}
			batch = append(batch[:0], x)
			for len(batch) < foldMost && len(a.line.items) > 0 {
				batch = append(batch, <-a.line.items)
			}
			last := batch[len(batch)-1].Pos
			a.fold.Lock()
			begun := time.Now()
			jobs = jobs[:0]
			for i := range batch {
				if batch[i].said == nil {
					jobs = append(jobs, batch[i].Job)
					continue
				}
				jobs = a.foldJobs(jobs)
				batch[i].said.answer <- a.apply(batch[i].said.entry)
			}
			jobs = a.foldJobs(jobs)
			a.line.spend(time.Since(begun), batch)
			a.fold.Unlock()
			for i := range batch {
				batch[i].done()
				a.line.room.Release(batch[i].weight) // before held says so
				a.line.held.Add(-batch[i].weight)
			}
			a.line.folded.Store(last)
			clear(batch)
			clear(jobs[:cap(jobs)])
		case seen := <-a.line.look:
			begun := time.Now()
			if len(a.line.items) == 0 && a.line.shown.Load() != a.line.folded.Load() && begun.Sub(shown) >= lookShare*took {
				a.fold.Lock()
				a.engine.Refresh()
				a.fold.Unlock()
				a.line.shown.Store(a.line.folded.Load())
				shown = time.Now()
				took = shown.Sub(begun)
			}
			close(seen)
		}
	}
}

// foldJobs folds requests and returns the emptied list. The caller holds fold.
func (a *app) foldJobs(jobs []baseline.Job) []baseline.Job {
	if len(jobs) > 0 {
		a.line.note(jobs, a.engine.ApplyAll(jobs, a.line.side()))
	}
	return jobs[:0]
}

// fresh lets whoever looks see what had been acknowledged before, or gives up after a moment. Windows publish what they close; who has just pasted the remote_write block
// wants to see counts before that. It takes no lock.
func (a *app) fresh() {
	l := a.line
	want := l.last.Load()
	if !a.ready.Load() || l.shown.Load() >= want {
		return
	}
	wait := time.NewTimer(lookWait)
	defer wait.Stop()
	for l.shown.Load() < want {
		seen := make(chan struct{})
		select {
		case l.look <- seen:
			<-seen // at once
			time.Sleep(time.Millisecond)
		case <-wait.C:
			return
		}
		select {
		case <-wait.C:
			return
		default:
		}
	}
}

// decodeNs is about what it takes to read a sample from the journal and to decode it.
const decodeNs = 300

// spend counts what a start would have to do again.
func (l *line) spend(took time.Duration, batch []waiting) {
	samples, bytes := 0, int64(0)
	for i := range batch {
		if batch[i].Batch != nil {
			samples += len(batch[i].Batch.Samples)
		}
		bytes += batch[i].bytes
	}
	l.spentNs.Add(took.Nanoseconds() + int64(samples)*decodeNs)
	l.bytes.Add(bytes)
}

// cost returns how long a start would take to fold what came since the last checkpoint, and how much of the journal that is.
func (l *line) cost() (time.Duration, int64) { return time.Duration(l.spentNs.Load()), l.bytes.Load() }

// paid notes that a checkpoint has everything that has been folded.
func (l *line) paid() {
	l.spentNs.Store(0)
	l.bytes.Store(0)
}

// lineLong is how full of its room a line is when the fold takes all processors to shorten it. Until then it leaves one to the door: an acknowledgement would wait for it else, whenever
// a window closes.
const lineLong = 4

// side returns how clusters are folded now.
func (l *line) side() func(n int, each func(i int)) {
	workers := runtime.GOMAXPROCS(0)
	if l.held.Load() < lineBytes/lineLong {
		workers--
	}
	return func(n int, each func(i int)) { sideBy(workers, n, each, nil) }
}

// patient is side for what takes so long that the line grows meanwhile: it leaves one processor to the door until the line is long.
func (l *line) patient(n int, each func(i int)) {
	all := runtime.GOMAXPROCS(0)
	if all == 1 {
		sideBySide(n, each)
		return
	}
	sideBy(all-1, n, each, func(done <-chan struct{}) bool {
		look := time.NewTicker(lineLook)
		defer look.Stop()
		for {
			select {
			case <-done:
				return false
			case <-look.C:
				if l.held.Load() >= lineBytes/lineLong {
					return true
				}
			}
		}
	})
}

// note keeps what the fold refused.
func (l *line) note(jobs []baseline.Job, res []series.Result) {
	for i := range res {
		n := res[i].Rejected
		if n == 0 {
			continue
		}
		rejectedFold.Add(n)
		next := refused{samples: int64(n), lastMs: jobs[i].Batch.ReceivedMs, sender: jobs[i].Batch.Sender, reason: res[i].Reason}
		if old := l.refused.Load(); old != nil {
			next.samples += old.samples
		}
		l.refused.Store(&next)
	}
}

var (
	lineFull     = metrics.NewCounter("wrackline_line_full_total")
	rejectedFold = metrics.NewCounter(`wrackline_ingest_samples_rejected_total{by="fold"}`)
)
