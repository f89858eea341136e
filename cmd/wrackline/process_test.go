// The real program as a child process, and what tests say to it.

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
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

// lookEvery is how often such a program looks at the files of its configuration.
const lookEvery = "WRACKLINE_TEST_LOOK_EVERY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		reloadEvery = time.Hour // a test that changes files says when they are read, unless it wants this
		if d, err := time.ParseDuration(os.Getenv(lookEvery)); err == nil {
			reloadEvery = d
		}
		probeEvery = func(int) time.Duration { return 200 * time.Millisecond }
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
	case <-time.After(patience):
		t.Fatalf("wrackline %v does not listen", args)
	}
	return p
}

var listens = regexp.MustCompile(`(?:url=|"url":"|Open )(https?://\S+?:\d+)`)

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

// patience is how long a test waits for what must come. It is no measure of anything: a loaded machine may need minutes for what
// takes a second, and only a test that fails anyway waits to the end.
const patience = 6 * time.Minute

// await calls ok until it is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for: %s", patience, what)
		case <-tick.C:
		}
	}
}

// awaitReady waits until requests are taken.
func (p *process) awaitReady() {
	p.t.Helper()
	await(p.t, "readiness", func() bool { s, _ := p.try("/-/ready"); return s == http.StatusOK })
}

// awaitListens waits until somebody listens on addr.
func awaitListens(t *testing.T, addr string) {
	t.Helper()
	await(t, addr+" listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// write sends the body of a remote-write 1.0 request, with a bearer token unless that is empty, and returns the answer.
func (p *process) write(token string, body []byte) (status int, text string) {
	p.t.Helper()
	return p.writeTo("/api/v1/write", token, body)
}

// writeTo is write to a path, with what may stand behind it.
func (p *process) writeTo(path, token string, body []byte) (status int, text string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return p.do(req)
}

// reload asks for a reload and returns what it answers.
func (p *process) reload() (status int, text string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/-/reload", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(req)
}

func (p *process) do(req *http.Request) (status int, text string) {
	p.t.Helper()
	resp, err := http.DefaultClient.Do(req)
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

// settle waits until everything that was acknowledged has been folded and is shown.
func (p *process) settle() {
	p.t.Helper()
	await(p.t, "what was acknowledged is folded", func() bool {
		return p.metric("wrackline_fold_position") >= p.metric("wrackline_journal_position")
	})
	await(p.t, "what was folded is shown", func() bool { // the second look shows what the first one asked for
		return p.metric("wrackline_shown_position") >= p.metric("wrackline_fold_position")
	})
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

// freeAddress returns a loopback address that is free now, for a process that must come back at the same place.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// replace writes a file anew.
func replace(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// file writes a file into a fresh directory and returns its name.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	replace(t, path, content)
	return path
}

// run calls a command in this process and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = mainCode(t.Context(), env{stdout: &out, stderr: &errs}, args)
	return code, out.String(), errs.String()
}
