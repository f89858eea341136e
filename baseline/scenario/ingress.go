package scenario

// The front door, an NGINX controller.

import "strings"

// ingress is the front door: one NGINX controller with an Ingress for each root service.
type ingress struct {
	b     *block
	r     rng
	roots []*workload
	rows  []int // 200, 404, 502 for each root; then its histogram
}

func (w *world) makeIngress() {
	wl := w.byName["ingress-nginx-controller"]
	p := wl.pods[0]
	t := newTarget(w, "ingress-nginx", 2, "instance", p.ip+":10254", "namespace", wl.ns, "pod", p.name, "container", "controller", "endpoint", "metrics", "service", "ingress-nginx-controller-metrics")
	g := &ingress{b: t.block(), r: newRNG(w.cfg.Seed, "ingress")}
	for _, s := range w.services {
		if s.rootRPS == 0 {
			continue
		}
		g.roots = append(g.roots, s)
		host := strings.ReplaceAll(s.name, "_", "-") + ".example.com"
		g.rows = append(g.rows, len(g.b.vals))
		for _, status := range []string{"200", "404", "502"} {
			w.add(g.b, "nginx_ingress_controller_requests", "exported_namespace", s.ns, "ingress", s.name, "exported_service", s.name, "host", host, "method", "GET", "path", "/", "status", status)
		}
	}
	w.conns = g
}

func (w *world) runIngress() {
	g := w.conns
	for i, s := range g.roots {
		v := g.b.vals[g.rows[i]:]
		n := g.r.poisson(s.rps * w.dt)
		bad, missing := min(n, g.r.poisson(n*0.0005)), g.r.poisson(n*0.004)
		v[2] += bad
		v[1] += min(n-bad, missing)
		v[0] += n - bad - min(n-bad, missing)
	}
}
