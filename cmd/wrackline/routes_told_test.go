package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// heardAll is a far end for several receivers, by path.
type heardAll struct {
	mu   sync.Mutex
	hits map[string][]string
}

func (h *heardAll) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hits == nil {
		h.hits = map[string][]string{}
	}
	h.hits[r.URL.Path] = append(h.hits[r.URL.Path], string(b))
}

// workloads returns which workloads a path has heard of, in order of their names, once each.
func (h *heardAll) workloads(path string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.hits[path], "\n")
	var out []string
	for _, w := range []string{"w0", "w1", "w2", "w3", "p0"} {
		if strings.Contains(all, `"workload":"`+w+`"`) {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// The whole way: verdicts, the contract of all, routes with contracts of their own, a digest, a reload that leads elsewhere.
func TestRoutesFromVerdictToReceiver(t *testing.T) {
	far := &heardAll{}
	srv := httptest.NewServer(far)
	defer srv.Close()
	digest := time.Now().UTC().Add(-10 * time.Minute).Format("15:04") // not within the test, whenever it runs
	conf := "alerting: {notifications_per_day: 1, digest: {at: '" + digest + "', timezone: UTC}}\nreceivers:\n- {name: all, webhook_configs: [{url: '" + srv.URL + "/all'}]}\n- {name: am, alertmanager_configs: [{url: '" + srv.URL + "/am'}]}\n- {name: pages, webhook_configs: [{url: '" + srv.URL + "/pages'}]}\n" +
		"route:\n  receiver: all\n  routes:\n  - {receiver: am, notifications_per_day: -1, continue: true}\n  - {receiver: pages, matchers: ['severity=\"page\"', 'pack=test', 'cluster=~\"pr.*\"'], continue: true}\n  - {}\n"
	x := tell(t, conf)
	warn := *tellRule
	warn.Name, warn.Severity = "test.warns", pack.Warn
	windows := func(n int, r *pack.Rule, workload string, value float64) {
		for range n {
			end := x.now.Add(60_000)
			v := baseline.Verdict{Signal: &signal.Signal{ID: r.Name + "~workload=" + workload, Rule: r, Entity: series.Labels{{Name: "cluster", Value: "prod"}, {Name: "namespace", Value: workload}, {Name: "workload", Value: workload}}}, T: end}
			v.State, v.Value, v.Band = model.Normal, value, model.Band{Upper: 0.1}
			if value > 0.1 {
				v.State, v.Score, v.Test, v.Onset = model.High, 2, model.PointTest, end-60_000
			}
			x.fold.Lock()
			x.manager.Observe(baseline.Batch{Cluster: "prod", T: end, Verdicts: []baseline.Verdict{v}})
			x.fold.Unlock()
		}
	}
	for i := range 4 {
		windows(5, &warn, fmt.Sprint("w", i), 0.7)
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(far.workloads("/am/api/v2/alerts"), fmt.Sprint("w", i)); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("w%d is not told: %v", i, far.hits)
			}
		}
		windows(40, &warn, fmt.Sprint("w", i), 0.02)
	}
	windows(5, tellRule, "p0", 0.7)
	await(t, "each hears what is for him", func() bool {
		return far.workloads("/all") == "w0 p0" && far.workloads("/am/api/v2/alerts") == "w0 w1 w2 w3 p0" && far.workloads("/pages") == "p0"
	})
	for _, s := range x.outbox.Load().Stats() {
		if want := map[string]int{"all": 3}[s.Receiver]; s.Kept != want {
			t.Errorf("%s: %d for the digest, want %d", s.Receiver, s.Kept, want)
		}
	}
	if err := os.WriteFile(x.conf, []byte(strings.ReplaceAll(conf, "receiver: pages,", "receiver: all,")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := x.reload(); err != nil {
		t.Fatal(err)
	}
	windows(40, tellRule, "p0", 0.02)
	await(t, "who was told of the page hears its end", func() bool {
		far.mu.Lock()
		defer far.mu.Unlock()
		last := far.hits["/pages"][len(far.hits["/pages"])-1]
		return len(far.hits["/pages"]) == 2 && strings.Contains(last, `"status":"resolved"`)
	})
	if got := far.workloads("/all"); got != "w0 p0" {
		t.Error(got)
	}
}

// What the documentation shows is right.
func TestTheDocumentedConfigurationIsRight(t *testing.T) {
	files := regexp.MustCompile(`/etc/wrackline/([a-z-]+)`)
	for doc, want := range map[string]int{"../../README.md": 1, "../../docs/receivers.md": 1, "../../docs/access.md": 3} {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
			if !strings.HasPrefix(block[1], "receivers:") && !strings.HasPrefix(block[1], "web:") {
				continue
			}
			found++
			dir := t.TempDir()
			text := files.ReplaceAllStringFunc(block[1], func(name string) string {
				content := "https://hooks.example.com/" + filepath.Base(name)
				switch {
				case strings.HasSuffix(name, "secret"):
					content = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
				case !strings.HasSuffix(name, "url"):
					content = "abcdefghijklmnop-" + filepath.Base(name)
				}
				f := filepath.Join(dir, filepath.Base(name))
				if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				return f
			})
			text = strings.ReplaceAll(text, "files: [my-pack.yaml]", "files: []")
			if code, out, errs := run(t, "check-config", file(t, "w.yml", text)); code != exitOK {
				t.Errorf("%s: %s%s", doc, out, errs)
			}
		}
		if found != want {
			t.Errorf("%s: %d configurations, want %d", doc, found, want)
		}
	}
}
