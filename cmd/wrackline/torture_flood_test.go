package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// TestTortureFloods lets one sender flood a program that has limits: with series, with cluster names, with sender names from one address. Another sender's new workloads must be learned all the same,
// memory must stay within bounds, and what is refused must be a problem. As a rule a tenth of the flood comes; all of it with WRACKLINE_TORTURE set: a million series, 10,000 clusters, 10,000 senders.
func TestTortureFloods(t *testing.T) {
	t.Parallel()
	scale, _ := torture(t, 10)
	series, names := 1_000_000, 10_000
	if scale == 10 { // the short form
		series, names = 50_000, 400
	}
	conf := file(t, "w.yml", "track: [{name: shop.orders, match: orders, func: value, agg: max, by: [cluster, shop]}]\nsignals: {series_max: 20000, signals_max: 2000}\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	send := func(query string, from, n int, at int64, name, cluster string) (status int, text string) {
		t.Helper()
		var r prompb.WriteRequest
		for i := range n {
			r.Timeseries = append(r.Timeseries, prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: name}, {Name: "cluster", Value: cluster}, {Name: "shop", Value: fmt.Sprint("s", from+i)}},
				Samples: []prompb.Sample{{Timestamp: at, Value: 1}}})
		}
		body, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return p.writeTo("/api/v1/write"+query, "", snappy.Encode(nil, body))
	}
	begin := time.Now().UnixMilli()
	honest := func(shops int, from, to int64) { // minutes before the test began
		for m := from; m >= to; m-- {
			if status, text := send("?sender=honest", 0, shops, begin-m*60_000, "orders", "eu"); status/100 != 2 {
				t.Errorf("the honest sender is answered %d: %s", status, text)
			}
		}
	}
	honest(20, 30, 21)
	p.settle()
	before := p.metric("process_resident_memory_bytes")
	answers := map[int]int{}
	now := time.Now().UnixMilli()
	for from := 0; from < series; from += 2_000 {
		status, _ := send("?sender=flood", from, 2_000, now, "orders", "flood")
		answers[status]++
	}
	for i := range names {
		status, _ := send("?sender=flood", 0, 1, now, "orders", fmt.Sprint("c", i))
		answers[status]++
		status, _ = send(fmt.Sprint("?sender=f", i), 0, 1, now, "orders", "flood")
		answers[status]++
	}
	p.settle()
	grown := p.metric("process_resident_memory_bytes") - before
	learned, minute := 0, int64(20)
	await(t, "forty new shops of the honest sender are learned", func() bool { // room changes hands every ten seconds
		if minute > 0 {
			honest(60, minute, minute)
			minute--
		} else {
			honest(60, 0, 0)
			time.Sleep(200 * time.Millisecond)
		}
		learned = 0
		for i := range 60 {
			if status, _ := p.try(fmt.Sprintf("/api/v1/signals/shop.orders~cluster=eu~shop=s%d", i)); status == 200 {
				learned++
			}
		}
		return learned == 60 || time.Now().UnixMilli()-begin > 120_000
	})
	t.Logf("%d series, %d clusters and %d senders of a flood are answered %v; %d of 60 shops of another sender are learned; %.0f MiB more; held %v series, %v signals", series, names, names, answers, learned, grown/(1<<20),
		p.metric("wrackline_series"), p.metric("wrackline_signals"))
	if learned != 60 {
		t.Errorf("%d of 60 shops of the honest sender are learned", learned)
	}
	if grown > 700<<20 {
		t.Errorf("the flood left %.0f MiB", grown/(1<<20))
	}
	var status struct {
		Data []struct{ Text string }
	}
	p.json("/api/v1/status/problems", &status)
	if len(status.Data) == 0 {
		t.Error("nothing is a problem")
	}
	for _, x := range status.Data {
		t.Logf("problem: %.160s", x.Text)
	}
}
