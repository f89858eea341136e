// A chart in words: for people who do not see it, and under the cursor.

package ui

import (
	"fmt"
	"math"
	"strings"

	"github.com/wrackline/wrackline/alerting"
)

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
