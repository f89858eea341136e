package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/room"
)

// serveMetrics writes Wrackline's own metrics: counters of its packages, the process, and the gauges below.
func (a *app) serveMetrics(rw http.ResponseWriter, _ *http.Request) {
	var w bytes.Buffer
	metrics.WritePrometheus(&w, true)
	f := a.self.gather() // what hangs is as it was
	st, j := f.stream, f.journal
	gauge := func(name string, v float64) { metrics.WriteGaugeFloat64(&w, name, v) }
	gauge("wrackline_series", float64(st.Series))
	gauge("wrackline_series_tracked", float64(st.Tracked))
	gauge("wrackline_series_max", float64(st.SeriesMax))
	gauge("wrackline_series_unneeded_max", float64(room.UnneededShare*st.SeriesMax))
	gauge("wrackline_signals", float64(st.Signals))
	gauge("wrackline_signals_max", float64(st.SignalsMax))
	for i := range st.Clusters {
		c := &st.Clusters[i]
		label := `{cluster="` + labelText(c.Name) + `"}`
		gauge("wrackline_cluster_newest_sample_timestamp_seconds"+label, float64(c.LastT)/1000)
		gauge("wrackline_cluster_closed_window_timestamp_seconds"+label, float64(c.ClosedEnd)/1000)
	}
	a.writeClock(&w)
	gauge(`wrackline_build_info{version="`+labelText(buildVersion())+`",goversion="`+runtime.Version()+`"}`, 1)
	open := map[pack.Severity]int{}
	for _, i := range a.manager.Snapshot().Open {
		open[i.Severity]++
	}
	for _, s := range []pack.Severity{pack.Page, pack.Warn, pack.Info} {
		gauge(`wrackline_incidents_open{severity="`+string(s)+`"}`, float64(open[s]))
	}
	gauge("wrackline_journal_bytes", float64(j.Bytes))
	gauge("wrackline_journal_spare_bytes", float64(j.SpareBytes))
	gauge("wrackline_journal_segments", float64(j.Segments))
	gauge("wrackline_journal_segments_compressed", float64(j.Compressed))
	gauge("wrackline_journal_position", float64(j.LastPos))
	gauge("wrackline_journal_synced_position", float64(j.SyncedPos))
	gauge("wrackline_fold_position", float64(a.line.folded.Load()))
	gauge("wrackline_shown_position", float64(a.line.shown.Load()))
	gauge("wrackline_line_requests", float64(len(a.line.items)))
	gauge("wrackline_checkpoint_timestamp_seconds", float64(a.lastCheckpoint.Load())/1000)
	gauge("wrackline_config_last_reload_successful", boolean(a.reloadErr.Load() == nil))
	gauge("wrackline_config_last_reload_success_timestamp_seconds", float64(a.reloadedMs.Load())/1000)
	gauge("wrackline_ready", boolean(a.ready.Load()))
	a.self.metrics(gauge)
	a.peerMetrics(gauge)
	rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	writeExposition(rw, w.String())
}

// labelText writes a label's value as the text format of metrics wants it: three characters are escaped and no others, and it is UTF-8.
func labelText(s string) string { return labelEscapes.Replace(strings.ToValidUTF8(s, "\ufffd")) }

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// family is all lines of one metric.
type family struct {
	name  string
	lines []string
}

// writeExposition writes lines of the text format family by family, each behind its HELP and TYPE.
func writeExposition(w io.Writer, text string) {
	var list []*family
	by := map[string]*family{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name := familyOf(line)
		if strings.HasPrefix(name, "go_") && strings.HasSuffix(name, "_count") { // gauges of the library by the name of a histogram's part
			continue
		}
		f := by[name]
		if f == nil {
			f = &family{name: name}
			by[name], list = f, append(list, f)
		}
		f.lines = append(f.lines, line)
	}
	slices.SortFunc(list, func(a, b *family) int { return cmp.Compare(a.name, b.name) })
	var b bytes.Buffer
	for _, f := range list {
		about := abouts[f.name]
		if about.kind == "histogram" {
			f.lines = withBounds(f.name, f.lines)
		}
		if about.help != "" {
			fmt.Fprintf(&b, "# HELP %s %s\n", f.name, about.help)
		}
		fmt.Fprintf(&b, "# TYPE %s %s\n", f.name, cmp.Or(about.kind, "untyped"))
		for _, line := range f.lines {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	_, _ = w.Write(b.Bytes())
}

// familyOf returns the metric that a line belongs to: its name, without the suffixes of histograms and summaries.
func familyOf(line string) string {
	name := line[:max(0, strings.IndexAny(line, "{ "))]
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if k := abouts[base].kind; k == "histogram" || k == "summary" {
				return base
			}
		}
	}
	return name
}

// bounds of the buckets that are shown: half decades, at which the ranges that are counted have borders, so nothing is lost between.
var bounds = []string{"1.000e-06", "3.162e-06", "1.000e-05", "3.162e-05", "1.000e-04", "3.162e-04", "1.000e-03", "3.162e-03", "1.000e-02", "3.162e-02", "1.000e-01", "3.162e-01",
	"1.000e+00", "3.162e+00", "1.000e+01", "3.162e+01", "1.000e+02", "3.162e+02"}

// withBounds turns a histogram's ranges, each with what fell into it, into the buckets that the format asks for: fixed bounds, each with all that is not larger. Such a histogram has no labels of
// its own here. One that has bounds already stays.
func withBounds(name string, lines []string) []string {
	counts := make([]uint64, len(bounds)+1)
	found := false
	rest := lines[:0:0]
	for _, line := range lines {
		tail, ok := strings.CutPrefix(line, name+`_bucket{vmrange="`)
		if !ok {
			rest = append(rest, line)
			continue
		}
		found = true
		ends, value, _ := strings.Cut(tail, `"} `)
		_, end, _ := strings.Cut(ends, "...")
		upper, err := strconv.ParseFloat(end, 64)
		n, err2 := strconv.ParseUint(value, 10, 64)
		if err != nil || err2 != nil {
			continue
		}
		i := 0
		for ; i < len(bounds); i++ {
			if b, _ := strconv.ParseFloat(bounds[i], 64); upper <= b*1.0001 {
				break
			}
		}
		counts[i] += n
	}
	if !found {
		return lines
	}
	var out []string
	sum := uint64(0)
	for i, n := range counts {
		sum += n
		le := "+Inf"
		if i < len(bounds) {
			b, _ := strconv.ParseFloat(bounds[i], 64)
			le = strconv.FormatFloat(b, 'g', -1, 64)
		}
		out = append(out, fmt.Sprintf("%s_bucket{le=%q} %d", name, le, sum))
	}
	return append(out, rest...)
}
