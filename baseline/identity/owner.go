package identity

import "strings"

// why says by which rule a pod was folded into a workload.
type why uint8

const (
	whyNothing why = iota
	whyOwner
	whySetOwner
	whySetName
	whyJobOwner
	whyJobName
	whyNode
	whyPodOwner
	whyNoOwner
	whyNodeName
	whyName
	whyCut
	whySerial
	whyEnded
)

// String says it in words.
func (w why) String() string {
	return [...]string{
		"nothing known", "kube_pod_owner names it", "kube_pod_owner names a ReplicaSet, kube_replicaset_owner its owner",
		"kube_pod_owner names a ReplicaSet, and its name ends in a template hash", "kube_pod_owner names a Job, kube_job_owner its owner",
		"kube_pod_owner names a Job, and its name tells the rest", "kube_pod_owner names a node: a static pod",
		"kube_pod_owner names a pod, whose owner it is", "kube_pod_owner says that nothing owns it", "its name ends in a node's: a static pod",
		"its name, no owner data has come", "its name, which was cut at 63 characters: its workload is not known before owner data comes",
		"pods of names like its live for minutes: they are one workload", "it has run for less than an hour, and is no workload of its own",
	}[w%14]
}

// workloadOf derives a pod's workload from what is known now.
func (b *Book) workloadOf(p *pod) (work, kind string, because why, sure bool) {
	if p.owned {
		return b.ofOwner(p, 0)
	}
	if n := p.node; n != "" {
		if base, ok := strings.CutSuffix(p.name, "-"+n); ok && base != "" {
			return base, Static, whyNodeName, true
		}
	}
	if len(b.nodes) > 0 {
		for i := 0; i < len(p.name); i++ {
			if p.name[i] == '-' && i > 0 {
				if _, ok := b.nodes[p.name[i+1:]]; ok {
					return p.name[:i], Static, whyNodeName, true
				}
			}
		}
	}
	base, kind, whole := WorkloadOf(p.name)
	if !whole {
		return base, kind, whyCut, false
	}
	return base, kind, whyName, false
}

// ofOwner follows what owner data names; depth is how many pods it has come through.
func (b *Book) ofOwner(p *pod, depth int) (work, kind string, because why, sure bool) {
	name := p.ownerName
	switch p.ownerKind {
	case "":
		return p.name, BarePod, whyNoOwner, true
	case "ReplicaSet":
		if work, kind, because := b.ofSet(p.ns, name); because != whyNothing {
			return work, kind, because, true
		}
		return name, ReplicaSet, whyOwner, true
	case "Job":
		if work, kind, because := b.ofJob(p.ns, name); because != whyNothing {
			return work, kind, because, true
		}
		return name, Job, whyOwner, true
	case "Node":
		base, ok := strings.CutSuffix(p.name, "-"+name)
		if !ok || base == "" {
			base = p.name
		}
		return base, Static, whyNode, true
	case "Pod":
		if i, ok := b.podAt[key{p.ns, name}]; ok && depth == 0 && b.pods[i].owned {
			work, kind, _, sure = b.ofOwner(&b.pods[i], 1)
			return work, kind, whyPodOwner, sure
		}
		return name, BarePod, whyPodOwner, true
	}
	return name, strings.ToLower(p.ownerKind), whyOwner, true
}

// ofSet returns the workload that a ReplicaSet is of; whyNothing says that it is its own.
func (b *Book) ofSet(ns, name string) (work, kind string, because why) {
	base, ok := setBase(name)
	return through(b.sets, key{ns, name}, whySetOwner, base, ok, Deployment, whySetName)
}

// ofJob returns the workload that a Job is of; whyNothing says that it is its own.
func (b *Book) ofJob(ns, name string) (work, kind string, because why) {
	base, ok := jobBase(name)
	return through(b.jobs, key{ns, name}, whyJobOwner, base, ok, CronJob, whyJobName)
}

// through follows what is between a pod and its workload: to the owner that is known, else, when the name tells (named), to base.
func through(owners map[key]owner, k key, byOwner why, base string, named bool, kind string, byName why) (string, string, why) {
	o, known := owners[k]
	switch {
	case known && o.name != "":
		return o.name, strings.ToLower(o.kind), byOwner
	case !known && named:
		return base, kind, byName
	}
	return "", "", whyNothing
}

// KnowsSet reports whether a ReplicaSet's owner is known.
func (b *Book) KnowsSet(ns, name string) bool {
	_, ok := b.sets[key{ns, name}]
	return ok
}
