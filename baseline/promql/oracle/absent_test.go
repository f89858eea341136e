package oracle

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	prom "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/wrackline/wrackline/baseline/promql"
)

// absent gives a value when and where the engine gives one, with the same labels (and the cluster's besides).
func TestAbsentEqualsPromQL(t *testing.T) {
	seed := EnvInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	engine := prom.NewEngine(prom.EngineOpts{MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: promql.Lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true})})
	gone, there := 0, 0
	for range 400 {
		for _, src := range []string{`absent(g0{job="a"})`, `absent(g0{job="zzz", zone="1"})`, `absent(g0{job=~"a|b"})`, `absent(sum by (job) (g0) > 50)`, `absent(g0 unless on (job) g1)`} {
			p, err := dialect.Compile(src)
			if err != nil {
				t.Fatal(err)
			}
			all := ForPlan(r, p, map[string]bool{})
			table, st := promql.NewTable(), p.NewState()
			at := int64(10+r.IntN(100)) * minuteMs
			in := Input(p, table, all, at)
			got := p.Eval(st, in, nil)
			in.Finish()
			q, err := engine.NewInstantQuery(context.Background(), New(all), nil, src, time.UnixMilli(at))
			if err != nil {
				t.Fatal(err)
			}
			res := q.Exec(context.Background())
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			want := res.Value.(prom.Vector)
			if st.Unknown > 0 {
				continue // a live series without a value is neither there nor gone; PromQL does not know of it
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d: %s at %d: %d elements, the engine has %d", seed, src, at, len(got), len(want))
			}
			if len(got) == 0 {
				there++
				continue
			}
			gone++
			l := table.Labels(got[0].Set)
			b := labels.NewBuilder(want[0].Metric).Set("cluster", l.Get("cluster")).Labels()
			var have []string
			for _, x := range l {
				have = append(have, x.Name, x.Value)
			}
			if got[0].V != 1 || !labels.Equal(b, labels.FromStrings(have...)) {
				t.Fatalf("seed %d: %s: %v = %v, the engine has %v", seed, src, l, got[0].V, want[0].Metric)
			}
		}
	}
	if gone < 100 || there < 100 {
		t.Errorf("%d times gone, %d times there: the test sees one side only", gone, there)
	}
}
