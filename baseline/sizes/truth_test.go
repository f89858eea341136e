package sizes_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// What containers really use, for tests: kinds of life that differ in where their largest value is.
type kind int

const (
	web     kind = iota // follows the day
	weekly              // … and has a peak of half an hour each Monday at 09:10
	startup             // takes most of its memory and CPU while it starts
	jvm                 // a collector runs now and then: saw-teeth
	leak                // holds 1.2 % more every day and is not begun anew for weeks
	bursty              // CPU in short bursts
	scaled              // an autoscaler adds pods with the traffic, so that each goes on as before
	batch               // works a quarter of an hour in each, a little more at night
	sidecar             // little of both
	version             // another version, on the ninth day, uses more or less of everything
	job                 // runs for half an hour a day
	tight               // is killed at its limit in its weekly peak, and what it would have used is not seen
	kinds   = 12
)

func (k kind) String() string {
	return [...]string{"web", "weekly peak", "start-up peak", "saw-teeth", "leak", "bursts", "autoscaled", "batch", "sidecar", "another version", "daily job", "killed at its limit"}[k]
}

const (
	learnDays  = 14
	replayDays = 14
	versionDay = 8
	dayMinutes = 24 * 60
	mib        = 1 << 20
)

// life is one container of a workload with two pods.
type life struct {
	kind       kind
	rng        *rand.Rand
	cpu, mem   float64 // scale
	amplitude  float64
	phase      float64
	weekFactor float64
	startMem   float64
	startCPU   float64
	request    [2]float64 // today: cores, bytes
	limit      [2]float64
	pods       [2]pod
	factor     float64 // of the version
}

type pod struct {
	name  string
	set   uint32
	born  int
	heap  float64
	burst int
	sizeB float64
}

func newLife(seed uint64, i int) *life {
	l := &life{kind: kind(i % kinds), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
	l.cpu = math.Exp(l.rng.NormFloat64()*.9) * .2
	l.mem = math.Exp(l.rng.NormFloat64()*.8) * 300 * mib
	if l.kind == sidecar {
		l.cpu, l.mem = l.cpu*.1, l.mem*.15
	}
	l.amplitude, l.phase = .2+.5*l.rng.Float64(), l.rng.Float64()*.2
	l.weekFactor = 1.5 + 1.5*l.rng.Float64()
	l.startMem, l.startCPU = 1, 1.2
	if l.kind == startup || l.kind == jvm {
		l.startMem, l.startCPU = 1.3+.8*l.rng.Float64(), 3+4*l.rng.Float64()
	}
	// Set once, by guess, too much most of the time.
	over := func(v float64) float64 { return v * math.Exp(.9+.5*l.rng.NormFloat64()) }
	l.request = [2]float64{over(l.cpu * 1.3), over(l.mem * 1.2)}
	l.limit = [2]float64{l.request[0] * 2, l.request[1]}
	l.factor = 1
	if l.kind == version {
		l.factor = []float64{.6, 1.5}[i/kinds%2]
	}
	if l.kind == tight {
		l.limit[1] = l.mem * (1 + (l.weekFactor-1)/4)
		l.request[1] = l.limit[1]
	}
	if i%3 == 0 {
		l.limit[0] = 0
	}
	return l
}

// at returns what a pod uses in a minute, and whether it has only just begun.
func (l *life) at(p *pod, m int) (cores, bytes float64) {
	tod := float64(m%dayMinutes) / dayMinutes
	load := 1 + l.amplitude*math.Sin(2*math.Pi*(tod-.25-l.phase))
	if d := m / dayMinutes % 7; d >= 5 {
		load *= .75
	}
	age := m - p.born
	noise := func(s float64) float64 { return math.Exp(s * l.rng.NormFloat64()) }
	cores = l.cpu * load * noise(.12)
	bytes = l.mem * (.9 + .1*load) * noise(.01)
	switch l.kind {
	case version:
		if m >= versionDay*dayMinutes {
			cores, bytes = cores*l.factor, bytes*l.factor
		}
	case weekly, tight:
		if w := m % (7 * dayMinutes); w >= 550 && w < 580 {
			cores, bytes = cores*l.weekFactor, bytes*(1+(l.weekFactor-1)/2)
		}
	case jvm:
		if p.heap += .004 * load * noise(.2); p.heap > .6 {
			p.heap = .02
		}
		bytes = l.mem * (.7 + p.heap) * noise(.003)
	case leak:
		bytes *= 1 + .012*float64(age)/dayMinutes
	case bursty:
		if p.burst--; p.burst < -200 && l.rng.IntN(120) == 0 {
			p.burst = 3 + l.rng.IntN(4)
		}
		if p.burst > 0 {
			cores *= 3
		}
	case scaled:
		cores = l.cpu * (.95 + .1*load) * noise(.12)
	case batch:
		if m%15 > 9 {
			cores *= .05
		}
	}
	if age < 8 {
		f := 1.0
		if m >= versionDay*dayMinutes {
			f = l.factor
		}
		cores = max(cores, f*l.cpu*l.startCPU*noise(.05))
		bytes = max(bytes, f*l.mem*l.startMem*noise(.02))
	}
	return cores, bytes
}

// sets gives label sets numbers.
type sets struct{ list []series.Labels }

func (s *sets) add(container, pod string) uint32 {
	if len(s.list) == 0 {
		s.list = append(s.list, nil)
	}
	s.list = append(s.list, series.Labels{{Name: "container", Value: "app"}, {Name: "namespace", Value: "shop"}, {Name: "pod", Value: pod}, {Name: "workload", Value: container}})
	return uint32(len(s.list) - 1)
}

func (s *sets) labels(set uint32) series.Labels { return s.list[set] }

// live calls yield for each pod in each minute from a day to another.
func (l *life) live(i, from, to int, named *sets, yield func(p *pod, m int, cores, bytes float64)) {
	for m := from * dayMinutes; m < to*dayMinutes; m++ {
		for k := range l.pods {
			l.step(i, k, m, named)
			p := &l.pods[k]
			if l.kind == job && (m%dayMinutes < 120 || m%dayMinutes >= 150) {
				continue
			}
			cores, bytes := l.at(p, m)
			yield(p, m, cores, bytes)
		}
	}
}

// step begins a pod anew when it is time: a rollout each six to nine days, and at the very beginning.
func (l *life) step(i, k, m int, named *sets) {
	p := &l.pods[k]
	life := (6+i%4)*dayMinutes + k*7
	switch l.kind {
	case leak:
		if life = (learnDays + replayDays) * dayMinutes; p.born < 0 {
			life = dayMinutes * (5 + i%4) // of which all but a few days were before
		}
	case job:
		life = 0
		if m%dayMinutes != 120 {
			life = dayMinutes
		}
	case version:
		if m == versionDay*dayMinutes+k*7 {
			life = 0
		}
	}
	if p.name != "" && m < p.born+life {
		return
	}
	*p = pod{name: fmt.Sprintf("c%d-%d-%d", i, k, m), born: m}
	if m == 0 {
		p.born = -dayMinutes * (1 + i%4)
	}
	p.set = named.add(fmt.Sprintf("c%d", i), p.name)
}
