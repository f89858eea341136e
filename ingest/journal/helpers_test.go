package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
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
	j.frameBytes = 4 << 10 // many frames
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

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
