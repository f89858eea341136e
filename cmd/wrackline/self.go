package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/peer"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// How Wrackline watches itself: facts are gathered (this file), judged into conditions (conditions.go), conditions that last are told past everything that could be broken (self_tell.go), and
// what was told outlives the process as far as the disk takes it (self_mark.go).
//
// Durations are measured by the monotonic clock: the wall clock may be what is wrong.

const (
	selfEvery = 15 * time.Second // between two looks
	eyeWait   = time.Second      // for an answer, before a look goes on without it
	hungAfter = time.Minute      // without an answer something hangs
)

// eye looks at something that may hang, as whatever has a lock that is held while a disk does not answer. One look is under way at a time, on a goroutine of its own.
type eye[T any] struct {
	mu    sync.Mutex
	value T
	under chan struct{} // closed when the look under way has ended; nil = none is
	begun time.Duration
	slow  bool // somebody has waited for it in vain
}

// see starts a look unless one is under way, waits for it for so long at most, and returns the newest answer and for how long one has been waited for.
func (e *eye[T]) see(now, most time.Duration, look func() T) (v T, hung time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.under == nil {
		done := make(chan struct{})
		e.under, e.begun, e.slow = done, now, false
		go func() {
			v := look()
			e.mu.Lock()
			e.value, e.under = v, nil
			e.mu.Unlock()
			close(done)
		}()
	}
	if done := e.under; !e.slow {
		e.mu.Unlock()
		wait := time.NewTimer(most)
		select {
		case <-done:
		case <-wait.C:
		}
		wait.Stop()
		e.mu.Lock()
		e.slow = e.under == done
	}
	if e.under != nil {
		hung = max(0, now-e.begun)
	}
	return e.value, hung
}

// failure is what went wrong the last time.
type failure struct{ err error }

// intake counts what became of requests behind the door.
type intake struct {
	taken, failed, busy atomic.Int64
	last                atomic.Pointer[failure] // of those that failed
	refusing            atomic.Pointer[failure] // the same, until one is taken
}

// note counts a request by its error.
func (n *intake) note(err error) error {
	switch {
	case err == nil:
		n.taken.Add(1)
		if n.refusing.Load() != nil {
			n.refusing.Store(nil)
		}
	case errors.Is(err, ingest.ErrBusy):
		n.busy.Add(1)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // nobody waits any more
	default:
		n.last.Store(&failure{err})
		n.refusing.Store(n.last.Load())
		n.failed.Add(1)
	}
	return err
}

// self is Wrackline's watch over itself.
type self struct {
	a    *app
	mono func() time.Duration // since the start; tests have another

	wait    time.Duration // see eyeWait; tests on a slow machine have more
	amend   func(*facts)  // tests give facts that cannot be made in them; nil = nobody does
	journal eye[journal.Stats]
	store   eye[store.Stats]
	stream  eye[signal.Stats]
	outbox  eye[outboxFacts]
	disk    eye[error]
	saved   time.Duration // when the mark was written; of disk's goroutine
	savedAs error

	poke    chan struct{}
	looking sync.Mutex // one look at a time
	mu      sync.Mutex // guards what follows
	memory  memory
	lasting map[string]*lasting // conditions by key
	groups  map[string]*group   // by cause
	looked  time.Duration       // when the last look ended
	mark    mark
	handed  *[]toldMark // what the life before in this process has told; nil = there was none
}

// outboxFacts are those of the outbox.
type outboxFacts struct {
	receivers []notify.Stats
	astray    []notify.Astray
	said      map[string]notify.Said // of the lane, by integration
	waiting   int
	lost      int64
}

// facts are what a look saw.
type facts struct {
	now       time.Duration
	ms        int64 // receive clock, Unix milliseconds
	ready     bool
	stage     string
	hung      map[string]time.Duration // what does not answer, and for how long
	journal   journal.Stats
	store     store.Stats
	stream    signal.Stats
	outbox    outboxFacts
	talks     []ingest.Talk
	heart     notify.HeartStats
	disk      error
	memory    float64       // used share of the memory limit; 0 = there is none
	saving    time.Duration // for how long a checkpoint has been written
	taken     int64         // see intake
	failed    int64
	busy      int64
	lastFail  error
	saveErr   error
	last      uint64 // positions of the newest request that is in the journal, and in the fold
	folded    uint64
	limited   *refused
	clock     ingest.ClockState
	undecoded int64
	peer      *peer.Status // of the other server of a pair; nil = there is none
}

func newSelf(a *app) *self {
	return &self{a: a, mono: func() time.Duration { return time.Since(a.started) }, lasting: map[string]*lasting{}, groups: map[string]*group{}, memory: newMemory(), poke: make(chan struct{}, 1), wait: eyeWait}
}

// gather looks at everything. It waits for nothing that may hang. Safe for concurrent use.
func (s *self) gather() *facts {
	a := s.a
	f := &facts{now: s.mono(), ms: a.clock.Now().UnixMilli(), ready: a.ready.Load(), stage: *a.progress.Load(), hung: map[string]time.Duration{}}
	f.taken, f.failed, f.busy = a.intake.taken.Load(), a.intake.failed.Load(), a.intake.busy.Load()
	if x := a.intake.last.Load(); x != nil {
		f.lastFail = x.err
	}
	if x := a.checkpointFail.Load(); x != nil {
		f.saveErr = x.err
	}
	if since := a.saveSince.Load(); since != 0 {
		f.saving = f.now - time.Duration(since)
	}
	f.folded, f.last = a.line.folded.Load(), a.line.last.Load() // in this order: what comes between is no arrear
	hung := func(what string, d time.Duration) {
		if d >= hungAfter {
			f.hung[what] = d
		}
	}
	var d time.Duration
	f.journal, d = s.journal.see(f.now, s.wait, a.journal.Stats)
	hung("the journal", d)
	f.store, d = s.store.see(f.now, s.wait, a.store.Stats)
	hung("the store", d)
	f.outbox, d = s.outbox.see(f.now, s.wait, func() (x outboxFacts) {
		b := a.outbox.Load()
		x.receivers, x.astray, x.said = b.Stats(), b.Astray(), a.herald.Load().Said()
		x.waiting, x.lost = b.Held()
		return x
	})
	hung("the outbox", d)
	f.stream, d = s.stream.see(f.now, s.wait, func() signal.Stats {
		a.fresh()
		return a.engine.Stats()
	})
	hung("the fold", d)
	f.disk, d = s.disk.see(f.now, s.wait, s.saveSometimes)
	hung("the disk", d)
	f.talks, f.limited, f.undecoded = a.heard.Talks(), a.line.refused.Load(), a.undecoded.Load()
	f.heart, f.clock = a.heart.Load().Stats(), a.clock.State()
	f.memory = memoryShare()
	if a.peer != nil {
		st := a.peer.State()
		f.peer = &st
	}
	if s.amend != nil {
		s.amend(f)
	}
	return f
}

// memoryShare returns which part of the runtime's memory limit was alive after the last collection; 0 when there is no limit.
func memoryShare() float64 {
	limit := debug.SetMemoryLimit(-1)
	if limit <= 0 || limit >= 1<<50 {
		return 0
	}
	x := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(x)
	return float64(x[0].Value.Uint64()) / float64(limit)
}

// remember asks for the mark to be written soon.
func (s *self) remember() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// look gathers, judges and tells. It returns the facts.
func (s *self) look() *facts {
	s.looking.Lock()
	defer s.looking.Unlock()
	f := s.gather()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.learn(f)
	s.stand(f, s.judge(f))
	s.looked = f.now
	return f
}

// step looks, and lets the watcher of senders look too.
func (s *self) step() {
	f := s.look()
	if up := s.a.up.Load(); up != 0 && f.hung["the fold"] == 0 {
		// While the machine slept, or by a clock that was wrong, nobody was silent.
		s.a.watch.look(f.stream.Senders, f.talks, f.ms, max(up, s.a.clock.CorrectedMs()))
		s.a.lag.look(f.stream.Senders, f.ms)
	}
}

// run looks until ctx ends.
func (s *self) run(ctx context.Context) {
	s.step()
	tick := time.NewTicker(selfEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.step()
		case <-s.poke: // somebody has been told, which is worth remembering at once
			s.disk.see(s.mono(), s.wait, s.save)
		}
	}
}

// seen returns the facts and the conditions as they are now, with what the last looks have learned.
func (s *self) seen() (*facts, []condition) {
	s.looking.Lock()
	defer s.looking.Unlock()
	f := s.gather()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.learn(f)
	return f, s.judge(f)
}

// begin takes up what a life before has left.
func (s *self) begin() {
	m := readMark(s.a.dir, s.a.now().UnixMilli())
	told := m.Told
	m.Told = nil
	if end := s.a.journal.Stats().LastPos; m.Taken > end {
		s.a.log.Error("the journal ends before what had been taken", "taken", m.Taken, "ends", end)
		s.a.noteLoss(fmt.Sprintf("requests up to %d had been taken, and the journal ends with %d: it was removed, or the disk has lost its end", m.Taken, end))
		m.Taken = end
	}
	s.mu.Lock()
	s.mark = m
	if s.handed != nil {
		told = *s.handed
	}
	s.mu.Unlock()
	s.recall(told)
	s.disk.see(s.mono(), s.wait, s.saveSometimes)
}

// metrics writes whether judging goes on, and which conditions there are.
func (s *self) metrics(gauge func(name string, v float64)) {
	ok, _ := s.alive()
	gauge("wrackline_judging", boolean(ok))
	h := s.a.heart.Load().Stats()
	last := 0.
	if !h.Last.IsZero() {
		last = float64(h.Last.UnixMilli()) / 1000
	}
	gauge("wrackline_heartbeat_last_success_timestamp_seconds", last)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.lasting)) {
		x := s.lasting[key]
		gauge(`wrackline_condition_seconds{condition="`+x.kind+`",subject="`+labelText(x.subject)+`",blind="`+strconv.FormatBool(x.blind)+`"}`, (s.looked - x.since).Seconds())
	}
	gauge("wrackline_checkpoint_failing", boolean(s.a.checkpointFail.Load() != nil))
}

// alive says whether judging goes on, for the heartbeat and whoever asks the metrics.
func (s *self) alive() (bool, string) {
	if !s.a.ready.Load() {
		return false, "not ready: " + *s.a.progress.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.mono()
	if now-s.looked > hungAfter+selfEvery {
		return false, "the watch over Wrackline itself stands still"
	}
	for _, x := range s.lasting {
		if x.stops > 0 && x.seen == s.looked && now-x.since >= x.stops {
			return false, x.text
		}
	}
	return true, ""
}

// diskFaults are what disks answer, and the culprit in words.
var diskFaults = []struct {
	no   syscall.Errno
	says string
}{
	{syscall.ENOSPC, "the disk is full"}, {syscall.EDQUOT, "the disk quota is used up"}, {syscall.EROFS, "the disk is read-only"}, {syscall.EIO, "the disk fails"},
	{syscall.EACCES, "the disk refuses access"}, {syscall.EPERM, "the disk refuses access"},
}

// diskFault returns the culprit when err came from a disk, "" otherwise.
func diskFault(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range diskFaults {
		if disk.Is(err, f.no) {
			return f.says
		}
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Sprintf("the disk answers %q", no.Error())
	}
	return ""
}
