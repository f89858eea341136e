package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary be wrackline itself, so that tests run the real program in processes of its own.
const asProgram = "WRACKLINE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // exits
	}
	os.Exit(m.Run())
}

// process is wrackline running as a child.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string // of the UI, once ready
	mu   sync.Mutex
	logs bytes.Buffer // guarded by mu
	done chan struct{}
}

// start runs wrackline with args and waits until it says where it listens. The process is killed when the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	found := make(chan string, 1)
	go func() {
		defer close(p.done)
		defer r.Close()
		sc := bufio.NewScanner(r)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			p.mu.Lock()
			fmt.Fprintln(&p.logs, sc.Text())
			p.mu.Unlock()
			if m := listens.FindStringSubmatch(sc.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", strings.Join(args, " "), tail(p.log(), 6000))
		}
	})
	select {
	case p.url = <-found:
	case <-p.done:
		t.Fatalf("wrackline %v ended before it listened", args)
	case <-time.After(150 * time.Second):
		t.Fatalf("wrackline %v does not listen", args)
	}
	return p
}

var listens = regexp.MustCompile(`(?:url=|Open )(http://\S+?:\d+)`)

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logs.String()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// kill is kill -9.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		<-p.done
	}
}

// stop ends the process as an init system would and checks that it leaves in good order.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("after SIGTERM: %v", err)
	}
	<-p.done
}

// get returns what GET path answers, which must be 200.
func (p *process) get(path string) string {
	p.t.Helper()
	status, body := p.try(path)
	if status != http.StatusOK {
		p.t.Fatalf("GET %s: status %d: %s", path, status, tail(body, 500))
	}
	return body
}

func (p *process) try(path string) (int, string) {
	resp, err := http.Get(p.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// json decodes the data of an API answer into v.
func (p *process) json(path string, v any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.get(path)), v); err != nil {
		p.t.Fatalf("GET %s: %v", path, err)
	}
}

// await calls ok until it is true.
func await(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for: %s", within, what)
		case <-tick.C:
		}
	}
}

// awaitReady waits until requests are taken.
func (p *process) awaitReady() {
	p.t.Helper()
	await(p.t, "readiness", 120*time.Second, func() bool { s, _ := p.try("/-/ready"); return s == http.StatusOK })
}

// metric returns the sum of a metric's values, over all its labels.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	sum := 0.
	for line := range strings.Lines(p.get("/metrics")) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || (rest[0] != ' ' && rest[0] != '{') {
			continue
		}
		var v float64
		if _, err := fmt.Sscanf(rest[strings.LastIndexByte(rest, ' ')+1:], "%g", &v); err != nil {
			p.t.Fatalf("metric line %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// file writes a file into a fresh directory and returns its name.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run calls a command in this process and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = mainCode(t.Context(), env{&out, &errs}, args)
	return code, out.String(), errs.String()
}

// TestEveryCommandTeaches holds that --help of each command explains it and lists its flags, and that mistakes are usage errors.
func TestEveryCommandTeaches(t *testing.T) {
	for _, c := range commands() {
		code, out, _ := run(t, c.name, "--help")
		if code != exitOK || !strings.Contains(out, "Usage: wrackline "+c.name) || len(c.long) < 40 {
			t.Errorf("%s --help: code %d, %q", c.name, code, out)
		}
		code, _, errs := run(t, c.name, "--no-such-flag")
		if code != exitUsage || !strings.Contains(errs, "no-such-flag") {
			t.Errorf("%s --no-such-flag: code %d, %q; want %d and the flag named", c.name, code, errs, exitUsage)
		}
	}
	if code, out, _ := run(t, "help"); code != exitOK || !strings.Contains(out, "demo") {
		t.Errorf("help: code %d, %q", code, out)
	}
	if code, _, errs := run(t, "no-such-command"); code != exitUsage || !strings.Contains(errs, "no-such-command") {
		t.Errorf("unknown command: code %d, %q", code, errs)
	}
}

// TestConfigErrorsNameTheirPlace holds that a wrong configuration is refused with the key or line that is wrong.
func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "ingest:\n  synk: 1s\n", "synk"},
		{"wrong kind", "signals:\n  series_max: many\n", "series_max"},
		{"bad sync", "ingest: {sync: sometimes}\n", "ingest.sync"},
		{"bad zone", "signals: {timezone: Mars/Olympus}\n", "timezone"},
		{"no URL", "receivers: [{name: a, webhook_configs: [{}]}]\n", "url"},
		{"bad scheme", "receivers: [{name: a, webhook_configs: [{url: 'ftp://x/'}]}]\n", "http"},
		{"twice", "receivers: [{name: a}, {name: a}]\n", "twice"},
		{"unset variable", "alerting: {external_url: 'http://${WRACKLINE_NO_SUCH}'}\n", "WRACKLINE_NO_SUCH"},
		{"no such signal", "packs: {disable: [dns.nothing]}\n", "dns.nothing"},
		{"short token", "ingest: {tokens: [{token: abc}]}\n", "tokens[0]"},
		{"track without match", "track: [{name: my.thing}]\n", "track[0]"},
		{"bad size", "ingest: {body_max: huge}\n", "huge"},
		{"bad duration", "storage: {retention: soon}\n", "soon"},
		{"short retention", "storage: {retention: 1h}\n", "retention"},
		{"budget", "alerting: {notifications_per_day: 0}\n", "notifications_per_day"},
	} {
		f := file(t, "w.yml", c.text)
		code, _, errs := run(t, "check-config", f)
		if code != exitFailure || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, %q; want %d and %q named", c.name, code, errs, exitFailure, c.want)
		}
	}
	for _, c := range []string{"", "# nothing but comments\n", "ingest:\nsignals:\nalerting:\nstorage:\nreceivers:\n"} {
		if code, _, errs := run(t, "check-config", file(t, "w.yml", c)); code != exitOK {
			t.Errorf("%q: code %d, %q; every key has a default", c, code, errs)
		}
	}
	code, out, errs := run(t, "check-config", file(t, "w.yml", goodConfig))
	if code != exitOK || !strings.Contains(out, "1 track rules, 2 receivers") {
		t.Errorf("good configuration: code %d, %q %q", code, out, errs)
	}
}

const goodConfig = `
ingest: {sync: always, body_max: 4MiB, tokens: [{token: 0123456789abcdef, sender: a, cluster: prod}]}
signals: {timezone: Europe/Berlin, grace: 2m}
packs: {disable: ["dns.*"]}
track:
- {name: shop.orders, match: 'orders_total{env="prod"}', func: rate, agg: sum, by: [shop], unit: /s, bad: down}
alerting: {external_url: "https://wrackline.example.com", notifications_per_day: 5}
receivers:
- {name: team, slack_configs: [{api_url: "https://hooks.slack.com/services/T/B/x"}]}
- {name: hook, webhook_configs: [{url: "http://127.0.0.1:1/x", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}]}
storage: {checkpoint_interval: 30s, retention: 10d}
`
