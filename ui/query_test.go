package ui

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

func TestFilterTextIsReadAsPeopleWriteIt(t *testing.T) {
	for text, want := range map[string][]term{
		"":                        nil,
		"  DNS   cart ":           {{value: "dns"}, {value: "cart"}},
		"namespace=shop":          {{label: "namespace", value: "shop"}},
		`namespace="a b" x`:       {{label: "namespace", value: "a b"}, {value: "x"}},
		`a="un closed`:            {{label: "a", value: `"un`}, {value: "closed"}},
		`=x`:                      {{value: "=x"}},
		`a=`:                      {{label: "a"}},
		`a="q\"uote\\d"`:          {{label: "a", value: `q"uote\d`}},
		strings.Repeat("x ", 100): slices.Repeat([]term{{value: "x"}}, termsMax),
	} {
		if got := parseTerms(text); !slices.Equal(got, want) {
			t.Errorf("parseTerms(%q) = %+v, want %+v", text, got, want)
		}
	}
}

// TestALabelLinkFindsItsSignals: whatever the value, the link of a label filters for exactly that value.
func TestALabelLinkFindsItsSignals(t *testing.T) {
	for _, p := range append(slices.Clone(payloads), "plain", "with space", `"quoted"`, `back\slash`, "") {
		if len(p) > queryMax {
			continue
		}
		got := parseTerms(matcher("workload", p))
		if len(got) != 1 || got[0].label != "workload" || got[0].value != p {
			if strings.ToValidUTF8(p, "") != p {
				continue
			}
			t.Errorf("matcher of %q reads back as %+v", p, got)
		}
	}
}

// TestFindAgreesWithACheckOfEachSignal compares the one-pass filter and its facets with plain loops.
func TestFindAgreesWithACheckOfEachSignal(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	v := bigFake(1000).view
	for i := range v.Signals {
		v.Signals[i].State = model.State(rng.IntN(6))
		r := *v.Signals[i].Signal.Rule
		r.Pack = []string{"wl", "dns", "node"}[rng.IntN(3)]
		s := *v.Signals[i].Signal
		s.Rule = &r
		v.Signals[i].Signal = &s
	}
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	for range 100 {
		q := parseQuery(url.Values{"q": {pick("", "", "workload-7", "CPU", "namespace=ns-3")}, "pack": {pick("", "wl", "nope")}, "cluster": {pick("", "c3")}, "namespace": {pick("", "ns-3")},
			"state": {pick("", "high", abnormal, easingOn, "learning")}, "sort": {pick("", "signal", "entity", "state", "since", "learned")}, "desc": {pick("", "1")}})
		match := func(s *baseline.SignalView, but string) bool {
			for k := range q.terms {
				if !q.terms[k].match(s) {
					return false
				}
			}
			e := s.Signal.Entity
			return (but == "pack" || q.Pack == "" || s.Signal.Rule.Pack == q.Pack) && (but == "cluster" || q.Cluster == "" || e.Get("cluster") == q.Cluster) &&
				(but == "namespace" || q.Namespace == "" || e.Get("namespace") == q.Namespace) && (but == "state" || q.matchState(s, easingSignal(s)))
		}
		f := q.find(v, "")
		n, packs, high := 0, map[string]int{}, 0
		for i := range v.Signals {
			s := &v.Signals[i]
			n += b2i(match(s, ""))
			if match(s, "pack") {
				packs[s.Signal.Rule.Pack]++
			}
			high += b2i(match(s, "state") && s.State == model.High && !easingSignal(s))
		}
		if len(f.Rows) != n {
			t.Fatalf("seed %d: %+v finds %d, want %d", seed, q, len(f.Rows), n)
		}
		for _, x := range f.Packs {
			if x.Count != packs[x.Value] {
				t.Fatalf("seed %d: %+v counts %d in %s, want %d", seed, q, x.Count, x.Value, packs[x.Value])
			}
		}
		for _, x := range f.States {
			if x.Value == "high" && x.Count != high {
				t.Fatalf("seed %d: %+v counts %d high, want %d", seed, q, x.Count, high)
			}
		}
		seen := map[string]bool{}
		for i, r := range f.Rows {
			if seen[r.Signal.ID] {
				t.Fatalf("seed %d: %s twice", seed, r.Signal.ID)
			}
			seen[r.Signal.ID] = true
			if i == 0 {
				continue
			}
			p, ok := f.Rows[i-1], true
			switch q.Sort {
			case "signal":
				ok = (p.Signal.ID < r.Signal.ID) != q.Desc
			case "since":
				ok = p.Since == r.Since || (p.Since > r.Since) != q.Desc
			case "learned":
				ok = p.Maturity == r.Maturity || (p.Maturity < r.Maturity) != q.Desc
			case "state":
				ok = urgency(p.State) == urgency(r.State) || (urgency(p.State) < urgency(r.State)) != q.Desc
			case "entity":
				a, b := p.Signal.Entity.Get("cluster"), r.Signal.Entity.Get("cluster")
				ok = a == b || (a < b) != q.Desc
			case "score":
				ok = p.State.Alarm() != r.State.Alarm() || p.Score == r.Score || (p.Score > r.Score) != q.Desc
			}
			if !ok {
				t.Fatalf("seed %d: sort %s desc %v: %s before %s", seed, q.Sort, q.Desc, p.Signal.ID, r.Signal.ID)
			}
		}
	}
}

func TestPagesOfSignalsAreDisjointAndComplete(t *testing.T) {
	h := New(bigFake(250), Options{})
	seen := map[string]bool{}
	for _, c := range []struct {
		page string
		rows int
	}{{"1", 100}, {"2", 100}, {"3", 50}, {"99", 50}} {
		got := body(t, h, "/signals?page="+c.page, http.StatusOK)
		rows := strings.Count(got, `<td class="name">`)
		if rows != c.rows {
			t.Errorf("page %s has %d rows, want %d", c.page, rows, c.rows)
		}
		if c.page == "99" {
			continue
		}
		for _, part := range strings.Split(got, `<td class="name"><a href="`)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
	}
	if len(seen) != 250 {
		t.Errorf("%d signals on all pages, want 250", len(seen))
	}
}

func TestSpanOfAnAddress(t *testing.T) {
	now := int64(1_772_000_000_000)
	def := defaultSpan(now)
	for query, want := range map[string]span{
		"":                   def,
		"range=1d":           {From: now - 86_400_000, To: now, Preset: "1d"},
		"from=1771990000000": {From: 1771990000000, To: now},
		"from=1771990000000&to=1771995000000&range=1h":      {From: 1771990000000, To: 1771995000000},
		"from=1771990000000&to=1771990000001":               {From: 1771990000000 - rangeLeast/2, To: 1771990000000 + rangeLeast/2},
		"from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z": {From: 1769904000000, To: 1769990400000},
	} {
		v, _ := url.ParseQuery(query)
		if got := parseSpan(v, now, def); got != want {
			t.Errorf("%q = %+v, want %+v", query, got, want)
		}
	}
	for _, query := range []string{"range=2y", "from=x", "from=2&to=1", "from=-1", "to=1", "from=0&to=1771990000000", "from=9999999999999999999", "from=1e12", "from=NaN"} {
		v, _ := url.ParseQuery(query)
		if got := parseSpan(v, now, def); got.Problem == "" || got.From != def.From {
			t.Errorf("%q = %+v, want a problem and the default", query, got)
		}
	}
}

// TestACutIDFindsItsSignal: alerting cuts ids that are longer than 1 KiB.
func TestACutIDFindsItsSignal(t *testing.T) {
	f := newFake()
	long := fakeEntity("workload", strings.Repeat("w", 3000))
	v := f.add(fakeRule("wl", "wl.long", "Long?", "s", signal.Warn, model.Up), long, curveOf(1, 1, 0, 0, 0, nil), 0, 0)
	id := v.Signal.ID
	f.sort()
	if got, ok := lookup(f.view, id[:1004]+"~0123456789abcdef"); !ok || got.Signal.ID != id {
		t.Error("a cut id does not find its signal")
	}
	if _, ok := lookup(f.view, id[:1000]); ok {
		t.Error("any prefix finds a signal")
	}
	f.add(fakeRule("wl", "wl.long", "Long?", "s", signal.Warn, model.Up), append(slices.Clone(long), series.Label{Name: "z", Value: "2"}), curveOf(1, 1, 0, 0, 0, nil), 0, 0)
	f.sort()
	if _, ok := lookup(f.view, id[:1004]+"~0123456789abcdef"); ok {
		t.Error("a cut id of two signals finds one of them")
	}
}

func TestTheAPIGivesNumbersWithUnitsAndNullForNothing(t *testing.T) {
	f := newFake()
	for i := range f.view.Signals {
		if f.view.Signals[i].State == model.Absent {
			f.view.Signals[i].Band = model.Band{Lower: nan, Expected: nan, Upper: nan}
		}
	}
	h := New(f, Options{})
	var list struct {
		Status string
		Data   struct {
			Total   int
			Signals []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/signals?state=abnormal&limit=3&offset=3", http.StatusOK)), &list); err != nil {
		t.Fatal(err)
	}
	if list.Status != "success" || list.Data.Total != 6 || len(list.Data.Signals) != 3 {
		t.Fatalf("status %s, total %d, %d signals", list.Status, list.Data.Total, len(list.Data.Signals))
	}
	for _, s := range list.Data.Signals {
		if s["unit"] == "" || s["id"] == "" || s["since"].(float64) < 1e12 {
			t.Errorf("signal without unit, id or time in milliseconds: %v", s)
		}
		if s["state"] == "absent" {
			t.Error("silence is called abnormal")
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/signals?state=absent", http.StatusOK)), &list); err != nil || list.Data.Total != 1 {
		t.Fatalf("%d absent, %v", list.Data.Total, err)
	}
	for _, s := range list.Data.Signals {
		if s["state"] != "absent" || (s["value"] != nil || s["band"].(map[string]any)["upper"] != nil) {
			t.Errorf("absent value = %v, band %v, want null", s["value"], s["band"])
		}
	}
	var one struct {
		Data struct {
			Unit   string
			StepMs int64 `json:"step_ms"`
			Points []apiPoint
			Next   []string
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1"+servfailPath+"?range=1h&points=30", http.StatusOK)), &one); err != nil {
		t.Fatal(err)
	}
	if d := one.Data; d.Unit != "ratio" || len(d.Points) < 15 || len(d.Points) > 31 || d.StepMs < fakeMinute || d.Points[len(d.Points)-1].State != "high" || d.Points[0].T > d.Points[1].T || len(d.Next) != 3 {
		t.Errorf("unit %s, %d points of %d ms", d.Unit, len(d.Points), d.StepMs)
	}
	var inc struct {
		Data struct {
			Open       bool
			FirstMover string `json:"first_mover"`
			Members    []struct {
				Unit     string
				Sentence string
				Worst    *float64
			}
			Timeline []apiEvent
		}
	}
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1"+dnsPath, http.StatusOK)), &inc); err != nil {
		t.Fatal(err)
	}
	if d := inc.Data; !d.Open || d.FirstMover != "dns.latency_p99~cluster=prod-eu" || len(d.Members) != 3 || d.Members[1].Unit != "ratio" || len(d.Timeline) != 6 {
		t.Errorf("incident = %+v", d)
	}
	for _, part := range []string{"build", "senders", "clusters", "limits", "counters", "journal", "store", "receivers", "problems", "noise", "config"} {
		body(t, h, "/api/v1/status/"+part, http.StatusOK)
	}
	if strings.Contains(body(t, h, "/api/v1/status", http.StatusOK), "api_url") {
		t.Error("the whole status holds the configuration")
	}
}
