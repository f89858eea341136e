package signal

import (
	"math"
	"strings"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// How rollouts go on and end. That one began is told by what it brings (a ReplicaSet, an image, a revision) or by updated replicas that
// become fewer while as many are wanted, which is what going back to a ReplicaSet that is still there looks like. It has ended when the controller
// has seen the newest specification and all replicas are updated and available.

const (
	rolloutLeastMs = 180_000                    // no rollout is late before this
	rolloutLate    = 3                          // × its usual length after which one is
	rolloutFirstMs = 600_000                    // … while none of the workload has ended yet, so that nobody knows its usual length,
	rolloutEachMs  = 90_000                     // in any case each replica may take so long: more are wanted on some days than on others
	rolloutLostMs  = 24 * 60 * windowMs         // one that takes longer, or of which nothing is heard, is not followed any further
	progressMs     = promql.Lookback * windowMs // what was said of a workload holds for this long
)

// The slots of a progress object: what its facts are about.
const (
	slotWant      = "want" // replicas wanted; of Deployments and StatefulSets the object of watchReplicas says it
	slotUpdated   = "updated"
	slotAvailable = "available"
	slotAsked     = "asked" // generation of the specification
	slotSeen      = "seen"  // generation that the controller has acted upon
	slotMissing   = "may miss"
	slotFailed    = "failed" // 1 = the controller has given up
	slotAll       = "all"    // replicas of every version
)

// progressMetrics say how far workloads are: kind and slot of each.
var progressMetrics = map[string]struct{ kind, slot string }{
	"kube_deployment_metadata_generation":                         {kindDeployment, slotAsked},
	"kube_deployment_status_observed_generation":                  {kindDeployment, slotSeen},
	"kube_deployment_status_replicas_updated":                     {kindDeployment, slotUpdated},
	"kube_deployment_status_replicas":                             {kindDeployment, slotAll},
	"kube_deployment_status_replicas_available":                   {kindDeployment, slotAvailable},
	"kube_deployment_spec_strategy_rollingupdate_max_unavailable": {kindDeployment, slotMissing},
	"kube_deployment_status_condition":                            {kindDeployment, slotFailed},
	"kube_statefulset_metadata_generation":                        {kindStatefulSet, slotAsked},
	"kube_statefulset_status_observed_generation":                 {kindStatefulSet, slotSeen},
	"kube_statefulset_status_replicas_updated":                    {kindStatefulSet, slotUpdated},
	"kube_statefulset_status_replicas_available":                  {kindStatefulSet, slotAvailable},
	"kube_daemonset_metadata_generation":                          {kindDaemonSet, slotAsked},
	"kube_daemonset_status_observed_generation":                   {kindDaemonSet, slotSeen},
	"kube_daemonset_status_updated_number_scheduled":              {kindDaemonSet, slotUpdated},
	"kube_daemonset_status_number_available":                      {kindDaemonSet, slotAvailable},
	"kube_daemonset_status_desired_number_scheduled":              {kindDaemonSet, slotWant},
}

// withProgress adds progressMetrics to the watched metrics.
func withProgress(m map[string]watchKind) map[string]watchKind {
	for name := range progressMetrics {
		m[name] = watchProgress
	}
	return m
}

// progressOf returns the object of a workload that a series of progressMetrics speaks of and the slot; ok is false when it speaks of none.
func progressOf(metric string, get func(string) string) (k objectKey, slot string, ok bool) {
	p := progressMetrics[metric]
	if p.slot == slotFailed && (get("condition") != "Progressing" || get("status") != "false") {
		return k, "", false
	}
	k = objectKey{what: watchProgress, ns: get(labelNamespace), name: get(p.kind), sub: p.kind}
	return k, p.slot, k.name != ""
}

// progressed takes a sample of a progress object.
func (c *cluster) progressed(s *Stream, o *object, slot string, x *series.Sample) {
	f := o.slot(slot)
	if f == nil {
		if len(o.facts) >= factsMax {
			return
		}
		o.facts = append(o.facts, fact{text: slot, bits: math.Float64bits(x.V), firstT: x.T, lastT: x.T, known: true})
		return
	}
	if x.T <= f.lastT {
		return
	}
	was := math.Float64frombits(f.bits)
	gap := x.T-f.lastT > changeGapMs
	f.lastT = x.T
	if was == x.V {
		return
	}
	f.bits, f.firstT = math.Float64bits(x.V), x.T
	if gap || c.young(x.T) {
		return
	}
	// It began anew when fewer are updated though as many are wanted as before, and the specification is another. Which of the two is heard first
	// depends on the sender's shards; known is false of updated in between.
	u, asked := o.slot(slotUpdated), o.slot(slotAsked)
	want, since := c.wanted(o)
	if slot == slotUpdated {
		u.known = !(x.V < was && was >= want && want > 0 && since < x.T-2*windowMs)
	}
	if u != nil && asked != nil && !u.known && max(u.firstT-asked.firstT, asked.firstT-u.firstT) < 2*windowMs {
		u.known = true
		c.tell(s, o, ChangeRollout, min(u.firstT, asked.firstT), "", "", 3*windowMs) // what it brings has more to say, and is told first when there is any
	}
}

// slot returns the fact of a progress object's slot, nil when nothing was said.
func (o *object) slot(name string) *fact {
	for i := range o.facts {
		if o.facts[i].text == name {
			return &o.facts[i]
		}
	}
	return nil
}

// wanted returns how many replicas a workload should have and since when; 0 when that is not known.
func (c *cluster) wanted(o *object) (n float64, since int64) {
	f := o.slot(slotWant)
	if o.sub != kindDaemonSet {
		i, ok := c.changes.at[objectKey{watchReplicas, o.ns, o.name, o.sub}]
		if !ok || len(c.changes.objects[i].facts) == 0 {
			return 0, 0
		}
		facts := c.changes.objects[i].facts
		f = &facts[len(facts)-1]
	}
	if f == nil {
		return 0, 0
	}
	return math.Float64frombits(f.bits), f.firstT
}

// progress is how far a workload is.
type progress struct {
	want, updated, available float64
	mayMiss                  float64
	done, failed             bool
	sinceT                   int64 // of what was said newest: since when it is as it is
	heardT                   int64 // oldest of the newest words
}

// progress returns how far a workload is at the end of a window; ok is false while that is not known.
func (c *cluster) progress(o *object, end int64) (p progress, ok bool) {
	p.heardT = math.MaxInt64
	p.mayMiss = 1
	asked, seen, all := 0., 0., 0.
	n := 0
	for i := range o.facts {
		f := &o.facts[i]
		v := math.Float64frombits(f.bits)
		if f.text == slotMissing {
			p.mayMiss = v // it hardly ever changes
			continue
		}
		if f.lastT <= end-progressMs {
			continue
		}
		switch f.text {
		case slotFailed:
			p.failed = v == 1
			continue
		case slotAsked:
			asked = v
		case slotSeen:
			seen = v
		case slotAll:
			all = v
		case slotUpdated:
			p.updated = v
			n++
		case slotAvailable:
			p.available = v
			n++
		}
		p.sinceT, p.heardT = max(p.sinceT, f.firstT), min(p.heardT, f.lastT)
	}
	p.want, _ = c.wanted(o)
	// Available ones count whatever their version: while an old one is left it may stand in for a new one that does not get ready.
	p.done = seen >= asked && p.updated >= p.want && p.available >= p.want && all <= p.updated
	return p, n == 2
}

// progressAt returns the progress object of the workload of a rollout object.
func (c *cluster) progressAt(o *object) *object {
	i, ok := c.changes.at[objectKey{watchProgress, o.ns, o.name, o.sub}]
	if !ok {
		return nil
	}
	return &c.changes.objects[i]
}

// lateAfter is for how long, in ms, a rollout of a workload that wants so many replicas may take before it is late.
func (o *object) lateAfter(want float64) int64 {
	each := int64(min(want, 1e6)) * rolloutEachMs
	if o.usual == 0 {
		return max(rolloutFirstMs, each)
	}
	return max(rolloutLeastMs, rolloutLate*o.usual, each)
}

// followRollouts looks for rollouts that have ended or are late, at the end of a window.
func (c *cluster) followRollouts(s *Stream, end int64) {
	kept := c.changes.rolls[:0]
	for _, oi := range c.changes.rolls {
		o := &c.changes.objects[oi]
		pr := c.progressAt(o)
		if pr == nil || end-o.rollT > rolloutLostMs {
			o.rollT, o.late = 0, false
			continue
		}
		o.aliveT, o.lastT = max(o.aliveT, end), end
		p, ok := c.progress(pr, end)
		if !ok || p.heardT <= o.rollT {
			kept = append(kept, oi)
			continue
		}
		if p.done {
			o.until = max(p.sinceT, o.rollT)
			took := o.until - o.rollT
			if o.usual == 0 {
				o.usual = max(took, 1)
			} else {
				o.usual += (took - o.usual) / 4
			}
			c.tell(s, o, ChangeRolled, o.until, "", "after "+rolloutTime(took), 0)
			o.rollT, o.late = 0, false
			continue
		}
		if !o.late && (p.failed || end-o.rollT > o.lateAfter(p.want)) {
			o.late = true
			why := "after " + rolloutTime(end-o.rollT) + " " + amount("", p.updated) + " of " + amount("", p.want) + " are updated, " + amount("", p.available) + " available"
			c.tell(s, o, ChangeStuck, end, "", why, 0)
		}
		kept = append(kept, oi)
	}
	c.changes.rolls = kept
}

// rolling notes that a rollout of o began at t.
func (c *cluster) rolling(oi uint32, t int64) {
	o := &c.changes.objects[oi]
	if o.rollT == 0 {
		c.changes.rolls = append(c.changes.rolls, oi)
	}
	o.rollT, o.late = t, false
}

// rolloutTime writes ms as people do.
func rolloutTime(ms int64) string {
	if ms < 120_000 {
		return amount("", math.Round(float64(ms)/1000)) + " s"
	}
	return amount("", math.Round(float64(ms)/60_000)) + " min"
}

// newerVersion reports whether version a is newer than b: numbers in it are compared as numbers.
func newerVersion(a, b string) bool {
	x, y := versionParts(a), versionParts(b)
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		if isDigit(x[i][0]) && isDigit(y[i][0]) {
			p, q := strings.TrimLeft(x[i], "0"), strings.TrimLeft(y[i], "0")
			if len(p) != len(q) {
				return len(p) > len(q)
			}
			return p > q
		}
		return x[i] > y[i]
	}
	return len(x) > len(y)
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// versionParts splits a version where digits begin or end.
func versionParts(v string) (parts []string) {
	for len(v) > 0 {
		n := 1
		for n < len(v) && isDigit(v[n]) == isDigit(v[0]) {
			n++
		}
		parts = append(parts, v[:n])
		v = v[n:]
	}
	return parts
}
