package eval

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
)

func TestReadCSV(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		in   string
		want []Row
	}{
		"with header":         {"timestamp,value,label\n60,1.5,0\n120,2,1\n180,3,-1\n", []Row{{60, 1.5, 0}, {120, 2, 1}, {180, 3, -1}}},
		"without":             {"60,1\n120,2\n", []Row{{60, 1, 0}, {120, 2, 0}}},
		"any order":           {"value,is_anomaly,time\n1,1,60\n", []Row{{60, 1, 1}}},
		"milliseconds":        {"1700000000000,1\n", []Row{{1_700_000_000, 1, 0}}},
		"fractions":           {"60.9,1\n", []Row{{60, 1, 0}}},
		"empty is missing":    {"60,\n120,NaN\n", []Row{{60, nan, 0}, {120, nan, 0}}},
		"out of order":        {"120,2\n60,1\n", []Row{{60, 1, 0}, {120, 2, 0}}},
		"noise between":       {"\ufeff# made by hand\n\n\"timestamp\",\"value\"\n60, 1 \r\n\n# half way\n120,2\n", []Row{{60, 1, 0}, {120, 2, 0}}},
		"more columns":        {"timestamp,value,host\n60,1,a\n", []Row{{60, 1, 0}}},
		"no label on one row": {"60,1,1\n120,2\n", []Row{{60, 1, 1}, {120, 2, 0}}},
		"nothing":             {"", nil},
	} {
		for _, zip := range []bool{false, true} {
			in := []byte(c.in)
			if zip {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				z.Write(in)
				z.Close()
				in = b.Bytes()
			}
			got, err := ReadCSV(bytes.NewReader(in), 0)
			if err != nil || len(got) != len(c.want) {
				t.Errorf("%s (gzip %v): %v, %v; want %v", name, zip, got, err, c.want)
				continue
			}
			for i := range got {
				g, w := got[i], c.want[i]
				if g.T != w.T || g.Label != w.Label || g.V != w.V && !(math.IsNaN(g.V) && math.IsNaN(w.V)) {
					t.Errorf("%s (gzip %v), row %d: %v, want %v", name, zip, i, g, w)
				}
			}
		}
	}
}

func TestReadCSVRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"60,1\nsoon,2\n":        "line 2",
		"60,1\n120,many\n":      "line 2",
		"60,1,maybe\n":          "line 1",
		"timestamp,value\n60\n": "line 2",
		"1e300,1\n":             "line 1",
	} {
		if _, err := ReadCSV(strings.NewReader(in), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that names %s", in, err, want)
		}
	}
	if _, err := ReadCSV(strings.NewReader("60,1\n120,2\n180,3\n"), 2); !errors.Is(err, ErrTooLong) {
		t.Errorf("three rows where two are allowed: %v", err)
	}
	if _, err := ReadCSV(strings.NewReader("60,"+strings.Repeat("1", lineMax)), 0); err == nil {
		t.Error("an endless line: no error")
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("timestamp,value,label\n60,1,0\n"))
	f.Add([]byte("60,\n\n#x\n1e12,-Inf,1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := ReadCSV(bytes.NewReader(data), 1000)
		if err != nil {
			return
		}
		for i := 1; i < len(rows); i++ {
			if rows[i].T < rows[i-1].T {
				t.Fatalf("row %d is older than the one before", i)
			}
		}
		if err := ReplayCSV("x", bytes.NewReader(data), &bytes.Buffer{}, Options{RowsMax: 1000}); err != nil {
			t.Fatalf("read, but not replayed: %v", err)
		}
	})
}

func TestStep(t *testing.T) {
	for _, c := range []struct {
		at   []int64
		want int64
	}{{nil, 60}, {[]int64{5}, 60}, {[]int64{0, 300, 600, 6000, 6300}, 300}, {[]int64{0, 0, 0, 1}, 1}} {
		var rows []Row
		for _, x := range c.at {
			rows = append(rows, Row{T: x})
		}
		if got := Step(rows); got != c.want {
			t.Errorf("step of %v: %d, want %d", c.at, got, c.want)
		}
	}
	for step, persist := range map[int64]int{1: 180, 15: 12, 60: 3, 100: 2, 300: 1, 3600: 1} {
		if p := StockParams(step); p.Persist != persist || p.StepMs != step*1000 {
			t.Errorf("stock parameters of %d s: persist %d, want three minutes, %d windows", step, p.Persist, persist)
		}
	}
}

// recording is n minutes round 100, ten times that from a to b.
func recording(n, a, b int) string {
	r := rand.New(rand.NewPCG(5, 5))
	var s strings.Builder
	s.WriteString("timestamp,value,label\n")
	for i := range n {
		v, label := 100+5*r.NormFloat64(), 0
		if i >= a && i <= b {
			v, label = v*10, 1
		}
		fmt.Fprintf(&s, "%d,%g,%d\n", 1_736_121_600+60*i, v, label)
	}
	return s.String()
}

// What other programs rely on.
func TestReplayCSVContract(t *testing.T) {
	in := recording(3000, 2500, 2599)
	in = strings.Replace(in, "timestamp,value,label\n", "timestamp,value,label\n1736121480,,0\n", 1)
	var out bytes.Buffer
	if err := ReplayCSV("x", strings.NewReader(in), &out, Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if lines[0] != "timestamp,value,expected,lower,upper,score,alert,state,news" {
		t.Fatalf("header %q", lines[0])
	}
	if len(lines) != 3002 {
		t.Fatalf("%d lines for 3001 rows and a header", len(lines))
	}
	if lines[1] != "1736121480,,,,,0.0000,0,learning,0.0000" {
		t.Errorf("a missing value before the first: %q", lines[1])
	}
	inLines := strings.Split(in, "\n")
	alerts, was, since := 0, false, 15
	for i, l := range lines[2:] {
		c := strings.Split(l, ",")
		if len(c) != 9 {
			t.Fatalf("row %d: %d columns: %q", i, len(c), l)
		}
		if want := strings.SplitN(inLines[i+2], ",", 3); c[0] != want[0] || c[1] != want[1] {
			t.Fatalf("row %d: time and value %s,%s, want %s,%s", i, c[0], c[1], want[0], want[1])
		}
		var f [5]float64
		for k := range f {
			var err error
			if f[k], err = strconv.ParseFloat(c[k+1], 64); err != nil {
				t.Fatalf("row %d: %q", i, l)
			}
		}
		if f[2] > f[1] || f[1] > f[3] {
			t.Fatalf("row %d: lower %g, expected %g, upper %g", i, f[2], f[1], f[3])
		}
		on := c[6] == "1"
		if on {
			since = 0
		} else {
			since++
		}
		if (since < 15) != (f[4] >= 1) {
			t.Fatalf("row %d: score %g, %d rows after an alert", i, f[4], since)
		}
		if first := on && !was; first != (c[8] != "0.0000") || first && c[8] < "1" {
			t.Fatalf("row %d: alert %v, before %v, news %s", i, on, was, c[8])
		}
		was = on
		if on != (c[7] == "high" || c[7] == "low" || c[7] == "drifting") {
			t.Fatalf("row %d: alert %s, state %s", i, c[6], c[7])
		}
		if on {
			alerts++
			if i < 2500 || i > 2620 {
				t.Errorf("row %d: alert on nothing: %q", i, l)
			}
		}
	}
	if alerts < 95 {
		t.Errorf("%d rows on alert of a hundred broken ones", alerts)
	}
}

// A missing value in the middle keeps its row, its band and nothing else.
func TestReplayCSVGapRow(t *testing.T) {
	var s strings.Builder
	for i := range 200 {
		fmt.Fprintf(&s, "%d,%d\n", 60*i, 100+i%3)
	}
	s.WriteString("12000,\n12060,101\n12060,5000\n")
	var out bytes.Buffer
	if err := ReplayCSV("x", strings.NewReader(s.String()), &out, Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	c := strings.Split(lines[len(lines)-3], ",")
	if c[1] != "" || c[2] == "" || c[3] == "" || c[4] == "" || c[5] != "0.0000" || c[6] != "0" {
		t.Errorf("a row without value: %q", lines[len(lines)-3])
	}
	if c := strings.Split(lines[len(lines)-1], ","); c[1] != "5000" || c[5] != "0.0000" || c[6] != "0" {
		t.Errorf("a time that repeats is judged: %q", lines[len(lines)-1])
	}
}

// The model sees civil time: the same instant is another hour of the week elsewhere, and a negative time has one too.
func TestClock(t *testing.T) {
	berlin := time.FixedZone("east", 3600)
	for _, c := range []struct {
		t    int64
		loc  *time.Location
		hour int
		frac float64
		day  int32
	}{
		{1_736_121_600, nil, 0, 0, 20094}, // Monday 2025-01-06 00:00 UTC
		{1_736_121_600 - 1, nil, 167, 3599. / 3600, 20093},
		{1_736_121_600 - 1800, berlin, 0, .5, 20094},
		{-1, nil, 2*24 + 23, 3599. / 3600, -1}, // Wednesday 1969-12-31
	} {
		got := clock{loc: c.loc}.moment(c.t)
		want := model.Moment{T: c.t * 1000, HourOfWeek: c.hour, HourFrac: c.frac, Day: c.day}
		if got != want {
			t.Errorf("%d: %+v, want %+v", c.t, got, want)
		}
	}
}

func TestReplayStopsAtAnError(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := Replay("x", []Row{{T: 0}, {T: 60}, {T: 120}}, Options{}, func(*Result) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Errorf("%v after %d rows", err, n)
	}
}
