package ingest

import (
	"reflect"
	"testing"

	"github.com/golang/snappy"

	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
)

// TestPlainIsTheSameBatch: what the journal has unpacked gives the batch that the sender's body gave.
func TestPlainIsTheSameBatch(t *testing.T) {
	g, err := scenario.New(scenario.Config{Seed: 1, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r, ok := g.Next(g.Config().StartMs + 60_000)
		if !ok {
			t.Fatal("the simulation ended")
		}
		m := r.AppendWrite(nil)
		var sent, plain series.Batch
		a, b := NewDecoder(Limits{}), NewDecoder(Limits{BodyMax: 1})
		b.limits.BodyMax = 1 // of what comes over the wire
		if _, err := a.Decode(V1, Snappy, snappy.Encode(nil, m), &sent); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Decode(V1, Plain, m, &plain); err != nil {
			t.Fatal(err)
		}
		if len(sent.Samples) == 0 || !reflect.DeepEqual(sent.Samples, plain.Samples) || !reflect.DeepEqual(sent.Entries, plain.Entries) {
			t.Fatal("another batch")
		}
		for i := range sent.Entries {
			x, err1 := a.AppendLabels(nil, i)
			y, err2 := b.AppendLabels(nil, i)
			if err1 != nil || err2 != nil || !reflect.DeepEqual(x, y) {
				t.Fatalf("series %d: %v and %v, %v, %v", i, x, y, err1, err2)
			}
		}
	}
	if _, err := NewDecoder(Limits{DecodedMax: 10}).Decode(V1, Plain, make([]byte, 11), &series.Batch{}); err == nil {
		t.Error("a message beyond the limit was taken")
	}
}
