package signal

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/promql"
)

// Measured is the answer to a measure when a window closes. It is borrowed, valid only during the call.
type Measured struct {
	Name    string // of the pack's measure
	Minutes int    // from one answer to the next
	End     int64  // Unix milliseconds
	Table   *promql.Table
	Values  []promql.Element // by the sets of Table, which is another one now and then
}

// measure is a question of packs that is answered and not judged.
type measure struct {
	*pack.Measure
	form form
}

// measured compiles the measures of packs. Plans are appended to the ones that share parts.
func (s *Stream) addMeasures(packs []*pack.Pack, specs map[string]uint32, plans []*promql.Plan) ([]*promql.Plan, error) {
	if s.opts.Measured == nil {
		return plans, nil
	}
	for _, p := range packs {
		for _, m := range p.Measures {
			plan, err := pack.CompileMeasure(m.Expr)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m, err)
			}
			f := form{plan: plan}
			for _, l := range plan.Leaves {
				f.leaves, f.natives = append(f.leaves, s.leaf(l, specs, false)), append(f.natives, none)
			}
			s.measures, plans = append(s.measures, &measure{m, f}), append(plans, plan)
		}
	}
	return plans, nil
}

// measure hands on the answers to what is measured in the window that closes, each before the next is worked out.
func (s *Stream) measure(c *cluster, end int64) {
	if c.measures == nil {
		c.measures = make([]*promql.State, len(s.measures))
	}
	for i, m := range s.measures {
		if end/windowMs%int64(m.Every) != 0 {
			continue
		}
		if c.measures[i] == nil {
			c.measures[i] = m.form.plan.NewState()
		}
		s.current.form = &m.form
		s.result = m.form.plan.Eval(c.measures[i], &s.input, s.result[:0])
		s.opts.Measured(&Measured{Name: m.Name, Minutes: m.Every, End: end, Table: c.table, Values: s.result})
	}
}

// KindOf returns the kind of a workload of the only cluster, "" while it is not known.
func (s *Stream) KindOf(namespace, workload string) string {
	for _, c := range s.clusters {
		if k := c.book.KindOf(namespace, workload); k != "" {
			return k
		}
	}
	return ""
}
