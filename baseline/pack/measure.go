package pack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/promql"
)

// Measure is a question whose answers nobody judges: they are handed on as they are, by pod where that is asked, for whoever learns sizes from them.
type Measure struct {
	Name  string // one of Measures
	Expr  string
	Every int // minutes from one answer to the next
	Pack  string
}

// What is measured. The labels of an answer, beside the cluster, stand behind each.
const (
	MeasureCPU       = "cpu"       // namespace, workload, pod, container: cores
	MeasureMemory    = "memory"    // the same: bytes that are not reclaimed without a loss
	MeasureThrottled = "throttled" // the same: share of the scheduler's periods
	MeasureRestarts  = "restarts"  // the same: starts anew in the same pod, of the newest five minutes
	MeasureKills     = "kills"     // namespace, workload, container: of the newest five minutes, for their memory
	MeasureRequests  = "requests"  // namespace, workload, container, resource
	MeasureLimits    = "limits"    // the same
	MeasureScaler    = "scaler"    // namespace, scaletargetref_name: per cent of the CPU request that an autoscaler aims at
	MeasureRange     = "range"     // namespace, resource, constraint: of a container, by a LimitRange
	MeasureQuota     = "quota"     // namespace, resource: what is left of a ResourceQuota
	MeasureNode      = "node"      // resource: what a node has on average
)

// Measures lists what may be measured.
func Measures() []string {
	return []string{MeasureCPU, MeasureMemory, MeasureThrottled, MeasureRestarts, MeasureKills, MeasureRequests, MeasureLimits, MeasureScaler, MeasureRange, MeasureQuota, MeasureNode}
}

// byPod is Language for answers that nobody keeps a baseline of, so that they may be of pods.
var byPod = promql.Dialect{Scope: Language.Scope, Zeros: Language.Zeros, Prefix: Language.Prefix, Made: Language.Made}

// CompileMeasure compiles the expression of a measure.
func CompileMeasure(src string) (*promql.Plan, error) { return byPod.Compile(src) }

// everyMost bounds how seldom a measure may be asked, minutes.
const everyMost = 60

func (l *packLoader) measure(p *Pack, y *packMeasure, at string) (*Measure, error) {
	if !slices.Contains(Measures(), y.Name) {
		return nil, l.errorf(at+".name", "measure %q is not known; there are %s", y.Name, strings.Join(Measures(), ", "))
	}
	if slices.ContainsFunc(p.Measures, func(m *Measure) bool { return m.Name == y.Name }) {
		return nil, l.errorf(at+".name", "measure %q occurs twice", y.Name)
	}
	m := &Measure{Name: y.Name, Expr: y.Expr, Every: 1, Pack: p.Name}
	if y.Every != "" {
		d, err := duration(y.Every)
		if err != nil || d%time.Minute != 0 || d < time.Minute || d > everyMost*time.Minute {
			return nil, l.errorf(at+".every", "every %q: want whole minutes, from 1m to %dm", y.Every, everyMost)
		}
		m.Every = int(d / time.Minute)
	}
	if strings.TrimSpace(y.Expr) == "" {
		return nil, l.errorf(at, "measure %q has no expr", y.Name)
	}
	if _, err := CompileMeasure(y.Expr); err != nil {
		return nil, l.exprError(at+".expr", "measure "+y.Name, err)
	}
	return m, nil
}

// Metrics returns the metric names that the measure needs of senders, sorted.
func (m *Measure) Metrics() []string {
	p, err := CompileMeasure(m.Expr)
	if err != nil {
		return nil // the loader has refused it before
	}
	return metricsOf(nil, p, m.Expr)
}

// String names the measure for messages.
func (m *Measure) String() string { return fmt.Sprintf("measure %s of pack %s", m.Name, m.Pack) }
