package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// notifiedBy returns what an app has told, as incident, reason and time.
func notifiedBy(a *app) (list []string) {
	snap := a.manager.Snapshot()
	for _, inc := range slices.Concat(snap.Open, snap.Closed) {
		for _, e := range inc.Timeline {
			if e.Kind == "notified" {
				list = append(list, fmt.Sprint(inc.ID, " ", e.Signal, " ", e.T))
			}
		}
	}
	slices.Sort(list)
	return list
}

func notifiedIn(list []told) (out []string) {
	for _, x := range list {
		out = append(out, fmt.Sprint(x.Incident, " ", x.Reason, " ", x.T))
	}
	slices.Sort(out)
	return out
}

// eachRequest journals and folds a recording as serve does; before is called before each request.
func (a *app) eachRequest(t *testing.T, rec string, before func(at int64)) {
	t.Helper()
	f, err := os.Open(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := ingest.NewKeyedDecoder(a.cfg.Load().limits(), a.keyer)
	if err := scenario.ReadRecording(f, func(r scenario.Record) error {
		before(r.ReceivedMs)
		var b series.Batch
		if _, err := d.Decode(ingest.V1, ingest.Snappy, r.Body, &b); err != nil {
			return err
		}
		pos, err := a.journal.Append(journal.Record{ReceivedMs: r.ReceivedMs, Sender: r.Sender, Cluster: r.Cluster, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: r.Body})
		if err != nil {
			return err
		}
		b.Sender, b.Cluster, b.ReceivedMs = r.Sender, r.Cluster, r.ReceivedMs
		a.engine.Apply(&b, pos)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestBacktestOfWhatIsKeptTellsWhatServeTold: over the journal of a directory that is in use, from the first request, from a state that was kept in the middle of an incident, and after the first half has gone;
// of days of which nothing is kept it says so.
func TestBacktestOfWhatIsKeptTellsWhatServeTold(t *testing.T) {
	rec, dir := queueRecording(t), t.TempDir()
	cfg, err := loadConfig(file(t, "w.yml", queueConfig))
	if err != nil {
		t.Fatal(err)
	}
	a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { a.close(false) }()
	middle := int64(townEpoch + 4*86_400_000 + 9*3_600_000 + 30*60_000) // the first alarm stands
	var now int64
	a.now = func() time.Time { return time.UnixMilli(now) }
	var kept anchor
	a.eachRequest(t, rec, func(at int64) {
		now = at
		if at >= middle && kept.Pos == 0 {
			kept = anchor{Pos: a.engine.Pos(), AtMs: at}
			if err := a.past.add(a.freeze(), at); err != nil {
				t.Fatal(err)
			}
		}
	})
	want := notifiedBy(a)
	if len(want) < 8 {
		t.Fatalf("%d notifications", len(want))
	}
	fold := func(days int, cfgs ...config) *benchResult {
		t.Helper()
		res, err := foldPast(t.Context(), dir, cfgs, benchTask{days: days, oldest: len(cfgs) > 1})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := fold(0, cfg); !res.First || !slices.Equal(notifiedIn(res.Told), want) || res.Requests != 6*144 {
		t.Errorf("from the first request:\n%v\nserve:\n%v", notifiedIn(res.Told), want)
	}
	later := func(from int64) (list []string) {
		for _, x := range want {
			var id, reason string
			var at int64
			fmt.Sscan(x, &id, &reason, &at)
			if at >= from {
				list = append(list, x)
			}
		}
		return list
	}
	if res := fold(1, cfg); res.First || res.BeganMs != kept.AtMs || !slices.Equal(notifiedIn(res.Told), later(res.FromMs)) || len(res.Told) == 0 {
		t.Errorf("from a state:\n%v\nserve:\n%v", notifiedIn(res.Told), later(res.FromMs))
	}
	none, err := cfg.judgedBy(strings.Replace(queueConfig, "bad: up", "bad: down", 1))
	if err != nil {
		t.Fatal(err)
	}
	if res := fold(0, cfg, cfg); res.Differ != 0 || len(res.Told) != len(want) {
		t.Errorf("with itself: %d of %d differ", res.Differ, len(res.Told))
	}
	if res := fold(0, cfg, none); res.Differ != len(want) || !res.First {
		t.Errorf("with one that finds nothing: %d differ", res.Differ)
	}
	// A notice of what no request says, and what it costs to go over a beginning.
	a.notePast("the configuration was reloaded", false)
	if res := fold(0, cfg); len(res.Notes) != 1 || res.Notes[0].T != now {
		t.Errorf("%+v", res.Notes)
	}
	if list, notes := a.past.Begins(a.journal); len(list) != 2 || !strings.Contains(reach(list, notes, 1<<30, time.Hour), "the first request of all") {
		t.Errorf("%+v", list)
	}
	// The first half is too old.
	if drop := a.past.keep(a.journal, a.engine.Pos(), now, 86_400_000, 1<<30); drop != kept.Pos {
		t.Errorf("dropped up to %d, want %d", drop, kept.Pos)
	}
	if drop := a.past.keep(a.journal, a.engine.Pos(), now, 86_400_000, 0); drop != a.engine.Pos() {
		t.Errorf("with no room at all dropped up to %d, want %d", drop, a.engine.Pos())
	}
	if files, _ := filepath.Glob(filepath.Join(dir, pastDir, "*.db")); len(files) != 0 {
		t.Errorf("states that nobody needs: %v", files)
	}
	if !a.past.due(a.journal, now+anchorEvery.Milliseconds(), 1<<30) || a.past.due(a.journal, now, 0) {
		t.Error("another state is not due when it is, or is when backtests are off")
	}
	a.notePast("a backfill was taken over", true)
	if list, notes := a.past.Begins(a.journal); len(list) != 0 || !strings.Contains(reach(list, notes, 1<<30, time.Hour), "nothing to begin with yet") {
		t.Errorf("%+v", list)
	}
	if res := fold(0, cfg); !res.Cold || !strings.Contains(res.summary(), "not what serve told") {
		t.Error(res.summary())
	}
	// The command, beside who has the directory.
	if code, out, errs := run(t, "backtest", "--storage.path", dir, "--config.file", file(t, "w.yml", queueConfig)); code != exitOK || !strings.Contains(out, "in all: ") || !strings.Contains(errs, "folded from") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, errs := run(t, "backtest", "--storage.path", t.TempDir()); code != exitFailure || !strings.Contains(errs, "journal") {
		t.Errorf("%d %s", code, errs)
	}
}

// TestAPastOfLessThanADayIsNotKept: what comes so fast that a day of it has no room is neither kept nor compressed, says so, and is kept again once it comes slower.
func TestAPastOfLessThanADayIsNotKept(t *testing.T) {
	cfg := defaultConfig()
	a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { a.close(false) }()
	const most, minute = 1 << 30, int64(60_000)
	at, bytes := int64(townEpoch), int64(0)
	pass := func(minutes int, perDay int64) {
		for range minutes {
			at += minute
			bytes += perDay * packed / 1440
			a.past.pace(bytes, at, most)
		}
	}
	pass(9, 100*most)
	if a.past.tooFast(most) != "" {
		t.Error("nine minutes are no rate")
	}
	pass(120, most/2)
	if text := a.past.tooFast(most); text != "" {
		t.Errorf("half of the room: %s", text)
	}
	pass(120, 2*most)
	if text := a.past.tooFast(most); !strings.Contains(text, "less than a day") || !strings.Contains(text, "1GiB") || a.past.due(a.journal, at, most) {
		t.Errorf("twice the room: %q", text)
	}
	pass(120, most*9/10)
	if a.past.tooFast(most) == "" {
		t.Error("just enough room changes its mind back and forth")
	}
	pass(120, most/2)
	if a.past.tooFast(most) != "" {
		t.Error("slow again, and still nothing is kept")
	}
}

// TestWhatIsGivenToABacktestOpensNoFile: a configuration that comes over the network holds what judges, and nothing else.
func TestWhatIsGivenToABacktestOpensNoFile(t *testing.T) {
	cfg := defaultConfig()
	for _, c := range []struct{ text, want string }{
		{"packs: {files: [/etc/passwd]}", "none of the configuration in force"},
		{"receivers: [{name: a}]", "it takes signals, packs, track"},
		{"web: {admin_token_file: /etc/passwd}", "it takes signals"},
		{"alerting: {external_url: x}", "it takes signals"},
		{"packs: {overrides: [{match: 'none.*', enabled: false}]}", "none.*"},
		{"signals: {timezone: Mars}", "timezone"},
		{"alerting: {notifications_per_day: 0}", "notifications_per_day"},
		{strings.Repeat("#", benchConfig+1), "larger than"},
	} {
		if _, err := cfg.judgedBy(c.text); err == nil || !strings.Contains(err.Error(), c.want) || benchRefusal(err) != http.StatusBadRequest {
			t.Errorf("%.60s: %v, want %q", c.text, err, c.want)
		}
	}
	cfg.Track = []trackConfig{{Name: "queue.depth", Match: "queue_depth", By: []string{"cluster"}, Bad: "up"}}
	back, err := cfg.judgedBy(cfg.judging().text())
	if err != nil || fmt.Sprint(back.judging()) != fmt.Sprint(cfg.judging()) {
		t.Errorf("what the form begins with is not what is in force: %v\n%v\n%v\n%s", err, back.judging(), cfg.judging(), cfg.judging().text())
	}
	bare, err := cfg.bare()
	if err != nil {
		t.Fatal(err)
	}
	back, err = loadConfig(file(t, "bare.yml", string(bare)))
	if err != nil || fmt.Sprint(back.judging(), back.Storage.Retention, back.Ingest.BodyMax) != fmt.Sprint(cfg.judging(), cfg.Storage.Retention, cfg.Ingest.BodyMax) {
		t.Errorf("%v: %s", err, bare)
	}
}

// TestBacktestOfARunningWrackline: by page, API and command, one at a time, cancelled when asked, and equal to what was told.
func TestBacktestOfARunningWrackline(t *testing.T) {
	s := newSchool(t)
	t.Setenv(asProgram, "1") // what it calls is this binary
	for _, q := range queues[:3] {
		s.send(120, nil)
		s.send(60, map[string]float64{q: 1000})
	}
	s.send(120, nil)
	s.soon("an alarm", func() bool { return s.heard(queues[0]) >= 1 })
	s.app.fold.Lock()
	want := notifiedBy(s.app)
	s.app.fold.Unlock()

	type answer struct {
		Error string
		Data  struct {
			Run struct {
				State, Error, Summary string
				Differ                int
				Told                  []told `json:"notifications"`
			}
		}
	}
	post := func(path, body string) (int, answer) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		status, text := s.do(req)
		var out answer
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return status, out
	}
	state := func() (out answer) {
		t.Helper()
		s.json("/api/v1/backtest", &out)
		return out
	}
	if status, out := post("/api/v1/backtest", `{"days":14}`); status != http.StatusAccepted || out.Data.Run.State != "running" {
		t.Fatalf("%d %+v", status, out)
	}
	if status, out := post("/api/v1/backtest", `{"days":14}`); status != http.StatusServiceUnavailable || !strings.Contains(out.Error, "a backtest is under way") {
		t.Errorf("a second one: %d %+v", status, out)
	}
	s.soon("its end", func() bool { return state().Data.Run.State != "running" })
	if run := state().Data.Run; run.State != "done" || !slices.Equal(notifiedIn(run.Told), want) || len(want) < 2 {
		t.Errorf("%s %s %s\n%v\nserve:\n%v", run.State, run.Error, run.Summary, notifiedIn(run.Told), want)
	}
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/api/v1/backtest", `{"days":0}`, 400, "days: want 1 to"}, {"/api/v1/backtest", `{"days":99}`, 400, "days: want 1 to"},
		{"/api/v1/backtest", `{"days":1,"against":"receivers: []"}`, 400, "it takes signals"}, {"/api/v1/backtest/cancel", ``, 409, "no backtest is under way"},
	} {
		if status, out := post(c.path, c.body); status != c.status || !strings.Contains(out.Error, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, out.Error)
		}
	}
	// One that is cancelled at once.
	if status, _ := post("/api/v1/backtest", `{"days":14}`); status != http.StatusAccepted {
		t.Fatal(status)
	}
	if status, _ := post("/api/v1/backtest/cancel", ""); status != http.StatusOK {
		t.Error(status)
	}
	s.soon("its end", func() bool { return state().Data.Run.State == "cancelled" })

	// By the page, with another configuration.
	other := strings.Replace(queueConfig, "bad: up", "bad: down", 1)
	s.must(s.b.Open(s.url+"/backtest"), s.b.Click("#given summary"), s.b.Fill("#config-field", other), s.b.Click(`input[name=compare]`), s.b.Click(`form[action$="/backtest"] button`),
		s.b.Wait(`document.querySelector("#days")`))
	rows, err := s.b.Text(`[...document.querySelectorAll("#days tr:last-child td")].map((e) => e.innerText).join(" ")`)
	s.must(err)
	announced := 0
	for _, x := range want {
		if !strings.Contains(x, string(alerting.Resolved)) {
			announced++
		}
	}
	if rows != fmt.Sprintf("in all %d 0 0 %d 0", announced, announced) {
		t.Errorf("the page says: %s; want %d in force alone", rows, announced)
	}
	s.shoot("backtest", "/backtest")
	s.must(s.b.Click(`#told tbody a.button`), s.b.Wait(`location.pathname.endsWith("/acts/new") && document.querySelector("input[name=at_most]").value !== ""`))

	// By the command.
	conf := file(t, "other.yml", other+"receivers: [{name: x, webhook_configs: [{url: 'http://secret.example/'}]}]\n")
	if code, out, errs := run(t, "backtest", "--server", s.url, "--days", "14"); code != exitOK || !strings.Contains(out, fmt.Sprintf("in all: %d notifications", announced)) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, out, errs := run(t, "backtest", "--server", s.url, "--days", "14", "--against", conf); code != exitFindings || !strings.Contains(out, "ONLY -") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

// TestRecordingTellsClustersApart: two senders whose series carry the same labels, told apart by their tokens alone, are two clusters in the journal, in what is recorded of it and in a replay.
func TestRecordingTellsClustersApart(t *testing.T) {
	dir, name := t.TempDir(), filepath.Join(t.TempDir(), "two.rec")
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for m := range 90 {
		at := int64(townEpoch) + int64(m)*60_000
		for _, cluster := range []string{"eu", "us"} {
			body := encoded(t, prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "queue_depth"}, {Name: "namespace", Value: "a"}}, Samples: []prompb.Sample{{Timestamp: at, Value: 100}}})
			if _, err := j.Append(journal.Record{ReceivedMs: at + 1000, Sender: cluster, Cluster: cluster, Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy), Body: body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := run(t, "inspect", "recording", "--storage.path", dir, name); code != exitOK {
		t.Fatal(errs)
	}
	_, out, errs := run(t, "replay", "--verdicts", "all", "--config.file", file(t, "w.yml", queueConfig), name)
	for _, cluster := range []string{"eu", "us"} {
		if n := strings.Count(out, "queue.depth~cluster="+cluster+"~namespace=a"); n < 60 {
			t.Errorf("cluster %s: %d verdicts; %s", cluster, n, errs)
		}
	}
}

// encoded is a request of remote write 1.0 as it comes over the wire.
func encoded(t *testing.T, list ...prompb.TimeSeries) []byte {
	t.Helper()
	body, err := (&prompb.WriteRequest{Timeseries: list}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, body)
}
