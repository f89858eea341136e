package identity

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// objects are the labels by which kube-state-metrics names a workload, and the kind of each.
var objects = []struct{ label, kind string }{
	{"deployment", Deployment}, {"statefulset", StatefulSet}, {"daemonset", DaemonSet}, {"cronjob", CronJob},
	{"job_name", Job}, {"replicaset", ReplicaSet},
}

// Place appends to dst what the identity of a series is derived from when that is not its pod: the labels of an object that kube-state-metrics names, a node, or
// the host of its instance. hosted reports the last: the answer may become another when nodes become known (see Settle).
func (b *Book) Place(f Fact, metric string, v *View, ofPod bool, dst series.Labels) (place series.Labels, hosted bool) {
	kube := strings.HasPrefix(metric, "kube_")
	l := dst
	add := func(name string) bool {
		x := v.Get(name)
		if x != "" {
			l = append(l, series.Label{Name: name, Value: x})
		}
		return x != ""
	}
	if kube && !ofPod {
		for _, o := range objects {
			if add(o.label) {
				add(LabelNamespace)
				break
			}
		}
	}
	if f == hostName || !add(LabelNode) && !kube {
		if h := HostOf(v.Labels.Get("instance")); h != "" {
			l = append(l, series.Label{Name: "instance", Value: h})
			hosted = true
			if b.hosts[h] == nil {
				b.hosts[strings.Clone(h)] = &host{firstT: b.open}
			}
		}
	}
	slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return l, hosted
}

// NeedsPlace reports whether a place must be kept for series of the fact although nobody asks for their workload or node.
func (f Fact) NeedsPlace() bool { return f == hostName }

// Workload returns the workload of a series: of its pod, or, when pod is None, of the object that its place names; "" when it has none. held says that the
// pod's series must not open or feed signals of the workload yet, since its owner may become known soon.
func (b *Book) Workload(pod uint32, place series.Labels) (work, kind string, held bool) {
	if pod != None {
		p := &b.pods[pod]
		return p.work, p.kind, p.held
	}
	for _, o := range objects {
		if x := place.Get(o.label); x != "" {
			work, kind = b.ofObject(place.Get(LabelNamespace), x, o.kind)
			return work, kind, false
		}
	}
	return "", "", false
}

// ofObject returns the workload of an object that kube-state-metrics names.
func (b *Book) ofObject(ns, name, kind string) (string, string) {
	var work, of string
	because := whyNothing
	switch kind {
	case Job:
		work, of, because = b.ofJob(ns, name)
	case ReplicaSet:
		work, of, because = b.ofSet(ns, name)
	}
	if because != whyNothing {
		return work, of
	}
	return cmp.Or(b.serial(ns, kind, name), name), kind
}

// Node returns the node that a series belongs to, "" when that is not known. held says that it may become known soon.
func (b *Book) Node(pod uint32, place series.Labels) (name string, held bool) {
	if n := place.Get(LabelNode); n != "" {
		return n, false
	}
	inst := place.Get("instance")
	if inst != "" {
		if _, ok := b.nodes[inst]; ok {
			return inst, false
		}
		if n, ok := b.ips[inst]; ok {
			return n, false
		}
	}
	if pod != None && b.pods[pod].node != "" {
		return b.pods[pod].node, false
	}
	if inst == "" {
		return "", false
	}
	h := b.hosts[inst]
	if h == nil {
		return inst, false
	}
	if h.uname != "" && len(b.nodes) == 0 {
		return h.uname, false // no Kubernetes has shown itself; should it do so later, its name for the node replaces this one
	}
	if at := h.firstT + nodeWaitMs; b.open < at {
		if b.hostsAt == 0 || at < b.hostsAt {
			b.hostsAt = at
		}
		return "", true
	}
	if h.uname != "" {
		return h.uname, false
	}
	return inst, false
}

// NodeOf returns the node of a pod, "" when that is not known.
func (b *Book) NodeOf(ns, pod string) string {
	if i, ok := b.podAt[key{ns, pod}]; ok {
		return b.pods[i].node
	}
	return ""
}

// NodeNamed returns the node that an instance without port means; the instance itself when none is known.
func (b *Book) NodeNamed(inst string) string {
	if _, ok := b.nodes[inst]; ok {
		return inst
	}
	if n, ok := b.ips[inst]; ok {
		return n
	}
	if h := b.hosts[inst]; h != nil && h.uname != "" {
		return h.uname
	}
	return inst
}
