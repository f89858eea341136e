package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("WRACKLINE_JOURNAL_CHILD"); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// record returns a record that says which one it is, of a size that depends on it.
func record(i uint64) Record {
	r := rand.New(rand.NewPCG(i, 1))
	body := make([]byte, 10+r.IntN(300))
	for k := range body {
		body[k] = byte(r.Uint32())
	}
	return Record{
		ReceivedMs: int64(1_700_000_000_000 + i), Sender: fmt.Sprintf("sender-%d", i%3), Cluster: strings.Repeat("c", int(i%5)),
		Proto: uint8(1 + i%2), Encoding: uint8(1 + i%2), Body: body,
	}
}

func same(a, b Record) bool {
	return a.ReceivedMs == b.ReceivedMs && a.Sender == b.Sender && a.Cluster == b.Cluster && a.Proto == b.Proto &&
		a.Encoding == b.Encoding && bytes.Equal(a.Body, b.Body)
}

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// appendN appends the records of positions from to to.
func appendN(t testing.TB, j *Journal, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		pos, err := j.Append(record(i))
		if err != nil {
			t.Fatalf("Append %d: %v", i, err)
		}
		if pos != i {
			t.Fatalf("Append gave position %d, want %d", pos, i)
		}
	}
}

// replayed returns the positions that Replay gives, having checked that each record is the one that was written.
func replayed(t testing.TB, j *Journal, after uint64) []uint64 {
	t.Helper()
	var got []uint64
	if err := j.Replay(after, func(pos uint64, r Record) error {
		if len(got) > 0 && pos <= got[len(got)-1] || pos <= after {
			t.Errorf("position %d after %v, asked for those after %d", pos, got, after)
		}
		if !same(r, record(pos)) {
			t.Errorf("position %d holds another record", pos)
		}
		got = append(got, pos)
		return nil
	}); err != nil {
		t.Fatalf("Replay: %v", err)
	}
	return got
}

func wantRange(t testing.TB, got []uint64, from, to uint64) {
	t.Helper()
	if uint64(len(got)) != to-from+1 {
		t.Fatalf("replayed %d records, want %d to %d", len(got), from, to)
	}
	for i, p := range got {
		if p != from+uint64(i) {
			t.Fatalf("record %d has position %d, want %d", i, p, from+uint64(i))
		}
	}
}

// TestReplayGivesWhatWasAppended holds over segments, restarts and starting points.
func TestReplayGivesWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentBytes: 2000}
	for restart := range uint64(4) {
		j := open(t, dir, o)
		appendN(t, j, restart*50+1, restart*50+50)
		for _, after := range []uint64{0, 1, 49, 50, restart*50 + 17} {
			wantRange(t, replayed(t, j, after), after+1, restart*50+50)
		}
		if got := replayed(t, j, restart*50+50); got != nil {
			t.Errorf("replay after the last position gave %v", got)
		}
		s := j.Stats()
		if s.FirstPos != 1 || s.LastPos != restart*50+50 || s.Segments < 3 {
			t.Errorf("stats %+v", s)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayStopsAtTheFirstError(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	appendN(t, j, 1, 5)
	stop := errors.New("stop")
	n := 0
	if err := j.Replay(0, func(uint64, Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("Replay = %v after %d records, want stop after 1", err, n)
	}
}

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

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
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

// TestDropKeepsWhatIsAbove drops at every position: what is above it can still be replayed, here and after a restart.
func TestDropKeepsWhatIsAbove(t *testing.T) {
	for upTo := uint64(0); upTo <= 30; upTo += 3 {
		dir := t.TempDir()
		j := open(t, dir, Options{SegmentBytes: 1000})
		appendN(t, j, 1, 30)
		if err := j.Drop(upTo); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := replayed(t, j, upTo); len(got) != int(30-upTo) {
				t.Fatalf("after Drop(%d): replayed %d records", upTo, len(got))
			}
			_ = j.Close()
			j = open(t, dir, Options{SegmentBytes: 1000})
		}
		appendN(t, j, 31, 32)
	}
}

// TestPositionsOutliveDrop: a journal whose records were all dropped goes on counting.
func TestPositionsOutliveDrop(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 100})
	appendN(t, j, 1, 10)
	if err := j.Drop(10); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	j = open(t, dir, Options{})
	appendN(t, j, 11, 12)
}

func TestSkipTo(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	j.SkipTo(100)
	appendN(t, j, 101, 103)
	j.SkipTo(50) // lower: nothing happens
	appendN(t, j, 104, 104)
	j.SkipTo(200)
	if p := j.Stats().LastPos; p != 200 {
		t.Errorf("last position %d, want 200", p)
	}
	appendN(t, j, 201, 202)
	_ = j.Close()
	j = open(t, dir, Options{})
	got := replayed(t, j, 0)
	if want := []uint64{101, 102, 103, 104, 201, 202}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("replayed %v, want %v", got, want)
	}
	appendN(t, j, 203, 203)
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

// TestGroupCommit: with "always" nobody is told before a sync that began after his write has ended, and syncs are shared.
func TestGroupCommit(t *testing.T) {
	j := open(t, t.TempDir(), Options{Sync: "always", SegmentBytes: 4000})
	var syncs atomic.Int64
	real := j.sync
	j.sync = func(f *os.File) error {
		syncs.Add(1)
		time.Sleep(time.Millisecond)
		return real(f)
	}
	const writers, each = 16, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				pos, err := j.Append(Record{Body: []byte("x")})
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
			}
		})
	}
	wg.Wait()
	if n := syncs.Load(); n == 0 || n > writers*each*3/4 {
		t.Errorf("%d syncs for %d records of %d writers", n, writers*each, writers)
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
		if time.Since(begin) > 5*time.Second {
			t.Fatal("not synced after 5 s")
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

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second Open = %v, want ErrLocked with the place", err)
	}
	_ = j.Close()
	open(t, dir, Options{})
}

func TestOtherVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	h := appendHeader(nil, 1, 7)
	binary.LittleEndian.PutUint32(h[8:], 2)
	binary.LittleEndian.PutUint32(h[32:], crc32.Checksum(h[:32], castagnoli))
	name := filepath.Join(dir, "00000000000000000001.seg")
	write(t, name, h)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Open = %v", err)
	}
	if b, _ := os.ReadFile(name); !bytes.Equal(b, h) {
		t.Error("the other version's segment was touched")
	}
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

// child appends until it is killed and prints each position that it may acknowledge.
func child(dir string) {
	j, err := Open(dir, Options{SegmentBytes: 20_000})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := j.Stats().LastPos + 1; ; i++ {
		pos, err := j.Append(record(i))
		if err != nil || pos != i {
			fmt.Println(pos, err)
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString(strconv.FormatUint(pos, 10) + "\n")
	}
}

// TestKilledProcessLosesNothing kills a writer again and again: all that it acknowledged is replayed.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var acked uint64
	for round := range 8 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "WRACKLINE_JOURNAL_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stop := 20 + rnd.IntN(300)
		for n := 0; lines.Scan(); n++ {
			pos, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("seed %d, round %d: child says %q", seed, round, lines.Text())
			}
			acked = pos
			if n == stop {
				_ = cmd.Process.Kill() // SIGKILL; what it printed meanwhile is read to the end
			}
		}
		_ = cmd.Wait()
		j := open(t, dir, Options{})
		got := replayed(t, j, 0)
		if len(got) == 0 || got[len(got)-1] < acked {
			t.Fatalf("seed %d, round %d: acknowledged %d, replayed %d records", seed, round, acked, len(got))
		}
		wantRange(t, got, 1, uint64(len(got)))
		_ = j.Close()
	}
	if acked < 100 {
		t.Errorf("only %d records were acknowledged: the test tested nothing", acked)
	}
}

// FuzzReader feeds a segment's bytes to the reader: it ends, gives rising positions, and never more than there is.
func FuzzReader(f *testing.F) {
	b := appendHeader(nil, 1, 42)
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
	b := appendHeader(nil, 1, 42)
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

func BenchmarkJournalAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	r := Record{ReceivedMs: 1, Sender: "10.0.0.1", Cluster: "prod", Proto: 1, Encoding: 1, Body: make([]byte, 60_000)}
	b.SetBytes(60_000)
	b.ReportAllocs()
	for b.Loop() {
		pos, err := j.Append(r)
		if err != nil {
			b.Fatal(err)
		}
		if pos%512 == 0 {
			if err := j.Drop(pos); err != nil {
				b.Fatal(err)
			}
		}
	}
}
