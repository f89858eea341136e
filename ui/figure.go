// Figures: a chart of one signal with what stands beside it, on a page or as a picture of its own.

package ui

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	mainCells    = 480 // cells asked for
	compactCells = 240
	mainHeight   = 240 // of a plot on a page of its own, pixels
	tableRows    = 24  // rows of the table that stands for a chart
)

// figure is a chart on a page.
type figure struct {
	ID      string // of the element
	Title   string
	SVG     template.HTML
	From    int64
	To      int64
	Zoom    bool // dragging changes the range of the page
	Cursor  cursorData
	Readout string // shown while there is no cursor
	Problem string
	Table   []tableRow // the same as text; may be empty
	Changes []tick     // the marks as text, newest first
	Unit    string
	States  []stateKey // what the strip below it shows
	Out     bool       // a value lies outside its band and is not in alarm
	Before  string     // what is compared: "yesterday", "last week" or ""
}

// stateKey is a colour of the strip and what it means.
type stateKey struct{ Class, Words string }

// stateKeys lists the colours of a strip, as people read it: calm first.
func stateKeys(points []Point) (keys []stateKey, out bool) {
	var has [6]bool
	for i := range points {
		if outsideCalm(&points[i]) {
			out = true
		} else {
			has[points[i].State%6] = true
		}
	}
	for _, s := range []model.State{model.Normal, model.Learning, model.High, model.Low, model.Drifting, model.Absent} {
		if has[s%6] {
			keys = append(keys, stateKey{stateClass(s), s.String()})
		}
		if s == model.Learning && out {
			keys = append(keys, stateKey{"st-outside", "outside the band, not in alarm"})
		}
	}
	return keys, out
}

type tableRow struct {
	T                    int64
	Value, Band, Verdict string
	State                model.State
}

// figure draws a signal's history into a chart that has everything else, with the changes that bear on the entity. A failure to read
// history is shown in its place.
func (s *server) figure(elem, id string, entity series.Labels, c chart) figure {
	f := figure{ID: elem, Title: c.Title, From: c.From, To: c.To, Unit: c.Unit}
	cells := mainCells
	if c.Compact {
		cells = compactCells
	}
	var err error
	if c.Points, c.StepMs, err = s.history(id, c.From, c.To, cells); err != nil {
		f.Problem = "The history of this signal cannot be read; the log says why."
		return f
	}
	if len(c.Points) == 0 {
		f.Problem = "No history in this range."
	}
	c.Ticks = s.ticks(entity, span{From: c.From, To: c.To})
	if c.earlier.ms > 0 && f.Problem == "" {
		before, _, err := s.history(id, c.From-c.earlier.ms, c.To-c.earlier.ms, cells)
		if err == nil && len(before) > 0 {
			f.Before = c.earlier.words
			for i := range before {
				before[i].T += c.earlier.ms
			}
			c.Before = before
		}
	}
	f.SVG, f.Cursor = c.svg(false), c.cursor()
	drawn, _ := thin(c.Points, c.StepMs, cellsMax)
	f.States, f.Out = stateKeys(drawn)
	if n := len(c.Points); n > 0 {
		f.Readout = readout(&c.Points[n-1], c.Unit)
	}
	f.Changes = slices.Clone(c.Ticks)
	slices.Reverse(f.Changes)
	if !c.Compact {
		f.Table = c.table()
	}
	return f
}

// table is the chart as text, newest first.
func (c *chart) table() []tableRow {
	var out []tableRow
	few, _ := thin(c.Points, c.StepMs, tableRows)
	for i := range few {
		p := &few[i]
		out = append(out, tableRow{T: p.T, Value: alerting.Quantity(p.Value, c.Unit), Band: alerting.Range(p.Lower, p.Upper, c.Unit), Verdict: p.State.String(), State: p.State})
	}
	slices.Reverse(out)
	return out
}

// titleOf says what a signal's chart shows.
func titleOf(s *signal.Signal) string { return s.Rule.Name + ", " + place(s.Entity) }

// paramsOf returns what a chart draws of a rule, nil when the rule is not known any more.
func paramsOf(r *pack.Rule) *model.Params {
	if r == nil {
		return nil
	}
	return &r.Params
}

// askedSpan is the range that an address asks for, or the usual one.
func (s *server) askedSpan(c *gin.Context) span {
	st := s.src.Status()
	now := s.now(&st)
	return parseSpan(c.Request.URL.Query(), now, defaultSpan(now))
}

// chartFile serves one chart as a picture that needs nothing else.
func (s *server) chartFile(c *gin.Context) {
	id, ok := strings.CutSuffix(c.Param("file"), ".svg")
	sv, found := lookup(s.view(), id)
	if !ok || !found {
		s.fail(c, http.StatusNotFound, "There is no such chart.")
		return
	}
	sp := s.askedSpan(c)
	if sp.Problem != "" {
		c.String(http.StatusBadRequest, "%s\n", sp.Problem)
		return
	}
	r := sv.Signal.Rule
	points, step, err := s.history(sv.Signal.ID, sp.From, sp.To, mainCells)
	if err != nil {
		c.String(http.StatusInternalServerError, "The history of this signal cannot be read; the log says why.\n")
		return
	}
	ch := chart{Title: titleOf(sv.Signal), Unit: r.Unit, From: sp.From, To: sp.To, Points: points, StepMs: step, Height: mainHeight, Params: &r.Params, Ticks: s.ticks(sv.Signal.Entity, sp)}
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "image/svg+xml; charset=utf-8", []byte(ch.svg(true)))
}
