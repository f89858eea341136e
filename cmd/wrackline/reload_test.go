package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
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

// reload asks for a reload and returns what it answers.
func (p *process) reload() (int, string) {
	p.t.Helper()
	resp, err := http.Post(p.url+"/-/reload", "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
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

// TestReloadOfPacksKeepsBaselines changes packs, track rules and limits of the running program while it is written to: what is asked
// as before loses no window, what is new begins, what is gone goes, a wrong file changes nothing, and a kill -9 right after keeps it.
func TestReloadOfPacksKeepsBaselines(t *testing.T) {
	t.Parallel()
	dir, data, addr := t.TempDir(), t.TempDir(), freeAddress(t)
	conf, pack := filepath.Join(dir, "w.yml"), filepath.Join(dir, "shop.yaml")
	replace := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(pack, fmt.Sprintf(shopPack, 1, "Does it sell?", "dns", "coredns_dns_requests_total"))
	base := "packs: {files: [shop.yaml], disable: [wl.cpu_cores]}\nstorage: {checkpoint_interval: 1h}\n"
	replace(conf, base+"track: [{name: t.mem, match: container_memory_working_set_bytes, agg: max, by: [cluster, namespace]}]\n")
	args := []string{"serve", "--config.file", conf, "--storage.path", data, "--web.listen-address", addr}
	p := start(t, args...)
	p.awaitReady()
	g, err := scenario.New(scenario.Config{Seed: 7, StartMs: time.Now().Add(-2 * time.Hour).UnixMilli(), Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	send := func(minutes int64) {
		t.Helper()
		st, err := scenario.Send(t.Context(), g, scenario.SendOptions{URL: p.url + "/api/v1/write", Speed: -1, UntilMs: g.Config().StartMs + minutes*60_000})
		if err != nil || st.Lost+st.Refused > 0 {
			t.Fatalf("send: %v, %+v", err, st)
		}
		await(t, "the view", 20*time.Second, func() bool { // history is published when somebody looks, not with each window
			p.get("/metrics")
			return p.signals("dns.qps")["dns.qps~cluster=default"].T >= g.Config().StartMs+(minutes-3)*60_000
		})
	}
	send(60)
	before := p.signals("")
	if len(p.signals("shop.qps")) < 5 || len(p.signals("shop.dns")) != 1 || len(p.signals("t.mem")) == 0 || len(p.signals("wl.cpu_cores")) != 0 {
		t.Fatalf("before: %d signals of shop.qps, %d shop.dns, %d t.mem", len(p.signals("shop.qps")), len(p.signals("shop.dns")), len(p.signals("t.mem")))
	}

	// A pack that does not compile, and one whose template cannot be filled.
	for _, bad := range []string{strings.Replace(fmt.Sprintf(shopPack, 2, "x", "dns", "coredns_dns_requests_total"), "[1m]", "[1h]", 1), "pack: {name: shop}\nrules: []\n"} {
		replace(pack, bad)
		if status, text := p.reload(); status != http.StatusInternalServerError || !strings.Contains(text, "shop.yaml") {
			t.Errorf("a wrong pack: %d, %q", status, text)
		}
		if after := p.signals(""); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("a wrong pack changed signals")
		}
	}

	// Another question in other words, a rule gone, one on a metric that is not tracked yet, one enabled, another track rule.
	replace(pack, fmt.Sprintf(shopPack, 2, "Does the shop sell?", "net", "prometheus_tsdb_head_samples_appended_total"))
	replace(conf, strings.Replace(base, "wl.cpu_cores", "wl.restarts", 1)+"signals: {grace: 80s, signals_max: 150000, timezone: Europe/Berlin}\ntrack: [{name: t.mem2, match: container_memory_working_set_bytes, agg: min, by: [cluster, namespace]}]\n")
	status, text := p.reload()
	if status != http.StatusOK || !strings.Contains(text, "signals go on") || strings.Contains(text, "next start") {
		t.Fatalf("a right pack: %d, %q", status, text)
	}
	if len(p.signals("t.mem~")) != 0 || len(p.signals("shop.dns")) != 0 || len(p.signals("wl.restarts")) != 0 {
		t.Error("signals of rules that are gone are still shown")
	}
	p.kill() // before any request and any other checkpoint
	p = start(t, args...)
	p.awaitReady()
	send(90)
	after := p.signals("")
	kept := 0
	for id, b := range before {
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
	for q, question := range map[string]string{"shop.net": "Is it?", "t.mem2": "", "wl.cpu_cores": "", "shop.qps": "Does the shop sell?"} {
		l := after.of(q)
		if len(l) == 0 {
			t.Errorf("no signal of %s", q)
		}
		for id, s := range l {
			if q != "shop.qps" && !strings.Contains(id, "container=job") && (s.Windows < 25 || s.Windows > 30) {
				t.Errorf("%s has learned %d windows of 30", id, s.Windows)
			}
			if question != "" && s.Question != question {
				t.Errorf("%s asks %q", id, s.Question)
			}
		}
	}
	// What the running program says of a rule and of a pod.
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
	p.json("/api/v1/packs/shop.net", &rule)
	if c := rule.Data.Clusters; len(c) != 1 || c[0].Form != 0 || len(c[0].Signals) != 1 || len(c[0].Selectors) != 1 || c[0].Selectors[0].Live == 0 {
		t.Errorf("shop.net: %+v", rule)
	}
	var top struct {
		Data struct{ Top []struct{ Name string } }
	}
	p.json("/api/v1/signals/dns.qps~cluster=default?points=0", &top)
	var pods struct {
		Data struct {
			Pods []struct{ Workload, Why string }
		}
	}
	p.json("/api/v1/pods?pod="+top.Data.Top[0].Name, &pods)
	if len(pods.Data.Pods) != 1 || pods.Data.Pods[0].Workload != "coredns" || pods.Data.Pods[0].Why == "" {
		t.Errorf("pod %s: %+v", top.Data.Top[0].Name, pods)
	}
	if page := p.get("/signals/dns.qps~cluster=default"); !strings.Contains(page, "pod="+top.Data.Top[0].Name) {
		t.Error("the signal's page does not link its members to their explanation")
	}
	p.stop()
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
