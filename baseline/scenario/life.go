package scenario

import "strconv"

// Everyday life: deploys, autoscaling, CronJobs, restarts, a kube-state-metrics that is away now and then. None of it is an
// incident and none of it may alarm.

// cron is a CronJob and its current run.
type cron struct {
	ns, name   string
	everyMs    int64
	offsetMs   int64
	durationMs int64
	cpu, mem   float64 // cores, MiB
	r          rng
	status     *block
	run        *workload // nil between runs
	endMs      int64
	job        *block
	keepUntil  int64
	done       *pod // completed, still listed
	doneJob    *block
}

func (w *world) makeCrons() {
	for _, c := range []cron{
		{ns: "data", name: "export-orders", everyMs: 900_000, offsetMs: 120_000, durationMs: 150_000, cpu: .3, mem: 256},
		{ns: "data", name: "backup-catalog", everyMs: 3_600_000, offsetMs: 1_020_000, durationMs: 420_000, cpu: .5, mem: 512},
		{ns: "platform", name: "clean-images", everyMs: 86_400_000, offsetMs: 9_900_000, durationMs: 1_200_000, cpu: .2, mem: 128},
	} {
		j := c
		j.r = newRNG(w.cfg.Seed, "cron "+j.name)
		j.status = w.ksm.block()
		w.add(j.status, "kube_cronjob_status_last_successful_time", "namespace", j.ns, "cronjob", j.name)
		w.add(j.status, "kube_cronjob_status_active", "namespace", j.ns, "cronjob", j.name)
		j.status.vals[0] = float64((w.cfg.StartMs-j.everyMs)/1000 - 600)
		w.jobs = append(w.jobs, &j)
	}
}

// life lets a step's background events happen.
func (w *world) life(now int64) {
	for _, wl := range w.workloads {
		w.roll(wl, now)
		for _, p := range wl.pods {
			if p.oom {
				w.kill(p, now)
			} else if p.down != 0 && now >= p.down {
				p.down = 0
				p.cad.end() // until now the kubelet has listed the dead container, with its last counts
				w.makeContainer(p)
				p.started = now
			}
			// A container is ready half a minute after it started.
			ready := p.down == 0 && now-p.started >= 30_000 && !(wl.stuck && p.set == wl.hash) && !p.n.down
			if ready != p.ready || p.ksm.vals[p.ksmReady] != b2f(ready) {
				p.ready = ready
				p.ksm.vals[p.ksmReady] = b2f(ready)
				p.ksm.vals[p.ksmReady+1] = b2f(!ready)
			}
		}
	}
	w.runCrons(now)
	minute := now%60_000 == 0
	if minute {
		w.autoscale()
	}
	down := false
	for _, o := range w.outages {
		down = down || now >= o.from && now < o.to
	}
	w.ksm.down = down
	if w.cfg.Quiet || !minute {
		return
	}
	// Deploys: about a dozen on a working day, in working hours, none at weekends.
	day := now / 86_400_000
	if m := now / 60_000 % 1440; m >= 8*60 && m < 17*60 && dayFactor(day) == 1 {
		if w.r.intn(45*24) < min(80, len(w.services)) {
			wl := w.services[w.r.intn(len(w.services))]
			if wl.kind == "Deployment" && len(wl.inRoll) == 0 && wl.doomed == nil && !w.scoped(wl.name, now) {
				w.deploy(wl, now)
			}
		}
	}
	// Restarts in place: a container in three days for each hundred pods.
	if w.r.intn(3*1440*100) < w.podCount {
		wl := w.workloads[w.r.intn(len(w.workloads))]
		if len(wl.pods) > 0 && wl.kind == "Deployment" && !w.scoped(wl.name, now) {
			w.restart(wl.pods[w.r.intn(len(wl.pods))], now)
		}
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// deploy starts a rolling update: one new pod a minute, an old one goes when its successor is ready.
func (w *world) deploy(wl *workload, now int64) {
	w.newReplicaSet(wl)
	wl.inRoll = append([]*pod(nil), wl.pods...)
	wl.doomed = nil // it is in the list again
	wl.rolled = 0
	w.roll(wl, now)
}

// roll takes the next step of a rolling update.
func (w *world) roll(wl *workload, now int64) {
	if len(wl.inRoll) == 0 && wl.doomed == nil || now-wl.rolled < 60_000 || wl.stuck && wl.doomed != nil {
		return
	}
	wl.rolled = now
	if wl.doomed != nil {
		w.removePod(wl.doomed)
		wl.doomed = nil
	}
	if len(wl.inRoll) > 0 {
		wl.doomed = wl.inRoll[0]
		wl.inRoll = wl.inRoll[1:]
		w.makePod(wl, now, "")
	}
}

// undo takes a rolling update back: the ReplicaSet before the newest is wanted again and has kept most of its pods.
func (w *world) undo(wl *workload, now int64) {
	was := wl.sets[len(wl.sets)-2]
	bad := wl.hash
	wl.hash, wl.tag = was.name[len(wl.name)+1:], was.tag
	wl.revision++
	wl.generation++
	wl.inRoll, wl.doomed, wl.rolled = nil, nil, now
	for i := len(wl.pods) - 1; i >= 0; i-- {
		if wl.pods[i].set == bad {
			w.removePod(wl.pods[i])
		}
	}
	for len(wl.pods) < wl.replicas {
		w.makePod(wl, now, "")
	}
}

// removePod ends a pod and all its series.
func (w *world) removePod(p *pod) {
	p.cad.end()
	p.ksm.end()
	p.reason.end()
	if p.appTarget != nil {
		p.appTarget.gone = true
	}
	p.n.pods--
	w.podCount--
	w.changes++
	for i, q := range p.w.pods {
		if q == p {
			p.w.pods = append(p.w.pods[:i:i], p.w.pods[i+1:]...)
			break
		}
	}
	for i, q := range p.w.inRoll {
		if q == p {
			p.w.inRoll = append(p.w.inRoll[:i:i], p.w.inRoll[i+1:]...)
			break
		}
	}
	if p.w.doomed == p {
		p.w.doomed = nil
	}
	for _, d := range w.dnsPods {
		if d.p == p {
			d.p = nil
		}
	}
}

// restart stops a pod's container and lets it come back in the same pod: the counters begin anew under the same names in the
// application, under a new container id in the kubelet.
func (w *world) restart(p *pod, now int64) {
	if p.down != 0 {
		return
	}
	p.restarts++
	p.ksm.vals[p.ksmRestarts] = float64(p.restarts)
	p.down = now + 10_000
	p.ready = false
	for i := range p.appVals() {
		p.app.vals[i] = 0
	}
	if w.client(p.w) != nil {
		w.client(p.w).reset()
	}
	for _, d := range w.dnsPods {
		if d.p == p {
			clear(d.b.vals)
			d.b.vals[d.build] = 1
		}
	}
}

func (p *pod) appVals() []float64 {
	if p.app == nil {
		return nil
	}
	return p.app.vals
}

// kill is what the kernel does to a container at its memory limit.
func (w *world) kill(p *pod, now int64) {
	p.oom = false
	p.cad.vals[cadOOM]++
	w.restart(p, now)
	if p.reason == nil {
		p.reason = w.ksm.block()
		w.add(p.reason, "kube_pod_container_status_last_terminated_reason", "namespace", p.w.ns, "pod", p.name, "uid", p.uid,
			"container", p.w.container(), "reason", "OOMKilled")
	}
	p.reason.vals[0] = 1
}

// autoscale changes replicas once a minute: up at once, down when fewer would have done for ten minutes.
func (w *world) autoscale() {
	for _, wl := range w.services {
		if wl.hpaMax == 0 || len(wl.inRoll) > 0 || wl.doomed != nil || wl.util == 0 {
			continue
		}
		const target = 0.36 // the peak of a working day needs a replica more than the night
		have := wl.replicas
		want := have
		if r := wl.util / target; r > 1.1 {
			want = int(float64(have)*r) + 1
		} else if r < 0.75 {
			want = have - 1
		}
		want = min(wl.hpaMax, max(wl.spec.replicas, want))
		switch {
		case want > have:
			wl.hpaBelow = 0
			wl.replicas = want
			wl.generation++
			for len(wl.pods) < want {
				w.makePod(wl, w.now, "")
			}
		case want < have:
			if wl.hpaBelow++; wl.hpaBelow >= 10 {
				wl.hpaBelow = 0
				wl.replicas = want
				wl.generation++
				for len(wl.pods) > want {
					w.removePod(wl.pods[len(wl.pods)-1])
				}
			}
		default:
			wl.hpaBelow = 0
		}
	}
}

// runCrons starts and ends jobs. A job's name ends in the minute for which it was due.
func (w *world) runCrons(now int64) {
	for _, j := range w.jobs {
		if j.keepUntil != 0 && now >= j.keepUntil {
			j.done.ksm.end()
			j.doneJob.end()
			j.keepUntil, j.done, j.doneJob = 0, nil, nil
		}
		if j.run != nil && now >= j.endMs {
			if j.done != nil {
				j.done.ksm.end()
				j.doneJob.end()
			}
			p := j.run.pods[0]
			p.cad.end()
			p.n.pods--
			w.podCount--
			w.changes++
			p.ksm.vals[p.ksmReady], p.ksm.vals[p.ksmReady+1] = 0, 1
			j.job.vals[1], j.job.vals[2] = 1, 1
			j.done, j.doneJob, j.keepUntil = p, j.job, now+600_000
			j.status.vals[0], j.status.vals[1] = float64(now/1000), 0
			j.run = nil
		}
		due := now - (now-j.offsetMs)%j.everyMs
		if j.run == nil && now-due < stepHistoryMs && now != j.endMs && (j.endMs == 0 || due >= j.endMs-j.durationMs/2) {
			name := j.name + "-" + strconv.FormatInt(due/60_000, 10)
			wl := &workload{spec: spec{ns: j.ns, name: name, kind: "Job", cpuLimit: j.cpu * 2, memLimit: j.mem, util: .5, memBase: .5}, cpuLimit: j.cpu * 2, replicas: 1}
			wl.r = newRNG(w.cfg.Seed, name)
			j.job = w.ksm.block()
			j.job.vals[w.add(j.job, "kube_job_owner", "namespace", j.ns, "job_name", name, "owner_kind", "CronJob", "owner_name", j.name, "owner_is_controller", "true")] = 1
			w.add(j.job, "kube_job_status_succeeded", "namespace", j.ns, "job_name", name)
			w.add(j.job, "kube_job_complete", "namespace", j.ns, "job_name", name, "condition", "true")
			p := w.makePod(wl, now, "")
			p.ready = true
			p.ksm.vals[p.ksmReady], p.ksm.vals[p.ksmReady+1] = 1, 0
			j.run = wl
			j.endMs = now + j.durationMs + int64(j.r.intn(int(j.durationMs/3)))
			j.status.vals[1] = 1
		}
	}
}
