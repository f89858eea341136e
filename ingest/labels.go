package ingest

import (
	"fmt"
	"hash/maphash"

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
	ref := func(v uint64) error {
		v = uint64(uint32(v)) // as every protobuf reader takes it
		if v >= uint64(len(d.symbols)) {
			return malformed("label reference", int(x.lo))
		}
		if !odd {
			odd, name = true, v
			return nil
		}
		odd = false
		var err error
		dst, err = d.appendLabel(dst, base, d.symbolBytes(name), d.symbolBytes(v))
		return err
	}
	for at := int(x.lo); at < len(b); {
		tag, j := uvarint(b, at)
		if j < 0 {
			return dst, malformed("series", at)
		}
		if tag == 1<<3|wireVarint && d.proto == V2 {
			v, next := uvarint(b, j)
			if next < 0 {
				return dst, malformed("label reference", at)
			}
			if err := ref(v); err != nil {
				return dst, err
			}
			at = next
			continue
		}
		if tag != 1<<3|wireBytes {
			if at = skip(b, j, tag); at < 0 {
				return dst, malformed("series", j)
			}
			continue
		}
		lo, hi := span(b, j)
		if hi < 0 {
			return dst, malformed("label", at)
		}
		if d.proto == V2 {
			for lo < hi {
				v, next := uvarint(b[:hi], lo)
				if next < 0 {
					return dst, malformed("label reference", lo)
				}
				if err := ref(v); err != nil {
					return dst, err
				}
				lo = next
			}
		} else {
			n, v, ok := labelV1(b[lo:hi])
			if !ok {
				return dst, malformed("label", at)
			}
			var err error
			if dst, err = d.appendLabel(dst, base, n, v); err != nil {
				return dst, err
			}
		}
		at = hi
	}
	return dst, nil
}

func (d *Decoder) symbolBytes(ref uint64) []byte {
	s := d.symbols[ref]
	return d.raw[s.lo:s.hi]
}

var knownLabelV1 = fields(1, 2)

// labelV1 reads a label: name = 1, value = 2.
func labelV1(m []byte) (name, value []byte, ok bool) {
	for i := 0; i < len(m); {
		tag, j := uvarint(m, i)
		if j < 0 {
			return nil, nil, false
		}
		switch tag {
		case 1<<3 | wireBytes, 2<<3 | wireBytes:
			lo, hi := span(m, j)
			if hi < 0 {
				return nil, nil, false
			}
			if tag == 1<<3|wireBytes {
				name = m[lo:hi]
			} else {
				value = m[lo:hi]
			}
			i = hi
		default:
			if i = unknown(m, j, tag, knownLabelV1); i < 0 {
				return nil, nil, false
			}
		}
	}
	return name, value, true
}

func (d *Decoder) appendLabel(dst series.Labels, base int, name, value []byte) (series.Labels, error) {
	if len(dst)-base >= series.LabelsMax || len(name) > series.LabelNameMax || len(value) > series.LabelValueMax {
		return dst, series.ErrLabelLimit
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
	at := &d.strings[maphash.Bytes(seed, b)%uint64(len(d.strings))]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}
