package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
)

// queueRecording writes six days of two queues at about 100: on the last two days the first is high from nine to ten and from fifteen to sixteen.
func queueRecording(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "queues.rec")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := scenario.NewRecorder(f)
	if err != nil {
		t.Fatal(err)
	}
	for m := 0; m < 6*1440; m += 10 {
		var req prompb.WriteRequest
		for i := m; i < m+10; i++ {
			for k, q := range []string{"a", "b"} {
				at, level := townEpoch+int64(i)*60_000, 100.
				switch day, hour := i/1440, i/60%24; {
				case day >= 4 && k == 0 && hour == 9:
					level = 300 + 600*float64(day-4) // more than the day before, which would be a habit
				case day >= 4 && k == 0 && hour == 15:
					level = 500 + 1500*float64(day-4)
				}
				req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "queue_depth"}, {Name: "cluster", Value: "eu"}, {Name: "namespace", Value: q}},
					Samples: []prompb.Sample{{Timestamp: at, Value: level + float64((i*7919+k*104_729)%11) - 5}}})
			}
		}
		body, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteRecord(scenario.Record{ReceivedMs: townEpoch + int64(m+10)*60_000, Body: snappy.Encode(nil, body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

const queueConfig = "track: [{name: queue.depth, match: queue_depth, by: [cluster, namespace], bad: up}]\n"

// backtested runs a backtest and reads its lines.
func backtested(t *testing.T, code int, args ...string) (list []told) {
	t.Helper()
	got, out, errs := run(t, append([]string{"backtest", "--json"}, args...)...)
	if got != code {
		t.Fatalf("%v: %d %s%s", args, got, out, errs)
	}
	for line := range strings.Lines(out) {
		var x told
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

// TestBacktestTellsWhatServeTold folds the same requests in an app as it serves: the same notifications about the same incidents at the same time.
func TestBacktestTellsWhatServeTold(t *testing.T) {
	rec, conf := queueRecording(t), file(t, "w.yml", queueConfig)
	list := backtested(t, exitOK, "--config.file", conf, rec)
	var want []string
	for _, x := range list {
		want = append(want, fmt.Sprint(x.Incident, x.Reason, x.T))
	}
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(false)
	f, err := os.Open(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := ingest.NewDecoder(cfg.limits())
	if err := scenario.ReadRecording(f, func(r scenario.Record) error {
		var b series.Batch
		if _, err := d.Decode(ingest.V1, ingest.Snappy, r.Body, &b); err != nil {
			return err
		}
		b.Sender, b.ReceivedMs = r.Sender, r.ReceivedMs
		a.engine.Apply(&b, 0)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var got []string
	snap := a.manager.Snapshot()
	for _, inc := range slices.Concat(snap.Open, snap.Closed) {
		for _, e := range inc.Timeline {
			if e.Kind == "notified" {
				got = append(got, fmt.Sprint(inc.ID, e.Signal, e.T))
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 8 || !slices.Equal(want, got) {
		t.Errorf("backtest:\n%s\nserve:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// TestBacktestOfTwoConfigurations: the days asked for, lessons that had held, and the difference between two configurations; twins that differ in nothing.
func TestBacktestOfTwoConfigurations(t *testing.T) {
	rec, conf := queueRecording(t), file(t, "w.yml", queueConfig)
	announced := func(list []told) (n int) {
		for _, x := range list {
			if x.Reason != alerting.Resolved {
				n++
			}
		}
		return n
	}
	all := backtested(t, exitOK, "--config.file", conf, "--days", "0", rec)
	last := backtested(t, exitOK, "--config.file", conf, "--days", "1", rec)
	if announced(all) < 3 || announced(last) == 0 || announced(last) >= announced(all) || slices.ContainsFunc(last, func(x told) bool { return x.T < townEpoch+5*86_400_000 }) {
		t.Errorf("%d in all, %d on the last day", announced(all), announced(last))
	}
	for _, x := range all {
		if x.Signal != "queue.depth~cluster=eu~namespace=a" || x.Why == "" || x.Title == "" {
			t.Errorf("%+v", x)
		}
	}
	lessons := file(t, "lessons.yaml", "lessons:\n- {who: anna, match: ['signal=queue.depth', 'namespace=a'], at_most: 400}\n")
	taught := backtested(t, exitOK, "--config.file", conf, "--lessons", lessons, rec)
	if n := announced(taught); n == 0 || n >= announced(all) || slices.ContainsFunc(taught, func(x told) bool { return x.Reason == alerting.First && strings.Contains(x.Title, " 30") }) {
		t.Errorf("with a lesson %d of %d: %+v", n, announced(all), taught)
	}
	if list := backtested(t, exitOK, "--config.file", conf, "--against", conf, rec); len(list) != len(all) || slices.ContainsFunc(list, func(x told) bool { return x.In != "both" }) {
		t.Errorf("with itself: %+v", list)
	}
	none := file(t, "none.yml", strings.Replace(queueConfig, "bad: up", "bad: down", 1))
	list := backtested(t, exitFindings, "--config.file", conf, "--against", none, rec)
	if len(list) != len(all) || slices.ContainsFunc(list, func(x told) bool { return x.In != "first" }) {
		t.Errorf("with one that finds nothing: %+v", list)
	}
	code, out, _ := run(t, "backtest", "--config.file", conf, "--against", none, rec)
	if code != exitFindings || !strings.Contains(out, "2026-01-10") || !strings.Contains(out, "ONLY -") || !strings.Contains(out, "in all") || !strings.Contains(out, "\n- 2026-01-") {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ = run(t, "backtest", "--config.file", conf, rec)
	if code != exitOK || !strings.Contains(out, "\n2026-01-10  ") || !strings.Contains(out, "in all: ") {
		t.Errorf("%d %s", code, out)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{{nil, exitUsage, "name a recording"}, {[]string{"--storage.path", "x", rec}, exitUsage, "in one call"}, {[]string{"--days", "-1", rec}, exitUsage, "want 0 or more"}, {[]string{conf}, exitFailure, "neither a recording"},
		{[]string{"--storage.path", filepath.Join(t.TempDir(), "none")}, exitFailure, "no such file"}, {[]string{"--lessons", conf, rec}, exitFailure, "no list of lessons"}} {
		if code, _, errs := run(t, append([]string{"backtest"}, c.args...)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
}
