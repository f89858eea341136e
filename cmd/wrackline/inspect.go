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
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest/journal"
)

const inspectHelp = `Looks into the store of a stopped Wrackline (a running one holds its lock; see its /status page).

  wrackline inspect stats                    what the store holds: checkpoint, models, history, sizes
  wrackline inspect verify                   read both generations of the checkpoint and the journal, check every checksum, and say what is damaged and what a
                                             start would lose. Exit code 3 when something is
  wrackline inspect repair [FILE]            write a clean store of what is good in both generations: to wrackline.db.repaired beside them, or to FILE. What is
                                             there stays as it is. A start does the same by itself; this is for who wants to look first
  wrackline inspect backup FILE              copy the store, with what was learned, charts and messages that wait, to FILE. To go back to it: stop Wrackline, move
                                             the data directory away, and put FILE as wrackline.db into an empty one. What came after it is learned anew
  wrackline inspect compact                  make the store's file smaller: rewrite it in place without the pages that are free. A start does
                                             so by itself when they are more than a third of it and the disk has room for both
  wrackline inspect compact FILE             write the smaller store to FILE, and leave the one that is there as it is
  wrackline inspect recording FILE           the requests in the journal, for wrackline replay and packs explain --recording.
                                             The journal goes back to the checkpoint before the newest: with
                                             storage.checkpoint_interval 1h one to two hours
`

func runInspect(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "inspect")
	dir := fs.String("storage.path", "data", "`directory` of the store")
	verb, err := parseVerb(e, fs, args)
	if err != nil {
		return err
	}
	file := filepath.Join(*dir, "wrackline.db")
	switch verb {
	case "stats", "verify":
		if fs.NArg() > 0 {
			return usagef("unexpected argument %q", fs.Arg(0))
		}
	case "repair":
		if fs.NArg() > 1 {
			return usagef("unexpected argument %q", fs.Arg(1))
		}
		return repairStore(ctx, e, *dir, cmp.Or(fs.Arg(0), file+".repaired"))
	case "backup", "compact", "recording":
		if verb == "compact" && fs.NArg() == 0 {
			break
		}
		if fs.NArg() != 1 {
			return usagef("%s: name the file to write", verb)
		}
		if _, err := os.Stat(fs.Arg(0)); err == nil {
			return fmt.Errorf("%s exists already and is not overwritten: name a file that does not", fs.Arg(0))
		}
	default:
		return usagef("want stats, verify, repair, backup, compact or recording")
	}
	if verb == "recording" {
		return recordJournal(ctx, e, filepath.Join(*dir, "journal"), fs.Arg(0))
	}
	if verb == "verify" {
		return verifyStore(ctx, e, *dir)
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("there is no store here; --storage.path names the data directory: %w", err)
	}
	if verb == "compact" {
		return compactStore(e, file, fs.Arg(0))
	}
	s, err := store.Open(file, store.Options{ReadOnly: true, Logger: newLog(e.stderr, slog.LevelInfo)})
	if err != nil {
		return inUse(err)
	}
	defer s.Close() // read only: nothing can be lost
	if verb == "backup" {
		written := int64(0)
		err := writeFile(fs.Arg(0), func(w io.Writer) (err error) {
			written, err = s.Backup(w)
			return err
		})
		if err == nil {
			fmt.Fprintf(e.stdout, "%s: a copy of %s, %s. It is whole by itself: in an empty data directory, named wrackline.db, a start goes on from it.\n", fs.Arg(0), file, size(written))
		}
		return err
	}
	return printStats(e.stdout, s)
}

// inUse adds the way out to the error of a store that somebody holds.
func inUse(err error) error {
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("%w; stop it first (what a running one holds is on its page /status)", err)
	}
	return err
}

// compactStore makes a store smaller, in place or, when to is given, as a copy.
func compactStore(e env, file, to string) error {
	if to == "" {
		before, after, err := store.CompactInPlace(file, newLog(e.stderr, slog.LevelInfo))
		if err != nil {
			return inUse(err)
		}
		if after >= before {
			fmt.Fprintf(e.stdout, "%s: %s, which is as small as it gets\n", file, size(after))
			return nil
		}
		fmt.Fprintf(e.stdout, "%s: %s now, it was %s\n", file, size(after), size(before))
		return nil
	}
	if err := store.Compact(file, to); err != nil {
		return inUse(err)
	}
	var sizes [2]int64
	for i, name := range []string{to, file} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		sizes[i] = info.Size()
	}
	fmt.Fprintf(e.stdout, "%s: %s, of %s with %s, which is as it was\n", to, size(sizes[0]), file, size(sizes[1]))
	return nil
}

// examined is what was found in a directory.
type examined struct {
	list     []*store.Loaded // of both generations, nil = none
	from     uint64          // where the journal begins, 0 = there is none
	last     uint64          // and where it ends
	findings int
}

// examine reads both generations and the journal of a directory, and says how they are.
func examine(ctx context.Context, out io.Writer, dir string) (x examined, err error) {
	for _, name := range []string{"wrackline.db", store.TwinName} {
		file := filepath.Join(dir, name)
		r, l, err := store.Examine(ctx, file)
		if err != nil {
			return x, err
		}
		x.list = append(x.list, l)
		for _, p := range r.Problems {
			x.findings++
			fmt.Fprintf(out, "%s: %s\n", file, p)
		}
		switch {
		case l == nil:
			fmt.Fprintf(out, "%s: no checkpoint\n", file)
		default:
			n := 0
			for range l.Models {
				n++
			}
			fmt.Fprintf(out, "%s: checkpoint of %s, journal position %d, %d models; %d pages, %d records, history of %d signals read in %s\n", file, time.UnixMilli(l.AtMs).UTC().Format(time.RFC3339), l.Pos, n,
				r.Pages, r.Records, r.Signals, r.Took.Round(time.Millisecond))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "journal")); err != nil {
		return x, nil // a copy of the store alone has none
	}
	checks, err := journal.Verify(filepath.Join(dir, "journal"))
	if err != nil {
		return x, err
	}
	for i, c := range checks {
		if c.Damaged > 0 {
			what := "damaged bytes: requests are missing"
			if i == len(checks)-1 {
				what = "bytes at the end are torn, as a death leaves them, or damaged"
			} else {
				x.findings++
			}
			fmt.Fprintf(out, "%s: %d %s\n", filepath.Join(dir, "journal", c.Name), c.Damaged, what)
		}
		x.last = max(x.last, c.Last)
	}
	if len(checks) > 0 && x.last >= checks[0].First {
		x.from = checks[0].First
		fmt.Fprintf(out, "%s: requests %d to %d\n", filepath.Join(dir, "journal"), x.from, x.last)
	}
	return x, nil
}

// verifyStore says what is damaged, and what a start would lose.
func verifyStore(ctx context.Context, e env, dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	x, err := examine(ctx, e.stdout, dir)
	if err != nil {
		return err
	}
	best := store.Best(x.list, x.from)
	switch {
	case wholeJournal(best, x.from):
		fmt.Fprintf(e.stdout, "a start folds the journal from its beginning, %d requests: nothing that was learned or said is lost, but which clusters people let be forgotten since\n", x.last)
	case best == nil && x.from == 0 && x.findings == 0:
		fmt.Fprintln(e.stdout, "nothing has been learned yet")
	case best == nil:
		fmt.Fprintln(e.stdout, "no checkpoint can be had: put back a backup, or start with --accept-loss to begin anew")
		return errFindings
	case x.from > best.Pos+1:
		fmt.Fprintf(e.stdout, "the best checkpoint is of request %d, and the journal begins at %d: what lies between is lost; a start wants --accept-loss\n", best.Pos, x.from)
		return errFindings
	case len(best.Holes) > 0:
		fmt.Fprintf(e.stdout, "a start goes on from request %d, and has lost:\n", best.Pos)
		for _, h := range best.Holes {
			fmt.Fprintf(e.stdout, "  %s\n", h)
		}
	default:
		fmt.Fprintf(e.stdout, "a start goes on from request %d: nothing that was learned is lost\n", best.Pos)
	}
	if x.findings > 0 {
		return errFindings
	}
	fmt.Fprintln(e.stdout, "ok")
	return nil
}

// repairStore writes a clean store beside the one there is.
func repairStore(ctx context.Context, e env, dir, to string) error {
	x, err := examine(ctx, e.stdout, dir)
	if err != nil {
		return err
	}
	if best := store.Best(x.list, x.from); best == nil && wholeJournal(best, x.from) {
		return fmt.Errorf("nothing to repair: no checkpoint can be read, and a start folds the journal from its beginning, %d requests, which loses nothing that was learned", x.last)
	}
	file := filepath.Join(dir, "wrackline.db")
	kept, best, err := store.Repair(file, to, x.from)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: checkpoint of request %d, %d records of charts, %d of messages\n", to, best.Pos, kept.History, kept.Other)
	for _, h := range best.Holes {
		fmt.Fprintf(e.stdout, "%s: lost: %s\n", to, h)
	}
	fmt.Fprintf(e.stdout, "To use it, move %s and %s away and rename it to %s; keep the journal.\n", file, filepath.Join(dir, store.TwinName), file)
	return nil
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
			return r.WriteRecord(scenario.Record{ReceivedMs: x.ReceivedMs, Sender: x.Sender, Cluster: x.Cluster, Proto: x.Proto, Encoding: x.Encoding, Body: x.Body})
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
