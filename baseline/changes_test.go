package baseline

import (
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/signal"
)

// TestChangesAreBounded holds that the newest ChangesMax are kept, that old slices are never written to, and that memory does not
// grow with what was forgotten.
func TestChangesAreBounded(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var old []signal.Change
	for i := range 3 * ChangesMax {
		e.remember([]signal.Change{{T: int64(i), Kind: signal.ChangeScale, Object: fmt.Sprint("d", i)}})
		if i == ChangesMax+10 {
			old = e.changes[:len(e.changes):len(e.changes)]
		}
	}
	if n := len(e.changes); n != ChangesMax || e.changes[n-1].T != 3*ChangesMax-1 || e.changes[0].T != 2*ChangesMax || e.changeSeq != 3*ChangesMax {
		t.Errorf("%d changes from %d to %d, %d ever", n, e.changes[0].T, e.changes[n-1].T, e.changeSeq)
	}
	if cap(e.changes) > 3*ChangesMax {
		t.Errorf("room for %d changes", cap(e.changes))
	}
	for i, c := range old {
		if c.T != int64(11+i) {
			t.Fatalf("an old view shows %d in place %d", c.T, i)
		}
	}
	view := e.AppendView(nil)
	n, _ := New(Options{})
	if err := n.RestoreView(view); err != nil || len(n.changes) != ChangesMax || n.changeSeq != e.changeSeq {
		t.Errorf("restored %d changes: %v", len(n.changes), err)
	}
	t.Logf("%d bytes for %d changes", len(view), ChangesMax)
}
