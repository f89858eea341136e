package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest/journal"
)

const receiversHelp = `Receivers are who is told: Slack incoming webhooks and webhooks, in Alertmanager's words (see README, Configuration).

  wrackline receivers list --config.file wrackline.yml
  wrackline receivers test --config.file wrackline.yml [NAME]    send a test message now, to one or to all, and say what came back
`

func runReceivers(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "receivers")
	configFile := fs.String("config.file", "", "configuration `file` with the receivers")
	var verb string
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if verb != "test" && verb != "list" {
		return usagef("want list or test")
	}
	if fs.NArg() > 1 || (verb == "list" && fs.NArg() > 0) {
		return usagef("unexpected argument %q", fs.Arg(fs.NArg()-1))
	}
	cfg, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if len(cfg.Receivers) == 0 {
		return errors.New("no receivers are configured; name the file with --config.file")
	}
	if verb == "list" {
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		for _, r := range cfg.Receivers {
			fmt.Fprintf(w, "%s\t%d slack\t%d webhook\n", r.Name, len(r.Slack), len(r.Webhook))
		}
		return w.Flush()
	}
	got, err := notify.SendTest(ctx, notify.Options{Receivers: cfg.Receivers, ExternalURL: cfg.Alerting.ExternalURL, Guard: cfg.guard(),
		ProxyFromEnvironment: cfg.Alerting.Outlet.ProxyFromEnvironment, UserAgent: "Wrackline/" + buildVersion()}, fs.Arg(0))
	if err != nil {
		return err
	}
	failed := 0
	for _, d := range got {
		if d.Err != nil {
			failed++
			fmt.Fprintf(e.stdout, "%s: %s at %s: failed: %v\n", d.Receiver, d.Kind, d.Host, d.Err)
			continue
		}
		fmt.Fprintf(e.stdout, "%s: %s at %s: arrived\n", d.Receiver, d.Kind, d.Host)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d messages did not arrive", failed, len(got))
	}
	return nil
}

const inspectHelp = `Looks into the store of a stopped Wrackline (a running one holds its lock; see its /status page).

  wrackline inspect stats                    what the store holds: checkpoint, models, history, sizes
  wrackline inspect verify                   read everything and check every checksum
  wrackline inspect backup FILE              a consistent copy
  wrackline inspect compact                  rewrite the store without its free pages, in place; a start does so by itself when
                                             they are more than a third of it and the disk has room for both
  wrackline inspect compact FILE             the same as a copy, which leaves the store as it is
  wrackline inspect recording FILE           the requests in the journal, for wrackline replay and packs explain --recording.
                                             The journal goes back to the checkpoint before the newest: with
                                             storage.checkpoint_interval 1h one to two hours
`

func runInspect(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "inspect")
	dir := fs.String("storage.path", "data", "`directory` of the store")
	var verb string
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	if err := parse(e, fs, args); err != nil {
		return err
	}
	file := filepath.Join(*dir, "wrackline.db")
	switch verb {
	case "stats", "verify":
		if fs.NArg() > 0 {
			return usagef("unexpected argument %q", fs.Arg(0))
		}
	case "backup", "compact", "recording":
		if verb == "compact" && fs.NArg() == 0 {
			break
		}
		if fs.NArg() != 1 {
			return usagef("%s: name the file to write", verb)
		}
		if _, err := os.Stat(fs.Arg(0)); err == nil {
			return fmt.Errorf("%s exists already", fs.Arg(0))
		}
	default:
		return usagef("want stats, verify, backup, compact or recording")
	}
	if verb == "recording" {
		return recordJournal(ctx, e, filepath.Join(*dir, "journal"), fs.Arg(0))
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if verb == "compact" && fs.NArg() == 0 {
		before, after, err := store.CompactInPlace(file, newLog(e.stderr, slog.LevelInfo))
		if err == nil {
			fmt.Fprintf(e.stdout, "%s: %s, was %s\n", file, size(after), size(before))
		}
		return err
	}
	if verb == "compact" {
		return store.Compact(file, fs.Arg(0))
	}
	s, err := store.Open(file, store.Options{ReadOnly: true, Logger: newLog(e.stderr, slog.LevelInfo)})
	if err != nil {
		return err
	}
	defer s.Close() // read only: nothing can be lost
	switch verb {
	case "verify":
		r, err := s.Verify(ctx)
		if err != nil {
			return err
		}
		for _, p := range r.Problems {
			fmt.Fprintf(e.stdout, "%s: %s\n", file, p)
		}
		fmt.Fprintf(e.stdout, "%s: %d pages, %d records, %d models, history of %d signals read in %s\n", file, r.Pages, r.Records, r.Models, r.Signals, r.Took.Round(time.Millisecond))
		if !r.OK() {
			return errFindings
		}
		fmt.Fprintf(e.stdout, "%s: ok\n", file)
		return nil
	case "backup":
		return writeFile(fs.Arg(0), func(w io.Writer) error {
			n, err := s.Backup(w)
			fmt.Fprintf(e.stderr, "%s written\n", size(n))
			return err
		})
	}
	return printStats(e.stdout, s)
}

// printStats says what a store holds.
func printStats(out io.Writer, s *store.Store) error {
	c, ok, err := s.Load()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !ok {
		fmt.Fprintln(w, "checkpoint\tnone yet")
	} else {
		fmt.Fprintf(w, "checkpoint\t%s, journal position %d\n", time.UnixMilli(c.AtMs).UTC().Format(time.RFC3339), c.Pos)
		sum := 0
		for _, name := range slices.Sorted(maps.Keys(c.Sections)) {
			sum += len(c.Sections[name])
			if len(c.Sections) <= 20 { // a set for each cluster would be a book
				fmt.Fprintf(w, "section %s\t%d B\n", name, len(c.Sections[name]))
			}
		}
		fmt.Fprintf(w, "sections\t%d, %d B\n", len(c.Sections), sum)
		n, total := 0, 0
		for _, data := range c.Models {
			n, total = n+1, total+len(data)
		}
		fmt.Fprintf(w, "models\t%d, %d B\n", n, total)
	}
	st := s.Stats()
	fmt.Fprintf(w, "file\t%s, %s of it free, limit %s\n", size(st.FileBytes), size(st.FreeBytes), size(st.MaxBytes))
	fmt.Fprintf(w, "bytes\tsections %d, models %d, history %d\n", st.SectionBytes, st.ModelBytes, st.HistoryBytes)
	if from := cmp.Or(st.HistoryFromMs, st.HistoryFullMs); from > 0 && st.HistoryToMs > 0 {
		fmt.Fprintf(w, "history\t%d signals, %s to %s\n", st.HistorySignals, time.UnixMilli(from).UTC().Format(time.RFC3339), time.UnixMilli(st.HistoryToMs).UTC().Format(time.RFC3339))
	}
	return w.Flush()
}

const checkConfigHelp = `Reads a configuration as serve would, with its packs, token files and receivers, and says what is wrong.
Exit code 0 when it is right, 1 when it is not. It starts nothing and sends nothing.
`

func runCheckConfig(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "check-config")
	configFile := fs.String("config.file", "", "configuration `file`; may also be the argument")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	file := *configFile
	if fs.NArg() == 1 && file == "" {
		file = fs.Arg(0)
	} else if fs.NArg() > 0 {
		return usagef("name one file")
	}
	if file == "" {
		return usagef("name a configuration file")
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return err
	}
	packs, err := cfg.packs()
	if err != nil {
		return err
	}
	n := 0
	for _, p := range packs {
		if err := checkSummaries(p); err != nil {
			return err
		}
		n += len(p.Rules)
	}
	fmt.Fprintf(e.stdout, "%s: ok: %d signals in %d packs, of which %d track rules, %d receivers\n", file, n, len(packs), len(cfg.Track), len(cfg.Receivers))
	return nil
}

// parallelism is how many CPU-bound jobs run at once.
func parallelism() int { return max(1, runtime.GOMAXPROCS(0)) }

// recordJournal writes the requests of a journal to a recording.
func recordJournal(ctx context.Context, e env, dir, out string) error {
	if _, err := os.Stat(dir); err != nil {
		return err // Open would make it
	}
	j, err := journal.Open(dir, journal.Options{Logger: newLog(e.stderr, slog.LevelInfo)})
	if err != nil {
		return err
	}
	defer j.Close()
	n, told := 0, time.Now()
	err = writeFile(out, func(w io.Writer) error {
		r, err := scenario.NewRecorder(w)
		if err != nil {
			return err
		}
		if err := j.Replay(0, func(_ uint64, x journal.Record) error {
			n++
			if time.Since(told) > time.Second {
				told = time.Now()
				fmt.Fprintf(e.stderr, "recording: %d requests, %s\n", n, progressDate(x.ReceivedMs))
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return r.WriteRecord(scenario.Record{ReceivedMs: x.ReceivedMs, Sender: x.Sender, Proto: x.Proto, Encoding: x.Encoding, Body: x.Body})
		}); err != nil {
			return err
		}
		return r.Close()
	})
	if err == nil {
		fmt.Fprintf(e.stdout, "%s: %d requests\n", out, n)
	}
	return err
}
