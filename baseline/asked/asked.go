// Package asked says which questions a state was made with, and where each of them stands among the present ones, so that what goes on being asked loses nothing.
package asked

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/promql"
)

const none = codec.None

// Leaf is a selector with a function: equal ones have equal specs. Metric is the number of its metric.
type Leaf struct {
	Spec   string
	Metric uint32
}

// Rule is a rule with its expressions; Was is the one that it had before an override.
type Rule struct {
	Name  string
	Exprs []string
	Was   string
}

// List is everything that is asked, by number.
type List struct {
	Metrics []string
	Leaves  []Leaf
	Rules   []Rule
}

// Book says where what a state was made with is now.
type Book struct {
	Same    bool
	Metrics []uint32            // number in the state → present number; none = no longer needed
	Leaves  []uint32            // the same of leaves
	Rules   []uint32            // the same of rules; none also when the rule has no expression in common with what it was
	Fresh   map[uint32][]uint32 // by present metric: the leaves that the state does not know
}

// Append writes what is asked.
func (l *List) Append(w *codec.Writer) {
	w.Num(len(l.Metrics))
	for _, m := range l.Metrics {
		w.Word(m)
	}
	w.Num(len(l.Leaves))
	for _, x := range l.Leaves {
		w.Word(x.Spec)
	}
	w.Num(len(l.Rules))
	for _, r := range l.Rules {
		w.Word(r.Name)
		w.Num(len(r.Exprs))
		for _, x := range r.Exprs {
			w.Word(promql.Plain(x))
		}
	}
}

// Read reads what Append wrote and says where it is among what is asked now. Faults are the reader's.
func (l *List) Read(r *codec.Reader) *Book {
	b := &Book{Fresh: map[uint32][]uint32{}}
	metrics := map[string]uint32{}
	for i, m := range l.Metrics {
		metrics[m] = uint32(i)
	}
	for range r.Count(1) {
		b.Metrics = append(b.Metrics, numberOf(metrics, r.Word()))
	}
	specs := map[string]uint32{}
	for i, x := range l.Leaves {
		specs[x.Spec] = uint32(i)
	}
	known := make([]bool, len(l.Leaves))
	for range r.Count(1) {
		i := numberOf(specs, r.Word())
		if i != none {
			known[i] = true
		}
		b.Leaves = append(b.Leaves, i)
	}
	for i, ok := range known {
		if m := l.Leaves[i].Metric; !ok {
			b.Fresh[m] = append(b.Fresh[m], uint32(i))
		}
	}
	rules := map[string]uint32{}
	for i, x := range l.Rules {
		rules[x.Name] = uint32(i)
	}
	for range r.Count(2) {
		i := numberOf(rules, r.Word())
		common := false
		for range r.Count(1) {
			x := r.Word()
			common = common || i != none && (promql.Plain(l.Rules[i].Was) == x || slices.ContainsFunc(l.Rules[i].Exprs, func(y string) bool { return promql.Plain(y) == x }))
		}
		if !common {
			i = none
		}
		b.Rules = append(b.Rules, i)
	}
	for _, l := range [][]uint32{b.Metrics, b.Leaves, b.Rules} {
		if twice(l) {
			r.Fail()
		}
	}
	return b
}

func numberOf(at map[string]uint32, name string) uint32 {
	if i, ok := at[name]; ok {
		return i
	}
	return none
}

func twice(l []uint32) bool {
	seen := map[uint32]bool{}
	for _, x := range l {
		if x != none && seen[x] {
			return true
		}
		seen[x] = true
	}
	return false
}

// All reports whether the book is of exactly what is asked now.
func (b *Book) All(l *List) bool {
	return inOrder(b.Metrics, len(l.Metrics)) && inOrder(b.Leaves, len(l.Leaves)) && inOrder(b.Rules, len(l.Rules))
}

func inOrder(l []uint32, n int) bool {
	for i, x := range l {
		if x != uint32(i) {
			return false
		}
	}
	return len(l) == n
}

// Keeps reports whether the signals of a rule go on.
func (b *Book) Keeps(rule uint32) bool { return slices.Contains(b.Rules, rule) }
