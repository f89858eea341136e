package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
)

// send folds n series of a metric as a sender's request, past the door.
func (a *app) send(t *testing.T, sender, cluster, metric, label string, from, n int) series.Result {
	t.Helper()
	now := a.now().UnixMilli()
	var req prompb.WriteRequest
	for i := from; i < from+n; i++ {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Samples: []prompb.Sample{{Timestamp: now, Value: 1}},
			Labels: []prompb.Label{{Name: "__name__", Value: metric}, {Name: "cluster", Value: cluster}, {Name: label, Value: "v" + strconv.Itoa(i)}}})
	}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b := series.Batch{Sender: sender, ReceivedMs: now}
	if _, err := ingest.NewKeyedDecoder(ingest.Limits{}, a.keyer).Decode(ingest.V1, ingest.Snappy, snappy.Encode(nil, body), &b); err != nil {
		t.Fatal(err)
	}
	res := a.engine.Apply(&b, 0)
	a.line.note([]baseline.Job{{Batch: &b}}, []series.Result{res})
	a.engine.Publish()
	return res
}

// TestLimitsSayWhoIsWorst: each limit is a line with what is used of it and by whom; what is refused is a problem that names metric, label and sender; and series that nobody needs take no
// room from those that somebody does.
func TestLimitsSayWhoIsWorst(t *testing.T) {
	cfg := defaultConfig()
	cfg.Signals.SeriesMax, cfg.Signals.ClusterSeriesMax = 40, 30
	a := openDoors(t, cfg, false)
	if res := a.send(t, "prom-a", "prod", "nobody_needs_this", "id", 0, 250); res.Rejected != 0 {
		t.Errorf("%d series that nobody needs were refused below ten times the limit: %s", res.Rejected, res.Reason)
	}
	if res := a.send(t, "prom-a", "prod", "kube_node_info", "node", 0, 25); res.Rejected != 0 {
		t.Errorf("%d series that signals need were refused for those that nobody needs: %s", res.Rejected, res.Reason)
	}
	a.send(t, "prom-b", "prod", "kube_node_info", "no\u202ede", 100, 300)
	st := source{a}.Status()
	lines := map[string]string{}
	for _, l := range st.Limits {
		lines[l.Name] = strconv.Itoa(int(l.Used)) + " of " + strconv.Itoa(int(l.Max)) + ": " + l.Meaning
	}
	for name, want := range map[string]string{"signals.series_max": "30 of 40: ", "10 × signals.series_max": "250 of 400: ", "signals.signals_max": " of 200000: ", "signals.cluster_series_max": "30 of 30: ", "clusters": "1 of 1000: ",
		"senders": "2 of 1000: ", "objects watched for changes": " of 200000: ", "requests before the fold": "0 of ", "ingest.journal_max": " of ", "storage.max_size": " of "} {
		if !strings.Contains(lines[name], want) {
			t.Errorf("%s: %q, want %q", name, lines[name], want)
		}
	}
	if !strings.Contains(lines["signals.series_max"], "most, 30, are of cluster prod") || !strings.Contains(lines["10 × signals.series_max"], "most is sent by prom-b") {
		t.Errorf("%q", lines)
	}
	said := ""
	for _, p := range st.Problems {
		if strings.Contains(p.Text, "found no room") {
			said = p.Text
		}
		if strings.ContainsFunc(p.Text+p.Fix, series.Hidden) {
			t.Errorf("%q", p.Text)
		}
	}
	for _, want := range []string{"285 samples", "from prom-b", "holds 15 of them, and its share is 15", "signals.series_max", "metric kube_node_info", "label no de has about", "sender prom-b"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in %q", want, said)
		}
	}
}

// TestLogIsPlain: whatever stands in a value, a line of the log is one line, bounded, and does nothing to a terminal.
func TestLogIsPlain(t *testing.T) {
	var b bytes.Buffer
	evil := "a\x1b[2J\r\nlevel=ERROR msg=forged\u202e\u2066\u200b\xff" + strings.Repeat("L", 50_000)
	log := newLog(&b, slog.LevelInfo)
	log.Info(evil, "sender", evil, "err", errors.New(evil), "any", []string{evil[:40]})
	text := strings.TrimSuffix(b.String(), "\n")
	if strings.ContainsFunc(text, series.Hidden) || len(text) > 4*logMax || strings.Contains(text, "\n") {
		t.Errorf("%d bytes: %.300q", len(text), text)
	}
}
