package pack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
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

// Rule returns the rule that t stands for. An error says which field is wrong.
func (t TrackRule) Rule() (*Rule, error) {
	match := strings.TrimSpace(t.Match)
	if match == "" {
		return nil, errors.New("track: match is missing: which metric?")
	}
	metric, _, _ := strings.Cut(match, "{")
	metric = strings.TrimSpace(metric)
	name := t.Name
	if name == "" {
		name = "track." + strings.ToLower(strings.ReplaceAll(metric, ":", "_"))
	}
	if !signalName.MatchString(name) {
		return nil, fmt.Errorf("track %s: name %q: want lower-case words joined by dots, like shop.orders", match, name)
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
		return nil, fmt.Errorf("track %s: func %q: want rate, increase, changes or value", match, t.Func)
	}
	agg := t.Agg
	if agg == "" {
		agg = "sum"
	}
	if !slices.Contains([]string{"sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"}, agg) {
		return nil, fmt.Errorf("track %s: agg %q: want sum, avg, min, max, count, stddev, stdvar or group", match, t.Agg)
	}
	by := t.By
	if by == nil {
		by = []string{identity.LabelCluster, identity.LabelNamespace, identity.LabelWorkload}
	}
	names := make([]string, len(by))
	for i, l := range by {
		if l == "" || strings.ContainsAny(l, "(),\"'` \n") {
			return nil, fmt.Errorf("track %s: by: %q is no label name", match, l)
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
		return nil, fmt.Errorf("track %s: bad %q: want both, up or down", match, t.Bad)
	}
	if fn != "value" {
		r.Params.Min = 0
	}
	if _, err := Compile(r.Exprs[0]); err != nil {
		return nil, fmt.Errorf("track %s: %w", match, err)
	}
	return r, nil
}
