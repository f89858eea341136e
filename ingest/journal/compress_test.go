package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// message returns a remote-write message that says which one it is.
func message(i uint64) []byte {
	var m []byte
	field := func(dst []byte, tag byte, b []byte) []byte {
		return append(binary.AppendUvarint(append(dst, tag), uint64(len(b))), b...)
	}
	for k := range 20 {
		var s []byte
		for n, v := range []string{fmt.Sprintf("metric_%d_total", k), "prod", fmt.Sprintf("pod-%d", (i+uint64(k))%7), "container"} {
			s = field(s, tagLabel, field(field(nil, 1<<3|2, []byte{'l', byte('0' + n)}), 2<<3|2, []byte(v)))
		}
		sample := binary.LittleEndian.AppendUint64([]byte{tagValue}, i*uint64(k))
		sample = binary.AppendUvarint(append(sample, tagTime), 1_700_000_000_000+i*15_000)
		m = field(m, tagSeries, field(s, tagSamples, sample))
	}
	return m
}

// request returns a record with a message as senders compress it; one of five is something else.
func request(i uint64) Record {
	r := Record{ReceivedMs: int64(1_700_000_000_000 + 7*i), Sender: fmt.Sprintf("sender-%d", i%3), Cluster: strings.Repeat("c", int(i%5)), Proto: 1, Encoding: encodingSnappy}
	m := message(i)
	r.Body = s2.EncodeSnappy(nil, m)
	switch i % 10 {
	case 3:
		r.Encoding = encodingZstd
		r.Body = testZstd.EncodeAll(m, nil)
	case 5:
		r.Proto = 2 // whatever it holds
	case 7:
		r.Body = r.Body[:len(r.Body)-1] // cannot be unpacked
	case 9:
		r.Encoding, r.Body = 77, nil
	}
	return r
}

var testZstd, _ = zstd.NewWriter(nil)

// sameRequest reports whether got holds what request(i) holds, compressed or not.
func sameRequest(got Record, i uint64) bool {
	want := request(i)
	if got.Encoding == Plain {
		if i%10 == 7 || i%10 == 9 {
			return false // it could not be unpacked
		}
		want.Encoding, want.Body = Plain, message(i)
	}
	return same(got, want)
}

// requests returns the positions that Replay gives after a position, having checked what they hold.
func requests(t testing.TB, j *Journal, after uint64) (got []uint64) {
	t.Helper()
	if err := j.Replay(after, func(pos uint64, r Record) error {
		if len(got) > 0 && pos <= got[len(got)-1] || pos <= after {
			t.Fatalf("position %d after %v, asked for those after %d", pos, got, after)
		}
		if !sameRequest(r, pos) {
			t.Fatalf("position %d holds another record: %+v", pos, r)
		}
		got = append(got, pos)
		return nil
	}); err != nil {
		t.Fatalf("Replay: %v", err)
	}
	return got
}

func appendRequests(t testing.TB, j *Journal, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		if pos, err := j.Append(request(i)); err != nil || pos != i {
			t.Fatalf("Append = %d, %v; want %d", pos, err, i)
		}
	}
}

// atOnce compresses whatever is full and synced.
func atOnce(t testing.TB, j *Journal) {
	t.Helper()
	j.syncNow()
	j.compress(t.Context(), time.Hour)
}

var small = Options{SegmentBytes: 6000, CompressAfter: 1}

// compressedJournal makes a journal in dir whose segments are compressed but for the last one.
func compressedJournal(t testing.TB, dir string, n uint64) *Journal {
	t.Helper()
	j := open(t, dir, small)
	appendRequests(t, j, 1, n)
	atOnce(t, j)
	if s := j.Stats(); s.Segments < 3 || s.Compressed != s.Segments-1 {
		t.Fatalf("stats %+v: want all segments compressed but one", s)
	}
	return j
}

// TestCompressedIsReadAsBefore: positions and messages are the same from every starting point, now, after a restart, and with segments of both
// kinds in any order.
func TestCompressedIsReadAsBefore(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, small)
	appendRequests(t, j, 1, 150)
	before := j.Stats()
	atOnce(t, j)
	after := j.Stats()
	if after.Compressed != after.Segments-1 || after.Segments != before.Segments || after.Bytes > before.Bytes/4*3 ||
		after.LastPos != before.LastPos || after.FirstPos != before.FirstPos {
		t.Fatalf("stats before %+v, after %+v", before, after)
	}
	for range 2 {
		for from := uint64(0); from <= 150; from += 11 {
			wantRange(t, requests(t, j, from), from+1, 150)
		}
		_ = j.Close()
		j = open(t, dir, small)
	}
	j.opts.CompressAfter = -1
	appendRequests(t, j, 151, 250)
	_ = j.Close()
	j = open(t, dir, Options{SegmentBytes: 6000, CompressAfter: -1})
	wantRange(t, requests(t, j, 0), 1, 250)
	atOnce(t, j)
	if s := j.Stats(); s.Compressed != after.Compressed || s.Segments < s.Compressed+3 || s.DamagedBytes+s.TornBytes != 0 {
		t.Errorf("stats %+v: want old and compressed segments side by side", s)
	}
	if err := j.Drop(100); err != nil {
		t.Fatal(err)
	}
	wantRange(t, requests(t, j, 100), 101, 250)
}

// TestCompressingKilledAnywhere keeps the directory after every step, as a kill would leave it: whatever it was, all is there.
func TestCompressingKilledAnywhere(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, small)
	appendRequests(t, j, 1, 100)
	states := 0
	keep := func() {
		states++
		at := t.TempDir()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(at, f.Name()), b)
		}
		k := open(t, at, small)
		wantRange(t, requests(t, k, 0), 1, 100)
		appendRequests(t, k, 101, 110)
		atOnce(t, k)
		wantRange(t, requests(t, k, 0), 1, 110)
		if s := k.Stats(); s.DamagedBytes+s.TornBytes != 0 {
			t.Errorf("state %d: %+v", states, s)
		}
		if left, _ := filepath.Glob(filepath.Join(at, "*.tmp")); len(left) > 0 {
			t.Errorf("state %d: %v is left", states, left)
		}
		_ = k.Close()
	}
	writeAt, syncFile := j.writeAt, j.sync
	j.writeAt = func(f *os.File, b []byte, off int64) (int, error) {
		n, _ := writeAt(f, b[:len(b)/2], off)
		keep()
		m, err := writeAt(f, b[n:], off+int64(n))
		keep()
		return n + m, err
	}
	j.sync = func(f *os.File) error {
		err := syncFile(f)
		keep()
		return err
	}
	atOnce(t, j)
	keep() // the last one has taken its place
	if s := j.Stats(); s.Compressed < 3 || states < 5*s.Compressed {
		t.Errorf("%d states, %+v", states, s)
	}
}

// TestFailingDiskLeavesTheSegment: what cannot be written is counted and tried again later, and the old segment stays.
func TestFailingDiskLeavesTheSegment(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 6000, CompressAfter: time.Minute})
	now := time.Now().Add(time.Hour)
	j.now = func() time.Time { return now }
	appendRequests(t, j, 1, 100)
	now = now.Add(time.Hour)
	j.syncNow()
	writeAt, syncFile := j.writeAt, j.sync
	for i, fail := range []func(){
		func() { j.writeAt = func(*os.File, []byte, int64) (int, error) { return 0, syscall.ENOSPC } },
		func() {
			j.writeAt = func(f *os.File, b []byte, off int64) (int, error) {
				n, _ := writeAt(f, b[:len(b)/2], off)
				return n, syscall.EIO
			}
		},
		func() { j.sync = func(*os.File) error { return syscall.EIO } },
	} {
		was := compressionsFailed.Get()
		fail()
		atOnce(t, j)
		j.writeAt, j.sync = writeAt, syncFile
		atOnce(t, j)
		s := j.Stats()
		if n := compressionsFailed.Get() - was; s.Compressed != 0 || n != uint64(s.Segments-1) || s.SyncErr != nil {
			t.Fatalf("failure %d: %d counted, %+v; nothing should be tried again so soon", i, n, s)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
			t.Errorf("failure %d: %v is left", i, left)
		}
		wantRange(t, requests(t, j, 0), 1, 100)
		now = now.Add(time.Minute)
	}
	atOnce(t, j)
	if s := j.Stats(); s.Compressed != s.Segments-1 {
		t.Errorf("stats %+v once the disk is well", s)
	}
	wantRange(t, requests(t, j, 0), 1, 100)
}

// TestWhatIsCompressed: full segments that are synced and old enough, or much less when room is short; never one that is damaged, nor one that
// would not become smaller.
func TestWhatIsCompressed(t *testing.T) {
	want := func(j *Journal, n int, why string) {
		t.Helper()
		j.compress(t.Context(), time.Hour)
		if s := j.Stats(); s.Compressed != n {
			t.Errorf("%d of %d segments compressed, want %d: %s", s.Compressed, s.Segments, n, why)
		}
	}
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 6000})
	now := time.Now()
	j.now = func() time.Time { return now }
	appendRequests(t, j, 1, 60)
	full := j.Stats().Segments - 1
	now = now.Add(4 * time.Minute)
	j.syncNow()
	want(j, 0, "they are young")
	j.opts.MaxBytes = j.Stats().Bytes*2 - 1
	want(j, 1, "room is short until one of them is compressed")
	j.opts.MaxBytes = 1 << 30
	now = now.Add(time.Minute)
	want(j, full, "they are old")
	appendRequests(t, j, 61, 120)
	now = now.Add(time.Hour)
	want(j, full, "the rest is not synced")
	_ = j.Close()

	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	hurt := names[len(names)-2]
	b, err := os.ReadFile(hurt)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	write(t, hurt, b)
	j = open(t, dir, small)
	lost := 120 - len(requests(t, j, 0))
	atOnce(t, j)
	if s := j.Stats(); lost != 1 || s.Compressed != s.Segments-2 || len(requests(t, j, 0)) != 119 {
		t.Errorf("%d requests lost, %+v", lost, s)
	}
	if now, _ := os.ReadFile(hurt); !bytes.Equal(now, b) {
		t.Error("a damaged segment was changed")
	}

	j = open(t, t.TempDir(), Options{SegmentBytes: 5000, CompressAfter: 1})
	noise := make([]byte, 1000)
	for range 20 {
		for k := range noise {
			noise[k] = byte(rand.Uint32())
		}
		if _, err := j.Append(Record{Body: noise}); err != nil {
			t.Fatal(err)
		}
	}
	j.syncNow()
	want(j, 0, "nothing is gained")
}

// TestBitFlipInCompressed flips bits all over a compressed segment: what comes back is what was written, and what is missing was counted. The
// segments beside it are whole.
func TestBitFlipInCompressed(t *testing.T) {
	src := t.TempDir()
	j := compressedJournal(t, src, 60)
	first, second := j.segments[1].first, j.segments[2].first
	name := filepath.Base(j.path(first))
	_ = j.Close()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	whole, err := os.ReadFile(filepath.Join(src, name))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 1 + rnd.IntN(1+min(at, 60)) {
		b := bytes.Clone(whole)
		b[at] ^= 1 << rnd.IntN(8)
		write(t, filepath.Join(src, name), b)
		j, err := Open(src, Options{Sync: "off", CompressAfter: -1})
		if err != nil {
			t.Fatalf("seed %d: flip at %d: %v", seed, at, err)
		}
		got := requests(t, j, 0)
		lost := 60 - len(got)
		if lost > 0 && j.Stats().DamagedBytes == 0 || lost > 0 && at < headerSize && (at < 24 || at >= 32) {
			t.Fatalf("seed %d: flip at %d lost %d records, %d bytes counted", seed, at, lost, j.Stats().DamagedBytes)
		}
		for p := uint64(1); p <= 60; p++ {
			if (p < first || p >= second) && !slices.Contains(got, p) {
				t.Fatalf("seed %d: flip at %d lost position %d of another segment", seed, at, p)
			}
		}
		_ = j.Close()
	}
}

// TestLastSegmentIsCompressed: the segment behind it is gone. Its records are read, and another one is begun.
func TestLastSegmentIsCompressed(t *testing.T) {
	for _, flip := range []bool{false, true} {
		dir := t.TempDir()
		j := compressedJournal(t, dir, 60)
		last := j.current().first
		name := j.path(j.segments[len(j.segments)-2].first)
		_ = j.Close()
		if err := os.Remove(j.path(last)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if flip {
			b[len(b)-1] ^= 1
			write(t, name, b)
		}
		j = open(t, dir, small)
		pos, err := j.Append(request(1))
		if err != nil || pos < last || !flip && pos != last {
			t.Fatalf("flip %v: Append = %d, %v; want %d", flip, pos, err, last)
		}
		if now, _ := os.ReadFile(name); !bytes.Equal(now, b) {
			t.Error("a compressed segment was appended to")
		}
		if n := j.Stats().DamagedBytes; n > 0 != flip {
			t.Errorf("flip %v: %d damaged bytes", flip, n)
		}
	}
}

// TestDroppedWhileCompressed: a segment that is dropped before its compressed form is ready does not come back.
func TestDroppedWhileCompressed(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, small)
	appendRequests(t, j, 1, 60)
	j.syncNow()
	real := j.sync
	j.sync = func(f *os.File) error {
		return errors.Join(j.Drop(60), real(f))
	}
	was := compressionsFailed.Get()
	j.compress(t.Context(), time.Hour)
	files, _ := filepath.Glob(filepath.Join(dir, "*seg*"))
	if len(files) != 1 || j.Stats().Segments != 1 || compressionsFailed.Get() != was {
		t.Errorf("%v, %+v", files, j.Stats())
	}
}

// TestCompressedWhileReadAndWritten runs all of it side by side.
func TestCompressedWhileReadAndWritten(t *testing.T) {
	j := open(t, t.TempDir(), small)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			j.syncNow()
			j.compress(ctx, 2*time.Millisecond)
		}
		j.abandon()
	})
	var dropped, written uint64
	for i := uint64(1); i <= 2000; i++ {
		appendRequests(t, j, i, i)
		written = i
		if i%200 == 0 {
			wantRange(t, requests(t, j, i-150), i-149, i)
		}
		if i%500 == 0 {
			dropped = i - 200
			if err := j.Drop(dropped); err != nil {
				t.Fatal(err)
			}
		}
	}
	for begin := time.Now(); j.Stats().Compressed == 0 && time.Since(begin) < time.Minute; time.Sleep(time.Millisecond) {
	}
	cancel()
	wg.Wait()
	wantRange(t, requests(t, j, dropped), dropped+1, written)
	if s := j.Stats(); s.Compressed == 0 || s.DamagedBytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestRunCompresses: Run does it by itself, and leaves nothing behind when it ends.
func TestRunCompresses(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, small)
	appendRequests(t, j, 1, 60)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- j.Run(ctx) }()
	for begin := time.Now(); j.Stats().Compressed < j.Stats().Segments-1; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("not compressed after a minute")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	wantRange(t, requests(t, j, 0), 1, 60)
}
