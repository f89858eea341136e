package change

import (
	"math"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// A workload that is scaled to zero or deleted has no replicas that could fail: it is gone, which is news once and no trouble. What goes every night or every
// weekend is not news the second time.
const (
	newsMs  = 30 * windowMs          // for how long it is news
	againMs = 8 * 24 * 60 * windowMs // what went within this before went as it does
)

// went notes that a workload has gone to zero, or was deleted. What an autoscaler does is its business.
func (o *object) went(at int64, scaler bool) {
	o.pods = 0
	if !scaler && (o.until == 0 || at-o.until > againMs) {
		o.pods = 1
	}
	o.until = at
}

// wanted returns how many replicas a workload was last known to want.
func (o *object) wanted() float64 {
	for _, f := range o.facts {
		if f.known {
			return math.Float64frombits(f.bits)
		}
	}
	return 0
}

// lookForDeleted tells of a workload that is no longer listed while kube-state-metrics goes on, and none of whose pods is heard of: where pods live on, it is
// only not told of any more.
func (tk *Tracker) lookForDeleted(o *object, end int64) {
	listed := int64(0) // newest word on anything that is listed
	for name, i := range families {
		if strings.HasPrefix(name, "kube_") {
			listed = max(listed, tk.families[i].lastT)
		}
	}
	at, least := o.lastT, int64(silentMs)
	if o.endT != 0 {
		at, least = o.endT, goneMs
	}
	if listed-at < least || tk.families[o.fam].sinceT > o.lastT {
		return
	}
	for p := range uint32(tk.book.Pods()) {
		if v := tk.book.View(p); v.Namespace == o.ns && v.Workload == o.name && tk.heard(p, at, true) {
			return
		}
	}
	o.gone = true
	if tk.young(end) {
		return
	}
	tk.tell(o, Gone, at, "", "", 0)
	if o.wanted() > 0 {
		o.went(at, false)
	}
}

// Departed calls yield for every workload that has gone within the last hour: its labels, among them how it went, and 1 while that is news.
func (tk *Tracker) Departed(end int64, yield func(w series.Labels, news float64)) {
	for i := range tk.objects {
		o := &tk.objects[i]
		if o.what != watchReplicas || o.until == 0 || end-o.until > 2*newsMs {
			continue
		}
		how, news := "scaled to zero", 0.
		if o.gone {
			how = "deleted"
		}
		if o.pods == 1 && end-o.until <= newsMs && (o.gone || o.wanted() == 0) {
			news = 1
		}
		yield(series.Labels{{Name: "how", Value: how}, {Name: identity.LabelNamespace, Value: o.ns}, {Name: identity.LabelWorkload, Value: o.name},
			{Name: identity.LabelWorkloadType, Value: o.kind}}, news)
	}
}
