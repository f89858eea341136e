// Package change says what was done to a cluster: objects, what is said of them, rollouts; fed with words, it tells changes.
package change

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// Kind says what kind of thing was changed.
type Kind string

// The kinds of change.
const (
	Rollout  Kind = "rollout"   // a new ReplicaSet, image or StatefulSet revision, or back to an older one
	Rolled   Kind = "rolled"    // a rollout has ended: all replicas are updated and available
	Stuck    Kind = "stuck"     // a rollout takes three times as long as usual and more than three minutes, or was given up
	Scale    Kind = "scale"     // another number of replicas is wanted
	HPA      Kind = "hpa"       // the bounds of an autoscaler
	Limits   Kind = "limits"    // limits or requests of a container
	Cordon   Kind = "cordon"    // a node takes no new pods
	Uncordon Kind = "uncordon"  // it takes some again
	Drain    Kind = "drain"     // after a cordon four fifths of its pods left within half an hour
	Reboot   Kind = "reboot"    // a node's boot time jumped
	NodeNew  Kind = "node_new"  // a node joined, or came back
	NodeGone Kind = "node_gone" // a node is no longer listed
	Version  Kind = "version"   // of a kubelet, kernel, runtime, OS image, or of a control-plane component or add-on
	Gone     Kind = "gone"      // a workload was deleted
	Config   Kind = "config"    // a ConfigMap
	Secret   Kind = "secret"    // a Secret
	Webhook  Kind = "webhook"   // an admission webhook's configuration
	RBAC     Kind = "rbac"      // a role or a binding
	OOM      Kind = "oom"       // a container was killed at its memory limit
	Restart  Kind = "restart"   // a container began anew for another reason
)

// Kinds returns all kinds, in the order in which people are offered them.
func Kinds() []Kind {
	return []Kind{Rollout, Rolled, Stuck, Scale, HPA, Limits, Cordon, Uncordon, Drain, Reboot, NodeNew, NodeGone, Gone, Version, Config, Secret, Webhook, RBAC, OOM, Restart}
}

// Bounds of a Change.
const (
	changeTextMax = 200 // bytes of From and To, and of a name
	WorksMax      = 128 // workloads named as having pods on a node
)

// Change is something that somebody did to a cluster, or that happened to it, as its metrics show it. It is immutable.
type Change struct {
	T       int64         // when it first showed, Unix milliseconds of event time
	Kind    Kind          //
	Cluster string        //
	Entity  series.Labels // namespace, workload, workload_type and node as far as they apply, sorted by name; empty = the whole cluster
	Object  string        // what was changed: "deployment shop/cart", "node node-1", "rolebinding ci/deployer"
	From    string        // what it was; "" when that is not known or means nothing to people
	To      string        // what it is now; "" likewise
	// Works are the workloads that had pods on the node of a change to a node, as namespace/name, sorted. At most WorksMax.
	Works []string

	by uint32 // rollouts: what shows it, as bits of topics; 0 outside the tracker
}

// Text says what happened in one line.
func (c *Change) Text() string {
	move := ""
	switch {
	case c.From != "" && c.To != "":
		move = ": " + c.From + " → " + c.To
	case c.To != "":
		move = ": " + c.To
	}
	switch c.Kind {
	case Rollout:
		return "rollout of " + c.Object + move
	case Rolled:
		return "rollout of " + c.Object + " has ended " + c.To
	case Stuck:
		return "rollout of " + c.Object + " is late: " + c.To
	case Scale:
		return c.Object + " scaled" + move
	case Limits:
		return "limits of " + c.Object + move
	case Cordon:
		return c.Object + " cordoned"
	case Uncordon:
		return c.Object + " uncordoned"
	case Drain:
		return c.Object + " drained" + move
	case Reboot:
		return c.Object + " rebooted" + move
	case NodeNew:
		return c.Object + " joined"
	case NodeGone, Gone:
		return c.Object + " is gone"
	case OOM:
		return c.Object + " was killed at its memory limit" + move
	case Restart:
		return c.Object + " restarted" + move
	}
	if move == "" {
		return c.Object + " changed"
	}
	return c.Object + move
}

// compareChanges orders changes as windows list them: by time, then so that the order never depends on anything else.
func compareChanges(a, b Change) int {
	return cmp.Or(cmp.Compare(a.T, b.T), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Object, b.Object),
		strings.Compare(a.To, b.To), strings.Compare(a.From, b.From))
}

// gather makes one change of those that are one act: of one kind, to one object. What they changed from and to is listed.
func gather(in []Change) []Change {
	slices.SortFunc(in, compareChanges)
	out := in[:0]
next:
	for _, c := range in {
		for i := range out {
			o := &out[i]
			if o.Kind == c.Kind && o.Object == c.Object && o.Cluster == c.Cluster {
				o.From, o.To = joinTexts(o.From, c.From), joinTexts(o.To, c.To)
				o.by |= c.by
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}
