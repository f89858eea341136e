package pack

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

const overridePack = packStart + `  - signal: wl.ready
    expr: min by (namespace, workload) (ready)
    labels: {severity: page}
  - signal: wl.cpu
    expr: sum by (namespace, workload) (rate(cpu_total[1m]))
    labels: {severity: info}
  - signal: dns.qps
    expr: sum(rate(q_total[1m]))
    baseline: {effect: {abs: 50, rel: 0.3, events: 5}}
    for: 3m
`

func overridden(t *testing.T, o ...Override) map[string]*Rule {
	t.Helper()
	p, err := Load([]byte(overridePack), "f.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := p.Rules
	before := *own[0]
	if err := ApplyOverrides([]*Pack{p}, o); err != nil {
		t.Fatal(err)
	}
	if own[0].Severity != before.Severity || own[0].scope != nil {
		t.Error("the pack's own rule was changed")
	}
	rules := map[string]*Rule{}
	for _, r := range p.Rules {
		rules[r.Name] = r
	}
	return rules
}

func ptr[T any](v T) *T { return &v }

func entityOf(namespace string) series.Labels {
	return series.Labels{{Name: "cluster", Value: "c"}, {Name: "namespace", Value: namespace}, {Name: "workload", Value: "w"}}
}

func TestOverridesOfWholeRules(t *testing.T) {
	r := overridden(t, Override{Match: "dns.qps", EffectRel: ptr(0.5), EffectAbs: ptr(0.0), Persist: 10}, Override{Match: "wl.*", Severity: Warn}, Override{Match: "wl.cpu", Enabled: ptr(false)})
	if q := r["dns.qps"]; q.Params.EffectRel != 0.5 || q.Params.EffectAbs != 0 || q.EffectEvents != 5 || q.Params.Persist != 10 ||
		len(q.Overridden) != 1 || q.Overridden[0] != "effect.abs 0, effect.rel 0.5, for 10m (by dns.qps)" {
		t.Errorf("dns.qps: %+v", q)
	}
	if r["wl.cpu"] != nil || r["wl.ready"].Severity != Warn || r["wl.ready"].Of(entityOf("x")) != r["wl.ready"] {
		t.Errorf("%v", r)
	}
}

func TestOverridesOfEntities(t *testing.T) {
	r := overridden(t,
		Override{Match: "wl.*", Where: map[string]string{"namespace": "batch-.*"}, Severity: Info},
		Override{Match: "wl.ready", Where: map[string]string{"namespace": "batch-.*", "workload": "v"}, Severity: Page},
		Override{Match: "wl.cpu", Enabled: ptr(false)},
		Override{Match: "wl.cpu", Where: map[string]string{"namespace": "shop"}, Enabled: ptr(true)})
	ready, cpu := r["wl.ready"], r["wl.cpu"]
	if ready.Of(entityOf("batch-1")).Severity != Info || ready.Of(entityOf("batch-1")) != ready.Of(entityOf("batch-2")) || ready.Of(entityOf("xbatch-1")) != ready || ready.Severity != Page {
		t.Error("severity by namespace")
	}
	if cpu.Of(entityOf("other")) != nil || cpu.Of(entityOf("shop")) != cpu {
		t.Error("enabled by namespace")
	}
}

func TestBadOverrides(t *testing.T) {
	for _, c := range []struct {
		o           Override
		field, want string
	}{
		{Override{Match: "[", Enabled: ptr(false)}, "match", "not a glob"},
		{Override{Enabled: ptr(false)}, "match", "not a glob"},
		{Override{Match: "no.such", Enabled: ptr(false)}, "match", "no signal matches"},
		{Override{Match: "wl.*"}, "", "changes nothing"},
		{Override{Match: "wl.*", Severity: "urgent"}, "severity", "want page, warn or info"},
		{Override{Match: "wl.*", EffectRel: ptr(-1.0)}, "effect.rel", "not negative"},
		{Override{Match: "wl.*", Persist: 121}, "for", "1m to 2h"},
		{Override{Match: "wl.*", Where: map[string]string{"namespace": "x"}, Persist: 5}, "where", "signal as a whole"},
		{Override{Match: "wl.*", Where: map[string]string{"namespace": "("}, Severity: Info}, "where.namespace", "regular expression"},
		{Override{Match: "wl.*", Where: map[string]string{"nmespace": "x"}, Severity: Info}, "where.nmespace", "has a label nmespace"},
	} {
		p, err := Load([]byte(overridePack), "f.yaml")
		if err != nil {
			t.Fatal(err)
		}
		err = ApplyOverrides([]*Pack{p}, []Override{c.o})
		oe, ok := err.(*OverrideError)
		if !ok || oe.Index != 0 || oe.Field != c.field || !strings.Contains(oe.Msg, c.want) {
			t.Errorf("%+v: got %v, want %s: %s", c.o, err, c.field, c.want)
		}
	}
}

// Where somebody is paged because they are hurt, and says which side hurts, the judge takes no outage for a habit: also when an override makes it so, and not when one says that it is none.
func TestJudgeFollowsSeverity(t *testing.T) {
	p, err := Load([]byte(packStart+`  - signal: a.fails
    expr: min by (namespace, workload) (ready)
    baseline: {bad: up, unit: ratio, bounds: [0, 1]}
    labels: {severity: page}
  - signal: b.slow
    expr: min by (namespace, workload) (slow)
    baseline: {bad: up, unit: s}
  - signal: c.moves
    expr: min by (namespace, workload) (moves)
    labels: {severity: page}
`), "f.yaml")
	if err != nil {
		t.Fatal(err)
	}
	grave := func(i int, namespace string) bool { return p.Rules[i].Of(entityOf(namespace)).Params.Grave }
	if !grave(0, "x") || grave(1, "x") || grave(2, "x") {
		t.Errorf("as written: %v %v %v", grave(0, "x"), grave(1, "x"), grave(2, "x"))
	}
	if err := ApplyOverrides([]*Pack{p}, []Override{{Match: "a.fails", Where: map[string]string{"namespace": "staging"}, Severity: Warn}, {Match: "b.slow", Severity: Page}}); err != nil {
		t.Fatal(err)
	}
	if !grave(0, "x") || grave(0, "staging") || !grave(1, "x") {
		t.Errorf("overridden: %v %v %v", grave(0, "x"), grave(0, "staging"), grave(1, "x"))
	}
}
