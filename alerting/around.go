// What is said of an incident beside its members: what users feel of it, where most of it is, what it is part of.

package alerting

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
)

// Users says in one line what users feel of an incident whose headline is something else, or one of many: "5 services slow, 2 failing; up to 12 % of requests".
// "" when nothing that users feel is in it.
func (i *Incident) Users() string {
	slow, failing, worst := map[string]bool{}, map[string]bool{}, 0.
	phase := i.Phase()
	for k := range i.Members {
		m := &i.Members[k]
		if !impact(m) || phase == Firing && (m.Ended != 0 || !m.Outside()) {
			continue
		}
		who := m.SignalID
		if _, entity, ok := strings.Cut(m.SignalID, "~"); ok {
			who = entity // two questions about one service are about one
		}
		switch {
		case m.Unit == "ratio" && m.Rule.Params.Bad != model.Down:
			failing[who] = true
			if v := m.quantity(m.Worst).v; v > worst {
				worst = v
			}
		case m.Unit == "s" || m.Unit == "ms":
			slow[who] = true
		}
	}
	for who := range failing {
		delete(slow, who)
	}
	if n := len(slow) + len(failing); n == 0 || n == 1 && impact(i.Headline()) {
		return "" // the title says so
	}
	var s []string
	for _, x := range []struct {
		n   int
		how string
	}{{len(slow), "slow"}, {len(failing), "failing"}} {
		switch {
		case x.n == 0:
		case len(s) == 0:
			s = append(s, Count(x.n, "service")+" "+x.how)
		default:
			s = append(s, Commas(itoa(x.n))+" "+x.how)
		}
	}
	text := strings.Join(s, ", ")
	if phase != Firing {
		text += " meanwhile"
	}
	if worst > 0 {
		text += "; up to " + Quantity(worst, "ratio") + " of requests"
	}
	return text
}

// Mostly names the label that most members share: "38 of 41 on node w3". "" when there is none.
func (i *Incident) Mostly() string {
	c := &i.Common
	if c.N == 0 {
		return ""
	}
	in := " of "
	switch c.Name {
	case "node":
		in = " on "
	case "namespace", "cluster", "zone", "region":
		in = " in "
	}
	return Commas(itoa(c.N)) + " of " + Commas(itoa(c.Of)) + in + Clean(c.Name, textMax) + " " + Clean(c.Value, textMax)
}
