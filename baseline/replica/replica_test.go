package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
)

func labels(kv ...string) (l series.Labels) {
	for i := 0; i < len(kv); i += 2 {
		l = append(l, series.Label{Name: kv[i], Value: kv[i+1]})
	}
	return l
}

// heard returns a book with two senders, of which the first has sent ten series.
func heard(name string) *Book {
	b := &Book{}
	b.Reset()
	b.Begin(0)
	for i := range 10 {
		b.Hear(labels("__name__", "x", "job", fmt.Sprint(i), name, "a"))
	}
	b.Begin(1)
	return b
}

func TestWhichLabelsAreAsked(t *testing.T) {
	for name, want := range map[string]string{"replica": "[2=a]", "prometheus": "[2=a]", "instance": "[]", "pod": "[]", "cluster": "[]"} {
		b := heard(name)
		l := labels("__name__", "x", "job", "3", name, "b")
		b.Hear(l)
		var got []string
		b.Others(l, []string{"cluster"}, func(i int, v string) bool { got = append(got, fmt.Sprint(i, "=", v)); return false })
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
	b := heard("replica")
	b.Hear(labels("__name__", "x", "replica", "b"))
	b.Hear(labels("__name__", "y", "replica", "c")) // not constant in a request
	b.Others(labels("__name__", "y", "replica", "c"), nil, func(int, string) bool { t.Error("asked"); return true })
}

func TestClaims(t *testing.T) {
	agree := func(a, b uint32) (float64, bool) { return 5, true }
	differ := func(a, b uint32) (float64, bool) { return -1, true }
	silent := func(a, b uint32) (float64, bool) { return 0, false }
	for _, c := range []struct {
		name    string
		compare func(a, b uint32) (float64, bool)
		windows int
		alias   bool
		waits   bool
	}{
		{"they show the same", agree, 1, true, false}, {"they differ", differ, 1, false, true}, {"they go on to differ", differ, 3, false, false},
		{"nothing is known", silent, 4, false, true}, {"nothing will be known", silent, 5, false, false},
	} {
		b := heard("replica")
		x := b.Claim("replica", "b", "a", 1)
		b.Hold(x.No, Held{7, 3})
		b.Hold(x.No, Held{8, 4})
		for i := range c.windows {
			b.Judge(int64(i), c.compare)
		}
		_, alias := b.Alias("replica", "b")
		if x := b.Claim("replica", "b", "a", 2); alias != c.alias || x.Waits != c.waits {
			t.Errorf("%s: alias %v, waits %v", c.name, alias, x.Waits)
		}
		if turned := b.Claim("replica", "a", "b", 2); turned.Turn != (c.alias || c.waits) || turned.Waits {
			t.Errorf("%s: turned %+v", c.name, turned)
		}
		if later := b.Claim("replica", "b", "a", 2*refusedFor); !c.alias && !later.Waits {
			t.Errorf("%s: never asked again", c.name)
		}
		if gone := b.Gone(); (len(gone) == 2) != c.alias {
			t.Errorf("%s: gone %v", c.name, gone)
		}
		b.Keep([]uint32{0, 1, 2, 3, 4, 5, 6, NoSeries, NoSeries})
		if gone := b.Gone(); gone != nil {
			t.Errorf("%s: still gone %v", c.name, gone)
		}
	}
	b := heard("replica")
	for i := range 2 * claimsMost {
		b.Claim("replica", fmt.Sprint(i), "a", 1)
	}
	if len(b.claims) > claimsMost {
		t.Errorf("%d claims", len(b.claims))
	}
}

func TestState(t *testing.T) {
	b := heard("replica")
	b.Hear(labels("__name__", "x", "job", "3", "replica", "b"))
	x := b.Claim("replica", "b", "a", 1)
	b.Hold(x.No, Held{5, 3})
	b.Judge(1, func(a, b uint32) (float64, bool) { return 9, true })
	b.Claim("replica", "c", "a", 1)
	w := &codec.Writer{}
	b.Append(w)
	fault := errors.New("damaged")
	to := []uint32{0, 1, 2, 3, 4, 5}
	read := func(data []byte) (*Book, error) {
		n := &Book{}
		n.Reset()
		r := codec.NewReader(data, fault)
		n.Restore(r, to)
		if r.Err() == nil && r.Left() > 0 {
			r.Fail()
		}
		return n, r.Err()
	}
	n, err := read(w.B)
	if err != nil {
		t.Fatal(err)
	}
	again := &codec.Writer{}
	if n.Append(again); string(again.B) != string(w.B) || fmt.Sprint(n.Pairs()) != "[{replica [a b]}]" || n.ReplicaOf(1) != "b" || n.ReplicaOf(9) != "" {
		t.Errorf("%v, %s", n.Pairs(), n.ReplicaOf(1))
	}
	for i := range w.B {
		if _, err := read(w.B[:i]); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
		bad := append([]byte(nil), w.B...)
		bad[i] ^= 0x81
		read(bad) // must not panic
	}
}
