package signal

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wrackline/wrackline/baseline/series"
)

// ChangeKind says what kind of thing was changed.
type ChangeKind string

// The kinds of change.
const (
	ChangeRollout  ChangeKind = "rollout"   // a new ReplicaSet, image or StatefulSet revision, or back to an older one
	ChangeRolled   ChangeKind = "rolled"    // a rollout has ended: all replicas are updated and available
	ChangeStuck    ChangeKind = "stuck"     // a rollout takes three times as long as usual and more than three minutes, or was given up
	ChangeScale    ChangeKind = "scale"     // another number of replicas is wanted
	ChangeHPA      ChangeKind = "hpa"       // the bounds of an autoscaler
	ChangeLimits   ChangeKind = "limits"    // limits or requests of a container
	ChangeCordon   ChangeKind = "cordon"    // a node takes no new pods
	ChangeUncordon ChangeKind = "uncordon"  // it takes some again
	ChangeDrain    ChangeKind = "drain"     // after a cordon four fifths of its pods left within half an hour
	ChangeReboot   ChangeKind = "reboot"    // a node's boot time jumped
	ChangeNodeNew  ChangeKind = "node_new"  // a node joined, or came back
	ChangeNodeGone ChangeKind = "node_gone" // a node is no longer listed
	ChangeVersion  ChangeKind = "version"   // of a kubelet, kernel, runtime, OS image, or of a control-plane component or add-on
	ChangeConfig   ChangeKind = "config"    // a ConfigMap
	ChangeSecret   ChangeKind = "secret"    // a ChangeSecret
	ChangeWebhook  ChangeKind = "webhook"   // an admission webhook's configuration
	ChangeRBAC     ChangeKind = "rbac"      // a role or a binding
	ChangeOOM      ChangeKind = "oom"       // a container was killed at its memory limit
	ChangeRestart  ChangeKind = "restart"   // a container began anew for another reason
)

// ChangeKinds returns all kinds, in the order in which people are offered them.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{ChangeRollout, ChangeRolled, ChangeStuck, ChangeScale, ChangeHPA, ChangeLimits, ChangeCordon, ChangeUncordon, ChangeDrain, ChangeReboot, ChangeNodeNew, ChangeNodeGone, ChangeVersion, ChangeConfig, ChangeSecret, ChangeWebhook, ChangeRBAC, ChangeOOM, ChangeRestart}
}

// Bounds of a Change.
const (
	changeTextMax  = 200 // bytes of From and To, and of a name
	ChangeWorksMax = 128 // workloads named as having pods on a node
)

// Change is something that somebody did to a cluster, or that happened to it, as its metrics show it. It is immutable.
type Change struct {
	T       int64         // when it first showed, Unix milliseconds of event time
	Kind    ChangeKind    //
	Cluster string        //
	Entity  series.Labels // namespace, workload, workload_type and node as far as they apply, sorted by name; empty = the whole cluster
	Object  string        // what was changed: "deployment shop/cart", "node node-1", "rolebinding ci/deployer"
	From    string        // what it was; "" when that is not known or means nothing to people
	To      string        // what it is now; "" likewise
	// Works are the workloads that had pods on the node of a change to a node, as namespace/name, sorted. At most ChangeWorksMax.
	Works []string

	by uint32 // rollouts: what shows it, as bits of watchKind; 0 outside the tracker
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
	case ChangeRollout:
		return "rollout of " + c.Object + move
	case ChangeRolled:
		return "rollout of " + c.Object + " has ended " + c.To
	case ChangeStuck:
		return "rollout of " + c.Object + " is late: " + c.To
	case ChangeScale:
		return c.Object + " scaled" + move
	case ChangeLimits:
		return "limits of " + c.Object + move
	case ChangeCordon:
		return c.Object + " cordoned"
	case ChangeUncordon:
		return c.Object + " uncordoned"
	case ChangeDrain:
		return c.Object + " drained" + move
	case ChangeReboot:
		return c.Object + " rebooted" + move
	case ChangeNodeNew:
		return c.Object + " joined"
	case ChangeNodeGone:
		return c.Object + " is gone"
	case ChangeOOM:
		return c.Object + " was killed at its memory limit" + move
	case ChangeRestart:
		return c.Object + " restarted" + move
	}
	if move == "" {
		return c.Object + " changed"
	}
	return c.Object + move
}

// What is asked of each watched metric.
type watchKind uint8

const (
	notWatched    watchKind = iota
	watchSet                // a ReplicaSet that nobody has seen is a rollout of its owner
	watchImage              // label image of a pod's container
	watchRevision           // label revision of a StatefulSet
	watchReplicas           // replicas wanted
	watchHPA                // bounds and wish of an autoscaler
	watchLimits             // limits and requests of a pod's container
	watchCordon             // 1 = cordoned
	watchBoot               // Unix seconds
	watchNode               // labels of kube_node_info
	watchBuild              // label version, by job
	watchVersion            // resource version of an object
	watchRestart            // restarts of a pod's container
	watchOOM                // the reason of its last end
	whatRollout             // no metric: when a workload was last said to roll
	watchProgress           // replicas that are updated, available …, by slot
	watchKindMax  = watchProgress
)

// ofPod reports whether the object is found by the workload of the series' pod.
func (k watchKind) ofPod() bool {
	return k == watchImage || k == watchLimits || k == watchRestart || k == watchOOM
}

// watchedMetrics are read for the changes that they show, whether or not a rule selects them.
var watchedMetrics = withProgress(map[string]watchKind{
	"kube_replicaset_owner":                                         watchSet,
	"kube_pod_container_info":                                       watchImage,
	"kube_statefulset_status_update_revision":                       watchRevision,
	"kube_deployment_spec_replicas":                                 watchReplicas,
	"kube_statefulset_replicas":                                     watchReplicas,
	"kube_horizontalpodautoscaler_spec_min_replicas":                watchHPA,
	"kube_horizontalpodautoscaler_spec_max_replicas":                watchHPA,
	"kube_horizontalpodautoscaler_status_desired_replicas":          watchHPA,
	"kube_pod_container_resource_limits":                            watchLimits,
	"kube_pod_container_resource_requests":                          watchLimits,
	"kube_node_spec_unschedulable":                                  watchCordon,
	"node_boot_time_seconds":                                        watchBoot,
	"kube_node_info":                                                watchNode,
	"kubernetes_build_info":                                         watchBuild,
	"etcd_version_info":                                             watchBuild,
	"coredns_build_info":                                            watchBuild,
	"nginx_ingress_controller_build_info":                           watchBuild,
	"kube_configmap_metadata_resource_version":                      watchVersion,
	"kube_secret_metadata_resource_version":                         watchVersion,
	"kube_validatingwebhookconfiguration_metadata_resource_version": watchVersion,
	"kube_mutatingwebhookconfiguration_metadata_resource_version":   watchVersion,
	"kube_role_metadata_resource_version":                           watchVersion,
	"kube_clusterrole_metadata_resource_version":                    watchVersion,
	"kube_rolebinding_metadata_resource_version":                    watchVersion,
	"kube_clusterrolebinding_metadata_resource_version":             watchVersion,
	"kube_pod_container_status_restarts_total":                      watchRestart,
	"kube_pod_container_status_last_terminated_reason":              watchOOM,
})

// versioned returns the object that a metric of resource versions is about, and its kind of change.
func versioned(metric string) (label string, kind ChangeKind) {
	label = strings.TrimSuffix(strings.TrimPrefix(metric, "kube_"), "_metadata_resource_version")
	switch label {
	case "configmap":
		return label, ChangeConfig
	case "secret":
		return label, ChangeSecret
	case "validatingwebhookconfiguration", "mutatingwebhookconfiguration":
		return label, ChangeWebhook
	}
	return label, ChangeRBAC
}

// ChangeMetrics returns the metrics that show changes, sorted. A sender that keeps only what rules need should keep these too.
func ChangeMetrics() []string {
	var names []string
	for n := range watchedMetrics {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// families numbers the watched metrics in the order of their names.
var families = func() map[string]uint8 {
	m := map[string]uint8{}
	for i, n := range ChangeMetrics() {
		m[n] = uint8(i)
	}
	return m
}()

// amount writes a limit as people do.
func amount(resource string, v float64) string {
	n := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	switch resource {
	case "cpu":
		if v < 1 && v > 0 {
			return n(v*1000) + "m CPU"
		}
		return n(v) + " CPU"
	case "memory", "ephemeral_storage":
		const mi = 1 << 20
		switch {
		case v >= 1<<30 && v == float64(int64(v/(1<<28)))*(1<<28):
			return n(v/(1<<30)) + " GiB"
		case v >= mi:
			return n(v/mi) + " MiB"
		}
	}
	return n(v)
}

func stampMinute(seconds float64) string {
	if !(seconds > 0 && seconds < 1e11) {
		return ""
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04 UTC")
}

// cutText shortens s to changeTextMax bytes at a rune.
func cutText(s string) string {
	if len(s) <= changeTextMax {
		return s
	}
	n := changeTextMax - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
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

func joinTexts(a, b string) string {
	switch {
	case b == "" || a == b || strings.HasSuffix(a, ", "+b) || strings.HasPrefix(a, b+", "):
		return a
	case a == "":
		return b
	}
	return cutText(a + ", " + b)
}
