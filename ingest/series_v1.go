package ingest

// A series of remote write 1.0.

var (
	knownSeriesV1 = fields(1, 2, 3, 4)
	partsSeriesV1 = parts{
		0: "series", 1<<3 | wireBytes: "label", 2<<3 | wireBytes: "sample", 3<<3 | wireBytes: "exemplar", 4<<3 | wireBytes: "histogram",
	}
)

// seriesV1 reads series i: labels = 1, samples = 2, exemplars = 3, histograms = 4.
func (d *Decoder) seriesV1(i int) error {
	x := d.spans[i]
	b := d.raw[:x.hi]
	m := d.begin()
	// The label fields lie together nearly always; where they do not, their bytes are gathered.
	labelLo, labelHi, gathered := -1, -1, false
	for at := int(x.lo); at < len(b); {
		f := readField(b, at)
		ok := f.hi >= 0
		switch {
		case !ok:
		case f.tag == 1<<3|wireBytes:
			// Labels follow each other, and nearly all are shorter than 128 bytes.
			hi := f.hi
			for hi+1 < len(b) && b[hi] == 1<<3|wireBytes && b[hi+1] < 0x80 && hi+2+int(b[hi+1]) <= len(b) {
				hi += 2 + int(b[hi+1])
			}
			f.hi = hi
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
		case f.tag == 2<<3|wireBytes:
			ok = d.sample(b[f.lo:f.hi], false)
		case f.tag == 3<<3|wireBytes:
			ok = wellFormed(b[f.lo:f.hi])
			m.exemplars++
		case f.tag == 4<<3|wireBytes:
			ok = d.histogram(b[f.lo:f.hi])
		default:
			ok = f.foreign(knownSeriesV1)
		}
		if !ok {
			return partsSeriesV1.malformed(f.tag, at)
		}
		if d.seen > d.limits.SamplesMax {
			return nil // the caller refuses the request
		}
		at = f.hi
	}
	var key uint64
	switch {
	case labelLo < 0:
		d.fault.reason = "series has no labels"
	case gathered:
		key = d.keyer.Bytes(d.scratch)
	default:
		key = d.keyer.Bytes(b[labelLo:labelHi])
	}
	d.finish(i, key, m)
	return nil
}
