package packtest

// Whose a series is, worked out from the expositions themselves and without package identity, so that the two can be compared.

import (
	"regexp"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// whose says whose series are, in one cluster of one node.
type whose struct {
	node, ip string
	newest   int64             // newest Unix time in milliseconds that the cluster speaks of
	owner    map[string]string // namespace/pod: kind/name
	sets     map[string]string // namespace/ReplicaSet: kind/name
	jobs     map[string]string // namespace/Job: kind/name
	places   map[string]string // namespace/pod: node
}

func newWhose(list []*exposition) *whose {
	w := &whose{node: "n1", ip: "10.0.0.1", owner: map[string]string{}, sets: map[string]string{}, jobs: map[string]string{}, places: map[string]string{}}
	for _, x := range list {
		for _, s := range x.series {
			get := s.labels.Get
			owner := get("owner_kind") + "/" + get("owner_name")
			switch name := get(series.NameLabel); name {
			case "kube_node_info":
				w.node, w.ip = get("node"), get("internal_ip")
			case "kube_pod_owner":
				w.owner[get("namespace")+"/"+get("pod")] = owner
			case "kube_replicaset_owner":
				w.sets[get("namespace")+"/"+get("replicaset")] = owner
			case "kube_job_owner":
				w.jobs[get("namespace")+"/"+get("job_name")] = owner
			case "kube_pod_info":
				w.places[get("namespace")+"/"+get("pod")] = get("node")
			case "kube_pod_created", "kube_job_status_start_time", "kube_node_created":
				w.newest = max(w.newest, int64(s.value*1000))
			}
		}
	}
	return w
}

// cluster returns the name of the cluster that a stack sends from.
func (w *whose) cluster(s stack) string {
	for _, l := range s.jobs[0].external {
		if l.Name == "cluster" {
			return l.Value
		}
	}
	return "default"
}

var (
	setName  = regexp.MustCompile(`^(.+)-[4-9bcdf]{8,10}$`)
	cronName = regexp.MustCompile(`^(.+)-(2[6-9]|3[0-3])\d{6}$`)
	setPod   = regexp.MustCompile(`^(.+)-[4-9bcdf]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	anyPod   = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

// of returns a series with its workload, the workload's kind and its node. own are the labels as the program writes them, sent those that are stored.
func (w *whose) of(own, sent series.Labels) series.Labels {
	out := make(series.Labels, 0, len(sent)+3)
	for _, l := range sent {
		switch l.Name {
		case "exported_namespace", "exported_pod", "exported_container", "exported_node":
			l.Name = strings.TrimPrefix(l.Name, "exported_")
		case "namespace", "pod", "container", "node":
			if sent.Get("exported_"+l.Name) != "" {
				continue
			}
		case "cluster", "workload", "workload_type":
			continue
		}
		out = append(out, l)
	}
	name := sent.Get(series.NameLabel)
	from := sent
	if strings.HasPrefix(name, "kube_") {
		from = own
	}
	first := func(l series.Labels, names ...string) string {
		for _, n := range names {
			if v := l.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	ns := first(from, "exported_namespace", "namespace")
	pod := first(from, "exported_pod", "pod")
	kind, work := w.workload(name, ns, pod, own)
	node := first(from, "exported_node", "node")
	if node == "" && pod != "" && name != "" {
		node = w.places[ns+"/"+pod]
	}
	if host, _, _ := strings.Cut(sent.Get("instance"), ":"); !strings.HasPrefix(name, "kube_") && first(from, "exported_node", "node") == "" {
		if host == w.node || host == w.ip {
			node = w.node
		} else if node == "" {
			node = host
		}
	}
	set := func(n, v string) {
		for i := range out {
			if out[i].Name == n {
				out[i].Value = v
				return
			}
		}
		if v != "" {
			out = append(out, series.Label{Name: n, Value: v})
		}
	}
	set("workload", work)
	set("workload_type", kind)
	set("node", node)
	out, _ = series.Canonical(out)
	return out
}

// workload returns kind and name of the workload of a pod, or of the object that kube-state-metrics names.
func (w *whose) workload(metric, ns, pod string, own series.Labels) (kind, work string) {
	if pod == "" {
		if !strings.HasPrefix(metric, "kube_") {
			return "", ""
		}
		for _, k := range []string{"deployment", "statefulset", "daemonset", "cronjob"} {
			if v := own.Get(k); v != "" {
				return k, v
			}
		}
		if v := own.Get("job_name"); v != "" {
			return w.follow(ns, "Job/"+v, "")
		}
		if v := own.Get("replicaset"); v != "" {
			return w.follow(ns, "ReplicaSet/"+v, "")
		}
		return "", ""
	}
	owner, ok := w.owner[ns+"/"+pod]
	if ok {
		return w.follow(ns, owner, pod)
	}
	if m := setPod.FindStringSubmatch(pod); m != nil {
		return "deployment", m[1]
	}
	if base, ok := strings.CutSuffix(pod, "-"+w.node); ok {
		return "static", base
	}
	if m := anyPod.FindStringSubmatch(pod); m != nil {
		return "generated", m[1]
	}
	return "pod", pod
}

// follow follows owners to the last.
func (w *whose) follow(ns, owner, pod string) (string, string) {
	kind, name, _ := strings.Cut(owner, "/")
	switch kind {
	case "", "<none>":
		return "pod", pod
	case "ReplicaSet":
		if o := w.sets[ns+"/"+name]; o != "" && o != "/" && !strings.HasPrefix(o, "<none>") {
			return w.follow(ns, o, pod)
		}
		if m := setName.FindStringSubmatch(name); m != nil {
			return "deployment", m[1]
		}
	case "Job":
		if o := w.jobs[ns+"/"+name]; o != "" && o != "/" && !strings.HasPrefix(o, "<none>") {
			return w.follow(ns, o, pod)
		}
		if m := cronName.FindStringSubmatch(name); m != nil {
			return "cronjob", m[1]
		}
	case "Node":
		return "static", strings.TrimSuffix(pod, "-"+name)
	}
	return strings.ToLower(kind), name
}
