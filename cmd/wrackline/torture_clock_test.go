package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// randomOff returns by how much a clock is off: a second to a year, either way, each magnitude as likely as the other.
func randomOff(rng *rand.Rand) int64 {
	off := int64(1000 * math.Pow(365*86400, rng.Float64()))
	if rng.IntN(2) == 0 {
		return -off
	}
	return off
}

// TestTortureClocks has clocks wrong in several ways at a time: the machine's at boot or by jumps, some back after a while, those of some senders and, by a machine that is right, of an exporter. Whoever's clock is right hears of a fault that begins five
// minutes later within five minutes, and in the end, when all are right again, all faults are known to be over and nothing is said of a clock.
func TestTortureClocks(t *testing.T) {
	n, rng := torture(t, 25)
	kinds := map[string]int{}
	for i := range n {
		seed := rng.Uint64()
		if !t.Run(fmt.Sprintf("%d", seed), func(t *testing.T) { tortureClocks(t, rand.New(rand.NewPCG(seed, 2)), kinds) }) {
			t.Fatalf("run %d", i)
		}
	}
	t.Logf("%v", kinds)
}

func tortureClocks(t *testing.T, rng *rand.Rand, kinds map[string]int) {
	w := newClockWorld(t)
	for i := range rng.IntN(4) {
		w.senders = append(w.senders, &clockSender{name: fmt.Sprint("s", i), cluster: fmt.Sprint("c", i)})
	}
	w.run(4*60*minuteMs, minuteMs)
	w.run(5*minuteMs, 15_000)
	story := ""
	note := func(kind, text string) {
		kinds[kind]++
		story += text + "; "
	}
	boot := false
	switch rng.IntN(3) {
	case 0:
		boot = true
		w.at += int64(1+rng.IntN(180)) * minuteMs // down for so long
		w.off = randomOff(rng)
		w.start()
		note("machine at boot", fmt.Sprintf("the machine is off by %s at boot", ms(w.off)))
	case 1:
		w.off = randomOff(rng)
		note("machine jumps", fmt.Sprintf("the machine jumps by %s", ms(w.off)))
		w.run(int64(rng.IntN(12))*minuteMs, 15_000)
		switch rng.IntN(3) {
		case 0:
			w.off = 0
			note("… and back", "and back")
		case 1:
			w.off = randomOff(rng)
			note("… and again", fmt.Sprintf("and again, to %s", ms(w.off)))
		}
	}
	// A machine that is wrong from the beginning has nobody but senders to ask: then most of them must be right.
	most := len(w.senders) - 1
	if boot {
		most = (len(w.senders) - 1) / 2
	}
	wrong := map[*clockSender]bool{}
	for range rng.IntN(most + 1) {
		s := w.senders[rng.IntN(len(w.senders))]
		if len(wrong) < most {
			s.off, wrong[s] = randomOff(rng), true
			note("sender", fmt.Sprintf("%s is off by %s", s.name, ms(s.off)))
		}
	}
	if s := w.senders[rng.IntN(len(w.senders))]; w.off == 0 && rng.IntN(2) == 0 {
		s.odd = randomOff(rng)
		note("exporter", fmt.Sprintf("an exporter of %s is off by %s", s.name, ms(s.odd)))
	}
	w.fault()
	for _, s := range w.senders {
		if !wrong[s] {
			w.wantTold(story, s)
		}
	}
	w.off = 0
	for _, s := range w.senders {
		s.off, s.odd, s.endAt = 0, 0, w.at
	}
	w.run(40*minuteMs, 15_000)
	if p := problemTexts(w.clock.State()); p != "" {
		t.Errorf("%sproblems when all clocks are right again: %s", story, p)
	}
	for _, inc := range w.manager.Incidents() {
		if inc.Open() {
			t.Errorf("%sstill open when all is well for 40 min: %s of %s", story, inc.Title, inc.Cluster)
		}
	}
}

func ms(n int64) string { return (time.Duration(n) * time.Millisecond).Round(time.Second).String() }
