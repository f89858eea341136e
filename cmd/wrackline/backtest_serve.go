package main

// Backtests of a running Wrackline: one at a time, in a process of its own, so that neither its memory, its collections nor its counters are those of what serves.

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/form"
	"github.com/wrackline/wrackline/ui"
	"github.com/wrackline/wrackline/web"
)

const (
	benchMost   = time.Hour // that one may take
	benchLeast  = 64 << 20  // bytes of memory below which none is begun
	benchConfig = 256 << 10 // bytes of a configuration that is given
	benchListed = 5000      // notifications of a result
	benchLineMx = 32 << 20  // bytes of a line that a worker writes
)

// judging is what of a configuration decides what is told. The rest of it says how requests come and messages go.
type judging struct {
	Signals  signalsConfig `yaml:"signals"`
	Packs    packsConfig   `yaml:"packs"`
	Track    []trackConfig `yaml:"track"`
	Alerting judgingNoise  `yaml:"alerting"`
}

type judgingNoise struct {
	NotificationsPerDay int     `yaml:"notifications_per_day" min:"1" max:"1000"`
	PagesPerDay         int     `yaml:"pages_per_day" min:"1" max:"1000"`
	FalseAlarmsPerWeek  float64 `yaml:"false_alarms_per_week" min:"0" max:"1000000"`
}

func (c *config) judging() judging {
	return judging{Signals: c.Signals, Packs: c.Packs, Track: c.Track, Alerting: judgingNoise{c.Alerting.NotificationsPerDay, c.Alerting.PagesPerDay, c.Alerting.FalseAlarmsPerWeek}}
}

// text is what a form begins with.
func (g judging) text() string {
	b, err := yaml.MarshalWithOptions(g, yaml.OmitEmpty())
	if err != nil {
		return "# " + err.Error() + "\n"
	}
	return string(b)
}

// errGiven marks what is wrong with a configuration that was given.
var errGiven = errors.New("the configuration that was given")

// judgedBy returns c with what judges in the place of its own. What is not given is as it is by default, but for names of files, which must be those of c: somebody else's text opens no other.
func (c *config) judgedBy(text string) (config, error) {
	g := (&config{Signals: defaultConfig().Signals, Alerting: defaultConfig().Alerting}).judging()
	if len(text) > benchConfig {
		return *c, fmt.Errorf("%w is larger than %s", errGiven, size(benchConfig))
	}
	var faults []error
	if f, fault := form.Parse([]byte(text)); fault != nil {
		faults = append(faults, fault)
	} else {
		for _, fault := range f.Decode(&g, form.Words{}) {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		return *c, fmt.Errorf("%w: %w\nit takes signals, packs, track and of alerting notifications_per_day, pages_per_day and false_alarms_per_week", errGiven, errors.Join(faults...))
	}
	for _, f := range g.Packs.Files {
		if !slices.Contains(c.Packs.Files, f) {
			return *c, fmt.Errorf("%w: packs.files: %q is none of the configuration in force; a page or an address opens no other file (wrackline backtest --storage.path on that machine does)", errGiven, f)
		}
	}
	next := *c
	next.Signals, next.Packs, next.Track = g.Signals, g.Packs, g.Track
	next.Alerting.NotificationsPerDay, next.Alerting.PagesPerDay, next.Alerting.FalseAlarmsPerWeek = g.Alerting.NotificationsPerDay, g.Alerting.PagesPerDay, g.Alerting.FalseAlarmsPerWeek
	next.place = nil
	err := next.validate()
	if err == nil {
		_, err = next.packs()
	}
	if err != nil {
		return *c, fmt.Errorf("%w: %w", errGiven, err)
	}
	return next, nil
}

// bare returns of a configuration what a backtest needs, and no secret.
func (c *config) bare() ([]byte, error) {
	type storage struct {
		Retention duration `yaml:"retention"`
	}
	type ingest struct {
		BodyMax    size `yaml:"body_max"`
		DecodedMax size `yaml:"decoded_max"`
	}
	return yaml.Marshal(struct {
		judging `yaml:",inline"`
		Storage storage `yaml:"storage"`
		Ingest  ingest  `yaml:"ingest"`
	}{c.judging(), storage{c.Storage.Retention}, ingest{c.Ingest.BodyMax, c.Ingest.DecodedMax}})
}

// bench runs backtests.
type bench struct {
	mu   sync.Mutex
	run  *ui.BacktestRun // the one under way, or the newest; replaced, never changed
	stop context.CancelFunc
	seq  int
}

var (
	errBenchRuns = errors.New("a backtest is under way; wait for its end, or cancel it")
	errNoBench   = errors.New("no backtest is under way")
)

// benchSpec is what a backtest is asked for.
type benchSpec struct {
	Days    int     `json:"days"`
	Against *string `json:"against"` // another configuration to compare with; nil = none
}

// benchProgram is the program that works. A variable for tests.
var benchProgram = os.Executable

// startBacktest begins one. A person's mistake is errGiven.
func (a *app) startBacktest(spec benchSpec) (*ui.BacktestRun, error) {
	if err := a.working(); err != nil {
		return nil, err
	}
	state := source{a}.Backtest()
	if state.Off != "" {
		return nil, fmt.Errorf("%s: %w", state.Off, errBenchOff)
	}
	if spec.Days < 1 || spec.Days > state.DaysMax {
		return nil, fmt.Errorf("%w: days: want 1 to %d", errGiven, state.DaysMax)
	}
	cfg := a.cfg.Load()
	cfgs := []config{*cfg}
	if spec.Against != nil {
		other, err := cfg.judgedBy(*spec.Against)
		if err != nil {
			return nil, err
		}
		cfgs = append(cfgs, other)
	}
	memory := memoryFree() / 10 * 8
	if memory < benchLeast {
		return nil, fmt.Errorf("there is not enough memory: a backtest would have %s: %w", alerting.Quantity(float64(max(0, memory)), "B"), errNotReady)
	}
	b := &a.bench
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run != nil && b.run.Running() {
		return nil, fmt.Errorf("%w: %w", errBenchRuns, errNotReady)
	}
	a.reloadMu.Lock()
	defer a.reloadMu.Unlock()
	if a.startRun == nil {
		return nil, errNotReady
	}
	list, _ := a.past.Begins(a.journal)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", state.Reach, errBenchOff)
	}
	b.seq++
	run := &ui.BacktestRun{ID: strconv.Itoa(b.seq), State: "running", Days: spec.Days, Against: spec.Against != nil, StartedMs: time.Now().UnixMilli()}
	if spec.Against != nil {
		run.Config = *spec.Against
	}
	ctx, stop := context.WithTimeout(context.Background(), benchMost)
	b.run, b.stop = run, stop
	a.past.pin(list[0].Pos)
	a.startRun(func(life context.Context) {
		defer stop()
		defer context.AfterFunc(life, stop)()
		defer a.past.unpin()
		a.workBench(ctx, run, cfgs, memory)
	})
	return run, nil
}

var errBenchOff = errors.New("no backtest can be made")

// cancelBacktest ends the one that is under way.
func (a *app) cancelBacktest() error {
	b := &a.bench
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run == nil || !b.run.Running() {
		return errNoBench
	}
	b.stop()
	return nil
}

// show publishes how a run stands.
func (b *bench) show(run ui.BacktestRun) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run = &run
}

// workBench lets a process of its own work and follows what it says, until it ends.
func (a *app) workBench(ctx context.Context, begun *ui.BacktestRun, cfgs []config, memory int64) {
	run := *begun
	res, err := a.callWorker(ctx, &run, cfgs, memory)
	run.EndedMs, run.State = time.Now().UnixMilli(), "done"
	switch {
	case err == nil:
		run.Percent, run.FromMs, run.ToMs, run.Told, run.Differ, run.Summary = 100, res.FromMs, res.ToMs, res.Told, res.Differ, res.summary()
		if more := len(run.Told) - benchListed; more > 0 {
			run.Told = run.Told[more:]
			run.Notes = append(run.Notes, fmt.Sprintf("%d notifications of the first days are left out: there are more than %d.", more, benchListed))
		}
		for _, n := range res.Notes {
			run.Notes = append(run.Notes, alerting.Clock(n.T)+": "+n.Text+". What was told before that was told by what was in force then.")
		}
		a.log.Info("backtest done", "days", run.Days, "took", time.Duration(res.TookMs)*time.Millisecond, "notifications", len(run.Told), "differ", run.Differ)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		run.State, run.Error = "failed", "It took more than "+benchMost.String()+". Ask for fewer days."
	case ctx.Err() != nil:
		run.State = "cancelled"
	default:
		run.State, run.Error = "failed", err.Error()
		a.log.Warn("backtest failed", "err", err)
	}
	a.bench.show(run)
}

// callWorker starts the process and returns what it found.
func (a *app) callWorker(ctx context.Context, run *ui.BacktestRun, cfgs []config, memory int64) (*benchResult, error) {
	program, err := benchProgram()
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "wrackline-backtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	args := []string{"backtest", "--worker", "--storage.path", a.dir, "--days", strconv.Itoa(run.Days), "--memory", strconv.FormatInt(memory, 10)}
	for i := range cfgs {
		text, err := cfgs[i].bare()
		if err != nil {
			return nil, err
		}
		name := filepath.Join(tmp, strconv.Itoa(i)+".yml")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return nil, err
		}
		args = append(args, []string{"--config.file", "--against"}[i], name)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe() // it ends with this process, however that ends
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &limited{b: &said, left: 4 << 10}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var res *benchResult
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, benchLineMx)
	for lines.Scan() {
		var l benchLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch {
		case l.Progress != nil:
			run.AtMs = l.Progress.AtMs
			if whole := l.Progress.ToMs - l.Progress.BeganMs; whole > 0 {
				run.Percent = int(min(99, max(0, 100*(run.AtMs-l.Progress.BeganMs)/whole)))
			}
			a.bench.show(*run)
		case l.Error != "":
			err = errors.New(l.Error)
		case l.Result != nil:
			res = l.Result
		}
	}
	failed := cmd.Wait()
	switch {
	case res != nil:
		return res, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("the process that worked ended without a result: %w: %s", cmp.Or(failed, lines.Err()), strings.TrimSpace(said.String()))
}

// limited is a buffer that takes so many bytes and forgets the rest.
type limited struct {
	b    *bytes.Buffer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.b.Write(p[:n])
	return len(p), nil
}

// memoryFree returns how much memory another process may take before the machine, or the limit of this one's group, has none; bytes.
func memoryFree() int64 {
	free := int64(1) << 50
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
				if n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64); err == nil {
					free = n << 10
				}
			}
		}
	}
	for _, f := range [][2]string{{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"}, {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}} {
		most, ok := readInt(f[0])
		used, ok2 := readInt(f[1])
		if ok && ok2 && most < 1<<50 {
			free = min(free, most-used)
		}
	}
	return free
}

func readInt(file string) (int64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// Backtest implements ui.Source.
func (s source) Backtest() ui.Backtest {
	a := s.a
	cfg := a.cfg.Load()
	out := ui.Backtest{Config: cfg.judging().text(), DaysMax: max(1, int(time.Duration(cfg.Storage.Retention)/(24*time.Hour)))}
	list, notes := a.past.Begins(a.journal)
	out.Reach = reach(list, notes, size(cfg.Storage.BacktestMax), time.Duration(cfg.Storage.Retention))
	switch {
	case cfg.Storage.BacktestMax == 0:
		out.Off = "No backtest can be made here: storage.backtest_max is off, so no requests are kept."
	case a.past.tooFast(size(cfg.Storage.BacktestMax)) != "":
		out.Reach, out.Off = "", a.past.tooFast(size(cfg.Storage.BacktestMax))
	case a.past == nil:
		out.Off = "No backtest can be made now: Wrackline only reads."
	}
	a.bench.mu.Lock()
	defer a.bench.mu.Unlock()
	out.Run = a.bench.run
	return out
}

// benchDoors lists the doors of backtests. They change nothing, but they take a processor.
func (a *app) benchDoors() []door {
	return []door{
		{path: "/api/v1/backtest", method: http.MethodPost, kind: web.Admin, open: a.apiBacktest, shared: true},
		{path: "/api/v1/backtest/cancel", method: http.MethodPost, kind: web.Admin, open: a.apiCancelBacktest},
		{path: "/backtest", method: http.MethodPost, kind: web.Admin, open: a.formBacktest, shared: true},
		{path: "/backtest/cancel", method: http.MethodPost, kind: web.Admin, open: a.formCancelBacktest},
	}
}

// benchRefusal returns the status of what startBacktest or cancelBacktest says.
func benchRefusal(err error) int {
	switch {
	case errors.Is(err, errGiven):
		return http.StatusBadRequest
	case errors.Is(err, errNoBench), errors.Is(err, errBenchOff):
		return http.StatusConflict
	case errors.Is(err, errNotReady):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func refuseBench(w http.ResponseWriter, err error, asJSON bool) {
	code := benchRefusal(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	if !asJSON {
		http.Error(w, "No backtest was begun. "+err.Error(), code)
		return
	}
	kind := map[int]string{http.StatusBadRequest: "bad_data", http.StatusConflict: "conflict", http.StatusServiceUnavailable: "unavailable"}[code]
	answer(w, code, map[string]string{"status": "error", "errorType": cmp.Or(kind, "internal"), "error": err.Error()})
}

func (a *app) apiBacktest(w http.ResponseWriter, r *http.Request) {
	var spec benchSpec
	if !readJSON(w, r, &spec) {
		return
	}
	run, err := a.startBacktest(spec)
	if err != nil {
		refuseBench(w, err, true)
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"status": "success", "data": map[string]any{"run": run}})
}

func (a *app) apiCancelBacktest(w http.ResponseWriter, _ *http.Request) {
	if err := a.cancelBacktest(); err != nil {
		refuseBench(w, err, true)
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "success"})
}

func (a *app) formBacktest(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil {
		refuseBench(w, fmt.Errorf("%w: days: want a whole number", errGiven), false)
		return
	}
	spec := benchSpec{Days: days}
	if text := strings.ReplaceAll(r.PostFormValue("config"), "\r\n", "\n"); r.PostFormValue("compare") != "" {
		spec.Against = &text
	}
	if _, err := a.startBacktest(spec); err != nil {
		refuseBench(w, err, false)
		return
	}
	http.Redirect(w, r, a.pathBase()+"/backtest", http.StatusSeeOther)
}

func (a *app) formCancelBacktest(w http.ResponseWriter, r *http.Request) {
	if err := a.cancelBacktest(); err != nil {
		refuseBench(w, err, false)
		return
	}
	http.Redirect(w, r, a.pathBase()+"/backtest", http.StatusSeeOther)
}
