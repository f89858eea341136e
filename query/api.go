package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// What one question may cost. The engine holds sixteen bytes a sample and some four hundred a series, so that all that run at once hold 560 MB at most.
const (
	samplesMax  = 5_000_000
	timeMax     = 30 * time.Second
	atOnce      = 2
	stepsMax    = 11_000 // of a range, as with Prometheus
	bodyMax     = 256 << 10
	queryMax    = 32 << 10
	depthMax    = 100       // of an expression
	subStepsMax = 1_000_000 // of a subquery
	selectsMax  = 64        // match[] of a request, selectors of an expression
	seriesMost  = 500_000   // that the selectors of an expression take together: twice all signals that there may be
	rowsMax     = 100_000
)

// Prefix is the path below which the API answers.
const Prefix = "/prometheus"

// Options say how the API answers.
type Options struct {
	Version string           // shown by status/buildinfo
	Now     func() time.Time // the moment of a question that names none; nil = time.Now
	Started time.Time
	Logger  *slog.Logger
}

// API answers the paths of Prometheus' HTTP API below Prefix.
type API struct {
	source Source
	opts   Options
	engine *promql.Engine
	parser parser.Parser
	room   chan struct{} // for one question each that reads

	mu     sync.Mutex
	newest *catalog
}

// New returns an API over a source.
func New(s Source, o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := parser.NewParser(parser.Options{})
	return &API{source: s, opts: o, parser: p, room: make(chan struct{}, atOnce), engine: promql.NewEngine(promql.EngineOpts{
		Logger: o.Logger, MaxSamples: samplesMax, Timeout: timeMax, LookbackDelta: repeatMs * time.Millisecond, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return minuteMs }, Parser: p})}
}

// Over returns an API over another source, which shares everything else with a: also how many questions are answered at a time.
func (a *API) Over(s Source) *API {
	return &API{source: s, opts: a.opts, engine: a.engine, parser: a.parser, room: a.room}
}

// Querier implements storage.Queryable.
func (a *API) Querier(from, to int64) (storage.Querier, error) {
	return &span{source: a.source, catalog: a.catalog(), from: from, to: to}, nil
}

// catalog returns the series of the newest view.
func (a *API) catalog() *catalog {
	v := a.source.View()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil || a.newest.view != v {
		a.newest = catalogOf(v)
	}
	return a.newest
}

// answer is what a path gives.
type answer struct {
	data     any // what write takes
	warnings []string
}

// failure is an error as Prometheus' API words it.
type failure struct {
	code int
	kind string
	text string
}

func (f *failure) Error() string { return f.text }

func bad(format string, args ...any) error {
	return &failure{http.StatusBadRequest, "bad_data", fmt.Sprintf(format, args...)}
}

// ServeHTTP answers GET, HEAD and POST below Prefix.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked.Inc()
	out, err := a.serve(w, r)
	if err != nil {
		failed.Inc()
	}
	write(w, out, err)
}

// open are the paths that look something up; the rest say that there is none.
func (a *API) serve(w http.ResponseWriter, r *http.Request) (out answer, err error) {
	path, ok := strings.CutPrefix(r.URL.Path, Prefix+"/api/v1/")
	if !ok {
		return answer{}, &failure{http.StatusNotFound, "not_found", "nothing is here: the API is below " + Prefix + "/api/v1/"}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		return answer{}, &failure{http.StatusMethodNotAllowed, "bad_data", "this address wants GET or POST"}
	}
	if out, ok := a.fixed(path); ok {
		return out, nil
	}
	var do func(context.Context, url.Values) (answer, error)
	switch name, isValues := strings.CutSuffix(path, "/values"); {
	case path == "query":
		do = a.instant
	case path == "query_range":
		do = a.ranged
	case path == "labels":
		do = a.labelNames
	case path == "series":
		do = a.series
	case path == "metadata":
		do = a.metadata
	case isValues && strings.HasPrefix(name, "label/"):
		do = func(ctx context.Context, v url.Values) (answer, error) {
			return a.labelValues(ctx, strings.TrimPrefix(name, "label/"), v)
		}
	default:
		return answer{}, &failure{http.StatusNotFound, "not_found", "Wrackline does not answer " + Prefix + "/api/v1/" + strings.ToValidUTF8(path[:min(len(path), 100)], "?")}
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	if err := r.ParseForm(); err != nil {
		return answer{}, bad("the form cannot be read: %v", err)
	}
	limit := timeMax
	if text := r.Form.Get("timeout"); text != "" {
		d, err := duration(text)
		if err != nil {
			return answer{}, bad("invalid parameter \"timeout\": %v", err)
		}
		limit = min(max(d, 0), limit)
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	select {
	case a.room <- struct{}{}:
		defer func() { <-a.room }()
	case <-ctx.Done():
		crowded.Inc()
		w.Header().Set("Retry-After", "2")
		return answer{}, &failure{http.StatusServiceUnavailable, "timeout", "other queries took all the time that this one had"}
	}
	defer func() {
		if x := recover(); x != nil { // of what is behind the engine's own guard
			a.opts.Logger.Error("a query failed", "path", path, "panic", x)
			err = &failure{http.StatusInternalServerError, "internal", "the query failed; the log says why"}
		}
	}()
	return do(ctx, r.Form)
}

// fixed returns what needs no look at anything.
func (a *API) fixed(path string) (answer, bool) {
	type object = map[string]any
	var data any
	switch path {
	case "query_exemplars", "targets/metadata":
		data = []any{}
	case "rules":
		data = object{"groups": []any{}}
	case "alerts":
		data = object{"alerts": []any{}}
	case "targets":
		data = object{"activeTargets": []any{}, "droppedTargets": []any{}}
	case "alertmanagers":
		data = object{"activeAlertmanagers": []any{}, "droppedAlertmanagers": []any{}}
	case "status/buildinfo":
		data = object{"version": a.opts.Version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version()}
	case "status/flags":
		data = object{}
	case "status/config":
		data = object{"yaml": ""}
	case "status/runtimeinfo":
		data = object{"startTime": a.opts.Started.UTC().Format(time.RFC3339), "reloadConfigSuccess": true, "goroutineCount": runtime.NumGoroutine(), "GOMAXPROCS": runtime.GOMAXPROCS(0), "storageRetention": ""}
	case "status/tsdb":
		n := len(a.source.View().Signals)
		data = object{"headStats": object{"numSeries": n * 5}, "seriesCountByMetricName": []any{}, "labelValueCountByLabelName": []any{}, "memoryInBytesByLabelName": []any{}, "seriesCountByLabelValuePair": []any{}}
	default:
		return answer{}, false
	}
	return answer{data: data}, true
}

// expression reads and bounds the parameter query of a question about so long a span.
func (a *API) expression(v url.Values, over time.Duration) (string, error) {
	text := v.Get("query")
	if len(text) > queryMax {
		return "", bad("invalid parameter \"query\": longer than %d bytes", queryMax)
	}
	if depth(text) > depthMax {
		return "", bad("invalid parameter \"query\": nested deeper than %d", depthMax)
	}
	e, err := a.parser.ParseExpr(text)
	if err != nil {
		return "", bad("invalid parameter \"query\": %v", err)
	}
	if err := bounded(e, over); err != nil {
		return "", bad("invalid parameter \"query\": %v", err)
	}
	return text, nil
}

// bounded returns why an expression would cost the engine memory before it counts samples: it recurses, and sets up every selector and every step of a
// subquery first.
func bounded(e parser.Expr, over time.Duration) (err error) {
	selectors := 0
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		if err == nil && len(path) > depthMax {
			err = fmt.Errorf("nested deeper than %d", depthMax)
		}
		if _, ok := n.(*parser.VectorSelector); ok {
			if selectors++; selectors > selectsMax && err == nil {
				err = fmt.Errorf("more than %d selectors", selectsMax)
			}
		}
		if s, ok := n.(*parser.SubqueryExpr); ok && err == nil {
			span, step := over.Seconds()+s.Range.Seconds(), s.Step
			for _, p := range path {
				if outer, ok := p.(*parser.SubqueryExpr); ok {
					span += outer.Range.Seconds()
				}
			}
			if step == 0 {
				step = minuteMs * time.Millisecond
			}
			if span/step.Seconds() > subStepsMax {
				err = fmt.Errorf("a subquery of more than %d steps", subStepsMax)
			}
		}
		return err
	})
	return err
}

// depth returns how deep brackets nest, whatever stands between them: before the parser recurses.
func depth(text string) (most int) {
	now := 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[', '{':
			now++
			most = max(most, now)
		case ')', ']', '}':
			now--
		}
	}
	return most
}

func (a *API) instant(ctx context.Context, v url.Values) (answer, error) {
	text, err := a.expression(v, 0)
	if err != nil {
		return answer{}, err
	}
	at, err := moment(v, "time", a.opts.Now())
	if err != nil {
		return answer{}, err
	}
	q, err := a.engine.NewInstantQuery(ctx, a, promql.NewPrometheusQueryOpts(false, 0), text, at)
	return a.run(ctx, q, err, v)
}

func (a *API) ranged(ctx context.Context, v url.Values) (answer, error) {
	from, err := moment(v, "start", time.Time{})
	if err != nil {
		return answer{}, err
	}
	to, err := moment(v, "end", time.Time{})
	if err != nil {
		return answer{}, err
	}
	step, err := duration(v.Get("step"))
	switch {
	case err != nil:
		return answer{}, bad("invalid parameter \"step\": %v", err)
	case to.Before(from):
		return answer{}, bad("invalid parameter \"end\": end timestamp must not be before start time")
	case step < time.Millisecond:
		return answer{}, bad("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer")
	case to.Sub(from)/step > stepsMax:
		return answer{}, bad("exceeded maximum resolution of %d points per timeseries. Try decreasing the query resolution (?step=XX)", stepsMax)
	}
	text, err := a.expression(v, to.Sub(from))
	if err != nil {
		return answer{}, err
	}
	q, err := a.engine.NewRangeQuery(ctx, a, promql.NewPrometheusQueryOpts(false, 0), text, from, to, step)
	return a.run(ctx, q, err, v)
}

func (a *API) run(ctx context.Context, q promql.Query, err error, v url.Values) (answer, error) {
	if err != nil {
		return answer{}, bad("invalid parameter \"query\": %v", err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return answer{}, failureOf(res.Err)
	}
	limit, err := rowLimit(v, math.MaxInt)
	if err != nil {
		return answer{}, err
	}
	var out answer
	for _, w := range res.Warnings.AsErrors() {
		if len(out.warnings) < 10 {
			out.warnings = append(out.warnings, w.Error())
		}
	}
	value, cut := truncated(res.Value, limit)
	if cut {
		out.warnings = append(out.warnings, "results truncated due to limit")
	}
	out.data = appendResult(nil, value) // before Close: the engine takes its memory back
	return out, nil
}

// failureOf words an error of the engine as Prometheus does.
func failureOf(err error) error {
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var store promql.ErrStorage
	switch {
	case errors.As(err, &canceled) || errors.Is(err, context.Canceled):
		return &failure{499, "canceled", err.Error()}
	case errors.As(err, &timeout) || errors.Is(err, context.DeadlineExceeded):
		return &failure{http.StatusServiceUnavailable, "timeout", err.Error()}
	case errors.As(err, &store):
		return &failure{http.StatusInternalServerError, "internal", err.Error()}
	}
	return &failure{http.StatusUnprocessableEntity, "execution", err.Error()}
}

// selected calls do with the series of each match[], all of them when there is none and none is needed.
func (a *API) selected(ctx context.Context, v url.Values, needed bool, do func(labels.Labels)) error {
	from, err := moment(v, "start", time.UnixMilli(0))
	if err != nil {
		return err
	}
	to, err := moment(v, "end", time.UnixMilli(timeLast))
	if err != nil {
		return err
	}
	texts := v["match[]"]
	if len(texts) == 0 && needed {
		return bad("no match[] parameter provided")
	}
	if len(texts) > selectsMax {
		return bad("more than %d match[]", selectsMax)
	}
	sets := [][]*labels.Matcher{nil}
	if len(texts) > 0 {
		for _, text := range texts {
			if len(text) > queryMax {
				return bad("invalid parameter \"match[]\": longer than %d bytes", queryMax)
			}
		}
		if sets, err = a.parser.ParseMetricSelectors(texts); err != nil {
			return bad("invalid parameter \"match[]\": %v", err)
		}
		for _, m := range sets {
			empty := true
			for _, x := range m {
				empty = empty && (x == nil || x.Matches(""))
			}
			if empty {
				return bad("invalid parameter \"match[]\": match[] must contain at least one non-empty matcher")
			}
		}
	}
	c := a.catalog()
	for _, m := range sets {
		list, err := c.find(ctx, a.source, from.UnixMilli(), to.UnixMilli(), math.MaxInt, m) // as many as there are signals, and kept by nobody
		if err != nil {
			return failureOf(err)
		}
		for _, s := range list {
			if ctx.Err() != nil {
				return failureOf(ctx.Err())
			}
			do(s.labels)
		}
	}
	return nil
}

func (a *API) labelNames(ctx context.Context, v url.Values) (answer, error) {
	found := map[string]bool{}
	err := a.selected(ctx, v, false, func(set labels.Labels) {
		set.Range(func(l labels.Label) { found[l.Name] = true })
	})
	return names(found, v, err)
}

func (a *API) labelValues(ctx context.Context, name string, v url.Values) (answer, error) {
	if strings.HasPrefix(name, "U__") {
		name = unescape(name)
	}
	if name == "" {
		return answer{}, bad("invalid label name: \"\"")
	}
	found := map[string]bool{}
	err := a.selected(ctx, v, false, func(set labels.Labels) {
		if x := set.Get(name); x != "" {
			found[x] = true
		}
	})
	return names(found, v, err)
}

func (a *API) series(ctx context.Context, v url.Values) (answer, error) {
	limit, err := rowLimit(v, rowsMax)
	if err != nil {
		return answer{}, err
	}
	seen := map[uint64]bool{}
	out := []labels.Labels{}
	cut := false
	err = a.selected(ctx, v, true, func(set labels.Labels) {
		if h := set.Hash(); !seen[h] {
			if cut = cut || len(out) >= limit; !cut {
				seen[h] = true
				out = append(out, set)
			}
		}
	})
	if err != nil {
		return answer{}, err
	}
	return answer{appendSets(nil, out), truncation(cut)}, nil
}

func (a *API) metadata(_ context.Context, v url.Values) (answer, error) {
	type about struct {
		Type string `json:"type"`
		Help string `json:"help"`
		Unit string `json:"unit"`
	}
	limit, err := rowLimit(v, rowsMax)
	if err != nil {
		return answer{}, err
	}
	out := map[string][]about{}
	for _, k := range metricsKnown {
		if want := v.Get("metric"); (want == "" || want == k.name) && len(out) < limit {
			out[k.name] = []about{{"gauge", k.help, ""}}
		}
	}
	return answer{data: out}, nil
}

// rowLimit reads the parameter limit; 0 and none are most.
func rowLimit(v url.Values, most int) (int, error) {
	text := v.Get("limit")
	if text == "" {
		return most, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad("invalid parameter \"limit\": want a whole number")
	}
	if n == 0 {
		return most, nil
	}
	return min(n, most), nil
}

var (
	asked   = metrics.NewCounter("wrackline_query_requests_total")
	failed  = metrics.NewCounter("wrackline_query_failures_total")
	crowded = metrics.NewCounter("wrackline_query_crowded_total")

	scrapeCut = metrics.NewCounter("wrackline_query_signals_left_out_total")
)
