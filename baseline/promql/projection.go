package promql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// A projection maps label sets to label sets and remembers the answers, so that a steady window does no label work. Projections
// live in the table and are shared by all plans: there are few distinct ones ("by cluster, namespace, workload"), and each knows
// only the pages of ids that were asked of it.
type projection struct {
	table *Table
	names []string // sorted
	drop  bool     // names are dropped instead of kept
	pages [][]uint32
}

// pageBits: ids of one leaf are given out near each other, so a page of 256 answers is mostly used.
const pageBits = 8

// projection returns the shared projection that keeps, or drops, the names (sorted).
func (t *Table) projection(names []string, drop bool) *projection {
	spec := strconv.FormatBool(drop) + "\xff" + strings.Join(names, "\xff")
	p := t.projections[spec]
	if p == nil {
		p = &projection{table: t, names: names, drop: drop}
		t.projections[spec] = p
	}
	return p
}

// of returns the id of the projected set.
func (p *projection) of(id uint32) uint32 {
	if page := id >> pageBits; int(page) < len(p.pages) && p.pages[page] != nil {
		if got := p.pages[page][id&(1<<pageBits-1)]; got != 0 {
			return got - 1
		}
	}
	return p.miss(id)
}

func (p *projection) miss(id uint32) uint32 {
	var buf [16]series.Label
	l := series.Labels(buf[:0])
	for _, x := range p.table.Labels(id) {
		if slices.Contains(p.names, x.Name) != p.drop {
			l = append(l, x)
		}
	}
	got := p.table.Intern(l)
	page := int(id >> pageBits)
	if page >= len(p.pages) {
		p.pages = append(p.pages, make([][]uint32, page+1-len(p.pages))...)
	}
	if p.pages[page] == nil {
		p.pages[page] = make([]uint32, 1<<pageBits)
	}
	p.pages[page][id&(1<<pageBits-1)] = got + 1
	return got
}
