package journal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestTornTail cuts a journal at every byte of its last record: the records before it stay, the position is given again.
func TestTornTail(t *testing.T) {
	src := t.TempDir()
	j := open(t, src, Options{})
	appendN(t, j, 1, 5)
	before := j.Stats().Bytes
	appendN(t, j, 6, 6)
	_ = j.Close()
	whole, err := os.ReadFile(filepath.Join(src, "00000000000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := before; cut < int64(len(whole)); cut++ {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "00000000000000000001.seg"), whole[:cut])
		j := open(t, dir, Options{Sync: "off"})
		if s := j.Stats(); s.TornBytes != cut-before || s.LastPos != 5 || s.Bytes != before {
			t.Fatalf("cut at %d: %+v, want %d torn bytes, 5 records and %d bytes", cut, s, cut-before, before)
		}
		appendN(t, j, 6, 8)
		wantRange(t, replayed(t, j, 0), 1, 8)
		_ = j.Close()
	}
}

// TestBitFlipNeverGivesAWrongRecord flips bits all over a journal of three segments: what comes back is what was written,
// at most one record is missing (in the header: at most a segment's), and the journal takes records again.
func TestBitFlipNeverGivesAWrongRecord(t *testing.T) {
	src := t.TempDir()
	j := open(t, src, Options{SegmentBytes: 1500})
	appendN(t, j, 1, 20)
	_ = j.Close()
	names, err := filepath.Glob(filepath.Join(src, "*.seg"))
	if err != nil || len(names) < 3 {
		t.Fatalf("segments %v, %v", names, err)
	}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	files := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = b
	}
	dir := t.TempDir()
	for _, name := range names {
		name = filepath.Base(name)
		for at := 0; at < len(files[name]); at += 1 + rnd.IntN(7) {
			old, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, f := range old {
				_ = os.Remove(f)
			}
			for n, b := range files {
				if n == name {
					b = bytes.Clone(b)
					b[at] ^= 1 << rnd.IntN(8)
				}
				write(t, filepath.Join(dir, n), b)
			}
			j, err := Open(dir, Options{Sync: "off", SegmentBytes: 1500})
			if err != nil {
				t.Fatalf("seed %d: flip in %s at %d: %v", seed, name, at, err)
			}
			got := replayed(t, j, 0)
			lost := 20 - len(got)
			if most := 1; lost > most && at >= headerSize {
				t.Fatalf("seed %d: flip in %s at %d lost %d records", seed, name, at, lost)
			}
			if s := j.Stats(); lost > 0 && s.DamagedBytes+s.TornBytes == 0 {
				t.Fatalf("seed %d: flip in %s at %d lost %d records and nothing was counted: %+v", seed, name, at, lost, s)
			}
			next := j.Stats().LastPos + 1
			if pos, err := j.Append(record(next)); err != nil || pos != next {
				t.Fatalf("seed %d: flip in %s at %d: Append = %d, %v; want %d", seed, name, at, pos, err, next)
			}
			if again := replayed(t, j, 0); len(again) != len(got)+1 {
				t.Fatalf("seed %d: flip in %s at %d: %d records, then %d after one more", seed, name, at, len(got), len(again))
			}
			_ = j.Close()
		}
	}
}

// TestBodiesCannotForgeRecords puts a whole record into a body and damages the record that carries it.
func TestBodiesCannotForgeRecords(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	appendN(t, j, 1, 1)
	forged := appendRecord(nil, 0, 2, Record{Body: []byte("forged")})
	if _, err := j.Append(Record{Body: forged}); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 3, 3)
	_ = j.Close()
	name := filepath.Join(dir, "00000000000000000001.seg")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, forged)-1] ^= 1 // the length of the cluster's name
	write(t, name, b)
	j = open(t, dir, Options{})
	got := replayed(t, j, 0)
	if len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("replayed %v, want 1 and 3", got)
	}
}

// failingReader fails from an offset on.
type failingReader struct {
	b  []byte
	at int64
}

func (f failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		n := 0
		if off < f.at {
			n = copy(p, f.b[off:f.at])
		}
		return n, syscall.EIO
	}
	n := copy(p, f.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// TestReadErrorKeepsWhatCameBefore: an unreadable sector ends the segment with an error, not with wrong records.
func TestReadErrorKeepsWhatCameBefore(t *testing.T) {
	b := appendHeader(nil, version, 1, 42)
	var ends []int
	for i := range uint64(5) {
		b = appendRecord(b, 42, i+1, record(i+1))
		ends = append(ends, len(b))
	}
	r := newReader(failingReader{b, int64(ends[2])}, 1, int64(len(b)))
	n := 0
	for r.next() {
		n++
	}
	if n != 3 || !errors.Is(r.err, syscall.EIO) {
		t.Errorf("%d records, error %v; want 3 and EIO", n, r.err)
	}
}

// FuzzReader feeds a segment's bytes to the reader: it ends, gives rising positions, and never more than there is.
func FuzzReader(f *testing.F) {
	b := appendHeader(nil, version, 1, 42)
	for i := range uint64(3) {
		b = appendRecord(b, 42, i+1, record(i+1))
	}
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Add(b[:50])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader(bytes.NewReader(b), 1, int64(len(b)))
		var last uint64
		var bytesSeen int
		for r.next() {
			if r.last <= last {
				t.Fatalf("position %d after %d", r.last, last)
			}
			last = r.last
			bytesSeen += len(r.record.Body)
		}
		if bytesSeen > len(b) || r.end > int64(len(b)) || r.skipped > int64(len(b)) || r.tail() < 0 {
			t.Fatalf("%d bytes of records in a segment of %d", bytesSeen, len(b))
		}
	})
}
