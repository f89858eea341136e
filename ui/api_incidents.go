// Incidents as JSON.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

// apiIncidentMember is a signal that takes part in an incident.
type apiIncidentMember struct {
	ID          string            `json:"id"`
	Signal      string            `json:"signal"`
	Severity    pack.Severity     `json:"severity"`
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
	Muted       string            `json:"silenced_by,omitempty"` // id of an act
	Top         []apiMember       `json:"top,omitempty"`
}

// apiEvent is an entry of the timeline.
type apiEvent struct {
	T    int64  `json:"t"`
	Kind string `json:"kind"`
	Of   string `json:"of,omitempty"`
}

// apiIncident is an incident; members, timeline and changes are left out of lists.
type apiIncident struct {
	ID         string              `json:"id"`
	Title      string              `json:"title"`
	Severity   pack.Severity       `json:"severity"`
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
	HeldBy     string              `json:"held_by,omitempty"`     // who has it
	SilencedBy []string            `json:"silenced_by,omitempty"` // ids of the acts that keep all of it from being told
	Notes      []string            `json:"notes,omitempty"`
	Members    []apiIncidentMember `json:"members,omitempty"`
	Timeline   []apiEvent          `json:"timeline,omitempty"`
	Changes    []apiChange         `json:"changes,omitempty"`        // just before, closest first
	Beside     []apiChange         `json:"changes_beside,omitempty"` // what explains only members that came later
	Users      string              `json:"users,omitempty"`          // what users feel of it
	PartOf     string              `json:"part_of,omitempty"`        // id of the incident that explains it
	Common     *apiCommon          `json:"common,omitempty"`         // a label that most members share
	URL        string              `json:"url"`
}

// apiCommon is a label that most members of an incident share.
type apiCommon struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	N     int    `json:"members"`
	Of    int    `json:"of"`
	Text  string `json:"text"`
}

func apiCauses(list []alerting.Cause) (out []apiChange) {
	for i := range list {
		x := apiChangeOf(&list[i].Change)
		x.Nearness = list[i].Nearness.String()
		out = append(out, x)
	}
	return out
}

func (s *server) apiIncidentOf(inc *alerting.Incident, whole bool) apiIncident {
	out := apiIncident{ID: inc.ID, Title: inc.Title, Severity: inc.Severity, Cluster: inc.Cluster, Scope: labelMap(inc.Scope), Open: inc.Open(), Phase: inc.Phase().String(), Onset: inc.Onset,
		Opened: inc.Opened, Updated: inc.Updated, Resolved: inc.Resolved, Resolution: inc.Resolution, FirstMover: inc.FirstMover().SignalID, Headline: inc.Headline().SignalID,
		Active: inc.Active(), Told: inc.Told, Withheld: inc.Withheld, Refires: inc.Refires, Earlier: inc.Earlier, More: inc.More, Notes: notes(inc), URL: s.incidentURL(inc.ID)}
	out.Users, out.PartOf = inc.Users(), inc.PartOf
	if c := inc.Common; c.N > 0 {
		out.Common = &apiCommon{c.Name, c.Value, c.N, c.Of, inc.Mostly()}
	}
	if inc.Open() {
		out.SilencedBy = inc.Silenced()
	}
	if a := s.src.Acts().Holder(inc.ID); a != nil {
		out.HeldBy = a.Who
	}
	if !whole {
		return out
	}
	for i := range inc.Members {
		m := &inc.Members[i]
		out.Members = append(out.Members, apiIncidentMember{ID: m.SignalID, Signal: m.Name, Severity: m.Severity, Labels: labelMap(m.Entity), Unit: m.Unit,
			Sentence: m.Sentence(m.Ended != 0 || m.Easing()), State: m.State.String(), Test: m.Test.String(), Onset: m.Onset, Opened: m.Opened, Ended: m.Ended, Ending: m.Ending,
			Value: num(m.Value), Band: apiBandOf(m.Band), Worst: num(m.Worst), WorstT: m.WorstT, WorstBand: apiBandOf(m.WorstBand), Score: num(m.Score), Peak: num(m.Peak),
			Maturity: num(m.Maturity), SlopePerDay: num(m.SlopePerDay), LimitEtaMs: m.LimitEta, Muted: m.Muted, Top: apiMembers(m.Top)})
	}
	for _, e := range inc.Timeline {
		out.Timeline = append(out.Timeline, apiEvent{T: e.T, Kind: e.Kind, Of: e.Signal})
	}
	out.Changes, out.Beside = apiCauses(inc.Changes), apiCauses(inc.Beside)
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
