package ui

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const rightsMinute = int64(60_000)

var deniedRule = func() *pack.Rule {
	r := fakeRule("api", "api.client_denied", "Who is refused?", "requests", pack.Page, model.Up)
	r.Lesson = rightsLesson
	r.Summary = "{{ $labels.workload }} in {{ $labels.namespace }} was refused {{ $value | num }} times in 5 min"
	return r
}()

func deniedEntity(ns, workload string) series.Labels {
	return series.Labels{{Name: "cluster", Value: "prod-eu"}, {Name: "namespace", Value: ns}, {Name: "workload", Value: workload}}
}

// denied is a signal of a client that is refused so often; onset 0 = it always was.
func denied(ns, workload string, value float64, onset int64) *baseline.SignalView {
	e := deniedEntity(ns, workload)
	sv := &baseline.SignalView{Since: onset}
	sv.Signal = &signal.Signal{ID: signal.MakeID(deniedRule.Name, e), Rule: deniedRule, Entity: e}
	sv.Value, sv.T, sv.State = value, fakeNow, model.Normal
	if onset != 0 {
		sv.State = model.High
	}
	return sv
}

// binding is a change of a binding, so many minutes ago.
func binding(object string, minutes int64) change.Change {
	ns, _, _ := strings.Cut(object[strings.IndexByte(object, ' ')+1:], "/")
	return change.Change{T: fakeNow - minutes*rightsMinute, Kind: change.RBAC, Cluster: "prod-eu", Object: object, Entity: series.Labels{{Name: "namespace", Value: ns}}}
}

// churn is a month of changes of rights that have nothing to do with whom the tests are about.
func churn() (list []change.Change) {
	for i := int64(43_000); i > 0; i -= 7 {
		list = append(list, binding("rolebinding team-"+string(rune('a'+i%20))+"/viewers", i))
	}
	return list
}

func TestABrokenRightIsNamed(t *testing.T) {
	v := &baseline.View{AtMs: fakeNow, Signals: []*baseline.SignalView{denied("ci", "ci-deployer", 2400, fakeNow-19*rightsMinute), denied("shop", "cart", 3, 0)}}
	v.Changes = append(churn(), binding("rolebinding ci/others", 25), binding("rolebinding ci/ci-deployer", 20), binding("rolebinding ci/late", 2))
	r := rightsOf(v, &alerting.Snapshot{}, nil, "", "")
	if len(r.New) != 1 || r.New[0].Cause == nil || r.New[0].Cause.Object != "rolebinding ci/ci-deployer" {
		t.Fatalf("%+v", r.New)
	}
	if text := r.New[0].verdict(fakeNow); !strings.HasPrefix(text, "After rolebinding ci/ci-deployer changed at ") || !strings.HasSuffix(text, "ci-deployer in ci was refused 2,400 times in 5 min, never before") {
		t.Errorf("%q", text)
	}
	// What was refused from the beginning names nobody.
	if len(r.Usual) != 1 || r.Usual[0].Cause != nil || !strings.HasSuffix(r.Usual[0].verdict(fakeNow), "as ever") {
		t.Errorf("%+v", r.Usual)
	}
}

func TestAMonthOfChurnNamesNobody(t *testing.T) {
	v := &baseline.View{AtMs: fakeNow, Changes: churn(), Signals: []*baseline.SignalView{denied("shop", "cart", 3, 0), denied("shop", "pay", 0, 0)}}
	if r := rightsOf(v, &alerting.Snapshot{}, nil, "", ""); len(r.New) != 0 || len(r.Ended) != 0 || len(r.Usual) != 1 || r.Usual[0].Cause != nil || len(r.Changes) < 5000 {
		t.Errorf("%d new, %d ended, %d usual", len(r.New), len(r.Ended), len(r.Usual))
	}
	// A refusal for another reason amid the churn of other namespaces is not blamed on it.
	v.Signals = append(v.Signals, denied("ci", "ci-deployer", 2400, fakeNow-19*rightsMinute))
	r := rightsOf(v, &alerting.Snapshot{}, nil, "", "")
	if len(r.New) != 1 || r.New[0].Cause != nil || !strings.HasSuffix(r.New[0].verdict(fakeNow), "no change of rights was seen just before") {
		t.Errorf("%+v: %s", r.New, r.New[0].verdict(fakeNow))
	}
}

func TestAMendedRightIsNamed(t *testing.T) {
	m := alerting.Member{SignalID: "x", Rule: deniedRule, Entity: deniedEntity("ci", "ci-deployer"), Unit: "requests", Onset: fakeNow - 90*rightsMinute, Ended: fakeNow - 29*rightsMinute, Worst: 2400}
	snap := &alerting.Snapshot{Closed: []*alerting.Incident{{ID: "inc_x", Cluster: "prod-eu", Members: []alerting.Member{m}}}}
	v := &baseline.View{AtMs: fakeNow, Changes: append(churn(), binding("rolebinding ci/ci-deployer", 91), binding("rolebinding ci/ci-deployer", 33))}
	r := rightsOf(v, snap, nil, "", "ci")
	if len(r.Ended) != 1 || r.Ended[0].Cause == nil || r.Ended[0].Mend == nil || r.Ended[0].Mend.T != fakeNow-33*rightsMinute {
		t.Fatalf("%+v", r.Ended)
	}
	m.Ended, m.Value, m.Band.Upper = 0, 1, 5
	snap.Closed[0].Members = []alerting.Member{m}
	if r := rightsOf(v, snap, nil, "", ""); len(r.New) != 1 || !strings.HasSuffix(r.New[0].verdict(fakeNow), "it is back to what is usual, and watched") {
		t.Errorf("what eases: %+v", r.New)
	}
	if text := r.Ended[0].verdict(fakeNow); !strings.Contains(text, "was refused 2,400 times") || strings.Count(text, "rolebinding ci/ci-deployer") != 2 {
		t.Errorf("%q", text)
	}
	if r := rightsOf(v, snap, nil, "", "shop"); len(r.Ended) != 0 {
		t.Error("another namespace shows it, too")
	}
}

// TestSilenceIsNoMend: what tells nothing any more has not stopped, and no change is credited with it; what did stop is, and a silent signal is no word that nobody is refused.
func TestSilenceIsNoMend(t *testing.T) {
	m := alerting.Member{SignalID: "x", Rule: deniedRule, Entity: deniedEntity("ci", "ci-deployer"), Unit: "requests", Onset: fakeNow - 90*rightsMinute, Worst: 2400, State: model.Absent, Value: math.NaN()}
	f := newFake()
	f.view = &baseline.View{AtMs: fakeNow, Changes: append(churn(), binding("rolebinding ci/ci-deployer", 91), binding("rolebinding ci/ci-deployer", 33))}
	inc := &alerting.Incident{ID: "inc_x", Cluster: "prod-eu"}
	f.snap = &alerting.Snapshot{Closed: []*alerting.Incident{inc}}
	h := New(f, Options{})
	rights := func(m alerting.Member) *rights {
		inc.Members = []alerting.Member{m}
		return rightsOf(f.view, f.snap, nil, "", "")
	}
	r := rights(m)
	if len(r.New) != 1 || r.New[0].Value != 2400 || r.New[0].Easing || r.Known {
		t.Fatalf("absent: %+v", r)
	}
	if text := r.New[0].verdict(fakeNow); !strings.Contains(text, "refused 2,400 times") || !strings.HasSuffix(text, "there is no data any more: whether it stopped is not known") || strings.Contains(text, "back to") {
		t.Errorf("absent: %q", text)
	}
	m.Ended, m.Ending = fakeNow-29*rightsMinute, "gone"
	if r = rights(m); len(r.Ended) != 1 || r.Ended[0].Mend != nil || !strings.Contains(r.Ended[0].verdict(fakeNow), "no data since") || strings.Contains(r.Ended[0].verdict(fakeNow), "it stopped at") {
		t.Fatalf("gone: %+v", r.Ended)
	}
	says(t, "gone", body(t, h, "/rights", http.StatusOK), []string{"No data any more", "Nothing is known of refusals"}, []string{"Stopped being refused", "Nobody is refused"})
	m.Ending, m.State, m.Value = "recovered", model.Normal, 0
	if r = rights(m); len(r.Ended) != 1 || r.Ended[0].Mend == nil {
		t.Errorf("recovered: %+v", r.Ended)
	}
	says(t, "recovered", body(t, h, "/rights", http.StatusOK), []string{"Stopped being refused"}, []string{"No data any more"})

	// Who is asked for, and is alive, speaks; nobody else does.
	silent := denied("shop", "cart", math.NaN(), 0)
	silent.State = model.Absent
	alive := denied("shop", "pay", 0, 0)
	f.snap = &alerting.Snapshot{}
	for _, c := range []struct {
		name, query string
		signals     []*baseline.SignalView
		known       bool
	}{
		{"silent", "", []*baseline.SignalView{silent}, false},
		{"one is alive", "", []*baseline.SignalView{silent, alive}, true},
		{"alive in the cluster that is asked for", "?cluster=prod-eu&namespace=shop", []*baseline.SignalView{alive}, true},
		{"alive in another", "?cluster=prod-us", []*baseline.SignalView{alive}, false},
		{"another namespace", "?namespace=ci", []*baseline.SignalView{alive}, false},
	} {
		f.view.Signals = c.signals
		page := body(t, h, "/rights"+c.query, http.StatusOK)
		if strings.Contains(page, "who was not before") != c.known || strings.Contains(page, "Nothing is known of refusals") == c.known {
			t.Errorf("%s: want known %v", c.name, c.known)
		}
	}
	f.view.Signals = []*baseline.SignalView{alive}
	says(t, "all is well", body(t, h, "/rights", http.StatusOK), []string{"Nobody is refused who was not before"}, nil)
	fresh := denied("ci", "ci-deployer", math.NaN(), 0)
	fresh.State, fresh.Since = model.Absent, fakeNow-5*rightsMinute
	f.view.Signals = append(f.view.Signals, fresh)
	says(t, "one fell silent", body(t, h, "/rights", http.StatusOK), []string{"Nobody is seen to be refused", "fell silent within the hour"}, []string{"Nobody is refused who"})
}

func TestRightsPage(t *testing.T) {
	f := newFake()
	f.view.Signals = append(f.view.Signals, denied("ci", "ci-deployer", 2400, fakeNow-19*rightsMinute), denied("shop", "cart", 3, 0))
	f.view.Changes = append(slices.Clone(f.view.Changes), binding("rolebinding ci/ci-deployer", 20))
	f.sort()
	h := New(f, Options{})
	page := body(t, h, "/rights", http.StatusOK)
	for _, want := range []string{"New refusals", "After rolebinding ci/ci-deployer changed at", "Refused as ever", "What metrics do not tell", "system:serviceaccount:ci:"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	var a struct {
		Data struct {
			New, Usual []struct {
				Verdict string
				Cause   *struct{ Object string }
			}
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/rights?namespace=ci", http.StatusOK)), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Data.New) != 1 || a.Data.New[0].Cause == nil || a.Data.New[0].Cause.Object != "rolebinding ci/ci-deployer" || len(a.Data.Usual) != 0 {
		t.Errorf("%+v", a.Data)
	}
	nothing := newFake()
	nothing.view, nothing.snap = &baseline.View{}, &alerting.Snapshot{}
	if empty := body(t, New(nothing, Options{}), "/rights", http.StatusOK); !strings.Contains(empty, "Nothing is known of refusals") {
		t.Error("an empty page says nothing")
	}
}

// TestAuditCommandStaysACommand: a name must not break out of the quotes of a command that somebody pastes.
func TestAuditCommandStaysACommand(t *testing.T) {
	r := refusal{Entity: deniedEntity(`x';rm -rf /;'`, "y")}
	if text := r.auditCommand(); strings.Count(text, "'") != 2 || strings.Contains(text, ";") {
		t.Error(text)
	}
}
