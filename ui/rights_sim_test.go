package ui

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
)

// TestSimulatedBreaksAreNamed breaks a binding of a simulated cluster and looks at what is said of it, beside a cluster in which the same roles are changed and nobody is refused.
func TestSimulatedBreaksAreNamed(t *testing.T) {
	const breakAt = scenario.Epoch + 5*3_600_000
	for seed := uint64(1); seed <= 3; seed++ {
		for _, broken := range []bool{true, false} {
			c := scenario.Config{Seed: seed, Live: true}
			if broken {
				c.Faults = []scenario.Fault{{Kind: scenario.RBAC403, StartMs: breakAt}}
			}
			r := rightsOf(simulated(t, c, breakAt+12*60_000), &alerting.Snapshot{}, nil, "", "")
			if !broken {
				if len(r.New) != 0 {
					t.Errorf("seed %d, nothing broken: %s", seed, r.New[0].verdict(breakAt))
				}
				continue
			}
			named := false
			for i := range r.New {
				x := &r.New[i]
				text := x.verdict(breakAt)
				named = named || x.Entity.Get("workload") == "ci-deployer" && strings.HasPrefix(text, "After rolebinding ci/ci-deployer changed at ") && strings.HasSuffix(text, "ever before")
				if x.Cause != nil && x.Cause.Object != "rolebinding ci/ci-deployer" {
					t.Errorf("seed %d: the wrong change: %s", seed, text)
				}
			}
			if !named {
				t.Errorf("seed %d: the break is not named among %d refusals", seed, len(r.New))
			}
		}
	}
}

// simulated returns what an engine shows of a simulated cluster.
func simulated(t *testing.T, c scenario.Config, until int64) *baseline.View {
	t.Helper()
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	e, err := baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: packs}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(until)
		if !ok {
			break
		}
		e.Apply(&r.Batch, 0)
	}
	e.Publish()
	return e.View()
}
