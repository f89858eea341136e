package scenario

// CoreDNS, the name service.

import "math"

// dnsPod is a CoreDNS replica.
type dnsPod struct {
	p     *pod
	b     *block
	r     rng
	share noise
	row   dnsRows
	build int
}

type dnsRows struct {
	requests                         int // four: A, AAAA and other over UDP, A over TCP
	noerror, nxdomain, servfail      int
	hist                             int
	hitOK, hitNo, cached, entries    int
	fwd                              [2]int // histograms of the upstream by rcode
	broken, rejected, health, panics int
}

// CoreDNS' own bounds: 0.25 ms doubled sixteen times.
var dnsHistogram = newHistogram("0.00025", "0.0005", "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512", "1.024", "2.048", "4.096", "8.192")

var healthHistogram = newHistogram("0.00025", "0.0025", "0.025", "0.25", "2.5")

func (w *world) makeDNS() {
	wl := w.byName["coredns"]
	for _, p := range wl.pods {
		t := newTarget(w, "coredns", 1, "instance", p.ip+":9153", "namespace", wl.ns, "pod", p.name, "container", "coredns", "endpoint", "metrics", "service", "kube-dns")
		d := &dnsPod{p: p, b: t.block(), r: newRNG(w.cfg.Seed, "dns "+p.name)}
		b := d.b
		at := []string{"server", "dns://:53", "zone", "."}
		with := func(kv ...string) []string { return append(append([]string(nil), at...), kv...) }
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "A")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "AAAA")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "udp", "type", "other")...)
		w.add(b, "coredns_dns_requests_total", with("family", "1", "proto", "tcp", "type", "A")...)
		d.row.noerror = w.add(b, "coredns_dns_responses_total", with("rcode", "NOERROR", "plugin", "cache")...)
		d.row.nxdomain = w.add(b, "coredns_dns_responses_total", with("rcode", "NXDOMAIN", "plugin", "cache")...)
		d.row.servfail = -1 // no series before the first failure
		d.row.hist = w.addHistogram(b, dnsHistogram, "coredns_dns_request_duration_seconds", at...)
		cache := []string{"server", "dns://:53", "zones", "."}
		d.row.hitOK = w.add(b, "coredns_cache_hits_total", append(cache[:4:4], "type", "success")...)
		d.row.hitNo = w.add(b, "coredns_cache_hits_total", append(cache[:4:4], "type", "denial")...)
		d.row.cached = w.add(b, "coredns_cache_requests_total", cache...)
		d.row.entries = w.add(b, "coredns_cache_entries", append(cache[:4:4], "type", "success")...)
		for i, rcode := range []string{"NOERROR", "NXDOMAIN"} {
			d.row.fwd[i] = w.addHistogram(b, dnsHistogram, "coredns_proxy_request_duration_seconds", "proxy_name", "forward", "to", "10.0.0.2:53", "rcode", rcode)
		}
		d.row.broken = w.add(b, "coredns_forward_healthcheck_broken_total")
		d.row.rejected = w.add(b, "coredns_forward_max_concurrent_rejects_total")
		d.row.health = w.addHistogram(b, healthHistogram, "coredns_health_request_duration_seconds")
		d.row.panics = w.add(b, "coredns_panics_total")
		d.build = w.add(b, "coredns_build_info", "version", "1.14.1", "revision", "3b1a1f7", "goversion", "go1.25.6")
		b.vals[d.build] = 1
		w.dnsPods = append(w.dnsPods, d)
	}
}

// runDNS shares the cluster's look-ups among the replicas.
func (w *world) runDNS() {
	var weight [64]float64
	n := float64(len(w.dnsPods))
	if n == 0 {
		return
	}
	arriving := 0.0
	for i, d := range w.dnsPods {
		weight[i] = max(0.5, 1+d.share.step(&d.r, w.c, 0.02))
		arriving += weight[i] * (1 - w.fx.dnsLost[i])
	}
	total := 0.0
	for i := range w.dnsPods {
		total += weight[i]
	}
	// What a dead replica swallows is asked again, of all replicas: each retry loses the same share.
	lost := 1 - arriving/total
	asked := w.queries * (1 + lost + lost*lost)
	for i, d := range w.dnsPods {
		q := asked * weight[i] / total * (1 - w.fx.dnsLost[i])
		if w.fx.dnsLost[i] > 0 {
			q += 0.05 // its own probes
		}
		v, r, row := d.b.vals, &d.r, d.row
		count := q * w.dt
		hitRatio := 0.88 - w.fx.cacheLoss + 0.004*d.r.normal()
		miss := 1 - hitRatio
		const external = 0.55 // of misses; the rest is answered from the cluster's own records
		fwdMedian := 0.004 * w.fx.forward
		served := dnsHistogram.observe(r, v[row.hist:], count,
			newPart(1-miss*external, 0.00016, 0.7), newPart(miss*external, fwdMedian, 0.8))
		a := math.Floor(served * 0.52)
		aaaa := math.Floor(served * 0.43)
		tcp := min(served-a-aaaa, r.poisson(served*0.004))
		v[row.requests] += a
		v[row.requests+1] += aaaa
		v[row.requests+2] += served - a - aaaa - tcp
		v[row.requests+3] += tcp
		fail := min(served, r.poisson(served*(0.00012+w.fx.servfail)))
		no := math.Floor((served - fail) * (0.56 + 0.01*r.normal()))
		v[row.nxdomain] += no
		v[row.noerror] += served - fail - no
		hits := math.Floor(served * min(0.99, hitRatio))
		v[row.hitOK] += math.Floor(hits * 0.4)
		v[row.hitNo] += hits - math.Floor(hits*0.4)
		v[row.cached] += served
		v[row.entries] = math.Floor(900 + 300*w.shape + 20*r.normal())
		dnsHistogram.observe(r, v[row.fwd[0]:], served*miss*external*0.45, newPart(1, fwdMedian, 0.8))
		dnsHistogram.observe(r, v[row.fwd[1]:], served*miss*external*0.55, newPart(1, fwdMedian*0.8, 0.8))
		healthHistogram.observe(r, v[row.health:], w.dt, newPart(1, 0.0006, 0.5))
		if fail > 0 {
			if row.servfail < 0 {
				d.row.servfail = w.add(d.b, "coredns_dns_responses_total", "server", "dns://:53", "zone", ".", "rcode", "SERVFAIL", "plugin", "forward")
			}
			d.b.vals[d.row.servfail] += fail
		}
		if d.p != nil {
			d.p.n.flows += q
		}
	}
}
