package main

import (
	"strings"
	"testing"
)

const testedPack = `pack: {name: shop, version: 1}
groups:
- name: g
  rules:
  - signal: shop.errors
    question: Do orders fail?
    expr: sum by (cluster) (rate(orders_total{result="failed"}[1m])) / sum by (cluster) (rate(orders_total[1m]))
    baseline: {bad: up, bounds: [0, 1], season: none, unit: ratio, min_events: 50, effect: {abs: 0.02}}
tests:
- name: a tenth of the orders fails
  input:
    'orders_total{result="failed"}': 0+0x10 prev+10x10
    'orders_total{result="ok"}': 0+100x20
  expect: [{signal: shop.errors, fires_within: 5m}]
`

// packs test is for a pipeline: it says what failed and why, and ends with 3.
func TestPacksTest(t *testing.T) {
	good := file(t, "good.yaml", testedPack)
	code, out, errs := run(t, "packs", "test", good)
	if code != exitOK || !strings.Contains(out, "1 expectation of 1 test: ok") || strings.Contains(out, "pass") {
		t.Errorf("good: code %d, %q %q", code, out, errs)
	}
	code, out, _ = run(t, "packs", "test", "-v", good)
	if code != exitOK || !strings.Contains(out, "pass  "+good+":14  a tenth of the orders fails\n      shop.errors fires within 5m: fired after 3m") {
		t.Errorf("verbose: code %d, %q", code, out)
	}
	bad := file(t, "bad.yaml", strings.ReplaceAll(testedPack, "prev+10x10", "prev+1x10"))
	code, out, _ = run(t, "packs", "test", bad)
	if code != exitFindings || !strings.Contains(out, "FAIL  "+bad+":14") || !strings.Contains(out, "it did not fire; loudest") || !strings.Contains(out, "1 of 1 expectation of 1 test failed") {
		t.Errorf("bad: code %d, %q", code, out)
	}
	broken := file(t, "broken.yaml", strings.ReplaceAll(testedPack, "prev+10x10", "prev+10"))
	code, out, _ = run(t, "packs", "test", good, broken)
	if code != exitFindings || !strings.Contains(out, broken+":12:5: series") || !strings.Contains(out, "how often?") {
		t.Errorf("broken: code %d, %q", code, out)
	}
}

func TestPacksShowOverrides(t *testing.T) {
	cfg := file(t, "w.yml", `packs:
  overrides:
  - {match: "wl.*", where: {namespace: "batch-.*"}, severity: info}
  - {match: cap.waste, enabled: false}
  - {match: dns.qps, effect: {rel: 0.5}, for: 10m}
`)
	code, out, errs := run(t, "packs", "list", "--config.file", cfg)
	if code != exitOK || strings.Contains(out, "cap.waste ") || strings.Count(out, "[overridden: severity info where namespace batch-.* (by wl.*)]") < 10 {
		t.Errorf("list: code %d, %s %s", code, out, errs)
	}
	code, out, errs = run(t, "packs", "explain", "--config.file", cfg, "dns.qps")
	if code != exitOK || !strings.Contains(out, "50 % of the expected value") || !strings.Contains(out, "10 windows of 60s must deviate") ||
		!strings.Contains(out, "overridden by the configuration: effect.rel 0.5, for 10m (by dns.qps)") {
		t.Errorf("explain: code %d, %s %s", code, out, errs)
	}
}

// Track rules are a pack like others: listed, explained, overridden and disabled by the same words.
func TestOverridesOfTrackRules(t *testing.T) {
	const track = `
track:
- {name: shop.orders, match: orders_total, by: [cluster, shop], bad: down}
- {match: queue_length}
`
	cfg := file(t, "w.yml", `packs:
  disable: ["track.*"]
  overrides:
  - {match: shop.*, severity: page, effect: {rel: 0.4}, for: 10m}
  - {match: shop.orders, where: {shop: "test-.*"}, enabled: false}
`+track)
	code, out, errs := run(t, "packs", "explain", "--config.file", cfg, "shop.orders")
	if code != exitOK || !strings.Contains(out, "severity page") || !strings.Contains(out, "10 windows of 60s must deviate") || !strings.Contains(out, "40 % of the expected value") ||
		!strings.Contains(out, "overridden by the configuration: off where shop test-.* (by shop.orders)") {
		t.Errorf("explain: code %d, %s %s", code, out, errs)
	}
	code, out, errs = run(t, "packs", "list", "--config.file", cfg)
	if code != exitOK || !strings.Contains(out, "shop.orders") || strings.Contains(out, "track.queue_length") {
		t.Errorf("list: code %d, %s %s", code, out, errs)
	}
	if code, out, errs = run(t, "packs", "remote-write-config", "--config.file", cfg); code != exitOK || !strings.Contains(out, "orders_total") || strings.Contains(out, "queue_length") {
		t.Errorf("remote-write-config: code %d, %s %s", code, out, errs)
	}
	code, _, errs = run(t, "check-config", file(t, "w.yml", "packs: {overrides: [{match: shop.*, where: {pod: x}, severity: info}]}\n"+track))
	if code != exitFailure || !strings.Contains(errs, "overrides[0].where.pod") {
		t.Errorf("a label that the rule does not have: code %d, %q", code, errs)
	}
}

func TestOverrideErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no such signal", "packs:\n  overrides:\n  - {match: dns.nothing, enabled: false}\n", ":3:13: packs.overrides[0].match: no signal matches"},
		{"severity", "packs:\n  overrides:\n  - {match: dns.*, enabled: true}\n  - match: dns.*\n    severity: high\n", ":5:15: packs.overrides[1].severity: \"high\""},
		{"effect", "packs:\n  overrides:\n  - match: dns.*\n    effect: {rel: -1}\n", ":4:19: packs.overrides[0].effect.rel: "},
		{"where", "packs:\n  overrides:\n  - match: wl.*\n    where: {namespace: '('}\n    severity: info\n", ":4:24: packs.overrides[0].where.namespace: "},
		{"for", "packs:\n  overrides:\n  - {match: dns.*, for: 90s}\n", ":3:25: packs.overrides[0].for: want whole minutes"},
		{"nothing", "packs:\n  overrides:\n  - match: dns.*\n", ":3:5: packs.overrides[0]: changes nothing"},
		{"unknown key", "packs:\n  overrides:\n  - {match: dns.*, sevrity: info}\n", "sevrity"},
	} {
		f := file(t, "w.yml", c.text)
		code, _, errs := run(t, "check-config", f)
		if code != exitFailure || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, %q; want %q", c.name, code, errs, c.want)
		}
	}
}
