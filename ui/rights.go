// Who is refused what by API servers, since when, and which change of rights was just before: gathered from signals, incidents and changes.

package ui

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// rightsLesson is what packs label rules about permissions with.
const rightsLesson = "rbac"

// How far a change of rights may lie before what it explains, and behind, since either is seen a scrape late.
const (
	rightsBeforeMs = 60 * 60_000
	rightsAfterMs  = 5 * 60_000
)

// refusal is one thing that API servers refuse, or refused.
type refusal struct {
	SignalID string
	Rule     *pack.Rule
	Cluster  string
	Entity   series.Labels
	Text     string  // the rule's sentence: of now, or of the worst when it is over
	Value    float64 // likewise
	Unit     string
	Usual    float64 // what was expected before
	Since    int64   // when it began to be more than usual; 0 = it always was
	Ended    int64   // when it stopped; 0 = it lasts
	Easing   bool    // it is no more than usual again, and watched
	Silent   bool    // nothing tells any more: it need not have stopped
	Incident string  // id; "" = it is in none
	Cause    *change.Change
	Mend     *change.Change // what was changed just before it stopped
}

// New reports whether it is more than usual, or was.
func (r *refusal) New() bool { return r.Since != 0 }

// rights is what there is to say of permissions.
type rights struct {
	New     []refusal // the newest first
	Ended   []refusal // what stopped, or of which nothing tells any more; the newest first
	Usual   []refusal // the largest first
	Changes []*change.Change
	Missing []string // metrics that would tell more and do not arrive
	Known   bool     // something tells of refusals now
}

// rightsKind reports whether a change is one of rights: of roles, bindings, the ServiceAccounts' secrets, or webhooks.
func rightsKind(k change.Kind) bool {
	return k == change.RBAC || k == change.Webhook || k == change.Secret
}

// rightsOf gathers them. Names of a cluster and a namespace narrow it; "" = all.
func rightsOf(v *baseline.View, snap *alerting.Snapshot, rules []RuleUse, cluster, namespace string) *rights {
	out := &rights{}
	in := func(c string, l series.Labels) bool {
		return (cluster == "" || c == cluster) && (namespace == "" || l.Get("namespace") == namespace)
	}
	for i := range v.Changes {
		if c := &v.Changes[i]; rightsKind(c.Kind) && c.Kind != change.Secret && in(c.Cluster, c.Entity) {
			out.Changes = append(out.Changes, c)
		}
	}
	slices.SortStableFunc(out.Changes, func(a, b *change.Change) int { return cmp.Compare(b.T, a.T) })
	seen := map[string]bool{}
	member := func(inc *alerting.Incident, m *alerting.Member) {
		if m.Rule == nil || m.Rule.Lesson != rightsLesson || !in(inc.Cluster, m.Entity) || seen[m.SignalID] {
			return
		}
		seen[m.SignalID] = true
		r := refusal{SignalID: m.SignalID, Rule: m.Rule, Cluster: inc.Cluster, Entity: m.Entity, Value: m.Value, Unit: m.Unit, Usual: m.WorstBand.Expected, Since: m.Onset, Ended: m.Ended, Incident: inc.ID}
		r.Silent = m.Ended == 0 && (m.State == model.Absent || math.IsNaN(m.Value)) || m.Ended != 0 && m.Ending == "gone"
		r.Easing = m.Ended == 0 && !r.Silent && !(m.Value > m.Band.Upper)
		worst := m.Ended != 0 || r.Easing || r.Silent
		if worst {
			r.Value = m.Worst
		}
		r.Text = m.Sentence(worst)
		r.Cause = causeOf(v.Changes, &r, r.Since)
		if r.Ended != 0 {
			if !r.Silent {
				r.Mend = causeOf(v.Changes, &r, r.Ended)
			}
			out.Ended = append(out.Ended, r)
			return
		}
		out.New = append(out.New, r)
	}
	for _, list := range [][]*alerting.Incident{snap.Open, snap.Closed} {
		for _, inc := range list {
			for k := range inc.Members {
				member(inc, &inc.Members[k])
			}
		}
	}
	for _, sv := range v.Signals {
		if sv.Signal.Rule.Lesson != rightsLesson || !in(sv.Signal.Entity.Get("cluster"), sv.Signal.Entity) || sv.State == model.Absent {
			continue
		}
		if out.Known = true; seen[sv.Signal.ID] {
			continue
		}
		r := refusal{SignalID: sv.Signal.ID, Rule: sv.Signal.Rule, Cluster: sv.Signal.Entity.Get("cluster"), Entity: sv.Signal.Entity, Value: sv.Value, Unit: sv.Signal.Rule.Unit, Usual: sv.Band.Expected, Text: asMember(sv).Sentence(false)}
		switch {
		case sv.State.Alarm():
			r.Since = sv.Since
			r.Cause = causeOf(v.Changes, &r, r.Since)
			out.New = append(out.New, r)
		case sv.Value > 0 && sv.Signal.Rule.Params.Bad == model.Up:
			out.Usual = append(out.Usual, r)
		}
	}
	newest := func(a, b refusal) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), strings.Compare(a.SignalID, b.SignalID))
	}
	slices.SortFunc(out.New, newest)
	slices.SortFunc(out.Ended, newest)
	slices.SortFunc(out.Usual, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), strings.Compare(a.SignalID, b.SignalID))
	})
	for i := range rules {
		if u := &rules[i]; u.Rule.Lesson == rightsLesson && u.Dormant() && (cluster == "" || u.Cluster == cluster) {
			out.Missing = append(out.Missing, u.Missing...)
		}
	}
	slices.Sort(out.Missing)
	out.Missing = slices.Compact(out.Missing)
	return out
}

// causeOf returns the change of rights that lies nearest to a refusal: first by what it is about, then by time. nil = none was just before. What is of another workload or namespace is none, however near in time: rights are
// changed all the time.
func causeOf(list []change.Change, r *refusal, at int64) *change.Change {
	var best *change.Change
	var how alerting.Nearness
	for i := range list {
		c := &list[i]
		if !rightsKind(c.Kind) || c.Cluster != r.Cluster || c.T < at-rightsBeforeMs || c.T > at+rightsAfterMs {
			continue
		}
		near := nearRights(r.Entity, c)
		if near == alerting.Apart {
			continue
		}
		if best == nil || near > how || near == how && gap(c.T, at) < gap(best.T, at) {
			best, how = c, near
		}
	}
	return best
}

// nearRights says how near a change of rights is to who is refused. A binding that bears a client's name is about it, wherever it is.
func nearRights(entity series.Labels, c *change.Change) alerting.Nearness {
	near := alerting.Near(entity, c)
	if w := entity.Get("workload"); w != "" && near < alerting.SameThing {
		name := c.Object[strings.LastIndexAny(c.Object, " /")+1:]
		if name == w || strings.HasPrefix(name, w+"-") || strings.HasPrefix(name, w+":") {
			return alerting.SameThing
		}
	}
	return near
}

func gap(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}

// verdict words what happened to whom, and after what.
func (r *refusal) verdict(now int64) string {
	text := strings.TrimSuffix(r.Text, ".")
	if r.Cause != nil && r.New() {
		text = "After " + r.Cause.Object + " changed at " + shortClock(now, r.Cause.T) + ": " + text
	}
	switch {
	case !r.New():
		return text + ", as ever"
	case !(r.Usual > 0):
		text += ", never before"
	case r.Usual < r.Value/100:
		text += ", hardly ever before"
	case !strings.Contains(text, "(normal "): // the sentence says it already
		text += ", usually " + alerting.Quantity(r.Usual, r.Unit)
	}
	if r.Cause == nil {
		text += "; no change of rights was seen just before"
	}
	switch {
	case r.Silent && r.Ended == 0:
		return text + "; there is no data any more: whether it stopped is not known"
	case r.Silent:
		return text + "; there has been no data since " + shortClock(now, r.Ended) + ": whether it stopped is not known"
	case r.Easing:
		return text + "; it is back to what is usual, and watched"
	case r.Ended == 0:
		return text
	}
	text += "; it stopped at " + shortClock(now, r.Ended)
	if r.Mend != nil && r.Mend != r.Cause {
		text += " after " + r.Mend.Object + " changed at " + shortClock(now, r.Mend.T)
	}
	return text
}

// auditCommand tells what metrics do not: verb, resource and user of what is refused.
func (r *refusal) auditCommand() string {
	filter := `select(.responseStatus.code==403 or .responseStatus.code==401)`
	if w, ns := r.Entity.Get("workload"), r.Entity.Get("namespace"); w != "" && ns != "" {
		filter = `select(.responseStatus.code==403 and (.user.username|startswith("system:serviceaccount:` + shellWord(ns) + `:")))`
	}
	return `jq -r '` + filter + ` | [.user.username,.verb,.objectRef.resource,.objectRef.namespace] | @tsv' /var/log/kubernetes/audit.log | sort | uniq -c | sort -rn | head`
}

// shellWord keeps of a name what a Kubernetes name may hold, so that nothing breaks out of a command.
func shellWord(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			return c
		}
		return -1
	}, s)
}
