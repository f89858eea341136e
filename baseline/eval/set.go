package eval

// A set is a folder of labelled series: its files are read, replayed and scored, alone or together.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/budget"
)

// meta is a set's meta.json.
type meta struct {
	Info struct {
		Hold int64 `json:"hold"` // seconds; 0 = the usual
	} `json:"info"`
	Series map[string]struct {
		EvalStart int64  `json:"eval_start"`
		Step      int64  `json:"step"`
		Entity    string `json:"entity"`
	} `json:"series"`
}

type incident struct {
	ID     string   `json:"id"`
	Start  int64    `json:"start"`
	End    int64    `json:"end"`
	Series []string `json:"series"`
}

// fileMax bounds what is read of meta.json and incidents.json.
const fileMax = 64 << 20

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, fileMax)).Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ScoreDir replays and scores every *.csv and *.csv.gz of dir, a set laid out as: meta.json (optional; history and hold),
// incidents.json (optional), one file for each series with a label column.
func ScoreDir(dir string, o Options) (SetReport, error) {
	rep := SetReport{Name: filepath.Base(filepath.Clean(dir))}
	var mt meta
	if err := readJSON(filepath.Join(dir, "meta.json"), &mt); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rep, err
	}
	var incidents []incident
	if err := readJSON(filepath.Join(dir, "incidents.json"), &incidents); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rep, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return rep, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && (strings.HasSuffix(e.Name(), ".csv") || strings.HasSuffix(e.Name(), ".csv.gz")) {
			files = append(files, e.Name())
		}
	}
	if len(files) == 0 {
		return rep, fmt.Errorf("%s: no .csv or .csv.gz files", dir)
	}
	rep.Series = make([]SeriesReport, len(files))
	score := rep.scoreAlone
	if o.Budget > 0 {
		score = rep.scoreTogether
	}
	if err := score(dir, files, mt, o); err != nil {
		return rep, err
	}
	rep.scoreIncidents(incidents)
	rep.scoreEntities(incidents, mt)
	return rep, nil
}

// scoreAlone scores each file by itself, several at a time.
func (s *SetReport) scoreAlone(dir string, files []string, mt meta, o Options) error {
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done and serialises Progress
	done := 0
	next := make(chan int)
	for range max(1, o.Parallel) {
		wg.Go(func() {
			for i := range next {
				rows, err := readFile(dir, files[i], o)
				if err == nil {
					s.Series[i] = scoreFile(files[i], rows, mt, o)
				}
				errs[i] = err
				mu.Lock()
				done++
				if o.Progress != nil {
					o.Progress(done, len(files))
				}
				mu.Unlock()
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
	}
	return nil
}

// scoreTogether plays all files side by side, in order of time, as the signals of one installation with a budget.
func (s *SetReport) scoreTogether(dir string, files []string, mt meta, o Options) error {
	b := budget.Budget{Asked: o.Budget}
	scorers := make([]*scorer, len(files))
	near := make([]budget.Stretch, len(files))
	var times []int64
	for i, file := range files {
		rows, err := readFile(dir, file, o)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := seriesName(file)
		scorers[i] = newScorer(name, rows, mt.Series[name].EvalStart, mt.Info.Hold, o)
		for _, r := range rows {
			times = append(times, r.T)
		}
		if o.Progress != nil {
			o.Progress(i, len(files))
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	strict, hours := 0., 0.
	from := int64(math.MaxInt64)
	for _, t := range times {
		live := false
		for i, x := range scorers {
			for len(x.replay.rows) > 0 && x.replay.rows[0].T <= t {
				x.replay.params.Strict = b.Strict()
				x.row()
				j := &x.replay.result.Judgement
				b.See(&near[i], j.Score, j.State.Alarm(), j.Transition == model.Opened)
				live = live || t >= x.rep.from
			}
		}
		before := b.Hours
		b.Pass(t * 1000)
		if live {
			from = min(from, t)
			if h := b.Hours - before; h > 0 {
				strict += h * b.Strict()
				hours += h
			}
		}
	}
	falses := 0
	for i, x := range scorers {
		s.Series[i] = x.report()
		falses += s.Series[i].False
	}
	s.Budget = BudgetReport{Asked: o.Budget, Strict: b.Strict(), MeanStrict: strict / hours, Weeks: float64(times[len(times)-1]-from) / (7 * 86400)}
	s.Budget.Realised = float64(falses) / s.Budget.Weeks
	s.Budget.Expected, _ = b.Expected()
	return nil
}

func seriesName(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".csv")
}

func readFile(dir, file string, o Options) ([]Row, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadCSV(f, o.RowsMax)
}

func scoreFile(file string, rows []Row, mt meta, o Options) SeriesReport {
	name := seriesName(file)
	return Score(name, rows, mt.Series[name].EvalStart, mt.Info.Hold, o)
}
