package alerting

import (
	"strconv"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

func TestUsersAndPlaces(t *testing.T) {
	bad := model.Band{Upper: .1}
	up := model.Defaults()
	up.Bad = model.Up
	errs := &pack.Rule{Name: "svc.error_ratio", Unit: "ratio", Impact: true, Params: up}
	slow := &pack.Rule{Name: "svc.latency", Unit: "s", Impact: true, Params: up}
	cause := &pack.Rule{Name: "net.full", Unit: "ratio", Params: up}
	of := func(r *pack.Rule, who string, worst float64) Member {
		return Member{SignalID: r.Name + "~workload=" + who, Name: r.Name, Rule: r, Unit: r.Unit, State: model.High, Value: worst, Worst: worst, Band: bad, WorstBand: bad, Entity: series.Labels{{Name: "workload", Value: who}}}
	}
	inc := &Incident{Members: []Member{of(cause, "node", .99), of(errs, "a", .12), of(errs, "b", .11), of(slow, "a", 2), of(slow, "c", 3), of(slow, "d", 3)}}
	if got := inc.Users(); got != "2 services slow, 2 failing; up to 12 % of requests" {
		t.Error(got)
	}
	for k := range inc.Members {
		inc.Members[k].Value = .05
	}
	if got := inc.Users(); got != "2 services slow, 2 failing meanwhile; up to 12 % of requests" {
		t.Error(got)
	}
	for want, i := range map[string]*Incident{
		"":               {Members: []Member{of(cause, "node", .99)}},
		"1 service slow": {Members: []Member{of(cause, "node", .99), of(slow, "a", 2)}},
		"1 service failing; up to 5 % of requests":   {Members: []Member{of(cause, "n", .9), of(errs, "b", .05), of(slow, "b", 4)}},
		"2 services failing; up to 50 % of requests": {Members: []Member{of(errs, "b", .05), of(errs, "c", .5)}},
	} {
		if want == "1 service failing; up to 5 % of requests" {
			i.Members[1].Value, i.Members[1].Band.Upper = .05, .01
		}
		if want == "2 services failing; up to 50 % of requests" {
			i.Members[0].Band.Upper = .01
		}
		if got := i.Users(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (&Incident{Members: []Member{of(errs, "b", .5), of(slow, "b", 2)}}).Users(); got != "" {
		t.Errorf("the title says so: %q", got)
	}
	var list []Member
	for k := range 41 {
		m := of(cause, strconv.Itoa(k), 1)
		m.Entity = append(m.Entity, series.Label{Name: "node", Value: map[bool]string{true: "w3", false: "w" + strconv.Itoa(k)}[k < 38]})
		list = append(list, m)
	}
	if got := (&Incident{Members: list, Common: common(list)}).Mostly(); got != "38 of 41 on node w3" {
		t.Error(got)
	}
}
