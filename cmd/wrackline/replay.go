package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/eval"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ui"
)

const replayHelp = `Puts recordings or CSV files through the engine, in event time, and writes its verdicts.

  wrackline replay cluster.rec                     incidents as JSON lines on standard output
  wrackline replay --verdicts alarms cluster.rec   every window of every signal that is in alarm; "all" = every window
  wrackline replay --messages cluster.rec          what receivers would have been sent, in order, with times
  wrackline replay --out verdicts/ cpu.csv mem.csv.gz
                                                   one CSV per series in, one of the same name out
  wrackline replay --svg pictures/ --last 72h cpu.csv
                                                   a picture of each series

A CSV file has the header timestamp,value[,label], Unix seconds, plain or gzip. What is written has the columns
timestamp,value,expected,lower,upper,score,alert,state,news; score is the largest of the last quarter of an hour, 1 and more where there was an alert;
alert is 1 while one lasts, and news is above 0 in its first row only.
A recording comes from wrackline simulate --out or, of what a receiver got, from wrackline inspect recording. Several recordings are read one after the other, as one stream.
`

func runReplay(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "replay")
	configFile := fs.String("config.file", "", "configuration `file`: packs, track rules, limits")
	out := fs.String("out", "", "`directory` for CSV results; without it a single CSV goes to standard output")
	verdicts := fs.String("verdicts", "incidents", "what is written of a recording, as JSON lines: incidents, messages, alarms or all")
	messages := fs.Bool("messages", false, "write the messages that receivers would have been sent, as text, instead of incidents")
	svg := fs.String("svg", "", "`directory` for a picture of each CSV file: value, band, alarms, score")
	last := fs.Duration("last", 0, "pictures: only the last so long, as 72h; 0 = all")
	timezone := fs.String("timezone", "", "civil time of CSV series, as Europe/Berlin; default the configuration's, UTC")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return usagef("name at least one recording or CSV file")
	}
	switch *verdicts {
	case "incidents", "messages", "alarms", "all":
	default:
		return usagef("verdicts %q: want incidents, messages, alarms or all", *verdicts)
	}
	if *messages && *verdicts != "incidents" && *verdicts != "messages" {
		return usagef("--messages and --verdicts %s in one call: standard output takes one of them", *verdicts)
	}
	cfg, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if *timezone != "" {
		cfg.Signals.Timezone = *timezone
	}
	loc, err := time.LoadLocation(cfg.Signals.Timezone)
	if err != nil {
		return usagef("timezone: %v", err)
	}
	csv := isCSV(fs.Arg(0))
	if csv && (*messages || *verdicts == "messages") {
		return usagef("messages want recordings: of a CSV series nobody is told")
	}
	for _, name := range fs.Args() {
		if isCSV(name) != csv {
			return usagef("recordings and CSV files in one call")
		}
	}
	if csv {
		opts := eval.Options{Location: loc, Direction: pack.DirectionOf}
		if *svg != "" {
			if err := drawCSVs(ctx, fs.Args(), *svg, *last, opts); err != nil || *out == "" {
				return err
			}
		}
		return replayCSV(ctx, e, fs.Args(), *out, opts)
	}
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	var writeErr error
	var watch func(baseline.Batch)
	if *verdicts == "alarms" || *verdicts == "all" {
		watch = func(b baseline.Batch) {
			for i := range b.Verdicts {
				if v := &b.Verdicts[i]; *verdicts == "all" || v.State.Alarm() || v.Transition != 0 {
					writeErr = errors.Join(writeErr, enc.Encode(lineOf(v)))
				}
			}
		}
	}
	o, err := newOffline(cfg, watch)
	if err != nil {
		return err
	}
	samples := 0
	for _, name := range fs.Args() {
		n, err := replayRecording(ctx, e, o, cfg, name)
		samples += n
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if writeErr != nil {
			return writeErr
		}
	}
	if *messages || *verdicts == "messages" {
		if err := writeMessages(e.stdout, o.told, *messages, cfg.Alerting.ExternalURL); err != nil {
			return err
		}
	} else if *verdicts == "incidents" {
		if err := writeIncidents(e.stdout, o.manager); err != nil {
			return err
		}
	}
	st := o.engine.Stats()
	fmt.Fprintf(e.stderr, "%d samples, %d series tracked, %d signals, %d incidents, %d messages\n", samples, st.Tracked, st.Signals, len(o.manager.Incidents()), len(o.told))
	return nil
}

// isCSV goes by the name: a recording never ends in .csv.
func isCSV(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(name), ".gz"), ".csv")
}

// verdictLine is one judged window as JSON. Times are Unix milliseconds; the value is in the signal's unit.
type verdictLine struct {
	T          int64    `json:"t"`
	Signal     string   `json:"signal"`
	Unit       string   `json:"unit"`
	Value      jsonable `json:"value"`
	Lower      jsonable `json:"lower"`
	Expected   jsonable `json:"expected"`
	Upper      jsonable `json:"upper"`
	State      string   `json:"state"`
	Transition string   `json:"transition,omitempty"`
	Test       string   `json:"test,omitempty"`
	Score      float64  `json:"score"`
	News       float64  `json:"news,omitempty"` // the score in an alarm's first window
	Onset      int64    `json:"onset,omitempty"`
}

// jsonable writes NaN and infinities as null.
type jsonable float64

// MarshalJSON implements json.Marshaler.
func (f jsonable) MarshalJSON() ([]byte, error) {
	if v := float64(f); v-v != 0 {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

func lineOf(v *baseline.Verdict) verdictLine {
	l := verdictLine{T: v.T, Signal: v.Signal.ID, Unit: v.Signal.Rule.Unit, Value: jsonable(v.Value), Lower: jsonable(v.Band.Lower),
		Expected: jsonable(v.Band.Expected), Upper: jsonable(v.Band.Upper), State: v.State.String(), Transition: v.Transition.String(), Score: v.Score, Onset: v.Onset}
	if v.Transition == model.Opened {
		l.News = v.Score
	}
	if v.Test != 0 {
		l.Test = v.Test.String()
	}
	return l
}

// replayRecording folds one recording and returns how many samples it held.
func replayRecording(ctx context.Context, e env, o *offline, cfg config, name string) (samples int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	d := ingest.NewDecoder(ingest.Limits{BodyMax: int64(cfg.Ingest.BodyMax), DecodedMax: int64(cfg.Ingest.DecodedMax)})
	var b series.Batch
	told := time.Now()
	n := 0
	err = scenario.ReadRecording(f, func(r scenario.Record) error {
		n++
		if r.Proto == protoSaid {
			e, err := act.Decode(r.Body)
			if err != nil {
				return fmt.Errorf("request %d: %w", n, err)
			}
			applyAct(o.acts, o.engine, e) // what was refused then is refused now
			return nil
		}
		b = series.Batch{}
		proto, encoding := ingest.V1, ingest.Snappy
		if r.Proto != 0 {
			proto, encoding = ingest.Proto(r.Proto), ingest.Encoding(r.Encoding)
		}
		if _, err := d.Decode(proto, encoding, r.Body, &b); err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
		b.Sender, b.Cluster, b.ReceivedMs = r.Sender, r.Cluster, r.ReceivedMs
		o.engine.Apply(&b, 0)
		samples += len(b.Samples) + len(b.Histograms)
		if time.Since(told) > time.Second {
			told = time.Now()
			fmt.Fprintf(e.stderr, "replaying: %s, %d samples\n", progressDate(r.ReceivedMs), samples)
			return ctx.Err()
		}
		return nil
	})
	if errors.Is(err, scenario.ErrNotRecording) {
		err = errors.New("neither a recording of wrackline simulate or inspect nor a file named .csv or .csv.gz")
	}
	return samples, err
}

func replayCSV(ctx context.Context, e env, files []string, out string, opts eval.Options) error {
	if out == "" {
		if len(files) > 1 {
			return usagef("several CSV files need --out DIR")
		}
		return replayOneCSV(files[0], e.stdout, opts)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	seen := map[string]string{}
	for _, f := range files {
		name := resultName(f)
		if other, ok := seen[name]; ok {
			return usagef("%s and %s would both be written to %s", other, f, name)
		}
		seen[name] = f
	}
	work := make(chan string)
	errs := make(chan error, len(files))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done and the progress line
	done, told := 0, time.Now()
	for range parallelism() {
		wg.Go(func() {
			for f := range work {
				err := writeFile(filepath.Join(out, resultName(f)), func(w io.Writer) error { return replayOneCSV(f, w, opts) })
				if err != nil {
					errs <- fmt.Errorf("%s: %w", f, err)
				}
				mu.Lock()
				done++
				if time.Since(told) > time.Second {
					told = time.Now()
					fmt.Fprintf(e.stderr, "replaying: %d of %d files\n", done, len(files))
				}
				mu.Unlock()
			}
		})
	}
	for _, f := range files {
		if ctx.Err() != nil {
			break
		}
		work <- f
	}
	close(work)
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(append(all, ctx.Err())...)
}

// resultName is the name of a CSV's result: the same, without .gz, since results are written plain.
func resultName(file string) string {
	base := filepath.Base(file)
	if strings.HasSuffix(strings.ToLower(base), ".gz") {
		base = base[:len(base)-3]
	}
	return base
}

// seriesName is the name of the series in a CSV file.
func seriesName(file string) string {
	return strings.TrimSuffix(resultName(file), filepath.Ext(resultName(file)))
}

// drawCSVs replays CSV files and draws each.
func drawCSVs(ctx context.Context, files []string, dir string, last time.Duration, opts eval.Options) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		rows, err := eval.ReadCSV(f, opts.RowsMax)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		var points []ui.Point
		if err := eval.Replay(seriesName(file), rows, opts, func(r *eval.Result) error {
			state := r.State
			if r.Told {
				state = model.Normal // told before; what is drawn as an alarm is what is news
			}
			points = append(points, ui.Point{T: r.T * 1000, Min: r.V, Max: r.V, Value: r.V, Lower: r.Band.Lower, Expected: r.Band.Expected, Upper: r.Band.Upper, State: state, Score: r.Score})
			return nil
		}); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if n := len(points); n > 0 && last > 0 {
			from := points[n-1].T - last.Milliseconds()
			points = slices.DeleteFunc(points, func(p ui.Point) bool { return p.T <= from })
		}
		if err := writeFile(filepath.Join(dir, seriesName(file)+".svg"), func(w io.Writer) error {
			_, err := w.Write(ui.Picture(seriesName(file), "", nil, points, eval.Step(rows)*1000))
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func replayOneCSV(file string, w io.Writer, opts eval.Options) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return eval.ReplayCSV(seriesName(file), f, w, opts)
}
