package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/ui"
)

// kind is one of the kinds of docs/told.md: a story with what must be told of it, and beside it the quiet twin that looks alike.
type kind struct {
	name   string
	days   float64
	config string
	build  func(w *town)
	drawn  []string // the signal of the picture: prefix of its id, and parts of it
	last   float64  // days of the picture
	tells  []tells
	ends   int               // minute by which each incident of tells is over; 0 = no matter
	may    func(s said) bool // further incidents that are right; nil = none
}

// tells is one incident that must open: about a signal, between two minutes.
type tells struct {
	about    []string // prefix of an id, and parts of it
	from, by int
	listed   bool // and nobody is sent a message
}

var none = math.NaN()

// orders is a track rule as anybody writes one.
const orders = "track:\n- {name: shop.orders, match: 'orders_total', func: rate, agg: sum, by: [shop], unit: /s, bad: down}\n"

var kinds = []kind{
	{name: "birth", days: 4, drawn: []string{"api.client_denied~", "workload=cart"}, last: 1.5,
		build: func(w *town) {
			l := func(who, code string) string {
				return fmt.Sprintf(`rest_client_requests_total{namespace="shop",pod="%s-7d9f8b6c5d-x2k4q",code="%s",method="GET"}`, who, code)
			}
			w.counter(l("old", "200"), func(int) float64 { return w.poisson(60) / 60 })
			born := 3*aDay + 600
			w.counter(l("cart", "403"), func(i int) float64 {
				if i < born {
					return none
				}
				return w.poisson(60) / 60
			})
			// The twin is born in the same minute and is refused once.
			w.counter(l("pay", "200"), func(i int) float64 {
				if i < born {
					return none
				}
				return w.poisson(60) / 60
			})
			w.counter(l("pay", "403"), func(i int) float64 {
				if i < born {
					return none
				}
				return one(i == born+30) / 60
			})
		},
		tells: []tells{{about: []string{"api.client_denied~", "workload=cart"}, from: 3*aDay + 600, by: 3*aDay + 620}}},

	{name: "death", days: 9, drawn: []string{"wl.down~", "workload=cart"}, last: 1.5,
		build: func(w *town) {
			dead := 8*aDay + 660
			until := func(v float64, after float64) func(int) float64 {
				return func(i int) float64 {
					if i < dead {
						return v
					}
					return after
				}
			}
			rps := traffic(.35)
			gone := func(i int) float64 {
				if i < dead {
					return 30 * rps(i)
				}
				return none
			}
			// All pods of cart are lost, and a quota refuses new ones.
			w.service("shop", "cart", gone, always(.001))
			w.objects("shop", "cart", always(2), until(2, 0))
			w.service("shop", "steady", func(i int) float64 { return 20 * rps(i) }, always(.001))
			w.objects("shop", "steady", always(2), always(2))
			// The twin is scaled to zero by somebody who means it, the afternoon before.
			meant := 7*aDay + 900
			w.service("old", "retired", func(i int) float64 {
				if i < meant {
					return 30 * rps(i)
				}
				return none
			}, always(.001))
			two := func(i int) float64 { return 2 * one(i < meant) }
			w.objects("old", "retired", two, two)
		},
		tells: []tells{{about: []string{"wl.", "workload=cart"}, from: 8*aDay + 660, by: 8*aDay + 666},
			{about: []string{"wl.gone~", "workload=retired"}, from: 7*aDay + 900, by: 7*aDay + 910, listed: true}},
		may: func(s said) bool { return s.opened >= 8*aDay+660 && s.about("", "workload=cart") }},

	{name: "habit", days: 13, drawn: []string{"svc.error_ratio~", "workload=cart"}, last: 4,
		config: "track:\n- {name: batch.rows, match: 'rows_total', func: rate, agg: sum, by: [job], unit: /s}\n",
		build: func(w *town) {
			rps := traffic(.35)
			w.service("shop", "cart", func(i int) float64 { return 30 * rps(i) }, func(i int) float64 {
				if i >= 7*aDay && between(i%aDay, 540, 560) {
					return 1
				}
				return .001
			})
			// The twin is a backup, each night.
			w.counter(`rows_total{job="db"}`, func(i int) float64 {
				if between(i%aDay, 120, 150) {
					return w.poisson(6000) / 60
				}
				return w.poisson(600) / 60
			})
		},
		tells: []tells{{about: []string{"svc.error_ratio~", "cart"}, from: 7*aDay + 540, by: 7*aDay + 550}, {about: []string{"svc.error_ratio~", "cart"}, from: 9*aDay + 540, by: 9*aDay + 550},
			{about: []string{"svc.error_ratio~", "cart"}, from: 10*aDay + 540, by: 10*aDay + 550}, {about: []string{"svc.error_ratio~", "cart"}, from: 12*aDay + 540, by: 12*aDay + 550}},
		may: func(s said) bool {
			return s.about("svc.error_ratio~", "cart") && between(s.opened%aDay, 540, 560) || s.about("batch.rows~") && s.opened < 4*aDay
		}},

	{name: "young", days: 2.5, drawn: []string{"svc.error_ratio~", "workload=cart"}, last: 1.3,
		build: func(w *town) {
			rps := traffic(.35)
			born := aDay
			blips := func(bad int) func(int) float64 {
				return func(i int) float64 {
					if bad > 0 && i >= bad && i < bad+240 {
						return 1
					}
					if i%100 == 0 {
						return .0015
					}
					return 0
				}
			}
			begin := func(scale float64) func(int) float64 {
				return func(i int) float64 {
					if i < born {
						return none
					}
					return scale * rps(i)
				}
			}
			w.service("shop", "cart", begin(60), blips(born+26*60))
			w.service("shop", "pay", begin(40), blips(0))
		},
		tells: []tells{{about: []string{"svc.error_ratio~", "cart"}, from: aDay + 26*60, by: aDay + 26*60 + 10}}},

	{name: "leak", days: 24, drawn: []string{"wl.mem_growth~", "workload=cart"}, last: 12,
		build: func(w *town) {
			from := 14 * aDay
			day := traffic(0)
			mem := func(name string, share func(i int) float64) {
				for k := range 2 {
					l := fmt.Sprintf(`namespace="shop",pod="%s-6b8d9f7c54-x2k4%c",container="app"`, name, "bc"[k])
					w.gauge(`kube_pod_container_resource_limits{`+l+`,resource="memory",unit="byte"}`, always(5e8))
					w.gauge(`container_memory_working_set_bytes{`+l+`}`, func(i int) float64 { return 5e8 * min(1, share(i)+.004*w.rng.NormFloat64()) })
				}
			}
			mem("cart", func(i int) float64 { return .45 + .03*day(i) + .05*math.Max(0, float64(i-from))/aDay })
			// The twin is as high each evening and is collected each night.
			mem("pay", func(i int) float64 { return .40 + .35*float64(i%aDay)/aDay })
		},
		tells: []tells{{about: []string{"wl.mem_", "cart"}, from: 14 * aDay, by: 14*aDay + 9*aDay}}},

	{name: "return", days: 19, drawn: []string{"shop.orders~"}, last: 7, config: orders,
		build: func(w *town) {
			rps := traffic(.35)
			out := func(i int) bool { return between(i, 12*aDay+600, 15*aDay+700) || between(i, 17*aDay+800, 17*aDay+890) }
			w.counter(`orders_total{job="shop",instance="a:1",shop="de"}`, func(i int) float64 {
				if out(i) {
					return 0
				}
				return w.poisson(300*rps(i)) / 60
			})
		},
		tells: []tells{{about: []string{"shop.orders~"}, from: 12*aDay + 600, by: 12*aDay + 615}, {about: []string{"shop.orders~"}, from: 17*aDay + 800, by: 17*aDay + 815}}},

	{name: "steep", days: 15, drawn: []string{"shop.orders~", "shop=de"}, last: 3.5, config: orders,
		build: func(w *town) {
			office := func(late int) func(int) float64 {
				return func(i int) float64 {
					begin := 480
					if i/aDay == 14 {
						begin += late
					}
					if i/aDay%7 < 5 && between(i%aDay, begin, 1080) {
						return 1
					}
					return .03
				}
			}
			a, b := office(0), office(5)
			w.counter(`orders_total{job="shop",instance="a:1",shop="de"}`, func(i int) float64 {
				v := 600 * a(i) * (1 + .04*w.rng.NormFloat64())
				if between(i, 14*aDay+840, 14*aDay+960) {
					v *= .4
				}
				return w.poisson(v) / 60
			})
			// The twin begins some minutes later on that day.
			w.counter(`orders_total{job="shop",instance="a:1",shop="fr"}`, func(i int) float64 { return w.poisson(400*b(i)*(1+.04*w.rng.NormFloat64())) / 60 })
		},
		tells: []tells{{about: []string{"shop.orders~", "de"}, from: 14*aDay + 840, by: 14*aDay + 870}},
		may:   func(s said) bool { return s.opened < 8*aDay }},

	{name: "flaps", days: 9, drawn: []string{"wl.ready_ratio~", "workload=cart"}, last: 1.5,
		build: func(w *town) {
			bad := 8*aDay + 600
			ready := func(name string, of func(i, pod int) float64) {
				for k := range 3 {
					w.gauge(fmt.Sprintf(`kube_pod_status_ready{job="kube-state-metrics",namespace="shop",pod="%s-6b8d9f7c54-x2k4%c",condition="true"}`, name, "bcd"[k]), func(i int) float64 { return of(i, k) })
				}
				w.objects("shop", name, always(3), func(i int) float64 { return of(i, 0) + of(i, 1) + of(i, 2) })
			}
			ready("cart", func(i, _ int) float64 { return one(!between(i, bad, bad+120) || i%6 < 2) })
			// The twin is not ready for two minutes, once an hour.
			ready("pay", func(i, pod int) float64 { return one(i%60 >= 2 || pod > 0) })
		},
		tells: []tells{{about: []string{"wl.", "cart"}, from: 8*aDay + 600, by: 8*aDay + 630}}},

	{name: "few", days: 11, drawn: []string{"svc.error_ratio~", "workload=cart"}, last: 1.5,
		build: func(w *town) {
			rps := traffic(.35)
			bad := 10*aDay + 600
			w.service("shop", "cart", func(i int) float64 { return .5 * rps(i) }, func(i int) float64 {
				if between(i, bad, bad+120) {
					return 1
				}
				return .002
			})
			// The twin has next to no requests, of which one fails now and then.
			w.service("shop", "pay", func(i int) float64 { return .05 * rps(i) }, always(.03))
		},
		tells: []tells{{about: []string{"svc.error_ratio~", "cart"}, from: 10*aDay + 600, by: 10*aDay + 630}}},

	{name: "certificate", days: 14, drawn: []string{"cert.days_left~", "name=cart"}, last: 7,
		build: func(w *town) {
			cert := func(name string, life, before float64, stop int) {
				end := 0.
				w.gauge(fmt.Sprintf(`certmanager_certificate_expiration_timestamp_seconds{job="cert-manager",namespace="mesh",name="%s"}`, name), func(i int) float64 {
					now := townEpoch/1000 + float64(i)*60
					if end == 0 || end-now < before && (stop == 0 || i < stop) {
						end = now + life
					}
					return end
				})
				w.gauge(fmt.Sprintf(`certmanager_certificate_ready_status{job="cert-manager",namespace="mesh",name="%s",condition="True"}`, name), always(1))
			}
			cert("cart", 6*86400, 2*86400, 9*aDay)
			cert("pay", 2*86400, 86400, 0) // the twin lives two days, by design
		},
		tells: []tells{{about: []string{"cert.", "cart"}, from: 9 * aDay, by: 13 * aDay}}},

	{name: "worse", days: 13, drawn: []string{"svc.error_ratio~", "workload=cart"}, last: 4,
		build: func(w *town) {
			rps := traffic(.35)
			w.service("shop", "cart", func(i int) float64 { return 30 * rps(i) }, func(i int) float64 {
				switch {
				case between(i, 11*aDay+600, 11*aDay+660):
					return .6
				case i > 9*aDay+600:
					return .05
				}
				return .001
			})
			// The twin stays where it is.
			w.service("shop", "pay", func(i int) float64 { return 30 * rps(i) }, func(i int) float64 {
				if i > 9*aDay+600 {
					return .05
				}
				return .001
			})
		},
		tells: []tells{{about: []string{"svc.error_ratio~", "cart"}, from: 9*aDay + 600, by: 9*aDay + 615}, {about: []string{"svc.error_ratio~", "cart"}, from: 11*aDay + 600, by: 11*aDay + 610}}},

	{name: "ghost", days: 10, drawn: []string{"queue.depth~"}, last: 2.5,
		config: "track:\n- {name: queue.depth, match: 'queue_depth', agg: max, by: [job], bad: up}\n",
		build: func(w *town) {
			bad := 8*aDay + 600
			w.gauge(`queue_depth{job="a"}`, func(i int) float64 {
				v := 100 * math.Exp(.06*w.rng.NormFloat64())
				if between(i, bad, bad+240) && i%6 < 4 {
					return v * 6
				}
				return v
			})
		},
		tells: []tells{{about: []string{"queue.depth~"}, from: 8*aDay + 600, by: 8*aDay + 610}}, ends: 8*aDay + 900},
}

// TestToldAndKept says of each kind of docs/told.md what is told and what is kept. With WRACKLINE_PICTURES it draws them into that directory.
func TestToldAndKept(t *testing.T) {
	for _, k := range kinds {
		for seed := uint64(1); seed <= 2; seed++ {
			t.Run(fmt.Sprintf("%s/%d", k.name, seed), func(t *testing.T) {
				t.Parallel()
				w := newTown(t, seed, k.config)
				w.drawn = k.drawn
				k.build(w)
				w.live(int(k.days * aDay))
				k.hold(t, w)
				if out := os.Getenv("WRACKLINE_PICTURES"); out != "" && seed == 1 {
					k.draw(t, w, out)
				}
			})
		}
	}
}

func (k *kind) hold(t *testing.T, w *town) {
	got := w.incidents()
	right := make([]bool, len(got))
	for _, c := range k.tells {
		found := false
		for i, s := range got {
			if s.opened >= c.from && s.opened < c.by && s.about(c.about[0], c.about[1:]...) {
				found, right[i] = true, true
				if c.listed != (s.told == 0) {
					t.Errorf("sent %d messages, only to be listed: %v; %v", s.told, c.listed, s)
				}
				if k.ends > 0 && (s.ended < 0 || s.ended > k.ends) {
					t.Errorf("not over by %s: %v", clockOf(k.ends), s)
				}
			}
		}
		if !found {
			t.Errorf("nothing is told of %v between %s and %s", c.about, clockOf(c.from), clockOf(c.by))
		}
	}
	for i, s := range got {
		if right[i] || k.may != nil && k.may(s) {
			continue
		}
		t.Errorf("told, and should not be: %v", s)
	}
	for id, a := range w.all {
		if a.ghosts > a.minutes/2 {
			t.Errorf("%s: in alarm for %d minutes, in %d of them inside its band", id, a.minutes, a.ghosts)
		}
	}
	if t.Failed() {
		for _, s := range got {
			t.Log(s)
		}
	}
}

// draw writes the picture of the newest days.
func (k *kind) draw(t *testing.T, w *town, dir string) {
	points := w.points
	if n := len(points); n > 0 {
		from := points[n-1].T - int64(k.last*86_400_000)
		for len(points) > 0 && points[0].T <= from {
			points = points[1:]
		}
	}
	if len(points) == 0 {
		t.Fatalf("no signal begins with %q", w.drawn)
	}
	title := strings.ReplaceAll(w.title, "~", " ")
	if err := os.WriteFile(filepath.Join(dir, k.name+".svg"), ui.Picture(title, w.unit, w.params, points, 60_000), 0o644); err != nil {
		t.Fatal(err)
	}
}
