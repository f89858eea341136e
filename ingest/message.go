package ingest

// The top level of a message, which is walked along once to count its series and note where each lies.

import (
	"fmt"
	"slices"
)

var (
	knownV1 = fields(1, 3)
	knownV2 = fields(4, 5)

	partsV1 = parts{0: "field", 1<<3 | wireBytes: "series", 3<<3 | wireBytes: "metadata"}
	partsV2 = parts{0: "field", 4<<3 | wireBytes: "symbol", 5<<3 | wireBytes: "series"}
)

// scanV1 walks along the top level of a WriteRequest: series = 1, metadata = 3.
func (d *Decoder) scanV1() error {
	b, foreign := d.raw, false
	for i := 0; i < len(b); {
		f := readField(b, i)
		ok := f.hi >= 0
		switch {
		case !ok:
		case f.tag == 1<<3|wireBytes:
			if err := d.addSpan(f); err != nil {
				return err
			}
		case f.tag == 3<<3|wireBytes:
			d.info.Metadata++
		default:
			foreign = foreign || f.tag == 5<<3|wireBytes
			ok = f.foreign(knownV1)
		}
		if !ok {
			return partsV1.malformed(f.tag, i)
		}
		i = f.hi
	}
	if len(b) > 0 && len(d.spans) == 0 && d.info.Metadata == 0 {
		return notMessage("prometheus.WriteRequest", "io.prometheus.write.v2.Request", foreign)
	}
	return nil
}

// scanV2 walks along the top level of a v2 Request: symbols = 4, series = 5. Symbols may come after series.
func (d *Decoder) scanV2() error {
	b, foreign := d.raw, false
	for i := 0; i < len(b); {
		f := readField(b, i)
		ok := f.hi >= 0
		var err error
		switch {
		case !ok:
		case f.tag == 4<<3|wireBytes:
			err = d.addSymbol(f)
		case f.tag == 5<<3|wireBytes:
			err = d.addSpan(f)
		default:
			foreign = foreign || f.tag == 1<<3|wireBytes
			ok = f.foreign(knownV2)
		}
		if err != nil {
			return err
		}
		if !ok {
			return partsV2.malformed(f.tag, i)
		}
		i = f.hi
	}
	if len(b) > 0 && len(d.spans) == 0 && len(d.symbols) == 0 {
		return notMessage("io.prometheus.write.v2.Request", "prometheus.WriteRequest", foreign)
	}
	d.info.Symbols0 = len(d.symbols) > 0 && d.symbols[0].lo != d.symbols[0].hi
	return nil
}

// addSymbol notes where a symbol lies.
func (d *Decoder) addSymbol(f field) error {
	// Real symbols cost more than 16 bytes with the series that use them; a table of empty strings would cost 8 times
	// its size in memory.
	most := 8192 + len(d.raw)/16
	if len(d.symbols) >= most {
		return &badBody{"limit", fmt.Sprintf("more than %d symbols in a message of %d bytes", most, len(d.raw))}
	}
	if len(d.symbols) == cap(d.symbols) {
		d.symbols = slices.Grow(d.symbols, 1+count(d.raw, f, most-len(d.symbols)))
	}
	d.symbols = append(d.symbols, symbol{extent: extent{uint32(f.lo), uint32(f.hi)}})
	return nil
}

// addSpan notes where a series lies.
func (d *Decoder) addSpan(f field) error {
	if len(d.spans) >= d.limits.SeriesMax {
		return &badBody{"limit", fmt.Sprintf("request holds more than the limit of %d series: lower the sender's max_samples_per_send", d.limits.SeriesMax)}
	}
	if len(d.spans) == cap(d.spans) {
		d.spans = slices.Grow(d.spans, 1+count(d.raw, f, d.limits.SeriesMax-len(d.spans)))
	}
	d.spans = append(d.spans, extent{uint32(f.lo), uint32(f.hi)})
	return nil
}

// count returns how many fields of the same tag follow f in b, at most limit. Looking ahead when a table is full costs
// less than growing it step by step, and leaves nothing behind.
func count(b []byte, f field, limit int) (n int) {
	for tag := f.tag; f.hi < len(b) && n < limit; {
		if f = readField(b, f.hi); f.hi < 0 {
			return n
		}
		if f.tag == tag {
			n++
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
