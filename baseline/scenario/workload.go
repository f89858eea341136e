package scenario

// Workloads: how they are made, what of them kube-state-metrics shows, and how requests pass through their graph.

import (
	"fmt"
	"math"
)

// workload is what owns pods.
type workload struct {
	spec
	r          rng
	pods       []*pod
	replicas   int
	cpuLimit   float64
	revision   int
	generation int // of what somebody has written: templates and replicas
	hash       string
	tag        int  // of the image of its template
	stuck      bool // pods of the newest template do not get ready
	moves      int  // pods that had to leave their node
	sets       []*replicaSet
	status     *block
	statusRow  int
	hpa        *block
	hpaBelow   int // minutes for which fewer replicas would do

	peak   float64 // requests a second at peak, from the graph; costs follow from it
	cost   float64 // core seconds a request
	rps    float64
	traf   noise
	load   float64 // smoothed rps / peak: caches follow it
	leak   float64 // share of the memory limit an hour
	inRoll []*pod  // pods still to be replaced
	doomed *pod    // replaced, dies when its successor is ready
	rolled int64
	target bool
	calls  []edge
	util   float64
}

type edge struct {
	to  *workload
	fan float64
}

type replicaSet struct {
	name string
	tag  int // of its image
	b    *block
}

func (w *world) makeWorkloads() {
	for i := range system {
		w.makeWorkload(system[i], "")
	}
	w.makeCrons()
	for left, n := w.cfg.Profile.Workloads-len(system)-len(w.jobs), 1; left > 0; n++ {
		suffix := ""
		if n > 1 {
			suffix = fmt.Sprintf("-%d", n)
		}
		copied := map[string]*workload{}
		var made []*workload
		for i := range apps[:min(left, len(apps))] {
			wl := w.makeWorkload(apps[i], suffix)
			copied[wl.name] = wl
			made = append(made, wl)
		}
		left -= len(made)
		for _, wl := range made { // callers come before callees, so peaks are known in one pass
			wl.peak += wl.rootRPS + wl.own
			for _, c := range wl.spec.calls {
				if to := copied[c.to]; to != nil {
					wl.calls = append(wl.calls, edge{to, c.fan})
					to.peak += wl.peak * c.fan
				}
			}
			wl.cost = wl.util0() / wl.peak
			w.services = append(w.services, wl)
		}
	}
	// Each client pod looks names up for a share of its requests, several times because of its search path.
	for _, wl := range w.workloads {
		for range wl.replicas {
			w.makePod(wl, w.cfg.StartMs-int64(3_600_000*(1+wl.r.intn(200))), "")
		}
		w.makeStatus(wl)
	}
	for _, wl := range w.workloads {
		for _, p := range wl.pods {
			p.ready = true
			p.started = p.born
		}
	}
}

// util0 is how many cores a workload uses at peak.
func (wl *workload) util0() float64 { return wl.spec.util * wl.spec.cpuLimit * float64(wl.replicas) }

func (w *world) makeWorkload(s spec, suffix string) *workload {
	wl := &workload{spec: s, replicas: s.replicas, cpuLimit: s.cpuLimit}
	wl.ns += suffix
	if s.memBase == 0 {
		wl.memBase = .5
	}
	switch s.kind {
	case "DaemonSet":
		wl.replicas = len(w.nodes)
	case "Node":
		wl.replicas = 1
	case "Deployment", "StatefulSet":
		if s.medianMs > 0 || s.ns == "data" {
			wl.replicas *= w.cfg.Profile.Replicas
			wl.hpaMax *= w.cfg.Profile.Replicas
		}
	}
	wl.spec.replicas = wl.replicas
	wl.r = newRNG(w.cfg.Seed, wl.ns+"/"+wl.name)
	wl.target = s.medianMs > 0
	if s.kind == "Deployment" {
		w.newReplicaSet(wl)
	}
	w.workloads = append(w.workloads, wl)
	if w.byName[wl.name] == nil {
		w.byName[wl.name] = wl
	}
	return wl
}

// newReplicaSet gives a Deployment a new template and drops the ReplicaSets beyond the last three.
func (w *world) newReplicaSet(wl *workload) {
	wl.revision++
	wl.generation++
	wl.hash = templateHash(uint32(wl.r.next()))
	name := wl.name + "-" + wl.hash
	b := w.ksm.block()
	b.vals[w.add(b, "kube_replicaset_owner", "namespace", wl.ns, "replicaset", name, "owner_kind", "Deployment", "owner_name", wl.name, "owner_is_controller", "true")] = 1
	w.add(b, "kube_replicaset_spec_replicas", "namespace", wl.ns, "replicaset", name)
	wl.tag = wl.revision
	wl.sets = append(wl.sets, &replicaSet{name, wl.tag, b})
	if len(wl.sets) > 3 {
		wl.sets[0].b.end()
		wl.sets = append(wl.sets[:0], wl.sets[1:]...)
	}
}

// image is what a workload's newest template runs.
func (w *world) image(wl *workload) string {
	return fmt.Sprint("registry.sim/", wl.container(), ":", wl.tag)
}

// container is the name of a workload's only container.
func (wl *workload) container() string {
	if len(wl.name) > 40 {
		return "collector"
	}
	if wl.kind == "Job" {
		return "job"
	}
	return wl.name
}

// makeStatus adds a workload's own objects to kube-state-metrics.
func (w *world) makeStatus(wl *workload) {
	b := w.ksm.block()
	wl.status = b
	switch wl.kind {
	case "Deployment":
		wl.statusRow = w.add(b, "kube_deployment_spec_replicas", "namespace", wl.ns, "deployment", wl.name)
		for _, m := range []string{"kube_deployment_status_replicas_available", "kube_deployment_status_replicas", "kube_deployment_status_replicas_updated",
			"kube_deployment_metadata_generation", "kube_deployment_status_observed_generation", "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
			"kube_deployment_spec_paused"} {
			w.add(b, m, "namespace", wl.ns, "deployment", wl.name)
		}
		for _, s := range []string{"true", "false", "unknown"} {
			b.vals[w.add(b, "kube_deployment_status_condition", "namespace", wl.ns, "deployment", wl.name, "condition", "Progressing", "status", s)] = b2f(s == "true")
		}
	case "StatefulSet":
		for _, m := range []string{"kube_statefulset_replicas", "kube_statefulset_status_replicas_ready", "kube_statefulset_status_replicas",
			"kube_statefulset_status_replicas_available", "kube_statefulset_status_replicas_updated", "kube_statefulset_metadata_generation",
			"kube_statefulset_status_observed_generation"} {
			w.add(b, m, "namespace", wl.ns, "statefulset", wl.name)
		}
		b.vals[w.add(b, "kube_statefulset_status_update_revision", "namespace", wl.ns, "statefulset", wl.name, "revision", wl.name+"-"+templateHash(uint32(wl.r.next())))] = 1
	case "DaemonSet":
		for _, m := range []string{"kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_ready", "kube_daemonset_status_current_number_scheduled",
			"kube_daemonset_status_number_available", "kube_daemonset_status_updated_number_scheduled", "kube_daemonset_metadata_generation",
			"kube_daemonset_status_observed_generation"} {
			w.add(b, m, "namespace", wl.ns, "daemonset", wl.name)
		}
	}
	if wl.hpaMax > 0 {
		wl.hpa = w.ksm.block()
		for _, m := range []string{"kube_horizontalpodautoscaler_spec_max_replicas", "kube_horizontalpodautoscaler_spec_min_replicas",
			"kube_horizontalpodautoscaler_status_current_replicas", "kube_horizontalpodautoscaler_status_desired_replicas"} {
			w.add(wl.hpa, m, "namespace", wl.ns, "horizontalpodautoscaler", wl.name)
		}
		wl.hpa.vals[0] = float64(wl.hpaMax)
		wl.hpa.vals[1] = float64(wl.spec.replicas)
		if w.cfg.Targets {
			name := []string{"namespace", wl.ns, "horizontalpodautoscaler", wl.name}
			wl.hpa.vals[w.add(wl.hpa, "kube_horizontalpodautoscaler_info", append(name, "scaletargetref_kind", wl.kind, "scaletargetref_name", wl.name)...)] = 1
			wl.hpa.vals[w.add(wl.hpa, "kube_horizontalpodautoscaler_spec_target_metric", append(name, "metric_name", "cpu", "metric_target_type", "utilization")...)] = 72
		}
	}
}

// runStatus writes what kube-state-metrics knows of workloads.
func (w *world) runStatus() {
	for _, wl := range w.workloads {
		ready, updated := 0.0, 0.0
		for _, s := range wl.sets {
			s.b.vals[1] = 0
		}
		for _, p := range wl.pods {
			if p.ready {
				ready++
			}
			if p.set == wl.hash {
				updated++
			}
			for _, s := range wl.sets {
				if s.name == wl.name+"-"+p.set && p != wl.doomed {
					s.b.vals[1]++
				}
			}
		}
		want, have := float64(wl.replicas), float64(len(wl.pods))
		v := wl.status.vals
		switch wl.kind {
		case "Deployment":
			v[0], v[1], v[2], v[3] = want, ready, have, updated
			v[4], v[5] = float64(wl.generation), float64(wl.generation)
			v[6] = math.Floor(want / 4)
			late := wl.stuck && w.now-wl.rolled >= progressDeadlineMs
			v[8], v[9] = b2f(!late), b2f(late)
		case "StatefulSet", "DaemonSet":
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = want, ready, have, ready, have, 1, 1
		}
		if wl.hpa != nil {
			wl.hpa.vals[2], wl.hpa.vals[3] = have, want
		}
	}
	w.roleBinding.vals[0] = w.roleBindingVersion
}

// traffic sends requests through the graph.
func (w *world) traffic() {
	for _, wl := range w.services {
		wl.rps = 0
	}
	w.queries = 15 // kubelets, probes and jobs
	for _, wl := range w.services {
		sd := 0.015
		in := wl.rps
		if wl.rootRPS > 0 {
			sd = 0.03
			root := wl.rootRPS * w.shape
			if wl.name == trafficTarget && wl == w.byName[trafficTarget] {
				root *= w.fx.traffic
			}
			in += root
		}
		in += wl.own
		wl.rps = max(0, in*(1+wl.traf.step(&wl.r, w.c, sd)))
		for _, c := range wl.calls {
			c.to.rps += wl.rps * c.fan
		}
		load := wl.rps / wl.peak
		if wl.load == 0 {
			wl.load = load
		}
		wl.load += (load - wl.load) * min(1, w.dt/1800) // caches fill and empty within half an hour
		w.queries += wl.rps * 0.15
	}
}
