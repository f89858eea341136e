package change

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
)

// What is asked of each watched metric.
type topic uint8

const (
	notWatched    topic = iota
	watchSet            // a ReplicaSet that nobody has seen is a rollout of its owner
	watchImage          // label image of a pod's container
	watchRevision       // label revision of a StatefulSet
	watchReplicas       // replicas wanted
	watchHPA            // bounds and wish of an autoscaler
	watchLimits         // limits and requests of a pod's container
	watchCordon         // 1 = cordoned
	watchBoot           // Unix seconds
	watchNode           // labels of kube_node_info
	watchBuild          // label version, by job
	watchVersion        // resource version of an object
	watchRestart        // restarts of a pod's container
	watchOOM            // the reason of its last end
	whatRollout         // no metric: when a workload was last said to roll
	watchProgress       // replicas that are updated, available …, by slot
	whatMax       = watchProgress
)

// Metric is a watched metric. The zero value is one that is not watched.
type Metric struct {
	name   string
	what   topic
	family uint8 // number among the watched ones
}

// MetricOf returns what there is to watch of a metric's name.
func MetricOf(name string) Metric {
	what, ok := watchedMetrics[name]
	if !ok {
		return Metric{}
	}
	return Metric{name, what, families[name]}
}

// Watched reports whether series of the metric speak of changes.
func (m Metric) Watched() bool { return m.what != notWatched }

// OfPod reports whether its objects are found by the workload of the series' pod.
func (m Metric) OfPod() bool { return m.what.ofPod() }

// ofPod reports whether the object is found by the workload of the series' pod.
func (k topic) ofPod() bool {
	return k == watchImage || k == watchLimits || k == watchRestart || k == watchOOM
}

// watchedMetrics are read for the changes that they show, whether or not a rule selects them.
var watchedMetrics = withProgress(map[string]topic{
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
	"etcd_server_version":                                           watchBuild,
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
func versioned(metric string) (label string, kind Kind) {
	label = strings.TrimSuffix(strings.TrimPrefix(metric, "kube_"), "_metadata_resource_version")
	switch label {
	case "configmap":
		return label, Config
	case "secret":
		return label, Secret
	case "validatingwebhookconfiguration", "mutatingwebhookconfiguration":
		return label, Webhook
	}
	return label, RBAC
}

// Metrics returns the metrics that show changes, sorted. A sender that keeps only what rules need should keep these too.
func Metrics() []string {
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
	for i, n := range Metrics() {
		m[n] = uint8(i)
	}
	return m
}()

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
	"kube_deployment_metadata_generation":                         {identity.Deployment, slotAsked},
	"kube_deployment_status_observed_generation":                  {identity.Deployment, slotSeen},
	"kube_deployment_status_replicas_updated":                     {identity.Deployment, slotUpdated},
	"kube_deployment_status_replicas":                             {identity.Deployment, slotAll},
	"kube_deployment_status_replicas_available":                   {identity.Deployment, slotAvailable},
	"kube_deployment_spec_strategy_rollingupdate_max_unavailable": {identity.Deployment, slotMissing},
	"kube_deployment_status_condition":                            {identity.Deployment, slotFailed},
	"kube_statefulset_metadata_generation":                        {identity.StatefulSet, slotAsked},
	"kube_statefulset_status_observed_generation":                 {identity.StatefulSet, slotSeen},
	"kube_statefulset_status_replicas_updated":                    {identity.StatefulSet, slotUpdated},
	"kube_statefulset_status_replicas_available":                  {identity.StatefulSet, slotAvailable},
	"kube_daemonset_metadata_generation":                          {identity.DaemonSet, slotAsked},
	"kube_daemonset_status_observed_generation":                   {identity.DaemonSet, slotSeen},
	"kube_daemonset_status_updated_number_scheduled":              {identity.DaemonSet, slotUpdated},
	"kube_daemonset_status_number_available":                      {identity.DaemonSet, slotAvailable},
	"kube_daemonset_status_desired_number_scheduled":              {identity.DaemonSet, slotWant},
}

// withProgress adds progressMetrics to the watched metrics.
func withProgress(m map[string]topic) map[string]topic {
	for name := range progressMetrics {
		m[name] = watchProgress
	}
	return m
}
