package series

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	chacha "math/rand/v2"
	"sync"
)

// Salt is the secret by which an installation's keys differ from everybody else's. Whoever knows it can make two series share a key, so it is kept where the state is, is told nobody,
// and is never shown. The zero value stands for one that is made for the process, as tests and tools want it.
type Salt [32]byte

var processSalt = sync.OnceValue(NewSalt)

// NewSalt returns a salt that nobody can guess.
func NewSalt() (s Salt) {
	rand.Read(s[:]) // never fails
	return s
}

// Derive returns a secret for a purpose, from which neither the salt nor the secret of another purpose follows: HMAC-SHA-256 (Krawczyk, Bellare, Canetti, HMAC: Keyed-Hashing for Message
// Authentication, 1997).
func (s Salt) Derive(purpose string) (out Salt) {
	if s == (Salt{}) {
		s = processSalt()
	}
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(purpose))
	h.Sum(out[:0])
	return out
}

// Keyer makes the keys of series: the same ones for the same salt, on every machine and over restarts, which is why states may hold them. Safe for concurrent use; made by NewKeyer.
//
// Who does not know the salt can choose any two different inputs, and they share a key with a probability of at most 2⁻⁶³; 2⁻⁶¹ for sequences of words that are keys themselves, as
// remote write 2.0 makes them of its symbols. That is a theorem about the sums below and no hope in a cipher, as long as he learns nothing of the keys, which leave the process in
// checkpoints alone, beside their salt:
//
//   - NH, Σ (m₂ᵢ + k₂ᵢ)(m₂ᵢ₊₁ + k₂ᵢ₊₁), is equal for two different messages of one length with a probability of at most 2⁻⁶⁴ (Black, Halevi, Krawczyk, Krovetz, Rogaway, UMAC: Fast and
//     Secure Message Authentication, 1999; in words of 64 bits, as here: Krovetz, Message Authentication on 64-Bit Architectures, 2006).
//   - Its 128 bits, or a message of at most 16 bytes itself, and the length become 64 bits by a multilinear hash, whose values of two different inputs are independent of each other, to each bit (Lemire, Kaser, Strongly
//     Universal String Hashing is Fast, 2014). So they cannot be aimed at one place of a hash table either.
//   - What follows is a bijection: it lets no sum of an input's parts show as a sum of keys.
//
// Longer messages than keyedMax are hashed by SHA-256 first.
//
// The k are ChaCha8's (Bernstein, ChaCha, a variant of Salsa20, 2008), whose sequence Go promises to keep. Whatever is changed here makes other keys: change keyPurpose with it, so that
// states with the old ones are known for it.
type Keyer struct {
	nh    [keyedMax / 8]uint64
	pairs [LabelsMax][2]uint64
	long  [8]uint64 // how bytes end: the factors of end, of the length, and what is added
	few   struct {  // how few bytes end
		factors [4]uint64
		lengths [fewMax + 1][2]uint64
	}
	words struct { // how pairs end
		factors [4]uint64
		lengths [LabelsMax + 2][2]uint64
	}
}

const (
	keyedMax   = 4096 // bytes; real series have 60 to 600
	fewMax     = 16   // bytes; most symbols have fewer
	keyPurpose = "keys of series, 1"
)

// NewKeyer returns what makes the keys of an installation.
func NewKeyer(s Salt) *Keyer {
	k := &Keyer{}
	r := chacha.NewChaCha8(s.Derive(keyPurpose))
	fill := func(list []uint64) {
		for i := range list {
			list[i] = r.Uint64()
		}
	}
	fill(k.nh[:])
	fill(k.long[:])
	fill(k.few.factors[:])
	fill(k.words.factors[:])
	for _, list := range [][][2]uint64{k.pairs[:], k.few.lengths[:], k.words.lengths[:]} {
		for i := range list {
			fill(list[i][:])
		}
	}
	return k
}

// KeysName returns what tells keys from all that are made with another salt, in another way, or read by other rules, which of says. It gives nothing of the salt away.
func KeysName(s Salt, of string) Print {
	d := s.Derive("name of " + keyPurpose + ": " + of)
	return Print(d[:16])
}

// Bytes returns the key of a message.
func (k *Keyer) Bytes(b []byte) uint64 {
	n := uint64(len(b))
	if n <= fewMax {
		p, q := short(b)
		return end(&k.few.factors, &k.few.lengths[n], p, q)
	}
	var sum [sha256.Size]byte
	if len(b) > keyedMax {
		sum = sha256.Sum256(b)
		b = sum[:]
	}
	// Two sums side by side, since each addition waits for the one before it.
	var hi, lo, hi2, lo2, h, l, c uint64
	x, key := b, k.nh[:]
	for len(x) > 64 && len(key) >= 8 {
		h, l = bits.Mul64(word(x)+key[0], word(x[8:])+key[1])
		lo, c = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, c)
		h, l = bits.Mul64(word(x[16:])+key[2], word(x[24:])+key[3])
		lo2, c = bits.Add64(lo2, l, 0)
		hi2, _ = bits.Add64(hi2, h, c)
		h, l = bits.Mul64(word(x[32:])+key[4], word(x[40:])+key[5])
		lo, c = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, c)
		h, l = bits.Mul64(word(x[48:])+key[6], word(x[56:])+key[7])
		lo2, c = bits.Add64(lo2, l, 0)
		hi2, _ = bits.Add64(hi2, h, c)
		x, key = x[64:], key[8:]
	}
	for len(x) > 16 && len(key) > 2 {
		h, l = bits.Mul64(word(x)+key[0], word(x[8:])+key[1])
		lo, c = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, c)
		x, key = x[16:], key[2:]
	}
	// The last 16 bytes, some of which may have been read. With the length they still tell the message.
	h, l = bits.Mul64(word(b[len(b)-16:])+key[0], word(b[len(b)-8:])+key[1])
	lo2, c = bits.Add64(lo2, l, 0)
	hi2, _ = bits.Add64(hi2, h, c)
	lo, c = bits.Add64(lo, lo2, 0)
	hi, _ = bits.Add64(hi, hi2, c)
	h, l = bits.Mul64(n, k.long[4])
	l, c = bits.Add64(l, k.long[6], 0)
	return end((*[4]uint64)(k.long[:]), &[2]uint64{l, h + n*k.long[5] + k.long[7] + c}, hi, lo)
}

// short returns at most 16 bytes as two words, which with the length tell the bytes.
func short(b []byte) (p, q uint64) {
	switch n := len(b); {
	case n >= 8:
		return word(b), word(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16, 0
	}
	return 0, 0
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// Pair returns what pair i of a sequence of pairs of words adds to the 128 bits that End takes. The order of pairs matters up to LabelsMax; further ones must not be believed.
func (k *Keyer) Pair(i uint32, a, b uint64) (hi, lo uint64) {
	p := &k.pairs[i%LabelsMax]
	return bits.Mul64(a+p[0], b+p[1])
}

// End returns the key of a sequence of n pairs, of which hi and lo are the sum of what Pair returned, modulo 2¹²⁸.
func (k *Keyer) End(hi, lo uint64, n uint32) uint64 {
	return end(&k.words.factors, &k.words.lengths[min(n, LabelsMax+1)], hi, lo)
}

// end makes 64 bits of two words and a length, which chooses the number that is added: the upper half of a sum of products modulo 2¹²⁸, and a
// bijection of it.
func end(k *[4]uint64, length *[2]uint64, a, b uint64) uint64 {
	h, l := bits.Mul64(a, k[0])
	l, c := bits.Add64(length[0], l, 0)
	x, _ := bits.Add64(length[1]+a*k[1]+b*k[3], h, c)
	h, m := bits.Mul64(b, k[2])
	_, c = bits.Add64(l, m, 0)
	x, _ = bits.Add64(x, h, c)
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93 // odd
	return x ^ x>>32
}
