package store

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// format2 writes the store of a program of format 2 to dir, and returns its path and its models.
func format2(t *testing.T, dir string) (path string, list []pair) {
	t.Helper()
	in, err := os.Open("testdata/format2.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "a.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 90 {
		list = append(list, pair{fmt.Sprintf("rule~workload=w%d", i), []byte(fmt.Sprintf("%0900d", i))})
	}
	return path, list
}

// TestFormat2IsRaised: its checkpoint and charts come out of a file of format 2, whose models have no sums of their own, before and after a program of today has opened and saved it.
func TestFormat2IsRaised(t *testing.T) {
	path, list := format2(t, t.TempDir())
	sections := map[string][]byte{"a": []byte("one"), "b": make([]byte, 40_000)}
	pos := uint64(7)
	for step := range 4 {
		s := mustOpen(t, path, Options{ReadOnly: step%2 == 0})
		l, ok, err := s.Load()
		if err == nil && ok {
			err = expect(l, pos, sections, list)
		}
		if err != nil || !ok || s.quarantined != "" {
			t.Fatalf("step %d: %v, %v, %s", step, ok, err, s.quarantined)
		}
		if n := 0; true {
			for range l.Group("h") {
				n++
			}
			if n != 30 {
				t.Errorf("step %d: %d models in a group", step, n)
			}
		}
		if pts, _, err := s.rec.Range(list[0].id, epoch-1, epoch+1e7, 1000); err != nil || len(pts) != 100 {
			t.Errorf("step %d: %d points, %v", step, len(pts), err)
		}
		if rep, err := s.Verify(t.Context()); err != nil || !rep.OK() || rep.Models != 90 {
			t.Errorf("step %d: Verify: %+v, %v", step, rep, err)
		}
		if step == 1 {
			pos = 9
			list[3].data = []byte("another")
			if err := s.Save(Checkpoint{Pos: pos, Sections: sections, Groups: []Group{{"g", models(list[:60])}, {"h", models(list[60:])}}}); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
	}
}

// A bit in a model of format 2 costs the record that it is in; the others are carried over.
func TestFormat2Damaged(t *testing.T) {
	path, list := format2(t, t.TempDir())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, Options{ReadOnly: true})
	first := s.table.find(plainRow, "g")[0]
	s.Close()
	d := newDug(openFile(t, path), int64(len(b)))
	if err := d.locate([]portion{first}); err != nil || len(d.at[first.number]) != 1 {
		t.Fatalf("%v, %v", d.at, err)
	}
	b[d.at[first.number][0]+1000] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path, Options{})
	l, ok, err := s.Load()
	if err != nil || !ok || len(l.Holes) != 1 || l.Holes[0].Name != "g" {
		t.Fatalf("%v, %v, %v", ok, err, l.Holes)
	}
	got := map[string]string{}
	for id, data := range l.Models {
		got[id] = string(data)
	}
	if len(got)+l.Holes[0].Models != len(list) || len(got) < 50 {
		t.Errorf("%d models, lost are %v", len(got), l.Holes)
	}
	for _, m := range list {
		if data, ok := got[m.id]; ok && data != string(m.data) {
			t.Errorf("model %s is another", m.id)
		}
	}
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
