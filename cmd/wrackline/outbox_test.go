package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// tellingApp is the program without its doors and its log: verdicts go in, messages come out. Its clock is that of the verdicts.
type tellingApp struct {
	*app
	t    *testing.T
	conf string
	now  atomic.Int64 // end of the last window, Unix ms
	end  func()
}

func tell(t *testing.T, conf string) *tellingApp {
	t.Helper()
	x := &tellingApp{t: t, conf: file(t, "w.yml", conf)}
	cfg, err := loadConfig(x.conf)
	if err != nil {
		t.Fatal(err)
	}
	if x.app, err = openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	x.file = x.conf
	x.app.now = func() time.Time { return time.UnixMilli(x.now.Load()) }
	x.now.Store(1_772_409_600_000)
	var wg sync.WaitGroup
	x.startRun = func(f func(context.Context)) func() {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		wg.Go(func() { f(ctx); close(done) })
		return func() { stop(); <-done }
	}
	x.stopOutbox = x.startRun(x.outbox.Load().Run)
	t.Cleanup(func() {
		x.stopOutbox()
		x.close(false)
	})
	return x
}

var tellRule = &pack.Rule{Pack: "test", Name: "test.errors", Question: "Are there errors?", Unit: "ratio", Severity: pack.Page, Summary: "{{ $value }} of requests fail"}

// windows lets some minutes pass in which a workload's errors have a value; above 0.1 that is an alarm.
func (x *tellingApp) windows(n int, workload string, value float64) {
	for range n {
		end := x.now.Add(60_000)
		v := baseline.Verdict{Signal: &signal.Signal{ID: "test.errors~workload=" + workload, Rule: tellRule, Entity: series.Labels{{Name: "cluster", Value: "prod"}, {Name: "workload", Value: workload}}}, T: end}
		v.State, v.Value, v.Band, v.Score = model.Normal, value, model.Band{Upper: 0.1}, 0
		if value > 0.1 {
			v.State, v.Score, v.Test, v.Onset = model.High, 2, model.PointTest, end-60_000
		}
		x.fold.Lock()
		x.manager.Observe(baseline.Batch{Cluster: "prod", T: end, Verdicts: []baseline.Verdict{v}})
		x.fold.Unlock()
	}
}

func (x *tellingApp) said() (problems []string) {
	st := source{x.app}.Status()
	for _, p := range st.Problems {
		problems = append(problems, p.Text)
	}
	return problems
}

// A receiver that says 404 when the message comes, as while an ingress restarts: that is a problem on every page, and the message arrives when it is well.
func TestAReceiverThatIsAwayForAWhileIsToldAfterwards(t *testing.T) {
	for _, code := range []int{404, 400, 302} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			var well atomic.Bool
			var refused, took atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !well.Load() {
					refused.Add(1)
					w.WriteHeader(code)
					return
				}
				took.Add(1)
			}))
			defer srv.Close()
			x := tell(t, "receivers: [{name: ops, webhook_configs: [{url: '"+srv.URL+"'}]}]\n")
			x.windows(5, "cart", 0.02)
			x.windows(5, "cart", 0.7)
			await(t, "the receiver says no", func() bool { return refused.Load() > 0 })
			await(t, "a problem names the receiver", func() bool {
				return slices.ContainsFunc(x.said(), func(p string) bool {
					return strings.Contains(p, "receiver ops") && strings.Contains(p, fmt.Sprint(code))
				})
			})
			well.Store(true)
			await(t, "the message arrives", func() bool { return took.Load() == 1 })
			await(t, "the problem is over", func() bool {
				return !slices.ContainsFunc(x.said(), func(p string) bool { return strings.Contains(p, "receiver ops") })
			})
		})
	}
}

// What waits while the file is edited: a renamed receiver keeps it, a removed one does not, and the reload says both.
func TestAReloadSaysWhatHappensToWhatWaits(t *testing.T) {
	var well atomic.Bool
	var mu sync.Mutex
	got := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mu.Lock()
		got[r.URL.Path]++
		mu.Unlock()
	}))
	defer srv.Close()
	x := tell(t, "receivers: [{name: team, webhook_configs: [{url: '"+srv.URL+"/a'}]}, {name: old, webhook_configs: [{url: '"+srv.URL+"/b'}]}]\n")
	x.windows(5, "cart", 0.02)
	x.windows(5, "cart", 0.7)
	reload := func(conf string) string {
		t.Helper()
		if err := os.WriteFile(x.conf, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		note, err := x.reload()
		if err != nil {
			t.Fatal(err)
		}
		return note
	}
	note := reload("receivers: [{name: new, webhook_configs: [{url: '" + srv.URL + "/c'}]}, {name: squad, webhook_configs: [{url: '" + srv.URL + "/a'}]}]\n")
	if !strings.Contains(note, "1 message that waited for team/webhook/0: now for squad/webhook/0.") || !strings.Contains(note, "old/webhook/0, which is no longer configured") {
		t.Errorf("the reload says %q", note)
	}
	if p := x.said(); !slices.ContainsFunc(p, func(p string) bool { return strings.Contains(p, "old/webhook/0") }) {
		t.Errorf("problems %q", p)
	}
	well.Store(true)
	note = reload("receivers: [{name: squad, webhook_configs: [{url: '" + srv.URL + "/a'}]}, {name: old, webhook_configs: [{url: '" + srv.URL + "/b'}]}]\n")
	if strings.Contains(note, "old/") || strings.Contains(note, "new/") {
		t.Errorf("the reload says %q", note)
	}
	await(t, "both are told", func() bool { mu.Lock(); defer mu.Unlock(); return got["/a"] == 1 && got["/b"] == 1 && got["/c"] == 0 })
}
