package alerting

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

func TestSentencesAreOneSafeLine(t *testing.T) {
	m := newMember(&baseline.Verdict{Signal: sig(wlCPU, "workload", "a\nb\u202e\x1b[31m"), T: t0, Value: 3,
		Judgement: model.Judgement{State: model.High, Band: model.Band{Upper: 1}}})
	if got := m.Sentence(false); got != "wl.cpu is 3 cores (normal 0–1 cores)" {
		t.Errorf("without a template: %q", got)
	}
	m.Rule = &pack.Rule{Summary: "{{ $labels.workload }} uses {{ $value }}{{ $labels.none }} > {{ $high | num }}"}
	if got := m.Sentence(false); got != "a b [31m uses 3 cores > 1" {
		t.Errorf("with a template: %q", got)
	}
	m.Rule = &pack.Rule{Summary: "{{ $labels.workload | pct }}"} // fails when filled
	if got := m.Sentence(false); !strings.HasPrefix(got, "wl.cpu is 3") {
		t.Errorf("with a broken template: %q", got)
	}
	if got := m.Command("kubectl describe deploy {{ $labels.workload }}"); got != "kubectl describe deploy 'a b [31m'" {
		t.Errorf("command: %q", got)
	}
	m.Entity[1].Value = "x'; rm -rf / #"
	if got := m.Command("describe {{ $labels.workload }} {{ $labels.cluster }}"); got != `describe 'x'\''; rm -rf / #' prod` {
		t.Errorf("command: %q", got)
	}
	for top, want := range map[string]string{"coredns-5d78c9869d-x7k2p": "kubectl logs coredns-5d78c9869d-x7k2p", "10.0.1.1:9100": "kubectl logs -l app", "10.0.1.1": "kubectl logs -l app",
		"fd00::1": "kubectl logs -l app", "node-3.example.org:9100": "kubectl logs -l app", "x;reboot": "kubectl logs -l app", "-rf": "kubectl logs -l app", "": "kubectl logs -l app", "Pod": "kubectl logs -l app"} {
		m.Top = []signal.Member{{Name: top, Value: 1}}
		if got := m.Command("kubectl logs {{ if $top }}{{ $top }}{{ else }}-l app{{ end }}"); got != want {
			t.Errorf("%q: %q, want %q", top, got, want)
		}
	}
	m.State, m.Value = model.Absent, math.NaN()
	if got := m.Sentence(false); got != "wl.cpu of x'; rm -rf / # has no data any more" {
		t.Errorf("absent: %q", got)
	}
	for text, ok := range map[string]bool{"{{ $value | pct }} of {{ $labels.x }}": true, "{{ $valu }}": false, "{{": false, "": true, "{{ $eta }} {{ $slope }} {{ $top }} {{ $expected }}": true} {
		if err := CheckSummary(text); (err == nil) != ok {
			t.Errorf("CheckSummary(%q) = %v", text, err)
		}
	}
	if got := Place(series.Labels{{Name: "cluster", Value: "prod"}, {Name: "device", Value: "sda"}, {Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}, {Name: "workload_type", Value: "deployment"}}); got != "prod / shop / cart / device=sda" {
		t.Errorf("Place = %q", got)
	}
	if got := Cut("aé…", 4); got != "a…" || !reflect.DeepEqual(Cut("abc", 3), "abc") {
		t.Errorf("Cut = %q", got)
	}
}
