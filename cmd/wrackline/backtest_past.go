package main

// A backtest over what a data directory keeps, beside whoever has it open.

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// benchTask is what a backtest is asked.
type benchTask struct {
	days    int // that are listed, the last ones; 0 = all
	lessons string
	oldest  bool  // begin as far back as can be, so that what is new to a configuration has the time to learn
	memory  int64 // bytes that it may take; 0 = any
	tell    func(benchProgress)
}

// benchProgress says how far a backtest has come. Times are Unix ms of the receive clock.
type benchProgress struct {
	BeganMs  int64 `json:"began"`
	AtMs     int64 `json:"at"`
	ToMs     int64 `json:"to"`
	Requests int   `json:"requests"`
	Samples  int64 `json:"samples"`
}

// benchResult is what a backtest found. Times are Unix ms.
type benchResult struct {
	benchProgress
	FromMs      int64      `json:"from"`          // from which on notifications are listed
	First       bool       `json:"first_request"` // it began with the first request of all, else with a state that was kept
	Cold        bool       `json:"cold"`          // it began to learn in the middle of the journal: nothing was kept to begin with
	Undecodable int        `json:"undecodable,omitempty"`
	TookMs      int64      `json:"took_ms"`
	Told        []told     `json:"notifications"` // by time; of two configurations, those of both
	Differ      int        `json:"differ"`        // of two configurations, how many are in one alone
	Notes       []pastNote `json:"notes,omitempty"`
}

var errNothingKept = errors.New("there is nothing in the journal to begin with")

// foldPast folds what a data directory keeps with each of some configurations, at once, and returns what they would have told in the last days.
func foldPast(ctx context.Context, dir string, cfgs []config, task benchTask) (*benchResult, error) {
	began := time.Now()
	if _, err := os.Stat(filepath.Join(dir, "journal")); err != nil {
		return nil, err // it would be an empty one
	}
	quiet := slog.New(slog.DiscardHandler)
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{Beside: true, Logger: quiet})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	p := openPast(dir, quiet)
	begins, notes := p.Begins(j)
	res := &benchResult{}
	if last := j.Stats().LastPos; last > 0 {
		if err := j.Replay(last-1, func(_ uint64, r journal.Record) error { res.ToMs = r.ReceivedMs; return nil }); err != nil {
			return nil, err
		}
	}
	if res.ToMs == 0 {
		return nil, errNothingKept
	}
	if task.days > 0 {
		res.FromMs = res.ToMs - int64(task.days)*86_400_000
	}
	start, ok := anchor{}, len(begins) > 0
	for i, a := range begins {
		if i == 0 || !task.oldest && task.days > 0 && a.AtMs <= res.FromMs {
			start = a
		}
	}
	res.Cold, res.First = !ok, start.nothing
	start.nothing = start.nothing || !ok
	var loaded store.Loaded
	salt := series.NewSalt()
	if !start.nothing {
		if loaded, err = loadState(p.file(start)); err != nil {
			return nil, err
		}
		if salt, err = readSalt(loaded.Sections[sectionSalt]); err != nil {
			return nil, err
		}
	}
	var runs []*offline
	for i := range cfgs {
		o, err := newSalted(cfgs[i], salt, nil)
		if err == nil && !start.nothing {
			err = o.restore(loaded)
		}
		if err == nil && task.lessons != "" {
			err = o.teach(task.lessons)
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, o)
	}
	loaded = store.Loaded{}
	res.BeganMs = start.AtMs
	if err := res.fold(ctx, j, start.Pos, salt, cfgs[0].limits(), runs, task); err != nil {
		return nil, err
	}
	var lists [][]told
	for _, o := range runs {
		list := []told{}
		for _, n := range o.told {
			if n.T >= res.FromMs {
				list = append(list, toldOf(n))
			}
		}
		lists = append(lists, list)
	}
	res.Told = lists[0]
	if len(lists) > 1 {
		res.Told, res.Differ = compareTold(lists[0], lists[1])
	}
	res.FromMs = max(res.FromMs, res.BeganMs)
	for _, n := range notes {
		if n.Text != "" && n.T >= res.FromMs && !n.Break {
			res.Notes = append(res.Notes, n)
		}
	}
	res.TookMs = time.Since(began).Milliseconds()
	return res, nil
}

// fold lets all runs fold the requests behind a position.
func (res *benchResult) fold(ctx context.Context, j *journal.Journal, after uint64, salt series.Salt, limits ingest.Limits, runs []*offline, task benchTask) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	keyer := series.NewKeyer(salt)
	looked := time.Now()
	err := decodeAhead(ctx, j, after, func() *ingest.Decoder { return ingest.NewKeyedDecoder(limits, keyer) }, func(ready []*decoded) {
		for _, x := range ready {
			switch {
			case x.err != nil: // serve skipped it, too
				res.Undecodable++
				continue
			case x.said != nil:
				for _, o := range runs {
					_ = applyAct(o.acts, o.engine, x.said) // what was refused then is refused now
				}
				continue
			}
			for _, o := range runs {
				own := x.batch // each divides it for itself
				o.engine.Apply(&own, x.pos)
			}
			res.Requests++
			res.Samples += int64(len(x.batch.Samples) + len(x.batch.Histograms))
			res.AtMs = x.record.ReceivedMs
			if res.BeganMs == 0 {
				res.BeganMs = x.record.ReceivedMs
			}
		}
		if time.Since(looked) < time.Second/4 {
			return
		}
		looked = time.Now()
		if task.tell != nil {
			task.tell(res.benchProgress)
		}
		if used := memoryUsed(); task.memory > 0 && used > task.memory {
			stop(fmt.Errorf("it would need more memory than there is: %s of %s that it may take; ask for fewer days, or run it on another machine with a copy of the data directory (wrackline backtest --storage.path)",
				alerting.Quantity(float64(used), "B"), alerting.Quantity(float64(task.memory), "B")))
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// memoryUsed returns what the runtime holds of the machine's memory, bytes.
func memoryUsed() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// loadState reads a state that was kept to begin with.
func loadState(file string) (c store.Loaded, err error) {
	s, err := store.Open(file, store.Options{ReadOnly: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return c, err
	}
	c, ok, err := s.Load()
	if err == nil && (!ok || len(c.Holes) > 0) {
		err = fmt.Errorf("%s is damaged", filepath.Base(file))
	}
	return c, errors.Join(err, s.Close())
}

// benchLine is a line of what a worker writes: one of the three.
type benchLine struct {
	Progress *benchProgress `json:"progress,omitempty"`
	Result   *benchResult   `json:"result,omitempty"`
	Error    string         `json:"error,omitempty"`
}

// workBacktest is foldPast for a running Wrackline, which reads lines: on one processor, with the memory that it was given, for as long as standard input lasts.
func workBacktest(ctx context.Context, e env, stdin io.Reader, dir string, cfgs []config, task benchTask) error {
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	beNice()
	if task.memory > 0 {
		debug.SetMemoryLimit(task.memory / 10 * 9)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the process
		io.Copy(io.Discard, bufio.NewReader(stdin))
		stop()
	}()
	enc := json.NewEncoder(e.stdout)
	task.tell = func(p benchProgress) { enc.Encode(benchLine{Progress: &p}) }
	res, err := foldPast(ctx, dir, cfgs, task)
	if err != nil {
		return errors.Join(enc.Encode(benchLine{Error: err.Error()}), err)
	}
	return enc.Encode(benchLine{Result: res})
}

// summary says of what a result is made.
func (res *benchResult) summary() string {
	from := "from a state that was kept at " + alerting.Clock(res.BeganMs)
	switch {
	case res.First:
		from = "from the first request of all, " + alerting.Clock(res.BeganMs)
	case res.Cold:
		from = "from " + alerting.Clock(res.BeganMs) + ", where the journal begins: nothing that was learned before is in it, so the first days are not what serve told"
	}
	text := fmt.Sprintf("%s to %s; folded %s: %s, %.1f million samples in %s.", alerting.Clock(res.FromMs), alerting.Clock(res.ToMs), from, alerting.Count(res.Requests, "request"), float64(res.Samples)/1e6,
		cmp.Or((time.Duration(res.TookMs)*time.Millisecond).Round(time.Second), time.Second))
	if res.Undecodable > 0 {
		text += fmt.Sprintf(" %s could not be decoded.", alerting.Count(res.Undecodable, "request"))
	}
	return text
}
