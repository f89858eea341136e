package history

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
)

const (
	frameMax  = 8 << 20   // of a stream of chunks; Prometheus makes them of 1 MiB
	lineMax   = 64 << 20  // of an export
	seriesMax = 2_000_000 // of a span
	besides   = 200       // bytes that a series takes beside its samples and labels
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// matcher is what finds series by the names of their metrics.
func matcher(metrics []string) string {
	quoted := make([]string, len(metrics))
	for i, m := range metrics {
		quoted[i] = regexp.QuoteMeta(m)
	}
	return strings.Join(quoted, "|")
}

// remoteRead asks for streamed chunks, and takes samples where a server has nothing else.
func (s *Source) remoteRead(ctx context.Context, out *Span, metrics []string) error {
	req := &prompb.ReadRequest{AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES},
		Queries: []*prompb.Query{{StartTimestampMs: out.from + 1, EndTimestampMs: out.to,
			Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: series.NameLabel, Value: matcher(metrics)}}}}}
	b, err := req.Marshal()
	if err != nil {
		return err
	}
	resp, err := s.ask(ctx, "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, b)),
		map[string]string{"Content-Encoding": "snappy", "Accept-Encoding": "snappy", "X-Prometheus-Remote-Read-Version": "0.1.0"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch kind := resp.Header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/x-streamed-protobuf"):
		return s.streamed(out, resp.Body)
	case strings.HasPrefix(kind, "application/x-protobuf"):
		return s.sampled(out, resp.Body)
	default:
		return &Error{200, fmt.Sprintf("%s answers with %q, which is no remote read: is a login page or a proxy in between?", s.Address(), series.Clean(kind, 100)), false}
	}
}

// streamed reads frames: length, CRC-32C, a message with some series.
func (s *Source) streamed(out *Span, body io.Reader) error {
	r := bufio.NewReaderSize(body, 64<<10)
	held := int64(0)
	var newest *one
	for {
		size, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return nil // between two frames: the end
		}
		if err != nil {
			return err
		}
		if size > frameMax {
			return fmt.Errorf("%w: a frame of %d bytes", errCut, size)
		}
		var sum [4]byte
		if _, err := io.ReadFull(r, sum[:]); err != nil {
			return noEOF(err)
		}
		frame := make([]byte, size) // kept: chunks lie in it
		if _, err := io.ReadFull(r, frame); err != nil {
			return noEOF(err)
		}
		if crc32.Checksum(frame, castagnoli) != binary.BigEndian.Uint32(sum[:]) {
			return fmt.Errorf("%w: checksum of a frame", errCut)
		}
		if n, err := frameShape.weigh(frame, s.opts.BytesMax); err != nil {
			return err
		} else if n > s.opts.BytesMax {
			return ErrLarge
		}
		var m prompb.ChunkedReadResponse
		if err := m.Unmarshal(frame); err != nil {
			return fmt.Errorf("%w: %v", errCut, err)
		}
		for _, c := range m.ChunkedSeries {
			labels, err := s.labels(c.Labels)
			if err != nil {
				return err
			}
			if newest == nil || newest.labels.String() != labels.String() { // a series may be continued in the next frame
				newest = &one{labels: labels}
				out.list = append(out.list, newest)
				held += besides + labelBytes(labels)
			}
			for i := range c.Chunks {
				if c.Chunks[i].Type != prompb.Chunk_XOR {
					out.Histograms++
					continue
				}
				if len(c.Chunks[i].Data) < 2 { // its header
					return fmt.Errorf("%w: a chunk without a header", errCut)
				}
				newest.chunks = append(newest.chunks, c.Chunks[i].Data)
				held += int64(len(c.Chunks[i].Data)) + 24
			}
		}
		if held > s.opts.BytesMax || len(out.list) > seriesMax {
			return ErrLarge
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func labelBytes(l series.Labels) (n int64) {
	for _, x := range l {
		n += int64(len(x.Name)+len(x.Value)) + 32
	}
	return n
}

// labels makes a label set of a source's.
func (s *Source) labels(list []prompb.Label) (series.Labels, error) {
	out := make(series.Labels, 0, len(list))
	for _, l := range list {
		out = append(out, series.Label{Name: l.Name, Value: l.Value})
	}
	return s.canonical(out)
}

func (s *Source) canonical(l series.Labels) (series.Labels, error) {
	set, err := series.Canonical(l)
	if err != nil {
		return nil, &Error{200, fmt.Sprintf("%s sends a series with wrong labels: %v", s.Address(), err), false}
	}
	return set, nil
}

// sampled reads an answer with samples in one message.
func (s *Source) sampled(out *Span, body io.Reader) error {
	packed, err := io.ReadAll(io.LimitReader(body, s.opts.BytesMax/4+1))
	if err != nil {
		return noEOF(err)
	}
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return fmt.Errorf("%w: %v", errCut, err)
	}
	if int64(len(packed)) > s.opts.BytesMax/4 || int64(n) > s.opts.BytesMax/2 {
		return ErrLarge
	}
	plain, err := snappy.Decode(nil, packed)
	if err != nil {
		return fmt.Errorf("%w: %v", errCut, err)
	}
	if n, err := answerShape.weigh(plain, 2*s.opts.BytesMax); err != nil { // with what it is copied into, for a moment
		return err
	} else if n > 2*s.opts.BytesMax {
		return ErrLarge
	}
	var m prompb.ReadResponse
	if err := m.Unmarshal(plain); err != nil {
		return fmt.Errorf("%w: %v", errCut, err)
	}
	for _, r := range m.Results {
		for _, ts := range r.Timeseries {
			labels, err := s.labels(ts.Labels)
			if err != nil {
				return err
			}
			x := &one{labels: labels, samples: make([]series.Sample, len(ts.Samples))}
			for i, p := range ts.Samples {
				x.samples[i] = series.Sample{T: p.Timestamp, V: p.Value}
			}
			out.Histograms += int64(len(ts.Histograms))
			out.list = append(out.list, x)
		}
	}
	return nil
}

// export reads a VictoriaMetrics' lines, one or more a series.
func (s *Source) export(ctx context.Context, out *Span, metrics []string) error {
	form := url.Values{"match[]": {`{__name__=~"` + strings.ReplaceAll(matcher(metrics), `\`, `\\`) + `"}`},
		"start": {strconv.FormatFloat(float64(out.from+1)/1000, 'f', 3, 64)}, "end": {strconv.FormatFloat(float64(out.to)/1000, 'f', 3, 64)}}
	resp, err := s.ask(ctx, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r := bufio.NewReaderSize(resp.Body, 256<<10)
	by := map[string]*one{}
	held := int64(0)
	for {
		line, err := readLine(r)
		if err != nil && err != io.EOF {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			var row struct {
				Metric     map[string]string `json:"metric"`
				Values     []number          `json:"values"`
				Timestamps []int64           `json:"timestamps"`
			}
			if e := json.Unmarshal(line, &row); e != nil || len(row.Values) != len(row.Timestamps) || row.Metric == nil {
				return fmt.Errorf("%w: a line that is no series: %s", errCut, series.Clean(string(line[:min(len(line), 100)]), 100))
			}
			labels := make(series.Labels, 0, len(row.Metric))
			for k, v := range row.Metric {
				labels = append(labels, series.Label{Name: k, Value: v})
			}
			if labels, e := s.canonical(labels); e != nil {
				return e
			} else {
				key := labels.String()
				x := by[key]
				if x == nil {
					x = &one{labels: labels}
					by[key], out.list = x, append(out.list, x)
					held += besides + labelBytes(labels)
				}
				for i, t := range row.Timestamps {
					x.samples = append(x.samples, series.Sample{T: t, V: float64(row.Values[i])})
				}
			}
			held += int64(len(row.Values)) * 24
			if held > s.opts.BytesMax || len(out.list) > seriesMax {
				return ErrLarge
			}
		}
		if err == io.EOF {
			break
		}
	}
	for _, x := range out.list {
		slices.SortStableFunc(x.samples, func(a, b series.Sample) int { return cmp.Compare(a.T, b.T) })
	}
	slices.SortFunc(out.list, func(a, b *one) int { return strings.Compare(a.labels.String(), b.labels.String()) }) // the order of lines is nobody's word
	return nil
}

// number is a value as VictoriaMetrics writes it: null stands for what is none, and strings for infinities.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" { // what Prometheus sent as the end of a series
		*n = number(series.StaleNaN)
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return err
	}
	*n = number(v)
	return nil
}

// readLine returns the next line, bounded. It is io.EOF behind the last one, with what has no end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > lineMax {
			return nil, ErrLarge
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}
