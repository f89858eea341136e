// JSON: the same snapshots for programs. Times are Unix milliseconds, every value has its unit beside it, what is not
// a finite number is null. Errors have Prometheus' shape.
//
//	GET /api/v1/signals?q=&pack=&cluster=&namespace=&state=&sort=&desc=&limit=&offset=
//	GET /api/v1/signals/{id}?range=|from=&to=&points=
//	GET /api/v1/incidents?state=open|closed&limit=
//	GET /api/v1/incidents/{id}
//	GET /api/v1/changes?cluster=&namespace=&kind=&from=&to=&limit=
//	GET /api/v1/rights?cluster=&namespace=
//	GET /api/v1/sizes?cluster=&namespace=&workload=&q=&sort=waste|risk|namespace&limit=&output=json|yaml-patch|csv|table
//	GET /api/v1/packs, /api/v1/packs/{signal}
//	GET /api/v1/backtest: the backtest under way, or the newest; POST starts one
//	GET /api/v1/selftest?signals=500: faults injected into copies of models; one at a time, else 503
//	GET /api/v1/pods?pod=&namespace=&cluster=
//	GET /api/v1/status, /api/v1/status/{build|senders|pairs|clusters|limits|counters|journal|store|receivers|problems|noise|config}

package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	limitDefault = 100
	limitMost    = 10_000
	pointsMost   = 5_000
)

// num is a number that is null when it is none.
type num float64

// MarshalJSON writes null for NaN and the infinities, which JSON does not have.
func (n num) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

type apiError struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
}

type apiAnswer struct {
	Status string `json:"status"`
	Data   any    `json:"data"`
}

func (s *server) apiFail(c *gin.Context, code int, text string) {
	kind := "internal"
	switch code {
	case http.StatusNotFound:
		kind = "not_found"
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		kind = "bad_data"
	case http.StatusServiceUnavailable:
		kind = "unavailable"
	}
	s.writeJSON(c, code, apiError{Status: "error", ErrorType: kind, Error: text})
}

func (s *server) apiOK(c *gin.Context, data any) {
	s.writeJSON(c, http.StatusOK, apiAnswer{Status: "success", Data: data})
}

// writeJSON escapes <, > and & in strings, so that an answer shown as HTML by mistake does nothing, and what is hidden, so that one in a terminal does not either: a string says to who decodes it what it said.
func (s *server) writeJSON(c *gin.Context, code int, v any) {
	apiAnswers.Inc()
	b, err := json.Marshal(v)
	if err != nil {
		pagesFailed.Inc()
		s.log.Error("answer cannot be written", "path", c.Request.URL.Path, "err", err)
		code, b = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written; the log says why"}`)
	}
	c.Header("Cache-Control", "no-cache")
	c.Data(code, "application/json", append(escapeHidden(b), '\n'))
}

// escapeHidden writes the hidden characters of a JSON text, which stand in its strings alone, by their numbers.
func escapeHidden(b []byte) []byte {
	if !bytes.ContainsFunc(b, series.Hidden) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case !series.Hidden(r):
			out = append(out, b[:n]...)
		case r <= 0xffff:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
		b = b[n:]
	}
	return out
}

// intParam reads a whole number between 0 and most. false means that an answer has been written.
func (s *server) intParam(c *gin.Context, name string, def, most int) (int, bool) {
	text := c.Query(name)
	if text == "" {
		return def, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		s.apiFail(c, http.StatusBadRequest, name+" must be a whole number from 0 to "+strconv.Itoa(most))
		return 0, false
	}
	return n, true
}

// apiBand is what is normal. A side without an end is null.
type apiBand struct {
	Lower    num `json:"lower"`
	Expected num `json:"expected"`
	Upper    num `json:"upper"`
}

func apiBandOf(b model.Band) apiBand {
	return apiBand{num(b.Lower), num(b.Expected), num(b.Upper)}
}

// apiMember is one of the series that a value is made of.
type apiMember struct {
	Name  string `json:"name"`
	Value num    `json:"value"`
}

func apiMembers(list []signal.Member) []apiMember {
	var out []apiMember
	for _, m := range list {
		out = append(out, apiMember{Name: m.Name, Value: num(m.Value)})
	}
	return out
}

func labelMap(l series.Labels) map[string]string {
	m := make(map[string]string, len(l))
	for _, x := range l {
		m[x.Name] = x.Value
	}
	return m
}
