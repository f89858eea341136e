package pack

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
)

// Metrics that the stream gives itself, of what it knows beyond single samples. Expressions select them like any gauge; no sender can
// send them, since a sender's series of such a name is not asked. They have no series: their elements are made when a window closes.
const (
	ownPrefix    = "wrackline_own_"
	OwnLate      = ownPrefix + "rollout_late_seconds" // namespace, workload, workload_type: for how long a rollout has been late, 0 = none is
	OwnShort     = ownPrefix + "rollout_short_ratio"  // … share of the wanted replicas that a rollout misses beyond what it may, 0 without one
	OwnCohort    = ownPrefix + "node_cohort"          // node, cohort = new or old: 1 while kubelets of two versions run on three nodes each
	OwnGone      = ownPrefix + "workload_gone"        // namespace, workload, workload_type, how: 1 while it is news that it was scaled to zero or deleted, 0 afterwards
	OwnSenderGap = ownPrefix + "sender_gap_seconds"   // sender: for how long the newest sample of a sender has been older than the cluster's
	OwnLateShare = ownPrefix + "sender_late_ratio"    // sender: share of the samples of the newest windows that came after theirs had closed
)

// Language is PromQL as rules speak it: values of one cluster, zeros where nothing was counted, no labels of what comes and goes.
var Language = promql.Dialect{
	Scope: identity.LabelCluster,
	Zeros: true,
	// A baseline of a thing that is replaced all the time would never live long enough to learn.
	Churny: map[string]promql.Churn{
		"pod": {Instead: "workload"}, "pod_name": {Instead: "workload"}, "uid": {Instead: "workload"}, "instance": {Instead: "node"},
		"container_id": {Instead: "container"}, "image": {Instead: "container"}, "image_id": {Instead: "container"},
		"endpoint": {Instead: "namespace, workload", Except: "kube_endpoint_"}, // there it is the name of a Service
		"pod_ip":   {Instead: "workload"}, "host_ip": {Instead: "node"}, "address": {Instead: "node"},
		"replicaset": {Instead: "workload"}, "pod_template_hash": {Instead: "workload"}, "controller_revision_hash": {Instead: "workload"},
		"revision": {Instead: "workload"},
		// In cAdvisor's metrics these name container instances; elsewhere they name queues, webhooks and the like.
		"id": {Instead: "container", Prefix: "container_"}, "name": {Instead: "container", Prefix: "container_"},
	},
	Prefix: ownPrefix,
	Made:   []string{OwnLate, OwnShort, OwnCohort, OwnGone, OwnSenderGap, OwnLateShare},
}

// Compile compiles an expression of a rule.
func Compile(src string) (*promql.Plan, error) { return Language.Compile(src) }

// readsOwn reports whether an expression of the rule reads one of the stream's own metrics.
func (r *Rule) readsOwn() bool {
	return slices.ContainsFunc(r.Exprs, func(src string) bool {
		p, err := Compile(src)
		return err == nil && p.Selects(Language.IsMade)
	})
}
