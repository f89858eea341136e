package ingest

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"runtime/debug"
	"slices"

	"github.com/VictoriaMetrics/metrics"
	"github.com/klauspost/compress/zstd"

	"github.com/wrackline/wrackline/baseline/series"
)

// seed makes the keys of series. It is one for the process, so that every decoder gives a series the same key, and it
// is random, so that no sender can aim at a collision.
var seed = maphash.MakeSeed()

// timeMin is the oldest timestamp that is taken, in February 1971. Older ones come from senders that write seconds,
// or none at all; refusing them here also means that whatever is kept cost its sender at least nine bytes.
const timeMin = 1 << 35

// Decoder turns bodies into batches. It is meant to be pooled: in steady state it allocates nothing. Not safe for
// concurrent use. The zero value is not usable; see NewDecoder.
//
// Decoding walks the message once: first along the top level, which counts series and notes where each lies, then
// through each series. Labels are not looked at. A series of remote write 1.0 is known by a hash of its label fields'
// bytes; one of 2.0 by its symbols' hashes, each computed once a request. Labels come from AppendLabels, for the few
// series that are new.
//
// Memory: the decompressed message, 8 bytes a series, 24 a series kept, 24 a sample, 136 a histogram, 16 a bucket, 16 a
// symbol. Together that is below twice the message and 64 KiB for what real senders send. A message made for the purpose,
// of samples at nine bytes each or of histograms at nine, takes more, but never above ten times its size, and at the
// default limits never more than 20 MB beyond it.
type Decoder struct {
	limits Limits
	zstd   *zstd.Decoder

	proto   Proto
	info    Info
	raw     []byte // the decompressed message
	spans   []extent
	symbols []symbol
	entries []series.Entry
	samples []series.Sample
	hists   []series.Histogram
	arena   arena
	scratch []byte        // label bytes of a series whose labels do not lie together
	hist    histogram     // scratch
	strings *[4096]string // recently made strings by hash of their content

	seen  int       // samples and histograms read, good or bad
	fault seriesBad // of the series being read
}

// extent is a range of Decoder.raw.
type extent struct{ lo, hi uint32 }

// symbol is a string of a 2.0 request.
type symbol struct {
	extent
	hash uint64 // 0 = not computed yet
}

// seriesBad collects why the series being read is refused, whole or in part.
type seriesBad struct {
	reason  string // the series as a whole
	samples string // the first refused sample, histogram or exemplar
}

// NewDecoder returns a decoder that refuses what is beyond l.
func NewDecoder(l Limits) *Decoder { return &Decoder{limits: l.withDefaults()} }

// Decode decompresses and decodes body into b: its Entries, Samples, Histograms and Labels, which the decoder owns and
// which are valid until its next Decode. Sender, Cluster and ReceivedMs are left alone.
//
// Faults of single series, samples and histograms are counted in Info, with the reason of the first; the rest is kept.
// An error means that the body as a whole is refused, that it always will be, and that b holds nothing.
func (d *Decoder) Decode(p Proto, e Encoding, body []byte, b *series.Batch) (info Info, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The decoder is written so that this cannot happen; if it does, one request is lost and not the process.
			decodePanics.Inc()
			d.raw = nil
			err = &badBody{"panic", fmt.Sprintf("internal error while decoding: %v\n%s", r, debug.Stack())}
		}
		if err != nil {
			b.Entries, b.Samples, b.Histograms, b.Labels = nil, nil, nil, nil
			d.spans, d.symbols, d.entries, d.samples, d.hists = d.spans[:0], d.symbols[:0], d.entries[:0], d.samples[:0], d.hists[:0]
			info = Info{Encoding: d.info.Encoding, Decoded: d.info.Decoded}
		}
	}()
	b.Entries, b.Samples, b.Histograms, b.Labels = nil, nil, nil, nil
	d.proto = p
	d.info = Info{Encoding: e}
	d.spans, d.symbols, d.entries, d.samples, d.hists = d.spans[:0], d.symbols[:0], d.entries[:0], d.samples[:0], d.hists[:0]
	d.arena.reset()
	d.seen = 0

	if p != V1 && p != V2 {
		return d.info, &badBody{"schema", fmt.Sprintf("unknown protocol %d", p)}
	}
	if err := d.decompress(e, body); err != nil {
		return d.info, err
	}
	d.info.Decoded = len(d.raw)
	if p == V1 {
		err = d.scanV1()
	} else {
		err = d.scanV2()
	}
	if err != nil {
		return d.info, err
	}
	d.reserve()
	for i := range d.spans {
		if p == V1 {
			err = d.seriesV1(i)
		} else {
			err = d.seriesV2(i)
		}
		if err != nil {
			return d.info, err
		}
		if d.seen > d.limits.SamplesMax {
			return d.info, &badBody{"limit", fmt.Sprintf("request holds more than %d samples", d.limits.SamplesMax)}
		}
	}
	d.info.Samples, d.info.Histograms = len(d.samples), len(d.hists)
	b.Entries, b.Samples, b.Histograms, b.Labels = d.entries, d.samples, d.hists, d
	return d.info, nil
}

// reserve makes room for one sample a series, but for no more than the message can hold: an entry needs 15 bytes.
func (d *Decoder) reserve() {
	n := min(len(d.spans), len(d.raw)/16+1)
	if cap(d.entries) < n {
		d.entries = make([]series.Entry, 0, n)
	}
	if cap(d.samples) < n {
		d.samples = make([]series.Sample, 0, n)
	}
}

var (
	knownV1       = fields(1, 3)
	knownV2       = fields(4, 5)
	knownSeriesV1 = fields(1, 2, 3, 4)
	knownSeriesV2 = fields(1, 2, 3, 4, 5, 6)
	knownSampleV1 = fields(1, 2)
	knownSampleV2 = fields(1, 2, 3)
)

// scanV1 walks along the top level of a WriteRequest: series = 1, metadata = 3.
func (d *Decoder) scanV1() error {
	b, i, foreign := d.raw, 0, false
	for i < len(b) {
		at := i
		tag, j := uvarint(b, i)
		if j < 0 {
			return malformed("field", at)
		}
		switch tag {
		case 1<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 {
				return malformed("series", at)
			}
			if err := d.addSpan(lo, hi, tag); err != nil {
				return err
			}
			i = hi
		case 3<<3 | wireBytes:
			_, hi := span(b, j)
			if hi < 0 {
				return malformed("metadata", at)
			}
			d.info.Metadata++
			i = hi
		default:
			foreign = foreign || tag == 5<<3|wireBytes
			if i = unknown(b, j, tag, knownV1); i < 0 {
				return malformed("field", at)
			}
		}
	}
	if len(b) > 0 && len(d.spans) == 0 && d.info.Metadata == 0 {
		return notMessage("prometheus.WriteRequest", "io.prometheus.write.v2.Request", foreign)
	}
	return nil
}

// scanV2 walks along the top level of a v2 Request: symbols = 4, series = 5. Symbols may come after series.
func (d *Decoder) scanV2() error {
	b, i, foreign := d.raw, 0, false
	// Real symbols cost more than 16 bytes with the series that use them; a table of empty strings would cost 8 times
	// its size in memory.
	symbolsMax := 8192 + len(b)/16
	for i < len(b) {
		at := i
		tag, j := uvarint(b, i)
		if j < 0 {
			return malformed("field", at)
		}
		switch tag {
		case 4<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 {
				return malformed("symbol", at)
			}
			if len(d.symbols) >= symbolsMax {
				return &badBody{"limit", fmt.Sprintf("more than %d symbols in a message of %d bytes", symbolsMax, len(b))}
			}
			if len(d.symbols) == cap(d.symbols) {
				d.symbols = slices.Grow(d.symbols, 1+count(b, hi, tag, symbolsMax-len(d.symbols)))
			}
			d.symbols = append(d.symbols, symbol{extent: extent{uint32(lo), uint32(hi)}})
			i = hi
		case 5<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 {
				return malformed("series", at)
			}
			if err := d.addSpan(lo, hi, tag); err != nil {
				return err
			}
			i = hi
		default:
			foreign = foreign || tag == 1<<3|wireBytes
			if i = unknown(b, j, tag, knownV2); i < 0 {
				return malformed("field", at)
			}
		}
	}
	if len(b) > 0 && len(d.spans) == 0 && len(d.symbols) == 0 {
		return notMessage("io.prometheus.write.v2.Request", "prometheus.WriteRequest", foreign)
	}
	d.info.Symbols0 = len(d.symbols) > 0 && d.symbols[0].lo != d.symbols[0].hi
	return nil
}

func (d *Decoder) addSpan(lo, hi int, tag uint64) error {
	if len(d.spans) >= d.limits.SeriesMax {
		return &badBody{"limit", fmt.Sprintf("request holds more than %d series", d.limits.SeriesMax)}
	}
	if len(d.spans) == cap(d.spans) {
		d.spans = slices.Grow(d.spans, 1+count(d.raw, hi, tag, d.limits.SeriesMax-len(d.spans)))
	}
	d.spans = append(d.spans, extent{uint32(lo), uint32(hi)})
	return nil
}

// count returns how many fields with this tag follow from i on, at most limit. Looking ahead when a table is full costs
// less than growing it step by step, and leaves nothing behind.
func count(b []byte, i int, tag uint64, limit int) (n int) {
	for i < len(b) && n < limit {
		t, j := uvarint(b, i)
		if j < 0 {
			return n
		}
		if t == tag {
			n++
		}
		if i = skip(b, j, t); i < 0 {
			return n
		}
	}
	return n
}

// notMessage is the error for a body without one known field. Protobuf would take it for an empty request, and the
// sender would believe its data written.
func notMessage(want, other string, foreign bool) error {
	msg := "body holds nothing of a " + want
	if foreign {
		msg += "; it looks like a " + other + ", so its Content-Type is wrong"
	}
	return &badBody{"schema", msg}
}

// seriesV1 reads series i: labels = 1, samples = 2, exemplars = 3, histograms = 4.
func (d *Decoder) seriesV1(i int) error {
	x := d.spans[i]
	b := d.raw[:x.hi]
	at := int(x.lo)
	sampleLo, histLo, exemplars, seenLo := len(d.samples), len(d.hists), 0, d.seen
	d.fault = seriesBad{}
	// The label fields lie together nearly always; where they do not, their bytes are gathered.
	labelLo, labelHi, gathered := -1, -1, false
	for at < len(b) {
		tag, j := uvarint(b, at)
		if j < 0 {
			return malformed("series", at)
		}
		switch tag {
		case 1<<3 | wireBytes:
			_, hi := span(b, j)
			if hi < 0 {
				return malformed("label", at)
			}
			// Labels follow each other, and nearly all are shorter than 128 bytes.
			for hi+1 < len(b) && b[hi] == 1<<3|wireBytes && b[hi+1] < 0x80 && hi+2+int(b[hi+1]) <= len(b) {
				hi += 2 + int(b[hi+1])
			}
			switch {
			case labelLo < 0:
				labelLo, labelHi = at, hi
			case !gathered && labelHi == at:
				labelHi = hi
			default:
				if !gathered {
					gathered = true
					d.scratch = append(d.scratch[:0], b[labelLo:labelHi]...)
				}
				d.scratch = append(d.scratch, b[at:hi]...)
			}
			at = hi
		case 2<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !d.sample(b[lo:hi], false) {
				return malformed("sample", at)
			}
			at = hi
		case 3<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !wellFormed(b[lo:hi]) {
				return malformed("exemplar", at)
			}
			exemplars++
			at = hi
		case 4<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !d.histogram(b[lo:hi]) {
				return malformed("histogram", at)
			}
			at = hi
		default:
			next := unknown(b, j, tag, knownSeriesV1)
			if next < 0 {
				return malformed("series", at)
			}
			at = next
		}
		if d.seen > d.limits.SamplesMax {
			return nil // the caller refuses the request
		}
	}
	var key uint64
	switch {
	case labelLo < 0:
		d.fault.reason = "series has no labels"
	case gathered:
		key = maphash.Bytes(seed, d.scratch)
	default:
		key = maphash.Bytes(seed, b[labelLo:labelHi])
	}
	d.finish(i, key, sampleLo, histLo, exemplars, seenLo)
	return nil
}

// seriesV2 reads series i: label references = 1, samples = 2, histograms = 3, exemplars = 4, metadata = 5, and the start
// time of older drafts = 6.
func (d *Decoder) seriesV2(i int) error {
	x := d.spans[i]
	b := d.raw[:x.hi]
	at := int(x.lo)
	sampleLo, histLo, exemplars, seenLo := len(d.samples), len(d.hists), 0, d.seen
	d.fault = seriesBad{}
	var k refKey
	var start int64
	for at < len(b) {
		tag, j := uvarint(b, at)
		if j < 0 {
			return malformed("series", at)
		}
		switch tag {
		case 1<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !k.addPacked(d.symbols, d.raw, b[:hi], lo) {
				return malformed("label reference", at)
			}
			at = hi
		case 1<<3 | wireVarint:
			ref, next := uvarint(b, j)
			if next < 0 {
				return malformed("label reference", at)
			}
			k.add(d.symbols, d.raw, ref)
			at = next
		case 2<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !d.sample(b[lo:hi], true) {
				return malformed("sample", at)
			}
			at = hi
		case 3<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 || !d.histogram(b[lo:hi]) {
				return malformed("histogram", at)
			}
			at = hi
		case 4<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 {
				return malformed("exemplar", at)
			}
			ok, bad := d.exemplarV2(b[lo:hi])
			if !ok {
				return malformed("exemplar", at)
			}
			if bad != "" {
				d.badExemplar(bad)
			} else {
				exemplars++
			}
			at = hi
		case 5<<3 | wireBytes:
			lo, hi := span(b, j)
			if hi < 0 {
				return malformed("metadata", at)
			}
			ok, bad := d.metadataV2(b[lo:hi])
			if !ok {
				return malformed("metadata", at)
			}
			switch {
			case bad != "":
				d.badExemplar(bad)
			case hi > lo: // an empty one is how some senders write none
				d.info.Metadata++
			}
			at = hi
		case 6<<3 | wireVarint:
			v, next := uvarint(b, j)
			if next < 0 {
				return malformed("start time", at)
			}
			start, at = int64(v), next
		default:
			next := unknown(b, j, tag, knownSeriesV2)
			if next < 0 {
				return malformed("series", at)
			}
			at = next
		}
		if d.seen > d.limits.SamplesMax {
			return nil // the caller refuses the request
		}
	}
	if start != 0 {
		for n := sampleLo; n < len(d.samples); n++ {
			if d.samples[n].Start == 0 {
				d.samples[n].Start = start
			}
		}
		for n := histLo; n < len(d.hists); n++ {
			if d.hists[n].Start == 0 {
				d.hists[n].Start = start
			}
		}
	}
	switch {
	case k.outside:
		d.fault.reason = fmt.Sprintf("label reference %d is outside of the %d symbols", k.ref, len(d.symbols))
	case k.n%2 != 0:
		d.fault.reason = fmt.Sprintf("%d label references are not pairs", k.n)
	case k.n == 0:
		d.fault.reason = "series has no labels"
	}
	d.finish(i, k.sum, sampleLo, histLo, exemplars, seenLo)
	return nil
}

// refKey builds the key of a 2.0 series from its label references.
type refKey struct {
	sum     uint64
	n       uint32 // references so far
	name    uint64 // hash of a name whose value has not come yet
	outside bool
	ref     uint64 // the first reference outside of the table
}

func (k *refKey) add(symbols []symbol, raw []byte, ref uint64) {
	ref = uint64(uint32(ref)) // as every protobuf reader takes it
	if ref >= uint64(len(symbols)) {
		if !k.outside {
			k.outside, k.ref = true, ref
		}
		k.n++
		return
	}
	s := &symbols[ref]
	if s.hash == 0 {
		s.hash = maphash.Bytes(seed, raw[s.lo:s.hi]) | 1 // never 0, which says not computed
	}
	if k.n%2 == 0 {
		k.name = s.hash
	} else {
		// The product is off the chain that each pair waits for, the rotation keeps the order.
		k.sum = bits.RotateLeft64(k.sum, 11) + mix(k.name, s.hash)
	}
	k.n++
}

// addPacked adds the references from lo to the end of b.
func (k *refKey) addPacked(symbols []symbol, raw, b []byte, lo int) bool {
	for lo < len(b) {
		// Most tables have more than 128 symbols and fewer than 16,384: one byte or two.
		ref, next := uint64(b[lo]), lo+1
		if ref >= 0x80 {
			if next < len(b) && b[next] < 0x80 {
				ref = ref&0x7f | uint64(b[next])<<7
				next++
			} else if ref, next = uvarintLong(b, lo); next < 0 {
				return false
			}
		}
		lo = next
		// The rest is add, again, since a call for each reference is a quarter of the time.
		if ref < uint64(len(symbols)) {
			if s := &symbols[ref]; s.hash != 0 {
				if k.n%2 == 0 {
					k.name = s.hash
				} else {
					k.sum = bits.RotateLeft64(k.sum, 11) + mix(k.name, s.hash)
				}
				k.n++
				continue
			}
		}
		k.add(symbols, raw, ref)
	}
	return true
}

// sample reads a sample: value = 1, timestamp = 2, and in 2.0 start = 3. It returns false for what is no protobuf.
func (d *Decoder) sample(m []byte, v2 bool) bool {
	var s series.Sample
	d.seen++
	// What every sender writes: the value, then the timestamp.
	if len(m) > 10 && m[0] == 1<<3|wireFixed8 && m[9] == 2<<3|wireVarint {
		v, n := binary.Uvarint(m[10:])
		if n > 0 && 10+n == len(m) {
			s.V = math.Float64frombits(binary.LittleEndian.Uint64(m[1:]))
			s.T = int64(v)
			d.keepSample(s)
			return true
		}
	}
	known := knownSampleV1
	if v2 {
		known = knownSampleV2
	}
	for i := 0; i < len(m); {
		tag, j := uvarint(m, i)
		if j < 0 {
			return false
		}
		var v uint64
		switch tag {
		case 1<<3 | wireFixed8:
			v, i = fixed8(m, j)
			s.V = math.Float64frombits(v)
		case 2<<3 | wireVarint:
			v, i = uvarint(m, j)
			s.T = int64(v)
		case 3<<3 | wireVarint:
			v, i = uvarint(m, j)
			if v2 {
				s.Start = int64(v)
			}
		default:
			i = unknown(m, j, tag, known)
		}
		if i < 0 {
			return false
		}
	}
	d.keepSample(s)
	return true
}

func (d *Decoder) keepSample(s series.Sample) {
	if s.T < timeMin {
		d.badTime(s.T)
		return
	}
	d.samples = append(room(d.samples, d.limits.SamplesMax), s)
}

// room makes room for one more. It doubles, but not beyond limit, so that growing leaves less behind than append does;
// beyond the limit, which the caller refuses a moment later, append takes over.
func room[T any](s []T, limit int) []T {
	if len(s) < cap(s) || len(s) >= limit {
		return s
	}
	t := make([]T, len(s), min(max(2*cap(s), 64), limit))
	copy(t, s)
	return t
}

func (d *Decoder) badTime(t int64) {
	if d.fault.samples == "" {
		d.fault.samples = fmt.Sprintf("timestamp %d is before 1971; timestamps are milliseconds since 1970", t)
	}
}

func (d *Decoder) badExemplar(reason string) {
	d.info.BadExemplars++
	if d.fault.samples == "" {
		d.fault.samples = reason
	}
}

// finish adds series i to the batch, or takes back what was read of it.
func (d *Decoder) finish(i int, key uint64, sampleLo, histLo, exemplars, seenLo int) {
	if d.fault.reason == "" && d.seen == seenLo {
		d.fault.reason = "series has neither samples nor histograms"
	}
	if d.fault.reason != "" {
		d.samples, d.hists = d.samples[:sampleLo], d.hists[:histLo]
		d.info.BadSeries++
		d.info.Rejected += d.seen - seenLo
		d.note(i, d.fault.reason)
		return
	}
	kept := len(d.samples) - sampleLo + len(d.hists) - histLo
	d.info.Rejected += d.seen - seenLo - kept
	if over := exemplars - d.limits.ExemplarsMax; over > 0 {
		d.info.BadExemplars += over
		exemplars -= over
		if d.fault.samples == "" {
			d.fault.samples = fmt.Sprintf("more than %d exemplars", d.limits.ExemplarsMax)
		}
	}
	if d.fault.samples != "" {
		d.note(i, d.fault.samples)
	}
	if kept == 0 {
		return
	}
	d.info.Exemplars += exemplars
	// Entries are at most as many as series read, so the extents can be moved up in place.
	d.spans[len(d.entries)] = d.spans[i]
	d.entries = append(d.entries, series.Entry{
		Key:      key,
		SampleLo: uint32(sampleLo), SampleHi: uint32(len(d.samples)),
		HistLo: uint32(histLo), HistHi: uint32(len(d.hists)),
	})
}

// note keeps the first reason, with the series' place in the request and its name where it has one.
func (d *Decoder) note(i int, reason string) {
	if d.info.Reason != "" {
		return
	}
	var name string
	if l, err := d.appendLabels(nil, d.spans[i]); err == nil {
		name = series.Labels(l).Get(series.NameLabel)
	}
	if name != "" {
		d.info.Reason = fmt.Sprintf("series %d (%.100q): %s", i+1, name, reason)
	} else {
		d.info.Reason = fmt.Sprintf("series %d: %s", i+1, reason)
	}
}

// wellFormed reports whether m is a sequence of fields.
func wellFormed(m []byte) bool {
	for i := 0; i < len(m); {
		tag, j := uvarint(m, i)
		if j < 0 || tag>>3 == 0 {
			return false
		}
		if i = skip(m, j, tag); i < 0 {
			return false
		}
	}
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
		tag, j := uvarint(m, i)
		if j < 0 {
			return false, ""
		}
		switch tag {
		case 1<<3 | wireBytes:
			lo, hi := span(m, j)
			if hi < 0 {
				return false, ""
			}
			for lo < hi {
				v, next := uvarint(m[:hi], lo)
				if next < 0 {
					return false, ""
				}
				ref(v)
				lo = next
			}
			i = hi
		case 1<<3 | wireVarint:
			v, next := uvarint(m, j)
			if next < 0 {
				return false, ""
			}
			ref(v)
			i = next
		default:
			if i = skip(m, j, tag); i < 0 {
				return false, ""
			}
		}
	}
	if n%2 != 0 && bad == "" {
		bad = fmt.Sprintf("%d label references of an exemplar are not pairs", n)
	}
	return true, bad
}

// metadataV2 checks metadata: help = 3 and unit = 4 are references.
func (d *Decoder) metadataV2(m []byte) (ok bool, bad string) {
	for i := 0; i < len(m); {
		tag, j := uvarint(m, i)
		if j < 0 {
			return false, ""
		}
		if tag == 3<<3|wireVarint || tag == 4<<3|wireVarint {
			v, next := uvarint(m, j)
			if next < 0 {
				return false, ""
			}
			if v = uint64(uint32(v)); v != 0 && v >= uint64(len(d.symbols)) {
				bad = fmt.Sprintf("metadata refers to symbol %d of %d", v, len(d.symbols))
			}
			i = next
			continue
		}
		if i = skip(m, j, tag); i < 0 {
			return false, ""
		}
	}
	return true, bad
}

var decodePanics = metrics.NewCounter("wrackline_ingest_decode_panics_total")
