package scenario

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// Upgrades of nodes: cordon, drain, boot, another kubelet, and back.

// upgradePhase is how far the upgrade of a node is.
type upgradePhase uint8

const (
	phaseNone upgradePhase = iota
	phaseDrain
	phaseBoot
	phaseBack // still cordoned
	phaseDone
)

const (
	upgradeEveryMs     = 15 * 60_000
	drainFromMs        = 60_000
	drainMs            = 8 * 60_000
	bootFromMs         = 10 * 60_000
	bootMs             = 2 * 60_000
	uncordonFromMs     = 13 * 60_000
	progressDeadlineMs = 10 * 60_000 // Kubernetes' default
	newKubelet         = "v1.36.0"
	newKernel          = "6.18.9"
)

// upgraded are the nodes that a fault upgrades, in order: half of them, at most four, never the one with the control plane.
func (w *world) upgraded() []*node {
	var out []*node
	for i := len(w.nodes) - 1; i > 0 && len(out) < max(1, min(4, len(w.nodes)/2)); i-- {
		out = append(out, w.nodes[i])
	}
	if len(out) == 0 {
		out = w.nodes
	}
	return out
}

// upgradeNode takes the next steps of a node's upgrade that began since ms ago.
func (w *world) upgradeNode(n *node, since, now int64) {
	if n.upgrade == phaseNone && since >= 0 {
		n.upgrade = phaseDrain
		w.cordon(n, true)
		n.toMove = len(w.movable(n))
	}
	if n.upgrade == phaseDrain && since >= drainFromMs {
		left := int(float64(n.toMove) * max(0, 1-float64(since-drainFromMs)/drainMs))
		for pods := w.movable(n); len(pods) > left; pods = pods[1:] {
			w.movePod(pods[0], now)
		}
	}
	if n.upgrade == phaseDrain && since >= bootFromMs {
		n.upgrade = phaseBoot
		w.setDown(n, true)
	}
	if n.upgrade == phaseBoot && since >= bootFromMs+bootMs {
		n.upgrade = phaseBack
		w.setDown(n, false)
		n.kubelet = newKubelet
		w.nodeInfo(n, newKernel)
		copy(n.exporter.vals, n.fresh) // what the kernel counts begins anew
		n.exporter.vals[n.boot] = float64(now/1000 - 30)
		n.entries = 0
		n.kubeletClient.reset()
		for _, wl := range w.workloads {
			for _, p := range wl.pods {
				if p.n == n {
					w.restart(p, now)
				}
			}
		}
	}
	if n.upgrade == phaseBack && since >= uncordonFromMs {
		n.upgrade = phaseDone
		w.cordon(n, false)
	}
}

func (w *world) cordon(n *node, on bool) {
	n.cordoned = on
	w.ksmNodes.vals[n.state+3] = b2f(on)
}

// setDown lets a node and what is scraped from it go away or come back.
func (w *world) setDown(n *node, down bool) {
	n.down = down
	w.ksmNodes.vals[n.state], w.ksmNodes.vals[n.state+2] = b2f(!down), b2f(down)
	for _, t := range []*target{n.cadvisor, n.exporter.t, n.proms.t} {
		t.down = down
	}
}

// movable are the pods that a drain moves away from a node.
func (w *world) movable(n *node) (out []*pod) {
	for _, wl := range w.workloads {
		if wl.kind != "Deployment" && wl.kind != "StatefulSet" {
			continue
		}
		for _, p := range wl.pods {
			if p.n == n {
				out = append(out, p)
			}
		}
	}
	return out
}

// movePod evicts a pod, and its workload makes another one elsewhere.
func (w *world) movePod(p *pod, now int64) {
	wl, name := p.w, ""
	wl.moves++
	if wl.kind == "StatefulSet" {
		name = p.name
	}
	var dns []*dnsPod
	for _, d := range w.dnsPods {
		if d.p == p {
			dns = append(dns, d)
		}
	}
	w.removePod(p)
	q := w.makePod(wl, now, name)
	for _, t := range w.targets[:len(w.targets):len(w.targets)] {
		if t != q.appTarget && !t.gone && series.Labels(t.base).Get("pod") == p.name && series.Labels(t.base).Get("namespace") == wl.ns {
			w.retarget(t, q)
		}
	}
	for _, d := range dns {
		d.p = q
		d.b.vals[d.build] = 1
	}
}

// retarget lets what a target shows go on in another pod: its series end, and those of a new target begin at zero.
func (w *world) retarget(t *target, p *pod) {
	job, kv := "", []string(nil)
	for _, l := range t.base {
		switch l.Name {
		case "job":
			job = l.Value
			continue
		case "pod":
			l.Value = p.name
		case "instance":
			l.Value = p.ip + l.Value[strings.LastIndexByte(l.Value, ':'):]
		}
		kv = append(kv, l.Name, l.Value)
	}
	fresh := newTarget(w, job, t.every, kv...)
	for i, b := range t.blocks {
		old := *b
		t.blocks[i] = &old
		*b = block{t: fresh}
		fresh.blocks = append(fresh.blocks, b)
		for _, l := range old.rows[0].labels {
			own := []string(nil)
			for _, x := range l {
				switch {
				case x.Name == series.NameLabel, x.Name == "prometheus", x.Name == "prometheus_replica", x.Name == "cluster" && x.Value == w.cfg.Cluster:
				case series.Labels(t.base).Get(x.Name) == x.Value:
				default:
					own = append(own, x.Name, x.Value)
				}
			}
			w.add(b, l.Get(series.NameLabel), own...)
		}
	}
	t.gone = true
}
