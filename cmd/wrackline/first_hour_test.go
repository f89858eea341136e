package main

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
)

// In a cluster's first hour what is usual there is learned, and facts are told: a target that is down, a pod that is not ready, a certificate's end. What is
// no fact waits, and what is down is not what is normal.
func TestFactsAreToldInTheFirstHour(t *testing.T) {
	w := newTown(t, 3, "")
	down := func(spans ...[2]int) func(int) float64 {
		return func(i int) float64 {
			for _, s := range spans {
				if between(i, s[0], s[1]) {
					return 0
				}
			}
			return 1
		}
	}
	w.gauge(`up{job="exporter",instance="10.0.1.1:9100"}`, down([2]int{4, 12}, [2]int{22, 34}))
	w.gauge(`up{job="half",instance="10.0.2.1:9100"}`, always(1)) // one of two has been down for long: the habit of the place
	w.gauge(`up{job="half",instance="10.0.2.2:9100"}`, always(0))
	w.gauge(`up{job="blink",instance="10.0.3.1:9100"}`, down([2]int{9, 11})) // a restart
	w.service("shop", "cart", always(50), always(.3))                        // fails as it may always have done
	w.gauge(`certmanager_certificate_expiration_timestamp_seconds{job="cert-manager",name="web",exported_namespace="shop"}`, always(townEpoch/1000+10*86_400))
	w.live(58)

	told := map[string][]alerting.Notification{}
	for _, n := range w.notices() {
		h := n.Incident.Headline()
		told[h.SignalID] = append(told[h.SignalID], n)
	}
	const exporter = "prom.targets_up~cluster=prod~job=exporter"
	var opened []int
	for _, n := range told[exporter] {
		if n.Reason == alerting.First {
			opened = append(opened, townMinute(n.Incident.Opened))
		}
	}
	if len(opened) != 2 || opened[0] < 7 || opened[0] > 11 || opened[1] < 25 || opened[1] > 29 {
		t.Errorf("the exporter's ends were told at %v, want some minutes after 4 and 22: %v", opened, w.incidents())
	}
	certs := 0
	for id, list := range told {
		switch {
		case id == exporter:
		case strings.HasPrefix(id, "cert."):
			certs += len(list)
		default:
			t.Errorf("told of %s: %q", id, list[0].Incident.Title)
		}
	}
	if certs == 0 {
		t.Errorf("a certificate that ends in ten days is not told: %v", w.incidents())
	}

	// What was down has not become normal: an hour later the third time is told, too, and the band begins well above it.
	for _, v := range w.offline.engine.View().Signals {
		if v.Signal.ID == exporter && v.Band.Lower < .5 {
			t.Errorf("the exporter's band begins at %v", v.Band.Lower)
		}
	}
}
