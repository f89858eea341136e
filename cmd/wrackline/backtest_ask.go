package main

// A backtest of a running Wrackline, asked for from a shell.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wrackline/wrackline/ui"
)

// askBacktest lets a running Wrackline run a backtest, waits for its end and writes it. What judges of the file against is sent, and nothing else of it. Whoever stops waiting cancels it.
func askBacktest(ctx context.Context, e env, t *teller, days int, against string, asJSON bool) error {
	spec := benchSpec{Days: max(1, days)}
	names := [2]string{"in force", against}
	if against != "" {
		file := against
		if file == "-" {
			file, names[1] = "", "defaults"
		}
		cfg, err := loadConfig(file)
		if err != nil {
			return err
		}
		text := cfg.judging().text()
		spec.Against = &text
	}
	body, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if _, err := t.ask(ctx, http.MethodPost, "/api/v1/backtest", "application/json", bytes.NewReader(body)); err != nil {
		return err
	}
	look := time.NewTicker(time.Second / 2)
	defer look.Stop()
	for told := 0; ; {
		select {
		case <-ctx.Done():
			cancel, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			_, err := t.ask(cancel, http.MethodPost, "/api/v1/backtest/cancel", "", nil)
			return errors.Join(ctx.Err(), err)
		case <-look.C:
		}
		text, err := t.ask(ctx, http.MethodGet, "/api/v1/backtest", "", nil)
		if err != nil {
			return err
		}
		var out struct{ Data struct{ Run *ui.BacktestRun } }
		if err := json.Unmarshal(text, &out); err != nil || out.Data.Run == nil {
			return fmt.Errorf("the answer is none of Wrackline's API: %w", err)
		}
		run := out.Data.Run
		switch run.State {
		case "running":
			if run.Percent >= told+10 {
				told = run.Percent
				fmt.Fprintf(e.stderr, "%d %%, folded up to %s\n", run.Percent, progressDate(run.AtMs))
			}
		case "done":
			fmt.Fprintln(e.stderr, plain(run.Summary))
			for _, n := range run.Notes {
				fmt.Fprintln(e.stderr, plain(n))
			}
			if against == "" {
				return writeBacktest(e.stdout, run.Told, asJSON)
			}
			return writeDifference(e.stdout, run.Told, run.Differ, names, asJSON)
		default:
			return fmt.Errorf("the backtest %s: %s", run.State, plain(run.Error))
		}
	}
}
