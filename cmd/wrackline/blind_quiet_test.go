package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/wire"
	"github.com/wrackline/wrackline/ingest"
)

// as lets somebody else send for one request.
func (r *blindRig) as(host, token string, send func(r *blindRig)) {
	was, had := r.host, r.token
	r.host, r.token = host, token
	send(r)
	r.host, r.token = was, had
}

// TestWhatIsNoBlindness: what looks like a way of going blind and is none is not told. Hiccups of half a minute are part of TestGoingBlindIsTold.
func TestWhatIsNoBlindness(t *testing.T) {
	for _, c := range slices.Concat(quietOnes(), quietSenders(), quietStarts(t)) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newBlindRig(t, c.rig)
			if !c.rig.silent {
				r.steps(4*time.Minute, nil)
			}
			c.during(r)
			if got := r.got("/a"); len(got) != 0 {
				t.Errorf("told: %+v", got)
			}
		})
	}
}

// quietCase is something that is no news.
type quietCase struct {
	name   string
	rig    rigOptions
	during func(r *blindRig)
}

func quietOnes() []quietCase {
	return []quietCase{
		{"a planned restart", rigOptions{}, func(r *blindRig) {
			for range 5 {
				r.a.self.end()
				r.die()
				r.clock.Add(int64(40 * time.Second))
				r.start(nil)
				r.steps(90*time.Second, nil)
			}
			r.steps(8*time.Minute, nil)
		}},
		{"a crash, and another one in the next hour", rigOptions{}, func(r *blindRig) {
			for range 2 {
				r.die()
				r.start(nil)
				r.steps(20*time.Minute, nil)
			}
		}},
		{"a stranger without a token", rigOptions{config: "ingest: {tokens: [{token: right-token, sender: prom-eu}]}\n", token: "right-token"}, func(r *blindRig) {
			r.send = func(r *blindRig) {
				r.write()
				r.as("192.0.2.9", "guess", (*blindRig).write)
			}
			r.steps(15*time.Minute, nil)
		}},
		{"a browser at the write door", rigOptions{}, func(r *blindRig) {
			r.send = func(r *blindRig) {
				r.write()
				r.as("192.0.2.9", "", func(r *blindRig) { r.post(nil, "Content-Type", "text/html") })
			}
			r.steps(15*time.Minute, nil)
		}},
		{"one bad request, then nothing from there", rigOptions{silent: true}, func(r *blindRig) {
			r.post([]byte("no snappy"))
			r.send = (*blindRig).write
			r.steps(10*time.Minute, nil)
		}},
		{"a part of the samples is refused", rigOptions{}, func(r *blindRig) {
			r.send = func(r *blindRig) {
				r.write()
				l := wire.AppendLabel(nil, "__name__", "coredns_dns_requests_total")
				ok := wire.AppendSeries(nil, l, oneSample(r))
				r.post(wire.AppendBody(nil, wire.AppendSeries(ok, l, []series.Sample{{T: oneSample(r)[0].T + 3_600_000, V: 1}})))
			}
			r.steps(15*time.Minute, nil)
		}},
	}
}

func quietSenders() []quietCase {
	return []quietCase{
		{"another sender has only what nobody needs", rigOptions{}, func(r *blindRig) {
			r.send = func(r *blindRig) {
				r.write()
				needed := r.metric
				r.metric = []string{"shop_things_total"}
				r.as("10.0.0.8", "", (*blindRig).write)
				r.metric = needed
			}
			r.steps(20*time.Minute, nil)
		}},
		{"half of a pair falls silent", rigOptions{}, func(r *blindRig) {
			r.send = func(r *blindRig) {
				r.write()
				r.as("10.0.0.8", "", (*blindRig).write)
			}
			r.steps(12*time.Minute, nil)
			r.send = (*blindRig).write
			r.steps(15*time.Minute, nil)
		}},
		{"a sender catches up", rigOptions{}, func(r *blindRig) {
			r.send = nil
			r.clock.Add(int64(4 * time.Minute)) // as long as it may before it is silent; what it has kept is older still
			late := 20 * time.Minute
			r.send = func(r *blindRig) {
				late = max(0, late-30*time.Second)
				r.shift = -late
				r.write()
			}
			r.steps(4*time.Minute, nil)
		}},
		{"the metrics of one rule stop", rigOptions{}, func(r *blindRig) {
			r.metric = append([]string{"kube_node_info"}, dnsMetrics...)
			r.steps(5*time.Minute, nil)
			r.metric = dnsMetrics[:2]
			r.steps(15*time.Minute, nil)
		}},
		{"a sender of a short test stops", rigOptions{}, func(r *blindRig) {
			r.steps(2*time.Minute, nil)
			r.send = nil
			r.steps(20*time.Minute, nil)
		}},
		{"a receiver is down for half an hour", rigOptions{}, func(r *blindRig) {
			r.fail("/b", 503)
			r.announce("msg_one")
			r.steps(30*time.Minute, nil)
			r.mu.Lock()
			r.words = nil // of the incident itself
			r.mu.Unlock()
			r.fail("/b", 0)
			r.awaitOutbox("the delivery", func(queued int, _ int64, _ string) bool { return queued == 0 })
			r.steps(10*time.Minute, nil)
		}},
	}
}

// TestCrashesTellNothingTwice: what has been told is known after a crash, and closed; where that cannot be remembered, receivers know it by its id.
func TestCrashesTellNothingTwice(t *testing.T) {
	t.Parallel()
	var d failing
	d.set(&d.write, syscall.EIO)
	cfg := func(c *config) { c.disk = d.disk() }
	r := newBlindRig(t, rigOptions{setup: cfg})
	r.steps(5*time.Minute, nil)
	if got := r.got("/a"); len(got) != 1 {
		t.Fatalf("told %d times", len(got))
	}
	soon(t, "the mark", func() bool { // as run does when somebody has been told
		return r.a.self.save() == nil && strings.Contains(string(read(t, filepath.Join(r.dir, markFile))), "webhook/0")
	})
	for range 2 { // a third would be a crash loop
		r.die()
		r.start(cfg)
		r.steps(6*time.Minute, nil)
	}
	if got := r.got("/a"); len(got) != 1 {
		t.Fatalf("told again after a crash: %+v", got)
	}
	d.set(&d.write, nil)
	r.steps(10*time.Minute, nil)
	got := r.got("/a")
	if len(got) != 2 || got[1].status != "resolved" || !strings.Contains(got[1].title, "the disk fails") {
		t.Fatalf("after a life that told nothing: %+v", got)
	}

	r.die()
	if err := errors.Join(os.Remove(filepath.Join(r.dir, markFile)), os.Mkdir(filepath.Join(r.dir, markFile), 0o700)); err != nil { // no mark can be written
		t.Fatal(err)
	}
	d.set(&d.write, syscall.EIO)
	for range 3 {
		r.start(cfg)
		r.steps(90*time.Second, nil)
		r.die()
	}
	if n := len(r.got("/a")); n != 2 {
		t.Errorf("lives of 90 s told %d times", n-2)
	}
	ids := map[string]int{}
	for range 3 {
		r.start(cfg)
		r.steps(6*time.Minute, nil)
		r.die()
	}
	for _, w := range r.got("/a")[2:] {
		ids[w.id]++
	}
	if len(ids) != 1 || len(r.got("/a")) != 5 {
		t.Errorf("three lives without a memory: %+v", r.got("/a")[2:])
	}
	r.start(nil)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFlappingIsFewWords: what comes and goes all day is told some times, not each time.
func TestFlappingIsFewWords(t *testing.T) {
	t.Parallel()
	var d failing
	r := newBlindRig(t, rigOptions{setup: func(c *config) { c.disk = d.disk() }})
	r.steps(2*time.Minute, nil)
	for range 24 { // four hours: five minutes each
		d.set(&d.write, syscall.ENOSPC)
		r.steps(5*time.Minute, nil)
		d.set(&d.write, nil)
		r.steps(5*time.Minute, nil)
	}
	r.steps(20*time.Minute, nil)
	got := r.got("/a")
	if len(got) == 0 || len(got) > 4 || got[len(got)-1].status != "resolved" {
		t.Errorf("%d messages in four hours: %+v", len(got), got)
	}
}

// TestOneDiskIsOneMessage: what parts of the program say of one broken disk, some of them in text alone, is one message that begins with what is worst.
func TestOneDiskIsOneMessage(t *testing.T) {
	t.Parallel()
	var d failing
	r := newBlindRig(t, rigOptions{setup: func(c *config) { c.disk = d.disk() }})
	r.steps(2*time.Minute, nil)
	_ = r.a.saveBy(func(store.Checkpoint) error { return fmt.Errorf("file resize error: %s", syscall.EROFS) }, store.Checkpoint{}) // as bbolt words it
	d.set(&d.write, syscall.EROFS)
	r.steps(15*time.Minute, nil)
	got := r.got("/a")
	if len(got) != 1 || !strings.Contains(got[0].title, "Nothing can be taken in because the disk is read-only") {
		t.Fatalf("%+v", got)
	}
	d.set(&d.write, nil)
	checkpointOf(r)
	r.steps(5*time.Minute, nil)
	if got = r.got("/a"); len(got) != 2 || got[1].status != "resolved" {
		t.Errorf("afterwards: %+v", got)
	}
}

// TestAnotherOneIsNews: a second sender that is refused while the first one is still refused is said, as a change.
func TestAnotherOneIsNews(t *testing.T) {
	t.Parallel()
	r := newBlindRig(t, rigOptions{})
	two := false
	wrong := func(r *blindRig) {
		l := wire.AppendLabel(wire.AppendLabel(nil, "__name__", "x"), "__name__", "y")
		r.post(wire.AppendBody(nil, wire.AppendSeries(nil, l, oneSample(r))))
	}
	r.send = func(r *blindRig) {
		wrong(r)
		if two {
			r.as("10.0.0.9", "", wrong)
		}
	}
	r.steps(6*time.Minute, nil)
	if n := len(r.got("/a")); n != 1 {
		t.Fatalf("told %d times", n)
	}
	two = true
	r.steps(12*time.Minute, nil)
	if got := r.got("/a"); len(got) != 2 || got[0].id == got[1].id || !strings.Contains(got[1].title, "And 1 more") {
		t.Errorf("with a second one: %+v", got)
	}
}

// TestJudgingStops: the heartbeat goes on while Wrackline judges or has nothing to judge, and stops when it cannot.
func TestJudgingStops(t *testing.T) {
	t.Parallel()
	var d failing
	r := newBlindRig(t, rigOptions{setup: func(c *config) { c.disk = d.disk() }, config: ""})
	alive := func(want bool, what string) {
		t.Helper()
		if ok, why := r.a.self.alive(); ok != want {
			t.Errorf("%s: judging is %v, %q", what, ok, why)
		}
	}
	r.steps(3*time.Minute, nil)
	alive(true, "samples arrive")
	r.send = nil
	r.steps(10*time.Minute, nil)
	alive(true, "nobody sends")
	r.send = (*blindRig).write
	d.set(&d.write, syscall.EIO)
	r.steps(time.Minute, nil)
	alive(true, "the disk has failed for a minute")
	r.steps(4*time.Minute, nil)
	alive(false, "the disk has failed for five minutes")
	d.set(&d.write, nil)
	r.steps(30*time.Second, nil)
	alive(true, "the disk is well")
	_ = r.a.saveBy(func(store.Checkpoint) error { return syscall.EIO }, store.Checkpoint{})
	r.steps(50*time.Minute, nil)
	alive(true, "checkpoints have failed for less than an hour")
	r.steps(12*time.Minute, nil)
	alive(false, "checkpoints have failed for an hour")
	checkpointOf(r)
	r.step()
	alive(true, "a checkpoint was written")
	r.fail("/a", 503)
	r.fail("/b", 503)
	r.announce("msg_one")
	soon(t, "attempts", func() bool {
		st := r.a.outbox.Load().Stats()
		return st[0].LastError != "" && st[1].LastError != ""
	})
	r.steps(55*time.Minute, nil)
	alive(true, "nobody could be told for less than an hour")
	r.steps(8*time.Minute, nil)
	alive(false, "nobody can be told")
	r.clock.Add(int64(5 * time.Minute))
	if ok, why := r.a.self.alive(); ok || !strings.Contains(why, "stands still") {
		t.Errorf("nobody looks: %v, %q", ok, why)
	}
}

// TestHeartbeatIsCalled: the configuration's heartbeat beats, its URL is in no page and no log, a reload replaces it, and bad values are refused by name.
func TestHeartbeatIsCalled(t *testing.T) {
	t.Parallel()
	r := newBlindRig(t, rigOptions{config: "alerting: {heartbeat: {url: 'FAR/beat?key=topsecret', interval: 10s}}\n"})
	beats := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.beats
	}
	await(t, "a heartbeat", func() bool { return beats() > 0 })
	await(t, "its statistics", func() bool { return r.a.heart.Load().Stats().Calls > 0 })
	page := configText(r.a.cfg.Load())
	if strings.Contains(page, "topsecret") || !strings.Contains(page, "interval: 10s") {
		t.Errorf("the configuration as shown: %s", page)
	}
	var text strings.Builder
	r.a.self.metrics(func(name string, v float64) { fmt.Fprintln(&text, name, v) })
	if !strings.Contains(text.String(), "wrackline_judging 1") || !strings.Contains(text.String(), "wrackline_heartbeat_last_success_timestamp_seconds 1") {
		t.Errorf("metrics: %s", text.String())
	}
	b := string(read(t, r.conf))
	replace(t, r.conf, strings.Replace(b, "interval: 10s", "interval: 20s, method: GET", 1))
	n := beats()
	if _, err := r.a.reload(); err != nil {
		t.Fatal(err)
	}
	await(t, "a heartbeat after the reload", func() bool { return beats() > n })
	for bad, says := range map[string]string{
		"{url: 'ftp://x/topsecret'}": "heartbeat.url", "{url: 'http://x/topsecret', method: PUT}": "heartbeat.method", "{url: 'http://x/topsecret', interval: 1s}": "heartbeat.interval",
		"{url: 'http://x/topsecret', url_file: /x}": "heartbeat.url", "{url_file: /does/not/exist}": "heartbeat.url_file",
	} {
		_, err := loadConfig(file(t, "w.yml", "alerting: {heartbeat: "+bad+"}\n"))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestRefusedIsHeardFrom: a sender that is refused, by its fault or ours, is not called silent; one that is only known by its host without its token neither.
func TestRefusedIsHeardFrom(t *testing.T) {
	t.Parallel()
	r := newBlindRig(t, rigOptions{config: "ingest: {tokens: [{token: right-token, sender: prom-eu}]}\n", token: "right-token"})
	r.steps(12*time.Minute, nil)
	r.token = "wrong-token"
	r.steps(20*time.Minute, nil)
	got := r.got("/a")
	if len(got) != 1 || got[0].kind != "wrackline.sender.refused" {
		t.Fatalf("%+v", got)
	}
	r.send = nil // and then it is silent indeed
	r.steps(10*time.Minute, nil)
	silent := false
	for _, w := range r.got("/a") {
		silent = silent || w.kind == "recv.silent" && w.status == "firing"
	}
	if !silent {
		t.Errorf("silent afterwards: %+v", r.got("/a"))
	}
}

// TestHeardIsBounded: strangers cannot make the door remember without end, nor push out whoever sends.
func TestHeardIsBounded(t *testing.T) {
	t.Parallel()
	r := newBlindRig(t, rigOptions{config: "ingest: {tokens: [{token: right-token, sender: prom-eu}]}\n", token: "right-token"})
	for i := range 3000 {
		if i%100 == 0 {
			r.write()
		}
		r.as(fmt.Sprintf("192.0.%d.%d", i/250, i%250), "guess", func(r *blindRig) { r.post(nil) })
	}
	talks := r.a.heard.Talks()
	found := false
	for _, x := range talks {
		found = found || x.Sender == "prom-eu" && x.Taken == 30
	}
	if len(talks) > 256 || !found {
		t.Errorf("%d talks, prom-eu among them %v", len(talks), found)
	}
	var none *ingest.Heard = &ingest.Heard{}
	if len(none.Talks()) != 0 {
		t.Error("nobody was heard from")
	}
}

// TestWaysAreDocumented: the table of docs/reliability.md has each way that is tested, and no other.
func TestWaysAreDocumented(t *testing.T) {
	text := string(read(t, filepath.Join("..", "..", "docs", "reliability.md")))
	_, table, _ := strings.Cut(text, "| way | condition | told after | stops the heartbeat |\n|---|---|---|---|\n")
	rows := map[string]bool{}
	for line := range strings.Lines(table) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok {
			rows[name] = true
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	for _, c := range ways() {
		if !rows[c.name] {
			t.Errorf("docs/reliability.md has no row %q", c.name)
		}
		if kind := strings.TrimPrefix(c.told, "wrackline."); !strings.Contains(text, "`"+kind+"`") {
			t.Errorf("docs/reliability.md does not name %s", kind)
		}
		delete(rows, c.name)
	}
	for name := range rows {
		t.Errorf("docs/reliability.md has a row without a test: %q", name)
	}
}
