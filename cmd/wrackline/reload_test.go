package main

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
)

// learned is what the API says of signals, by id.
type learned map[string]struct {
	ID       string
	T        int64
	Windows  int64  `json:"windows_learned"`
	Question string `json:"question"`
}

// signals returns every signal whose id contains q.
func (p *process) signals(q string) learned {
	p.t.Helper()
	var out struct {
		Data struct {
			Signals []struct {
				ID       string
				T        int64
				Windows  int64  `json:"windows_learned"`
				Question string `json:"question"`
			}
		}
	}
	p.json("/api/v1/signals?limit=10000&q="+url.QueryEscape(q), &out)
	l := learned{}
	for _, s := range out.Data.Signals {
		l[s.ID] = s
	}
	return l
}

const shopPack = `pack: {name: shop, version: %d, title: Shop}
groups:
- name: shop
  rules:
  - signal: shop.qps
    question: %s
    expr: sum by (cluster, namespace, workload) (rate(http_requests_total[1m]))
    baseline: {mode: level, bad: both, bounds: [0, inf], unit: /s, effect: {rel: 0.3}}
    labels: {severity: info}
  - signal: shop.%s
    question: Is it?
    expr: sum by (cluster) (rate(%s[1m]))
    baseline: {mode: level, bad: both, bounds: [0, inf], unit: /s, effect: {rel: 0.3}}
    labels: {severity: info}
`

// shopRun is the program with a pack of a shop, and a simulated cluster that writes to it.
type shopRun struct {
	*process
	conf, pack string
	args       []string
	gen        *scenario.Generator
}

const shopBase = "packs: {files: [shop.yaml], disable: [wl.cpu_cores]}\nstorage: {checkpoint_interval: 1h}\n"

func newShopRun(t *testing.T) *shopRun {
	t.Helper()
	dir := t.TempDir()
	r := &shopRun{conf: filepath.Join(dir, "w.yml"), pack: filepath.Join(dir, "shop.yaml")}
	replace(t, r.pack, fmt.Sprintf(shopPack, 1, "Does it sell?", "dns", "coredns_dns_requests_total"))
	replace(t, r.conf, shopBase+"track: [{name: t.mem, match: container_memory_working_set_bytes, agg: max, by: [cluster, namespace]}]\n")
	r.args = []string{"serve", "--config.file", r.conf, "--storage.path", t.TempDir(), "--web.listen-address", freeAddress(t)}
	r.process = start(t, r.args...)
	r.awaitReady()
	var err error
	if r.gen, err = scenario.New(scenario.Config{Seed: 7, StartMs: time.Now().Add(-2 * time.Hour).UnixMilli(), Quiet: true}); err != nil {
		t.Fatal(err)
	}
	return r
}

// send writes on to the given minute of the cluster's life, and waits until it is seen.
func (r *shopRun) send(minute int64) {
	r.t.Helper()
	start := r.gen.Config().StartMs
	st, err := scenario.Send(r.t.Context(), r.gen, scenario.SendOptions{URL: r.url + "/api/v1/write", Speed: -1, UntilMs: start + minute*60_000, RetryFor: patience})
	if err != nil || st.Lost+st.Refused > 0 {
		r.t.Fatalf("send: %v, %+v", err, st)
	}
	await(r.t, "the view", func() bool { // history is published when somebody looks, not with each window
		r.settle()
		return r.signals("dns.qps")["dns.qps~cluster=default"].T >= start+(minute-3)*60_000
	})
}

// TestReloadOfPacksKeepsBaselines changes packs, track rules and limits of the running program while it is written to: what is asked
// as before loses no window, what is new begins, what is gone goes, a wrong file changes nothing, and a kill -9 right after keeps it.
func TestReloadOfPacksKeepsBaselines(t *testing.T) {
	t.Parallel()
	r := newShopRun(t)
	r.send(60)
	before := r.signals("")
	if len(r.signals("shop.qps")) < 5 || len(r.signals("shop.dns")) != 1 || len(r.signals("t.mem")) == 0 || len(r.signals("wl.cpu_cores")) != 0 {
		t.Fatalf("before: %d signals of shop.qps, %d shop.dns, %d t.mem", len(r.signals("shop.qps")), len(r.signals("shop.dns")), len(r.signals("t.mem")))
	}

	// A pack that does not compile, and one whose template cannot be filled.
	for _, bad := range []string{strings.Replace(fmt.Sprintf(shopPack, 2, "x", "dns", "coredns_dns_requests_total"), "[1m]", "[1h]", 1), "pack: {name: shop}\nrules: []\n"} {
		replace(t, r.pack, bad)
		if status, text := r.reload(); status != http.StatusInternalServerError || !strings.Contains(text, "shop.yaml") {
			t.Errorf("a wrong pack: %d, %q", status, text)
		}
		if after := r.signals(""); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("a wrong pack changed signals")
		}
	}

	// Another question in other words, a rule gone, one on a metric that is not tracked yet, one enabled, another track rule.
	replace(t, r.pack, fmt.Sprintf(shopPack, 2, "Does the shop sell?", "net", "prometheus_tsdb_head_samples_appended_total"))
	replace(t, r.conf, strings.Replace(shopBase, "wl.cpu_cores", "wl.restarts", 1)+"signals: {grace: 80s, signals_max: 150000, timezone: Europe/Berlin}\n"+
		"track: [{name: t.mem2, match: container_memory_working_set_bytes, agg: min, by: [cluster, namespace]}]\n")
	status, text := r.reload()
	if status != http.StatusOK || !strings.Contains(text, "signals go on") || strings.Contains(text, "next start") {
		t.Fatalf("a right pack: %d, %q", status, text)
	}
	if len(r.signals("t.mem~")) != 0 || len(r.signals("shop.dns")) != 0 || len(r.signals("wl.restarts")) != 0 {
		t.Error("signals of rules that are gone are still shown")
	}
	r.kill() // before any request and any other checkpoint
	r.process = start(t, r.args...)
	r.awaitReady()
	r.send(90)
	after := r.signals("")
	before.goesOn(t, after)
	after.asksAnew(t)
	r.explainsItself()
	r.stop()
}

// goesOn holds that what is asked as before has learned every window between the two, and that only what is not asked any more is gone.
func (l learned) goesOn(t *testing.T, after learned) {
	t.Helper()
	kept := 0
	for id, b := range l {
		if strings.Contains(id, "container=job") { // a CronJob's pods come and go
			continue
		}
		a, ok := after[id]
		name, _, _ := strings.Cut(id, "~")
		switch {
		case name == "t.mem" || name == "shop.dns" || name == "wl.restarts":
			if ok {
				t.Errorf("%s is still there", id)
			}
		case !ok:
			t.Errorf("%s is gone", id)
		case a.Windows < b.Windows:
			t.Errorf("%s: %d windows learned, %d before", id, a.Windows, b.Windows)
		case name == "dns.qps" || name == "shop.qps" || name == "wl.mem_of_limit":
			kept++
			if a.T == b.T || a.Windows-b.Windows != (a.T-b.T)/60_000 {
				t.Errorf("%s: %d windows learned between %d and %d", id, a.Windows-b.Windows, b.T, a.T)
			}
		}
	}
	if kept < 10 {
		t.Errorf("%d signals compared", kept)
	}
}

// asksAnew holds that the rules that came with the reload have learned the half hour since, and that a question has its new words.
func (l learned) asksAnew(t *testing.T) {
	t.Helper()
	for q, question := range map[string]string{"shop.net": "Is it?", "t.mem2": "", "wl.cpu_cores": "", "shop.qps": "Does the shop sell?"} {
		of := l.of(q)
		if len(of) == 0 {
			t.Errorf("no signal of %s", q)
		}
		for id, s := range of {
			if q != "shop.qps" && !strings.Contains(id, "container=job") && (s.Windows < 25 || s.Windows > 30) {
				t.Errorf("%s has learned %d windows of 30", id, s.Windows)
			}
			if question != "" && s.Question != question {
				t.Errorf("%s asks %q", id, s.Question)
			}
		}
	}
}

// explainsItself holds what the running program says of a rule and of a pod.
func (r *shopRun) explainsItself() {
	t := r.t
	t.Helper()
	var rule struct {
		Data struct {
			Clusters []struct {
				Form      int
				Signals   []string
				Selectors []struct {
					Live int `json:"series_live"`
				}
			}
		}
	}
	r.json("/api/v1/packs/shop.net", &rule)
	if c := rule.Data.Clusters; len(c) != 1 || c[0].Form != 0 || len(c[0].Signals) != 1 || len(c[0].Selectors) != 1 || c[0].Selectors[0].Live == 0 {
		t.Errorf("shop.net: %+v", rule)
	}
	var top struct {
		Data struct{ Top []struct{ Name string } }
	}
	r.json("/api/v1/signals/dns.qps~cluster=default?points=0", &top)
	if len(top.Data.Top) == 0 {
		t.Fatal("dns.qps names no member")
	}
	pod := top.Data.Top[0].Name
	var pods struct {
		Data struct {
			Pods []struct{ Workload, Why string }
		}
	}
	r.json("/api/v1/pods?pod="+pod, &pods)
	if len(pods.Data.Pods) != 1 || pods.Data.Pods[0].Workload != "coredns" || pods.Data.Pods[0].Why == "" {
		t.Errorf("pod %s: %+v", pod, pods)
	}
	if page := r.get("/signals/dns.qps~cluster=default"); !strings.Contains(page, "pod="+pod) {
		t.Error("the signal's page does not link its members to their explanation")
	}
}

// of returns the signals of one rule.
func (l learned) of(rule string) learned {
	out := learned{}
	for id, s := range l {
		if strings.HasPrefix(id, rule+"~") {
			out[id] = s
		}
	}
	return out
}

// TestReloadKeepsTheOldConfiguration holds that a wrong file changes nothing and that a right one takes effect without a restart.
func TestReloadKeepsTheOldConfiguration(t *testing.T) {
	t.Parallel()
	conf := file(t, "w.yml", "ingest: {tokens: [{token: first-token}]}\n")
	p := start(t, "serve", "--config.file", conf, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	with := func(token string) int {
		status, _ := p.write(token, []byte("x"))
		return status
	}
	if a, b := with("first-token"), with("other-token"); a != http.StatusBadRequest || b != http.StatusUnauthorized {
		t.Fatalf("before: %d, %d", a, b)
	}
	if page := p.get("/status"); !strings.Contains(page, "without a valid token") {
		t.Error("the status page does not say that a sender was refused")
	}
	replace(t, conf, "ingest: {tokens: [{token: short}]}\n")
	if status, text := p.reload(); status != http.StatusInternalServerError || !strings.Contains(text, "tokens[0]") {
		t.Errorf("a wrong file: %d, %q", status, text)
	}
	replace(t, conf, "packs:\n  overrides: [{match: dns.nothing, enabled: false}]\n")
	if status, text := p.reload(); status != http.StatusInternalServerError || !strings.Contains(text, ":2:23: packs.overrides[0].match") {
		t.Errorf("a wrong override: %d, %q", status, text)
	}
	if a := with("first-token"); a != http.StatusBadRequest {
		t.Errorf("after a wrong file the old token gets %d", a)
	}
	if v := p.metric("wrackline_config_last_reload_successful"); v != 0 {
		t.Errorf("last reload successful: %g", v)
	}
	replace(t, conf, "ingest: {tokens: [{token: other-token}]}\nsignals: {grace: 30s}\nstorage: {retention: 20d}\n")
	if status, text := p.reload(); status != http.StatusOK || !strings.Contains(text, "storage take effect at the next start") {
		t.Errorf("a right file: %d, %q", status, text)
	}
	if a, b := with("first-token"), with("other-token"); a != http.StatusUnauthorized || b != http.StatusBadRequest {
		t.Errorf("after a right file: %d, %d", a, b)
	}
}
