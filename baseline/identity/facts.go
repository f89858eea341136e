package identity

import (
	"slices"
)

// Fact is what the labels of a metric's series tell of identity. The zero value is nothing.
type Fact uint8

const (
	notFact Fact = iota
	podOwner
	setOwner
	jobOwner
	nodeInfo
	podInfo
	hostName
)

// factMetrics are read for what their labels say, whether or not a rule selects them.
var factMetrics = map[string]Fact{
	"kube_pod_owner":        podOwner,
	"kube_replicaset_owner": setOwner,
	"kube_job_owner":        jobOwner,
	"kube_node_info":        nodeInfo,
	"kube_pod_info":         podInfo,
	"node_uname_info":       hostName,
	"kubelet_node_name":     hostName,
}

// FactOf returns what a metric tells of identity.
func FactOf(metric string) Fact { return factMetrics[metric] }

// Metrics returns the metrics that tell whose a series is, sorted. A sender that keeps only what rules need must keep these too.
func Metrics() []string {
	var names []string
	for n := range factMetrics {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Learn reads what a new series says by its labels. pod is the pod that it is about, None for none; source is the number by which the caller knows the series:
// what only a series says of owners and nodes is forgotten with it, see Sweep.
func (b *Book) Learn(f Fact, v *View, pod, source uint32) {
	word := func(label string) string {
		x := v.Labels.Get(label)
		if x == "<none>" {
			x = ""
		}
		return b.words(x)
	}
	switch f {
	case podOwner:
		if pod == None {
			return
		}
		p := &b.pods[pod]
		if p.owned && v.Labels.Get("owner_is_controller") == "false" {
			return // a second owner that does not manage the pod
		}
		b.own(pod, word("owner_kind"), word("owner_name"))
	case podInfo:
		if pod == None {
			return
		}
		b.learnNetwork(pod, v)
		p := &b.pods[pod]
		if n := word(LabelNode); n != "" && n != p.node {
			p.node = n
			b.move(pod)
		}
		if !p.owned && v.Labels.Get("created_by_kind") != "" {
			b.own(pod, word("created_by_kind"), word("created_by_name"))
		} else if !p.owned {
			b.resolve(pod) // the node may show that it is static
		}
	case setOwner:
		b.learnOwner(b.sets, key{b.words(v.Get(LabelNamespace)), word("replicaset")}, owner{word("owner_kind"), word("owner_name"), source})
	case jobOwner:
		b.learnOwner(b.jobs, key{b.words(v.Get(LabelNamespace)), word("job_name")}, owner{word("owner_kind"), word("owner_name"), source})
	case nodeInfo:
		b.learnNode(word(LabelNode), word("internal_ip"), source)
	case hostName:
		h := b.hosts[HostOf(v.Labels.Get("instance"))]
		n := word("nodename")
		if n == "" {
			n = word(LabelNode)
		}
		if h != nil && n != "" && h.uname != n {
			h.uname = n
			b.nodesNew = true
		}
	}
}

// learnOwner notes who owns a ReplicaSet or a Job.
func (b *Book) learnOwner(at map[key]owner, k key, now owner) {
	if k.name == "" {
		return
	}
	before, was := at[k]
	at[k] = now
	if was && before.kind == now.kind && before.name == now.name {
		return
	}
	for _, p := range b.ownedBy(k) {
		b.resolve(p)
	}
}

func (b *Book) learnNode(name, ip string, source uint32) {
	if name == "" {
		return
	}
	if before, ok := b.nodes[name]; !ok || before.ip != ip {
		if ok && b.ips[before.ip] == name {
			delete(b.ips, before.ip)
		}
		b.nodesNew = true
	}
	b.nodes[name] = node{ip, source}
	if ip != "" {
		b.ips[ip] = name
	}
}
