package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/wire"
)

// flood is what somebody sends at each step of a rig: requests with a query and a body of its own.
type flood struct {
	name, limit string // limit is a condition that it causes; "" = none
	each        int    // requests of a step
	request     func(i int) (query, cluster string, series int)
}

// pour sends the requests of one step, all from one address.
func (f *flood) pour(r *blindRig, from int) {
	at := r.a.now().UnixMilli()
	for i := from; i < from+f.each; i++ {
		query, cluster, n := f.request(i)
		var msg []byte
		for k := range n {
			l := wire.AppendLabel(nil, "__name__", "coredns_dns_requests_total")
			for _, x := range [][2]string{{"cluster", cluster}, {"job", "coredns"}, {"pod", fmt.Sprintf("p%d-%d", i, k)}} {
				l = wire.AppendLabel(l, x[0], x[1])
			}
			msg = wire.AppendSeries(msg, l, []series.Sample{{T: at, V: 1}})
		}
		q := httptest.NewRequest(http.MethodPost, "/api/v1/write"+query, bytes.NewReader(wire.AppendBody(nil, msg)))
		q.RemoteAddr = "10.0.0.66:4711"
		q.Header.Set("Content-Encoding", "snappy")
		q.Header.Set("Content-Type", "application/x-protobuf")
		r.a.door.Load().ServeHTTP(httptest.NewRecorder(), q.WithContext(r.t.Context()))
	}
}

// A sender that falls silent while another floods is told within five minutes, by name, and that it is back; new pods of it are learned; and of the flood nothing is left once the retention is over, neither in the fold nor
// in what is remembered beside it.
func TestTortureFloodHidesNoSilence(t *testing.T) {
	n, _ := torture(t, 1)
	many := 1 + min(n/10, 10) // 10,000 of each, and more, by make torture
	for _, f := range []flood{
		{"series", "limit.series", 6 * many, func(int) (string, string, int) { return "?sender=flood", "flood", 100 }},
		{"cluster names", "", 2 * many, func(i int) (string, string, int) { return fmt.Sprintf("?sender=flood&cluster=c%d", i), "", 1 }},
		{"sender names", "", 12 * many, func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d", i), "flood", 1 }},
		{"both", "", 2 * many, func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d&cluster=c%d", i, i), "", 1 }},
		{"series of the same cluster", "limit.series", 6 * many, func(int) (string, string, int) { return "?sender=flood", "", 100 }},
		{"series and sender names of the same cluster", "limit.series", 12 * many, func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d", i), "", 20 }},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			r := newBlindRig(t, rigOptions{silent: true, config: "signals: {series_max: 5000}\npacks: {disable: ['[a-ce-z]*']}\n", setup: func(c *config) { c.Storage.Retention = duration(2 * time.Hour) }})
			poured, quiet, dry := 0, false, false
			r.send = func(r *blindRig) {
				if !quiet {
					r.write()
				}
				if !dry {
					f.pour(r, poured)
					poured += f.each
				}
			}
			r.steps(12*time.Minute, nil)
			quiet = true
			told := func(status string) func() bool {
				return func() bool {
					for _, w := range r.got("/a") {
						if w.kind == recvSilent && w.status == status && strings.Contains(w.title, "10.0.0.7") {
							return true
						}
					}
					return false
				}
			}
			took, ok := r.steps(tellWithin, told("firing"))
			if !ok {
				t.Fatalf("the silence is not told: %+v, conditions %+v", r.got("/a"), conditionsOf(r))
			}
			quiet = false
			if _, ok := r.steps(tellWithin, told("resolved")); !ok {
				t.Fatalf("the end of the silence is not told: %+v", r.got("/a"))
			}
			held := func() int {
				for _, x := range r.a.engine.Stats().Senders {
					if x.Name == r.host {
						return x.Tracked
					}
				}
				return 0
			}
			before := held()
			r.pods = 9
			r.steps(2*time.Minute, nil)
			if n := held(); before == 0 || n != 3*before {
				t.Errorf("three times as many pods send, %d series were held and %d are", before, n)
			}
			st := r.a.engine.Stats()
			t.Logf("told after %s; %d requests of a flood, %d clusters, %d series, %d senders", took, poured, len(st.Clusters), st.Series, len(st.Senders))
			dry = true
			for end := r.a.now().Add(4 * time.Hour); r.a.now().Before(end); r.step() {
				r.clock.Add(int64(4 * time.Minute))
			}
			r.a.fresh()
			st = r.a.engine.Stats()
			m := &r.a.self.memory
			if len(st.Clusters) != 1 || len(st.Senders) != 1 || st.Series > 9*len(r.metric) || len(m.clusters) != 1 || len(m.talks) > 256 || len(r.a.watch.silent) > 1 {
				t.Errorf("after the retention there are %d clusters, %d senders, %d series; remembered are %d clusters, %d senders at the door, %d silences", len(st.Clusters), len(st.Senders), st.Series, len(m.clusters), len(m.talks), len(r.a.watch.silent))
			}
		})
	}
}

// TestFloodHidesNoRefusal: a sender all of whose samples are refused is told by name while another address floods with names, taken or refused themselves.
func TestFloodHidesNoRefusal(t *testing.T) {
	for _, bad := range []bool{false, true} {
		t.Run(fmt.Sprintf("the flood is refused %v", bad), func(t *testing.T) {
			t.Parallel()
			r := newBlindRig(t, rigOptions{})
			f := &flood{each: 300, request: func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d", i), "flood", 1 }}
			if bad {
				f.request = func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d&cluster=%%07", i), "flood", 1 }
			}
			poured, refused := 0, false
			r.send = func(r *blindRig) {
				if !refused {
					r.write()
				} else {
					l := wire.AppendLabel(wire.AppendLabel(nil, "__name__", "x"), "__name__", "y")
					r.post(wire.AppendBody(nil, wire.AppendSeries(nil, l, oneSample(r))))
				}
				f.pour(r, poured)
				poured += f.each
			}
			r.steps(4*time.Minute, nil)
			refused = true
			took, ok := r.steps(tellWithin, func() bool {
				for _, w := range r.got("/a") {
					if w.kind == "wrackline.sender.refused" && strings.Contains(w.title, "10.0.0.7") {
						return true
					}
				}
				return false
			})
			if !ok {
				t.Errorf("not told within %s: %+v, conditions %+v", took, r.got("/a"), conditionsOf(r))
			}
		})
	}
}

// TestLateComerBesideAFlood: a sender that comes when a flood of names has filled the cluster that it sends of is known by its name all the same: its pods are learned, and its silence is told.
func TestLateComerBesideAFlood(t *testing.T) {
	r := newBlindRig(t, rigOptions{silent: true})
	f := &flood{each: 60, request: func(i int) (string, string, int) { return fmt.Sprintf("?sender=f%d", i), "", 1 }}
	poured, there := 0, false
	r.send = func(r *blindRig) {
		f.pour(r, poured)
		poured += f.each
		if there {
			r.write()
		}
	}
	r.steps(6*time.Minute, nil)
	there = true
	r.steps(12*time.Minute, nil)
	there = false
	_, ok := r.steps(tellWithin, func() bool {
		for _, w := range r.got("/a") {
			if w.kind == recvSilent && strings.Contains(w.title, "10.0.0.7") {
				return true
			}
		}
		return false
	})
	st := r.a.engine.Stats()
	if !ok || len(st.Senders) > 1001 {
		t.Errorf("told %v; %d senders; words %+v", ok, len(st.Senders), r.got("/a"))
	}
}
