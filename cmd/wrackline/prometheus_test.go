package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program starts a program of the system for the test's duration. A program that is not installed skips the test.
func program(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (apt-get install %s)", name, name)
	}
	cmd := exec.Command(path, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("%s wrote:\n%s", name, tail(string(b), 3000))
		}
	})
}

// banded counts the signals of the running program that have a band, and the packs they are of. All must be marked as learning.
func (p *process) banded() (n int, packs map[string]bool) {
	p.t.Helper()
	var list struct {
		Data struct {
			Signals []struct {
				ID    string   `json:"id"`
				State string   `json:"state"`
				Value *float64 `json:"value"`
				Band  struct {
					Lower, Upper *float64
				} `json:"band"`
			} `json:"signals"`
		} `json:"data"`
	}
	p.json("/api/v1/signals?limit=1000", &list)
	packs = map[string]bool{}
	for _, s := range list.Data.Signals {
		if s.Band.Lower != nil && s.Band.Upper != nil && *s.Band.Lower <= *s.Band.Upper {
			n++
			pack, _, _ := strings.Cut(s.ID, ".")
			packs[pack] = true
		}
		if s.State != "learning" {
			p.t.Errorf("%s is %s minutes after its first sample; it must be marked as learning", s.ID, s.State)
		}
	}
	return n, packs
}

// waitsFor returns whether a rule of a pack is dormant, and the metrics that it waits for.
func (p *process) waitsFor(signal string) (dormant bool, missing string) {
	p.t.Helper()
	var packs struct {
		Data struct {
			Packs []struct {
				Rules []struct {
					Signal  string   `json:"signal"`
					Dormant bool     `json:"dormant"`
					Missing []string `json:"missing"`
				} `json:"rules"`
			} `json:"packs"`
		} `json:"data"`
	}
	p.json("/api/v1/packs", &packs)
	for _, pack := range packs.Data.Packs {
		for _, r := range pack.Rules {
			if r.Signal == signal {
				dormant, missing = r.Dormant, strings.Join(r.Missing, ",")
			}
		}
	}
	return dormant, missing
}

// TestRealPrometheus is the promise of the README: a Prometheus that scrapes itself and a node exporter, with the printed block and
// nothing else, is received without a fault, and its metrics have bands soon.
func TestRealPrometheus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	exporter, prom := freeAddress(t), freeAddress(t)
	program(t, "prometheus-node-exporter", "--web.listen-address="+exporter)
	p := start(t, "serve", "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	code, block, errs := run(t, "packs", "remote-write-config", "--url", p.url+"/api/v1/write")
	if code != exitOK {
		t.Fatalf("remote-write-config: %s", errs)
	}
	conf := file(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 5s}
scrape_configs:
- job_name: prometheus
  static_configs: [{targets: [%q]}]
- job_name: node
  static_configs: [{targets: [%q]}]
%s`, prom, exporter, block))
	program(t, "prometheus", "--config.file="+conf, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prom)
	awaitListens(t, prom)

	begun := time.Now()
	await(t, "bands for node and Prometheus signals", func() bool {
		n, packs := p.banded()
		return n >= 10 && packs["node"] && packs["prom"]
	})
	n, packs := p.banded()
	t.Logf("%d signals with a band %s after Prometheus answered; packs %v", n, time.Since(begun).Round(time.Second), packs)

	for line := range strings.Lines(p.get("/metrics")) {
		if strings.HasPrefix(line, "wrackline_ingest_requests_total{") && !strings.Contains(line, `code="204"`) && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
			t.Errorf("not every request was answered 204: %s", line)
		}
	}
	if p.metric("wrackline_ingest_samples_total") < 100 {
		t.Errorf("only %g samples arrived", p.metric("wrackline_ingest_samples_total"))
	}
	var status struct {
		Data struct {
			Senders []struct {
				Name string `json:"name"`
			} `json:"senders"`
		} `json:"data"`
	}
	p.json("/api/v1/status", &status)
	if len(status.Data.Senders) == 0 {
		t.Error("the status names no sender")
	}
	if dormant, missing := p.waitsFor("dns.servfail_ratio"); !dormant || missing != "coredns_dns_responses_total" {
		t.Error("dns.servfail_ratio is not shown as dormant with the metric it waits for")
	}
	if html := p.get("/status"); !strings.Contains(html, "coredns_dns_responses_total") {
		t.Error("the status page does not name the missing metric")
	}
}
