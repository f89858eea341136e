package twin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// view reads name a=b c=d.
func view(text string) (string, *identity.View) {
	name, rest, _ := strings.Cut(text, " ")
	l := series.Labels{{Name: series.NameLabel, Value: name}}
	for kv := range strings.FieldsSeq(rest) {
		k, v, _ := strings.Cut(kv, "=")
		l = append(l, series.Label{Name: k, Value: v})
	}
	return name, &identity.View{Labels: l, Cluster: "c"}
}

// table is a table whose series show what a test says.
type table struct {
	Table
	at   []Reading
	name map[string]uint32
}

func newTable() *table {
	t := &table{name: map[string]uint32{}}
	t.Reset()
	return t
}

func (t *table) meet(text string, x Reading) {
	name, v := view(text)
	if _, ok := t.name[name]; !ok {
		t.name[name] = uint32(len(t.name))
	}
	x.Metric = t.name[name]
	t.Meet(uint32(len(t.at)), name, 0, v)
	t.at = append(t.at, x)
}

func (t *table) left(end int64) (out []uint32) {
	t.Choose(0, end, func(id uint32) Reading { return t.at[id] }, func(a At) string { return a.Host }, func(id uint32) { out = append(out, id) })
	slices.Sort(out)
	return out
}

func fresh(v float64) Reading { return Reading{LastT: 100, Live: true, V: v} }

func rising(v, inc float64) Reading {
	return Reading{LastT: 100, Live: true, Counter: true, V: v, Inc: inc, Step: inc / 6}
}

func TestWhatIsLeftOut(t *testing.T) {
	old := Reading{LastT: 10, Live: true}
	dead := Reading{LastT: 100}
	known := Reading{LastT: 100, Live: true, Known: 2}
	for _, c := range []struct {
		what string
		list map[int]string
		at   []Reading
		want string
	}{
		{"one object, two askers", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_x pod=a job=2"}, []Reading{fresh(1), fresh(1)}, "[1]"},
		{"the first is late", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_x pod=a job=2"}, []Reading{old, fresh(1)}, "[0]"},
		{"the first has ended", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_x pod=a job=2"}, []Reading{dead, old}, "[0]"},
		{"of the second more is known", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_x pod=a job=2"}, []Reading{fresh(1), known}, "[0]"},
		{"two conditions of one asker", map[int]string{0: "kube_pod_x pod=a c=t job=1", 1: "kube_pod_x pod=a c=f job=1"}, []Reading{fresh(1), fresh(0)}, "[]"},
		{"two objects", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_x pod=b job=2"}, []Reading{fresh(1), fresh(1)}, "[]"},
		{"two metrics", map[int]string{0: "kube_pod_x pod=a job=1", 1: "kube_pod_y pod=a job=2"}, []Reading{fresh(1), fresh(1)}, "[]"},
		{"a custom resource", map[int]string{0: "kube_customresource_x name=a job=1 pod=k", 1: "kube_customresource_x name=a job=2 endpoint=h"}, []Reading{fresh(1), fresh(1)}, "[1]"},
		{"volumes", map[int]string{0: "kubelet_volume_stats_used_bytes namespace=a persistentvolumeclaim=p instance=n1:1", 1: "kubelet_volume_stats_used_bytes namespace=a persistentvolumeclaim=p instance=n2:1"}, []Reading{fresh(1), fresh(1)}, "[1]"},
		{"the scrapes themselves", map[int]string{0: "up job=1 instance=h:1", 1: "up job=2 instance=h:1"}, []Reading{fresh(1), fresh(1)}, "[]"},
		{"what two probes say", map[int]string{0: "probe_success job=1 instance=h:1", 1: "probe_success job=2 instance=h:1"}, []Reading{fresh(1), fresh(1)}, "[]"},
		{"a counter at two ports", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:2"}, []Reading{rising(5000, 30), rising(5002, 30)}, "[1]"},
		{"one that is younger", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:2"}, []Reading{rising(500, 30), rising(502, 30)}, "[]"},
		{"… at one port", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:1"}, []Reading{rising(500, 30), rising(502, 30)}, "[1]"},
		{"two counters", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:2"}, []Reading{rising(5000, 30), rising(5040, 30)}, "[]"},
		{"two that stand still", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:2"}, []Reading{rising(5000, 0), rising(5000, 0)}, "[]"},
		{"one pod, found in two ways", map[int]string{0: "x job=1 instance=h:1 namespace=n pod=a", 1: "x job=2 instance=h:2 namespace=n pod=a"}, []Reading{rising(5000, 30), rising(5002, 30)}, "[1]"},
		{"two pods of one address", map[int]string{0: "x job=1 instance=h:1 namespace=n pod=a", 1: "x job=2 instance=h:1 namespace=n pod=b"}, []Reading{rising(5000, 30), rising(5002, 30)}, "[]"},
		{"two pods, of one machine", map[int]string{0: "node_x job=1 instance=h:1 namespace=n pod=a", 1: "node_x job=2 instance=h:2 namespace=m pod=b"}, []Reading{rising(5000, 30), rising(5002, 30)}, "[1]"},
		{"two hosts", map[int]string{0: "x job=1 instance=h:1", 1: "x job=1 instance=i:1"}, []Reading{rising(5000, 30), rising(5000, 30)}, "[]"},
		{"nothing says where", map[int]string{0: "x job=1", 1: "x job=2"}, []Reading{rising(5000, 30), rising(5000, 30)}, "[]"},
		{"gauges go with counters", map[int]string{0: "x job=1 instance=h:1", 1: "x job=2 instance=h:2", 2: "g job=1 instance=h:1", 3: "g job=2 instance=h:2"},
			[]Reading{rising(5000, 30), rising(5002, 30), fresh(1), fresh(9)}, "[1 3]"},
		{"labels of who was asked", map[int]string{0: "x code=200 job=1 instance=h:1 app=a", 1: "x code=200 job=2 instance=h:2 svc=b ns=c", 2: "x code=500 job=1 instance=h:1 app=a", 3: "x code=500 job=2 instance=h:2 svc=b ns=c"},
			[]Reading{rising(5000, 30), rising(5002, 30), rising(70, 0), rising(70, 0)}, "[1 3]"},
	} {
		x := newTable()
		for i := range c.at {
			x.meet(c.list[i], c.at[i])
		}
		if got := fmt.Sprint(x.left(100)); got != c.want {
			t.Errorf("%s: left out are %s, want %s", c.what, got, c.want)
		}
	}
}

// TestOneStaysOne holds how many windows two may disagree before they are two, and that they are looked at again.
func TestOneStaysOne(t *testing.T) {
	x := newTable()
	x.meet("x job=1 instance=h:1", rising(5000, 30))
	x.meet("x job=2 instance=h:2", rising(5002, 30))
	end := int64(100)
	step := func(a, b float64, want string) {
		t.Helper()
		x.at[0].V, x.at[1].V = a, b
		if got := fmt.Sprint(x.left(end)); got != want {
			t.Errorf("minute %d: left out are %s, want %s", end/windowMs, got, want)
		}
		end += windowMs
		x.at[0].LastT, x.at[1].LastT = end, end
	}
	step(5000, 5002, "[1]")
	step(5000, 1, "[1]") // one has begun anew, the other has not been asked since
	step(1, 1, "[1]")
	for range strikes - 1 {
		step(5000, 9000, "[1]")
	}
	step(5000, 9000, "[]")
	step(5000, 5000, "[]") // not looked at
	for range 3 {
		step(5000, 9000, "[]")
	}
	end += windowMs << looksMost
	x.at[0].LastT, x.at[1].LastT = end, end
	step(50_000, 50_000, "[1]")
}

func TestState(t *testing.T) {
	x := newTable()
	for i, text := range []string{"kube_pod_x pod=a job=1", "x job=1 instance=h:1", "up job=1", "x job=2 instance=h:2", "kube_pod_x pod=a job=2", "x job=3 instance=h:3"} {
		x.meet(text, []Reading{0: fresh(1), 1: rising(5000, 30), 2: fresh(1), 3: rising(5001, 30), 4: fresh(1), 5: rising(9, 1)}[i])
	}
	want := fmt.Sprint(x.left(100))
	w := &codec.Writer{}
	x.Append(w)
	to := []uint32{0, 1, 2, 3, 4, 5}
	fault := errors.New("damaged")
	n := newTable()
	n.at = x.at
	r := codec.NewReader(w.B, fault)
	if n.Restore(r, to); r.Err() != nil || r.Left() > 0 {
		t.Fatal(r.Err(), r.Left())
	}
	if got := fmt.Sprint(n.left(100)); got != want || want != "[3 4]" {
		t.Errorf("left out are %s, before it was %s", got, want)
	}
	again := &codec.Writer{}
	if n.Append(again); string(again.B) != string(w.B) {
		t.Error("it is written another way")
	}
	for i := range w.B {
		for _, bad := range [][]byte{w.B[:i], append(append(slices.Clone(w.B[:i]), w.B[i]^0x55), w.B[i+1:]...)} {
			d := newTable()
			d.at = x.at
			if r := codec.NewReader(bad, fault); true {
				if d.Restore(r, to); r.Err() == nil {
					d.left(100)
				}
			}
		}
	}
	// What is forgotten is no twin any more.
	n.at = []Reading{x.at[1], x.at[4], x.at[5]}
	n.Keep([]uint32{none, 0, none, none, 1, 2})
	if got := n.left(200); len(got) > 0 || len(n.askers) != 3 || len(n.pairs) > 1 {
		t.Errorf("left out are %v, %d askers, %d pairs", got, len(n.askers), len(n.pairs))
	}
}
