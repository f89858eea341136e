// What is about nothing is said so before it is said.

package ui

import (
	"fmt"
	"slices"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/series"
)

// Unmatched says in words that an act is about no signal that is known now, and what its matchers may have been meant to be; "" when it is about one, or asks for none. What is to come may match all the same, so it is a hint and no refusal.
func Unmatched(v *baseline.View, a *act.Act) string {
	var all []route.Matcher
	for _, text := range a.Match {
		ms, err := route.ParseMatchers(text, act.Names)
		if err != nil {
			return ""
		}
		all = append(all, ms...)
	}
	if len(all) == 0 || v == nil {
		return ""
	}
	seen := make([]map[string]bool, len(all)) // values of the label of each matcher that takes none of them
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	for _, sv := range v.Signals {
		takes := true
		for i := range all {
			value := labelOf(sv, all[i].Label())
			if all[i].Takes(value) {
				seen[i] = nil
			} else {
				takes = false
				if seen[i] != nil && value != "" {
					seen[i][value] = true
				}
			}
		}
		if takes {
			return ""
		}
	}
	for i, known := range seen {
		if known == nil {
			continue
		}
		names := make([]string, 0, len(known))
		for name := range known {
			names = append(names, name)
		}
		slices.Sort(names)
		if value, ok := all[i].Exact(); ok {
			return fmt.Sprintf("Nothing matches now: no signal has %s=%q%s", all[i].Label(), series.Clean(value, 200), ended(near.Suggest(value, names)))
		}
		return fmt.Sprintf("Nothing matches now: the matcher of %s takes no signal%s", all[i].Label(), ended(near.Suggest("", names)))
	}
	return "Nothing matches now: no signal has all of these labels at once."
}

// labelOf returns a label of a signal as acts ask for it.
func labelOf(sv *baseline.SignalView, name string) string {
	switch name {
	case "signal":
		return sv.Signal.Rule.Name
	case "id":
		return sv.Signal.ID
	case "pack":
		return sv.Signal.Rule.Pack
	case "severity":
		return string(sv.Signal.Rule.Severity)
	}
	return sv.Signal.Entity.Get(name)
}

// ended ends a sentence that has no end yet.
func ended(text string) string {
	if len(text) > 0 && text[len(text)-1] == '?' {
		return text
	}
	return text + "."
}
