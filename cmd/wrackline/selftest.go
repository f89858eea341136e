package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

const selftestHelp = `Asks a running Wrackline what it would notice: faults are injected into copies of its live models, and what they make of them is
counted. Nothing live is touched, nobody is told.

  wrackline selftest                                        of the one at http://localhost:9099, 500 signals spread over all
  wrackline selftest --server https://wrackline.example --signals 5000
  wrackline selftest --json                                 the report as the API gives it

The faults: doubled (an hour at twice what is expected, half where less is bad), gone (half an hour of zero), shifted (four hours at three half-widths of the
band away), creeping (to twice, or half, within a day), stuck (the same value for four hours), and a quiet day, in which every alarm is false.
Copies are fed what the model expects, with its own scatter: a fault of another shape than these, or a signal that behaves as it never did, is
not tried. Signals that have learned for less than a day are left out. At the end stand the signals that would miss most.
`

func runSelftest(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "selftest")
	t := addTellerAt(fs, defaultServer, "`URL` of a running Wrackline")
	signals := fs.Int("signals", 500, "how many signals to try, at most 5000; about two milliseconds of its CPU each")
	asJSON := fs.Bool("json", false, "the report as JSON")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	if *signals < 1 || *signals > 5000 {
		return usagef("signals %d: want 1 to 5000", *signals)
	}
	m, err := newMatcher(ctx, e, config{}, "", t)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "trying faults on copies of up to %d signals at %s\n", *signals, m.server)
	var raw json.RawMessage
	if err := m.fetch(ctx, "/api/v1/selftest?signals="+strconv.Itoa(*signals), &raw); err != nil {
		return err
	}
	if *asJSON {
		_, err := fmt.Fprintf(e.stdout, "%s\n", raw)
		return err
	}
	var rep struct {
		Signals, Of, Young int
		TookMs             int64 `json:"took_ms"`
		Results            []struct {
			Pack, Fault  string
			Tried, Found int
			MedianMs     int64 `json:"median_ms"`
		}
		Blind []struct {
			Signal string
			Faults []string
		}
	}
	if err := json.Unmarshal(raw, &rep); err != nil {
		return err
	}
	w := e.stdout
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "pack\tfault\ttried\tfound\tshare\tmedian delay")
	quiet, false_ := 0, 0
	for _, r := range rep.Results {
		if r.Fault == "quiet day" {
			quiet += r.Tried
			false_ += r.Found
			continue
		}
		delay := "-"
		if r.Found > 0 {
			delay = alerting.Span(r.MedianMs)
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%.0f %%\t%s\n", r.Pack, r.Fault, r.Tried, r.Found, 100*float64(r.Found)/float64(max(r.Tried, 1)), delay)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %d signals tried in %s, %d left out that have learned for less than a day; %d false alarms in %d quiet signal-days\n",
		rep.Signals, rep.Of, (time.Duration(rep.TookMs) * time.Millisecond).Round(time.Millisecond), rep.Young, false_, quiet)
	return writeBlind(w, len(rep.Blind), func(i int) (string, []string) { return rep.Blind[i].Signal, rep.Blind[i].Faults })
}

// writeBlind lists the signals that would miss most.
func writeBlind(w io.Writer, n int, at func(i int) (signal string, faults []string)) error {
	if n == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "would miss:"); err != nil {
		return err
	}
	for i := range n {
		id, faults := at(i)
		if _, err := fmt.Fprintf(w, "  %s: %s\n", plain(id), plain(strings.Join(faults, ", "))); err != nil {
			return err
		}
	}
	return nil
}
