package baseline_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// heavy reads the labels of twelve gauges.
type heavy struct{}

func (heavy) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, series.Label{Name: "__name__", Value: "queue_seconds"}, series.Label{Name: "queue", Value: strconv.Itoa(i)}), nil
}

// A budget makes tracked metrics that err often ask for more evidence, leaves the rules of packs alone, is shown, and survives a restart.
func TestBudgetOfAnEngine(t *testing.T) {
	rules, err := pack.Track([]pack.TrackRule{{Name: "queue.wait", Match: `queue_seconds`, By: []string{"queue"}, Func: "value", Agg: "max"}})
	if err != nil {
		t.Fatal(err)
	}
	opts := baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{rules}}, FalseAlarmsPerWeek: .2}
	e, err := baseline.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	pcg := rand.NewPCG(3, 3)
	src := rand.New(pcg)
	at := scenario.Epoch + 30_000
	minute := func(e *baseline.Engine) {
		b := series.Batch{ReceivedMs: at, Labels: heavy{}}
		for i := range uint32(12) {
			b.Entries = append(b.Entries, series.Entry{Key: uint64(i) + 1, SampleLo: i, SampleHi: i + 1})
			b.Samples = append(b.Samples, series.Sample{T: at, V: 1 + src.ExpFloat64()*src.ExpFloat64()})
		}
		e.Apply(&b, 0)
		at += 60_000
	}
	for range 3 * 7 * 1440 {
		minute(e)
	}
	e.Publish()
	got := e.View().Budget
	if len(got) != 1 || got[0].Kind != "tracked" || got[0].Signals != 12 || got[0].Asked != .2 || !got[0].Known || got[0].Strict <= 1.05 {
		t.Fatalf("budget %+v: of twelve heavy-tailed metrics more is told than one in five weeks, so each should ask for more", got)
	}
	again, err := baseline.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(0, baseline.State(e), baseline.Kept(e.Models)); err != nil {
		t.Fatal(err)
	}
	if err := again.RestoreView(e.AppendView(nil)); err != nil {
		t.Fatal(err)
	}
	if b := again.View().Budget; !reflect.DeepEqual(b, got) {
		t.Errorf("restored %+v, was %+v", b, got)
	}
	pcg.Seed(4, 4)
	for range 3000 {
		minute(e)
	}
	at -= 3000 * 60_000
	pcg.Seed(4, 4)
	for range 3000 {
		minute(again)
	}
	e.Publish()
	again.Publish()
	if a, b := e.View().Budget, again.View().Budget; !reflect.DeepEqual(a, b) {
		t.Errorf("two days later %+v, without a restart %+v", b, a)
	}
	// What would be noticed is judged as strictly as what is, and the view says how strictly.
	now := e.View().Budget[0].Strict
	for _, v := range e.View().Signals {
		if shadow, ok := e.Shadow(v.Signal.ID); !ok || shadow.Strict() != now || math.Abs(float64(v.Why.Strict)-now) > .01 {
			t.Errorf("%s: strictness %v in a shadow, %v shown, %v asked", v.Signal.ID, shadow.Strict(), v.Why.Strict, now)
		}
		if err := e.Accept(strings.ToUpper(v.Signal.ID)); err != baseline.ErrNoSignal {
			t.Errorf("an id in other letters: %v", err)
		}
	}
	// A reload of rules and of the budget at once: the new budget holds, whichever comes first.
	commit, err := e.Reload(opts.Stream, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.SetBudget(3)
	commit()
	if b := e.View().Budget; len(b) != 1 || b[0].Asked != 3 || b[0].Signals != 12 || b[0].Strict != now {
		t.Errorf("after a reload with a budget of 3: %+v, strictness before %v", b, now)
	}
	e.SetBudget(0)
	for range 15 * 1440 {
		minute(e)
	}
	e.Publish()
	if b := e.View().Budget[0]; b.Strict != 1 || b.Asked != 0 {
		t.Errorf("without a budget, two weeks later: %+v", b)
	}
}
