// Package identity says who a series is about: a book per cluster, fed with facts (owners, names, nodes, addresses), asked for workload and node.
//
// Pods come and go; what is learned must not. So every series gets virtual labels besides its own: cluster, namespace, pod and container follow
// from the labels of the series, whatever a scrape has made of them; workload, workload_type and node may become known, or better known, later,
// and then the Book says whose series are to be looked at again.
package identity

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// The virtual labels.
const (
	LabelCluster      = "cluster"
	LabelNamespace    = "namespace"
	LabelPod          = "pod"
	LabelContainer    = "container"
	LabelWorkload     = "workload"
	LabelWorkloadType = "workload_type"
	LabelNode         = "node"
)

// IsDynamic reports whether a label's value may become another while the series stays what it is.
func IsDynamic(label string) bool {
	return label == LabelWorkload || label == LabelWorkloadType || label == LabelNode
}

// View reads a canonical label set with its virtual labels that cannot change.
type View struct {
	Labels  series.Labels
	Cluster string
}

// Get returns a label's value. A label that the scrape has renamed to exported_… because its target has one of the same name means
// the object; the plain one is the exporter's.
func (v *View) Get(name string) string {
	switch name {
	case LabelCluster:
		return v.Cluster
	case LabelNamespace, LabelPod, LabelContainer, LabelNode:
		if x := v.Labels.Get("exported_" + name); x != "" {
			return x
		}
	}
	return v.Labels.Get(name)
}

// Target names the scraped thing that the series is of: a pod of many that one exporter tells of is one.
func (v *View) Target() uint64 {
	var room [256]byte
	b := append(room[:0], v.Cluster...)
	for _, x := range [...]string{v.Labels.Get("job"), v.Labels.Get("instance"), v.Get(LabelNamespace), v.Get(LabelPod)} {
		b = append(b, 0xff)
		b = append(b, x...)
	}
	return series.Hash64(b)
}

// Kin names what histograms of equally many buckets have in common: the name, base, and the job.
func (v *View) Kin(base string) uint64 {
	return series.Hash64([]byte(base + "\xff" + v.Labels.Get("job")))
}

// Match reports whether the series passes the matchers.
func (v *View) Match(ms []promql.Matcher) bool {
	for i := range ms {
		if !ms[i].Matches(v.Get(ms[i].Label())) {
			return false
		}
	}
	return true
}

// PodOf returns the pod that a series of the metric is about, "" when it is about none.
func (v *View) PodOf(metric string) (ns, pod string) {
	if p := v.Labels.Get("exported_pod"); p != "" {
		return v.Get(LabelNamespace), p
	}
	// Other objects of kube-state-metrics carry its own pod when the scrape adds one.
	if strings.HasPrefix(metric, "kube_") && !strings.HasPrefix(metric, "kube_pod_") {
		return "", ""
	}
	return v.Labels.Get(LabelNamespace), v.Labels.Get(LabelPod)
}

// MemberOf returns the label that tells a series of the metric apart from those it is summed with; an empty one when none does.
func (v *View) MemberOf(metric string) series.Label {
	names := []string{LabelPod, "instance", "device", LabelNode, "job"}
	switch {
	case strings.HasPrefix(metric, "node_"):
		names = []string{"device", "mountpoint", "cpu", "instance", LabelPod}
	case strings.HasPrefix(metric, "kube_"):
		names = []string{"deployment", "statefulset", "daemonset", "cronjob", "job_name", "persistentvolumeclaim", LabelNode}
		if strings.HasPrefix(metric, "kube_pod_") {
			names = []string{LabelPod}
		}
		names = append(names, "name", LabelNamespace, "instance")
	case strings.HasPrefix(metric, "kubelet_volume_"):
		names = []string{"persistentvolumeclaim", "instance"}
	}
	for _, n := range names {
		if x := v.Get(n); x != "" {
			return series.Label{Name: n, Value: x}
		}
	}
	return series.Label{}
}

// HostOf returns an instance without its port.
func HostOf(instance string) string {
	i := strings.LastIndexByte(instance, ':')
	if i < 0 || strings.IndexByte(instance[:i], ':') >= 0 && instance[0] != '[' {
		return instance // no port, or a bare IPv6 address
	}
	return strings.Trim(instance[:i], "[]")
}
