package pack

// Every expression of every shipped pack against the Prometheus engine.

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	prom "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/promql/oracle"
)

// Every expression of every shipped pack gives what the engine gives, with classic and with native histograms.
func TestPacksEqualPromQL(t *testing.T) {
	seed := oracle.EnvInt(t, "WRACKLINE_SEED", uint64(time.Now().UnixNano()))
	cases := int(oracle.EnvInt(t, "WRACKLINE_CASES", 10_000))
	t.Logf("WRACKLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 11))
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	engine := prom.NewEngine(prom.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, LookbackDelta: promql.Lookback * time.Minute,
		Parser: parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true}),
	})
	plain := Language
	plain.Zeros = false // the law is ours; TestEvalEqualsPromQL has it
	exprs, ran, values, failed := 0, 0, 0, 0
	for _, pack := range packs {
		for _, rl := range pack.Rules {
			for _, src := range rl.Exprs {
				exprs++
				got := 0
				for round := 0; round < max(4, cases/400) || got == 0 && round < 200; round++ {
					p, err := plain.Compile(src)
					if err != nil {
						t.Fatal(err)
					}
					native := map[string]bool{}
					all := oracle.ForPlan(r, p, native)
					e, err := promql.Parser.ParseExpr(src)
					if err != nil {
						t.Fatal(err)
					}
					text := oracle.AsEngine(e, native).String()
					o, table, st := oracle.New(all), promql.NewTable(), p.NewState()
					at := int64(10+r.IntN(100)) * 60_000
					ran++
					in := oracle.Input(p, table, all, at)
					have := map[string]float64{}
					for _, e := range p.Eval(st, in, nil) {
						var b []string
						for _, l := range table.Labels(e.Set) {
							b = append(b, l.Name, l.Value)
						}
						have[labels.FromStrings(b...).String()] = e.V
					}
					in.Finish()
					q, err := engine.NewInstantQuery(context.Background(), o, nil, text, time.UnixMilli(at))
					if err != nil {
						t.Fatalf("seed %d: %s: %v", seed, text, err)
					}
					res := q.Exec(context.Background())
					if res.Err != nil {
						failed++
						continue
					}
					n := 0
					for _, s := range res.Value.(prom.Vector) {
						if math.IsNaN(s.F) || math.IsInf(s.F, 0) {
							continue
						}
						n++
						k := s.Metric.String()
						if h, ok := have[k]; !ok || math.Abs(h-s.F) > 1e-9*max(math.Abs(h), math.Abs(s.F), 1e-4) {
							t.Errorf("seed %d, %s at %d min:\n%s\n%s\n%s: got %v (%v), want %v", seed, rl.Name, at/60_000, src, text, k, h, ok, s.F)
						}
					}
					if n != len(have) {
						t.Errorf("seed %d, %s at %d min:\n%s\n%s\ngot %v, want %v", seed, rl.Name, at/60_000, src, text, have, res.Value)
					}
					q.Close()
					got += n
					if t.Failed() {
						t.FailNow()
					}
				}
				values += got
				if got == 0 {
					t.Errorf("seed %d, %s: no value was compared: %s", seed, rl.Name, src)
				}
			}
		}
	}
	t.Logf("%d expressions, %d evaluations, %d values compared, %d refused by the engine", exprs, ran, values, failed)
}
