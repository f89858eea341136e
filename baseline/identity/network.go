package identity

import (
	"slices"
	"strings"
)

// network says in whose network a pod lives.
type network uint8

const (
	netUnknown network = iota
	netOwn
	netNode // the pod's interfaces are the node's, and so is what they carry
	netsMax = netNode
)

// netNamed says of a pod what kube-state-metrics has said: that is certain.
const netNamed network = 1 << 2

// nodeAgents are what runs in its node's network wherever it runs: what makes the network of pods, and what looks at that of nodes. They are known by name until
// kube-state-metrics or an interface says more.
var nodeAgents = []string{"anetd", "antrea-agent", "aws-node", "azure-cni", "azure-cns", "azure-npm", "calico-node", "canal", "cilium", "cilium-envoy", "kindnet", "kube-flannel", "kube-flannel-ds",
	"kube-proxy", "kube-router", "kube-vip", "metallb-speaker", "multus", "netd", "node-exporter", "node-local-dns", "nodelocaldns", "ovnkube-node", "prometheus-node-exporter", "weave-net"}

// nodeInterfaces begin the names of interfaces that only what makes the network of pods gives a node. Those of containers within a pod (docker0, veth…) are not among them.
var nodeInterfaces = []string{"cali", "cilium", "lxc", "cni", "cbr", "azv", "eni", "gke", "flannel", "weave", "antrea", "ovn", "kube-", "nodelocaldns"}

// OnInterface learns from an interface that cAdvisor shows of a pod.
func (b *Book) OnInterface(i uint32, name string) {
	if p := &b.pods[i]; p.net == netUnknown && slices.ContainsFunc(nodeInterfaces, func(x string) bool { return strings.HasPrefix(name, x) }) {
		p.net = netNode
		b.move(i)
	}
}

// learnNetwork reads what kube_pod_info says of a pod's network: host_network, or, before it had that, two addresses.
func (b *Book) learnNetwork(i uint32, v *View) {
	now := netUnknown
	switch host, own := v.Labels.Get("host_ip"), v.Labels.Get("pod_ip"); {
	case v.Labels.Get("host_network") == "true", v.Labels.Get("host_network") == "" && own != "" && own == host:
		now = netNode | netNamed
	case v.Labels.Get("host_network") == "false", own != "" && host != "":
		now = netOwn | netNamed
	}
	if p := &b.pods[i]; now != netUnknown && now != p.net {
		p.net = now
		b.move(i)
	}
}

// InNodesNetwork reports whether a pod lives in the network of its node: then what its interfaces carry is not its own.
func (b *Book) InNodesNetwork(i uint32) bool {
	if i == None {
		return false
	}
	switch p := &b.pods[i]; p.net &^ netNamed {
	case netNode:
		return true
	case netOwn:
		return false
	default:
		return p.kind == Static || slices.Contains(nodeAgents, p.work)
	}
}
