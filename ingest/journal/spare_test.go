package journal

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestSpareTakesNothingOfTheLimit: what is kept for who looks back is read as long as it is there, counts apart, is never in the way of a record, and goes first.
func TestSpareTakesNothingOfTheLimit(t *testing.T) {
	o := Options{SegmentBytes: 4 << 10, MaxBytes: 64 << 10, CompressAfter: -1}
	full := false
	o.Disk.WriteAt = func(f *os.File, b []byte, off int64) (int, error) {
		if full {
			full = false // whoever gives way makes room
			return 0, syscall.ENOSPC
		}
		return f.WriteAt(b, off)
	}
	dir := t.TempDir()
	j := open(t, dir, o)
	n := uint64(0)
	for ; n < 1000; n++ { // four times the limit
		if _, err := j.Append(record(n + 1)); err != nil {
			t.Fatal(err)
		}
		if err := j.Spare(n, 0); err != nil {
			t.Fatal(err)
		}
	}
	st := j.Stats()
	if st.FirstPos != 1 || st.Bytes > 10<<10 || st.SpareBytes < o.MaxBytes || j.BytesBehind(0) != st.Bytes+st.SpareBytes || j.BytesBehind(n) >= j.BytesBehind(n/2) {
		t.Fatalf("%+v", st)
	}
	read := func(j *Journal) (first, count uint64, err error) {
		err = j.Replay(0, func(pos uint64, r Record) error {
			if first == 0 {
				first = pos
			}
			count++
			if !same(r, record(pos)) {
				t.Errorf("position %d is another record", pos)
			}
			return nil
		})
		return
	}
	beside, err := Open(dir, Options{Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if first, count, err := read(beside); err != nil || first != 1 || count != n {
		t.Errorf("beside its owner: %d from %d, %v", count, first, err)
	}
	if _, err := beside.Append(record(1)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("who reads beside appends: %v", err)
	}
	if err := j.Spare(n, n/2); err != nil {
		t.Fatal(err)
	}
	if first, count, err := read(j); err != nil || first < n/3 || first > n/2 || count != n-first+1 {
		t.Errorf("after a half was dropped: %d from %d, %v", count, first, err)
	}
	if _, _, err := read(beside); !errors.Is(err, ErrGone) {
		t.Errorf("what its owner has dropped: %v, want %v", err, ErrGone)
	}
	full = true
	if _, err := j.Append(record(n + 1)); err != nil {
		t.Errorf("what is spare does not give way to a record: %v", err)
	}
	if st := j.Stats(); st.SpareBytes != 0 || st.Full {
		t.Errorf("%+v", st)
	}
	full = true
	if _, err := j.Append(record(n + 2)); !errors.Is(err, ErrFull) {
		t.Errorf("with nothing spare: %v, want %v", err, ErrFull)
	}
}
