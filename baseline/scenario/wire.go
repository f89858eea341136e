package scenario

import "github.com/wrackline/wrackline/baseline/wire"

// AppendWrite appends the request as an uncompressed remote-write 1.0 message.
func (r *Request) AppendWrite(dst []byte) []byte {
	for i, e := range r.Entries {
		ref := r.rows[i]
		if ref.rows.wire == nil || len(ref.rows.wire) < len(ref.rows.labels) {
			ref.rows.encode()
		}
		dst = wire.AppendSeries(dst, ref.rows.wire[ref.row], r.Samples[e.SampleLo:e.SampleHi])
	}
	return dst
}

// AppendBody appends the request as a remote-write 1.0 body: the message in a snappy block. buf is scratch space that is
// returned, grown, for the next call.
func (r *Request) AppendBody(dst, buf []byte) (body, scratch []byte) {
	buf = r.AppendWrite(buf[:0])
	return wire.AppendBody(dst, buf), buf
}

// encode makes the protobuf bytes of the labels that have none yet.
func (r *rows) encode() {
	for _, l := range r.labels[len(r.wire):] {
		var out []byte
		for _, x := range l {
			out = wire.AppendLabel(out, x.Name, x.Value)
		}
		r.wire = append(r.wire, out)
	}
}
