package scenario

// What pods use and answer in a step.

import "math"

// throttled returns the share of scheduler periods cut short at a use of u times the limit.
func throttled(u float64) float64 {
	return 0.006 + 0.9/(1+math.Exp(-(u-0.86)/0.06))
}

// runPods moves every container.
func (w *world) runPods(now int64) {
	for _, n := range w.nodes {
		n.cpu, n.mem, n.flows, n.rps = 0.25, 1.6*(1<<30), 12, 0
	}
	for _, wl := range w.workloads {
		w.runWorkload(wl, now)
	}
	for _, j := range w.jobs {
		if j.run != nil {
			w.runWorkload(j.run, now)
		}
	}
}

func (w *world) runWorkload(wl *workload, now int64) {
	serving := 0.0
	for _, p := range wl.pods {
		p.share.step(&p.r, w.c, 1)
		if p.ready {
			serving += p.jitter * (1 + 0.02*p.share.x)
		}
	}
	util, n := 0.0, 0
	for _, p := range wl.pods {
		if now < p.down {
			p.rps, p.cores = 0, 0
			p.n.mem += 10 << 20
			continue
		}
		p.rps = 0
		if p.ready && serving > 0 && wl.rps > 0 {
			p.rps = wl.rps * p.jitter * (1 + 0.02*p.share.x) / serving
		}
		limit := p.cpuLimit
		var want float64
		switch {
		case wl.cost > 0:
			want = 0.01 + wl.cost*p.rps
		case limit > 0:
			want = limit * wl.spec.util * (0.7 + 0.3*w.shape)
		default:
			want = wl.spec.util
		}
		if now-p.started < 60_000 && wl.cost > 0 {
			want += 0.15 * limit // warming up
		}
		want *= max(0.2, 1+p.cpu.step(&p.r, w.c, 0.05))
		p.throttle = 0
		use := want
		if limit > 0 {
			u := want / limit
			p.throttle = throttled(u) * (1 + 0.05*p.r.normal())
			use = limit * min(u, 0.97)
			util += u
			n++
		}
		p.cores = use
		p.n.cpu += use
		p.n.rps += p.rps
		p.n.flows += p.rps * 0.4
		w.runContainer(p, use, now)
		if p.app != nil && p.ready {
			w.runApp(p)
		}
	}
	if n > 0 {
		wl.util = util / float64(n)
	}
}

// runContainer writes what the kubelet knows of a pod's container.
func (w *world) runContainer(p *pod, use float64, now int64) {
	v := p.cad.vals
	wl := p.w
	v[cadCPU] += use * w.dt
	v[cadPodCPU] = v[cadCPU] + 0.02
	limit := wl.memLimit * (1 << 20)
	if limit == 0 {
		limit = 512 << 20
	}
	// Memory: code and heap floor, caches that follow load, and a heap that grows until the collector runs.
	p.phase += w.dt / p.period
	if p.phase >= 1 {
		p.phase -= math.Floor(p.phase)
		p.period = 180 + 300*p.r.float()
	}
	load := wl.load
	if wl.cost == 0 {
		load = w.shape
	}
	warm := min(1, 0.6+0.4*float64(now-p.started)/600_000)
	ws := wl.memBase * (0.80 + 0.08*min(load, 1.2) + 0.10*p.phase + 0.006*p.r.normal()) * warm
	if wl.leak > 0 {
		p.leaked += wl.leak * w.dt / 3600
	}
	ws += p.leaked
	if ws >= 1 && wl.memLimit > 0 {
		ws = 1
		p.oom = true
	}
	v[cadMem] = math.Floor(ws*limit/4096) * 4096
	v[cadPodMem] = v[cadMem] + 1<<20
	p.n.mem += v[cadMem]
	v[cadPSICPU] += w.dt * min(1, max(0, 0.004+0.6*p.throttle+0.002*p.r.normal()))
	if ws > 0.97 {
		v[cadPSIMem] += w.dt * (ws - 0.97) * 3
	}
	if len(v) > cadPeriods {
		periods := math.Floor(w.dt * 10 * min(1, 0.3+p.cores/max(p.cpuLimit, .01)))
		v[cadPeriods] += periods
		v[cadThrottled] += math.Floor(periods*min(1, max(0, p.throttle)) + p.r.float())
	}
}

// runApp writes what a service's pod says of its requests.
func (w *world) runApp(p *pod) {
	wl := p.w
	u := p.cores / max(p.cpuLimit, .01)
	// Queueing: waiting grows as 1/(1-use), damped since these services have several workers.
	median := wl.medianMs / 1000 * (0.9 + 0.25/(1-min(u, .9)))
	n := p.rps * w.dt
	const lookups = 0.03 // share of requests that need a name the client has not cached
	slow := 0.0
	if p.throttle > 0.02 {
		slow = min(0.5, 0.7*(p.throttle-0.02))
	}
	timeout := lookups * w.fx.dnsSlow
	failed := 0.0008 + lookups*w.fx.dnsFail
	if f := w.fx.conntrack[p.n.index]; f >= 0.999 {
		failed += 0.01
		timeout += 0.01
	}
	base := newPart(1-slow-timeout, median, 0.55)
	h, v := p.http, p.app.vals
	var total float64
	switch {
	case timeout > 0:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base, newPart(slow, median*4, 0.45), newPart(timeout, 5.2, 0.05))
	case slow > 0:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base, newPart(slow, median*4, 0.45))
	default:
		total = appHistogram.observe(&p.r, v[h.hist:], n, base)
	}
	bad := min(total, p.r.poisson(total*failed))
	missing := min(total-bad, p.r.poisson(total*0.004))
	v[h.ok] += total - bad - missing
	if missing > 0 {
		if h.notFound < 0 {
			p.http.notFound = w.add(p.app, "http_requests_total", "method", "GET", "code", "404")
		}
		p.app.vals[p.http.notFound] += missing
	}
	if bad > 0 {
		if h.failed < 0 {
			p.http.failed = w.add(p.app, "http_requests_total", "method", "GET", "code", "500")
		}
		p.app.vals[p.http.failed] += bad
	}
	p.app.vals[h.goroutines] = math.Floor(40 + p.rps*median*10 + 3*p.r.normal())
}
