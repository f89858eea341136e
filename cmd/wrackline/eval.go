package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/eval"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
)

const evalHelp = `Says how well the engine judges, with the stock settings.

  wrackline eval --scenarios          the fault library on a simulated cluster: found or not, delay, first mover, false alarms
  wrackline eval DIR…                 labelled CSV series: recall, precision, false alerts per series-day, delay,
                                      F1 at the best threshold beside the stock one, AUC-PR, VUS-PR

A DIR holds one CSV a series (timestamp,value,label; plain or gzip), meta.json with the step and where scoring begins, and
perhaps incidents.json. Alerts closer than 15 min or 3 steps are one; an alert is right when it begins inside an event's
tolerance (5 min before to 10 min after, or 2 steps); every other one that begins on a row labelled 0 is false.
With --budget the series of a DIR are the signals of one installation, and false alarms a week are shown against it.
The scenarios take a minute or two. The same flags print the same text.
`

// evalHistory is how much quiet life precedes the faults.
const evalHistory = 14 * 24 * time.Hour

// evalSchedule is when the faults of the library begin, counted from the Monday 00:00 UTC that ends the history. They stand far
// enough apart for one to be over before the next, and at hours of the day at which they bite.
var evalSchedule = []struct {
	kind  scenario.Kind
	after time.Duration
}{
	{scenario.CoreDNSBlackhole, 10 * time.Hour},
	{scenario.RBAC403, 14 * time.Hour},
	{scenario.TrafficDrop, 18 * time.Hour},
	{scenario.RolloutStuck, 31 * time.Hour},
	{scenario.CPULimitHalved, 36 * time.Hour},
	{scenario.CoreDNSOverload, 42 * time.Hour},
	{scenario.MemoryLeak, 55 * time.Hour},
	{scenario.ConntrackExhaustion, 70 * time.Hour},
	{scenario.NodeUpgrade, 76 * time.Hour},
	{scenario.PrometheusStall, 82 * time.Hour},
}

func runEval(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "eval")
	scenarios := fs.Bool("scenarios", false, "judge the fault library on a simulated cluster")
	seed := fs.Uint64("seed", 1, "scenarios: seed of the cluster")
	history := fs.Duration("history", evalHistory, "scenarios: quiet life before the faults, whole days")
	asJSON := fs.Bool("json", false, "scenarios: the report as JSON")
	save := fs.String("save", "", "write what each series gave to a CSV `file`, for --compare")
	compare := fs.String("compare", "", "list the series that differ from a `file` of --save")
	budget := fs.Float64("budget", 0, "`number` of false alarms a week that the series of a DIR may raise together; 0 = any, the stock judgement")
	timezone := fs.String("timezone", "UTC", "civil time of CSV series")
	configFile := fs.String("config.file", "", "scenarios: configuration `file` with further packs")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if *scenarios == (fs.NArg() > 0) {
		return usagef("want --scenarios or at least one DIR of labelled CSV files")
	}
	if *scenarios {
		if *history < 24*time.Hour || *history%(24*time.Hour) != 0 {
			return usagef("history %s: want whole days, at least 24h", *history)
		}
		cfg, err := loadConfig(*configFile)
		if err != nil {
			return err
		}
		r, named, err := judgeScenarios(ctx, e.stderr, cfg, *seed, *history)
		if err != nil {
			return err
		}
		if *asJSON {
			return r.WriteJSON(e.stdout)
		}
		_, err = io.WriteString(e.stdout, r.Table()+changesTable(named))
		return err
	}
	if !(*budget >= 0 && *budget <= budgetMost) {
		return usagef("budget: want a number of false alarms a week from 0 to %d", budgetMost)
	}
	loc, err := time.LoadLocation(*timezone)
	if err != nil {
		return usagef("timezone: %v", err)
	}
	var sets []eval.SetReport
	for _, dir := range fs.Args() {
		told := time.Now()
		r, err := eval.ScoreDir(dir, eval.Options{Location: loc, Direction: pack.DirectionOf, Budget: *budget, Parallel: parallelism(), Progress: func(done, total int) {
			if time.Since(told) > time.Second {
				told = time.Now()
				fmt.Fprintf(e.stderr, "%s: %d of %d series\n", filepath.Base(dir), done, total)
			}
		}})
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return err
			}
			return fmt.Errorf("%s: %w", dir, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sets = append(sets, r)
	}
	if _, err = io.WriteString(e.stdout, eval.Table(sets)+eval.BudgetTable(sets)); err != nil {
		return err
	}
	if *compare != "" {
		f, err := os.Open(*compare)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := eval.Compare(f, sets)
		if err != nil {
			return fmt.Errorf("%s: %w", *compare, err)
		}
		if _, err := io.WriteString(e.stdout, text); err != nil {
			return err
		}
	}
	if *save != "" {
		return writeFile(*save, func(w io.Writer) error { return eval.Save(w, sets) })
	}
	return nil
}

// changesTable says which of the changes that caused a fault its incident names.
func changesTable(list []namedChange) string {
	var b strings.Builder
	right := 0
	for _, n := range list {
		if n.Place > 0 {
			right++
		}
	}
	fmt.Fprintf(&b, "changes named       %d of %d\n", right, len(list))
	for _, n := range list {
		if n.Place == 0 {
			fmt.Fprintf(&b, "  %s: not named: %s\n", n.ID, n.Want)
			continue
		}
		fmt.Fprintf(&b, "  %s: no. %d, %s\n", n.ID, n.Place, n.Said)
	}
	return b.String()
}

// judgeScenarios plays history and the fault library through the whole engine, as a Prometheus pair with four shards each sends
// it, and scores the incidents.
func judgeScenarios(ctx context.Context, progress io.Writer, cfg config, seed uint64, history time.Duration) (*scenario.Report, []namedChange, error) {
	sc := scenario.Config{Seed: seed, StartMs: scenario.Epoch + (evalHistory - history).Milliseconds(), Replicas: 2, Shards: 4}
	faultsAt := scenario.Epoch + evalHistory.Milliseconds()
	for _, f := range evalSchedule {
		sc.Faults = append(sc.Faults, scenario.Fault{Kind: f.kind, StartMs: faultsAt + f.after.Milliseconds()})
	}
	g, err := scenario.New(sc)
	if err != nil {
		return nil, nil, err
	}
	o, err := newOffline(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	last := evalSchedule[len(evalSchedule)-1]
	end := faultsAt + (last.after + 6*time.Hour).Milliseconds()
	told := time.Now()
	for n := 0; ; n++ {
		r, ok := g.Next(end)
		if !ok {
			break
		}
		o.engine.Apply(&r.Batch, 0)
		if n%256 == 0 && time.Since(told) > time.Second {
			told = time.Now()
			fmt.Fprintf(progress, "simulating: %3.0f %%, %s\n", 100*float64(g.Now()-sc.StartMs)/float64(end-sc.StartMs), progressDate(g.Now()))
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
	}
	// The first three days are learning; what is said then is counted too, since a user would hear it.
	rep := scenario.Score(g.Truth(), o.alarms(), scenario.ScoreOptions{FromMs: sc.StartMs, ToMs: end})
	return &rep, o.namedChanges(g.Truth()), nil
}
