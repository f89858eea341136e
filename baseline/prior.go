package baseline

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
)

// kinKey names signals of one rule: those of a cluster, or of all clusters when cluster is "".
type kinKey struct {
	rule    *pack.Rule
	cluster string
}

// kin are signals that may learn from each other, and what they know together.
type kin struct {
	rule   *pack.Rule
	list   []relative
	sorted bool
	prior  model.Prior
	at     int64 // end of the window for which prior was made, Unix ms; 0 = none
}

// relative is a signal in an order that is fixed but has nothing to do with names, so that the first ones are a fair choice.
type relative struct {
	hash uint64
	s    *signal.Signal
	b    *baseline // s's, while its signal is s
}

// related makes a baseline known to its kin, and them to it.
func (e *Engine) related(b *baseline) {
	s := b.signal
	if !s.Rule.Params.Lends() {
		return
	}
	h := fnv.New64a()
	h.Write([]byte(s.ID))
	for i, key := range [...]kinKey{{s.Rule, s.Entity.Get("cluster")}, {s.Rule, ""}} {
		k := e.kin[key]
		if k == nil {
			k = &kin{rule: s.Rule}
			e.kin[key] = k
		}
		if b.kin[i] = k; i > 0 && k == b.kin[0] {
			break // it is of no cluster, and known already
		}
		k.list, k.sorted = append(k.list, relative{h.Sum64(), s, b}), false
	}
}

// prior returns what mature siblings know in the window that ended at end: of its own cluster where there are enough, else of all.
func (b *baseline) prior(end int64) *model.Prior {
	if own := b.kin[0].know(end); own.Known() {
		return own
	}
	return b.kin[1].know(end)
}

// know returns what kin know together. It is made once for each window, from models as they are when it is first asked for.
func (k *kin) know(end int64) *model.Prior {
	if k.at == end {
		return &k.prior
	}
	if !k.sorted {
		k.list = slices.DeleteFunc(k.list, func(r relative) bool { return r.b.signal != r.s })
		slices.SortFunc(k.list, func(a, b relative) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), strings.Compare(a.s.ID, b.s.ID))
		})
		k.sorted = true
	}
	var siblings [model.PriorMost]*model.Model
	n := 0
	for _, r := range k.list {
		if r.b.signal == r.s && r.b.model.Mature(end) {
			siblings[n] = &r.b.model
			if n++; n == len(siblings) {
				break
			}
		}
	}
	k.prior, k.at = model.NewPrior(&k.rule.Params, siblings[:n], k.rule.Unit == "ratio" && k.rule.MinEvents > 0), end
	return &k.prior
}
