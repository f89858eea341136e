package ui

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

// TestOutsideIsNeitherCalmNorAlarm: a value far outside its band is amber before anybody calls it an alarm; at the edge it is calm, in alarm it is red, and of what is only learned nothing is said.
func TestOutsideIsNeitherCalmNorAlarm(t *testing.T) {
	at := func(v float64, s model.State) Point {
		return Point{Value: v, Min: v, Max: v, Lower: 10, Expected: 15, Upper: 20, State: s}
	}
	open := at(50, model.Normal)
	open.Upper = math.Inf(1)
	for _, c := range []struct {
		p    Point
		want bool
	}{
		{at(15, model.Normal), false}, {at(20.5, model.Normal), false}, {at(9.5, model.Normal), false}, {at(50, model.Normal), true}, {at(2, model.Normal), true},
		{at(50, model.High), false}, {at(2, model.Low), false}, {at(50, model.Drifting), false}, {at(50, model.Learning), false}, {at(math.NaN(), model.Absent), false}, {at(math.NaN(), model.Normal), false}, {open, false},
	} {
		if got := outsideCalm(&c.p); got != c.want {
			t.Errorf("%+v: %t", c.p, got)
		}
	}
	points := flat(20, 15, 10, 20)
	points[9].Value, points[10].Value, points[11].Value = 50, 50, 50
	points[11].State = model.High
	c := chart{Unit: "", From: points[0].T - fakeMinute, To: points[19].T, StepMs: fakeMinute, Points: points, Height: 100}
	svg := string(c.svg(false))
	if n := strings.Count(svg, `class="st-outside"`); n != 1 {
		t.Errorf("%d amber runs in the strip, want 1", n)
	}
	if n := strings.Count(svg, `class="st-normal"`); n != 2 {
		t.Errorf("%d calm runs in the strip, want 2", n)
	}
	if !strings.Contains(svg, `<path class="out"`) || !strings.Contains(svg, `<path class="bad"`) {
		t.Error("the line is not drawn over")
	}
	keys, out := stateKeys(points)
	var words []string
	for _, k := range keys {
		words = append(words, k.Words)
	}
	if got := strings.Join(words, ","); !out || got != "normal,outside the band, not in alarm,high" {
		t.Errorf("the legend: %s", got)
	}
}

// TestTheAxisEndsAtALabel: the top of the plot has a label, at a round value where that leaves little empty, and no two labels lie on each other.
func TestTheAxisEndsAtALabel(t *testing.T) {
	share := model.Defaults()
	share.Min, share.Max = 0, 1
	for _, c := range []struct {
		lo, hi float64
		p      *model.Params
	}{{0, 1.08, nil}, {0, 97, nil}, {0, 100, nil}, {0, 1000.5, nil}, {-5, 5.3, nil}, {0, 1, &share}, {.31, .97, &share}, {99, 99.3, nil}, {0, 7, nil}, {0, 12345678, nil}} {
		for _, want := range []int{2, 4} {
			levels, hi := topped(ticks(c.lo, c.hi, "", want), c.lo, c.hi, 240, c.p)
			n := len(levels)
			if hi < c.hi || n < 2 {
				t.Errorf("%g to %g, %d: %v up to %g", c.lo, c.hi, want, levels, hi)
				continue
			}
			if gap := (hi - levels[n-1]) / (hi - c.lo); gap > topApart {
				t.Errorf("%g to %g, %d: the top %.2f of the plot has no label: %v up to %g", c.lo, c.hi, want, gap, levels, hi)
			}
			if empty := (hi - c.hi) / (c.hi - c.lo); empty > topEmpty+1e-9 {
				t.Errorf("%g to %g, %d: %.2f is empty above", c.lo, c.hi, want, empty)
			}
			if c.p != nil && hi > c.p.Max {
				t.Errorf("a share goes up to %g", hi)
			}
		}
	}
}

// TestQueryElsewhere: a signal's page leads to its query in the user's programs, with what is compared kept in its own links; without addresses it leads nowhere.
func TestQueryElsewhere(t *testing.T) {
	f := newFake()
	id := f.view.Signals[0].Signal.ID
	h := New(f, Options{})
	plain := body(t, h, "/signals/"+id, http.StatusOK)
	if strings.Contains(plain, "open in") {
		t.Error("links to nowhere")
	}
	s := &server{o: Options{Elsewhere: Elsewhere{Prometheus: "https://prom.example/p/", Grafana: "http://g.example", GrafanaDatasource: "uid-1"}}}
	expr := `sum by (cluster) (rate(x{a="b&c"}[1m]))`
	links := s.queryLinks(expr, span{From: 1_700_000_000_000, To: 1_700_003_600_000})
	if len(links) != 2 {
		t.Fatal(links)
	}
	u, err := url.Parse(links[0].URL)
	if err != nil || u.Host != "prom.example" || u.Path != "/p/graph" || u.Query().Get("g0.expr") != expr || u.Query().Get("g0.range_input") != "3600s" || u.Query().Get("g0.end_input") != "2023-11-14 23:13:20" {
		t.Errorf("%v %v", u, err)
	}
	u, err = url.Parse(links[1].URL)
	var panes map[string]struct {
		Datasource string
		Range      map[string]string
		Queries    []struct{ Expr string }
	}
	if err != nil || u.Path != "/explore" || json.Unmarshal([]byte(u.Query().Get("panes")), &panes) != nil || panes["w"].Queries[0].Expr != expr || panes["w"].Datasource != "uid-1" || panes["w"].Range["to"] != "1700003600000" {
		t.Errorf("%v %v %+v", u, err, panes)
	}
	h = New(f, Options{Elsewhere: s.o.Elsewhere})
	page := body(t, h, "/signals/"+id+"?range=1h&compare=1d", http.StatusOK)
	for _, want := range []string{"open in Prometheus", "open in Grafana", `class="cmp"`, "yesterday", "range=6h&amp;compare=1d", "compare=1w", "strip:"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(plain, `class="cmp"`) || !strings.Contains(plain, "compare=1d") {
		t.Error("it compares unasked, or cannot be asked")
	}
}
