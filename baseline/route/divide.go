package route

import (
	"fmt"
	"sync"

	"github.com/wrackline/wrackline/baseline/series"
)

// part is a request's share of one cluster: its own entries over the samples and labels of the whole.
type part struct {
	series.Batch
	entries []series.Entry
	of      series.LabelReader
	reading *sync.Mutex // of, which all parts of a request share while clusters fold side by side
	at      []int       // number of each entry in the whole
}

// AppendLabels reads the labels of an entry of the part.
func (p *part) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	return p.of.AppendLabels(dst, p.at[i])
}

// divide makes the parts of a request whose entries belong to several clusters, as r.mine says.
func (r *Router) divide(b *series.Batch) ([]Part, series.Result) {
	for len(r.of) < len(r.names) {
		r.of = append(r.of, nil)
	}
	for i, c := range r.mine {
		if c == nobody {
			continue
		}
		p := r.of[c]
		if p == nil {
			p = r.part()
			r.of[c] = p
		}
		p.entries, p.at = append(p.entries, b.Entries[i]), append(p.at, i)
	}
	for c, p := range r.of {
		if p == nil {
			continue
		}
		p.Batch, p.of = *b, b.Labels
		p.Entries, p.Labels = p.entries, p
		r.parts = append(r.parts, Part{uint16(c), &p.Batch})
		r.of[c] = nil
	}
	return r.parts, r.refuse(b, r.mine)
}

// part returns an empty part.
func (r *Router) part() *part {
	if r.lent == len(r.batches) {
		r.batches = append(r.batches, &part{reading: &r.reading})
	}
	p := r.batches[r.lent]
	p.entries, p.at = p.entries[:0], p.at[:0]
	r.lent++
	return p
}

// Release takes back the batches that Route has lent.
func (r *Router) Release() {
	for _, p := range r.batches[:r.lent] {
		p.Batch, p.of = series.Batch{}, nil
	}
	clear(r.parts)
	r.parts, r.lent = r.parts[:0], 0
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
		res.Reason = fmt.Sprintf("there are %d clusters already, which is the limit: cluster %s of sender %s is not learned", ClustersMax, series.Clean(r.over, 80), series.Clean(b.Sender, 80))
		overClusters.Add(res.Rejected)
	}
	return res
}
