package journal

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestFullThenDropThenAppend(t *testing.T) {
	j := open(t, t.TempDir(), Options{MaxBytes: 8000, SegmentBytes: 1000})
	i := uint64(1)
	for ; ; i++ {
		pos, err := j.Append(record(i))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || pos != i {
			t.Fatalf("Append = %d, %v", pos, err)
		}
	}
	s := j.Stats()
	if !s.Full || s.Bytes > 8000 || s.LastPos != i-1 {
		t.Fatalf("stats of a full journal: %+v", s)
	}
	wantRange(t, replayed(t, j, 0), 1, i-1)
	if err := j.Drop(i - 1); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Segments != 1 || s.FirstPos <= 1 || s.LastPos != i-1 {
		t.Fatalf("stats after Drop: %+v", s)
	}
	appendN(t, j, i, i+5)
	if j.Stats().Full {
		t.Error("still said to be full after Append")
	}
	wantRange(t, replayed(t, j, i-1), i, i+5)
}

// TestFailedWriteIsUndone fails writes after every number of bytes: nothing of them is seen again, the next one works.
func TestFailedWriteIsUndone(t *testing.T) {
	for _, failure := range []error{syscall.ENOSPC, syscall.EIO} {
		dir := t.TempDir()
		j := open(t, dir, Options{})
		real := j.writeAt
		appendN(t, j, 1, 3)
		for n := range 60 {
			j.writeAt = func(f *os.File, b []byte, off int64) (int, error) {
				m, _ := real(f, b[:min(n, len(b))], off)
				return m, failure
			}
			_, err := j.Append(record(4))
			if !errors.Is(err, failure) || errors.Is(err, ErrFull) != (failure == syscall.ENOSPC) {
				t.Fatalf("Append = %v", err)
			}
			if got := j.Stats().LastPos; got != 3 {
				t.Fatalf("last position %d after a failed write", got)
			}
			wantRange(t, replayed(t, j, 0), 1, 3)
		}
		j.writeAt = real
		appendN(t, j, 4, 6)
		wantRange(t, replayed(t, j, 0), 1, 6)
		_ = j.Close()
		j = open(t, dir, Options{})
		wantRange(t, replayed(t, j, 0), 1, 6)
		if s := j.Stats(); s.TornBytes+s.DamagedBytes != 0 {
			t.Errorf("undone writes left damage: %+v", s)
		}
	}
}

// TestFailedUndoBeginsAnotherSegment: where the file cannot be cut back either, what it holds stays readable.
func TestFailedUndoBeginsAnotherSegment(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	appendN(t, j, 1, 3)
	real := j.writeAt
	j.writeAt = func(f *os.File, b []byte, off int64) (int, error) {
		n, _ := real(f, b[:20], off)
		_ = f.Close() // so that Truncate fails
		return n, syscall.EIO
	}
	if _, err := j.Append(record(4)); err == nil {
		t.Fatal("Append of a failed write succeeded")
	}
	j.writeAt = real
	j.unsynced = nil // the closed file would fail to sync, which is another test
	appendN(t, j, 4, 6)
	wantRange(t, replayed(t, j, 0), 1, 6)
	_ = j.Close()
	j = open(t, dir, Options{})
	wantRange(t, replayed(t, j, 0), 1, 6)
	appendN(t, j, 7, 7)
}

func TestTooLargeRecordIsRefused(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	if _, err := j.Append(Record{Sender: strings.Repeat("s", 70_000)}); err == nil {
		t.Error("a sender's name of 70,000 bytes was taken")
	}
	if _, err := j.Append(Record{Body: make([]byte, payloadMax)}); err == nil {
		t.Error("a record that no reader believes was taken")
	}
	appendN(t, j, 1, 1)
}
