package journal

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestGroupCommit: with "always" nobody is told before a sync that began after his write has ended, and syncs are shared: one is
// held up until all have written, so the next one is for all the others.
func TestGroupCommit(t *testing.T) {
	j := open(t, t.TempDir(), Options{Sync: "always", SegmentBytes: 4000})
	var syncs, written atomic.Int64
	real := j.sync
	const writers, rounds = 16, 10
	j.sync = func(f *os.File) error {
		if info, err := f.Stat(); err != nil || info.Size() == headerSize {
			return errors.Join(err, real(f)) // a segment's header, which all others wait for
		}
		syncs.Add(1)
		for written.Load() < writers {
			time.Sleep(time.Millisecond)
		}
		return real(f)
	}
	for range rounds {
		written.Store(0)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				pos, err := j.Append(Record{Body: []byte("x")})
				written.Add(1)
				if err == nil {
					err = j.Wait(t.Context(), pos)
				}
				if err != nil {
					t.Errorf("Append and Wait: %v", err)
					return
				}
				if s := j.Stats().SyncedPos; s < pos {
					t.Errorf("Wait(%d) returned at synced position %d", pos, s)
				}
			})
		}
		wg.Wait()
	}
	// A sync is of two files when a segment was followed by another since the last one.
	if n, most := syncs.Load(), int64(2*rounds+j.Stats().Segments); n < rounds || n > most {
		t.Errorf("%d syncs for %d rounds of %d writers, want at most %d", n, rounds, writers, most)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	j := open(t, t.TempDir(), Options{Sync: "always"})
	appendN(t, j, 1, 1)
	<-j.syncing // a sync that takes long
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := j.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait = %v", err)
	}
	j.syncing <- struct{}{}
}

// TestFailedSyncIsSticky: durability is not claimed any more, whatever later syncs say.
func TestFailedSyncIsSticky(t *testing.T) {
	j := open(t, t.TempDir(), Options{Sync: "always"})
	appendN(t, j, 1, 1)
	if err := j.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	real := j.sync
	j.sync = func(*os.File) error { return syscall.EIO }
	appendN(t, j, 2, 2)
	if err := j.Wait(t.Context(), 2); !errors.Is(err, syscall.EIO) {
		t.Errorf("Wait after a failed sync = %v", err)
	}
	j.sync = real
	appendN(t, j, 3, 3) // killed processes lose nothing still
	if err := j.Wait(t.Context(), 3); !errors.Is(err, syscall.EIO) {
		t.Errorf("Wait later = %v", err)
	}
	if s := j.Stats(); s.SyncErr == nil || s.SyncedPos != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestRunSyncs: every second, and a last time at the end.
func TestRunSyncs(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- j.Run(ctx) }()
	appendN(t, j, 1, 5)
	if err := j.Wait(ctx, 5); err != nil {
		t.Errorf("Wait = %v", err)
	}
	for begin := time.Now(); j.Stats().SyncedPos < 5; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("not synced after a minute")
		}
	}
	appendN(t, j, 6, 7)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if p := j.Stats().SyncedPos; p != 7 {
		t.Errorf("synced position %d at the end, want 7", p)
	}
}
