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

// kin are signals of one rule that may learn from each other, and what they know together: those of a cluster, or of all clusters.
type kin struct {
	rule  *pack.Rule
	list  []relative // in order; some may be gone
	tidy  int        // how many there were when those that are gone were last left out
	prior model.Prior
	at    int64 // for which moment prior was made, Unix ms; 0 = none
}

// relative is a signal in an order that is fixed but has nothing to do with names, so that the first ones are a fair choice.
type relative struct {
	hash uint64
	s    *signal.Signal
	b    *baseline // s's, while its signal is s
	c    *cluster
}

func relativeOf(c *cluster, b *baseline) relative {
	h := fnv.New64a()
	h.Write([]byte(b.signal.ID))
	return relative{h.Sum64(), b.signal, b, c}
}

// related makes a baseline known to its kin, and them to it: those of its cluster now, those of all clusters with the next exchange.
func (c *cluster) related(b *baseline) {
	r := b.signal.Rule
	if !r.Params.Lends() {
		return
	}
	k := c.kin[r]
	if k == nil {
		k = &kin{rule: r}
		c.kin[r] = k
	}
	b.kin[0] = k
	k.add(relativeOf(c, b))
	c.newcomers = append(c.newcomers, b)
}

// introduce makes a baseline of a cluster known to its kin in all clusters.
func (e *Engine) introduce(c *cluster, b *baseline) {
	r := b.signal.Rule
	k := e.everyone[r]
	if k == nil {
		k = &kin{rule: r}
		e.everyone[r] = k
	}
	b.kin[1] = k
	k.add(relativeOf(c, b))
}

// add puts a relative in its place. Of many that come and go the list holds twice those that are left at most.
func (k *kin) add(r relative) {
	if len(k.list) > 2*k.tidy+64 {
		k.list = slices.DeleteFunc(k.list, func(r relative) bool { return r.b.signal != r.s })
		k.tidy = len(k.list)
	}
	i, _ := slices.BinarySearchFunc(k.list, r, func(a, b relative) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), strings.Compare(a.s.ID, b.s.ID))
	})
	k.list = slices.Insert(k.list, i, r)
}

// prior returns what mature siblings know in the window that ended at end: of its own cluster where there are enough, else of all, as of the newest exchange. wants notes
// that the latter are asked.
func (b *baseline) prior(end int64, wants map[*pack.Rule]bool) *model.Prior {
	own := b.kin[0].know(end)
	if own.Known() {
		return own
	}
	wants[b.signal.Rule] = true
	if b.kin[1] == nil {
		return own
	}
	return &b.kin[1].prior
}

// know returns what kin of one cluster know together. It is made once for each window, from models as they are when it is first asked for.
func (k *kin) know(end int64) *model.Prior {
	if k.at != end {
		k.ask(end, end)
	}
	return &k.prior
}

// ask makes the prior anew, of what is mature at a moment. at is what the prior is known by.
func (k *kin) ask(at, moment int64) {
	var siblings [model.PriorMost]*model.Model
	n := 0
	for _, r := range k.list {
		if r.b.signal == r.s && r.b.model.Mature(moment) {
			siblings[n] = &r.b.model
			if n++; n == len(siblings) {
				break
			}
		}
	}
	k.prior, k.at = model.NewPrior(&k.rule.Params, siblings[:n], k.rule.Unit == "ratio" && k.rule.MinEvents > 0), at
}
