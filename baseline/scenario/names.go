package scenario

import (
	"strconv"
)

// Names follow what Kubernetes itself does, because identity is guessed from them when no owner is known.

// safe is the alphabet of generated suffixes: no vowels, so no words, and no digits that look like letters.
const safe = "bcdfghjklmnpqrstvwxz2456789"

const (
	nameMax     = 63 // longest pod name that a host name allows
	suffixLen   = 5
	generateMax = nameMax - suffixLen // what generateName keeps of its base
)

// templateHash returns the hash that a ReplicaSet's name carries: a 32-bit FNV in decimal, each digit written in the safe
// alphabet, which is why only 4-9, b, c, d and f occur.
func templateHash(h uint32) string {
	d := strconv.AppendUint(nil, uint64(h), 10)
	for i, c := range d {
		d[i] = safe[int(c)%len(safe)]
	}
	return string(d)
}

// generated returns the name that generateName makes of a base.
func generated(r *rng, base string) string {
	base += "-"
	if len(base) > generateMax {
		base = base[:generateMax]
	}
	b := []byte(base)
	for range suffixLen {
		b = append(b, safe[r.intn(len(safe))])
	}
	return string(b)
}

const hexDigits = "0123456789abcdef"

func hexString(r *rng, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = hexDigits[r.next()>>60]
	}
	return string(b)
}

// uid returns a name of the form of a version 4 UUID.
func uid(r *rng) string {
	h := hexString(r, 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func mustFloat(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("scenario: not a number: " + s)
	}
	return v
}
