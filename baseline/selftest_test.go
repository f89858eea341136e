package baseline_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model/trial"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// A self-test of a simulated cluster finds most faults, raises next to nothing on quiet days, and leaves the engine as it was.
func TestSelfTest(t *testing.T) {
	e := engine(t, newSink())
	play(e, generator(t), scenario.Epoch+50*hour)
	before := e.AppendStream(nil)
	models := map[string][]byte{}
	for id, data := range e.Models {
		models[id] = bytes.Clone(data)
	}
	list, of := e.Shadows(120)
	if len(list) != 120 || of < 300 {
		t.Fatalf("%d shadows of %d signals", len(list), of)
	}
	done := 0
	rep := baseline.SelfTest(context.Background(), list, func(int) { done++ })
	if rep.Signals < 100 || done != rep.Signals || rep.Signals+rep.Young != 120 {
		t.Errorf("%d tried, %d young, progress told %d times", rep.Signals, rep.Young, done)
	}
	tried, found, quiet, false_ := 0, 0, 0, 0
	packs := map[string]bool{}
	for _, r := range rep.Results {
		packs[r.Pack] = true
		if r.Fault == trial.NoFault {
			quiet += r.Tried
			false_ += r.Found
			continue
		}
		tried += r.Tried
		found += r.Found
		if r.Found > r.Tried || r.Found > 0 && (r.MedianMs <= 0 || r.MedianMs > 24*hour) {
			t.Errorf("%+v", r)
		}
	}
	t.Logf("%d of %d faults found, %d false alarms on %d quiet days, packs %v, %d blind", found, tried, false_, quiet, packs, len(rep.Blind))
	if tried < 150 || found*10 < tried*6 || quiet != rep.Signals || false_*50 > quiet || len(packs) < 5 {
		t.Errorf("%d of %d faults found, %d false alarms on %d quiet days", found, tried, false_, quiet)
	}
	for id, data := range e.Models {
		if !bytes.Equal(models[id], data) {
			t.Fatalf("%s: the self-test changed its model", id)
		}
	}
	if !bytes.Equal(before, e.AppendStream(nil)) {
		t.Error("the self-test changed the stream")
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if rep := baseline.SelfTest(stopped, list, nil); rep.Signals != 0 {
		t.Errorf("%d signals tried after the request was over", rep.Signals)
	}
}

// Shadow gives the model of one signal, and what it would notice shrinks with the time that it is given.
func TestShadowDetects(t *testing.T) {
	e := engine(t, newSink())
	play(e, generator(t), scenario.Epoch+50*hour)
	if _, ok := e.Shadow("no.such~signal=1"); ok {
		t.Error("a shadow of no signal")
	}
	s, ok := e.Shadow("dns.servfail_ratio~cluster=default")
	if !ok {
		t.Fatal("no shadow of dns.servfail_ratio")
	}
	list := s.Detect()
	if len(list) != len(trial.NoticeSpans) || math.IsNaN(list[0].Up) || !math.IsNaN(list[0].Down) || list[0].Up > .2 || list[3].Up > list[0].Up {
		t.Errorf("%+v", list)
	}
}
