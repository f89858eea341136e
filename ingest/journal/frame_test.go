package journal

import "testing"

// FuzzFrame reads a frame whose checksum is right, whatever is in it: it ends, never gives more than it says or than its bounds allow.
func FuzzFrame(f *testing.F) {
	p, err := newPacker(frameBytes)
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(12) {
		if err := p.add(i+1, request(i+1)); err != nil {
			f.Fatal(err)
		}
	}
	b, err := p.appendFrame(nil, 42)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < frameMin {
			return // check has seen to it
		}
		var x frame
		if x.begin(b) != nil {
			return
		}
		var r Record
		n, total := x.left, 0
		for x.left > 0 {
			if err := x.next(&r); err != nil {
				if x.left != 0 {
					t.Fatal("more is to come after an error")
				}
				return
			}
			if n--; n < 0 || len(r.Body) > bodyMax {
				t.Fatalf("%d records too many, a body of %d bytes", -n, len(r.Body))
			}
			if total += len(r.Body); total > 1<<30 {
				t.Skip("slow, not wrong")
			}
		}
	})
}
