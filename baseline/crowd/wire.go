package crowd

import (
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/wire"
)

// labels returns the labels of entry i, as they are sent.
func (q *Request) labels(i int) []byte {
	s := &q.w.series[q.lo+i]
	return q.w.wire[s.at : s.at+uint64(s.length)]
}

// AppendLabels implements series.LabelReader.
func (q *Request) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return wire.ReadLabels(dst, q.labels(i))
}

// AppendBody appends the request as a remote-write 1.0 body: the message in a snappy block. buf is scratch space that is returned, grown, for the
// next call.
func (q *Request) AppendBody(dst, buf []byte) (body, scratch []byte) {
	buf = buf[:0]
	for i := range q.Samples {
		buf = wire.AppendSeries(buf, q.labels(i), q.Samples[i:i+1])
	}
	return wire.AppendBody(dst, buf), buf
}
