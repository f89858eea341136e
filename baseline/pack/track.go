package pack

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/promql"
)

// TrackRule is a signal that the configuration asks for in a few words, without a pack: a metric, how it is read, and over what it
// is aggregated.
type TrackRule struct {
	Name  string   // the signal's name; "" = track. and the metric's name
	Match string   // a selector, as PromQL writes it: http_requests_total{job="api"}
	Func  string   // rate, increase, changes, or value for a gauge; "" = rate when the metric's name ends in _total, _count or _sum, else value
	Agg   string   // sum, avg, min, max, count …; "" = sum
	By    []string // labels that tell the entities apart; nil = cluster, namespace, workload
	Unit  string   // "" = none
	Bad   string   // both, up, down; "" = what the metric's name says, see DirectionOf
}

// Track returns the pack "track" of the rules, in their order. An error says which rule is wrong and why.
func Track(track []TrackRule) (*Pack, error) {
	p := &Pack{Name: trackPack, Title: "Tracked by the configuration", Version: 1, Origin: "the configuration"}
	for _, t := range track {
		r, err := t.Rule()
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, r)
	}
	return p, nil
}

const trackPack = "track"

// plainLabel are label names that PromQL takes without quotes.
var plainLabel = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// TrackError is what is wrong with a field of a track rule; Field is as the configuration spells it, "" = the whole.
type TrackError struct {
	Match, Field string
	Err          error
}

// Error says which rule is wrong, and why.
func (e *TrackError) Error() string {
	return strings.TrimSuffix("track "+e.Match, " ") + ": " + e.Err.Error()
}

// Unwrap is the error alone.
func (e *TrackError) Unwrap() error { return e.Err }

// nameMeant makes a name of a signal of what is none.
func nameMeant(name string) string {
	fixed := strings.Trim(nameOther.ReplaceAllString(strings.ToLower(name), "_"), "_.")
	if !strings.Contains(fixed, ".") {
		fixed = strings.Replace(fixed, "_", ".", 1)
	}
	if fixed == name || !signalName.MatchString(fixed) {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", fixed)
}

var nameOther = regexp.MustCompile(`[^a-z0-9_.]+`)

// Rule returns the rule that t stands for. Its errors are of type *TrackError.
func (t TrackRule) Rule() (*Rule, error) {
	match := strings.TrimSpace(t.Match)
	fail := func(field, format string, args ...any) error {
		return &TrackError{match, field, fmt.Errorf(format, args...)}
	}
	if match == "" {
		return nil, fail("", "match is missing; name the metric, as match: orders_total")
	}
	metric, _, _ := strings.Cut(match, "{")
	metric = strings.TrimSpace(metric)
	name := t.Name
	if name == "" {
		name = "track." + strings.ToLower(strings.ReplaceAll(metric, ":", "_"))
	}
	if !signalName.MatchString(name) {
		return nil, fail("name", "name %q: want lower-case words joined by dots, like shop.orders%s", name, nameMeant(name))
	}
	if _, err := promql.Parser.ParseExpr(match); err != nil { // before more is put around it
		return nil, fail("match", "it is no selector such as orders_total{env=\"prod\"}: %w", err)
	}
	fn := t.Func
	if fn == "" {
		fn = "value"
		for _, suffix := range []string{"_total", "_count", "_sum", "_bucket"} {
			if strings.HasSuffix(metric, suffix) {
				fn = "rate"
			}
		}
	}
	inner := match
	switch fn {
	case "rate", "increase", "changes":
		inner = fn + "(" + match + "[1m])"
	case "value":
	default:
		return nil, fail("func", "func %q: want rate, increase, changes or value%s", t.Func, near.Meant(t.Func, []string{"rate", "increase", "changes", "value"}))
	}
	agg := t.Agg
	if agg == "" {
		agg = "sum"
	}
	if !slices.Contains([]string{"sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"}, agg) {
		return nil, fail("agg", "agg %q: want sum, avg, min, max, count, stddev, stdvar or group", t.Agg)
	}
	by := t.By
	if by == nil {
		by = []string{identity.LabelCluster, identity.LabelNamespace, identity.LabelWorkload}
	}
	names := make([]string, len(by))
	for i, l := range by {
		if l == "" || strings.ContainsAny(l, "(),\"'` \n") {
			return nil, fail("by", "%q is no label name, such as namespace", l)
		}
		if names[i] = l; !plainLabel.MatchString(l) { // as OpenTelemetry has them: k8s.namespace.name
			names[i] = strconv.Quote(l)
		}
	}
	r := &Rule{
		Pack: trackPack, Name: name, Unit: t.Unit, Severity: Warn, Params: model.Defaults(),
		Question: fmt.Sprintf("Is %s as usual?", metric),
		Exprs:    []string{fmt.Sprintf("%s by (%s) (%s)", agg, strings.Join(names, ", "), inner)},
	}
	r.Params.Extremes = true
	switch t.Bad {
	case "":
		r.Params.Bad = DirectionOf(metric)
	case "both":
	case "up":
		r.Params.Bad = model.Up
	case "down":
		r.Params.Bad = model.Down
	default:
		return nil, fail("bad", "bad %q: want both, up or down", t.Bad)
	}
	if fn != "value" {
		r.Params.Min = 0
	}
	if _, err := Compile(r.Exprs[0]); err != nil {
		return nil, fail("match", "%w", err)
	}
	return r, nil
}
