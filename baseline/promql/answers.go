package promql

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// Newest returns the newest time at which the metrics were all there that the expression needs to say something: at says of a leaf, by number, when the
// newest sample of its metric came, 0 = never. What needs no metric is always there, math.MaxInt64.
//
// `or` needs only one of its sides, so that `A or 0 * B` is 0 before the first A ever: what never happened has no series. Everything else needs all that
// it is made of. What only absent() asks is wanted too, or a cluster that never had it would miss it; absentFor is by how much longer ago it may have been.
func (p *Plan) Newest(at func(leaf int) int64, absentFor int64) int64 {
	t := p.root.newest(at)
	for i, needed := range p.Needed {
		if needed {
			continue
		}
		if x := at(i); x < math.MaxInt64-absentFor {
			t = min(t, x+absentFor)
		}
	}
	return t
}

func (n *node) newest(at func(int) int64) int64 {
	switch {
	case n == nil, n.kind == nodeAbsent:
		return math.MaxInt64
	case n.kind == nodeLeaf:
		return at(n.leaf)
	case n.kind == nodeSet && n.op == parser.LOR:
		return max(n.l.newest(at), n.r.newest(at))
	}
	return min(n.l.newest(at), n.r.newest(at))
}
