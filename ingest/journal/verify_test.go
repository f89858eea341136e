package journal

import (
	"errors"
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
