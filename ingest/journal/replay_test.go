package journal

import (
	"errors"
	"fmt"
	"testing"
)

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
