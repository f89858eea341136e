package series

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func testSalt(n byte) (s Salt) {
	for i := range s {
		s[i] = n + byte(i)
	}
	return s
}

// words is n pairs of words as one key.
func words(k *Keyer, w ...uint64) uint64 {
	var hi, lo uint64
	for i := 0; i+1 < len(w); i += 2 {
		h, l := k.Pair(uint32(i/2), w[i], w[i+1])
		var c uint64
		lo, c = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, c)
	}
	return k.End(hi, lo, uint32(len(w)/2))
}

// TestKeysAreThoseOfTheSalt holds the keys themselves: states hold them, so a program that makes others must change keyPurpose.
func TestKeysAreThoseOfTheSalt(t *testing.T) {
	k, other := NewKeyer(testSalt(1)), NewKeyer(testSalt(2))
	got := ""
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte(i * 7)
	}
	for _, n := range []int{0, 1, 3, 7, 15, 16, 17, 65, 450, 4096, 4097, 5000} {
		x := k.Bytes(long[:n])
		got += fmt.Sprintf("%016x ", x)
		if x != NewKeyer(testSalt(1)).Bytes(long[:n]) || x == other.Bytes(long[:n]) {
			t.Errorf("%d bytes: the salt does not decide the key", n)
		}
	}
	got += fmt.Sprintf("%016x %x", words(k, 1, 2, 3, 4), KeysName(testSalt(1), "a"))
	const want = "f68e2a59f6d58886 c1f19d33fb44d71d 456b25949361607f 933940ac1f89d8c2 0794e36ed02f8bcc ac48864a723e1d6b 17f9317a2da5a052 48759fefc4c55613 0f68095821ef91e0 abe1ffddba8991d1 4f554c54d91a956c 5a917254498ba633 72daccf1a2087734 e2a127d754cd2646c9f9bf198ee13094"
	if got != want {
		t.Errorf("keys\n%s, want\n%s", got, want)
	}
	if n := KeysName(testSalt(1), "a"); n == KeysName(testSalt(1), "b") || n == KeysName(testSalt(2), "a") {
		t.Error("two kinds of keys have one name")
	}
	var process, first, second Salt
	first, second = NewSalt(), NewSalt()
	if x, y := process.Derive("a"), process.Derive("a"); x != y || first == second || testSalt(1).Derive("a") == testSalt(1).Derive("b") {
		t.Error("salts repeat, or do not")
	}
}

// TestKeysTellMessages changes messages of every length in every byte, cuts, extends and swaps: no two share a key, nor half of its bits much more often than chance would have it.
func TestKeysTellMessages(t *testing.T) {
	k := NewKeyer(NewSalt())
	seen, halves := map[uint64]string{}, map[uint32]int{}
	n := 0
	add := func(b []byte) {
		x := k.Bytes(b)
		if was, ok := seen[x]; ok && was != string(b) {
			t.Fatalf("%q and %q share a key", was, b)
		} else if !ok {
			seen[x] = string(b)
			halves[uint32(x)]++
			n++
		}
	}
	for n := 0; n <= 300; n++ {
		b := make([]byte, n)
		add(b)
		for i := range b {
			for _, v := range []byte{1, 0x80, 0xff} {
				b[i] = v
				add(b)
			}
			b[i] = 0
		}
	}
	for _, n := range []int{4080, 4095, 4096, 4097, 6000} {
		b := make([]byte, n)
		add(b)
		for i := 0; i < n; i += 7 {
			b[i] = 1
			add(b)
			b[i] = 0
		}
	}
	b := make([]byte, 8)
	for i := range uint64(50_000) { // what a counter in a label looks like
		binary.LittleEndian.PutUint64(b, i)
		add(b)
	}
	// Of n keys n²/2³³ pairs share 32 bits by chance.
	if shared, most := n-len(halves), 3+3*n*n>>33; shared > most {
		t.Errorf("%d of %d keys share their lower half, at most %d expected", shared, n, most)
	}
}

// TestKeysTellSequences does the same for pairs of words.
func TestKeysTellSequences(t *testing.T) {
	k := NewKeyer(NewSalt())
	r := rand.New(rand.NewPCG(1, 2))
	a := make([]uint64, 2*LabelsMax)
	for i := range a {
		a[i] = r.Uint64()
	}
	seen := map[uint64]bool{}
	add := func(w []uint64) {
		x := words(k, w...)
		if seen[x] {
			t.Fatalf("a sequence of %d words shares its key with another", len(w))
		}
		seen[x] = true
	}
	for n := 2; n <= len(a); n += 2 {
		add(a[:n])
	}
	for i := range a {
		for j := range i { // each two words changed over
			a[i], a[j] = a[j], a[i]
			add(a)
			a[i], a[j] = a[j], a[i]
		}
	}
}

func BenchmarkKeyer(b *testing.B) {
	k, seed := NewKeyer(NewSalt()), maphash.MakeSeed()
	buf := make([]byte, 1<<19)
	for i := range buf {
		buf[i] = byte(i * 31 >> 3)
	}
	for _, f := range []struct {
		name string
		f    func([]byte) uint64
	}{{"keyer", k.Bytes}, {"maphash", func(b []byte) uint64 { return maphash.Bytes(seed, b) }}} {
		for _, n := range []int{12, 60, 130, 450} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				var sum uint64
				at := 0
				for b.Loop() {
					sum += f.f(buf[at : at+n])
					at = (at + n) & (1<<18 - 1)
				}
				benchSink = sum
			})
		}
	}
}

var benchSink uint64
