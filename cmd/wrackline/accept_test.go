package main

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// gauge sends minute samples of one series, an hour with each request.
func (p *process) gauge(name string, from, minutes int64, value func(i int64) float64) {
	p.t.Helper()
	for m := int64(0); m < minutes; m += 60 {
		ts := prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: name}, {Name: "cluster", Value: "eu"}}}
		for i := m; i < min(m+60, minutes); i++ {
			ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: from + i*60_000, Value: value(i)})
		}
		body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{ts}}).Marshal()
		if err != nil {
			p.t.Fatal(err)
		}
		if status, text := p.write("", snappy.Encode(nil, body)); status/100 != 2 {
			p.t.Fatalf("write: %d: %s", status, text)
		}
	}
}

// TestAccept accepts a level with the command line of the program, against the running program; a kill -9 right after does not undo it.
func TestAccept(t *testing.T) {
	t.Parallel()
	dir, data, addr := t.TempDir(), t.TempDir(), freeAddress(t)
	conf := filepath.Join(dir, "w.yml")
	replace(t, conf, "track: [{name: queue.depth, match: queue_depth, by: [cluster], bad: up}]\nstorage: {checkpoint_interval: 1h}\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", data, "--web.listen-address", addr}
	p := start(t, args...)
	p.awaitReady()
	src := rand.New(rand.NewPCG(5, 5))
	at := time.Now().UnixMilli()/60_000*60_000 - (3*1440+120+7)*60_000
	const id = "queue.depth~cluster=eu"
	state := func() string {
		t.Helper()
		var out struct {
			Data struct {
				State string
				T     int64
				Why   struct{ Clears *struct{ Upper float64 } }
			}
		}
		p.settle()
		p.json("/api/v1/signals/"+id, &out)
		if (out.Data.State == "high") != (out.Data.Why.Clears != nil) {
			t.Errorf("state %s, clears %v", out.Data.State, out.Data.Why.Clears)
		}
		return out.Data.State
	}
	send := func(minutes int64, level float64) {
		t.Helper()
		p.gauge("queue_depth", at, minutes, func(int64) float64 { return level + 5*src.NormFloat64() })
		at += minutes * 60_000
	}
	accept := func(id string) (int, string) {
		var out, errs strings.Builder
		code := mainCode(t.Context(), env{stdout: &out, stderr: &errs}, []string{"accept", "--server", p.url, id})
		return code, out.String() + errs.String()
	}
	send(3*1440, 100)
	if code, text := accept(id); code != exitFailure || !strings.Contains(text, "409") || !strings.Contains(text, "no alarm stands") {
		t.Errorf("without an alarm: %d, %q", code, text)
	}
	if code, text := accept("nothing~here=1"); code != exitFailure || !strings.Contains(text, "404") {
		t.Errorf("without a signal: %d, %q", code, text)
	}
	send(120, 300)
	if s := state(); s != "high" {
		t.Fatalf("two hours at thrice the level: %s", s)
	}
	page := p.get("/signals/" + id)
	if !strings.Contains(page, "wrackline accept") || !strings.Contains(page, "at or below") {
		t.Error("the page does not say how the alarm ends or is accepted")
	}
	req, _ := http.NewRequest(http.MethodPost, p.url+"/-/accept?signal="+id, nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site may accept: %v %v", resp, err)
	}
	if code, text := accept(id); code != exitOK || !strings.Contains(text, "next window adopts") {
		t.Fatalf("%d, %q", code, text)
	}
	p.kill()
	p = start(t, args...)
	p.awaitReady()
	send(6, 300)
	if s := state(); s != "normal" {
		t.Errorf("accepted, killed and started again: %s", s)
	}
}

// TestSilenceOfARealSeries lets one of two series of an entity fall silent in the running program, and finds the incident and its page.
func TestSilenceOfARealSeries(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freeAddress(t)
	conf := filepath.Join(dir, "w.yml")
	replace(t, conf, "track: [{name: queue.depth, match: queue_depth, by: [cluster]}, {name: queue.age, match: queue_age, by: [cluster]}]\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", addr)
	p.awaitReady()
	const history, silent = 10 * 1440, 25 // minutes
	end := time.Now().UnixMilli() / 60_000 * 60_000
	from := end - (history+silent)*60_000
	value := func(int64) float64 { return 10 }
	for m := int64(0); m < history; m += 60 {
		p.gauge("queue_depth", from+m*60_000, 60, value)
		p.gauge("queue_age", from+m*60_000, 60, value)
	}
	p.gauge("queue_age", from+history*60_000, silent, value)
	type incident struct {
		ID, Title, Headline, Severity string
		Open                          bool
	}
	var list struct {
		Data struct{ Incidents []incident }
	}
	await(t, "the incident", func() bool {
		p.settle()
		p.json("/api/v1/incidents", &list)
		// Two series that send their history in turns are late by half, which is said, too.
		list.Data.Incidents = slices.DeleteFunc(list.Data.Incidents, func(x incident) bool { return strings.HasPrefix(x.Headline, "recv.late_ratio~") })
		return len(list.Data.Incidents) > 0
	})
	if inc := list.Data.Incidents[0]; len(list.Data.Incidents) != 1 || !inc.Open || inc.Headline != "queue.depth~cluster=eu" || inc.Severity != "warn" || !strings.Contains(inc.Title, "no data") {
		t.Fatalf("%+v", list.Data.Incidents)
	}
	if page := p.get("/incidents/" + list.Data.Incidents[0].ID); !strings.Contains(page, "has no data any more") {
		t.Error("the page does not say what is wrong")
	}
	if page := p.get("/"); strings.Contains(page, "chance raises") {
		t.Error("the overview speaks of chance while something is wrong")
	}
	if page := p.get("/receivers"); !strings.Contains(page, "is not said while an incident is open") {
		t.Error("the receivers page does not say why it says nothing of chance")
	}
}

// TestForget drops a cluster with the command line of the program, against the running program; a kill -9 right after does not bring it back, and a sender that goes on begins anew.
func TestForget(t *testing.T) {
	t.Parallel()
	dir, data, addr := t.TempDir(), t.TempDir(), freeAddress(t)
	conf := filepath.Join(dir, "w.yml")
	replace(t, conf, "track: [{name: queue.depth, match: queue_depth, by: [cluster]}]\nstorage: {checkpoint_interval: 1h}\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", data, "--web.listen-address", addr}
	p := start(t, args...)
	p.awaitReady()
	clusters := func() (names string) {
		t.Helper()
		var out struct{ Data []struct{ Name string } }
		p.settle()
		p.json("/api/v1/status/clusters", &out)
		for _, c := range out.Data {
			names += c.Name + " "
		}
		return names
	}
	forget := func(args ...string) (int, string) {
		var out, errs strings.Builder
		code := mainCode(t.Context(), env{stdout: &out, stderr: &errs}, append([]string{"forget", "--server", p.url}, args...))
		return code, out.String() + errs.String()
	}
	at := time.Now().UnixMilli()/60_000*60_000 - 130*60_000
	p.gauge("queue_depth", at, 120, func(int64) float64 { return 5 })
	if got := clusters(); got != "eu " {
		t.Fatalf("clusters %q", got)
	}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{{[]string{"eu"}, exitUsage, "want: cluster"}, {[]string{"cluster"}, exitUsage, "want: cluster"}, {[]string{"cluster", "us"}, exitFailure, "no cluster of that name"}} {
		if code, text := forget(c.args...); code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%v: %d, %q", c.args, code, text)
		}
	}
	if code, text := forget("cluster", "eu"); code != exitOK || !strings.Contains(text, "Forgotten") {
		t.Fatalf("%d, %q", code, text)
	}
	if got := clusters(); got != "" {
		t.Errorf("after it was forgotten: %q", got)
	}
	p.kill()
	p = start(t, args...)
	p.awaitReady()
	if got := clusters(); got != "" {
		t.Errorf("killed and started again: %q", got)
	}
	p.gauge("queue_depth", at+120*60_000, 5, func(int64) float64 { return 5 })
	if got := clusters(); got != "eu " {
		t.Errorf("a sender that goes on: %q", got)
	}
}
