package ui

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

var nan = math.NaN()

// flat returns n cells of a minute from t = 1 min on.
func flat(n int, value, lower, upper float64) []Point {
	var out []Point
	for i := range n {
		out = append(out, Point{T: int64(i+1) * fakeMinute, Min: value, Max: value, Value: value, Lower: lower, Expected: (lower + upper) / 2, Upper: upper, State: model.Normal})
	}
	return out
}

// coords returns the points of a path, by piece.
func coords(t *testing.T, path string) [][][2]float64 {
	t.Helper()
	var out [][][2]float64
	for _, m := range regexp.MustCompile(`([MLhZ])([-0-9.]*) ?([-0-9.]*)`).FindAllStringSubmatch(path, -1) {
		x, _ := strconv.ParseFloat(m[2], 64)
		y, _ := strconv.ParseFloat(m[3], 64)
		switch m[1] {
		case "M":
			out = append(out, [][2]float64{{x, y}})
		case "L":
			out[len(out)-1] = append(out[len(out)-1], [2]float64{x, y})
		}
	}
	return out
}

func TestPlacesOfValuesAndBand(t *testing.T) {
	g := geometry{from: 0, to: 10 * fakeMinute, lo: 0, hi: 10, h: 200, stepMs: fakeMinute}
	points := flat(10, 8, 2, 6)
	value := coords(t, g.line(points, func(p *Point) float64 { return p.Value }))
	if len(value) != 1 || len(value[0]) != 10 {
		t.Fatalf("line = %v, want one piece of ten", value)
	}
	for i, c := range value[0] {
		if c[0] != float64(100*(i+1)) || c[1] != 40 {
			t.Errorf("point %d at %v, want %d, 40: time goes right, and 8 of 10 is a fifth from the top", i, c, 100*(i+1))
		}
	}
	band := coords(t, g.area(points, func(p *Point) float64 { return p.Lower }, func(p *Point) float64 { return p.Upper }))
	if len(band) != 1 || len(band[0]) != 20 {
		t.Fatalf("band = %v", band)
	}
	for i, c := range band[0] {
		want := 80. // upper edge, 6 of 10
		if i >= 10 {
			want = 160 // lower edge, 2 of 10
		}
		if c[1] != want {
			t.Errorf("band corner %d at y %v, want %v", i, c[1], want)
		}
	}
	if value[0][0][1] >= band[0][0][1] {
		t.Error("a value above the band is not drawn above it")
	}
}

func TestGapsAreNotBridged(t *testing.T) {
	g := geometry{from: 0, to: 100 * fakeMinute, lo: 0, hi: 10, h: 100, stepMs: fakeMinute}
	points := flat(30, 5, 3, 7)
	points = append(points[:10], points[20:]...) // ten minutes are missing
	points[15].Value, points[15].Lower = nan, nan
	points = append(points, Point{T: 60 * fakeMinute, Min: 5, Max: 5, Value: 5, Lower: 3, Expected: 5, Upper: 7})
	line := coords(t, g.line(points, func(p *Point) float64 { return p.Value }))
	if len(line) != 4 {
		t.Fatalf("line has %d pieces, want 4: before and after the gap, after the missing value, and a lone dot", len(line))
	}
	for _, piece := range line {
		for i := 1; i < len(piece); i++ {
			if piece[i][0]-piece[i-1][0] > 10.01 {
				t.Errorf("the line goes from x %v to x %v", piece[i-1][0], piece[i][0])
			}
		}
	}
	if band := coords(t, g.area(points, func(p *Point) float64 { return p.Lower }, func(p *Point) float64 { return p.Upper })); len(band) != 4 {
		t.Errorf("band has %d pieces, want 4", len(band))
	}
	if !strings.HasSuffix(g.line(points, func(p *Point) float64 { return p.Value }), "h0.1") {
		t.Error("a value on its own is not drawn")
	}
	points[3].State, points[4].State, points[29-10].State = model.High, model.High, model.High
	if runs := g.runs(points); len(runs) < 5 {
		t.Errorf("runs = %+v", runs)
	}
}

func TestThinningKeepsExtremesStatesAndGaps(t *testing.T) {
	points := flat(5000, 5, 3, 7)
	points[1234].Value, points[1234].Max, points[1234].State, points[1234].Score = 99, 99, model.High, 2.5
	points[3210].Value, points[3210].Min = -7, -7
	points = append(points[:2000], points[2600:]...)
	got, step := thin(points, fakeMinute, 300)
	if len(got) > 300 || len(got) < 100 || step < 16*fakeMinute {
		t.Fatalf("%d cells of %d min", len(got), step/fakeMinute)
	}
	lo, hi, worst, score := math.Inf(1), math.Inf(-1), 0, 0.
	for i, p := range got {
		lo, hi, worst, score = min(lo, p.Min), max(hi, p.Max), max(worst, stateRank(p.State)), max(score, p.Score)
		if i > 0 && p.T <= got[i-1].T {
			t.Fatalf("times do not rise at %d", i)
		}
	}
	if lo != -7 || hi != 99 || worst != stateRank(model.High) || score != 2.5 {
		t.Errorf("after thinning least %v, most %v, state %d, score %v", lo, hi, worst, score)
	}
	g := geometry{from: 0, to: 5000 * fakeMinute, lo: -10, hi: 100, h: 100, stepMs: step}
	if line := coords(t, g.line(got, func(p *Point) float64 { return p.Value })); len(line) != 2 {
		t.Errorf("the gap of ten hours is in %d pieces, want 2", len(line))
	}
	// The drawn envelope reaches both extremes.
	c := chart{Unit: "count", From: 0, To: 5000 * fakeMinute, Points: points, StepMs: fakeMinute, Height: 200}
	_, hiDrawn := domain(got, nil)
	if hiDrawn < 99 {
		t.Errorf("the plot ends at %v, below the greatest value", hiDrawn)
	}
	if !strings.Contains(string(c.svg(false)), `class="env"`) {
		t.Error("no envelope is drawn")
	}
}

func TestEndlessBandsEndAtTheBorder(t *testing.T) {
	points := flat(20, 5, 3, 7)
	for i := range points {
		points[i].Lower, points[i].Upper = math.Inf(-1), math.Inf(1)
	}
	g := geometry{from: 0, to: 20 * fakeMinute, lo: 0, hi: 10, h: 100, stepMs: fakeMinute}
	for _, c := range coords(t, g.area(points, func(p *Point) float64 { return p.Lower }, func(p *Point) float64 { return p.Upper }))[0] {
		if c[1] != 0 && c[1] != 100 {
			t.Errorf("corner at y %v, want a border", c[1])
		}
	}
}

func TestTheLineIsRedOnlyOutsideTheBand(t *testing.T) {
	points := flat(10, 0.1, 0, 0.2)
	for i := range points {
		points[i].State = model.High
	}
	g := geometry{from: points[0].T, to: points[9].T, lo: 0, hi: 1, h: 100, stepMs: fakeMinute}
	if got := g.lineWhere(points, outsideInAlarm); got != "" {
		t.Errorf("inside the band the line is red: %s", got)
	}
	points[4].Value = 0.9
	if got := strings.Count(g.lineWhere(points, outsideInAlarm), "L"); got != 1 {
		t.Errorf("%d red pieces for one window outside, want 1", got)
	}
}

func TestDomainHoldsWhatMatters(t *testing.T) {
	ratio := model.Defaults()
	ratio.Min, ratio.Max = 0, 1
	ceiling := ratio
	ceiling.Ceiling = 0.25
	for _, c := range []struct {
		name         string
		points       []Point
		params       *model.Params
		loMin, loMax float64
		hiMin, hiMax float64
	}{
		{"nothing at all", nil, nil, 0, 0, 1, 1},
		{"a constant", flat(9, 5, 5, 5), nil, 4, 4.9, 5.1, 6},
		{"constant zero", flat(9, 0, 0, 0), nil, 0, 0, 0.5, 1},
		{"from zero where zero is near", flat(9, 8, 1, 6), nil, 0, 0, 8, 9},
		{"not from zero where it is far", flat(9, 1000, 990, 1010), nil, 980, 990, 1010, 1020},
		{"a share ends at 100 %", flat(9, 0.99, 0.5, 0.98), &ratio, 0.4, 0.5, 0.99, 1},
		{"the ceiling is shown when it is near", flat(9, 0.2, 0, 0.1), &ceiling, 0, 0, 0.25, 0.3},
		{"the ceiling is left out when it is far", flat(9, 0.001, 0, 0.002), &ceiling, 0, 0, 0.002, 0.01},
		{"a band without an end is left out", flat(9, 6*86400, -1e9, 1e9), nil, 0, 0, 6 * 86400, 7 * 86400},
		{"a wide band is not", flat(9, 0.0005, 0, 0.05), &ratio, 0, 0, 0.05, 0.06},
		{"a band about nothing is not", flat(9, 0, 0, 40), nil, 0, 0, 40, 50},
		{"below zero", flat(9, -5, -6, -4), nil, -7, -6, -4, -3},
	} {
		lo, hi := domain(c.points, c.params)
		if lo < c.loMin || lo > c.loMax || hi < c.hiMin || hi > c.hiMax {
			t.Errorf("%s: %v to %v, want %v…%v to %v…%v", c.name, lo, hi, c.loMin, c.loMax, c.hiMin, c.hiMax)
		}
	}
}

func TestTicksAreRoundInTheUnit(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		unit   string
		want   string
	}{
		{0, 0.33, "ratio", "[0 0.1 0.2 0.30000000000000004]"},
		{0, 2.2, "s", "[0 1 2]"},
		{0, 4 << 30, "B", "[0 1.073741824e+09 2.147483648e+09 3.221225472e+09 4.294967296e+09]"},
		{0, 900, "s", "[0 300 600 900]"},
		{0, 7, "cores", "[0 2 4 6]"},
	} {
		if got := fmt.Sprint(ticks(c.lo, c.hi, c.unit, 4)); got != c.want {
			t.Errorf("ticks of %v–%v %s = %s, want %s", c.lo, c.hi, c.unit, got, c.want)
		}
	}
	for _, span := range []int64{5 * fakeMinute, 60 * fakeMinute, 6 * 60 * fakeMinute, 24 * 60 * fakeMinute, 7 * 24 * 60 * fakeMinute, 15 * 24 * 60 * fakeMinute, 400 * 24 * 60 * fakeMinute} {
		if n := len(timeTicks(fakeNow-span, fakeNow)); n < 3 || n > 15 {
			t.Errorf("%d time ticks over %d minutes", n, span/fakeMinute)
		}
	}
}

// elements reads a picture as XML.
func elements(text string, do func(xml.StartElement)) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := tok.(xml.StartElement); ok {
			do(e)
		}
	}
}

// TestAnyPointsMakeADrawing draws random and broken points: the picture must be XML, with finite numbers.
func TestAnyPointsMakeADrawing(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	odd := []float64{nan, math.Inf(1), math.Inf(-1), 0, -0., 1e308, -1e308, 5e-324, math.MaxFloat64, 1, -1}
	number := func() float64 {
		if rng.IntN(3) == 0 {
			return odd[rng.IntN(len(odd))]
		}
		return math.Exp(rng.NormFloat64()*8) * float64(1-2*rng.IntN(2))
	}
	units := []string{"ratio", "s", "ms", "B", "B/s", "/s", "count", "cores", "", "%/h", "<b>"}
	for i := range 500 {
		c := chart{Title: "a<b>&\"'", Unit: units[rng.IntN(len(units))], From: 0, StepMs: fakeMinute, Height: rng.IntN(300), Compact: rng.IntN(2) == 0}
		t0 := int64(0)
		for range rng.IntN(60) {
			t0 += fakeMinute * int64(1+rng.IntN(3))
			c.Points = append(c.Points, Point{T: t0, Min: number(), Max: number(), Value: number(), Lower: number(), Expected: number(), Upper: number(), State: model.State(rng.IntN(6)), Score: number()})
		}
		c.To = max(t0, 1)
		if rng.IntN(2) == 0 {
			p := model.Defaults()
			p.Ceiling, p.Limit, p.Max, p.Min = number(), number(), number(), number()
			c.Params = &p
		}
		c.Marks = []mark{{T: t0 / 2, Label: "<m>"}}
		for _, alone := range []bool{true, false} {
			err := elements(string(c.svg(alone)), func(e xml.StartElement) {
				for _, a := range e.Attr {
					switch a.Name.Local {
					case "d", "x", "y", "width", "height", "x1":
						if strings.ContainsAny(a.Value, "NIn+e") {
							t.Fatalf("seed %d, drawing %d: %s=%q", seed, i, a.Name.Local, a.Value)
						}
					}
				}
			})
			if err != nil {
				t.Fatalf("seed %d, drawing %d: %v", seed, i, err)
			}
		}
		if d := c.cursor(); len(d.T) != len(d.S) {
			t.Fatalf("seed %d: cursor has %d times and %d texts", seed, len(d.T), len(d.S))
		}
		_ = gauge(number(), model.Band{Lower: number(), Expected: number(), Upper: number()}, model.State(rng.IntN(6)))
	}
}

func TestTheDrawingSaysItselfInWords(t *testing.T) {
	points := flat(60, 0.31, 0, 0.002)
	for i := range points {
		points[i].State = model.High
	}
	c := chart{Title: "dns.servfail_ratio, prod", Unit: "ratio", From: 0, To: 60 * fakeMinute, Points: points, StepMs: fakeMinute}
	want := "dns.servfail_ratio, prod from 1970-01-01 00:00 UTC to 1970-01-01 01:00 UTC: least 31 %, most 31 %, last 31 % with a band of 0–0.2 %. In alarm for about 1 h."
	if got := c.say(points); got != want {
		t.Errorf("say = %q, want %q", got, want)
	}
	if got := readout(&points[0], "ratio"); got != "31 % · expected 0.1 %, band 0–0.2 % · ▲ high · score 0.00 (alarm at 1)" {
		t.Errorf("readout = %q", got)
	}
	if got := readout(&Point{Value: nan, State: model.Absent}, "s"); got != "no data · absent" {
		t.Errorf("readout of nothing = %q", got)
	}
}

func BenchmarkChart(b *testing.B) {
	f := newFake()
	points, step, _ := f.Range(f.view.Signals[3].Signal.ID, fakeNow-15*24*60*fakeMinute, fakeNow, mainCells)
	c := chart{Unit: "s", From: fakeNow - 15*24*60*fakeMinute, To: fakeNow, Points: points, StepMs: step, Height: 240}
	b.ReportAllocs()
	for b.Loop() {
		c.svg(false)
	}
}
