package packtest

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
)

// The tests of the built-in packs hold, and every rule has one that fires and one that does not.
func TestEmbeddedPacks(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			fires, never := map[string]bool{}, map[string]bool{}
			for _, x := range p.Tests {
				for _, e := range x.Expect {
					fires[e.Signal] = fires[e.Signal] || e.Fires
					never[e.Signal] = never[e.Signal] || e.Never
				}
			}
			for _, r := range p.Rules {
				if !fires[r.Name] || !never[r.Name] {
					t.Errorf("%s: a test that it fires %v, one that it stays silent %v", r.Name, fires[r.Name], never[r.Name])
				}
			}
			results, err := Run(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range results {
				if !x.OK {
					t.Errorf("%s:%d: %s: %s %s: %s", p.Origin, x.Line, x.Test, x.Signal, x.Want, x.Reason)
				}
			}
		})
	}
}

const start = `pack: {name: p, version: 1}
groups:
- name: g
  rules:
  - signal: p.ratio
    expr: sum by (cluster, node) (rate(bad_total[1m])) / sum by (cluster, node) (rate(all_total[1m]))
    baseline: {bad: up, bounds: [0, 1], season: none, unit: ratio, min_events: 10, effect: {abs: 0.05}}
  - signal: p.fill
    expr: max by (cluster, node) (fill)
    baseline: {bad: up, bounds: [0, 1], season: none, unit: ratio, effect: {abs: 0.1}, ceiling: 0.9}
tests:
`

func TestResults(t *testing.T) {
	for _, c := range []struct{ name, test, want string }{
		{"fires", "- {input: {'bad_total{node=\"a\"}': 0+0x10 prev+30x10, 'all_total{node=\"a\"}': 0+100x20}, expect: [{signal: p.ratio, fires_within: 5m}]}", "ok: fired after"},
		{"another entity", "- {input: {'bad_total{node=\"a\"}': 0+0x10 prev+30x10, 'all_total{node=\"a\"}': 0+100x20, 'bad_total{node=\"b\"}': 0+1x20, 'all_total{node=\"b\"}': 0+100x20}, expect: [{signal: p.ratio, entity: {node: b}, never_fires: true}]}", "ok"},
		{"two clusters", "- {input: {'fill{node=\"a\"}': 0.3x10, 'fill{node=\"a\", cluster=\"x\"}': 0.3x5 0.95x5}, expect: [{signal: p.fill, entity: {cluster: default}, never_fires: true}]}", "ok"},
		{"value", "- {warm: 0, interval: 15s, input: {'bad_total{node=\"a\"}': 0+30x40, 'all_total{node=\"a\"}': 0+100x40}, expect: [{signal: p.ratio, value: 0.3, at: 5m}]}", "ok"},
		{"wrong value", "- {warm: 0, input: {'fill{node=\"a\"}': 0.3x10}, expect: [{signal: p.fill, value: 0.4, at: 5m}]}", "it is 0.3"},
		{"two values", "- {warm: 0, input: {'fill{node=\"a\"}': 0.3x10, 'fill{node=\"b\"}': 0.3x10}, expect: [{signal: p.fill, value: 0.3, at: 5m}]}", "2 entities"},
		{"no fault", "- {from: 2m, input: {'fill{node=\"a\"}': 0.3x10}, expect: [{signal: p.fill, fires_within: 5m}]}", "it did not fire; loudest was the window"},
		{"too late", "- {input: {'fill{node=\"a\"}': 0.3x5 0.32x5 0.95x10}, expect: [{signal: p.fill, fires_within: 3m}]}", "after the beginning of the fault"},
		{"too early", "- {from: 9m, input: {'fill{node=\"a\"}': 0.3x3 0.95x15}, expect: [{signal: p.fill, fires_within: 5m}]}", "before the fault"},
		{"fires all the same", "- {input: {'fill{node=\"a\"}': 0.3x3 0.95x15}, expect: [{signal: p.fill, never_fires: true}]}", "it fired at"},
		{"dormant", "- {input: {'bad_total{node=\"a\"}': 0+1x10}, expect: [{signal: p.ratio, never_fires: true}]}", "dormant, the input lacks all_total"},
		{"few events", "- {input: {'bad_total{node=\"a\"}': 0+1x10, 'all_total{node=\"a\"}': 0+2x10}, expect: [{signal: p.ratio, never_fires: true}]}", "min_events"},
		{"other entity", "- {input: {'fill{node=\"a\"}': 0.3x10}, expect: [{signal: p.fill, entity: {node: b}, never_fires: true}]}", "1 other"},
		{"ends", "- {input: {'fill{node=\"a\"}': 0.3x5 _x10 0.3x3 stale _x4}, expect: [{signal: p.fill, never_fires: true}]}", "ok"},
	} {
		p, err := pack.Load([]byte(start+c.test+"\n"), "f.yaml")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		results, err := Run(p)
		if err != nil || len(results) != 1 {
			t.Errorf("%s: %v, %v", c.name, results, err)
			continue
		}
		got := results[0].Reason
		if results[0].OK {
			got = "ok: " + got
		}
		if !strings.Contains(got, c.want) || strings.HasPrefix(c.want, "ok") != results[0].OK {
			t.Errorf("%s: %s %s: got %q, want %q", c.name, results[0].Signal, results[0].Want, got, c.want)
		}
	}
}
