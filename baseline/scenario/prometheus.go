package scenario

// What the Prometheus pair says about itself.

import "math"

// promSelf is what a Prometheus says about itself.
type promSelf struct {
	b *block
	r rng
}

func (w *world) makeProms() {
	wl := w.byName["prometheus-k8s"]
	for _, p := range wl.pods[:min(2, len(wl.pods))] {
		t := newTarget(w, "prometheus-k8s", 2, "instance", p.ip+":9090", "namespace", "monitoring", "pod", p.name, "container", "prometheus", "endpoint", "web", "service", "prometheus-k8s")
		s := &promSelf{t.block(), newRNG(w.cfg.Seed, "prom "+p.name)}
		remote := []string{"remote_name", "wrackline", "url", "http://wrackline.monitoring:9099/api/v1/write"}
		w.add(s.b, "prometheus_remote_storage_highest_timestamp_in_seconds")
		w.add(s.b, "prometheus_remote_storage_queue_highest_timestamp_seconds", remote...)
		w.add(s.b, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_total", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_failed_total", remote...)
		w.add(s.b, "prometheus_remote_storage_samples_dropped_total", remote...)
		w.add(s.b, "prometheus_tsdb_head_series")
		w.add(s.b, "prometheus_tsdb_head_samples_appended_total", "type", "float")
		w.proms = append(w.proms, s)
	}
}

func (w *world) runProms(now int64) {
	alive := 0.0
	for _, t := range w.targets {
		alive += 2
		for _, b := range t.blocks {
			alive += float64(len(b.vals))
		}
	}
	for i, s := range w.proms {
		lag := 2 + 2*s.r.float()
		for _, p := range w.faults {
			if p.Kind == PrometheusStall && i == 0 && now >= p.StartMs && now < p.endMs() {
				lag = min(stallLagMs/1000, lag+float64(now-p.StartMs)/1000)
			}
		}
		v, t := s.b.vals, float64(now)/1000
		v[0], v[1], v[2] = t, t, t-lag
		v[3] += math.Floor(alive * w.dt / 60)
		v[6] = alive
		v[7] += math.Floor(alive * w.dt / 60)
	}
}
