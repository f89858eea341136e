package query

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
)

// catalog is the series of one view: labels without names. It is immutable.
type catalog struct {
	view    *baseline.View
	signals []labels.Labels // of view.Signals
	most    int             // series that one query may take
}

// errMany is returned for more series than there is room for.
var errMany = errors.New("too many series")

func catalogOf(v *baseline.View) *catalog {
	c := &catalog{view: v, signals: make([]labels.Labels, len(v.Signals)), most: seriesMost}
	b := labels.NewScratchBuilder(8)
	for i, s := range v.Signals {
		r := s.Signal.Rule
		c.signals[i] = join(&b, s.Signal.Entity, "signal", r.Name, "pack", r.Pack, "severity", string(r.Severity), "unit", r.Unit)
	}
	return c
}

// join makes a label set of an entity's labels and of our own, given as names and values. A label of an entity with the name of one of ours becomes exported_…, as with Prometheus; what is empty is
// left out, and what is no UTF-8 mended, for both are what the engine and JSON make of it anyway.
func join(b *labels.ScratchBuilder, entity series.Labels, own ...string) labels.Labels {
	b.Reset()
	has := func(name, value string) (there, same bool) {
		for i := 0; i < len(own); i += 2 {
			if own[i] == name && own[i+1] != "" {
				return true, own[i+1] == value
			}
		}
		return false, false
	}
	for i := 0; i < len(own); i += 2 {
		if own[i+1] != "" {
			b.Add(own[i], strings.ToValidUTF8(own[i+1], "\ufffd"))
		}
	}
	for _, l := range entity {
		if _, same := has(l.Name, l.Value); same || l.Value == "" {
			continue
		}
		name := strings.ToValidUTF8(l.Name, "\ufffd")
		for taken, _ := has(name, ""); taken || name != l.Name && entity.Get(name) != "" || name == labels.MetricName; taken, _ = has(name, "") {
			name = "exported_" + strings.TrimPrefix(name, "__")
		}
		b.Add(name, strings.ToValidUTF8(l.Value, "\ufffd"))
	}
	b.Sort()
	return b.Labels()
}

// named returns a label set with a name, and whether all matchers take it.
func named(set labels.Labels, name string, b *labels.Builder, m []*labels.Matcher) (labels.Labels, bool) {
	for _, x := range m {
		if x.Name != labels.MetricName && !x.Matches(set.Get(x.Name)) {
			return labels.EmptyLabels(), false
		}
	}
	b.Reset(set)
	return b.Set(labels.MetricName, name).Labels(), true
}

// find returns the series that matchers take and that may have samples from fromMs to toMs, sorted by labels, each label set once. More than most are errMany, and the
// end of ctx is its error.
func (c *catalog) find(ctx context.Context, s Source, fromMs, toMs int64, most int, m []*labels.Matcher) ([]*oneSeries, error) {
	var out []*oneSeries
	b := labels.NewBuilder(labels.EmptyLabels())
	for i := range metricsKnown {
		k := &metricsKnown[i]
		if !takesName(m, k.name) {
			continue
		}
		switch {
		case k.of != nil:
			for j, set := range c.signals {
				if j%1024 == 0 && ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if len(out) > most {
					return nil, errMany
				}
				if set, ok := named(set, k.name, b, m); ok {
					out = append(out, &oneSeries{labels: set, source: s, of: k.of, id: c.view.Signals[j].Signal.ID})
				}
			}
		case k.name == incidentMetric:
			out = append(out, c.incidents(s.Incidents(), fromMs, toMs, b, m)...)
		default:
			out = append(out, c.changes(fromMs, toMs, b, m)...)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(out) > most {
		return nil, errMany
	}
	slices.SortStableFunc(out, func(a, b *oneSeries) int { return labels.Compare(a.labels, b.labels) })
	for i := 1; i < len(out); i++ {
		if labels.Equal(out[i].labels, out[i-1].labels) { // changes that say the same, of several times
			out[i].at = append(slices.Clone(out[i-1].at), out[i].at...)
			out[i-1] = nil
		}
	}
	return slices.DeleteFunc(out, func(x *oneSeries) bool { return x == nil }), nil
}

func takesName(m []*labels.Matcher, name string) bool {
	return !slices.ContainsFunc(m, func(x *labels.Matcher) bool { return x.Name == labels.MetricName && !x.Matches(name) })
}

// incidents returns those that were open at some time of the span.
func (c *catalog) incidents(all *alerting.Snapshot, fromMs, toMs int64, b *labels.Builder, m []*labels.Matcher) (out []*oneSeries) {
	if all == nil {
		return nil
	}
	scratch := labels.NewScratchBuilder(8)
	for _, list := range [][]*alerting.Incident{all.Open, all.Closed} {
		for _, i := range list {
			to := i.Resolved
			if to == 0 {
				to = max(c.view.AtMs, i.Updated)
			}
			if i.Opened > toMs || to < fromMs {
				continue
			}
			name := ""
			if i.Lead >= 0 && i.Lead < len(i.Members) {
				name = i.Members[i.Lead].Name
			}
			set := join(&scratch, i.Scope, "incident", i.ID, "severity", string(i.Severity), "cluster", i.Cluster, "signal", name, "title", i.Title)
			if set, ok := named(set, incidentMetric, b, m); ok {
				out = append(out, &oneSeries{labels: set, from: i.Opened, to: to, ended: i.Resolved != 0})
			}
		}
	}
	return out
}

func (c *catalog) changes(fromMs, toMs int64, b *labels.Builder, m []*labels.Matcher) (out []*oneSeries) {
	scratch := labels.NewScratchBuilder(8)
	for i := range c.view.Changes {
		x := &c.view.Changes[i]
		if x.T < fromMs || x.T > toMs {
			continue
		}
		set := join(&scratch, x.Entity, "kind", string(x.Kind), "cluster", x.Cluster, "object", x.Object, "from", x.From, "to", x.To, "text", x.Text())
		if set, ok := named(set, changeMetric, b, m); ok {
			out = append(out, &oneSeries{labels: set, at: []int64{x.T}})
		}
	}
	return out
}
