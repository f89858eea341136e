package journal

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// TestVerify: a sound journal has no damage, a flipped bit is in the segment that has it, a torn tail in the last, and nothing is changed.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 4_000})
	appendN(t, j, 1, 60)
	if _, err := Verify(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("Verify of an open journal: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := Verify(dir)
	if err != nil || len(list) < 3 {
		t.Fatal(list, err)
	}
	n := 0
	for _, c := range list {
		n += c.Records
		if c.Damaged != 0 || c.Last < c.First {
			t.Errorf("%+v", c)
		}
	}
	if n != 60 || list[0].First != 1 || list[len(list)-1].Last != 60 {
		t.Errorf("%d records: %+v", n, list)
	}
	hurt, last := filepath.Join(dir, list[1].Name), filepath.Join(dir, list[len(list)-1].Name)
	b, err := os.ReadFile(hurt)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	write(t, hurt, b)
	end, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	end = end[:len(end)-3]
	write(t, last, end)
	for range 2 { // the second time the same: nothing was cut
		again, err := Verify(dir)
		if err != nil || again[0].Damaged != 0 || again[1].Damaged == 0 || again[1].Records != list[1].Records-1 || again[len(again)-1].Damaged == 0 || again[len(again)-1].Last != 59 {
			t.Fatalf("%+v, %v", again, err)
		}
	}
	if _, err := Verify(filepath.Join(dir, "none")); err == nil {
		t.Error("a journal that is not there")
	}
}

// TestReadOnly: a journal that is only read gives back what is there, with a torn tail and without a lock, and changes nothing.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 4_000})
	appendN(t, j, 1, 60)
	if _, err := Open(dir, Options{ReadOnly: true}); !errors.Is(err, ErrLocked) {
		t.Errorf("read while another has it: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := j.path(j.current().first)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, b[:len(b)-3])
	write(t, filepath.Join(dir, "1.seg.tmp"), []byte("under way"))
	was := contents(t, dir)
	for _, lockless := range []bool{false, true} {
		if lockless {
			if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
				t.Fatal(err)
			}
			delete(was, lockName)
			if err := os.Chmod(dir, 0o500); err != nil { // root makes one all the same
				t.Fatal(err)
			}
		}
		r := open(t, dir, Options{ReadOnly: true})
		n := uint64(0)
		if err := r.Replay(0, func(pos uint64, x Record) error {
			if n++; pos != n || !same(x, record(pos)) {
				t.Errorf("record %d at %d", n, pos)
			}
			return nil
		}); err != nil || n != 59 {
			t.Errorf("%d records of 59: %v", n, err)
		}
		if st := r.Stats(); st.LastPos != 59 || st.DamagedBytes != 0 {
			t.Errorf("%+v", st)
		}
		if _, err := r.Append(record(60)); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Append: %v", err)
		}
		if err := errors.Join(r.Close(), os.Chmod(dir, 0o700)); err != nil {
			t.Error(err)
		}
		now := contents(t, dir)
		delete(now, lockName)
		delete(was, lockName)
		if !maps.Equal(was, now) {
			t.Error("something was changed")
		}
	}
	none := filepath.Join(dir, "none")
	if r := open(t, none, Options{ReadOnly: true}); r.Stats().LastPos != 0 {
		t.Errorf("of nothing: %+v", r.Stats())
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a directory was made")
	}
	if j := open(t, dir, Options{}); j.Stats().LastPos != 59 || j.Stats().TornBytes == 0 {
		t.Errorf("for writing afterwards: %+v", j.Stats())
	}
}

// contents returns the files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m[e.Name()] = string(b)
	}
	return m
}
