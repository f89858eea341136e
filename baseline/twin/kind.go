package twin

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// Kind is what a series tells of.
type Kind uint8

const (
	Process Kind = iota // the process that was asked
	Machine             // the node on which it runs
	Object              // an object of the cluster, of which everybody who is asked says the same
	Target              // the scrape itself
)

// clusterWide are the objects without a namespace: a label of that name is the exporter's.
var clusterWide = map[string]bool{
	"node": true, "namespace": true, "persistentvolume": true, "storageclass": true, "clusterrole": true, "clusterrolebinding": true, "ingressclass": true,
	"certificatesigningrequest": true, "validatingwebhookconfiguration": true, "mutatingwebhookconfiguration": true, "volumeattachment": true,
}

// kindOf returns what the series of a metric tells of, and, of an object, the labels that name it.
func kindOf(metric string, v *identity.View) (k Kind, names []string) {
	first, rest, _ := strings.Cut(metric, "_")
	switch first {
	case "up", "scrape", "probe", "ALERTS":
		return Target, nil
	case "container":
		if v.Get(identity.LabelPod) == "" {
			return Machine, nil // a cgroup of the node
		}
		return Object, []string{identity.LabelNamespace, identity.LabelPod, identity.LabelContainer}
	case "node", "windows":
		return Machine, nil
	case "kubelet":
		if strings.HasPrefix(rest, "volume_stats_") {
			return Object, []string{identity.LabelNamespace, "persistentvolumeclaim"}
		}
	case "kube":
		what, _, _ := strings.Cut(rest, "_")
		switch what {
		case "state", "apiserver", "aggregator": // kube-state-metrics and API servers of themselves
			return Process, nil
		case "job":
			what = "job_name"
		}
		if get(v, what) == "" {
			return Object, nil // a custom resource: all labels
		}
		if clusterWide[what] {
			return Object, []string{what}
		}
		return Object, []string{identity.LabelNamespace, what}
	}
	return Process, nil
}

// get returns what the exporter said of a label, whatever the scrape has made of it.
func get(v *identity.View, name string) string {
	if x := v.Labels.Get("exported_" + name); x != "" {
		return x
	}
	return v.Get(name)
}

// asks are the labels by which a scrape names whom it asks, and that no exporter gives a series. Of service and endpoint it can only be guessed.
func asks(name string) bool {
	return name == "job" || name == "instance" || name == "metrics_path" || name == series.NameLabel
}

// sum adds up the labels of a series but those of who was asked, so that what two askers add of their own is one difference for all of their series.
func sum(l series.Labels, buf []byte) (uint64, []byte) {
	var n uint64
	for _, x := range l {
		if asks(x.Name) {
			continue
		}
		buf = append(append(append(buf[:0], x.Name...), 0xff), x.Value...)
		n += spread(series.Hash64(buf))
	}
	return n, buf
}

// spread mixes the bits of a hash (Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014).
func spread(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
