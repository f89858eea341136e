package pack

import (
	"strings"
	"testing"
)

// TestMeasures holds what a pack may measure, and that mistakes are told with their place.
func TestMeasures(t *testing.T) {
	const head = "pack: {name: x, version: 1}\ngroups:\n- name: g\n  rules:\n  - {signal: x.a, question: A?, expr: 'max by (cluster) (up)', baseline: {unit: count}, annotations: {summary: a}}\nmeasures:\n"
	p, err := Load([]byte(head+"- {name: cpu, every: 5m, expr: 'max by (cluster, namespace, workload, pod, container) (rate(a_total[2m]))'}\n- {name: memory, expr: 'max by (cluster, pod) (b)'}\n"), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Measures) != 2 || p.Measures[0].Every != 5 || p.Measures[1].Every != 1 || p.Measures[0].Metrics()[0] != "a_total" {
		t.Errorf("%+v", p.Measures)
	}
	if keep := strings.Join(KeepList([]*Pack{p}), " "); !strings.Contains(keep, "a_total") || !strings.Contains(keep, " b ") {
		t.Errorf("the keep-list lacks what is measured: %s", keep)
	}
	for text, want := range map[string]string{
		"- {name: speed, expr: 'max by (cluster) (b)'}\n":                                            `measure "speed" is not known`,
		"- {name: cpu, expr: 'max by (cluster) (b)'}\n- {name: cpu, expr: 'max by (cluster) (c)'}\n": "occurs twice",
		"- {name: cpu, every: 90s, expr: 'max by (cluster) (b)'}\n":                                  "whole minutes",
		"- {name: cpu, every: 2h, expr: 'max by (cluster) (b)'}\n":                                   "whole minutes",
		"- {name: cpu}\n": "has no expr",
		"- {name: cpu, expr: 'sum without (pod) (b)'}\n": "x.yaml:7:",
		"- {name: cpu, expr: 'b'}\n":                     "x.yaml:7:",
	} {
		if _, err := Load([]byte(head+text), "x.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", strings.TrimSpace(text), err, want)
		}
	}
}
