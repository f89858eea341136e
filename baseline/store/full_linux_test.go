// A disk that is really full: a small file system of the test's own.

package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/baseline/store/disk/disktest"
)

// TestDamagedOnAFullDisk: what a damaged file still has is not given up for want of room. It stays as it was, its twin can be read, and with room it is salvaged.
func TestDamagedOnAFullDisk(t *testing.T) {
	rng := seeded(t)
	dir := disktest.Small(t, 24)
	path := filepath.Join(dir, "a.db")
	p, err := OpenPair(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := fillPair(t, p, rng, 4)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, want[300].sections["b"][:64]) // the store itself has the first and the third
	b[at+7] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.data")
	disktest.Fill(t, other)
	if p, err := OpenPair(path, Options{}); !disk.Full(err) {
		t.Fatalf("opened on a full disk: %v, %v", p, err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, b) {
		t.Fatalf("the damaged file is not where it was: %v", err)
	}
	p, err = OpenPair(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for l, err := range p.Generations(0) {
		if err == nil {
			err = expect(l, 400, want[400].sections, want[400].models)
		}
		if err != nil {
			t.Error(err)
		}
		break
	}
	if err := p.Save(Checkpoint{Pos: 500}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("saved into what is only read: %v", err)
	}
	if err := errors.Join(p.Close(), os.Remove(other)); err != nil {
		t.Fatal(err)
	}
	p, err = OpenPair(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, kept := p.Quarantined(); kept.History == 0 {
		t.Errorf("salvaged: %+v", kept)
	}
	if pts, _, err := p.Recorder().Range("signal-000", 0, 1e9, 1000); err != nil || len(pts) == 0 {
		t.Errorf("%d points, %v", len(pts), err)
	}
}

// TestBeginOnAFullDisk: a store that cannot be made leaves no half of one behind, which the next start would take for a damaged one.
func TestBeginOnAFullDisk(t *testing.T) {
	dir := disktest.Small(t, 24)
	other := filepath.Join(dir, "other.data")
	disktest.Fill(t, other)
	path := filepath.Join(dir, "a.db")
	if s, err := Open(path, Options{}); !disk.Full(err) {
		t.Fatalf("%v, %v", s, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, Options{})
	if path, _ := s.Quarantined(); path != "" {
		t.Errorf("set aside: %s", path)
	}
}
