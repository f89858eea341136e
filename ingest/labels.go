package ingest

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/series"
)

// AppendLabels appends the labels of entry i of the last batch to dst, in the order and spelling of the sender. It
// returns series.ErrLabelLimit before it copies anything beyond that package's limits, and another error for label
// bytes that are no protobuf; the sender can repair neither.
func (d *Decoder) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	if i < 0 || i >= len(d.entries) {
		return dst, fmt.Errorf("entry %d of %d", i, len(d.entries))
	}
	return d.appendLabels(dst, d.spans[i])
}

func (d *Decoder) appendLabels(dst series.Labels, x extent) (series.Labels, error) {
	base := len(dst)
	b := d.raw[:x.hi]
	odd, name := false, uint64(0)
	var err error // the first one
	ref := func(v uint64) {
		v = uint64(uint32(v)) // as every protobuf reader takes it
		switch {
		case err != nil:
		case v >= uint64(len(d.symbols)):
			err = partsSeriesV2.malformed(1<<3|wireBytes, int(x.lo))
		case !odd:
			odd, name = true, v
		default:
			odd = false
			dst, err = d.appendLabel(dst, base, d.symbolBytes(name), d.symbolBytes(v))
		}
	}
	for at := int(x.lo); at < len(b); {
		f := readField(b, at)
		ok := f.hi >= 0
		switch {
		case !ok:
		case f.tag == 1<<3|wireBytes && d.proto == V1:
			var name, value []byte
			if name, value, ok = labelV1(b[f.lo:f.hi]); ok {
				dst, err = d.appendLabel(dst, base, name, value)
			}
		case d.proto == V2 && (f.tag == 1<<3|wireBytes || f.tag == 1<<3|wireVarint):
			ok = f.values(b, wireVarint, ref)
		}
		if err == nil && !ok {
			err = d.parts().malformed(f.tag, at)
		}
		if err != nil {
			return dst, err
		}
		at = f.hi
	}
	return dst, nil
}

// parts are those of the protocol's series.
func (d *Decoder) parts() parts {
	if d.proto == V2 {
		return partsSeriesV2
	}
	return partsSeriesV1
}

func (d *Decoder) symbolBytes(ref uint64) []byte {
	s := d.symbols[ref]
	return d.raw[s.lo:s.hi]
}

var knownLabelV1 = fields(1, 2)

// labelV1 reads a label: name = 1, value = 2.
func labelV1(m []byte) (name, value []byte, ok bool) {
	for i := 0; i < len(m); {
		f := readField(m, i)
		if f.hi < 0 {
			return nil, nil, false
		}
		switch f.tag {
		case 1<<3 | wireBytes:
			name = m[f.lo:f.hi]
		case 2<<3 | wireBytes:
			value = m[f.lo:f.hi]
		default:
			if !f.foreign(knownLabelV1) {
				return nil, nil, false
			}
		}
		i = f.hi
	}
	return name, value, true
}

func (d *Decoder) appendLabel(dst series.Labels, base int, name, value []byte) (series.Labels, error) {
	switch {
	case len(dst)-base >= series.LabelsMax:
		return dst, series.TooManyLabels(series.LabelsMax + 1)
	case len(name) > series.LabelNameMax:
		return dst, series.NameTooLong(string(name))
	case len(value) > series.LabelValueMax:
		return dst, series.ValueTooLong(string(name), len(value))
	}
	return append(dst, series.Label{Name: d.string(name), Value: d.string(value)}), nil
}

// string returns b as a string, one that it made before when it still has it. Label names and most values repeat in
// thousands of series, so a new series costs few allocations and its strings share memory with its siblings'.
func (d *Decoder) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 128 {
		return string(b)
	}
	if d.strings == nil {
		d.strings = new([4096]string)
	}
	at := &d.strings[d.keyer.Bytes(b)%uint64(len(d.strings))]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}
