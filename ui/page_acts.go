// What people have said of alarms, and the form to say more: it shows what an act would have done before anybody says it.

package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
)

const auditShown = 200 // acts on the page, the newest

type actsBody struct {
	hands
	Force, Lessons, Audit []*act.Act
	All                   int
}

func (s *server) acts(c *gin.Context) {
	f, _ := s.frame("Silences & lessons", "acts")
	b := &actsBody{hands: hands{Access: s.access(c.Request), Who: s.whoOf(c.Request), Back: s.base + "/acts", Base: s.base, Now: f.Now}}
	all := s.src.Acts().All()
	for _, a := range all {
		switch {
		case a.Over(f.Now) || !a.Kind.Mutes():
		case a.Lasting():
			b.Lessons = append(b.Lessons, a)
		default:
			b.Force = append(b.Force, a)
		}
	}
	b.Audit, b.All = all[:min(len(all), auditShown)], len(all)
	f.Body, f.JSON = b, s.base+"/api/v1/acts"
	s.page(c, http.StatusOK, "acts", f)
}

type newActBody struct {
	hands
	Kind    act.Kind
	Heading string
	Form    url.Values // what stands in the fields
	About   *alerting.Incident
	Hidden  [][2]string // of the form that saves
	Tried   bool        // somebody has asked what it would do
	Problem string      // why it cannot be said; "" = it can
	Draft   *act.Act
	Hint    string              // it is about nothing that is known now
	Fore    *alerting.Foresight // nil = that is not asked for the kind, or by somebody who may not act
	Weeks   []string            // days to choose from
	Unit    string
	Tell    []string // receivers, of a lesson about who is told
}

// Get returns what stands in a field.
func (b *newActBody) Get(name string) string { return b.Form.Get(name) }

// formFields are the fields of the form.
var formFields = []string{"kind", "who", "why", "match", "signal", "incident", "at_most", "at_least", "effect", "absent", "not_for", "to", "days", "start", "end", "location", "from", "until", "for"}

func (s *server) newAct(c *gin.Context) {
	q := c.Request.URL.Query()
	b := &newActBody{hands: hands{Access: s.access(c.Request), Who: s.whoOf(c.Request), Base: s.base}, Kind: act.Kind(q.Get("kind")), Tried: q.Get("try") != ""}
	if !slices.Contains(act.Kinds, b.Kind) || b.Kind == act.Ack {
		b.Kind = act.Silence
	}
	f, _ := s.frame("", "acts")
	b.Now = f.Now
	b.Heading = map[act.Kind]string{act.Silence: "A silence", act.Maintenance: "A maintenance window", act.Lesson: "A lesson: this is normal", act.Level: "This level is normal"}[b.Kind]
	b.Weeks = []string{"every day", "monday:friday", "saturday:sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	if b.Kind == act.Lesson && q.Get("of") == "route" {
		b.Heading = "Not mine: who is told instead"
		for _, r := range s.about().Receivers {
			if !slices.Contains(b.Tell, r.Name) {
				b.Tell = append(b.Tell, r.Name)
			}
		}
	}
	b.About = findIncident(s.snapshot(), q.Get("about"))
	if m, _ := s.meant(q); m != nil {
		b.Unit = m.Unit
	}
	b.Back = s.base + "/acts"
	if b.About != nil {
		b.Back = s.incidentURL(b.About.ID)
	} else if id := q.Get("id"); id != "" {
		b.Back = s.signalURL(id)
	}
	b.Form = q
	if !b.Tried {
		for k, v := range s.suggest(q, f.Now) {
			if q.Get(k) == "" {
				b.Form[k] = v
			}
		}
	}
	b.Form.Set("kind", string(b.Kind))
	if b.Get("who") == "" {
		b.Form.Set("who", b.Who)
	}
	if d := b.Get("days"); d != "" && !slices.Contains(b.Weeks, d) {
		b.Weeks = append(b.Weeks, d)
	}
	if b.Tried {
		s.tryAct(b)
	}
	f.Title, f.Body = b.Heading, b
	s.page(c, http.StatusOK, "newact", f)
}

// tryAct replays what was told against the act that a form says.
func (s *server) tryAct(b *newActBody) {
	d, err := DraftOf(b.Form)
	if err == nil {
		b.Draft, err = d.Act(b.Now)
	}
	if err != nil {
		b.Problem = err.Error()
		return
	}
	b.Hint = Unmatched(s.view(), b.Draft)
	for _, name := range formFields {
		if v := b.Get(name); v != "" {
			b.Hidden = append(b.Hidden, [2]string{name, v})
		}
	}
	if !b.Kind.Mutes() || !b.May { // a replay is work, and is for whoever could go on
		return
	}
	t, err := act.Try(b.Draft)
	if err != nil {
		b.Problem = err.Error()
		return
	}
	fore := alerting.Foresee(s.snapshot(), s.src.Acts(), t)
	b.Fore = &fore
}

// apiAct is an act with what follows from it.
type apiAct struct {
	*act.Act
	InForce bool   `json:"in_force"`
	Words   string `json:"words"`
}

// apiActs lists acts, the newest first: the audit.
func (s *server) apiActs(c *gin.Context) {
	limit, ok := s.intParam(c, "limit", limitDefault, limitMost)
	if !ok {
		return
	}
	kind := act.Kind(c.Query("kind"))
	if kind != "" && !slices.Contains(act.Kinds, kind) {
		s.apiFail(c, http.StatusBadRequest, "kind must be one of ack, silence, maintenance, lesson and level")
		return
	}
	st := s.about()
	now := s.now(&st)
	out := struct {
		At   int64    `json:"at"`
		All  int      `json:"all"`
		Acts []apiAct `json:"acts"`
	}{At: now, Acts: []apiAct{}}
	for _, a := range s.src.Acts().All() {
		x := apiAct{a, !a.Over(now), a.Words()}
		if kind != "" && a.Kind != kind || c.Query("in_force") == "1" && !x.InForce {
			continue
		}
		if out.All++; len(out.Acts) < limit {
			out.Acts = append(out.Acts, x)
		}
	}
	s.apiOK(c, out)
}

// apiLessons writes the lessons that hold as the YAML file that an import takes.
func (s *server) apiLessons(c *gin.Context) {
	apiAnswers.Inc()
	st := s.about()
	b, err := act.WriteLessons(s.src.Acts().Lessons(s.now(&st)))
	if err != nil {
		s.apiFail(c, http.StatusInternalServerError, "the lessons cannot be written: "+err.Error())
		return
	}
	c.Header("Cache-Control", "no-cache")
	c.Header("Content-Disposition", `attachment; filename="lessons.yaml"`)
	c.Data(http.StatusOK, "application/yaml; charset=utf-8", []byte(strings.ToValidUTF8(string(b), "")))
}
