package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/wrackline/wrackline/baseline/series"
)

// reasonMax is how many bytes of an error are told: it may quote a query.
const reasonMax = 1000

// timeLast bounds moments, Unix milliseconds: far beyond all that is kept, and far from where sums overflow.
const timeLast = int64(1) << 52

// moment reads a time as Prometheus takes it: Unix seconds with a fraction, or RFC 3339. A zero def says that one is needed.
func moment(v url.Values, name string, def time.Time) (time.Time, error) {
	text := v.Get(name)
	if text == "" && !def.IsZero() {
		return def, nil
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(s) {
		ms := math.Round(s * 1000)
		if math.Abs(ms) > float64(timeLast) {
			if name == "start" || name == "end" || name == "time" {
				return time.UnixMilli(int64(math.Copysign(float64(timeLast), ms))), nil
			}
		}
		return time.UnixMilli(int64(ms)), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	switch text { // what Prometheus writes for the ends of time, which the parser above does not take
	case "-292273086-05-16T16:47:06Z":
		return time.UnixMilli(-timeLast), nil
	case "292277025-08-18T07:12:54.999999999Z":
		return time.UnixMilli(timeLast), nil
	}
	return time.Time{}, bad("invalid parameter %q: cannot parse %q to a valid timestamp", name, cut(text))
}

// duration reads seconds with a fraction, or a duration as in PromQL.
func duration(text string) (time.Duration, error) {
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(s) || math.Abs(s) > 1e9 {
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows", cut(text))
		}
		return time.Duration(s * float64(time.Second)), nil
	}
	if d, err := parseDuration(text); err == nil {
		return d, nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", cut(text))
}

// parseDuration reads a PromQL duration by PromQL's own parser.
func parseDuration(text string) (time.Duration, error) {
	if len(text) > 50 || strings.ContainsAny(text, "[]:{}()@\"'` ") {
		return 0, errors.New("no duration")
	}
	e, err := parser.NewParser(parser.Options{}).ParseExpr("x[" + text + "]")
	if err != nil {
		return 0, err
	}
	m, ok := e.(*parser.MatrixSelector)
	if !ok {
		return 0, errors.New("no duration")
	}
	return m.Range, nil
}

func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), 100)], "?") }

// unescape undoes the escaping of label names that are no plain names: U__ before, __ for _, and _HEX_ for what no name may have.
func unescape(name string) string {
	var b strings.Builder
	rest := strings.TrimPrefix(name, "U__")
	for rest != "" {
		if rest[0] != '_' {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		if strings.HasPrefix(rest, "__") {
			b.WriteByte('_')
			rest = rest[2:]
			continue
		}
		hex, after, ok := strings.Cut(rest[1:], "_")
		n, err := strconv.ParseUint(hex, 16, 32)
		if !ok || err != nil || n > 0x10ffff {
			return name
		}
		b.WriteRune(rune(n))
		rest = after
	}
	return b.String()
}

// names makes an answer of a set of strings.
func names(found map[string]bool, v url.Values, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	limit, err := rowLimit(v, rowsMax)
	if err != nil {
		return answer{}, err
	}
	list := slices.Sorted(maps.Keys(found))
	if list == nil {
		list = []string{}
	}
	over := len(list) > limit
	return answer{list[:min(limit, len(list))], truncation(over)}, nil
}

func truncation(cut bool) []string {
	if cut {
		return []string{"results truncated due to limit"}
	}
	return nil
}

// truncated cuts a vector or a matrix to so many series.
func truncated(v parser.Value, limit int) (parser.Value, bool) {
	switch x := v.(type) {
	case promql.Vector:
		return x[:min(limit, len(x))], len(x) > limit
	case promql.Matrix:
		return x[:min(limit, len(x))], len(x) > limit
	}
	return v, false
}

// write answers in the shape of Prometheus' API.
func write(w http.ResponseWriter, out answer, err error) {
	code := http.StatusOK
	var body struct {
		Status    string   `json:"status"`
		Data      any      `json:"data,omitempty"`
		ErrorType string   `json:"errorType,omitempty"`
		Error     string   `json:"error,omitempty"`
		Warnings  []string `json:"warnings,omitempty"`
	}
	body.Status, body.Data, body.Warnings = "success", out.data, out.warnings
	if err != nil {
		f := &failure{http.StatusInternalServerError, "internal", err.Error()}
		errors.As(err, &f)
		code, body.Status, body.Data, body.ErrorType, body.Error = f.code, "error", nil, f.kind, series.Clean(f.text, reasonMax)
	}
	b, err := json.Marshal(&body)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}

// appendResult writes what a query gave as JSON.
func appendResult(b []byte, v parser.Value) json.RawMessage {
	b = append(append(append(b, `{"resultType":"`...), v.Type()...), `","result":`...)
	switch x := v.(type) {
	case promql.Scalar:
		b = appendPoint(b, x.T, x.V)
	case promql.String:
		b = append(append(appendTime(append(b, '['), x.T), ','), quoted(x.V)...)
		b = append(b, ']')
	case promql.Vector:
		b = append(b, '[')
		for i := range x {
			b = appendSet(append(comma(b, i), `{"metric":`...), x[i].Metric)
			b = append(appendPoint(append(b, `,"value":`...), x[i].T, x[i].F), '}')
		}
		b = append(b, ']')
	case promql.Matrix:
		b = append(b, '[')
		for i := range x {
			b = appendSet(append(comma(b, i), `{"metric":`...), x[i].Metric)
			b = append(b, `,"values":[`...)
			for j, p := range x[i].Floats {
				b = appendPoint(comma(b, j), p.T, p.F)
			}
			b = append(b, "]}"...)
		}
		b = append(b, ']')
	default:
		b = append(b, "null"...)
	}
	return append(b, '}')
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func appendSets(b []byte, list []labels.Labels) json.RawMessage {
	b = append(b, '[')
	for i, set := range list {
		b = appendSet(comma(b, i), set)
	}
	return append(b, ']')
}

func appendSet(b []byte, set labels.Labels) []byte {
	b = append(b, '{')
	i := 0
	set.Range(func(l labels.Label) {
		b = append(append(append(comma(b, i), quoted(l.Name)...), ':'), quoted(l.Value)...)
		i++
	})
	return append(b, '}')
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}

func appendPoint(b []byte, t int64, v float64) []byte {
	b = append(appendTime(append(b, '['), t), `,"`...)
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return append(strconv.AppendFloat(b, v, format, -1, 64), `"]`...)
}

// appendTime writes milliseconds as seconds with as many digits as they need.
func appendTime(b []byte, ms int64) []byte {
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if rest := ms % 1000; rest != 0 {
		b = append(b, '.')
		b = append(b, strings.TrimRight(fmt.Sprintf("%03d", rest), "0")...)
	}
	return b
}
