package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// fault is what a file system does to a program: from the n-th call of one kind on, so many of them fail.
type fault struct {
	call, err string
	from, n   int
}

func (f fault) String() string {
	return fmt.Sprintf("%s:error=%s:when=%d..%d", f.call, f.err, f.from, f.from+f.n-1)
}

// under starts the program under strace, which makes its calls fail. The process is the program, not strace.
func under(t *testing.T, f fault, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + f.call, "-e", "inject=" + f.String(), os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// killTraced kills the program under strace, as kill -9 does; killing strace would let it go on. It reports whether it was alive.
func killTraced(cmd *exec.Cmd) bool {
	out, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	alive := false
	for text := range strings.FieldsSeq(string(out)) {
		if pid, bad := strconv.Atoi(text); err == nil && bad == nil {
			alive = syscall.Kill(pid, syscall.SIGKILL) == nil
		}
	}
	if !alive {
		cmd.Process.Kill()
	}
	for syscall.Kill(cmd.Process.Pid, 0) == nil { // somebody waits for it
		time.Sleep(time.Millisecond)
	}
	return alive
}

// sendOne sends one sample of a value that no other has, and returns the status, 0 when nobody answers.
func sendOne(t *testing.T, addr string, value float64) int {
	t.Helper()
	body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: []prompb.Label{{Name: "__name__", Value: "torture"}},
		Samples: []prompb.Sample{{Timestamp: time.Now().UnixMilli(), Value: value}}}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/v1/write", strings.NewReader(string(snappy.Encode(nil, body))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// journaled returns how often each value is in the journal.
func journaled(t *testing.T, dir string) map[float64]int {
	t.Helper()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	got := map[float64]int{}
	d := ingest.NewDecoder(ingest.Limits{})
	if err := j.Replay(0, func(_ uint64, r journal.Record) error {
		var b series.Batch
		if _, err := d.Decode(ingest.Proto(r.Proto), ingest.Encoding(r.Encoding), r.Body, &b); err != nil {
			return err
		}
		for _, s := range b.Samples {
			got[s.V]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// ready reports whether a program at addr takes requests.
func ready(addr string) bool {
	resp, err := http.Get("http://" + addr + "/-/ready")
	if err == nil {
		resp.Body.Close()
	}
	return err == nil && resp.StatusCode == http.StatusOK
}

// awaitTraced waits until the program takes requests, and reports false when it ends before.
func awaitTraced(t *testing.T, cmd *exec.Cmd, addr string) (up bool) {
	t.Helper()
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	await(t, "the program is ready, or ends", func() bool {
		select {
		case <-ended:
			return true
		default:
			up = ready(addr)
			return up
		}
	})
	return up
}

// sendThroughFaults sends samples of values above one until thirty in a row are acknowledged, and returns those that were, and how many were refused.
func sendThroughFaults(t *testing.T, f fault, addr string, value float64) (acked map[float64]bool, refused int) {
	t.Helper()
	acked = map[float64]bool{}
	row := 0
	for begin := time.Now(); row < 30; time.Sleep(25 * time.Millisecond) {
		value++
		switch status := sendOne(t, addr, value); {
		case status/100 == 2:
			acked[value] = true
			row++
		case status == http.StatusServiceUnavailable && time.Since(begin) < patience:
			refused++
			row = 0
		default:
			t.Errorf("%s: sample %v is answered %d after %s", f, value, status, time.Since(begin))
			return acked, refused
		}
	}
	return acked, refused
}

// TestTortureFaults runs the program on a file system whose n-th write, sync, rename, truncation or removal fails, and many after it, with each error that such a call has. It must not die, a sample
// is acknowledged or it is a 503, acknowledgements go on when the disk is well, and after a kill -9 the journal has all that was acknowledged, and a start succeeds. A start under the faults
// may say no where nothing is there; where something is, as in every other round, it comes up, if only to read, and goes on by itself.
func TestTortureFaults(t *testing.T) {
	n, rng := torture(t, 6)
	if err := exec.Command("strace", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1", "true").Run(); err != nil {
		t.Skipf("strace, which makes calls fail, cannot be used here: %v", err)
	}
	calls := []struct {
		name string
		errs []string
		most int // calls that fail; strace counts them for each thread
	}{{"pwrite64", []string{"EIO", "ENOSPC", "EROFS", "EDQUOT"}, 60}, {"fsync", []string{"EIO", "ENOSPC"}, 20}, {"fdatasync", []string{"EIO", "ENOSPC"}, 40}, {"renameat", []string{"EIO", "ENOSPC", "EROFS"}, 4},
		{"ftruncate", []string{"EIO", "ENOSPC", "EROFS"}, 6}, {"unlinkat", []string{"EIO", "EROFS"}, 4}}
	conf := file(t, "w.yml", "storage: {checkpoint_interval: 1s}\ningest: {sync: always}\n")
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	p := start(t, "serve", "--config.file", conf, "--storage.path", used, "--web.listen-address", "127.0.0.1:0")
	p.awaitReady()
	old, _ := sendThroughFaults(t, fault{}, strings.TrimPrefix(p.url, "http://"), 1e6)
	p.kill()
	acked, refused, before := 0, 0, 0
	for round := range n {
		c := calls[round%len(calls)]
		f := fault{c.name, c.errs[rng.IntN(len(c.errs))], 1 + rng.IntN(3*c.most), 1 + rng.IntN(c.most)}
		dir, addr := t.TempDir(), freeAddress(t)
		was := map[float64]bool{}
		if (round+round/len(calls))%2 == 1 { // each call meets both
			if err := os.CopyFS(dir, os.DirFS(used)); err != nil {
				t.Fatal(err)
			}
			was = old
		}
		cmd := under(t, f, "serve", "--config.file", conf, "--storage.path", dir, "--web.listen-address", addr)
		if awaitTraced(t, cmd, addr) {
			sent, no := sendThroughFaults(t, f, addr, 0)
			acked, refused = acked+len(sent), refused+no
			if !killTraced(cmd) {
				t.Errorf("%s: the process has died", f)
			}
			got := journaled(t, dir) // all of it: a segment is dropped when another has begun, long after this
			maps.Copy(sent, was)
			for v := range sent {
				if got[v] == 0 {
					t.Errorf("%s: sample %v was acknowledged and is not in the journal", f, v)
				}
			}
		} else if before++; len(was) > 0 {
			t.Errorf("%s: a start in a directory that has something says no", f)
		}
		if _, err := restart(t, cfg, dir); err != nil {
			t.Errorf("%s: the next start: %v", f, err)
		}
	}
	t.Logf("%d file systems that fail: %d samples acknowledged, %d refused with 503, %d starts that said no; all next starts succeeded", n, acked, refused, before)
}
