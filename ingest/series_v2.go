package ingest

// A series of remote write 2.0, whose words are references to the symbols of its request.

import (
	"fmt"
	"math/bits"

	"github.com/wrackline/wrackline/baseline/series"
)

var (
	knownSeriesV2 = fields(1, 2, 3, 4, 5, 6)
	partsSeriesV2 = parts{
		0: "series", 1<<3 | wireBytes: "label reference", 1<<3 | wireVarint: "label reference", 2<<3 | wireBytes: "sample",
		3<<3 | wireBytes: "histogram", 4<<3 | wireBytes: "exemplar", 5<<3 | wireBytes: "metadata", 6<<3 | wireVarint: "start time",
	}
)

// seriesV2 reads series i: label references = 1, samples = 2, histograms = 3, exemplars = 4, metadata = 5, and the start
// time of older drafts = 6.
func (d *Decoder) seriesV2(i int) error {
	x := d.spans[i]
	b := d.raw[:x.hi]
	m := d.begin()
	k := refKey{keyer: d.keyer}
	var start int64
	for at := int(x.lo); at < len(b); {
		f := readField(b, at)
		ok := f.hi >= 0
		switch {
		case !ok:
		case f.tag == 1<<3|wireBytes:
			ok = k.addPacked(d.symbols, d.raw, b[:f.hi], f.lo)
		case f.tag == 1<<3|wireVarint:
			k.add(d.symbols, d.raw, f.num)
		case f.tag == 2<<3|wireBytes:
			ok = d.sample(b[f.lo:f.hi], true)
		case f.tag == 3<<3|wireBytes:
			ok = d.histogram(b[f.lo:f.hi])
		case f.tag == 4<<3|wireBytes:
			var bad string
			if ok, bad = d.exemplarV2(b[f.lo:f.hi]); bad != "" {
				d.badExemplar(bad)
			} else {
				m.exemplars++
			}
		case f.tag == 5<<3|wireBytes:
			var bad string
			if ok, bad = d.metadataV2(b[f.lo:f.hi]); bad != "" {
				d.badExemplar(bad)
			} else if f.hi > f.lo { // an empty one is how some senders write none
				d.info.Metadata++
			}
		case f.tag == 6<<3|wireVarint:
			start = int64(f.num)
		default:
			ok = f.foreign(knownSeriesV2)
		}
		if !ok {
			return partsSeriesV2.malformed(f.tag, at)
		}
		if d.seen > d.limits.SamplesMax {
			return nil // the caller refuses the request
		}
		at = f.hi
	}
	if start != 0 {
		d.setStart(m, start)
	}
	switch {
	case k.outside:
		d.fault.reason = fmt.Sprintf("label reference %d is outside of the %d symbols", k.ref, len(d.symbols))
	case k.n%2 != 0:
		d.fault.reason = fmt.Sprintf("%d label references are not pairs", k.n)
	case k.n == 0:
		d.fault.reason = "series has no labels"
	}
	d.finish(i, k.keyer.End(k.hi, k.lo, k.n/2), m)
	return nil
}

// setStart gives a series' start time to its samples and histograms that have none of their own.
func (d *Decoder) setStart(m mark, start int64) {
	for n := m.sampleLo; n < len(d.samples); n++ {
		if d.samples[n].Start == 0 {
			d.samples[n].Start = start
		}
	}
	for n := m.histLo; n < len(d.hists); n++ {
		if d.hists[n].Start == 0 {
			d.hists[n].Start = start
		}
	}
}

// refKey builds the key of a 2.0 series from its label references.
type refKey struct {
	keyer   *series.Keyer
	hi, lo  uint64 // sum of the pairs so far
	n       uint32 // references so far
	name    uint64 // hash of a name whose value has not come yet
	outside bool
	ref     uint64 // the first reference outside of the table
}

// add adds one reference.
func (k *refKey) add(symbols []symbol, raw []byte, ref uint64) {
	ref = uint64(uint32(ref)) // as every protobuf reader takes it
	if ref >= uint64(len(symbols)) {
		k.miss(ref)
		k.n++
		return
	}
	s := &symbols[ref]
	if s.hash == 0 {
		s.hash = k.hash(raw, s)
	}
	if k.n%2 == 0 {
		k.name = s.hash
	} else {
		h, l := k.keyer.Pair(k.n/2, k.name, s.hash)
		var c uint64
		k.lo, c = bits.Add64(k.lo, l, 0)
		k.hi, _ = bits.Add64(k.hi, h, c)
	}
	k.n++
}

// hash returns the key of a symbol, never 0, which says not computed.
func (k *refKey) hash(raw []byte, s *symbol) uint64 { return k.keyer.Bytes(raw[s.lo:s.hi]) | 1 }

// miss notes a reference outside of the table.
func (k *refKey) miss(ref uint64) {
	if !k.outside {
		k.outside, k.ref = true, ref
	}
}

// addPacked adds the references from lo to the end of b.
func (k *refKey) addPacked(symbols []symbol, raw, b []byte, lo int) bool {
	keyer, sumHi, sumLo, n, name := k.keyer, k.hi, k.lo, k.n, k.name // in registers
	for lo < len(b) {
		// Most tables have more than 128 symbols and fewer than 16,384: one byte or two.
		ref := uint64(b[lo])
		lo++
		if ref >= 0x80 {
			if lo < len(b) && b[lo] < 0x80 {
				ref = ref&0x7f | uint64(b[lo])<<7
				lo++
			} else if ref, lo = uvarintLong(b, lo-1); lo < 0 {
				return false
			} else {
				ref = uint64(uint32(ref))
			}
		}
		// The rest is add, again, since a call for each reference is a quarter of the time.
		if ref < uint64(len(symbols)) {
			s := &symbols[ref]
			if s.hash == 0 {
				s.hash = k.hash(raw, s)
			}
			if n%2 == 0 {
				name = s.hash
			} else {
				// The product is off the chain that each pair waits for.
				h, l := keyer.Pair(n/2, name, s.hash)
				var c uint64
				sumLo, c = bits.Add64(sumLo, l, 0)
				sumHi, _ = bits.Add64(sumHi, h, c)
			}
		} else {
			k.miss(ref)
		}
		n++
	}
	k.hi, k.lo, k.n, k.name = sumHi, sumLo, n, name
	return true
}

// exemplarV2 checks an exemplar: label references = 1. ok is false for what is no protobuf.
func (d *Decoder) exemplarV2(m []byte) (ok bool, bad string) {
	n := 0
	ref := func(v uint64) {
		n++
		v = uint64(uint32(v))
		if v >= uint64(len(d.symbols)) && bad == "" {
			bad = fmt.Sprintf("label reference %d of an exemplar is outside of the %d symbols", v, len(d.symbols))
		}
	}
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 {
			return false, ""
		}
		switch f.tag {
		case 1<<3 | wireBytes, 1<<3 | wireVarint:
			if !f.values(m, wireVarint, ref) {
				return false, ""
			}
		}
		i = f.hi
	}
	if n%2 != 0 && bad == "" {
		bad = fmt.Sprintf("%d label references of an exemplar are not pairs", n)
	}
	return true, bad
}

// metadataV2 checks metadata: help = 3 and unit = 4 are references. ok is false for what is no protobuf.
func (d *Decoder) metadataV2(m []byte) (ok bool, bad string) {
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 {
			return false, ""
		}
		if f.tag == 3<<3|wireVarint || f.tag == 4<<3|wireVarint {
			if v := uint64(uint32(f.num)); v != 0 && v >= uint64(len(d.symbols)) {
				bad = fmt.Sprintf("metadata refers to symbol %d of %d", v, len(d.symbols))
			}
		}
		i = f.hi
	}
	return true, bad
}
