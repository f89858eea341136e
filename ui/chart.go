// Charts: what was judged of a signal, as SVG. The geometry is plain arithmetic, so that tests can check it.

package ui

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

const (
	cellsMax = 800  // cells drawn at most; more are merged two by two
	plotW    = 1000 // width of the drawing's own scale; it is stretched to the page
)

// chart is one drawing.
type chart struct {
	Title    string // what it shows, for people who hear it
	Unit     string
	From, To int64 // Unix ms
	StepMs   int64 // length of a cell
	Points   []Point
	Height   int           // of the plot, pixels
	Compact  bool          // no score strip, fewer labels
	Params   *model.Params // bounds and fixed marks; nil = none
	Marks    []mark        // vertical lines
	Ticks    []tick        // changes, by time
	Shade    []shade       // spans that are tinted, besides those in alarm
}

// mark is a moment worth a line.
type mark struct {
	T     int64
	Label string
}

type shade struct{ From, To int64 }

// thin merges neighbouring cells until at most max are left. The least and greatest value, the worst state and the
// highest score survive; values are averaged; a cell without a value does not hide one that has it. Cells are only
// merged when they lie in the same slot of time, so a gap stays a gap.
func thin(points []Point, stepMs int64, max int) ([]Point, int64) {
	for len(points) > max && stepMs > 0 {
		stepMs *= 2
		out := make([]Point, 0, len(points)/2+1)
		slot := func(t int64) int64 { return (t - 1) / stepMs }
		for i := 0; i < len(points); {
			j := i + 1
			for j < len(points) && slot(points[j].T) == slot(points[i].T) {
				j++
			}
			out = append(out, merge(points[i:j]))
			i = j
		}
		points = out
	}
	return points, stepMs
}

// stateRank orders states by how much they matter when cells are merged.
func stateRank(s model.State) int {
	return [...]int{model.Learning: 0, model.Normal: 1, model.Absent: 2, model.Drifting: 3, model.Low: 4, model.High: 5}[s%6]
}

func merge(p []Point) Point {
	m := p[len(p)-1]
	var value, lower, expected, upper mean
	for i := range p {
		value.add(p[i].Value)
		lower.add(p[i].Lower)
		expected.add(p[i].Expected)
		upper.add(p[i].Upper)
		m.Min = least(m.Min, p[i].Min)
		m.Max = -least(-m.Max, -p[i].Max)
		if stateRank(p[i].State) > stateRank(m.State) {
			m.State = p[i].State
		}
		m.Score = max(m.Score, p[i].Score)
	}
	m.Value, m.Lower, m.Expected, m.Upper = value.get(), lower.get(), expected.get(), upper.get()
	return m
}

// least is the smaller of two, where NaN is no number to speak of.
func least(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return min(a, b)
}

type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum += v
		m.n++
	}
}

func (m *mean) get() float64 {
	if m.n == 0 {
		return math.NaN()
	}
	return m.sum / float64(m.n)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// domain returns the lowest and highest value that the plot shows: every value, and the band as far as it is not
// itself an outlier, with a little air, from zero where zero is near.
func domain(points []Point, p *model.Params) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	var band []float64
	for i := range points {
		q := &points[i]
		for _, v := range [...]float64{q.Min, q.Max, q.Value} {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		for _, v := range [...]float64{q.Lower, q.Expected, q.Upper} {
			if finite(v) {
				band = append(band, v)
			}
		}
	}
	if len(band) > 0 {
		slices.Sort(band)
		lo, hi = min(lo, band[len(band)*2/100]), max(hi, band[len(band)-1-len(band)*2/100])
	}
	if lo > hi {
		return 0, 1
	}
	defer func() {
		if !(hi > lo) { // numbers too small to tell apart
			hi = lo + max(1, math.Abs(lo)/10)
		}
	}()
	// Differences of greater numbers overflow; nothing that people watch is so large.
	const most = 1e150
	lo, hi = min(max(lo, -most), most), min(max(hi, -most), most)
	if p != nil {
		for _, v := range [...]float64{p.Ceiling, p.Limit} {
			if s := max(hi-lo, math.Abs(hi)*0.05); finite(v) && v > lo-s/2 && v < hi+s/2 {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if hi == lo {
		d := math.Abs(lo) / 10
		if d == 0 {
			d = 1
		}
		if lo == 0 {
			return 0, d
		}
		return lo - d, hi + d
	}
	air := (hi - lo) * 0.08
	switch {
	case lo >= 0 && lo < 0.4*hi:
		lo = 0
	case lo >= 0:
		lo = max(0, lo-air)
	default:
		lo -= air
	}
	if p == nil || !finite(p.Max) || hi > p.Max || hi+air <= p.Max {
		hi += air
	} else {
		hi = p.Max
	}
	return lo, hi
}

// ticks returns three to six round values between lo and hi, round in the scale that people read the unit in.
func ticks(lo, hi float64, unit string, want int) []float64 {
	span := hi - lo
	if !(span > 0) || !finite(span) {
		return nil
	}
	scale := 1.
	steps := []float64{1, 2, 2.5, 5, 10}
	switch unit {
	case "B", "B/s":
		for scale*1024 <= max(math.Abs(lo), math.Abs(hi)) {
			scale *= 1024
		}
	case "s", "ms":
		second := 1.
		if unit == "ms" {
			second = 1000
		}
		switch top := max(math.Abs(lo), math.Abs(hi)) / second; {
		case top >= 48*3600:
			scale = 86400 * second
		case top >= 2*3600:
			scale, steps = 3600*second, []float64{1, 2, 3, 6, 12, 24}
		case top >= 120:
			scale, steps = 60*second, []float64{1, 2, 5, 10, 15, 30, 60}
		}
	}
	raw := span / scale / float64(want)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	if len(steps) > 5 && raw > 1 {
		mag = 1
	}
	step := steps[len(steps)-1] * mag
	for _, f := range steps {
		if f*mag >= raw*0.999 {
			step = f * mag
			break
		}
	}
	step *= scale
	var out []float64
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+span*1e-9 && len(out) < 12; k++ {
		out = append(out, k*step+0) // +0: no −0
	}
	return out
}

// timeTick is one label of the time axis.
type timeTick struct {
	t     int64
	label string
	minor bool // left out where there is little room
}

// timeTicks returns about seven round moments of UTC between from and to.
func timeTicks(from, to int64) []timeTick {
	const minute, hour, day = 60_000, 3_600_000, 86_400_000
	step := int64(30 * day)
	for _, s := range [...]int64{minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day} {
		if (to-from)/s <= 8 {
			step = s
			break
		}
	}
	var out []timeTick
	for t := (from + step - 1) / step * step; t <= to && len(out) < 16; t += step {
		at := time.UnixMilli(t).UTC()
		label := at.Format("15:04")
		if t%day == 0 {
			label = at.Format("2 Jan")
			if step < day {
				label += " 00:00"
			}
		}
		out = append(out, timeTick{t: t, label: label, minor: (t/step)%2 != 0 && (t%day != 0 || step >= day)})
	}
	return out
}

// geometry places instants and values in the plot.
type geometry struct {
	from, to int64
	lo, hi   float64
	h        float64
	stepMs   int64
}

func (g *geometry) x(t int64) float64 {
	return float64(t-g.from) / float64(max(g.to-g.from, 1)) * plotW
}

// y clamps to the plot, so that an endless side of a band ends at its border.
func (g *geometry) y(v float64) float64 {
	return min(max((g.hi-v)/(g.hi-g.lo)*g.h, 0), g.h)
}

// gap reports whether the line must not go from a to b.
func (g *geometry) gap(a, b *Point) bool {
	return g.stepMs > 0 && b.T-a.T > g.stepMs*3/2
}

// coordinate writes a number with one digit after the point and no more.
func coordinate(b *strings.Builder, v float64) {
	b.WriteString(strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64))
}

func xy(b *strings.Builder, cmd byte, x, y float64) {
	b.WriteByte(cmd)
	coordinate(b, x)
	b.WriteByte(' ')
	coordinate(b, y)
}

// line returns a path through pick's values. It is broken where there is a gap or no value; a value on its own is a dot.
func (g *geometry) line(points []Point, pick func(*Point) float64) string {
	var b strings.Builder
	open := 0 // points of the present piece
	end := func() {
		if open == 1 {
			b.WriteString("h0.1")
		}
		open = 0
	}
	for i := range points {
		p := &points[i]
		v := pick(p)
		if !finite(v) {
			end()
			continue
		}
		if open > 0 && g.gap(&points[i-1], p) {
			end()
		}
		cmd := byte('L')
		if open == 0 {
			cmd = 'M'
		}
		xy(&b, cmd, g.x(p.T), g.y(v))
		open++
	}
	end()
	return b.String()
}

// area returns a closed path between two curves, in as many pieces as the gaps make. Endless sides are cut at the border.
func (g *geometry) area(points []Point, low, high func(*Point) float64) string {
	var b strings.Builder
	for i := 0; i < len(points); {
		if math.IsNaN(low(&points[i])) || math.IsNaN(high(&points[i])) {
			i++
			continue
		}
		j := i + 1
		for j < len(points) && !math.IsNaN(low(&points[j])) && !math.IsNaN(high(&points[j])) && !g.gap(&points[j-1], &points[j]) {
			j++
		}
		if j == i+1 { // one cell on its own is as wide as it lasts
			x0, x1 := g.x(points[i].T-g.stepMs), g.x(points[i].T)
			xy(&b, 'M', max(x0, 0), g.y(high(&points[i])))
			xy(&b, 'L', x1, g.y(high(&points[i])))
			xy(&b, 'L', x1, g.y(low(&points[i])))
			xy(&b, 'L', max(x0, 0), g.y(low(&points[i])))
		} else {
			cmd := byte('M')
			for k := i; k < j; k++ {
				xy(&b, cmd, g.x(points[k].T), g.y(high(&points[k])))
				cmd = 'L'
			}
			for k := j - 1; k >= i; k-- {
				xy(&b, 'L', g.x(points[k].T), g.y(low(&points[k])))
			}
		}
		b.WriteByte('Z')
		i = j
	}
	return b.String()
}

// alarmLine is the value's line where the state is an alarm and the value outside its band, drawn over it. An alarm
// that waits for its end is told by the strip below; its line would look like an outage that goes on.
func (g *geometry) alarmLine(points []Point) string {
	var b strings.Builder
	red := func(p *Point) bool { return p.State.Alarm() && !(p.Value >= p.Lower && p.Value <= p.Upper) }
	for i := range points {
		p := &points[i]
		if !red(p) || !finite(p.Value) {
			continue
		}
		if i > 0 && finite(points[i-1].Value) && !g.gap(&points[i-1], p) {
			if !red(&points[i-1]) || b.Len() == 0 {
				xy(&b, 'M', g.x(points[i-1].T), g.y(points[i-1].Value))
			}
			xy(&b, 'L', g.x(p.T), g.y(p.Value))
			continue
		}
		xy(&b, 'M', g.x(p.T), g.y(p.Value))
		b.WriteString("h0.1")
	}
	return b.String()
}

// run is a span of time in one state.
type run struct {
	from, to int64
	state    model.State
}

// runs joins neighbouring cells of one state. Gaps end a run.
func (g *geometry) runs(points []Point) []run {
	var out []run
	for i := range points {
		p := &points[i]
		if i > 0 && points[i-1].State == p.State && !g.gap(&points[i-1], p) {
			out[len(out)-1].to = p.T
			continue
		}
		from := p.T - g.stepMs
		if i > 0 {
			from = max(from, points[i-1].T)
		}
		out = append(out, run{from: max(from, g.from), to: p.T, state: p.State})
	}
	return out
}

// paint are the presentation attributes of a class in a picture that stands alone; on a page the style sheet wins.
var paint = map[string]string{
	"bg": `fill="#fff"`, "gl": `stroke="#e3e6ea"`, "band": `fill="#2f6fdb" fill-opacity="0.13"`, "exp": `stroke="#2f6fdb" stroke-opacity="0.6" stroke-dasharray="4 4" fill="none"`,
	"env": `fill="#1f4fa8" fill-opacity="0.28"`, "val": `stroke="#1f4fa8" stroke-width="1.6" fill="none"`, "bad": `stroke="#c81e1e" stroke-width="2.2" fill="none"`,
	"shade": `fill="#c81e1e" fill-opacity="0.07"`, "ceil": `stroke="#b45309" stroke-dasharray="2 3"`, "mark": `stroke="#57606a" stroke-dasharray="3 3"`,
	"chg":  `stroke="#0f766e" stroke-width="3"`,
	"head": `fill="#1b2330" font-family="system-ui,sans-serif" font-size="13" font-weight="600"`,
	"lab":  `fill="#57606a" font-family="system-ui,sans-serif" font-size="11"`, "sc": `fill="#57606a" fill-opacity="0.45"`, "one": `stroke="#c81e1e" stroke-opacity="0.6" stroke-dasharray="3 3"`,
	"st-learning": `fill="#a9b7c9"`, "st-normal": `fill="#7fbf8e"`, "st-high": `fill="#c81e1e"`, "st-low": `fill="#7a3fc4"`, "st-drifting": `fill="#d97706"`, "st-absent": `fill="#8b949e"`,
}

// drawing writes SVG elements; every text goes through esc.
type drawing struct {
	strings.Builder
	alone bool
}

func esc(s string) string { return html.EscapeString(alerting.Clean(s, textMax)) }

// class returns the class attribute, and the colours when the picture stands alone.
func (d *drawing) class(c, more string) string {
	if more != "" {
		more = " " + more
	}
	if d.alone {
		key := c
		return ` class="` + c + more + `" ` + paint[key]
	}
	return ` class="` + c + more + `"`
}

func (d *drawing) path(class, path string) {
	if path == "" {
		return
	}
	fmt.Fprintf(d, `<path%s vector-effect="non-scaling-stroke" stroke-linecap="round" stroke-linejoin="round" d="%s"/>`, d.class(class, ""), path)
}

func (d *drawing) text(class, more, x string, y float64, anchor, s string) {
	fmt.Fprintf(d, `<text%s x="%s" y="%.1f" text-anchor="%s">%s</text>`, d.class(class, more), x, y, anchor, esc(s))
}

func percentX(x float64) string { return strconv.FormatFloat(math.Round(x*10)/100, 'f', -1, 64) + "%" }

const (
	padTop   = 16 // room for the label of the highest line: labels lie above theirs
	titleH   = 18 // of a picture that stands alone
	stripH   = 10
	scoreH   = 32
	axisH    = 20
	stripGap = 6
)

// svg draws the chart. alone makes a picture that needs no style sheet.
//
// The outer drawing has no scale of its own: text keeps its size on a narrow page. Curves lie in inner drawings that
// are stretched sideways, with strokes that are not.
func (c *chart) svg(alone bool) template.HTML {
	points, step := thin(c.Points, c.StepMs, cellsMax)
	lo, hi := domain(points, c.Params)
	h := float64(max(c.Height, 40))
	g := geometry{from: c.From, to: c.To, lo: lo, hi: hi, h: h, stepMs: step}
	top := float64(padTop)
	if alone {
		top += titleH
	}
	stripY := top + h + stripGap
	scoreY := stripY + stripH + stripGap
	bottom := scoreY + scoreH
	if c.Compact {
		bottom = stripY + stripH
	}
	total := bottom + axisH

	d := &drawing{alone: alone}
	if alone {
		fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="1000" height="%.0f"><title>%s</title>`, total, esc(c.Title))
		fmt.Fprintf(d, `<rect%s width="100%%" height="100%%"/>`, d.class("bg", ""))
		d.text("head", "", "4", 17, "start", c.Title)
	} else {
		fmt.Fprintf(d, `<svg class="chart" role="img" width="100%%" height="%.0f" aria-label="%s" focusable="false">`, total, esc(c.say(points)))
	}

	want := 4
	if c.Compact {
		want = 2
	}
	levels := ticks(lo, hi, c.Unit, want)
	times := timeTicks(c.From, c.To)
	fmt.Fprintf(d, `<svg x="0" y="%.0f" width="100%%" height="%.0f" viewBox="0 0 %d %.0f" preserveAspectRatio="none">`, top, h, plotW, h)
	for _, v := range levels {
		d.path("gl", fmt.Sprintf("M0 %.1fH%d", g.y(v), plotW))
	}
	runs := g.runs(points)
	tint := func(from, to int64) {
		x0, x1 := max(g.x(from), 0), min(g.x(to), plotW)
		if x1 > x0 {
			fmt.Fprintf(d, `<rect%s x="%.1f" y="0" width="%.1f" height="%.0f"/>`, d.class("shade", ""), x0, x1-x0, h)
		}
	}
	for _, r := range runs {
		if r.state.Alarm() {
			tint(r.from, r.to)
		}
	}
	for _, s := range c.Shade {
		tint(s.From, s.To)
	}
	d.path("band", g.area(points, func(p *Point) float64 { return p.Lower }, func(p *Point) float64 { return p.Upper }))
	d.path("exp", g.line(points, func(p *Point) float64 { return p.Expected }))
	d.path("env", g.area(points, func(p *Point) float64 { return p.Min }, func(p *Point) float64 { return p.Max }))
	d.path("val", g.line(points, func(p *Point) float64 { return p.Value }))
	d.path("bad", g.alarmLine(points))
	fixed := func(v float64) bool { return finite(v) && v > lo && v < hi }
	if c.Params != nil {
		for _, v := range [...]float64{c.Params.Ceiling, c.Params.Limit} {
			if fixed(v) {
				d.path("ceil", fmt.Sprintf("M0 %.1fH%d", g.y(v), plotW))
			}
		}
	}
	for _, m := range c.Marks {
		if m.T >= c.From && m.T <= c.To {
			d.path("mark", fmt.Sprintf("M%.1f 0V%.0f", g.x(m.T), h))
		}
	}
	c.drawTicks(d, &g)
	d.WriteString(`</svg>`)

	// Verdict strip: what each window was called.
	fmt.Fprintf(d, `<svg x="0" y="%.0f" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none">`, stripY, stripH, plotW, stripH)
	for _, r := range runs {
		x0, x1 := max(g.x(r.from), 0), min(g.x(r.to), plotW)
		fmt.Fprintf(d, `<rect%s x="%.1f" y="0" width="%.1f" height="%d"><title>%s</title></rect>`, d.class(stateClass(r.state), ""), x0, max(x1-x0, 1), stripH,
			esc(r.state.String()+", "+alerting.Clock(r.from)+", "+alerting.Span(r.to-r.from)))
	}
	d.WriteString(`</svg>`)

	if !c.Compact {
		most := 1.5
		for i := range points {
			if finite(points[i].Score) {
				most = max(most, points[i].Score)
			}
		}
		most = min(most, 1e6)
		s := geometry{from: c.From, to: c.To, lo: 0, hi: most * 1.05, h: scoreH, stepMs: step}
		fmt.Fprintf(d, `<svg x="0" y="%.0f" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none">`, scoreY, scoreH, plotW, scoreH)
		d.path("sc", s.area(points, func(*Point) float64 { return 0 }, func(p *Point) float64 { return p.Score }))
		d.path("one", fmt.Sprintf("M0 %.1fH%d", s.y(1), plotW))
		d.WriteString(`</svg>`)
		d.text("lab", "", "4", scoreY+10, "start", "score (alarm at 1, dashed)")
	}
	for _, v := range levels {
		d.text("lab", "yl", "4", top+g.y(v)-3, "start", alerting.Quantity(v, c.Unit))
	}
	if c.Params != nil {
		for i, v := range [...]float64{c.Params.Ceiling, c.Params.Limit} {
			if fixed(v) {
				d.text("lab", "", "100%", top+g.y(v)-3, "end", [...]string{"ceiling ", "limit "}[i]+alerting.Quantity(v, c.Unit))
			}
		}
	}
	for _, m := range c.Marks {
		if m.T >= c.From && m.T <= c.To {
			x, anchor := g.x(m.T), "start"
			if x > plotW*0.8 {
				anchor = "end"
			}
			d.text("lab", "mk", percentX(x), top+10, anchor, " "+m.Label)
		}
	}
	for _, t := range times {
		// A long label needs more room than half of it beside the edge of a narrow page.
		x, anchor, room := g.x(t.t), "middle", 6*float64(len(t.label))+6
		switch {
		case x < room:
			anchor = "start"
		case x > plotW-room:
			anchor = "end"
		}
		more := "xl"
		if t.minor {
			more = "xl xm"
		}
		d.text("lab", more, percentX(x), total-5, anchor, t.label)
	}
	d.WriteString(`</svg>`)
	return template.HTML(d.String()) // every text above went through esc, every number through a formatter
}

// say puts the chart in words, for people who do not see it.
func (c *chart) say(points []Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s: ", c.Title, alerting.Clock(c.From), alerting.Clock(c.To))
	lo, hi, last, alarm := math.NaN(), math.NaN(), -1, int64(0)
	for i := range points {
		lo, hi = least(lo, points[i].Min), -least(-hi, -points[i].Max)
		if finite(points[i].Value) {
			last = i
		}
		if points[i].State.Alarm() {
			alarm += c.StepMs
		}
	}
	if last < 0 {
		b.WriteString("no data.")
		return b.String()
	}
	p := &points[last]
	fmt.Fprintf(&b, "least %s, most %s, last %s with a band of %s.", alerting.Quantity(lo, c.Unit), alerting.Quantity(hi, c.Unit),
		alerting.Quantity(p.Value, c.Unit), alerting.Range(p.Lower, p.Upper, c.Unit))
	if alarm > 0 {
		fmt.Fprintf(&b, " In alarm for about %s.", alerting.Span(alarm))
	}
	if n := len(c.Ticks); n > 0 {
		b.WriteString(" Changes: ")
		for i, t := range c.Ticks[max(0, n-ticksNamed):] {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(alerting.Clock(t.T) + " " + alerting.Clean(t.Text, 100))
		}
		if n > ticksNamed {
			fmt.Fprintf(&b, "; and %d before", n-ticksNamed)
		}
		b.WriteString(".")
	}
	return b.String()
}

// drawTicks draws the changes as small marks that stand on the plot's floor. Those too close to tell apart share one, which
// says them all.
func (c *chart) drawTicks(d *drawing, g *geometry) {
	const apart, height = 4., 12.
	for i := 0; i < len(c.Ticks); {
		x := g.x(c.Ticks[i].T)
		var words []string
		far, more := "far", 0
		for ; i < len(c.Ticks) && g.x(c.Ticks[i].T)-x < apart; i++ {
			if c.Ticks[i].Near {
				far = ""
			}
			if len(words) == ticksNamed {
				more++
				continue
			}
			words = append(words, alerting.Clock(c.Ticks[i].T)+" "+alerting.Clean(c.Ticks[i].Text, textMax))
		}
		if x < 0 || x > plotW {
			continue
		}
		if more > 0 {
			words = append(words, fmt.Sprintf("and %d more", more))
		}
		fmt.Fprintf(d, `<path%s vector-effect="non-scaling-stroke" d="M%.1f %.0fV%.0f"><title>%s</title></path>`, d.class("chg", far), x, g.h, max(g.h-height, 0),
			html.EscapeString(strings.Join(words, "; ")))
	}
}

// readout words one cell: value, what was expected, and the verdict.
func readout(p *Point, unit string) string {
	if math.IsNaN(p.Value) {
		return "no data · " + p.State.String()
	}
	s := alerting.Quantity(p.Value, unit)
	if finite(p.Min) && finite(p.Max) && alerting.Quantity(p.Min, unit) != alerting.Quantity(p.Max, unit) {
		s += " (" + alerting.Range(p.Min, p.Max, unit) + ")"
	}
	if finite(p.Expected) {
		s += " · expected " + alerting.Quantity(p.Expected, unit) + ", band " + alerting.Range(p.Lower, p.Upper, unit)
	}
	return s + " · " + stateGlyph(p.State) + " " + p.State.String() + " · " + scorePhrase(p.Score)
}

// cursorData is what the module shows under the cursor.
type cursorData struct {
	T []int64  `json:"t"` // ends of cells, Unix ms
	S []string `json:"s"` // their read-outs
}

func (c *chart) cursor() cursorData {
	points, _ := thin(c.Points, c.StepMs, cellsMax)
	d := cursorData{T: make([]int64, len(points)), S: make([]string, len(points))}
	for i := range points {
		d.T[i], d.S[i] = points[i].T, readout(&points[i], c.Unit)
	}
	return d
}

// gauge draws where a value lies in its band: the box is the band, the tick the expected value, the dot the value.
func gauge(v float64, b model.Band, state model.State) template.HTML {
	const w, left, width = 96., 30., 36.
	at := func(x float64) float64 {
		var f float64
		l, u := finite(b.Lower), finite(b.Upper)
		switch {
		case l && u && b.Upper > b.Lower:
			f = (x - b.Lower) / (b.Upper - b.Lower)
		case u && finite(b.Expected) && b.Upper > b.Expected:
			f = 0.5 + 0.5*(x-b.Expected)/(b.Upper-b.Expected)
		case l && finite(b.Expected) && b.Expected > b.Lower:
			f = 0.5 + 0.5*(x-b.Expected)/(b.Expected-b.Lower)
		case x > b.Upper:
			f = 9
		case x < b.Lower:
			f = -9
		default:
			f = 0.5
		}
		return min(max(left+width*f, 5), w-5)
	}
	var d strings.Builder
	fmt.Fprintf(&d, `<svg class="gauge" width="%.0f" height="14" aria-hidden="true" focusable="false"><path class="axis" d="M0 7H%.0f"/><rect class="box" x="%.0f" y="2" width="%.0f" height="10" rx="2"/>`, w, w, left, width)
	if finite(b.Expected) {
		x := at(b.Expected)
		fmt.Fprintf(&d, `<path class="tick" d="M%.1f 3V11"/>`, x)
	}
	if finite(v) && state != model.Absent {
		class := stateClass(state)
		if (state == model.High || state == model.Low) && v >= b.Lower && v <= b.Upper {
			class = "st-" + easingOn
		}
		fmt.Fprintf(&d, `<circle class="%s" cx="%.1f" cy="7" r="4"/>`, class, at(v))
	}
	d.WriteString(`</svg>`)
	return template.HTML(d.String())
}

// bar draws a share between 0 and 1.
func bar(share float64, class string) template.HTML {
	if !finite(share) {
		share = 0
	}
	switch class { // from a fixed set, whatever the template says
	case "ok", "warn", "bad", "calm":
	default:
		class = "calm"
	}
	return template.HTML(fmt.Sprintf(`<svg class="bar %s" width="100%%" height="8" aria-hidden="true" focusable="false"><rect class="rest" width="100%%" height="8" rx="4"/><rect class="part" width="%.1f%%" height="8" rx="4"/></svg>`,
		class, min(max(share, 0), 1)*100))
}
