// Package logtest holds what every journal.Log must do, as tests that an implementation runs against itself.
package logtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/wrackline/wrackline/ingest/journal"
)

// Maker makes logs.
type Maker struct {
	// Open opens the log in dir, which is empty the first time. It should promise that what Wait returned for survives the machine.
	Open func(t *testing.T, dir string) journal.Log
	// CutTail takes the last bytes of a partition of the closed log in dir, as a crash in the middle of a write would. The last record may be lost by
	// it, no other. nil = the log has no tail that a crash could cut.
	CutTail func(t *testing.T, dir, partition string)
}

// Run runs all checks.
func Run(t *testing.T, m Maker) {
	t.Run("order", m.order)
	t.Run("reopen", m.reopen)
	t.Run("cut tail", m.cutTail)
	t.Run("read while appending", m.whileAppending)
	t.Run("drop", m.drop)
	t.Run("partitions", m.partitions)
	t.Run("stop and close", m.stopAndClose)
}

// record is the one of a partition and position.
func record(partition string, pos uint64) journal.Record {
	return journal.Record{ReceivedMs: int64(1_700_000_000_000 + pos), Sender: "sender", Cluster: partition, Proto: 2, Encoding: journal.Plain,
		Body: fmt.Appendf(nil, "%s %d", partition, pos)}
}

func add(t *testing.T, l journal.Log, partition string, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		pos, err := l.Append(partition, record(partition, i))
		if err == nil {
			err = l.Wait(t.Context(), partition, pos)
		}
		if err != nil || pos != i {
			t.Errorf("Append to %q = %d, %v; want %d", partition, pos, err, i)
			return
		}
	}
}

// want reads a partition and holds that it gives exactly the positions from…to, each with its own record.
func want(t *testing.T, l journal.Log, partition string, read, from, to uint64) {
	t.Helper()
	next := from
	err := l.Read(partition, read, func(pos uint64, r journal.Record) error {
		w := record(partition, pos)
		if pos != next || r.ReceivedMs != w.ReceivedMs || r.Sender != w.Sender || r.Cluster != w.Cluster || r.Proto != w.Proto || string(r.Body) != string(w.Body) {
			return fmt.Errorf("position %d, want %d, with %q", pos, next, r.Body)
		}
		next++
		return nil
	})
	if err != nil || next != to+1 {
		t.Errorf("reading %q from %d: up to %d, %v; want %d to %d", partition, read, next-1, err, from, to)
	}
}

func (m Maker) order(t *testing.T) {
	l := m.Open(t, t.TempDir())
	want(t, l, "a", 1, 1, 0)
	add(t, l, "a", 1, 50)
	for from := uint64(1); from <= 51; from++ {
		want(t, l, "a", from, from, 50)
	}
	want(t, l, "a", 0, 1, 50)
	close(t, l)
}

func (m Maker) reopen(t *testing.T) {
	dir := t.TempDir()
	for i := range uint64(4) {
		l := m.Open(t, dir)
		want(t, l, "a", 1, 1, 20*i)
		add(t, l, "a", 20*i+1, 20*i+20)
		close(t, l)
	}
}

func (m Maker) cutTail(t *testing.T) {
	if m.CutTail == nil {
		t.Skip("this log has no tail to cut")
	}
	dir := t.TempDir()
	l := m.Open(t, dir)
	add(t, l, "a", 1, 20)
	close(t, l)
	m.CutTail(t, dir, "a")
	l = m.Open(t, dir)
	var last uint64
	if err := l.Read("a", 1, func(pos uint64, _ journal.Record) error { last = pos; return nil }); err != nil || last < 19 {
		t.Fatalf("read up to %d, %v; want 19 or 20", last, err)
	}
	want(t, l, "a", 1, 1, last)
	add(t, l, "a", last+1, 40)
	want(t, l, "a", 1, 1, 40)
	close(t, l)
}

func (m Maker) whileAppending(t *testing.T) {
	l := m.Open(t, t.TempDir())
	add(t, l, "a", 1, 10)
	var wg sync.WaitGroup
	wg.Go(func() { add(t, l, "a", 11, 300) })
	for range 50 {
		next := uint64(5)
		if err := l.Read("a", 5, func(pos uint64, r journal.Record) error {
			if pos != next || string(r.Body) != string(record("a", pos).Body) {
				return fmt.Errorf("position %d, want %d, with %q", pos, next, r.Body)
			}
			next++
			return nil
		}); err != nil || next < 11 {
			t.Errorf("read up to %d, %v", next-1, err)
		}
	}
	wg.Wait()
	want(t, l, "a", 1, 1, 300)
	close(t, l)
}

func (m Maker) drop(t *testing.T) {
	dir := t.TempDir()
	l := m.Open(t, dir)
	add(t, l, "a", 1, 60)
	add(t, l, "b", 1, 10)
	for _, upTo := range []uint64{0, 30, 20, 60} {
		if err := l.Drop("a", upTo); err != nil {
			t.Fatal(err)
		}
		want(t, l, "a", upTo+1, max(upTo, 0)+1, 60)
	}
	want(t, l, "b", 1, 1, 10)
	close(t, l)
	l = m.Open(t, dir)
	add(t, l, "a", 61, 70)
	want(t, l, "a", 61, 61, 70)
	close(t, l)
}

func (m Maker) partitions(t *testing.T) {
	dir := t.TempDir()
	names := []string{"a", "A", "b/../a", "", ".", "ü", "a b"}
	for round := range uint64(2) {
		l := m.Open(t, dir)
		for i, name := range names {
			n := 5 + uint64(i)
			add(t, l, name, round*n+1, round*n+n)
		}
		for i, name := range names {
			want(t, l, name, 1, 1, (round+1)*(5+uint64(i)))
		}
		want(t, l, "another", 1, 1, 0)
		close(t, l)
	}
}

func (m Maker) stopAndClose(t *testing.T) {
	l := m.Open(t, t.TempDir())
	add(t, l, "a", 1, 5)
	stop := errors.New("stop")
	n := 0
	if err := l.Read("a", 2, func(uint64, journal.Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("Read = %v after %d records, want stop after 1", err, n)
	}
	close(t, l)
	if _, err := l.Append("a", record("a", 6)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	if err := l.Read("a", 1, func(uint64, journal.Record) error { return nil }); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Read after Close = %v", err)
	}
}

func close(t *testing.T, l journal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
