package pack

import (
	"strings"
	"testing"
)

const packStart = "pack: {name: p, version: 1}\ngroups:\n- name: g\n  rules:\n"

// A fault in an expression is reported at its place in the file, however YAML writes the expression.
func TestLoadPackPlacesExpressionFaults(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"literal block", "  - signal: a.b\n    expr: |\n      sum by (cluster) (rate(x[1m]))\n        / topk(1, y)\n", "f.yaml:8:11: signal a.b: topk is not available"},
		{"plain", "  - signal: a.b\n    expr: max(x) + topk(1, y)\n", "f.yaml:6:20: signal a.b: topk"},
		{"double quotes", "  - signal: a.b\n    expr: \"max(x) + topk(1, y)\"\n", "f.yaml:6:21: signal a.b: topk"},
		{"single quotes", "  - signal: a.b\n    expr: 'sum(x) without (y)'\n", "f.yaml:6:19: signal a.b: without"},
		{"list", "  - signal: a.b\n    expr:\n    - max(x)\n    - |\n      max(x)\n      or\n      irate(y[1m])\n", "f.yaml:11:7: signal a.b: irate"},
		{"flow list", "  - signal: a.b\n    expr: [max(x), 'deriv(y[5m])']\n", "f.yaml:6:21: signal a.b: deriv"},
		{"folded block", "  - signal: a.b\n    expr: >\n      max(x)\n      + topk(1, y)\n", "signal a.b: expression 1:10: topk"},
	} {
		_, err := Load([]byte(packStart+c.rule), "f.yaml")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestLoadPackIsStrict(t *testing.T) {
	const good = "  - signal: a.b\n    expr: max(x)\n"
	if p, err := Load([]byte(packStart+good), "f.yaml"); err != nil || len(p.Rules) != 1 || p.Title != "p" || p.Rules[0].Severity != Warn || p.Rules[0].Pack != "p" {
		t.Fatalf("the plain pack: %+v, %v", p, err)
	}
	for _, c := range []struct{ name, yaml, want string }{
		{"empty", "", "f.yaml:1:1: pack is empty"},
		{"no YAML", "pack: [", "f.yaml:1:"},
		{"no name", "pack: {version: 1}\n", "pack.name is missing"},
		{"no version", "pack: {name: p}\n", "pack.version must be 1 or more"},
		{"no rules", "pack: {name: p, version: 1}\n", "has no rules"},
		{"unknown key", packStart + good + "    exprs: max(y)\n", `f.yaml:7:5: groups[0].rules[0].exprs: there is no such key; did you mean "expr"?`},
		{"two documents", packStart + good + "---\npack: {name: q, version: 1}\n", "a second document begins here"},
		{"wrong window", "pack: {name: p, version: 1}\ngroups:\n- name: g\n  window: 5m\n  rules:\n" + good, "f.yaml:4:11: window"},
		{"twice", packStart + good + good, `f.yaml:7:13: signal "a.b" occurs twice`},
		{"bad name", packStart + "  - signal: Foo\n    expr: max(x)\n", "f.yaml:5:13: signal name"},
		{"no expression", packStart + "  - signal: a.b\n", "want an expression"},
		{"number as expression", packStart + "  - signal: a.b\n    expr: 5\n", "want an expression"},
		{"nine forms", packStart + "  - signal: a.b\n    expr: [x, x, x, x, x, x, x, x, x]\n", "one to eight"},
		{"severity", packStart + good + "    labels: {severity: urgent}\n", "severity \"urgent\""},
		{"lesson", packStart + good + "    labels: {lesson: life}\n", "lesson \"life\""},
		{"mode", packStart + good + "    baseline: {mode: levle}\n", "want one of level, trend, spread, event"},
		{"bounds", packStart + good + "    baseline: {bounds: [1, 0]}\n", "the lowest value must be below"},
		{"one bound", packStart + good + "    baseline: {bounds: [1]}\n", "want [lowest, highest]"},
		{"eta without limit", packStart + good + "    baseline: {eta: 2h}\n", "time to what?"},
		{"eta", packStart + good + "    baseline: {limit: 1, eta: soon}\n", "want a duration"},
		{"for", packStart + good + "    for: 3h\n", "want a duration from 0s to 2h"},
		{"for and persist", packStart + good + "    for: 3m\n    baseline: {persist: 3}\n", "say the same"},
		{"negative effect", packStart + good + "    baseline: {effect: {abs: -1}}\n", "must not be negative"},
		{"too large", packStart + good + strings.Repeat("# padding\n", BytesMax/10), "at most"},
	} {
		_, err := Load([]byte(c.yaml), "f.yaml")
		if err == nil || !strings.HasPrefix(err.Error(), "f.yaml") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
