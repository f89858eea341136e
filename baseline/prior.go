package baseline

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/signal"
)

// kinKey names signals of one rule: those of a cluster, or of all clusters when cluster is "".
type kinKey struct {
	rule    *signal.Rule
	cluster string
}

// kin are signals that may learn from each other, and what they know together.
type kin struct {
	list   []relative
	sorted bool
	prior  model.Prior
	at     int64 // end of the window for which prior was made, Unix ms; 0 = none
}

// relative is a signal in an order that is fixed but has nothing to do with names, so that the first ones are a fair choice.
type relative struct {
	hash uint64
	s    *signal.Signal
}

// related makes s known to its kin.
func (e *Engine) related(s *signal.Signal) {
	if !s.Rule.Params.Lends() {
		return
	}
	h := fnv.New64a()
	h.Write([]byte(s.ID))
	for _, key := range [...]kinKey{{s.Rule, s.Entity.Get("cluster")}, {s.Rule, ""}} {
		k := e.kin[key]
		if k == nil {
			k = &kin{}
			e.kin[key] = k
		}
		k.list, k.sorted = append(k.list, relative{h.Sum64(), s}), false
		if key.cluster == "" {
			break
		}
	}
}

// prior returns what mature siblings of s know in the window that ended at end: of its own cluster where there are enough, else of all.
func (e *Engine) prior(s *signal.Signal, end int64) *model.Prior {
	own := e.priorOf(kinKey{s.Rule, s.Entity.Get("cluster")}, end)
	if own.Known() {
		return own
	}
	return e.priorOf(kinKey{s.Rule, ""}, end)
}

// priorOf is made once for each window and kin, from models as they are when it is first asked for.
func (e *Engine) priorOf(key kinKey, end int64) *model.Prior {
	k := e.kin[key]
	if k.at == end {
		return &k.prior
	}
	if !k.sorted {
		k.list = slices.DeleteFunc(k.list, func(r relative) bool { return e.signals[r.s.Index] != r.s })
		slices.SortFunc(k.list, func(a, b relative) int {
			if a.hash != b.hash {
				if a.hash < b.hash {
					return -1
				}
				return 1
			}
			return strings.Compare(a.s.ID, b.s.ID)
		})
		k.sorted = true
	}
	var siblings [model.PriorMost]*model.Model
	n := 0
	for _, r := range k.list {
		i := r.s.Index
		if m := &e.models[i/chunkLen][i%chunkLen]; e.signals[i] == r.s && m.Mature(end) {
			siblings[n] = m
			if n++; n == len(siblings) {
				break
			}
		}
	}
	k.prior, k.at = model.NewPrior(&key.rule.Params, siblings[:n], key.rule.Unit == "ratio" && key.rule.MinEvents > 0), end
	return &k.prior
}
