// Packs: what became of their rules, over all clusters.

package ui

import (
	"cmp"
	"slices"
)

// packUse is one pack over all clusters.
type packUse struct {
	Name, Title    string
	Rules, Active  int
	Series, Asked  int
	Dormant        int
	Signals        []RuleUse
	ClustersActive int
	Waiting        int // rules about which nothing can be said yet
}

const (
	waitingWindow  = "waiting for the first whole minute of samples"
	waitingMinutes = "waiting for whole minutes"
	youngWindows   = 15 // windows within which a rule with series may still become a signal
)

// packsOf groups the rules by pack. Of a cluster without a closed window nobody knows what arrives: its rules wait, they
// are not dormant.
func packsOf(st *Status) []packUse {
	var out []packUse
	index, clusters := map[string]int{}, map[string]*Cluster{}
	for i := range st.Clusters {
		clusters[st.Clusters[i].Name] = &st.Clusters[i]
	}
	for _, r := range st.Rules {
		if c := clusters[r.Cluster]; c != nil && c.Waiting() {
			r.waiting = waitingWindow
		} else if c != nil && c.WindowsClosed < youngWindows && !r.Dormant() && r.Series > 0 && r.Signals == 0 {
			r.waiting = waitingMinutes
		}
		i, ok := index[r.Pack]
		if !ok {
			i = len(out)
			index[r.Pack] = i
			title := r.PackTitle
			if title == "" {
				title = r.Pack
			}
			out = append(out, packUse{Name: r.Pack, Title: title})
		}
		p := &out[i]
		p.Rules++
		p.Signals = append(p.Signals, r)
		if r.waiting != "" {
			p.Waiting++
		}
		if r.Dormant() && r.waiting == "" {
			p.Dormant++
			continue
		}
		if r.Dormant() {
			continue
		}
		p.Active++
		p.Series += r.Series
		p.Asked += r.Signals
	}
	slices.SortStableFunc(out, func(a, b packUse) int { return -cmp.Compare(a.Asked, b.Asked) })
	return out
}
