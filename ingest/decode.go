package ingest

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/VictoriaMetrics/metrics"
	"github.com/klauspost/compress/zstd"

	"github.com/wrackline/wrackline/baseline/series"
)

// processKeyer makes the keys of decoders that are given no Keyer.
var processKeyer = sync.OnceValue(func() *series.Keyer { return series.NewKeyer(series.Salt{}) })

// timeMin is the oldest timestamp that is taken, in February 1971. Older ones come from senders that write seconds,
// or none at all; refusing them here also means that whatever is kept cost its sender at least nine bytes.
const timeMin = 1 << 35

// Decoder turns bodies into batches. It is meant to be pooled: in steady state it allocates nothing. Not safe for
// concurrent use. The zero value is not usable; see NewDecoder.
//
// Decoding walks the message once: first along the top level, which counts series and notes where each lies, then
// through each series. Labels are not looked at. A series of remote write 1.0 is known by a hash of its label fields'
// bytes; one of 2.0 by its symbols' hashes, each computed once a request. Both are keyed by a secret of the installation,
// so that no sender can aim at a collision: see series.Keyer. Labels come from AppendLabels, for the few series that are new.
//
// Memory: the decompressed message, 8 bytes a series, 24 a series kept, 24 a sample, 136 a histogram, 16 a bucket, 16 a
// symbol. Together that is below twice the message and 64 KiB for what real senders send. A message made for the purpose,
// of samples at nine bytes each or of histograms at nine, takes more, but never above ten times its size, and at the
// default limits never more than 20 MB beyond it.
type Decoder struct {
	limits Limits
	keyer  *series.Keyer
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

	seen   int           // samples and histograms read, good or bad
	fault  seriesBad     // of the series being read
	labels series.Labels // the door's, while it reads labels of new series
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

// NewDecoder returns a decoder that refuses what is beyond l. Its keys are those of every decoder of the process that is made so,
// and of no other process.
func NewDecoder(l Limits) *Decoder { return NewKeyedDecoder(l, nil) }

// NewKeyedDecoder returns a decoder whose keys are k's: those of every decoder with a Keyer of the same salt, over restarts. nil
// is the process's own.
func NewKeyedDecoder(l Limits, k *series.Keyer) *Decoder {
	if k == nil {
		k = processKeyer()
	}
	return &Decoder{limits: l.withDefaults(), keyer: k}
}

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
			d.reset(b)
			info = Info{Encoding: d.info.Encoding, Decoded: d.info.Decoded}
		}
	}()
	d.reset(b)
	d.proto = p
	d.info = Info{Encoding: e}
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
			return d.info, &badBody{"limit", fmt.Sprintf("request holds more than the limit of %d samples: lower the sender's max_samples_per_send", d.limits.SamplesMax)}
		}
	}
	d.info.Samples, d.info.Histograms = len(d.samples), len(d.hists)
	b.Entries, b.Samples, b.Histograms, b.Labels = d.entries, d.samples, d.hists, d
	return d.info, nil
}

// reset empties the decoder's lists and b.
func (d *Decoder) reset(b *series.Batch) {
	b.Entries, b.Samples, b.Histograms, b.Labels = nil, nil, nil, nil
	d.spans, d.symbols, d.entries, d.samples, d.hists = d.spans[:0], d.symbols[:0], d.entries[:0], d.samples[:0], d.hists[:0]
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

// mark is where a series begins in what has been decoded.
type mark struct {
	sampleLo, histLo int
	seenLo           int
	exemplars        int // valid ones of the series so far
}

// begin begins a series.
func (d *Decoder) begin() mark {
	d.fault = seriesBad{}
	return mark{sampleLo: len(d.samples), histLo: len(d.hists), seenLo: d.seen}
}

// finish adds series i, which began at m, to the batch, or takes back what was read of it.
func (d *Decoder) finish(i int, key uint64, m mark) {
	if d.fault.reason == "" && d.seen == m.seenLo {
		d.fault.reason = "series has neither samples nor histograms"
	}
	if d.fault.reason != "" {
		d.samples, d.hists = d.samples[:m.sampleLo], d.hists[:m.histLo]
		d.info.BadSeries++
		d.info.Rejected += d.seen - m.seenLo
		d.note(i, d.fault.reason)
		return
	}
	kept := len(d.samples) - m.sampleLo + len(d.hists) - m.histLo
	d.info.Rejected += d.seen - m.seenLo - kept
	if over := m.exemplars - d.limits.ExemplarsMax; over > 0 {
		d.info.BadExemplars += over
		m.exemplars -= over
		if d.fault.samples == "" {
			d.fault.samples = fmt.Sprintf("more than the limit of %d exemplars", d.limits.ExemplarsMax)
		}
	}
	if d.fault.samples != "" {
		d.note(i, d.fault.samples)
	}
	if kept == 0 {
		return
	}
	d.info.Exemplars += m.exemplars
	// Entries are at most as many as series read, so the extents can be moved up in place.
	d.spans[len(d.entries)] = d.spans[i]
	d.entries = append(d.entries, series.Entry{
		Key:      key,
		SampleLo: uint32(m.sampleLo), SampleHi: uint32(len(d.samples)),
		HistLo: uint32(m.histLo), HistHi: uint32(len(d.hists)),
	})
}

func (d *Decoder) badExemplar(reason string) {
	d.info.BadExemplars++
	if d.fault.samples == "" {
		d.fault.samples = reason
	}
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

var decodePanics = metrics.NewCounter("wrackline_ingest_decode_panics_total")
