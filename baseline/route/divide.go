package route

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/series"
)

// part is a request's share of one cluster: its own entries over the samples and labels of the whole.
type part struct {
	series.Batch
	entries []series.Entry
	of      series.LabelReader
	at      []int // number of each entry in the whole
}

// AppendLabels reads the labels of an entry of the part.
func (p *part) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return p.of.AppendLabels(dst, p.at[i])
}

// divide makes the parts of a request whose entries belong to several clusters, as r.mine says.
func (r *Router) divide(b *series.Batch) ([]Part, series.Result) {
	for len(r.batches) < len(r.names) {
		r.batches = append(r.batches, &part{})
	}
	for _, p := range r.batches {
		p.entries, p.at = p.entries[:0], p.at[:0]
	}
	for i, c := range r.mine {
		if c != nobody {
			p := r.batches[c]
			p.entries, p.at = append(p.entries, b.Entries[i]), append(p.at, i)
		}
	}
	for c, p := range r.batches {
		if len(p.entries) == 0 {
			continue
		}
		p.Batch, p.of = *b, b.Labels
		p.Entries, p.Labels = p.entries, p
		r.parts = append(r.parts, Part{uint16(c), &p.Batch})
	}
	return r.parts, r.refuse(b, r.mine)
}

// refuse counts what belongs to no cluster: the entries that mine marks so, all of them when mine is nil.
func (r *Router) refuse(b *series.Batch, mine []uint16) (res series.Result) {
	for i := range b.Entries {
		if mine == nil || mine[i] == nobody {
			e := &b.Entries[i]
			res.Rejected += int(e.SampleHi-e.SampleLo) + int(e.HistHi-e.HistLo)
		}
	}
	if res.Rejected > 0 {
		res.Reason = fmt.Sprintf("there are %d clusters already: a further one is not learned", ClustersMax)
		overClusters.Add(res.Rejected)
	}
	return res
}
