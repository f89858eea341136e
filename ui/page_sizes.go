// Sizes: what containers should request, and why; one workload with its week.

package ui

import (
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/sizes"
)

const sizesPage = 200 // containers on the page

type sizesBody struct {
	Query      sizeQuery
	Rows       []sizeRow
	More       int
	Total      sizeTotals
	All        int
	Namespaces []facet
	Spaces     []spaceRow // when there is more than one
	Sorts      []facet
	Hidden     []series.Label
	Clear      string
	Patch      string
	CSV        string
	Frees      string
	Needs      string
	Learning   bool
}

// spaceRow is one namespace on a page.
type spaceRow struct {
	spaceTotals
	URL, Free, Need string
}

// sizeRow is one container on a page.
type sizeRow struct {
	*sizes.Advised
	Where, URL                          string
	CPU, Memory, CPUAdvised, MemAdvised string
	Frees                               string
	Sure                                string
	Risk                                string
	Risks                               []string
	Why                                 []string
	Kept                                string
	Cuts                                bool // needs more than is set
}

func (s *server) sizeRow(x *sizes.Advised) sizeRow {
	a := &x.Advice
	r := sizeRow{Advised: x, Where: strings.Join([]string{x.Namespace, x.Workload, x.Key.Container}, " / "), CPU: unset(sizes.CPU(x.Set.Requests.CPU)), Memory: unset(sizes.Memory(x.Set.Requests.Memory)), Why: a.Sentences(x.Container)}
	r.URL = s.base + "/sizes/workload?" + url.Values{"cluster": {x.Cluster}, "namespace": {x.Namespace}, "workload": {x.Workload}}.Encode()
	for _, k := range a.Risks {
		r.Risks = append(r.Risks, k.Text())
	}
	if len(r.Risks) > 0 {
		r.Risk = r.Risks[0]
	}
	if t, ok := x.Kept(); ok {
		r.Kept = t.Text()
	}
	if a.Missing.Any() {
		return r
	}
	r.CPUAdvised, r.MemAdvised, r.Sure = sizes.CPU(a.Set.Requests.CPU), sizes.Memory(a.Set.Requests.Memory), a.Confidence.String()
	switch f := a.Frees; {
	case f.CPU < 0 || f.Memory < 0:
		r.Cuts = true
		r.Frees = "needs " + freed(sizes.Resources{CPU: -f.CPU, Memory: -f.Memory})
		if free := freed(f); free != "nothing" {
			r.Frees = "frees " + free + ", " + r.Frees
		}
	default:
		r.Frees = freed(f)
	}
	return r
}

func (s *server) sizes(c *gin.Context) {
	f, _ := s.frame("Sizes", "sizes")
	v := s.view()
	q := parseSizeQuery(c.Request.URL.Query())
	list, total := q.advised(v)
	b := &sizesBody{Query: q, Total: total, All: len(list), Frees: freed(total.Frees), Needs: freed(total.Needs), Learning: len(v.Sizes) == 0}
	for i := range list[:min(len(list), sizesPage)] {
		b.Rows = append(b.Rows, s.sizeRow(&list[i]))
	}
	b.More = len(list) - len(b.Rows)
	wide := q
	wide.Namespace = ""
	counts := map[string]int{}
	every, _ := wide.advised(v)
	for i := range every {
		counts[every[i].Namespace]++
	}
	for _, ns := range slices.Sorted(maps.Keys(counts)) {
		b.Namespaces = append(b.Namespaces, facet{Value: ns, Count: counts[ns], On: ns == q.Namespace})
	}
	if spaces := bySpace(list); len(spaces) > 1 {
		for _, x := range spaces[:min(len(spaces), sizesPage)] {
			other := q
			other.Cluster, other.Namespace = x.Cluster, x.Namespace
			b.Spaces = append(b.Spaces, spaceRow{x, address(s.base+"/sizes", other.values()), freed(x.Frees), freed(x.Needs)})
		}
	}
	for _, name := range sizeSorts {
		other := q
		other.Sort = name
		b.Sorts = append(b.Sorts, facet{Value: name, Label: "by " + name, URL: address(s.base+"/sizes", other.values()), On: name == q.Sort})
	}
	b.Hidden = hiddenFields(q.values(), "namespace", "q")
	if q.Namespace+q.Cluster+q.Workload+q.Text != "" {
		b.Clear = s.base + "/sizes"
	}
	file := func(output string) string {
		x := q.values()
		x.Set("output", output)
		return address(s.base+"/api/v1/sizes", x)
	}
	b.Patch, b.CSV = file("yaml-patch"), file("csv")
	f.Body, f.JSON = b, address(s.base+"/api/v1/sizes", q.values())
	s.page(c, http.StatusOK, "sizes", f)
}

// weekBody is one workload: each container with its week.
type weekBody struct {
	Workload, Namespace, Cluster, Kind string
	Rows                               []weekRow
	Patch                              string
	Signals                            string
}

type weekRow struct {
	sizeRow
	Charts []weekChart
	Facts  []series.Label
}

// weekChart is the usage of one resource over a week.
type weekChart struct {
	Title string
	SVG   template.HTML
	Lines []weekLine
	Most  string
}

type weekLine struct{ Class, Text string }

func (s *server) sizesWorkload(c *gin.Context) {
	q := parseSizeQuery(c.Request.URL.Query())
	list, _ := q.advised(s.view())
	if q.Workload == "" || q.Namespace == "" || len(list) == 0 {
		s.fail(c, http.StatusNotFound, "Nothing is known of the sizes of such a workload.")
		return
	}
	f, _ := s.frame("Sizes of "+q.Workload, "sizes")
	b := &weekBody{Workload: q.Workload, Namespace: q.Namespace, Cluster: list[0].Cluster, Kind: list[0].Kind, Signals: s.filterURL(series.Label{Name: "workload", Value: q.Workload})}
	for i := range list {
		b.Rows = append(b.Rows, s.weekRow(&list[i]))
	}
	v := q.values()
	v.Set("output", "yaml-patch")
	b.Patch = address(s.base+"/api/v1/sizes", v)
	f.Body, f.JSON = b, address(s.base+"/api/v1/sizes", q.values())
	s.page(c, http.StatusOK, "sizesworkload", f)
}

func (s *server) weekRow(x *sizes.Advised) weekRow {
	r := weekRow{sizeRow: s.sizeRow(x)}
	a := &x.Advice
	fact := func(name, text string) { r.Facts = append(r.Facts, series.Label{Name: name, Value: text}) }
	fact("CPU of a pod", fmt.Sprintf("half of its minutes up to %s, 95 %% up to %s, 99 %% up to %s, most %s on %s", sizes.CPU(a.CPU.P50), sizes.CPU(a.CPU.P95), sizes.CPU(a.CPU.P99), sizes.CPU(a.CPU.Max), sizes.Minute(a.CPU.MaxMinute)))
	fact("Memory of a pod", fmt.Sprintf("half of its minutes up to %s, 99 %% up to %s, most %s on %s", sizes.Memory(a.Mem.P50), sizes.Memory(a.Mem.P99), sizes.Memory(a.Mem.Max), sizes.Minute(a.Mem.MaxMinute)))
	if a.Mem.Start > 0 {
		fact("During a start", "up to "+sizes.CPU(a.CPU.Start)+" and "+sizes.Memory(a.Mem.Start))
	}
	fact("Seen", fmt.Sprintf("%.0f days, %s, %s", a.Days, plural(a.Starts, "start"), plural(x.Pods, "pod")))
	if a.Kills > 0 {
		text := plural(a.Kills, "kill") + " for its memory"
		if a.KillLimit > 0 {
			text += ", the newest at a limit of " + sizes.Memory(a.KillLimit)
		}
		fact("Killed", text)
	}
	if a.Asked > 0 {
		fact("Throttled", fmt.Sprintf("in %.1f %% of its minutes", 100*a.Throttled))
	}
	week := x.Week()
	var level, peak, memory [len(week)]float64
	for h := range week {
		level[h], peak[h], memory[h] = week[h].Level, week[h].Peak, week[h].Memory
	}
	advised := a.Set
	if a.Missing.Any() {
		advised = sizes.Set{}
	}
	r.Charts = []weekChart{drawWeek("CPU of a pod", level[:], peak[:], sizes.CPU, x.Set.Requests.CPU, x.Set.Limits.CPU, advised.Requests.CPU), drawWeek("Memory of a pod", memory[:], nil, sizes.Memory, x.Set.Requests.Memory, x.Set.Limits.Memory, advised.Requests.Memory)}
	return r
}

// drawWeek draws a week by its hours, against what is requested, limited and advised.
func drawWeek(title string, level, peak []float64, unit func(float64) string, request, limit, advised float64) weekChart {
	const w, h = 1000., 150.
	top := advised
	for i := range level {
		top = max(top, level[i])
		if peak != nil {
			top = max(top, peak[i])
		}
	}
	use := top
	top = max(top, min(request, 4*use)) * 1.08 // what is far above would press the week flat
	if limit > 0 && limit <= 2*top {
		top = max(top, limit*1.05)
	}
	out := weekChart{Title: title, Most: unit(top)}
	if use == 0 {
		return out
	}
	x := func(i int) float64 { return w * float64(i) / float64(len(level)) }
	y := func(v float64) float64 { return h * (1 - min(v/top, 1)) }
	var d drawing
	fmt.Fprintf(&d, `<svg class="chart week" viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" width="100%%" height="150" role="img" aria-label="%s">`, w, h, esc(title+" over a week, Monday to Sunday, up to "+unit(use)))
	for day := 1; day < 7; day++ {
		d.path("gl", fmt.Sprintf("M%.1f 0V%.0f", x(day*24), h))
	}
	if peak != nil {
		d.path("env", stairs(peak, x, y, h, true))
	}
	d.path("band", stairs(level, x, y, h, true))
	d.path("val", stairs(level, x, y, h, false))
	for _, l := range [...]struct {
		class, name string
		v           float64
	}{{"one", "limit", limit}, {"ceil", "request", request}, {"chg", "advised", advised}} {
		if l.v <= 0 {
			continue
		}
		text := l.name + " " + unit(l.v)
		if l.v <= top {
			d.path(l.class, fmt.Sprintf("M0 %.1fH%.0f", y(l.v), w))
		} else {
			text += " (beyond the picture)"
		}
		out.Lines = append(out.Lines, weekLine{l.class, text})
	}
	d.WriteString(`</svg>`)
	out.SVG = template.HTML(d.String())
	return out
}

// stairs is the outline of hourly values, closed at the bottom when it is an area. Hours that have not been seen are gaps.
func stairs(v []float64, x func(int) float64, y func(float64) float64, bottom float64, area bool) string {
	var b strings.Builder
	open := false
	for i := range v {
		if v[i] == 0 {
			if open && area {
				fmt.Fprintf(&b, "V%.0fZ", bottom)
			}
			open = false
			continue
		}
		switch {
		case !open && area:
			fmt.Fprintf(&b, "M%.1f %.0fV%.1f", x(i), bottom, y(v[i]))
		case !open:
			fmt.Fprintf(&b, "M%.1f %.1f", x(i), y(v[i]))
		default:
			fmt.Fprintf(&b, "V%.1f", y(v[i]))
		}
		fmt.Fprintf(&b, "H%.1f", x(i+1))
		open = true
	}
	if open && area {
		fmt.Fprintf(&b, "V%.0fZ", bottom)
	}
	return b.String()
}
