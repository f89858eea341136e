package pack

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/series"
)

// Override changes rules of packs from outside, by the configuration. What is zero or nil stays as the pack has it.
type Override struct {
	Match        string            // glob of signal names, "wl.*"
	Where        map[string]string // label → anchored regular expression, all of which an entity must meet; only with Severity and Enabled
	Severity     Severity
	Enabled      *bool
	EffectAbs    *float64
	EffectRel    *float64
	EffectEvents *float64
	Persist      int // windows that must deviate; from for: 10m
}

// OverrideError says which override is wrong, and which of its fields as the configuration spells it ("effect.rel", "where.namespace";
// "" = the whole).
type OverrideError struct {
	Index int
	Field string
	Msg   string
}

func (e *OverrideError) Error() string {
	return fmt.Sprintf("overrides[%d].%s: %s", e.Index, e.Field, e.Msg)
}

// OverridesMax bounds a list of overrides.
const OverridesMax = 1000

// ApplyOverrides replaces the rules that overrides match by changed copies and drops those that are off for every entity. Overrides
// apply in order, so the last one that matches decides. Every one must match a signal. What is wrong is an OverrideError, several are joined; the packs are good for nothing then.
func ApplyOverrides(packs []*Pack, overrides []Override) error {
	if len(overrides) > OverridesMax {
		return &OverrideError{OverridesMax, "", fmt.Sprintf("at most %d overrides are possible", OverridesMax)}
	}
	for _, p := range packs {
		p.Rules = slices.Clone(p.Rules)
	}
	var list []error
	for i := range overrides {
		if err := overrides[i].apply(i, packs); err != nil {
			list = append(list, err)
		}
	}
	switch len(list) {
	case 0:
	case 1:
		return list[0]
	default:
		return errors.Join(list...)
	}
	for _, p := range packs {
		for _, r := range p.Rules {
			if r.scope != nil {
				r.scope.finish(r)
			}
		}
		p.Rules = slices.DeleteFunc(p.Rules, func(r *Rule) bool { return r.scope != nil && r.scope.dead })
	}
	return nil
}

func (o *Override) apply(index int, packs []*Pack) error {
	fail := func(field, format string, args ...any) error {
		return &OverrideError{index, field, fmt.Sprintf(format, args...)}
	}
	if _, err := path.Match(o.Match, "x"); err != nil || o.Match == "" {
		return fail("match", "%q is not a glob of signal names, like wl.* or dns.qps", o.Match)
	}
	switch o.Severity {
	case "", Page, Warn, Info:
	default:
		return fail("severity", "severity %q: want page, warn or info%s; to hear nothing write enabled: false", o.Severity, near.Meant(string(o.Severity), []string{"page", "warn", "info"}))
	}
	changesRule := false
	for _, x := range []struct {
		field string
		v     *float64
	}{{"effect.abs", o.EffectAbs}, {"effect.rel", o.EffectRel}, {"effect.events", o.EffectEvents}} {
		if x.v != nil {
			changesRule = true
			if !(*x.v >= 0) || *x.v > 1e300 {
				return fail(x.field, "%s must be a number that is not negative", x.field)
			}
		}
	}
	if o.Persist < 0 || o.Persist > 120 {
		return fail("for", "want a duration from 1m to 2h")
	}
	changesRule = changesRule || o.Persist > 0
	switch {
	case o.Severity == "" && o.Enabled == nil && !changesRule:
		return fail("", "changes nothing: give severity, enabled, effect or for")
	case len(o.Where) > 0 && changesRule:
		return fail("where", "effect and for hold for a signal as a whole; with where only severity and enabled can be changed")
	}
	c := condition{severity: o.Severity, enabled: o.Enabled}
	var labels []string
	for name := range o.Where {
		labels = append(labels, name)
	}
	sort.Strings(labels)
	for _, name := range labels {
		re, err := regexp.Compile("^(?:" + o.Where[name] + ")$")
		if err != nil {
			return fail("where."+name, "%q is not a regular expression: %v", o.Where[name], err)
		}
		c.where = append(c.where, labelTest{name, re})
	}
	matched, labelled, known := false, make([]bool, len(c.where)), map[string]bool{}
	for _, p := range packs {
		for i, r := range p.Rules {
			if ok, _ := path.Match(o.Match, r.Name); !ok {
				continue
			}
			matched = true
			has := r.labels()
			for _, l := range has {
				known[l] = true
			}
			reachable := true
			for j, w := range c.where {
				there := slices.Contains(has, w.name)
				labelled[j] = labelled[j] || there
				reachable = reachable && there
			}
			if !reachable {
				continue
			}
			if r.scope == nil { // still the pack's own
				n := *r
				n.scope = &scope{severity: r.Severity}
				r = &n
				p.Rules[i] = r
			}
			o.change(r)
			if c.severity != "" || c.enabled != nil {
				r.scope.conditions = append(r.scope.conditions, c)
			}
			r.Overridden = append(r.Overridden, o.String())
		}
	}
	if !matched {
		var names []string
		for _, p := range packs {
			for _, r := range p.Rules {
				names = append(names, r.Name)
			}
		}
		return fail("match", "no signal matches %q%s; wrackline packs list names them", o.Match, SuggestSignal(o.Match, names))
	}
	for j, w := range c.where {
		if !labelled[j] {
			return fail("where."+w.name, "no signal that %s matches has a label %s%s; wrackline packs explain shows their expressions", o.Match, w.name, near.Suggest(w.name, slices.Sorted(maps.Keys(known))))
		}
	}
	return nil
}

// change sets what holds for the rule as a whole.
func (o *Override) change(r *Rule) {
	if o.EffectAbs != nil {
		r.Params.EffectAbs = *o.EffectAbs
	}
	if o.EffectRel != nil {
		r.Params.EffectRel = *o.EffectRel
	}
	if o.EffectEvents != nil {
		r.EffectEvents = *o.EffectEvents
	}
	if o.Persist > 0 {
		r.Params.Persist = o.Persist
	}
}

// String says in words what the override does.
func (o *Override) String() string {
	var parts []string
	if o.Enabled != nil {
		parts = append(parts, map[bool]string{true: "on", false: "off"}[*o.Enabled])
	}
	if o.Severity != "" {
		parts = append(parts, "severity "+string(o.Severity))
	}
	for _, x := range []struct {
		name string
		v    *float64
	}{{"effect.abs", o.EffectAbs}, {"effect.rel", o.EffectRel}, {"effect.events", o.EffectEvents}} {
		if x.v != nil {
			parts = append(parts, fmt.Sprintf("%s %g", x.name, *x.v))
		}
	}
	if o.Persist > 0 {
		parts = append(parts, "for "+strings.TrimSuffix((time.Duration(o.Persist)*time.Minute).String(), "0s"))
	}
	text := strings.Join(parts, ", ")
	var where []string
	for name, re := range o.Where {
		where = append(where, name+" "+re)
	}
	sort.Strings(where)
	if len(where) > 0 {
		text += " where " + strings.Join(where, " and ")
	}
	return text + " (by " + o.Match + ")"
}

// labels returns every label that an entity of the rule can have.
func (r *Rule) labels() []string {
	var out []string
	for _, src := range r.Exprs {
		if p, err := Compile(src); err == nil {
			out = append(out, p.Labels...)
		}
	}
	return out
}

// scope is what overrides make of a rule for single entities.
type scope struct {
	severity   Severity // the pack's
	conditions []condition
	dead       bool               // off for every entity
	copies     map[Severity]*Rule // the rule with another severity than its own
}

// condition is one override as an entity sees it.
type condition struct {
	where    []labelTest
	severity Severity
	enabled  *bool
}

type labelTest struct {
	name string
	re   *regexp.Regexp
}

// of returns what an entity gets. A nil entity meets only conditions without where.
func (s *scope) of(entity series.Labels) (Severity, bool) {
	severity, on := s.severity, true
	for i := range s.conditions {
		c := &s.conditions[i]
		if slices.ContainsFunc(c.where, func(w labelTest) bool { return entity == nil || !w.re.MatchString(entity.Get(w.name)) }) {
			continue
		}
		if c.severity != "" {
			severity = c.severity
		}
		if c.enabled != nil {
			on = *c.enabled
		}
	}
	return severity, on
}

// finish decides what holds without an entity, and makes the copies.
func (s *scope) finish(r *Rule) {
	severity, on := s.of(nil)
	r.graded(severity)
	s.dead = !on && !slices.ContainsFunc(s.conditions, func(c condition) bool { return len(c.where) > 0 && c.enabled != nil && *c.enabled })
	if !slices.ContainsFunc(s.conditions, func(c condition) bool { return len(c.where) > 0 }) {
		s.conditions = nil // decided for all
		return
	}
	s.copies = map[Severity]*Rule{r.Severity: r}
	for _, sev := range []Severity{Page, Warn, Info} {
		if sev != r.Severity {
			n := *r
			n.graded(sev)
			n.scope = nil
			s.copies[sev] = &n
		}
	}
}

// graded gives the rule a severity, and the judge what follows from it: an outage of what pages is no habit.
func (r *Rule) graded(s Severity) {
	r.Severity, r.Params.Grave = s, s == Page && r.Params.Bad != model.Both
}

// Of returns the rule as overrides make it for an entity, nil when they switch it off. Equal entities get the same pointer.
func (r *Rule) Of(entity series.Labels) *Rule {
	if r.scope == nil || len(r.scope.conditions) == 0 {
		return r
	}
	severity, on := r.scope.of(entity)
	if !on {
		return nil
	}
	return r.scope.copies[severity]
}

// SuggestSignal is near.Suggest for names of signals and globs of them: of a glob what stands before its first star is compared with the packs.
func SuggestSignal(word string, names []string) string {
	known := names
	if head, _, glob := strings.Cut(word, "*"); glob {
		groups := map[string]bool{}
		for _, n := range names {
			group, _, _ := strings.Cut(n, ".")
			groups[group+".*"] = true
		}
		word, known = head+"*", slices.Sorted(maps.Keys(groups))
	}
	return near.Meant(word, known)
}
