package ingest

import "testing"

// TestIdle: the decoder that came last goes first, and what nobody needs for long goes.
func TestIdle(t *testing.T) {
	var p idle
	if d := p.get(); d != nil {
		t.Fatal("an empty list gave a decoder")
	}
	many := make([]*Decoder, 10)
	for i := range many {
		many[i] = new(Decoder)
		p.put(many[i])
	}
	for i := range 3 * idleTrim { // two in use at once
		a, b := p.get(), p.get()
		if a != many[9] || b != many[8] {
			t.Fatalf("round %d: not the two that came last", i)
		}
		p.put(b)
		p.put(a)
	}
	if n := len(p.list); n != 2 {
		t.Errorf("%d decoders are kept, two are needed", n)
	}
}
