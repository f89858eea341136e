package promql

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// key names what is worked out by an expression: its text, and what a histogram function around it wants.
func (c *compiler) key(e parser.Expr) string {
	if c.hists != nil {
		return fmt.Sprintf("%d %t %s", c.hists.part, c.hists.pure, e)
	}
	return e.String()
}

// Share finds the parts that plans have in common, and returns how many there are.
func Share(plans []*Plan) int {
	at := map[string][]*node{}
	var order []string
	var walk func(n *node)
	walk = func(n *node) {
		if n == nil {
			return
		}
		if n.key != "" {
			if at[n.key] == nil {
				order = append(order, n.key)
			}
			at[n.key] = append(at[n.key], n)
		}
		walk(n.l)
		walk(n.r)
	}
	for _, p := range plans {
		walk(p.root)
	}
	shared := 0
	for _, key := range order {
		if nodes := at[key]; len(nodes) > 1 {
			shared++
			for _, n := range nodes {
				n.share = shared
			}
		}
	}
	return shared
}

// SharedVector is the vector of a part that several expressions, or one at several places, have in common. Nobody may change it.
type SharedVector struct {
	vec  []Element
	done bool
}

// Finish gives back what the shared nodes of a window hold.
func (in *Input) Finish() {
	w := &in.Table.Work
	for i := range in.Shared {
		if x := &in.Shared[i]; x.done {
			w.give(x.vec)
			*x = SharedVector{}
		}
	}
	w.kept.n = 0
}
