package change

import (
	"math"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// How rollouts go on and end. That one began is told by what it brings (a ReplicaSet, an image, a revision) or by updated replicas that
// become fewer while as many are wanted, which is what going back to a ReplicaSet that is still there looks like. It has ended when the controller
// has seen the newest specification and all replicas are updated and available.

const (
	rolloutLeastMs = 180_000            // no rollout is late before this
	rolloutLate    = 3                  // × its usual length after which one is
	rolloutFirstMs = 600_000            // … while None of the workload has ended yet, so that nobody knows its usual length,
	rolloutEachMs  = 90_000             // in any case each replica may take so long: more are wanted on some days than on others
	rolloutLostMs  = 24 * 60 * windowMs // one that takes longer, or of which nothing is heard, is not followed any further
	progressMs     = 5 * windowMs       // what was said of a workload holds for this long
)

// progressOf returns the object of a workload that a series of progressMetrics speaks of and the slot; ok is false when it speaks of None.
func progressOf(metric string, get func(string) string) (k objectKey, slot string, ok bool) {
	p := progressMetrics[metric]
	if p.slot == slotFailed && (get("condition") != "Progressing" || get("status") != "false") {
		return k, "", false
	}
	k = objectKey{what: watchProgress, ns: get(identity.LabelNamespace), name: get(p.kind), sub: p.kind}
	return k, p.slot, k.name != ""
}

// progressed takes a sample of a progress object.
func (tk *Tracker) progressed(o *object, slot string, x *series.Sample) {
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
	gap := x.T-f.lastT > gapMs
	f.lastT = x.T
	if was == x.V {
		return
	}
	f.bits, f.firstT = math.Float64bits(x.V), x.T
	if gap || tk.young(x.T) {
		return
	}
	// It began anew when fewer are updated though as many are wanted as before, and the specification is another. Which of the two is heard first
	// depends on the sender's shards; known is false of updated in between.
	u, asked := o.slot(slotUpdated), o.slot(slotAsked)
	want, since := tk.wanted(o)
	if slot == slotUpdated {
		u.known = !(x.V < was && was >= want && want > 0 && since < x.T-2*windowMs)
	}
	if u != nil && asked != nil && !u.known && max(u.firstT-asked.firstT, asked.firstT-u.firstT) < 2*windowMs {
		u.known = true
		tk.tell(o, Rollout, min(u.firstT, asked.firstT), "", "", 3*windowMs) // what it brings has more to say, and is told first when there is any
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
func (tk *Tracker) wanted(o *object) (n float64, since int64) {
	f := o.slot(slotWant)
	if o.sub != identity.DaemonSet {
		i, ok := tk.at[objectKey{watchReplicas, o.ns, o.name, o.sub}]
		if !ok || len(tk.objects[i].facts) == 0 {
			return 0, 0
		}
		facts := tk.objects[i].facts
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
func (tk *Tracker) progress(o *object, end int64) (p progress, ok bool) {
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
	p.want, _ = tk.wanted(o)
	// Available ones count whatever their version: while an old one is left it may stand in for a new one that does not get ready.
	p.done = seen >= asked && p.updated >= p.want && p.available >= p.want && all <= p.updated
	return p, n == 2
}

// progressAt returns the progress object of the workload of a rollout object.
func (tk *Tracker) progressAt(o *object) *object {
	i, ok := tk.at[objectKey{watchProgress, o.ns, o.name, o.sub}]
	if !ok {
		return nil
	}
	return &tk.objects[i]
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
func (tk *Tracker) followRollouts(end int64) {
	kept := tk.rolls[:0]
	for _, oi := range tk.rolls {
		o := &tk.objects[oi]
		pr := tk.progressAt(o)
		if pr == nil || end-o.rollT > rolloutLostMs {
			o.rollT, o.late = 0, false
			continue
		}
		o.aliveT, o.lastT = max(o.aliveT, end), end
		p, ok := tk.progress(pr, end)
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
			tk.tell(o, Rolled, o.until, "", "after "+rolloutTime(took), 0)
			o.rollT, o.late = 0, false
			continue
		}
		if !o.late && (p.failed || end-o.rollT > o.lateAfter(p.want)) {
			o.late = true
			why := "after " + rolloutTime(end-o.rollT) + " " + amount("", p.updated) + " of " + amount("", p.want) + " are updated, " + amount("", p.available) + " available"
			tk.tell(o, Stuck, end, "", why, 0)
		}
		kept = append(kept, oi)
	}
	tk.rolls = kept
}

// rolling notes that a rollout of o began at t.
func (tk *Tracker) rolling(oi uint32, t int64) {
	o := &tk.objects[oi]
	if o.rollT == 0 {
		tk.rolls = append(tk.rolls, oi)
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

// RolloutView is how the rollout of a workload stands.
type RolloutView struct {
	Workload series.Labels // namespace, workload and workload_type, as far as they are known
	LateS    float64       // for how long it has been late, seconds; 0 = it is not, or there is none under way
	Short    float64       // share of the wanted replicas that it misses beyond what it may; 0 likewise
}

// Rollouts yields how the rollouts of all workloads stand at the end of a window of which that is known, in the order in which the workloads were first heard of.
func (tk *Tracker) Rollouts(end int64, yield func(RolloutView)) {
	for i := range tk.objects {
		pr := &tk.objects[i]
		if pr.what != watchProgress {
			continue
		}
		p, ok := tk.progress(pr, end)
		if !ok {
			continue
		}
		v := RolloutView{Workload: pr.workLabels()}
		if ri, ok := tk.at[objectKey{whatRollout, pr.ns, pr.name, pr.sub}]; ok {
			if o := &tk.objects[ri]; o.rollT != 0 && !p.done {
				if p.want > 0 {
					v.Short = max(0, p.want-p.available-p.mayMiss) / p.want
				}
				if p.failed {
					v.LateS = float64(end-o.rollT) / 1000
				} else {
					v.LateS = max(0, float64(end-o.rollT-o.lateAfter(p.want))/1000)
				}
			}
		}
		yield(v)
	}
}

// workLabels returns the labels of the workload of an object.
func (o *object) workLabels() series.Labels {
	var l series.Labels
	for _, x := range [...]series.Label{{Name: identity.LabelNamespace, Value: o.ns}, {Name: identity.LabelWorkload, Value: o.name}, {Name: identity.LabelWorkloadType, Value: o.sub}} {
		if x.Value != "" {
			l = append(l, x)
		}
	}
	return l
}
