package identity

// PodView is what is known of a pod. Strings are shared and must not be changed.
type PodView struct {
	Namespace, Name string
	Workload, Kind  string
	Node            string // "" when it is not known
	Held            bool   // kept out of signals until its owner is known
}

// View returns what is known of a pod.
func (b *Book) View(i uint32) PodView {
	p := &b.pods[i]
	return PodView{p.ns, p.name, p.work, p.kind, p.node, p.held}
}

// PodExplanation says into which workload a pod was folded, and why.
type PodExplanation struct {
	Cluster, Namespace   string
	Pod                  string
	Workload, Kind       string
	Sure                 bool   // from owner data or a node's name, not only from the pod's name
	Held                 bool   // kept out of signals until its owner is known
	Why                  string // the rule, in words
	OwnerKind, OwnerName string // what kube_pod_owner said; "" when it said nothing
	Node                 string
	NodesNetwork         bool // it lives in the network of its node, so traffic is not its own
	Series               int  // tracked series of the pod
}

// Explain tells why a pod was folded into a workload. Cluster and Series are the caller's to fill.
func (b *Book) Explain(i uint32) PodExplanation {
	p := &b.pods[i]
	return PodExplanation{Namespace: p.ns, Pod: p.name, Workload: p.work, Kind: p.kind, Sure: p.sure, Held: p.held, Why: p.why.String(),
		OwnerKind: p.ownerKind, OwnerName: p.ownerName, Node: p.node,
		NodesNetwork: b.InNodesNetwork(i)}
}

// Find yields the pods of a name, in order of their numbers. An empty namespace is any, which costs a look at every pod.
func (b *Book) Find(namespace, name string, yield func(uint32) bool) {
	if namespace != "" {
		if i, ok := b.podAt[key{namespace, name}]; ok {
			yield(i)
		}
		return
	}
	for i := range b.pods {
		if b.pods[i].name == name && !yield(uint32(i)) {
			return
		}
	}
}
