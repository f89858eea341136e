package query

import (
	"bytes"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
)

// scrapedMax bounds the signals of one scrape.
const scrapedMax = 20_000

// ServeSignals answers a scrape with the newest values and bands of signals in alarm, and of those that a match[] names, as Prometheus' federation has it:
// match[]={severity="page"}. Nothing is told of the rest, since a signal is five series.
func (a *API) ServeSignals(w http.ResponseWriter, r *http.Request) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "the query cannot be read", http.StatusBadRequest)
		return
	}
	texts := v["match[]"]
	var sets [][]*labels.Matcher
	if len(texts) > selectsMax || len(r.URL.RawQuery) > queryMax {
		http.Error(w, "too many match[], or too long ones", http.StatusBadRequest)
		return
	}
	if len(texts) > 0 {
		if sets, err = a.parser.ParseMetricSelectors(texts); err != nil {
			http.Error(w, "match[]: "+series.Clean(err.Error(), reasonMax), http.StatusBadRequest)
			return
		}
	}
	c := a.catalog()
	var list []int
	left := 0
	for i, s := range c.view.Signals {
		if s.State == model.Absent && !inAlarm(s) || !inAlarm(s) && !c.chosen(i, sets) {
			continue
		}
		if len(list) >= scrapedMax {
			left++
			continue
		}
		list = append(list, i)
	}
	scrapeCut.Add(left)
	var b bytes.Buffer
	for _, k := range metricsKnown {
		if k.of == nil {
			continue
		}
		b.WriteString("# HELP " + k.name + " " + k.help + "\n# TYPE " + k.name + " gauge\n")
		for _, i := range list {
			s := c.view.Signals[i]
			p := Point{T: s.T, Value: s.Value, Lower: s.Band.Lower, Expected: s.Band.Expected, Upper: s.Band.Upper, Score: s.Score}
			if x := k.of(&p); !math.IsNaN(x) {
				b.WriteString(k.name)
				exposed(&b, c.signals[i])
				b.WriteString(strconv.FormatFloat(x, 'g', -1, 64))
				b.WriteByte('\n')
			}
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func inAlarm(s *baseline.SignalView) bool {
	return s.State == model.High || s.State == model.Low || s.State == model.Drifting
}

// chosen reports whether any set of matchers takes signal i under any of its names.
func (c *catalog) chosen(i int, sets [][]*labels.Matcher) bool {
	for _, m := range sets {
		takes := true
		for _, x := range m {
			takes = takes && (x.Name == labels.MetricName || x.Matches(c.signals[i].Get(x.Name)))
		}
		if takes {
			return true
		}
	}
	return false
}

var exposedEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// exposed writes labels as the text format wants them; a name that the format does not know is quoted there since version 1, so here what it may not have becomes _.
func exposed(b *bytes.Buffer, set labels.Labels) {
	sep := byte('{')
	set.Range(func(l labels.Label) {
		b.WriteByte(sep)
		for i := range len(l.Name) {
			c := l.Name[i]
			if c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9' {
				b.WriteByte(c)
			} else {
				b.WriteByte('_')
			}
		}
		b.WriteString(`="` + exposedEscapes.Replace(l.Value) + `"`)
		sep = ','
	})
	b.WriteString("} ")
}
