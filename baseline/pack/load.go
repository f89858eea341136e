// Package pack holds questions as files: rules, overrides, track rules, direction words, the keep-list, and the tests that packs carry. It says in which
// language they are asked (Language) and knows nothing of the answers.
package pack

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/wrackline/wrackline/baseline/form"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/near"
)

// Pack is a set of rules that belong together, loaded from one YAML file. Packs are immutable once loaded.
// The file format is drawn in packs/README.md.
type Pack struct {
	Name    string // "dns"
	Title   string // "DNS and service networking"
	Version int    // counts up with every change of the pack's meaning
	Origin  string // where it was read from, for messages
	Rules   []*Rule
	// Measures are what is only learned, and never judged.
	Measures []*Measure
	Tests    []*Test // what the file says its rules must do; nothing runs them but package packtest
}

// Bounds on a pack file. A file beyond them is refused.
const (
	BytesMax = 1 << 20 // bytes of YAML
	RulesMax = 1000    // rules in a file

	faultsMax = 100 // of a file that are said
)

//go:embed packs
var packFiles embed.FS

// Embedded returns the packs that come with the binary, sorted by file name. Each call reads them anew, so a caller
// may drop rules from its copies.
func Embedded() ([]*Pack, error) {
	entries, err := packFiles.ReadDir("packs")
	if err != nil {
		return nil, err
	}
	var packs []*Pack
	for _, e := range entries {
		if path.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := packFiles.ReadFile("packs/" + e.Name())
		if err != nil {
			return nil, err
		}
		p, err := Load(data, "packs/"+e.Name())
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return packs, nil
}

var signalName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)

// Load reads one pack file. It is strict: an unknown key, a value of the wrong kind, a rule that does not compile are
// errors that begin with origin:line:column, all of them joined. origin names the file in errors and is kept in the pack.
func Load(data []byte, origin string) (*Pack, error) {
	if len(data) > BytesMax {
		return nil, fmt.Errorf("%s: pack has %d bytes, at most %d are allowed", origin, len(data), BytesMax)
	}
	l := packLoader{origin: origin, data: data}
	file, fault := form.Parse(data)
	if fault != nil {
		return nil, fmt.Errorf("%s:%w", origin, fault)
	}
	if l.body = file.Node(); l.body == nil {
		return nil, fmt.Errorf("%s:1:1: pack is empty", origin)
	}
	var f packFile
	for _, fault := range file.Decode(&f, form.Words{}) {
		l.faults = append(l.faults, fmt.Errorf("%s:%w", origin, fault))
		l.unread = append(l.unread, fault.Path)
	}
	p := l.pack(&f)
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	return p, nil
}

// fault notes what is wrong; nil = nothing.
func (l *packLoader) fault(err error) {
	if err != nil && len(l.faults) < faultsMax {
		l.faults = append(l.faults, err)
	}
}

// pack makes a pack of what was read.
func (l *packLoader) pack(f *packFile) *Pack {
	p := &Pack{Name: f.Pack.Name, Title: f.Pack.Title, Version: f.Pack.Version, Origin: l.origin}
	if p.Name == "" && len(l.unread) == 0 {
		l.fault(l.errorf("$.pack", "pack.name is missing"))
	}
	if p.Version < 1 && len(l.unread) == 0 {
		l.fault(l.errorf("$.pack", "pack.version must be 1 or more"))
	}
	if p.Title == "" {
		p.Title = p.Name
	}
	seen := map[string]bool{}
	for gi := range f.Groups {
		g := &f.Groups[gi]
		at := fmt.Sprintf("$.groups[%d]", gi)
		if g.Window != "" && g.Window != "1m" {
			l.fault(l.errorf(at+".window", "window %q: only 1m is possible; longer spans are written as ranges, rate(x[5m])", g.Window))
		}
		for ri := range g.Rules {
			at := fmt.Sprintf("$.groups[%d].rules[%d]", gi, ri)
			if slices.ContainsFunc(l.unread, func(p string) bool { return strings.HasPrefix("$."+p, at) }) {
				continue // what else is wrong with it is seen when it can be read
			}
			r, err := l.rule(&g.Rules[ri], at)
			if err == nil && seen[r.Name] {
				err = l.errorf(at+".signal", "signal %q occurs twice", r.Name)
			}
			if err != nil {
				l.fault(err)
				continue
			}
			seen[r.Name] = true
			r.Pack = p.Name
			p.Rules = append(p.Rules, r)
			if len(p.Rules) > RulesMax {
				l.fault(l.errorf(at, "a pack holds at most %d rules", RulesMax))
				return p
			}
		}
	}
	if len(p.Rules) == 0 && len(l.faults) == 0 {
		l.fault(fmt.Errorf("%s:1:1: pack %q has no rules", l.origin, p.Name))
	}
	for i := range f.Measures {
		m, err := l.measure(p, &f.Measures[i], fmt.Sprintf("$.measures[%d]", i))
		l.fault(err)
		p.Measures = append(p.Measures, m)
	}
	if len(f.Tests) > TestsMax {
		l.fault(l.errorf("$.tests", "a pack holds at most %d tests", TestsMax))
		return p
	}
	if len(l.faults) > 0 {
		return p // tests of rules that are not there would only be noise
	}
	for i := range f.Tests {
		t, err := l.test(p, &f.Tests[i], fmt.Sprintf("$.tests[%d]", i))
		l.fault(err)
		p.Tests = append(p.Tests, t)
	}
	return p
}

// packLoader turns parts of one file into rules and knows where in the file they stand.
type packLoader struct {
	origin string
	data   []byte
	body   ast.Node
	faults []error  // so far
	unread []string // paths of those that are of the file's form
	values int      // of the tests so far
}

func (l *packLoader) rule(y *packRule, at string) (*Rule, error) {
	r := &Rule{
		Name: y.Signal, Question: y.Question, Unit: y.Baseline.Unit, MinEvents: y.Baseline.MinEvents,
		EffectEvents: y.Baseline.Effect.Events, Lesson: y.Labels.Lesson, Summary: y.Annotations.Summary,
		Meaning: strings.TrimSpace(y.Annotations.Meaning), Causes: y.Annotations.Causes, Next: y.Annotations.Next,
		Evidence: y.Evidence, Was: y.Was, Digest: y.Labels.Digest, Impact: y.Labels.Impact, Settles: y.Labels.Settles, Params: model.Defaults(),
	}
	if !signalName.MatchString(r.Name) {
		return nil, l.errorf(at+".signal", "signal name %q: want lower-case words joined by dots, like dns.servfail_ratio%s", r.Name, nameMeant(r.Name))
	}
	var err error
	if r.Exprs, err = l.exprs(y.Expr, at); err != nil {
		return nil, err
	}
	switch y.Labels.Severity {
	case "page", "warn", "info":
		r.Severity = Severity(y.Labels.Severity)
	case "":
		r.Severity = Warn
	default:
		return nil, l.errorf(at+".labels.severity", "severity %q: want page, warn or info%s", y.Labels.Severity, near.Meant(y.Labels.Severity, []string{"page", "warn", "info"}))
	}
	switch y.Labels.Lesson {
	case "networking", "resources", "rbac", "upgrades", "trend", "":
	default:
		return nil, l.errorf(at+".labels.lesson", "lesson %q: want networking, resources, rbac, upgrades or trend%s", y.Labels.Lesson, near.Meant(y.Labels.Lesson, []string{"networking", "resources", "rbac", "upgrades", "trend"}))
	}
	if err := l.params(r, y, at); err != nil {
		return nil, err
	}
	r.graded(r.Severity)
	for i := range r.Exprs {
		plan, err := Compile(r.Exprs[i])
		if err != nil {
			where := at + ".expr"
			if len(r.Exprs) > 1 {
				where += fmt.Sprintf("[%d]", i)
			}
			return nil, l.exprError(where, r.Name, err)
		}
		r.needs = append(r.needs, metricsOf(nil, plan, r.Exprs[i]))
	}
	return r, nil
}

func (l *packLoader) exprs(v any, at string) ([]string, error) {
	switch x := v.(type) {
	case string:
		if strings.TrimSpace(x) != "" {
			return []string{x}, nil
		}
	case []any:
		var out []string
		for i := range x {
			s, ok := x[i].(string)
			if !ok || strings.TrimSpace(s) == "" {
				return nil, l.errorf(fmt.Sprintf("%s.expr[%d]", at, i), "expr: every form must be a string that holds an expression")
			}
			out = append(out, s)
		}
		if len(out) > 0 && len(out) <= 8 {
			return out, nil
		}
	}
	return nil, l.errorf(at+".expr", "expr: want an expression, or a list of one to eight, best first")
}

func (l *packLoader) params(r *Rule, y *packRule, at string) error {
	b, p := &y.Baseline, &r.Params
	at += ".baseline"
	word := func(field, got string, words ...string) (int, error) {
		i := slices.Index(words, got)
		if i < 0 && got != "" {
			return 0, l.errorf(at+"."+field, "%s %q: want one of %s%s", field, got, strings.Join(words, ", "), near.Meant(got, words))
		}
		return max(i, 0), nil
	}
	i, err := word("mode", b.Mode, "level", "trend", "spread", "event")
	if err != nil {
		return err
	}
	p.Mode = model.Mode(i)
	if i, err = word("bad", b.Bad, "both", "up", "down"); err != nil {
		return err
	}
	p.Bad = model.Direction(i)
	if i, err = word("season", b.Season, "auto", "none", "daily", "weekly"); err != nil {
		return err
	}
	p.Season = model.Season(i)
	if i, err = word("born", b.Born, "", "zero", "unknown"); err != nil {
		return err
	}
	r.BornZero = i == 1 || i == 0 && p.Mode == model.Event && p.Bad == model.Up
	if b.Bounds != nil {
		if len(b.Bounds) != 2 {
			return l.errorf(at+".bounds", "bounds: want [lowest, highest]; null means unbounded")
		}
		if b.Bounds[0] != nil {
			p.Min = *b.Bounds[0]
		}
		if b.Bounds[1] != nil {
			p.Max = *b.Bounds[1]
		}
		if !(p.Min < p.Max) {
			return l.errorf(at+".bounds", "bounds: the lowest value must be below the highest")
		}
	}
	for _, part := range [...]func(*Rule, *packRule, string) error{l.effect, l.marks, l.unit, l.persist} {
		if err := part(r, y, at); err != nil {
			return err
		}
	}
	return nil
}

// effect reads the smallest effect.
func (l *packLoader) effect(r *Rule, y *packRule, at string) error {
	b, p := &y.Baseline, &r.Params
	if b.Effect.Abs < 0 || math.IsNaN(b.Effect.Abs) {
		return l.errorf(at+".effect.abs", "effect.abs must not be negative")
	}
	p.EffectAbs = b.Effect.Abs
	switch {
	case b.Effect.Rel != nil:
		if *b.Effect.Rel < 0 || math.IsNaN(*b.Effect.Rel) {
			return l.errorf(at+".effect.rel", "effect.rel must not be negative")
		}
		p.EffectRel = *b.Effect.Rel
	case b.Effect.Abs > 0:
		p.EffectRel = 0 // an author who gives only an absolute effect means only that
	}
	if b.Effect.Events < 0 || b.MinEvents < 0 {
		return l.errorf(at, "effect.events and min_events must not be negative")
	}
	return nil
}

// marks reads the ceiling, and the limit of a trend.
func (l *packLoader) marks(r *Rule, y *packRule, at string) error {
	b, p := &y.Baseline, &r.Params
	if b.Ceiling != nil {
		p.Ceiling = *b.Ceiling
	}
	if p.Renews = b.Renews; b.Renews != 0 && (!(b.Renews > 0 && b.Renews <= math.MaxFloat64) || b.Ceiling == nil || p.Bad != model.Down) {
		return l.errorf(at+".renews", "renews %g: want a life in the signal's unit, of a rule with a ceiling and bad: down", b.Renews)
	}
	if b.Limit != nil {
		p.Limit = *b.Limit
	}
	if b.Eta != "" {
		d, err := duration(b.Eta)
		if err != nil || d <= 0 {
			return l.errorf(at+".eta", "eta %q: want a duration like 2h or 3d", b.Eta)
		}
		if math.IsNaN(p.Limit) {
			return l.errorf(at+".eta", "eta needs limit: time to what?")
		}
		p.EtaMs = d.Milliseconds()
	}
	if !math.IsNaN(p.Limit) && p.Mode != model.Trend {
		return l.errorf(at+".limit", "limit is where a trend leads to: write mode: trend, or use ceiling for a fixed mark")
	}
	for _, x := range []struct {
		field string
		v     float64
	}{{"ceiling", p.Ceiling}, {"limit", p.Limit}} {
		if x.v < p.Min || x.v > p.Max {
			hint := ""
			if p.Max == 1 && x.v > 1 && x.v <= 100 {
				hint = fmt.Sprintf("; a share is written as %g", x.v/100)
			}
			return l.errorf(at+"."+x.field, "%s %g is outside the bounds %g to %g and can never be reached%s", x.field, x.v, p.Min, p.Max, hint)
		}
	}
	return nil
}

// unit checks the unit, and that the season goes with the mode.
func (l *packLoader) unit(r *Rule, y *packRule, at string) error {
	b, p := &y.Baseline, &r.Params
	switch strings.ToLower(b.Unit) {
	case "%", "percent", "percentage", "pct":
		return l.errorf(at+".unit", "unit %q: write unit: ratio and let the expression give 0 to 1; it is shown in percent", b.Unit)
	}
	if len(b.Unit) > 16 || strings.ContainsFunc(b.Unit, unicode.IsControl) {
		return l.errorf(at+".unit", "unit %q: want a short word, like s, B/s, /s, ratio or pods", b.Unit)
	}
	if p.Mode == model.Event && p.Season > model.NoSeason {
		return l.errorf(at+".season", "an event has no season: write season: none, or mode: level for what comes and goes with the day")
	}
	return nil
}

// persist reads for how long a deviation must last.
func (l *packLoader) persist(r *Rule, y *packRule, at string) error {
	b, p := &y.Baseline, &r.Params
	if b.Persist < 0 || b.Persist > 120 {
		return l.errorf(at+".persist", "persist: want 1 to 120 windows")
	}
	if b.Persist > 0 {
		p.Persist = b.Persist
	}
	if y.For != "" {
		if b.Persist > 0 {
			return l.errorf(at+".persist", "persist and for say the same; keep one")
		}
		d, err := duration(y.For)
		n := int((d.Milliseconds() + p.StepMs - 1) / p.StepMs)
		if err != nil || d < 0 || n > 120 {
			return l.errorf(strings.TrimSuffix(at, ".baseline")+".for", "for %q: want a duration from 0s to 2h", y.For)
		}
		p.Persist = max(n, 1)
	}
	return nil
}

// duration reads 90s, 5m, 2h, 3d, 1w and sums of them without a sign, as Prometheus writes durations.
func duration(s string) (time.Duration, error) {
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	var total time.Duration
	for rest := s; rest != ""; {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		letters := digits
		for letters < len(rest) && rest[letters] >= 'a' && rest[letters] <= 'z' {
			letters++
		}
		u, ok := units[rest[digits:letters]]
		if digits == 0 || digits > 9 || !ok {
			return 0, fmt.Errorf("not a duration: %q", s)
		}
		n := 0
		for _, c := range rest[:digits] {
			n = n*10 + int(c-'0')
		}
		total += time.Duration(n) * u
		if total > 366*24*time.Hour {
			return 0, fmt.Errorf("duration is longer than a year: %q", s)
		}
		rest = rest[letters:]
	}
	if s == "" {
		return 0, errors.New("empty duration")
	}
	return total, nil
}
