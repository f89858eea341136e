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

// TestFailedSyncHeals: nothing is acknowledged after a failed sync until what is not proven lies in another segment; then everything goes on. What was
// written before, also with segments that filled meanwhile, is read once and in order, by this process and by the next one, also when the process dies in between.
func TestFailedSyncHeals(t *testing.T) {
	for _, c := range []struct {
		name            string
		segment         int64
		proven, records uint64 // before the disk fails
		fails           int    // attempts to heal that fail
		die             bool   // before it heals
	}{
		{"one segment", 1 << 20, 3, 9, 2, false},
		{"nothing was proven", 1 << 20, 0, 5, 1, false},
		{"everything was", 1 << 20, 5, 6, 0, false},
		{"several segments", 2_000, 10, 60, 3, false},
		{"it dies", 2_000, 10, 60, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, Options{Sync: "always", SegmentBytes: c.segment})
			if c.proven > 0 {
				appendN(t, j, 1, c.proven)
				if err := j.Wait(t.Context(), c.proven); err != nil {
					t.Fatal(err)
				}
			}
			real := j.sync
			appendN(t, j, c.proven+1, c.records) // rotating syncs a header, so the disk fails behind them
			j.sync = func(*os.File) error { return syscall.EIO }
			if err := j.Wait(t.Context(), c.records); !errors.Is(err, syscall.EIO) || !errors.Is(err, ErrSync) {
				t.Errorf("Wait after a failed sync = %v", err)
			}
			if _, err := j.Append(record(c.records + 1)); !errors.Is(err, ErrSync) {
				t.Errorf("Append after a failed sync = %v", err)
			}
			for range c.fails {
				j.syncNow()
				if s := j.Stats(); s.SyncErr == nil || s.SyncedPos != c.proven {
					t.Fatalf("while the disk fails: %+v", s)
				}
			}
			last := c.records
			j.sync = real
			if !c.die {
				j.syncNow()
				if s := j.Stats(); s.SyncErr != nil || s.SyncedPos != c.records || s.LastPos != c.records {
					t.Fatalf("once the disk is well: %+v", s)
				}
				last += 20
				appendN(t, j, c.records+1, last)
				if err := j.Wait(t.Context(), last); err != nil {
					t.Fatal(err)
				}
				wantPositions(t, j, last)
			}
			if err := j.Close(); err != nil && !c.die {
				t.Fatal(err)
			}
			again := open(t, dir, Options{Sync: "always", SegmentBytes: c.segment})
			wantPositions(t, again, last)
			appendN(t, again, last+1, last+3)
			wantPositions(t, again, last+3)
		})
	}
}

// wantPositions fails unless the journal gives the records 1 to last, each once and whole.
func wantPositions(t *testing.T, j *Journal, last uint64) {
	t.Helper()
	got := replayed(t, j, 0)
	if uint64(len(got)) != last {
		t.Fatalf("%d records are read, want %d: %v", len(got), last, got)
	}
	for i, pos := range got {
		if pos != uint64(i)+1 {
			t.Fatalf("record %d is at position %d", i, pos)
		}
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
