package pack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// A fault in a pack is reported at its line and column, with what is wrong and what to write. Faults inside expressions have a table of
// their own, in expr_test.go.
func TestBadPacks(t *testing.T) {
	const good = "  - signal: a.b\n    expr: max by (cluster, node) (x)\n" // lines 5 and 6
	const rule = packStart + good                                          // the next line is 7
	const tests = rule + "tests:\n"                                        // the next line is 8
	in := func(series, expect string) string {
		return tests + "- input:\n    " + series + "\n  expect:\n  - " + expect + "\n" // 8, 9, 10, 11
	}
	const fires = "{signal: a.b, fires_within: 5m}"
	for _, c := range []struct {
		name, yaml string
		line, col  int
		says       string // what is wrong
		advice     string // what to write
	}{
		// the file
		{"unknown key on top", "packs: {name: p}\n", 1, 1, `no such key`, ""},
		{"unknown key of a rule", rule + "    question_: Why?\n", 7, 5, `no such key`, ""},
		{"unknown key of a baseline", rule + "    baseline: {bad: up, efect: {abs: 1}}\n", 7, 25, `no such key`, ""},
		{"unknown key of an effect", rule + "    baseline:\n      effect:\n        absolute: 1\n", 9, 9, `no such key`, ""},
		{"unknown key of labels", rule + "    labels: {team: a}\n", 7, 14, `no such key`, ""},
		{"unknown key of annotations", rule + "    annotations: {runbook: x}\n", 7, 19, `no such key`, ""},
		{"unknown key of a group", "pack: {name: p, version: 1}\ngroups:\n- name: g\n  interval: 1m\n  rules:\n" + good, 4, 3, `no such key`, ""},
		{"key twice", rule + "    for: 3m\n    for: 5m\n", 8, 5, "stands twice", ""},
		{"unclosed bracket", rule + "    evidence: [a.b\n", 7, 15, "", ""},
		{"tab", rule + "\tfor: 3m\n", 7, 1, "", ""},
		{"text as version", "pack: {name: p, version: two}\n", 1, 26, "want a whole number, not text", ""},
		{"list of rules as text", "pack: {name: p, version: 1}\ngroups: none\n", 2, 9, "", ""},
		{"version 0", "pack:\n  name: p\n  version: 0\ngroups: []\n", 2, 3, "pack.version", "1 or more"},
		// rules
		{"name with a capital", packStart + "  - signal: shop.Orders\n    expr: max(x)\n", 5, 13, `"shop.Orders"`, "like dns.servfail_ratio"},
		{"name without a dot", packStart + "  - signal: orders\n    expr: max(x)\n", 5, 13, `"orders"`, "joined by dots"},
		{"the same signal in two groups", rule + "- name: h\n  rules:\n" + good, 9, 13, `"a.b" occurs twice`, ""},
		{"expression in the second form", packStart + "  - signal: a.b\n    expr:\n    - max(x)\n    - |\n      sum by (cluster) (y)\n        / sum by (cluster, pod) (z)\n", 10, 9, "signal a.b", "group_right"},
		{"empty form", packStart + "  - signal: a.b\n    expr: [max(x), '']\n", 6, 20, "every form", "string that holds an expression"},
		{"expression as a map", packStart + "  - signal: a.b\n    expr: {promql: max(x)}\n", 6, 11, "expr", "an expression, or a list"},
		{"severity of Prometheus", rule + "    labels: {severity: critical}\n", 7, 24, `"critical"`, "page, warn or info"},
		{"lesson", rule + "    labels:\n      lesson: cost\n", 8, 15, `"cost"`, "networking, resources, rbac, upgrades or trend"},
		{"for too long", rule + "    for: 1d\n", 7, 10, `"1d"`, "from 0s to 2h"},
		{"for without a unit", rule + "    for: 5\n", 7, 10, `"5"`, "from 0s to 2h"},
		{"window", "pack: {name: p, version: 1}\ngroups:\n- name: g\n  window: 30s\n  rules:\n" + good, 4, 11, `"30s"`, "rate(x[5m])"},
		// baselines
		{"mode", rule + "    baseline: {mode: seasonal}\n", 7, 22, `"seasonal"`, "level, trend, spread, event"},
		{"direction", rule + "    baseline: {bad: higher}\n", 7, 21, `"higher"`, "both, up, down"},
		{"season", rule + "    baseline: {season: monthly}\n", 7, 24, `"monthly"`, "auto, none, daily, weekly"},
		{"equal bounds", rule + "    baseline: {bounds: [1, 1]}\n", 7, 24, "lowest value must be below", ""},
		{"three bounds", rule + "    baseline: {bounds: [0, 1, 2]}\n", 7, 24, "bounds", "[lowest, highest]"},
		{"ratio beyond its bounds", rule + "    baseline: {bounds: [0, 1], ceiling: 90}\n", 7, 41, "ceiling 90 is outside the bounds", "0.9"},
		{"limit beyond the bounds", rule + "    baseline: {mode: trend, bounds: [0, 1], limit: 100}\n", 7, 52, "limit 100 is outside the bounds", ""},
		{"eta without limit", rule + "    baseline: {mode: trend, eta: 2h}\n", 7, 34, "eta needs limit", "time to what?"},
		{"eta that is no duration", rule + "    baseline: {mode: trend, limit: 1, eta: 2 hours}\n", 7, 44, `"2 hours"`, "like 2h or 3d"},
		{"limit without a trend", rule + "    baseline: {mode: level, limit: 1}\n", 7, 36, "limit", "mode: trend"},
		{"negative effect", rule + "    baseline: {effect: {rel: -0.3}}\n", 7, 30, "effect.rel must not be negative", ""},
		{"negative events", rule + "    baseline: {min_events: -1}\n", 7, 15, "must not be negative", ""},
		{"persist and for", rule + "    for: 3m\n    baseline: {persist: 3}\n", 8, 25, "say the same", "keep one"},
		{"persist", rule + "    baseline: {persist: 500}\n", 7, 25, "persist", "1 to 120"},
		{"unit in percent", rule + "    baseline: {unit: percent}\n", 7, 22, `unit "percent"`, "unit: ratio"},
		{"unit that is a sentence", rule + "    baseline: {unit: requests in five minutes}\n", 7, 22, "unit", "a short word"},
		{"season of an event", rule + "    baseline: {mode: event, season: daily}\n", 7, 37, "an event has no season", "season: none"},
		// tests
		{"test without input", tests + "- expect: [" + fires + "]\n", 8, 3, "input", "0+60x10 prev+600x20"},
		{"test without expectations", tests + "- input: {x: 1x10}\n", 8, 3, "expect", "fires_within: 5m"},
		{"unknown key of a test", tests + "- series: {x: 1x10}\n", 8, 3, `no such key`, ""},
		{"unknown key of an expectation", in("x: 1x10 2x10", "{signal: a.b, fires: 5m}"), 11, 19, `no such key`, ""},
		{"unknown signal", in("x: 1x10 2x10", "{signal: a.c, fires_within: 5m}"), 11, 14, `"a.c" is not in this pack`, `did you mean "a.b"?`},
		{"nothing expected", in("x: 1x10 2x10", "{signal: a.b}"), 11, 5, "exactly one of", "fires_within: 5m"},
		{"two things expected", in("x: 1x10 2x10", "{signal: a.b, fires_within: 5m, never_fires: true}"), 11, 5, "exactly one of", ""},
		{"never, but not", in("x: 1x10 2x10", "{signal: a.b, never_fires: false}"), 11, 32, "says nothing", "fires_within: 5m"},
		{"label that entities lack", in("x: 1x10 2x10", "{signal: a.b, entity: {pod: a}, fires_within: 5m}"), 11, 27, "a.b has no label pod", "outermost by"},
		{"within what", in("x: 1x10 2x10", "{signal: a.b, fires_within: soon}"), 11, 33, `"soon"`, "like 5m"},
		{"at without value", in("x: 1x10 2x10", "{signal: a.b, fires_within: 5m, at: 3m}"), 11, 41, "at belongs to value", "fires_within"},
		{"value between windows", in("x: 1x10 2x10", "{signal: a.b, value: 1, at: 90s}"), 11, 33, `"90s"`, "whole minutes"},
		{"value after the end", in("x: 1x10", "{signal: a.b, value: 1, at: 20m}"), 11, 33, "after the last value", "10m"},
		{"metric that nobody reads", in("y: 1x10 2x10", fires), 9, 5, "no signal of this test reads y", "they read x"},
		{"series without a name", in(`'{node="a"}': 1x10 2x10`, fires), 9, 5, `{node="a"}`, ""},
		{"matcher in a series", in(`'x{node=~"a"}': 1x10 2x10`, fires), 9, 5, "want a metric's name with labels", `x_total{code="500"}`},
		{"delay of half an interval", in(`'x{__delay__="90s"}': 1x10 2x10`, fires), 9, 5, `__delay__ is "90s"`, "a multiple of the interval"},
		{"delay that is none", in(`'x{__delay__="late"}': 1x10 2x10`, fires), 9, 5, `__delay__ is "late"`, "up to 30m"},
		{"series twice", tests + "- input:\n    'x{a=\"1\",b=\"2\"}': 1\n    'x{b=\"2\",a=\"1\"}': 1\n  expect: [" + fires + "]\n", 10, 5, "is the same as", ""},
		{"unknown term", in("x: 1x10 up", fires), 9, 5, `term "up"`, "0+60x10"},
		{"slope without a count", in("x: 1x10 prev+3", fires), 9, 5, "how often?", "prev+3x10"},
		{"prev first", in("x: prev+1x10 5", fires), 9, 5, "no value before it", ""},
		{"prev not at all", in("x: 1x10 prev+1x0", fires), 9, 5, "gives no value", ""},
		{"too many values", in("x: 1x30000 2", fires), 9, 5, "at most 20000", ""},
		{"no fault", in("x: 1x30", fires), 11, 33, "no fault", "prev+600x20"},
		{"input ends too early", in("x: 1x10 2x3", fires), 11, 33, "1m0s after the last value", "add values"},
		{"interval", tests + "- interval: 1h\n  input: {x: 1x10 2x10}\n  expect: [" + fires + "]\n", 8, 13, `"1h"`, "5s to 5m"},
		{"warm", tests + "- warm: forever\n  input: {x: 1x10 2x10}\n  expect: [" + fires + "]\n", 8, 9, `"forever"`, "like 3d"},
		{"noise in percent", tests + "- noise: 3\n  input: {x: 1x10 2x10}\n  expect: [" + fires + "]\n", 8, 10, "noise 3", "0.03"},
	} {
		p, err := Load([]byte(c.yaml), "f.yaml")
		if err == nil {
			t.Errorf("%s: it was loaded: %+v", c.name, p.Rules)
			continue
		}
		at := fmt.Sprintf("f.yaml:%d:%d: ", c.line, c.col)
		if got := err.Error(); !strings.HasPrefix(got, at) || !strings.Contains(got, c.says) || !strings.Contains(got, c.advice) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want %s… %s … %s", c.name, got, at, c.says, c.advice)
		}
	}
}

// The notation of values is promtool's, with prev and now.
func TestTestValues(t *testing.T) {
	now := float64(TestStart.Unix())
	const nan = "NaN"
	for _, c := range []struct {
		text string
		want string
		from int64 // minutes
		warm string
	}{
		{"5", "5", 0, "5 5"},
		{"5x2", "5 5 5", 0, "5 5"},
		{"0x2", "0 0 0", 0, "0 0"},
		{"-2x1 4", "-2 -2 4", 1, "-2 -2"},
		{"9-1x3", "9 8 7 6", 0, "11 10"},
		{"100+10x2", "100 110 120", 0, "80 90"},
		{"0+10x2 prev+20x2 prevx1 prev", "30 40 50 70 90 90 90", 2, "10 20"}, // lifted
		{"1.5e1+.5x1", "15 15.5", 0, "14 14.5"},
		{"_x2 3 _ stale", "NaN NaN 3 NaN stale", 1, ""},
		{"now+1m+60x1 now-1h", fmt.Sprintf("%g %g %g", now+60, now+120, now-3600), 1, fmt.Sprintf("%g %g", now-60, now)},
	} {
		p, err := Load([]byte(packStart+"  - signal: a.b\n    expr: max by (cluster, node) (x)\ntests:\n- warm: 2m\n  input:\n    x: "+c.text+
			"\n    'x{node=\"b\"}': 0x30\n  expect: [{signal: a.b, never_fires: true}]\n"), "f.yaml")
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		x := p.Tests[0]
		var got []string
		for _, v := range x.Series[0].Values {
			switch {
			case series.IsStale(v):
				got = append(got, "stale")
			case v != v:
				got = append(got, nan)
			default:
				got = append(got, fmt.Sprintf("%g", v))
			}
		}
		var warm []string
		for _, v := range x.Series[0].Warm(x) {
			warm = append(warm, fmt.Sprintf("%g", v))
		}
		if strings.Join(got, " ") != c.want || x.FromMs != c.from*60_000 || strings.Join(warm, " ") != c.warm {
			t.Errorf("%q: values %v, warm %v, fault at %d ms; want %s, %s, %d min", c.text, got, warm, x.FromMs, c.want, c.warm, c.from)
		}
	}
}

// Whatever a pack file holds, it is loaded or refused with a place.
func FuzzLoadPack(f *testing.F) {
	f.Add(packStart + "  - signal: a.b\n    expr: max by (cluster, node) (x)\ntests:\n- warm: 2m\n  noise: 0.1\n  input:\n    x: 0+1x3 prev+2x3 now+1d stale _x2\n  expect: [{signal: a.b, never_fires: true}]\n")
	f.Add(packStart + "  - signal: a.b\n    expr:\n    - max(x)\n    - |\n      min(y)\n    baseline: {mode: trend, limit: 1, eta: 2h, bounds: [0, null]}\n")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Load([]byte(s), "f.yaml")
		if err != nil && !strings.HasPrefix(err.Error(), "f.yaml:") {
			t.Errorf("%q: no place: %v", s, err)
		}
		if err == nil && len(p.Rules) == 0 {
			t.Errorf("%q: a pack without rules", s)
		}
	})
}
