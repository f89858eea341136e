package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/ui"
)

const backtestHelp = `Which notifications the last days of a recording would have given with a configuration, per day and with their reasons; with two configurations, how they differ.

  wrackline backtest cluster.rec                                            with the defaults
  wrackline backtest --days 14 --config.file wrackline.yml cluster.rec
  wrackline backtest --config.file wrackline.yml --against next.yml cluster.rec    what a change of the configuration would have changed
  wrackline backtest --days 14 --server http://localhost:9099               what a running Wrackline keeps, with the configuration in force; --against compares that with a file
  wrackline backtest --storage.path data                                    what a data directory keeps, whether Wrackline runs on it or not
  wrackline backtest --lessons lessons.yaml cluster.rec                     as if these lessons had held all the time

With --storage.path it begins with the newest state that was kept before the days (with --against, the oldest), and says from when; storage.backtest_max bounds what is kept.
It is the engine that serve runs, over the same requests in the same order, so what it says is what serve told; all of the recording is learned from, the last --days of it are
listed. A recording comes from wrackline simulate --out or wrackline inspect recording; what people said while it was recorded is in it. Which of the receivers a notification
reaches is wrackline routes test. With two configurations the exit code is 3 where they differ; --json writes each notification as a line.
`

// told is one notification of a backtest.
type told = ui.Told

func toldOf(n alerting.Notification) told {
	m := notify.NewMessage(n, "")
	return told{T: n.T, Day: time.UnixMilli(n.T).UTC().Format("2006-01-02"), Reason: n.Reason, Severity: string(m.Severity), Title: m.Title, Why: m.Value, ID: n.ID, Incident: n.IncidentID, Signal: n.Incident.Headline().SignalID}
}

// toldKey is what two configurations' notifications are the same by: the incident's id and what was said of it. Another configuration may find the same incident earlier, which is another notification.
func toldKey(x *told) string { return x.Signal + " " + string(x.Reason) + " " + fmt.Sprint(x.T) }

func runBacktest(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "backtest")
	configFile := fs.String("config.file", "", "configuration `file`; default: the defaults")
	against := fs.String("against", "", "a second configuration `file`, to compare with the first; - is the defaults")
	storage := fs.String("storage.path", "", "data `directory`, whose journal is taken in place of recordings")
	lessons := fs.String("lessons", "", "`file` of lessons that hold all the time")
	days := fs.Int("days", 14, "how many of the last days are listed; 0 = all")
	asJSON := fs.Bool("json", false, "a line of JSON for each notification")
	worker := fs.Bool("worker", false, "with --storage.path: progress and result as lines of JSON, at a low priority, until standard input ends; what a running Wrackline calls")
	memory := fs.Int64("memory", 0, "with --worker: `bytes` of memory that it may take; 0 = any")
	t := addTeller(fs)
	if err := parse(e, fs, args); err != nil {
		return err
	}
	running := false
	fs.Visit(func(f *flag.Flag) { running = running || f.Name == "server" })
	switch {
	case running && (fs.NArg() > 0 || *storage != "" || *configFile != "" || *lessons != ""):
		return usagef("--server takes --days and --against alone: the running Wrackline has its requests, its configuration and its lessons")
	case running:
		return askBacktest(ctx, e, t, *days, *against, *asJSON)
	case fs.NArg() == 0 && *storage == "":
		return usagef("name a recording, a data directory with --storage.path, or a running Wrackline with --server")
	case fs.NArg() > 0 && *storage != "":
		return usagef("a recording and --storage.path in one call")
	case *days < 0:
		return usagef("days %d: want 0 or more", *days)
	}
	names := []string{*configFile}
	if *against != "" {
		names = append(names, *against)
	}
	var cfgs []config
	for _, name := range names {
		cfg, err := loadConfig(map[bool]string{true: "", false: name}[name == "-"])
		if err != nil {
			return err
		}
		cfgs = append(cfgs, cfg)
	}
	shown := [2]string{cmp.Or(*configFile, "defaults"), map[bool]string{true: "defaults", false: *against}[*against == "-"]}
	if *storage != "" {
		task := benchTask{days: *days, lessons: *lessons, oldest: len(cfgs) > 1, memory: *memory}
		if *worker {
			return workBacktest(ctx, e, os.Stdin, *storage, cfgs, task)
		}
		task.tell = everySecond(func(p benchProgress) {
			fmt.Fprintf(e.stderr, "replaying: %s, %d samples\n", progressDate(p.AtMs), p.Samples)
		})
		res, err := foldPast(ctx, *storage, cfgs, task)
		if err != nil {
			return err
		}
		return res.write(e, shown, *asJSON)
	}
	var runs [][]told
	for i := range cfgs {
		list, err := backtest(ctx, e, cfgs[i], *lessons, fs.Args(), *days)
		if err != nil {
			return err
		}
		runs = append(runs, list)
	}
	if len(runs) == 1 {
		return writeBacktest(e.stdout, runs[0], *asJSON)
	}
	all, differ := compareTold(runs[0], runs[1])
	return writeDifference(e.stdout, all, differ, shown, *asJSON)
}

// everySecond calls tell with the newest of what it is given, at most once a second.
func everySecond(tell func(benchProgress)) func(benchProgress) {
	last := time.Now()
	return func(p benchProgress) {
		if time.Since(last) >= time.Second {
			last = time.Now()
			tell(p)
		}
	}
}

// write writes a result as the command does.
func (res *benchResult) write(e env, names [2]string, asJSON bool) error {
	fmt.Fprintln(e.stderr, res.summary())
	for _, n := range res.Notes {
		fmt.Fprintf(e.stderr, "%s: %s; before that serve told by what was in force then\n", alerting.Clock(n.T), plain(n.Text))
	}
	if len(res.Told) == 0 || res.Told[0].In == "" {
		return writeBacktest(e.stdout, res.Told, asJSON)
	}
	return writeDifference(e.stdout, res.Told, res.Differ, names, asJSON)
}

// backtest folds recordings with a configuration and returns what would have been told in the last days of them.
func backtest(ctx context.Context, e env, cfg config, lessons string, files []string, days int) ([]told, error) {
	o, err := newOffline(cfg, nil)
	if err != nil {
		return nil, err
	}
	if lessons != "" {
		if err := o.teach(lessons); err != nil {
			return nil, fmt.Errorf("%s: %w", lessons, err)
		}
	}
	for _, name := range files {
		if _, err := replayRecording(ctx, e, o, cfg, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	from := int64(0)
	if days > 0 {
		from = o.engine.AtMs() - int64(days)*86_400_000
	}
	list := []told{}
	for _, n := range o.told {
		if n.T >= from {
			list = append(list, toldOf(n))
		}
	}
	return list, nil
}

// writeBacktest lists notifications a day: a line that counts, then each.
func writeBacktest(w io.Writer, list []told, asJSON bool) error {
	if asJSON {
		return writeTold(w, list)
	}
	for i, x := range list {
		if i == 0 || list[i-1].Day != x.Day {
			fmt.Fprintf(w, "%s  %s\n", x.Day, countTold(slices.DeleteFunc(slices.Clone(list), func(y told) bool { return y.Day != x.Day })))
		}
		fmt.Fprintf(w, "  %s  %-8s  %-4s  %s\n                         %s\n", time.UnixMilli(x.T).UTC().Format("15:04"), x.Reason, x.Severity, plain(x.Title), plain(x.Why))
	}
	_, err := fmt.Fprintf(w, "in all: %s\n", countTold(list))
	return err
}

// countTold says how many notifications there are, closing words apart.
func countTold(list []told) string {
	pages, warns, closing := 0, 0, 0
	for _, x := range list {
		switch {
		case x.Reason == alerting.Resolved:
			closing++
		case x.Severity == "page":
			pages++
		default:
			warns++
		}
	}
	return fmt.Sprintf("%s (%d of severity page) and %s", alerting.Count(pages+warns, "notification"), pages, alerting.Count(closing, "closing word"))
}

func writeTold(w io.Writer, list []told) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

// compareTold says of each notification in which of two lists it is, by time.
func compareTold(a, b []told) (all []told, differ int) {
	in := map[string]int{}
	for _, x := range a {
		in[toldKey(&x)] |= 1
	}
	for _, x := range b {
		in[toldKey(&x)] |= 2
	}
	for i, x := range slices.Concat(a, b) {
		which := in[toldKey(&x)]
		if i >= len(a) && which == 3 {
			continue
		}
		x.In = []string{"", "first", "second", "both"}[which]
		if which != 3 {
			differ++
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(x, y told) int { return cmp.Compare(x.T, y.T) })
	return all, differ
}

// writeDifference writes how two configurations differ: a table of days, and each notification that only one of them gives.
func writeDifference(w io.Writer, all []told, differ int, names [2]string, asJSON bool) error {
	if asJSON {
		if err := writeTold(w, all); err != nil {
			return err
		}
	} else {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(tw, "DAY\t- %s\t+ %s\tIN BOTH\tONLY -\tONLY +\n", plain(names[0]), plain(names[1]))
		row := func(name string, of func(x *told) bool) {
			n := map[string]int{}
			for i := range all {
				if x := &all[i]; of(x) && x.Reason != alerting.Resolved {
					n[x.In]++
				}
			}
			fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\n", name, n["both"]+n["first"], n["both"]+n["second"], n["both"], n["first"], n["second"])
		}
		for i := range all {
			if i == 0 || all[i-1].Day != all[i].Day {
				row(all[i].Day, func(x *told) bool { return x.Day == all[i].Day })
			}
		}
		row("in all", func(*told) bool { return true })
		if err := tw.Flush(); err != nil {
			return err
		}
		for _, x := range all {
			if x.In != "both" {
				fmt.Fprintf(w, "%s %s %s  %-8s  %-4s  %s: %s\n", map[string]string{"first": "-", "second": "+"}[x.In], x.Day, time.UnixMilli(x.T).UTC().Format("15:04"), x.Reason, x.Severity, plain(x.Title), plain(x.Why))
			}
		}
	}
	if differ > 0 {
		return errFindings
	}
	return nil
}

var errNoLessons = errors.New("there are no lessons in it")
