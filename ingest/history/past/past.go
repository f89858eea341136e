// Package past is a server with a past, for tests: it answers remote read and VictoriaMetrics' export over samples in memory, well or badly.
package past

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/wrackline/wrackline/baseline/series"
)

// Server is an http.Handler.
type Server struct {
	Before func(w http.ResponseWriter, r *http.Request) bool // may answer in its place, and returns true then; nil = never
	Plain  bool                                              // remote read answers with samples
	Cut    func(n int) int                                   // how many of the bytes of an answer are sent; nil = all

	mu   sync.Mutex
	list []*one
	by   map[string]*one
}

type one struct {
	labels  series.Labels
	samples []series.Sample
}

// Add appends samples of a series, in the order of time.
func (s *Server) Add(l series.Labels, samples ...series.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := l.String()
	x := s.by[key]
	if x == nil {
		if s.by == nil {
			s.by = map[string]*one{}
		}
		x = &one{labels: slices.Clone(l)}
		s.by[key], s.list = x, append(s.list, x)
	}
	x.samples = append(x.samples, samples...)
}

// chunkOf is how many samples Prometheus puts into a chunk.
const chunkOf = 120

// ServeHTTP answers /api/v1/read and /api/v1/export.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Before != nil && s.Before(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []byte
	switch {
	case strings.HasSuffix(r.URL.Path, "/api/v1/read"):
		packed, _ := io.ReadAll(r.Body)
		plain, err := snappy.Decode(nil, packed)
		var req prompb.ReadRequest
		if err != nil || req.Unmarshal(plain) != nil || len(req.Queries) != 1 {
			http.Error(w, "no remote read", http.StatusBadRequest)
			return
		}
		q := req.Queries[0]
		list := s.find(q.Matchers[0].Value, q.StartTimestampMs, q.EndTimestampMs)
		if s.Plain {
			w.Header().Set("Content-Type", "application/x-protobuf")
			out = plainly(list, q.StartTimestampMs, q.EndTimestampMs)
		} else {
			w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
			out = streamed(list, q.StartTimestampMs, q.EndTimestampMs)
		}
	case strings.HasSuffix(r.URL.Path, "/api/v1/export"):
		from, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		to, _ := strconv.ParseFloat(r.FormValue("end"), 64)
		name := strings.TrimSuffix(strings.TrimPrefix(r.FormValue("match[]"), `{__name__=~"`), `"}`)
		out = exported(s.find(strings.ReplaceAll(name, `\\`, `\`), int64(from*1000), int64(to*1000)), int64(from*1000), int64(to*1000))
	default:
		http.NotFound(w, r)
		return
	}
	if s.Cut != nil {
		out = out[:s.Cut(len(out))]
	}
	_, _ = w.Write(out)
}

func (s *Server) find(name string, from, to int64) (out []*one) {
	re := regexp.MustCompile("^(?:" + name + ")$")
	for _, x := range s.list {
		if re.MatchString(x.labels.Get(series.NameLabel)) && len(x.samples) > 0 && x.samples[0].T <= to && x.samples[len(x.samples)-1].T >= from {
			out = append(out, x)
		}
	}
	return out
}

func labelsOf(l series.Labels) (out []prompb.Label) {
	for _, x := range l {
		out = append(out, prompb.Label{Name: x.Name, Value: x.Value})
	}
	return out
}

// streamed gives whole chunks that overlap the span, as Prometheus does.
func streamed(list []*one, from, to int64) (out []byte) {
	for _, x := range list {
		c := &prompb.ChunkedSeries{Labels: labelsOf(x.labels)}
		for part := range slices.Chunk(x.samples, chunkOf) {
			if part[0].T > to || part[len(part)-1].T < from {
				continue
			}
			chunk := chunkenc.NewXORChunk()
			a, _ := chunk.Appender()
			for _, p := range part {
				a.Append(0, p.T, p.V)
			}
			c.Chunks = append(c.Chunks, prompb.Chunk{MinTimeMs: part[0].T, MaxTimeMs: part[len(part)-1].T, Type: prompb.Chunk_XOR, Data: chunk.Bytes()})
		}
		if len(c.Chunks) == 0 {
			continue
		}
		b, _ := (&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{c}}).Marshal()
		out = binary.AppendUvarint(out, uint64(len(b)))
		out = binary.BigEndian.AppendUint32(out, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		out = append(out, b...)
	}
	return out
}

func plainly(list []*one, from, to int64) []byte {
	var q prompb.QueryResult
	for _, x := range list {
		ts := &prompb.TimeSeries{Labels: labelsOf(x.labels)}
		for _, p := range x.samples {
			if p.T >= from && p.T <= to {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: p.T, Value: p.V})
			}
		}
		q.Timeseries = append(q.Timeseries, ts)
	}
	b, _ := (&prompb.ReadResponse{Results: []*prompb.QueryResult{&q}}).Marshal()
	return snappy.Encode(nil, b)
}

func exported(list []*one, from, to int64) (out []byte) {
	for _, x := range list {
		row := struct {
			Metric     map[string]string `json:"metric"`
			Values     []any             `json:"values"`
			Timestamps []int64           `json:"timestamps"`
		}{Metric: map[string]string{}}
		for _, l := range x.labels {
			row.Metric[l.Name] = l.Value
		}
		for _, p := range x.samples {
			if p.T < from || p.T > to {
				continue
			}
			row.Timestamps = append(row.Timestamps, p.T)
			if p.V != p.V {
				row.Values = append(row.Values, nil)
			} else {
				row.Values = append(row.Values, p.V)
			}
		}
		b, _ := json.Marshal(row)
		out = append(append(out, b...), '\n')
	}
	return out
}
