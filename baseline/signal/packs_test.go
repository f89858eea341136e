package signal_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

func embedded(t *testing.T) []*signal.Rule {
	t.Helper()
	packs, err := signal.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var rules []*signal.Rule
	for _, p := range packs {
		rules = append(rules, p.Rules...)
	}
	return rules
}

// names are all signals of the embedded packs.
func names(rules []*signal.Rule) map[string]*signal.Rule {
	m := map[string]*signal.Rule{}
	for _, r := range rules {
		m[r.Name] = r
	}
	return m
}

func TestEmbeddedPacksLoad(t *testing.T) {
	packs, err := signal.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range packs {
		got = append(got, p.Name)
		if want := "packs/" + p.Name + ".yaml"; p.Origin != want {
			t.Errorf("pack %s is in %s, want %s", p.Name, p.Origin, want)
		}
	}
	for _, want := range []string{"api", "dns", "net", "node", "prom", "svc", "wl"} {
		if !slices.Contains(got, want) {
			t.Errorf("no pack %s, there are %v", want, got)
		}
	}
}

func TestSignalNamesAreUniqueOverAllPacks(t *testing.T) {
	seen := map[string]string{}
	for _, r := range embedded(t) {
		if was := seen[r.Name]; was != "" {
			t.Errorf("%s is in pack %s and in pack %s", r.Name, was, r.Pack)
		}
		seen[r.Name] = r.Pack
	}
}

func TestTheFirstSixteenSignalsExist(t *testing.T) {
	have := names(embedded(t))
	for _, want := range []string{
		"dns.servfail_ratio", "dns.replica_share_min", "dns.latency_p99", "dns.qps", "net.conntrack_fill", "wl.mem_of_limit", "wl.mem_growth",
		"wl.throttle_ratio", "wl.psi_cpu", "wl.restarts", "wl.ready_ratio", "api.forbidden", "api.client_denied", "api.latency_p99",
		"node.disk_latency", "svc.error_ratio", "svc.latency_p99", "svc.rps",
	} {
		if have[want] == nil {
			t.Errorf("no signal %s", want)
		}
	}
}

// What the simulator's truth demands must be askable, or its recall could never be reached. A pattern in its other lists must
// match something, or it is misspelt; what only comes from outside the packs is excused by name.
func TestEverySignalOfTheGroundTruthExists(t *testing.T) {
	have := names(embedded(t))
	matches := func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if !wild {
			return have[pattern] != nil
		}
		for n := range have {
			if strings.HasPrefix(n, prefix) {
				return true
			}
		}
		return false
	}
	outside := []string{"recv.*", "roll.*", "svc.edge_fail_share"}
	for _, k := range scenario.Kinds() {
		g, err := scenario.New(scenario.Config{Faults: []scenario.Fault{{Kind: k, StartMs: scenario.Epoch}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, truth := range g.Truth() {
			for _, e := range truth.Must {
				r := have[e.Signal]
				if r == nil {
					t.Errorf("%s must raise %s, which no pack has", k, e.Signal)
					continue
				}
				if e.Dir == "up" && r.Params.Bad == model.Down || e.Dir == "down" && r.Params.Bad == model.Up {
					t.Errorf("%s must raise %s %s, but only %s is bad", k, e.Signal, e.Dir, r.Params.Bad)
				}
				for _, kv := range strings.Split(e.Group, ",") {
					label, _, _ := strings.Cut(kv, "=")
					if label != "" && !strings.Contains(r.Exprs[0], label) {
						t.Errorf("%s asks for %s of a %s, which it does not group by", k, e.Signal, label)
					}
				}
				if within := int64(r.Params.Persist) * r.Params.StepMs / 1000; e.Within > 0 && within > e.Within && r.Params.Mode != model.Trend {
					t.Errorf("%s must raise %s within %d s, but it takes %d s", k, e.Signal, e.Within, within)
				}
			}
			for _, e := range truth.May {
				if !matches(e.Signal) && !slices.Contains(outside, e.Signal) {
					t.Errorf("%s may raise %s, which no pack has", k, e.Signal)
				}
			}
			for _, p := range truth.MustNot {
				if !matches(p) && !slices.Contains(outside, p) {
					t.Errorf("%s must not raise %s, which no pack has", k, p)
				}
			}
		}
	}
}

var (
	question  = regexp.MustCompile(`^[A-Z].*\?$`)
	sentences = regexp.MustCompile(`^[A-Za-z].*\.$`)
	braces    = regexp.MustCompile(`\{\{.*?\}\}`)
	// labels that a summary or a command takes from the entity
	labelRef = regexp.MustCompile(`\$labels\.([a-z_]+)`)
	units    = []string{"ratio", "s", "B/s", "/s", "cores", "d", "×"}
)

func TestEveryRuleSaysWhatItMeans(t *testing.T) {
	for _, r := range embedded(t) {
		switch {
		case !question.MatchString(r.Question):
			t.Errorf("%s: question %q", r.Name, r.Question)
		case r.Unit == "":
			t.Errorf("%s has no unit", r.Name)
		case !sentences.MatchString(r.Meaning) || len(r.Meaning) > 400:
			t.Errorf("%s: meaning %q is no sentence or too long", r.Name, r.Meaning)
		case len(r.Causes) == 0 || len(r.Next) == 0:
			t.Errorf("%s names no causes or nothing to do next", r.Name)
		case r.Lesson == "":
			t.Errorf("%s belongs to no lesson", r.Name)
		case r.Summary == "":
			t.Errorf("%s has no summary", r.Name)
		}
		// A unit that is a word of its own must be a plural: it is written after a number.
		if !slices.Contains(units, r.Unit) && !strings.HasSuffix(r.Unit, "s") && r.Unit != "ok" && r.Unit != "in use" {
			t.Errorf("%s: unit %q", r.Name, r.Unit)
		}
	}
}

// A template that cannot be filled leaves a message without its sentence, a label that the entity lacks a hole in it.
func TestSummariesAndCommandsCanBeFilled(t *testing.T) {
	for _, r := range embedded(t) {
		texts := append([]string{r.Summary}, r.Next...)
		for _, text := range texts {
			if err := alerting.CheckSummary(text); err != nil {
				t.Errorf("%s: %q: %v", r.Name, text, err)
			}
			for _, m := range labelRef.FindAllStringSubmatch(text, -1) {
				by := regexp.MustCompile(`by \([^)]*\b` + m[1] + `\b[^)]*\)`)
				found := false
				for _, x := range r.Exprs {
					found = found || by.MatchString(x)
				}
				if !found {
					t.Errorf("%s: %q uses the label %s, by which no form groups", r.Name, text, m[1])
				}
			}
		}
		if plain := braces.ReplaceAllString(r.Summary, ""); len(plain) > 140 {
			t.Errorf("%s: the fixed text of the summary has %d bytes", r.Name, len(plain))
		}
		shows := strings.Contains(r.Summary, "$value")
		if learned := r.Params.Mode == model.Level || r.Params.Mode == model.Trend; learned && (!shows || !strings.Contains(r.Summary, "$band")) {
			t.Errorf("%s: the summary shows no value or not what is normal: %q", r.Name, r.Summary)
		}
		if math.IsNaN(r.Params.Limit) == strings.Contains(r.Summary, "$eta") {
			t.Errorf("%s: the summary must name the time to the limit exactly when there is one: %q", r.Name, r.Summary)
		}
	}
}

func TestEvidenceNamesSignalsThatExist(t *testing.T) {
	rules := embedded(t)
	have := names(rules)
	for _, r := range rules {
		if len(r.Evidence) == 0 {
			t.Errorf("%s has no evidence", r.Name)
		}
		for i, e := range r.Evidence {
			if have[e] == nil {
				t.Errorf("%s: evidence %s is in no pack", r.Name, e)
			}
			if e == r.Name || slices.Contains(r.Evidence[:i], e) {
				t.Errorf("%s: evidence %s is itself or twice", r.Name, e)
			}
		}
	}
}

func TestParametersAreSane(t *testing.T) {
	pages := 0
	rules := embedded(t)
	for _, r := range rules {
		p := r.Params
		if r.Severity == signal.Page {
			pages++
			if p.Bad == model.Both {
				t.Errorf("%s pages in both directions: one of them is surely the good one", r.Name)
			}
		}
		if p.EffectAbs == 0 && p.EffectRel == 0 && math.IsNaN(p.Ceiling) {
			t.Errorf("%s: every significant deviation would be news, however small", r.Name)
		}
		if !math.IsNaN(p.Ceiling) && (p.Ceiling < p.Min || p.Ceiling > p.Max) {
			t.Errorf("%s: ceiling %v is outside the bounds", r.Name, p.Ceiling)
		}
		if p.Mode == model.Event && p.EffectAbs == 0 {
			t.Errorf("%s: an event without a size", r.Name)
		}
		if p.Mode == model.Event && p.Bad != model.Up {
			t.Errorf("%s: events go up", r.Name)
		}
		if !math.IsNaN(p.Limit) && p.Mode != model.Trend {
			t.Errorf("%s has a limit but is no trend", r.Name)
		}
		// A level of which a small part of a percent counts needs numbers behind it.
		if r.Unit == "ratio" && p.Mode == model.Level && p.EffectAbs <= 0.005 && r.MinEvents == 0 {
			t.Errorf("%s: one request of ten would be an effect of 10 %%", r.Name)
		}
		if strings.Contains(r.Exprs[0], "histogram_quantile") && r.MinEvents == 0 {
			t.Errorf("%s: a quantile of three requests is no quantile", r.Name)
		}
		if len(r.Name) > 32 {
			t.Errorf("%s: the name is too long for a table", r.Name)
		}
		for _, x := range r.Exprs {
			for _, m := range []string{"container_cpu", "container_memory", "container_oom", "container_pressure"} {
				if strings.Count(x, m) > 0 && strings.Count(x, `container!=""`) == 0 {
					t.Errorf("%s: %s is counted for containers and again for their pods", r.Name, m)
				}
			}
			if strings.Contains(x, "job=") || strings.Contains(x, "job!") {
				t.Errorf("%s matches a job: names of jobs differ between installations", r.Name)
			}
		}
	}
	if pages*2 > len(rules) {
		t.Errorf("%d of %d signals page: then none of them is urgent", pages, len(rules))
	}
}
