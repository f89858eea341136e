// Where to look next: labels that lead to their signals, and the commands of a rule filled in.

package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

const stepsShown = 10 // commands on a page; all are in the JSON

// labelLink is a label and the signals that carry it.
type labelLink struct {
	series.Label
	URL string
}

func (s *server) labelLinks(l series.Labels) []labelLink {
	var out []labelLink
	for _, x := range labelsOf(l) {
		out = append(out, labelLink{Label: x, URL: s.filterURL(x)})
	}
	return out
}

// labelsOf returns the labels of an entity, the placing ones first.
func labelsOf(l series.Labels) []series.Label {
	out := slices.Clone([]series.Label(l))
	rank := func(n string) int {
		if i := slices.Index([]string{"cluster", "namespace", "workload", "container", "node"}, n); i >= 0 {
			return i
		}
		return 9
	}
	slices.SortStableFunc(out, func(a, b series.Label) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}

// asMember lets a rule's next steps be filled with a signal's labels and values.
func asMember(v *baseline.SignalView) *alerting.Member {
	return &alerting.Member{SignalID: v.Signal.ID, Name: v.Signal.Rule.Name, Rule: v.Signal.Rule, Entity: v.Signal.Entity, Unit: v.Signal.Rule.Unit,
		State: v.State, Value: v.Value, Band: v.Band, Top: v.Top, SlopePerDay: v.SlopePerDay, LimitEta: v.LimitEta}
}

// prose returns the words of a step that is no command: it is written as a comment of a shell, so that whoever pastes it does no harm. "" = it is a command.
func prose(step string) string {
	words, _ := strings.CutPrefix(step, "# ")
	if words == step {
		return ""
	}
	return words
}

// steps returns at most so many of a rule's commands, filled with what a member is about.
func steps(r *pack.Rule, m *alerting.Member, most int) []string {
	var out []string
	if r == nil {
		return nil
	}
	for _, n := range r.Next[:min(len(r.Next), most)] {
		if step := m.Command(n); step != "" {
			out = append(out, step)
		}
	}
	return out
}
