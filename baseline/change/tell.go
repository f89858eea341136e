package change

import (
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// entityOf returns an object's labels, and its name for people.
func (tk *Tracker) entityOf(o *object) (series.Labels, string) {
	var l series.Labels
	add := func(name, value string) {
		if value != "" {
			l = append(l, series.Label{Name: name, Value: value})
		}
	}
	switch o.what {
	case watchSet, watchImage, watchRevision, watchReplicas, watchLimits, watchRestart, watchHPA, watchProgress, whatRollout:
		add(identity.LabelNamespace, o.ns)
		add(identity.LabelWorkload, o.name)
		kind, word := o.kind, o.kind
		switch o.what {
		case watchHPA:
			kind, word = "", "autoscaler"
		case whatRollout:
			kind, word = o.sub, o.sub
		}
		add(identity.LabelWorkloadType, kind)
		return l, word + " " + slashed(o.ns, o.name)
	case watchCordon, watchBoot, watchNode:
		n := o.name
		if o.what == watchBoot {
			n = tk.book.NodeNamed(n)
		}
		add(identity.LabelNode, n)
		return l, "node " + n
	case watchVersion:
		add(identity.LabelNamespace, o.ns)
		return l, o.kind + " " + slashed(o.ns, o.name)
	case watchBuild:
		if o.kind == o.name {
			return l, o.kind
		}
		return l, o.kind + " of job " + o.name
	}
	return l, o.name
}

// appeared tells of an object that was not there before.
func (tk *Tracker) appeared(o *object) {
	switch o.what {
	case watchNode:
		tk.tell(o, NodeNew, o.sinceT, "", "", 0)
	case watchVersion:
		if _, kind := versioned("kube_" + o.kind + "_metadata_resource_version"); kind == RBAC || kind == Webhook {
			tk.tell(o, kind, o.sinceT, "", "created", 0)
		}
	}
}

// changed tells of an object that has another value than before.
func (tk *Tracker) changed(oi uint32, from, to fact) {
	o := &tk.objects[oi]
	number := func(f fact) float64 { return math.Float64frombits(f.bits) }
	switch o.what {
	case watchSet:
		tk.tell(o, Rollout, to.firstT, from.text, to.text, windowMs)
	case watchImage:
		// Its ReplicaSet may be told a scrape later.
		tk.tell(o, Rollout, to.firstT, from.text, to.text, windowMs)
	case watchRevision:
		tk.tell(o, Rollout, to.firstT, from.text, to.text, windowMs)
	case watchReplicas:
		by := ""
		if _, ok := tk.at[objectKey{watchHPA, o.ns, o.name, "desired"}]; ok {
			by = " by its autoscaler"
		}
		tk.tell(o, Scale, to.firstT, amount("", number(from)), amount("", number(to))+by, 0)
		if number(to) == 0 {
			o.went(to.firstT, by != "")
		}
	case watchHPA:
		if o.sub == "desired" {
			for _, kind := range [...]string{identity.Deployment, identity.StatefulSet} {
				if _, ok := tk.at[objectKey{watchReplicas, o.ns, o.name, kind}]; ok {
					return // told of the workload itself
				}
			}
			tk.tell(o, Scale, to.firstT, amount("", number(from)), amount("", number(to)), 0)
			return
		}
		tk.tell(o, HPA, to.firstT, o.sub+" "+amount("", number(from)), o.sub+" "+amount("", number(to)), 0)
	case watchLimits:
		container, which, _ := strings.Cut(o.sub, "\x00")
		_, resource, _ := strings.Cut(which, " ")
		which, _, _ = strings.Cut(which, " ")
		if container != "" && container != o.name {
			which = container + " " + which
		}
		tk.tell(o, Limits, to.firstT, which+" "+amount(resource, number(from)), which+" "+amount(resource, number(to)), windowMs)
	case watchCordon:
		if number(to) == 1 {
			tk.tell(o, Cordon, to.firstT, "", "", 0)
			if o.until == 0 {
				tk.cordons = append(tk.cordons, oi)
			}
			o.pods, o.until = tk.podsOn(o.name, to.firstT-windowMs, false), to.firstT+drainMs
			return
		}
		tk.tell(o, Uncordon, to.firstT, "", "", 0)
	case watchBoot:
		if number(to) > number(from) {
			tk.tell(o, Reboot, to.firstT, "", stampMinute(number(to)), 0)
		}
	case watchNode:
		a, b := strings.Split(from.text, "\x00"), strings.Split(to.text, "\x00")
		was, is := "", ""
		for i, p := range nodeParts {
			if i < len(a) && i < len(b) && a[i] != b[i] {
				was, is = joinTexts(was, p.word+" "+a[i]), joinTexts(is, p.word+" "+b[i])
			}
		}
		if is != "" {
			tk.tell(o, Version, to.firstT, was, is, 0)
		}
	case watchBuild:
		tk.tell(o, Version, to.firstT, from.text, to.text, 0)
	case watchVersion:
		_, kind := versioned("kube_" + o.kind + "_metadata_resource_version")
		tk.tell(o, kind, to.firstT, "", "", 0)
	}
}

// tell queues a change for the window that closes next, or that at the end of which holdMs have passed, so that what belongs
// together is told together. An object that changes all the time is silent until it has rested.
func (tk *Tracker) tell(o *object, kind Kind, t int64, from, to string, holdMs int64) {
	for o.spent > 0 && o.lastT-o.refillT >= refillMs {
		o.spent--
		o.refillT += refillMs
	}
	most := uint8(6)
	if kind == Scale {
		most = 24
	}
	if o.spent == 0 || o.spent >= most {
		o.refillT = o.lastT
	}
	if o.spent >= most || len(tk.pending) >= pendingMax {
		tk.counts.Held++
		return
	}
	o.spent++
	entity, name := tk.entityOf(o)
	ch := Change{T: t, Kind: kind, Cluster: tk.cluster, Entity: entity, Object: name, From: cutText(from), To: cutText(to), by: 1 << o.what}
	if n := entity.Get(identity.LabelNode); n != "" {
		ch.Works = tk.worksOn(n)
	}
	hold := t
	if holdMs > 0 {
		hold = o.lastT + holdMs
	}
	tk.pending = append(tk.pending, pendingChange{ch, hold})
}

// Settle finds what has happened by the end of a window and returns the changes to hand on with it. The slice is borrowed until the next call; what is in it stays as it is.
func (tk *Tracker) Settle(end int64) []Change {
	tk.told = tk.told[:0]
	if len(tk.restarts) > 0 {
		tk.tellRestarts(end)
	}
	if len(tk.cordons) > 0 {
		tk.lookForDrains(end)
	}
	if len(tk.rolls) > 0 {
		tk.followRollouts(end)
	}
	if tk.sweepIn--; tk.sweepIn <= 0 {
		tk.sweepIn = sweepEvery
		tk.lookForGone(end)
	}
	if len(tk.pending) == 0 {
		return nil
	}
	kept := tk.pending[:0]
	for _, p := range tk.pending {
		if p.holdT > end {
			kept = append(kept, p)
			continue
		}
		tk.told = append(tk.told, p.Change)
	}
	clear(tk.pending[len(kept):])
	tk.pending = kept
	tk.told = gather(tk.told)
	tk.told = slices.DeleteFunc(tk.told, func(ch Change) bool {
		if ch.Kind != Rollout {
			return false
		}
		// A ReplicaSet and its pods' images are one rollout, although they may show minutes apart.
		i := tk.object(objectKey{what: whatRollout, ns: ch.Entity.Get(identity.LabelNamespace), name: ch.Entity.Get(identity.LabelWorkload), sub: ch.Entity.Get(identity.LabelWorkloadType)}, "", 0)
		if i == None {
			return false
		}
		o := &tk.objects[i]
		o.aliveT = max(o.aliveT, end)
		near := o.toldT != 0 && ch.T < o.toldT+rolloutMs && ch.T > o.toldT-rolloutMs
		again := o.rollT == 0 && o.until != 0 && ch.T > o.until // the one that was told has ended since
		if near && !again && len(o.facts) > 0 && o.facts[0].bits&uint64(ch.by) == 0 {
			o.facts[0].bits |= uint64(ch.by)
			tk.counts.Held++
			return true
		}
		o.toldT = ch.T
		tk.rolling(i, ch.T)
		o.facts = append(o.facts[:0], fact{bits: uint64(ch.by), firstT: ch.T, lastT: ch.T, known: true})
		return false
	})
	for i := range tk.told {
		tk.told[i].by = 0
	}
	tk.counts.Told += int64(len(tk.told))
	return tk.told
}

// tellRestarts tells of restarts once their reason has had time to arrive, and not more often than every ten minutes.
func (tk *Tracker) tellRestarts(end int64) {
	kept := tk.restarts[:0]
	for _, oi := range tk.restarts {
		o := &tk.objects[oi]
		if end < o.pendT+windowMs || o.toldT != 0 && end < o.toldT+restartMs {
			kept = append(kept, oi)
			continue
		}
		kind, to := Restart, ""
		if o.oom {
			kind = OOM
		}
		if o.sub != "" && o.sub != o.name {
			to = "container " + o.sub
		}
		if o.pendN != 1 {
			to = joinTexts(to, amount("", float64(o.pendN))+" times")
		}
		tk.tell(o, kind, o.pendT, "", to, 0)
		o.toldT, o.pendT, o.pendN, o.pendPod, o.oom = end, 0, 0, "", false
	}
	tk.restarts = kept
}

// lookForGone tells of nodes, roles and webhooks that are no longer listed while their like are.
func (tk *Tracker) lookForGone(end int64) {
	for i := range tk.objects {
		o := &tk.objects[i]
		if o.what == watchLimits && !o.gone && o.lastT != 0 {
			tk.lookForRemovedLimit(o, end)
			continue
		}
		if o.what == watchReplicas && !o.gone && o.lastT != 0 {
			tk.lookForDeleted(o, end)
			continue
		}
		if o.what != watchNode && o.what != watchVersion || o.gone || o.lastT == 0 {
			continue
		}
		f := tk.families[o.fam]
		ended := o.endT != 0 && f.lastT-o.endT >= goneMs
		if !ended && f.lastT-o.lastT < silentMs || f.sinceT > o.lastT {
			continue
		}
		o.gone = true
		at := o.lastT
		if o.endT != 0 {
			at = o.endT
		}
		if tk.young(end) {
			continue
		}
		switch {
		case o.what == watchNode:
			tk.tell(o, NodeGone, at, "", "", 0)
		default:
			if _, kind := versioned("kube_" + o.kind + "_metadata_resource_version"); kind == RBAC || kind == Webhook {
				tk.tell(o, kind, at, "", "deleted", 0)
			}
		}
	}
}

// lookForRemovedLimit tells of a limit or request that a workload's pods no longer have while the container is still there.
func (tk *Tracker) lookForRemovedLimit(o *object, end int64) {
	container, which, _ := strings.Cut(o.sub, "\x00")
	i, ok := tk.at[objectKey{watchImage, o.ns, o.name, container}]
	if !ok || len(o.facts) == 0 || tk.objects[i].lastT-o.lastT < goneMs || tk.families[o.fam].lastT-o.lastT < goneMs {
		return
	}
	o.gone = true
	if tk.young(end) {
		return
	}
	_, resource, _ := strings.Cut(which, " ")
	which, _, _ = strings.Cut(which, " ")
	if container != "" && container != o.name {
		which = container + " " + which
	}
	was := math.Float64frombits(o.facts[len(o.facts)-1].bits)
	tk.tell(o, Limits, o.lastT, which+" "+amount(resource, was), "none", 0)
}
