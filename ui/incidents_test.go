package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// manyIncidents is a fake with 130 incidents: 120 open ones, each second of severity page, in three namespaces, and 10 that have ended.
func manyIncidents() *fake {
	f := newFake()
	one := f.snap.Open[1]
	snap := &alerting.Snapshot{T: fakeNow}
	for i := range 130 {
		inc := *one
		inc.ID, inc.Title, inc.Severity, inc.Onset = fmt.Sprintf("inc_%03d", i), fmt.Sprintf("incident number %03d", i), pack.Warn, fakeNow-int64(i+1)*600_000
		if i%2 == 0 {
			inc.Severity = pack.Page
		}
		head := *inc.Headline()
		head.Entity = series.Labels{{Name: "cluster", Value: "prod-eu"}, {Name: "namespace", Value: fmt.Sprint("ns", i%3)}, {Name: "workload", Value: fmt.Sprint("w", i)}}
		head.Muted = ""
		inc.Members, inc.Lead, inc.Scope = []alerting.Member{head}, 0, head.Entity
		if i >= 120 {
			inc.Resolved, inc.Resolution = fakeNow-300_000, "recovered"
			snap.Closed = append(snap.Closed, &inc)
		} else {
			snap.Open = append(snap.Open, &inc)
		}
	}
	f.snap = snap
	return f
}

var rowID = regexp.MustCompile(`<td class="title"><a href="/incidents/(inc_\d+)"`)

// TestTheListOfIncidentsIsNarrowed: each filter, alone and together, and its twin that finds nothing else.
func TestTheListOfIncidentsIsNarrowed(t *testing.T) {
	f := manyIncidents()
	for i, d := range []act.Draft{{Kind: act.Ack, Who: "anna", Incident: "inc_004"}, {Kind: act.Ack, Who: "bert", Incident: "inc_005"}} {
		a, err := d.Act(fakeNow + int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.book.Apply(&act.Entry{Act: a}); err != nil {
			t.Fatal(err)
		}
	}
	f.snap.Open[7].Members[0].Muted = "x"
	h := New(f, Options{})
	for _, c := range []struct {
		query string
		found int
		first string
	}{
		{"", 130, "inc_000"},
		{"state=open", 120, "inc_000"},
		{"state=ended", 10, "inc_120"},
		{"state=closed", 10, "inc_120"},
		{"state=held", 2, "inc_004"},
		{"state=unheld", 118, "inc_000"},
		{"state=silenced", 1, "inc_007"},
		{"severity=page", 65, "inc_000"},
		{"severity=warn&state=open", 60, "inc_001"},
		{"namespace=ns1", 43, "inc_004"},
		{"namespace=ns1&severity=page&state=open", 20, "inc_004"},
		{"workload=w17", 1, "inc_017"},
		{"workload=w17&namespace=ns0", 0, ""},
		{"cluster=prod-eu&q=number+017", 1, "inc_017"},
		{"q=workload%3Dw9", 1, "inc_009"},
		{"q=inc_101", 1, "inc_101"},
		{"q=lookups+failing+ns2", 43, "inc_002"}, // by the words of the question
		{"q=nothing-like-it", 0, ""},
		{fmt.Sprintf("to=%d", fakeNow-1000*60_000), 30, "inc_100"},
		{fmt.Sprintf("from=%d&state=ended", fakeNow-60_000), 0, ""},
		{fmt.Sprintf("from=%d&state=ended", fakeNow-600_000), 10, "inc_120"},
		{"page=2", 130, ""},
		{"page=99", 130, "inc_120"},
	} {
		got := body(t, h, "/incidents?"+c.query, http.StatusOK)
		rows := rowID.FindAllStringSubmatch(got, -1)
		if want := min(c.found, incidentsPage); len(rows) != want && !strings.Contains(c.query, "page=") {
			t.Errorf("%q: %d rows, want %d", c.query, len(rows), want)
		}
		if head := fmt.Sprintf(`<h1>Incidents <span class="muted">%d`, c.found); !strings.Contains(got, head) {
			t.Errorf("%q: no %s", c.query, head)
		}
		if c.first != "" && (len(rows) == 0 || !strings.Contains(rows[0][1], c.first) && c.query != "page=99") {
			t.Errorf("%q: the first is %v, want %s", c.query, rows[:min(len(rows), 1)], c.first)
		}
	}
	// Pages hold each incident once.
	seen := map[string]int{}
	for p := range 3 {
		for _, m := range rowID.FindAllStringSubmatch(body(t, h, fmt.Sprint("/incidents?page=", p+1), http.StatusOK), -1) {
			seen[m[1]]++
		}
	}
	if len(seen) != 130 {
		t.Errorf("%d incidents on three pages", len(seen))
	}
	says(t, "a wrong address", body(t, h, "/incidents?state=x&from=y", http.StatusOK), []string{"from and to must be"}, nil)
	says(t, "who may not act", body(t, h, "/incidents", http.StatusOK), []string{"Nothing can be changed at this address", "anna"}, []string{`id="bulk"`, `type="checkbox"`})
	may := New(f, Options{May: func(*http.Request) Access { return Access{May: true} }})
	says(t, "who may", body(t, may, "/incidents?severity=page&page=2", http.StatusOK), []string{`id="bulk"`, `name="incident" value="inc_`, `value="/incidents?page=2&amp;severity=page"`}, nil)
	says(t, "who needs a token", body(t, New(f, Options{May: func(*http.Request) Access { return Access{} }}), "/incidents", http.StatusOK), []string{"admin_token_file: /etc/wrackline/admin-token", "openssl rand -hex 24"}, nil)
}

// TestBulkOf: several are acknowledged or silenced, each once; what cannot be is refused as a whole.
func TestBulkOf(t *testing.T) {
	f := manyIncidents()
	find := func(id string) (*alerting.Incident, bool) { inc := findIncident(f.snap, id); return inc, inc != nil }
	form := func(kind string, ids ...string) url.Values {
		return url.Values{"kind": {kind}, "who": {"anna"}, "why": {"x"}, "for": {"4h"}, "incident": ids}
	}
	list, err := BulkOf(form("ack", "inc_003", "inc_001", "inc_003"), find)
	if err != nil || len(list) != 2 || list[0].Incident != "inc_001" || list[1].Kind != act.Ack {
		t.Errorf("%v %v", list, err)
	}
	list, err = BulkOf(form("silence", "inc_003", "inc_001"), find)
	if err != nil || len(list) != 2 || !slices.Contains(list[0].Match, `workload="w1"`) || list[0].For != "4h" {
		t.Errorf("%v %v", list, err)
	}
	for i, d := range list {
		if _, err := d.Act(fakeNow); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for name, v := range map[string]url.Values{"none": form("ack"), "unknown": form("ack", "inc_001", "inc_999"), "a lesson": form("lesson", "inc_001"), "too many": form("ack", func() (ids []string) {
		for i := range 201 {
			ids = append(ids, fmt.Sprint(i))
		}
		return ids
	}()...)} {
		if list, err := BulkOf(v, find); err == nil {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// TestASilenceOfAClusterWideIncidentIsOfItsSignals: what names no workload and no node would silence all of a cluster or a namespace; what does name one is silenced whole.
func TestASilenceOfAClusterWideIncidentIsOfItsSignals(t *testing.T) {
	entity := func(kv ...string) (l series.Labels) {
		for i := 0; i < len(kv); i += 2 {
			l = append(l, series.Label{Name: kv[i], Value: kv[i+1]})
		}
		return l
	}
	incident := func(e series.Labels, names ...string) *alerting.Incident {
		inc := &alerting.Incident{ID: "x", Cluster: "prod", Scope: e}
		for _, n := range names {
			inc.Members = append(inc.Members, alerting.Member{Name: n, SignalID: n, Entity: e})
		}
		return inc
	}
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("cp.signal_%03d", i))
	}
	for name, c := range map[string]struct {
		inc  *alerting.Incident
		want string // "" = it is not compared
		n    int
	}{
		"a cluster":       {incident(entity("cluster", "prod"), "cp.etcd_slow"), `cluster="prod" signal="cp.etcd_slow"`, 2},
		"several signals": {incident(entity("cluster", "prod"), "cp.etcd_slow", "cp.api+x", "cp.etcd_slow"), `cluster="prod" signal=~"cp\\.etcd_slow|cp\\.api\\+x"`, 2},
		"an ingress":      {incident(entity("cluster", "prod", "ingress", "web", "namespace", "shop"), "in.errors"), `cluster="prod" namespace="shop" signal="in.errors"`, 3},
		"very many":       {incident(entity("cluster", "prod"), many...), "", 2},
		"a workload":      {incident(entity("cluster", "prod", "namespace", "shop", "workload", "cart"), "wl.cpu", "wl.mem"), `cluster="prod" namespace="shop" workload="cart"`, 3},
		"a node":          {incident(entity("cluster", "prod", "node", "n1"), "node.cpu"), `cluster="prod" node="n1"`, 2},
	} {
		form := url.Values{"kind": {"silence"}, "who": {"anna"}, "for": {"4h"}, "incident": {"x"}}
		list, err := BulkOf(form, func(string) (*alerting.Incident, bool) { return c.inc, true })
		if err != nil || len(list) != 1 || len(list[0].Match) != c.n || c.want != "" && strings.Join(list[0].Match, " ") != c.want {
			t.Errorf("%s: %v %v", name, list[0].Match, err)
			continue
		}
		if _, err := list[0].Act(fakeNow); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f := newFake()
		f.snap = &alerting.Snapshot{Open: []*alerting.Incident{c.inc}}
		s := &server{src: f}
		if got := s.suggest(url.Values{"kind": {"silence"}, "about": {"x"}}, fakeNow).Get("match"); got != strings.Join(list[0].Match, "\n") {
			t.Errorf("%s: the form says %q", name, got)
		}
	}
}

// TestForesightIsForWhoMayAct: whoever may only read sees the form and what is wrong with it; the replay is for those who could go on.
func TestForesightIsForWhoMayAct(t *testing.T) {
	const path = "/acts/new?kind=silence&try=1&who=a&for=1h&match=workload%3Dx"
	f := manyIncidents()
	may := New(f, Options{May: func(*http.Request) Access { return Access{May: true} }})
	says(t, "who may", body(t, may, path, http.StatusOK), []string{"What it would have done", "notification"}, []string{"UTC UTC"})
	for _, h := range []http.Handler{New(f, Options{}), New(f, Options{May: func(*http.Request) Access { return Access{Token: true} }})} {
		says(t, "who may not", body(t, h, path, http.StatusOK), []string{"workload=x", "is shown to who may act"}, []string{"as far as incidents are remembered", "Nothing was told yet", `id="save"`})
		says(t, "who may not, and is wrong", body(t, h, "/acts/new?kind=silence&try=1&who=a&for=1h&match=", http.StatusOK), []string{"want 1 to 16 matchers"}, nil)
	}
}
