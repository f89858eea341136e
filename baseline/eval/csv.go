// Package eval judges the engine on recorded series: it replays CSV files through the model exactly as the engine would, window by window, and scores the
// alarms against labels. It reads only; nothing here runs in production.
package eval

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
)

// Options says how to replay and to score. The zero value is the stock setting.
type Options struct {
	// Params are the model's parameters. Zero: StockParams of the series' own step. A StepMs of 0 is taken from the data.
	Params *model.Params
	// Direction says which way of moving is bad for a series of a name; nil = both ways.
	Direction func(name string) model.Direction
	// Location is the civil time of the series; nil = UTC.
	Location *time.Location
	// RowsMax bounds how many rows of a series are read; 0 = 5,000,000.
	RowsMax int
	// Budget is how many false alarms a week the series of a set may raise together, as the signals of one installation: they are then replayed side by
	// side in order of time, one set on one core. 0 = any number, the stock judgement.
	Budget float64
	// Parallel is how many series are replayed at once; 0 = 1.
	Parallel int
	// Progress, when set, is called after each series with how many are done. Calls do not overlap.
	Progress func(done, total int)
}

// Row is one sample of a recording.
type Row struct {
	T     int64   // Unix seconds
	V     float64 // NaN when the cell was empty
	Label int8    // 1 anomaly, 0 normal, -1 neither
}

// ErrTooLong is wrapped when a series has more rows than Options.RowsMax.
var ErrTooLong = errors.New("too many rows")

const lineMax = 4096

// ReadCSV reads timestamp,value[,label] rows, plain or gzip. A header names the columns in any order (timestamp or time,
// value, label); without one the order is as written here. Timestamps are Unix seconds, fractions are cut off; values past
// 1e11 are taken for milliseconds. Rows are sorted by time if they are not. Empty values become NaN. Empty lines, lines that begin
// with # and a byte order mark are skipped; every other line that does not hold a row is an error that names it.
// rowsMax bounds the rows, 0 = 5,000,000; more give ErrTooLong.
func ReadCSV(in io.Reader, rowsMax int) ([]Row, error) {
	if rowsMax <= 0 {
		rowsMax = 5_000_000
	}
	br := bufio.NewReaderSize(in, 1<<16)
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		br = bufio.NewReaderSize(z, 1<<16)
	}
	sc := bufio.NewScanner(br)
	sc.Buffer(make([]byte, lineMax), lineMax)
	var rows []Row
	col := [3]int{0, 1, 2}
	cells := make([][]byte, 0, 16)
	sorted, begun := true, false
	for line := 1; sc.Scan(); line++ {
		b := sc.Bytes()
		if line == 1 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		b = bytes.TrimSpace(b)
		if len(b) == 0 || b[0] == '#' {
			continue
		}
		cells = cells[:0]
		for {
			i := bytes.IndexByte(b, ',')
			if i < 0 {
				cells = append(cells, bytes.Trim(b, ` "`))
				break
			}
			cells = append(cells, bytes.Trim(b[:i], ` "`))
			b = b[i+1:]
		}
		if !begun {
			begun = true
			if named, ok := header(cells); ok {
				col = named
				continue
			}
		}
		if col[0] >= len(cells) || col[1] >= len(cells) {
			return nil, fmt.Errorf("line %d: %d columns are too few", line, len(cells))
		}
		ts, err := strconv.ParseFloat(string(cells[col[0]]), 64)
		if err != nil || math.IsNaN(ts) || math.Abs(ts) > 1e15 {
			return nil, fmt.Errorf("line %d: %q is no Unix time", line, cells[col[0]])
		}
		if math.Abs(ts) > 1e11 {
			ts /= 1000
		}
		r := Row{T: int64(math.Floor(ts)), V: math.NaN()}
		if c := cells[col[1]]; len(c) > 0 {
			if r.V, err = strconv.ParseFloat(string(c), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
				return nil, fmt.Errorf("line %d: %q is no number", line, c)
			}
		}
		if col[2] >= 0 && col[2] < len(cells) && len(cells[col[2]]) > 0 {
			f, err := strconv.ParseFloat(string(cells[col[2]]), 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %q is no label", line, cells[col[2]])
			}
			switch {
			case f > 0:
				r.Label = 1
			case f < 0:
				r.Label = -1
			}
		}
		if len(rows) == rowsMax {
			return nil, fmt.Errorf("%w: more than %d", ErrTooLong, rowsMax)
		}
		if n := len(rows); n > 0 && rows[n-1].T > r.T {
			sorted = false
		}
		rows = append(rows, r)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if !sorted {
		slices.SortStableFunc(rows, func(a, b Row) int { return int(min(max(a.T-b.T, -1), 1)) })
	}
	return rows, nil
}

// header returns the columns' places when cells name them: when the first is no number.
func header(cells [][]byte) (col [3]int, ok bool) {
	if _, err := strconv.ParseFloat(string(cells[0]), 64); err == nil {
		return col, false
	}
	col = [3]int{0, 1, -1}
	for i, c := range cells {
		switch string(bytes.ToLower(c)) {
		case "timestamp", "time", "ts", "unix":
			col[0] = i
		case "value", "v":
			col[1] = i
		case "label", "anomaly", "is_anomaly":
			col[2] = i
		}
	}
	return col, true
}

// Step returns the median distance of successive rows in seconds, at least 1; 60 for fewer than two rows.
func Step(rows []Row) int64 {
	d := make([]int64, 0, len(rows))
	for i := 1; i < len(rows); i++ {
		if x := rows[i].T - rows[i-1].T; x > 0 {
			d = append(d, x)
		}
	}
	if len(d) == 0 {
		return 60
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// StockParams is the one setting for a series of which nothing is known but its step in seconds: model.Defaults with both
// directions, and Persist counted in time: three minutes, at least one window.
func StockParams(step int64) model.Params {
	p := model.Defaults()
	p.StepMs = step * 1000
	p.Extremes = true
	p.Persist = int(max(1, (180+step-1)/step))
	return p
}

// Result is a row as the model judged it. It is borrowed: valid only during the call that hands it over.
type Result struct {
	Row
	model.Judgement
	Lasting float64 // largest score of the last quarter of an hour, at least of three rows: what a ranking is made of, since an event is longer than the row that finds it
	News    float64 // the score in an alarm's first row, else 0: what pages, once
}

// Alert reports whether an alarm stands that is news.
func (r *Result) Alert() bool { return r.State.Alarm() && !r.Told }

// Result.Lasting is of fifteen rows at most, fifteen minutes of them, and three at least.
const lastingRows, lastingMs, lastingLeast = 15, 900_000, 3

// Replay judges the rows of the series of that name in order, each before it is learned, and calls fn for every one. It ends with fn's first error. Rows that
// repeat a time are handed over as skipped.
func Replay(name string, rows []Row, o Options, fn func(*Result) error) error {
	r := newReplayer(name, rows, o)
	for r.next() {
		if err := fn(&r.result); err != nil {
			return err
		}
	}
	return nil
}

// replayer judges a series row by row.
type replayer struct {
	rows   []Row
	params model.Params
	model  model.Model
	clock  clock
	result Result // of the newest row
	recent [lastingRows]float64
	n      int // rows so far
	keep   int // … of which the scores are kept
}

func newReplayer(name string, rows []Row, o Options) *replayer {
	step := Step(rows)
	r := &replayer{rows: rows, params: StockParams(step), clock: clock{loc: o.Location}}
	if o.Direction != nil {
		r.params.Bad = o.Direction(name)
	}
	if o.Params != nil {
		r.params = *o.Params
		if r.params.StepMs <= 0 {
			r.params.StepMs = step * 1000
		}
	}
	r.keep = int(min(max(lastingMs/max(r.params.StepMs, 1), lastingLeast), lastingRows))
	r.model.Init(&r.params)
	return r
}

// next judges the next row; false means that there is none.
func (r *replayer) next() bool {
	if len(r.rows) == 0 {
		return false
	}
	r.result.Row = r.rows[0]
	r.rows = r.rows[1:]
	was := r.result.Alert()
	r.result.Judgement = r.model.Observe(&r.params, r.clock.moment(r.result.T), r.result.V)
	r.result.Lasting, r.result.News = r.result.Score, 0
	if !r.result.Skipped {
		r.recent[r.n%r.keep] = r.result.Score
		r.n++
		r.result.Lasting = slices.Max(r.recent[:r.keep])
	}
	if r.result.Alert() && (!was || r.result.Transition == model.Opened) {
		r.result.News = r.result.Score
	}
	return true
}

// clock turns Unix seconds into moments of civil time.
type clock struct{ loc *time.Location }

func (c clock) moment(t int64) model.Moment {
	offset := 0
	if c.loc != nil && c.loc != time.UTC {
		_, offset = time.Unix(t, 0).In(c.loc).Zone()
	}
	s := t + int64(offset)
	day := floorDiv(s, 86400)
	in := s - day*86400
	return model.Moment{
		T:          t * 1000,
		HourOfWeek: int(((day+3)%7+7)%7)*24 + int(in/3600), // 1970-01-01 was a Thursday
		HourFrac:   float64(in%3600) / 3600,
		Day:        int32(day),
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// Header is the first line that ReplayCSV writes.
const Header = "timestamp,value,expected,lower,upper,score,alert,state,news"

// ReplayCSV reads the recording of the series of that name from in, replays it and writes Header and one line for every row to out, in order of time: Unix seconds,
// the value as it was, what was expected and the band (before the value was learned), the largest score of the last quarter of an hour (1 = stock alert), alert (1 while an
// alarm stands that is news), the model's state in words, and the score once more in an alarm's first row, 0 in all others. Cells of numbers that do not exist are empty: a missing value, and the band before
// the first value.
func ReplayCSV(name string, in io.Reader, out io.Writer, o Options) error {
	rows, err := ReadCSV(in, o.RowsMax)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<16)
	if _, err := w.WriteString(Header + "\n"); err != nil {
		return err
	}
	var b []byte
	number := func(v float64, digits int) {
		b = append(b, ',')
		if !math.IsNaN(v) {
			b = strconv.AppendFloat(b, v, 'g', digits, 64)
		}
	}
	err = Replay(name, rows, o, func(r *Result) error {
		b = strconv.AppendInt(b[:0], r.T, 10)
		number(r.V, -1)
		if r.Skipped && r.Seen == 0 {
			b = append(b, ",,,"...)
		} else {
			number(r.Band.Expected, 8)
			number(r.Band.Lower, 8)
			number(r.Band.Upper, 8)
		}
		b = append(b, ',')
		b = strconv.AppendFloat(b, r.Lasting, 'f', 4, 64)
		alert := ",0,"
		if r.Alert() {
			alert = ",1,"
		}
		b = append(b, alert...)
		b = append(b, r.State.String()...)
		b = append(b, ',')
		b = strconv.AppendFloat(b, r.News, 'f', 4, 64)
		b = append(b, '\n')
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}
