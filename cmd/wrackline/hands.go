package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

// saidMax bounds a body that says something, a file of lessons among them.
const saidMax = 1 << 20

// hands lists the doors by which people say something: JSON for programs, forms for pages. Reading what was said is the pages' part.
func (a *app) hands() []door {
	return []door{
		{path: "/api/v1/acts", method: http.MethodPost, kind: web.Act, open: a.apiSay, shared: true},
		{path: "/api/v1/acts/undo", method: http.MethodPost, kind: web.Act, open: a.apiUndo},
		{path: "/api/v1/lessons", method: http.MethodPost, kind: web.Act, open: a.apiImport, shared: true},
		{path: "/acts", method: http.MethodPost, kind: web.Act, open: a.formSay, shared: true},
		{path: "/acts/bulk", method: http.MethodPost, kind: web.Act, open: a.formBulk},
		{path: "/acts/undo", method: http.MethodPost, kind: web.Act, open: a.formUndo},
		{path: "/acts/enter", method: http.MethodPost, kind: web.Enter, open: a.formEnter},
		{path: "/acts/leave", method: http.MethodPost, kind: web.Enter, open: a.formLeave},
	}
}

// may returns what whoever asks for a page may do.
func may(r *http.Request) ui.Access {
	x := web.AccessOf(r)
	out := ui.Access{May: x.May(web.MayAct), Token: x.Token, Shown: x.By == web.ByToken}
	if x.Person() {
		out.Name = x.Name
	}
	return out
}

// answer writes JSON as the API does.
func answer(w http.ResponseWriter, code int, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	e := json.NewEncoder(w) // escapes <, > and &
	_ = e.Encode(data)
}

func answerError(w http.ResponseWriter, err error) {
	code, text := refusalOf(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	kind := map[int]string{http.StatusBadRequest: "bad_data", http.StatusNotFound: "not_found", http.StatusConflict: "conflict", http.StatusServiceUnavailable: "unavailable"}[code]
	answer(w, code, map[string]string{"status": "error", "errorType": cmp.Or(kind, "internal"), "error": text})
}

// readJSON reads a body that says something. What it does not know is refused: a misspelt end would be none.
func readJSON(w http.ResponseWriter, r *http.Request, out any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, saidMax))
	d.DisallowUnknownFields()
	err := d.Decode(out)
	if err == nil && d.More() {
		err = errors.New("there is more than one value")
	}
	if err != nil {
		answerError(w, &act.Error{Field: "body", Msg: err.Error()})
	}
	return err == nil
}

// foreseen is what an act would have done, as JSON.
type foreseen struct {
	SinceMs  int64          `json:"since"` // as far back as incidents are remembered
	Told     int            `json:"notifications"`
	Count    int            `json:"would_have_removed"` // at least
	Later    int            `json:"of_these_sent_later"`
	Real     int            `json:"of_these_acknowledged"`
	Quieted  int            `json:"incidents_not_told_at_all"`
	Removed  []foreseenLine `json:"removed,omitempty"` // the newest
	Affected int            `json:"incidents"`
	Skipped  int            `json:"incidents_not_looked_at,omitempty"` // there are too many
}

type foreseenLine struct {
	T        int64  `json:"t"`
	Reason   string `json:"reason"`
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Later    bool   `json:"later,omitempty"`
	HeldBy   string `json:"held_by,omitempty"`
}

func foreseenOf(f alerting.Foresight) foreseen {
	out := foreseen{SinceMs: f.Since, Told: f.Told, Count: f.Count, Later: f.Later, Real: f.Real, Quieted: f.Quieted, Affected: f.Affected, Skipped: f.Skipped}
	for _, x := range f.Removed {
		l := foreseenLine{T: x.T, Reason: string(x.Reason), Incident: x.Incident.ID, Title: x.Incident.Title, Later: x.Later}
		if x.Holder != nil {
			l.HeldBy = x.Holder.Who
		}
		out.Removed = append(out.Removed, l)
	}
	return out
}

// saidAnswer is what the API says of an act.
type saidAnswer struct {
	Act       *act.Act  `json:"act"`
	Words     string    `json:"words"`
	Foresight *foreseen `json:"foresight,omitempty"` // of silences, maintenance and lessons
	Hint      string    `json:"hint,omitempty"`      // it is about nothing that is known now
}

// describe makes that answer.
func (a *app) describe(who *speaker, x *act.Act) (saidAnswer, error) {
	out := saidAnswer{Act: x, Words: x.Words()}
	if x.Kind.Mutes() {
		out.Hint = ui.Unmatched(who.source(a).View(), x)
		f, err := a.foresee(who, x)
		if err != nil {
			return out, err
		}
		y := foreseenOf(f)
		out.Foresight = &y
	}
	return out, nil
}

// apiSay answers POST /api/v1/acts[?preview=1]: with preview nothing is said.
func (a *app) apiSay(w http.ResponseWriter, r *http.Request) {
	var d act.Draft
	if !readJSON(w, r, &d) {
		return
	}
	preview := r.URL.Query().Get("preview") == "1"
	who := speakerOf(r)
	err := who.may(a, &d)
	var x *act.Act
	switch {
	case err != nil:
	case preview:
		x, err = a.draft(&d)
	default:
		x, err = a.say(r.Context(), &d)
	}
	if err != nil {
		answerError(w, err)
		return
	}
	out, err := a.describe(who, x)
	if err != nil {
		answerError(w, err)
		return
	}
	code := http.StatusCreated
	if preview {
		code, x.ID = http.StatusOK, ""
	}
	answer(w, code, map[string]any{"status": "success", "data": out})
}

// apiUndo answers POST /api/v1/acts/undo.
func (a *app) apiUndo(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID  string `json:"id"`
		Who string `json:"who"`
		Why string `json:"why"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	x, err := a.unsay(r.Context(), speakerOf(r), in.ID, in.Who, in.Why)
	if err != nil {
		answerError(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "success", "data": saidAnswer{Act: x, Words: x.Words()}})
}

// imported says how a file of lessons differs from what holds, and what became of that.
type imported struct {
	Same    int        `json:"same"`
	Added   []*act.Act `json:"added"`
	Extra   []*act.Act `json:"extra"`   // they hold, and the file has them not
	Applied bool       `json:"applied"` // else nothing was changed
	Pruned  bool       `json:"pruned"`  // those that are extra were undone
}

// apiImport answers POST /api/v1/lessons?who=&why=[&apply=1][&prune=1]: a file of lessons is compared with what holds, and with apply brought in.
func (a *app) apiImport(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, saidMax))
	if err != nil {
		answerError(w, &act.Error{Field: "body", Msg: err.Error()})
		return
	}
	q, now := r.URL.Query(), a.clock.Now().UnixMilli()
	list, err := act.ReadLessons(body, cmp.Or(q.Get("who"), "-"), now)
	if err != nil {
		answerError(w, &act.Error{Field: "file", Msg: err.Error()})
		return
	}
	who, view := speakerOf(r), source{a}.View()
	mine := who.own(a, view, a.acts.View().Lessons(now))
	d := act.Compare(list, mine)
	out := imported{Same: d.Same, Added: d.Missing, Extra: d.Extra, Applied: q.Get("apply") == "1", Pruned: q.Get("apply") == "1" && q.Get("prune") == "1"}
	if out.Applied {
		if q.Get("who") == "" && who.name == "" {
			answerError(w, &act.Error{Field: "who", Msg: "it is missing: say who imports"})
			return
		}
		for i, x := range d.Missing {
			draft := act.Draft{Kind: act.Lesson, Who: x.Who, Why: x.Why, Rule: x.Rule}
			if x.Until != 0 {
				draft.Until = time.UnixMilli(x.Until).UTC().Format(time.RFC3339)
			}
			if err = who.may(a, &draft); err == nil {
				out.Added[i], err = a.say(r.Context(), &draft)
			}
			if err != nil {
				answerError(w, err)
				return
			}
		}
	}
	if out.Pruned {
		for _, x := range d.Extra {
			if _, err := a.unsay(r.Context(), who, x.ID, q.Get("who"), cmp.Or(q.Get("why"), "it is not in the file that was imported")); err != nil {
				answerError(w, err)
				return
			}
		}
	}
	answer(w, http.StatusOK, map[string]any{"status": "success", "data": out})
}

// pathBase returns the path before all pages, "" or /prefix.
func (a *app) pathBase() string { return a.cfg.Load().basePath() }

// goBack leads a browser back to the page that its form names; to nowhere but a page of ours.
func (a *app) goBack(w http.ResponseWriter, r *http.Request) {
	to, base := r.PostFormValue("back"), a.pathBase()
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, base+"/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		to = base + "/acts"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// readForm reads a form, and remembers in the browser who filled it in.
func (a *app) readForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, saidMax)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return false
	}
	if who := r.PostFormValue("who"); who != "" {
		http.SetCookie(w, &http.Cookie{Name: ui.WhoCookie, Value: url.QueryEscape(who[:min(len(who), 80)]), Path: a.pathBase() + "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	return true
}

func refuseForm(w http.ResponseWriter, err error) {
	code, text := refusalOf(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	http.Error(w, "Nothing was changed. "+text, code)
}

func (a *app) formSay(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	d, err := ui.DraftOf(r.PostForm)
	if err == nil {
		err = speakerOf(r).may(a, d)
	}
	if err == nil {
		_, err = a.say(r.Context(), d)
	}
	if err != nil {
		refuseForm(w, err)
		return
	}
	a.goBack(w, r)
}

// formBulk says the same of several incidents: all of it is checked before any of it is said.
func (a *app) formBulk(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	drafts, err := ui.BulkOf(r.PostForm, a.manager.Incident)
	who := speakerOf(r)
	for i := 0; err == nil && i < len(drafts); i++ {
		if err = who.may(a, drafts[i]); err == nil {
			_, err = a.draft(drafts[i])
		}
	}
	if err != nil {
		refuseForm(w, err)
		return
	}
	for i, d := range drafts {
		if _, err := a.say(r.Context(), d); err != nil {
			code, text := refusalOf(err)
			http.Error(w, fmt.Sprintf("%d of %d were said; then: %s", i, len(drafts), text), code)
			return
		}
	}
	a.goBack(w, r)
}

func (a *app) formUndo(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	if _, err := a.unsay(r.Context(), speakerOf(r), r.PostFormValue("id"), r.PostFormValue("who"), r.PostFormValue("why")); err != nil {
		refuseForm(w, err)
		return
	}
	a.goBack(w, r)
}

func (a *app) formEnter(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	secure := r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https:")
	name, ok := a.gate.Load().Enter(w, r.PostFormValue("token"), a.pathBase()+"/", secure)
	if !ok {
		http.Error(w, "That is not the token of web.admin_token, nor one of web.tokens that may read.", http.StatusUnauthorized)
		return
	}
	a.log.Info("a browser has shown a token", "of", name, "from", r.RemoteAddr)
	a.goBack(w, r)
}

func (a *app) formLeave(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	web.Leave(w, a.pathBase()+"/")
	a.goBack(w, r)
}
