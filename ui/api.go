// JSON: the same snapshots for programs. Times are Unix milliseconds, every value has its unit beside it, what is not
// a finite number is null. Errors have Prometheus' shape.
//
//	GET /api/v1/signals?q=&pack=&cluster=&namespace=&state=&sort=&desc=&limit=&offset=
//	GET /api/v1/signals/{id}?range=|from=&to=&points=
//	GET /api/v1/incidents?state=open|closed&limit=
//	GET /api/v1/incidents/{id}
//	GET /api/v1/changes?cluster=&namespace=&kind=&from=&to=&limit=
//	GET /api/v1/packs, /api/v1/packs/{signal}
//	GET /api/v1/selftest?signals=500: faults injected into copies of models; one at a time, else 503
//	GET /api/v1/pods?pod=&namespace=&cluster=
//	GET /api/v1/status, /api/v1/status/{build|senders|clusters|limits|counters|journal|store|receivers|problems|noise|config}

package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
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

// writeJSON escapes <, > and & in strings, so that an answer shown as HTML by mistake does nothing.
func (s *server) writeJSON(c *gin.Context, code int, v any) {
	apiAnswers.Inc()
	b, err := json.Marshal(v)
	if err != nil {
		pagesFailed.Inc()
		s.log.Error("answer cannot be written", "path", c.Request.URL.Path, "err", err)
		code, b = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written; the log says why"}`)
	}
	c.Header("Cache-Control", "no-cache")
	c.Data(code, "application/json", append(b, '\n'))
}

type apiBand struct {
	Lower    num `json:"lower"`
	Expected num `json:"expected"`
	Upper    num `json:"upper"`
}

type apiMember struct {
	Name  string `json:"name"`
	Value num    `json:"value"`
}

type apiSignal struct {
	ID          string            `json:"id"`
	Signal      string            `json:"signal"`
	Pack        string            `json:"pack"`
	Question    string            `json:"question,omitempty"`
	Severity    signal.Severity   `json:"severity"`
	Labels      map[string]string `json:"labels"`
	Unit        string            `json:"unit"`
	T           int64             `json:"t"` // end of the last judged window
	Value       num               `json:"value"`
	Band        apiBand           `json:"band"`
	State       string            `json:"state"`
	Recovering  bool              `json:"recovering,omitempty"` // in alarm, and back inside the band
	Since       int64             `json:"since"`
	Score       num               `json:"score"`         // 1 = alarm
	Evidence    num               `json:"evidence_nats"` // 0 when the test does not count in nats
	Why         apiWhy            `json:"why"`
	Test        string            `json:"test"`
	Onset       int64             `json:"onset,omitempty"`
	Maturity    num               `json:"maturity"` // 0–1
	SlopePerDay num               `json:"slope_per_day,omitempty"`
	LimitEtaMs  int64             `json:"limit_eta_ms,omitempty"`
	Seasonal    string            `json:"seasonal"`
	Windows     int64             `json:"windows_learned"`
	Borrowed    int               `json:"borrowed,omitempty"` // similar signals on which the band leans while little has been seen
	Members     int               `json:"members"`
	Expected    int               `json:"members_expected"`
	Top         []apiMember       `json:"top,omitempty"`
	URL         string            `json:"url"`
}

func labelMap(l series.Labels) map[string]string {
	m := make(map[string]string, len(l))
	for _, x := range l {
		m[x.Name] = x.Value
	}
	return m
}

func members(list []signal.Member) []apiMember {
	var out []apiMember
	for _, m := range list {
		out = append(out, apiMember{Name: m.Name, Value: num(m.Value)})
	}
	return out
}

func seasonWord(v model.Season) string {
	switch v {
	case model.Daily:
		return "daily"
	case model.Weekly:
		return "weekly"
	}
	return "none"
}

func (s *server) apiSignalOf(v *baseline.SignalView) apiSignal {
	r := v.Signal.Rule
	return apiSignal{
		ID: v.Signal.ID, Signal: r.Name, Pack: r.Pack, Question: r.Question, Severity: r.Severity, Labels: labelMap(v.Signal.Entity), Unit: r.Unit,
		T: v.T, Value: num(v.Value), Band: apiBand{num(v.Band.Lower), num(v.Band.Expected), num(v.Band.Upper)}, State: v.State.String(), Recovering: easingSignal(v), Since: v.Since,
		Score: num(v.Score), Evidence: num(v.Evidence), Why: apiWhyOf(v), Test: v.Test.String(), Onset: v.Onset, Maturity: num(v.Maturity), SlopePerDay: num(v.SlopePerDay),
		LimitEtaMs: v.LimitEta, Seasonal: seasonWord(v.Seasonal), Windows: v.Seen, Borrowed: v.Borrowed, Members: v.Members, Expected: v.Verdict.Expected, Top: members(v.Top),
		URL: s.signalURL(v.Signal.ID),
	}
}

// apiWhy is what a judgement rests on.
type apiWhy struct {
	Tests  []apiTest `json:"tests"`                   // those that have anything to say
	P      num       `json:"p"`                       // probability of a window as far out, by what the signal has shown; 1 = usual
	PerMs  int64     `json:"p_per_ms"`                // … of one window, or of the furthest one within so long
	Strict num       `json:"strictness"`              // × the stock evidence that the tests need; 0 = nothing was weighed
	Excuse string    `json:"excuse,omitempty"`        // why a value beyond the band is no evidence
	Hour   string    `json:"compared_with,omitempty"` // the hour of the day or the week that the band comes from
	Seen   int       `json:"compared_with_seen,omitempty"`
	Clear  *apiClear `json:"clears,omitempty"` // what would end the alarm
}

type apiTest struct {
	Test  string `json:"test"`
	Score num    `json:"score"`          // 1 = alarm
	Nats  num    `json:"nats,omitempty"` // 0 when it does not count in nats
	Need  num    `json:"need_nats,omitempty"`
}

type apiClear struct {
	Lower   num   `json:"lower"` // null: the value alone does not say, or there is no bound
	Upper   num   `json:"upper"`
	AfterMs int64 `json:"after_ms"`
}

func apiWhyOf(v *baseline.SignalView) apiWhy {
	p := judgedBy(v)
	y := apiWhy{Strict: num(p.Strict), Tests: []apiTest{}, P: num(v.Why.P), PerMs: p.StepMs, Excuse: v.Why.Excuse.String()}
	if p.Extremes {
		y.PerMs = model.ExtremeMs
	}
	for t, s := range v.Why.Scores {
		if s > 0 {
			need := p.Nats(model.Test(t))
			y.Tests = append(y.Tests, apiTest{Test: model.Test(t).String(), Score: num(s), Nats: num(float64(s) * need), Need: num(need)})
		}
	}
	switch h := int(v.Why.Hour); v.Seasonal {
	case model.Weekly:
		y.Hour, y.Seen = fmt.Sprintf("%s %02d:00", weekdays[h/24%7], h%24), int(v.Why.Visits)
	case model.Daily:
		y.Hour, y.Seen = fmt.Sprintf("%02d:00", h%24), int(v.Why.Visits)
	}
	if v.State.Alarm() && v.State != model.Absent {
		y.Clear = &apiClear{num(v.Why.Clear.Lower), num(v.Why.Clear.Upper), v.Why.Clear.AfterMs}
	}
	return y
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

func (s *server) apiSignals(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitDefault, limitMost)
	if !ok {
		return
	}
	offset, ok := s.intParam(c, "offset", 0, math.MaxInt32)
	if !ok {
		return
	}
	q := parseQuery(c.Request.URL.Query())
	if q.Unknown != "" {
		s.apiFail(c, http.StatusBadRequest, "state must be one of "+strings.Join(states, ", "))
		return
	}
	q.exact = true
	v := s.view()
	rows := q.find(v, s.base).Rows
	total := len(rows)
	rows = rows[min(offset, total):]
	rows = rows[:min(limit, len(rows))]
	out := struct {
		At      int64       `json:"at"` // receive clock of the view
		Total   int         `json:"total"`
		Offset  int         `json:"offset"`
		Signals []apiSignal `json:"signals"`
	}{At: v.AtMs, Total: total, Offset: offset, Signals: []apiSignal{}}
	for _, r := range rows {
		out.Signals = append(out.Signals, s.apiSignalOf(r))
	}
	s.apiOK(c, out)
}

type apiPoint struct {
	T        int64  `json:"t"`
	Value    num    `json:"value"`
	Min      num    `json:"min"`
	Max      num    `json:"max"`
	Lower    num    `json:"lower"`
	Expected num    `json:"expected"`
	Upper    num    `json:"upper"`
	State    string `json:"state"`
	Score    num    `json:"score"`
}

func (s *server) apiSignal(c *gin.Context) {
	v := s.view()
	sv, ok := lookup(v, c.Param("id"))
	if !ok {
		s.apiFail(c, http.StatusNotFound, "there is no signal with this id")
		return
	}
	points, ok := s.intParam(c, "points", mainCells, pointsMost)
	if !ok {
		return
	}
	st := s.src.Status()
	now := s.now(&st)
	sp := parseSpan(c.Request.URL.Query(), now, defaultSpan(now))
	if sp.Problem != "" {
		s.apiFail(c, http.StatusBadRequest, sp.Problem)
		return
	}
	r := sv.Signal.Rule
	out := struct {
		apiSignal
		Meaning string     `json:"meaning,omitempty"`
		Causes  []string   `json:"causes,omitempty"`
		Next    []string   `json:"next,omitempty"`
		Exprs   []string   `json:"exprs"`
		From    int64      `json:"from"`
		To      int64      `json:"to"`
		StepMs  int64      `json:"step_ms"`
		Points  []apiPoint `json:"points"`
		// Notices are the smallest lasting changes that would be noticed within a quarter of an hour, an hour, a day and a week.
		Notices []apiNotice `json:"notices"`
	}{apiSignal: s.apiSignalOf(sv), Notices: apiNotices(s.notices(sv)), Meaning: r.Meaning, Causes: r.Causes, Exprs: r.Exprs, From: sp.From, To: sp.To, Points: []apiPoint{}}
	m := asMember(sv)
	for _, n := range r.Next {
		out.Next = append(out.Next, m.Command(n))
	}
	if points > 0 {
		list, step, err := s.src.Range(sv.Signal.ID, sp.From, sp.To, points)
		if err != nil {
			s.log.Error("history cannot be read", "signal", sv.Signal.ID, "err", err)
			s.apiFail(c, http.StatusInternalServerError, "the history of this signal cannot be read; the log says why")
			return
		}
		out.StepMs = step
		for _, p := range list {
			out.Points = append(out.Points, apiPoint{T: p.T, Value: num(p.Value), Min: num(p.Min), Max: num(p.Max), Lower: num(p.Lower), Expected: num(p.Expected), Upper: num(p.Upper), State: p.State.String(), Score: num(p.Score)})
		}
	}
	s.apiOK(c, out)
}

type apiIncidentMember struct {
	ID          string            `json:"id"`
	Signal      string            `json:"signal"`
	Severity    signal.Severity   `json:"severity"`
	Labels      map[string]string `json:"labels"`
	Unit        string            `json:"unit"`
	Sentence    string            `json:"sentence"`
	State       string            `json:"state"`
	Test        string            `json:"test"`
	Onset       int64             `json:"onset"`
	Opened      int64             `json:"opened"`
	Ended       int64             `json:"ended,omitempty"`
	Ending      string            `json:"ending,omitempty"`
	Value       num               `json:"value"`
	Band        apiBand           `json:"band"`
	Worst       num               `json:"worst"`
	WorstT      int64             `json:"worst_t,omitempty"`
	WorstBand   apiBand           `json:"worst_band"`
	Score       num               `json:"score"`
	Peak        num               `json:"peak_score"`
	Maturity    num               `json:"maturity"`
	SlopePerDay num               `json:"slope_per_day,omitempty"`
	LimitEtaMs  int64             `json:"limit_eta_ms,omitempty"`
	Top         []apiMember       `json:"top,omitempty"`
}

type apiEvent struct {
	T    int64  `json:"t"`
	Kind string `json:"kind"`
	Of   string `json:"of,omitempty"`
}

type apiIncident struct {
	ID         string              `json:"id"`
	Title      string              `json:"title"`
	Severity   signal.Severity     `json:"severity"`
	Cluster    string              `json:"cluster"`
	Scope      map[string]string   `json:"scope"`
	Open       bool                `json:"open"`
	Phase      string              `json:"phase"` // firing, recovering, closing, over
	Onset      int64               `json:"onset"`
	Opened     int64               `json:"opened"`
	Updated    int64               `json:"updated"`
	Resolved   int64               `json:"resolved,omitempty"`
	Resolution string              `json:"resolution,omitempty"`
	FirstMover string              `json:"first_mover"`
	Headline   string              `json:"headline"`
	Active     int                 `json:"active_members"`
	Told       int                 `json:"notifications"`
	Withheld   int                 `json:"notifications_withheld"`
	Refires    int                 `json:"refires"`
	Earlier    int                 `json:"earlier_24h"`
	More       int                 `json:"members_without_room"`
	Notes      []string            `json:"notes,omitempty"`
	Members    []apiIncidentMember `json:"members,omitempty"`
	Timeline   []apiEvent          `json:"timeline,omitempty"`
	Changes    []apiChange         `json:"changes,omitempty"` // just before, closest first
	URL        string              `json:"url"`
}

func (s *server) apiIncidentOf(inc *alerting.Incident, whole bool) apiIncident {
	out := apiIncident{ID: inc.ID, Title: inc.Title, Severity: inc.Severity, Cluster: inc.Cluster, Scope: labelMap(inc.Scope), Open: inc.Open(), Phase: [...]string{"firing", "recovering", "closing", "over"}[phaseOf(inc)], Onset: inc.Onset,
		Opened: inc.Opened, Updated: inc.Updated, Resolved: inc.Resolved, Resolution: inc.Resolution, FirstMover: inc.FirstMover().SignalID, Headline: inc.Headline().SignalID,
		Active: inc.Active(), Told: inc.Told, Withheld: inc.Withheld, Refires: inc.Refires, Earlier: inc.Earlier, More: inc.More, Notes: notes(inc), URL: s.incidentURL(inc.ID)}
	if !whole {
		return out
	}
	band := func(b model.Band) apiBand { return apiBand{num(b.Lower), num(b.Expected), num(b.Upper)} }
	for i := range inc.Members {
		m := &inc.Members[i]
		out.Members = append(out.Members, apiIncidentMember{ID: m.SignalID, Signal: m.Name, Severity: m.Severity, Labels: labelMap(m.Entity), Unit: m.Unit,
			Sentence: m.Sentence(m.Ended != 0), State: m.State.String(), Test: m.Test.String(), Onset: m.Onset, Opened: m.Opened, Ended: m.Ended, Ending: m.Ending,
			Value: num(m.Value), Band: band(m.Band), Worst: num(m.Worst), WorstT: m.WorstT, WorstBand: band(m.WorstBand), Score: num(m.Score), Peak: num(m.Peak),
			Maturity: num(m.Maturity), SlopePerDay: num(m.SlopePerDay), LimitEtaMs: m.LimitEta, Top: members(m.Top)})
	}
	for _, e := range inc.Timeline {
		out.Timeline = append(out.Timeline, apiEvent{T: e.T, Kind: e.Kind, Of: e.Signal})
	}
	for i := range inc.Changes {
		x := apiChangeOf(&inc.Changes[i].Change)
		x.Nearness = inc.Changes[i].Nearness.String()
		out.Changes = append(out.Changes, x)
	}
	return out
}

func (s *server) apiIncidents(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitDefault, limitMost)
	if !ok {
		return
	}
	state := c.Query("state")
	if state != "" && state != "open" && state != "closed" {
		s.apiFail(c, http.StatusBadRequest, "state must be open or closed")
		return
	}
	snap := s.snapshot()
	out := struct {
		At        int64         `json:"at"`
		Open      int           `json:"open"`
		Closed    int           `json:"closed"`
		Incidents []apiIncident `json:"incidents"`
	}{At: snap.T, Open: len(snap.Open), Closed: len(snap.Closed), Incidents: []apiIncident{}}
	add := func(list []*alerting.Incident) {
		for _, inc := range list {
			if len(out.Incidents) < limit {
				out.Incidents = append(out.Incidents, s.apiIncidentOf(inc, false))
			}
		}
	}
	if state != "closed" {
		add(snap.Open)
	}
	if state != "open" {
		add(snap.Closed)
	}
	s.apiOK(c, out)
}

func (s *server) apiIncident(c *gin.Context) {
	inc := findIncident(s.snapshot(), c.Param("id"))
	if inc == nil {
		s.apiFail(c, http.StatusNotFound, "there is no incident with this id")
		return
	}
	s.apiOK(c, s.apiIncidentOf(inc, true))
}

func (s *server) apiPacks(c *gin.Context) {
	type rule struct {
		Signal   string          `json:"signal"`
		Question string          `json:"question,omitempty"`
		Unit     string          `json:"unit"`
		Severity signal.Severity `json:"severity"`
		Cluster  string          `json:"cluster"`
		Dormant  bool            `json:"dormant"`
		Missing  []string        `json:"missing,omitempty"` // metric names
		Expr     string          `json:"expr,omitempty"`    // the form in use
		Form     int             `json:"form"`              // its number, −1 = dormant
		Series   int             `json:"series"`
		Signals  int             `json:"signals"`
	}
	type pack struct {
		Name   string `json:"name"`
		Title  string `json:"title"`
		Active int    `json:"active"`
		Rules  []rule `json:"rules"`
	}
	out := struct {
		Packs []pack `json:"packs"`
	}{Packs: []pack{}}
	st := s.src.Status()
	for _, p := range packsOf(&st) {
		a := pack{Name: p.Name, Title: p.Title, Active: p.Active, Rules: []rule{}}
		for _, r := range p.Signals {
			x := rule{Cluster: r.Cluster, Dormant: r.Dormant(), Missing: r.Missing, Form: r.Form, Series: r.Series, Signals: r.Signals}
			if r.Rule != nil {
				x.Signal, x.Question, x.Unit, x.Severity = r.Rule.Name, r.Rule.Question, r.Rule.Unit, r.Rule.Severity
				if r.Form >= 0 && r.Form < len(r.Rule.Exprs) {
					x.Expr = r.Rule.Exprs[r.Form]
				}
			}
			a.Rules = append(a.Rules, x)
		}
		out.Packs = append(out.Packs, a)
	}
	s.apiOK(c, out)
}

func ms(t time.Time) int64 { return unixMs(t) }

// apiStatus answers with everything, or with the one part that the address names.
func (s *server) apiStatus(c *gin.Context) {
	st := s.src.Status()
	if st.Version == "" {
		st.Version = s.o.Version
	}
	ready, doing := s.src.Ready()
	type object = map[string]any
	list := func(n int, at func(int) object) []object {
		out := make([]object, n)
		for i := range out {
			out[i] = at(i)
		}
		return out
	}
	parts := map[string]func() any{
		"build": func() any {
			return object{"version": st.Version, "go": st.Go, "platform": st.Platform, "started": st.StartedMs, "now": s.now(&st), "received": st.ReceiveMs, "ready": ready, "doing": doing, "demo": st.Demo != nil}
		},
		"senders": func() any {
			return list(len(st.Senders), func(i int) object {
				x := &st.Senders[i]
				return object{"name": x.Name, "cluster": x.Cluster, "replica": x.Replica, "samples": x.Samples, "accepted": x.Accepted, "duplicates": x.Duplicates, "late": x.Late,
					"rejected": x.Rejected, "first": x.FirstMs, "last": x.LastMs, "newest_sample": x.LastT, "used_ratio": num(x.Leader)}
			})
		},
		"clusters": func() any {
			return list(len(st.Clusters), func(i int) object {
				x := &st.Clusters[i]
				return object{"name": x.Name, "series": x.Series, "tracked": x.Tracked, "signals": x.Signals, "workloads": x.Workloads, "newest_sample": x.LastT, "closed_end": x.ClosedEnd,
					"windows_closed": x.WindowsClosed, "owners": x.Owners}
			})
		},
		"limits": func() any {
			return list(len(st.Limits), func(i int) object {
				x := &st.Limits[i]
				return object{"name": x.Name, "used": num(x.Used), "max": num(x.Max), "unit": x.Unit, "meaning": x.Meaning}
			})
		},
		"counters": func() any {
			return list(len(st.Counters), func(i int) object {
				x := &st.Counters[i]
				return object{"name": x.Name, "value": x.Value, "unit": x.Unit, "meaning": x.Meaning, "loss": x.Loss}
			})
		},
		"journal": func() any {
			x := &st.Journal
			return object{"first_pos": x.FirstPos, "last_pos": x.LastPos, "synced_pos": x.SyncedPos, "bytes": x.Bytes, "bytes_max": x.MaxBytes, "segments": x.Segments, "sync": x.Sync, "last_sync": x.LastSyncMs, "error": x.Err}
		},
		"store": func() any {
			x := &st.Store
			return object{"path": x.Path, "bytes": x.Bytes, "checkpoint": x.CheckpointMs, "checkpoint_took_ms": x.TookMs, "models": x.Models, "history_days": num(x.HistoryDays), "error": x.Err, "quarantined": x.Quarantined}
		},
		"receivers": func() any {
			return object{"receivers": list(len(st.Receivers), func(i int) object {
				x := &st.Receivers[i]
				return object{"receiver": x.Name, "kind": x.Kind, "host": x.Host, "queued": x.Queued, "oldest": ms(x.Oldest), "sent": x.Sent, "failed": x.Failed, "dead": x.Dead, "coalesced": x.Coalesced,
					"last_success": ms(x.LastSuccess), "last_error": x.LastError, "last_error_at": ms(x.LastErrorAt), "next_attempt": ms(x.NextAttempt), "disabled": x.Disabled}
			}), "dead_letters": list(len(st.DeadLetters), func(i int) object {
				x := &st.DeadLetters[i]
				return object{"at": x.AtMs, "receiver": x.Receiver, "id": x.ID, "incident": x.Incident, "title": x.Title, "why": x.Why}
			})}
		},
		"problems": func() any {
			return list(len(st.Problems), func(i int) object {
				x := &st.Problems[i]
				return object{"severity": x.Severity, "text": x.Text, "fix": x.Fix}
			})
		},
		"noise": func() any {
			n := noiseOf(&st, s.now(&st))
			budget := s.view().Budget
			return object{"budget": list(len(budget), func(i int) object {
				b := &budget[i]
				x := object{"kind": b.Kind, "signals": b.Signals, "allowed_false_alarms_per_week": num(b.Asked), "strictness": num(b.Strict)}
				if b.Known {
					x["expected_false_alarms_per_week"] = num(b.Expected)
				}
				return x
			}), "notifications_per_day": st.NotificationsPerDay, "pages_per_day": st.PagesPerDay, "realised_per_day": num(n.Rate), "observed_days": num(n.Observed), "days": list(len(st.Days), func(i int) object {
				x := &st.Days[i]
				return object{"day": x.Day, "sent": x.Sent, "pages": x.Pages, "resolved": x.Resolved, "withheld": x.Withheld}
			})}
		},
		"config": func() any { return object{"yaml": st.Config} },
	}
	if name := c.Param("part"); name != "" {
		part, ok := parts[name]
		if !ok {
			s.apiFail(c, http.StatusNotFound, "there is no such part of the status; there are build, senders, clusters, limits, counters, journal, store, receivers, problems, noise and config")
			return
		}
		s.apiOK(c, part())
		return
	}
	all := object{}
	for name, part := range parts {
		if name != "config" {
			all[name] = part()
		}
	}
	s.apiOK(c, all)
}
