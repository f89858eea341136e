package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second Open = %v, want ErrLocked with the place", err)
	}
	_ = j.Close()
	open(t, dir, Options{})
}

// TestUnreadableSegmentIsNeverOverwritten: a disk that cannot be read when the journal is opened may be readable later.
func TestUnreadableSegmentIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	appendN(t, j, 1, 5)
	_ = j.Close()
	name := filepath.Join(dir, "00000000000000000001.seg")
	whole, _ := os.ReadFile(name)
	bad := bytes.Clone(whole)
	clear(bad[:headerSize]) // header and salt are gone: nothing can be verified
	write(t, name, bad)
	j = open(t, dir, Options{})
	pos, err := j.Append(Record{Body: []byte("x")})
	if err != nil || pos <= 5 {
		t.Fatalf("Append = %d, %v; want a position that the old segment cannot hold", pos, err)
	}
	_ = j.Close()
	if b, _ := os.ReadFile(name); !bytes.Equal(b, bad) {
		t.Fatal("damaged segment was changed")
	}
	write(t, name, whole) // the disk is well again
	j = open(t, dir, Options{})
	var got []uint64
	if err := j.Replay(0, func(p uint64, _ Record) error { got = append(got, p); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []uint64{1, 2, 3, 4, 5, pos}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("replayed %v, want %v", got, want)
	}
}

func TestLeftoversAndStrangersInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "00000000000000000007.seg.tmp"), []byte("begun"))
	write(t, filepath.Join(dir, "notes.txt"), []byte("mine"))
	j := open(t, dir, Options{})
	appendN(t, j, 1, 2)
	if _, err := os.Stat(filepath.Join(dir, "00000000000000000007.seg.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Error("interrupted segment was not removed")
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Error("a stranger's file was touched")
	}
	_ = j.Close()
	write(t, filepath.Join(dir, "1.seg"), nil)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open with a misnamed segment = %v", err)
	}
}
