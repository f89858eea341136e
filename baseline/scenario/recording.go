package scenario

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A recording is a gzip stream: a magic line, then records until it ends. All lengths are unsigned varints.
//
//	"wrackline recording 3\n"
//	record: len | receivedMs (8 bytes, little endian) | len(sender) sender | len(cluster) cluster | proto | encoding | body (the rest)
//
// cluster is that of the sender's token, "" = none. proto and encoding are a byte each, 0 = remote write 1.0 and snappy; other values are those of package ingest. Version 2 had no cluster, version 1 none of the three.
// Bodies are what came over the wire, so a replay exercises the decoder too. Bodies are compressed already; gzip still
// saves two thirds, since one request repeats the labels of the one before.
const (
	recordingMagic = "wrackline recording 3\n"
	recordingV2    = "wrackline recording 2\n"
	recordingV1    = "wrackline recording 1\n"
)

// recordMax bounds a record that is read, so that a damaged length cannot ask for all memory.
const recordMax = 32 << 20

// Record is one request of a recording. Its slices are borrowed until the next one is read.
type Record struct {
	ReceivedMs      int64
	Sender          string
	Cluster         string // of the sender's token; "" = none
	Proto, Encoding uint8  // as package ingest numbers them
	Body            []byte
}

// ErrNotRecording is returned for a file that does not begin as a recording.
var ErrNotRecording = errors.New("not a wrackline recording")

// Recorder writes requests to a recording. Not safe for concurrent use.
type Recorder struct {
	z            *gzip.Writer
	w            *bufio.Writer
	body, buf, h []byte
}

// NewRecorder begins a recording on w. Close must be called to complete it; w is not closed.
func NewRecorder(w io.Writer) (*Recorder, error) {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	r := &Recorder{z: z, w: bufio.NewWriterSize(z, 1<<16)}
	_, err = r.w.WriteString(recordingMagic)
	return r, err
}

// Write appends a request.
func (r *Recorder) Write(q *Request) error {
	r.body, r.buf = q.AppendBody(r.body[:0], r.buf)
	return r.WriteRecord(Record{ReceivedMs: q.ReceivedMs, Sender: q.Sender, Cluster: q.Cluster, Body: r.body})
}

// WriteRecord appends a request that is encoded already.
func (r *Recorder) WriteRecord(rec Record) error {
	h := binary.LittleEndian.AppendUint64(r.h[:0], uint64(rec.ReceivedMs))
	h = binary.AppendUvarint(h, uint64(len(rec.Sender)))
	h = append(h, rec.Sender...)
	h = binary.AppendUvarint(h, uint64(len(rec.Cluster)))
	h = append(h, rec.Cluster...)
	h = append(h, rec.Proto, rec.Encoding)
	r.h = h
	var n [binary.MaxVarintLen64]byte
	if _, err := r.w.Write(n[:binary.PutUvarint(n[:], uint64(len(h)+len(rec.Body)))]); err != nil {
		return err
	}
	if _, err := r.w.Write(h); err != nil {
		return err
	}
	_, err := r.w.Write(rec.Body)
	return err
}

// Close completes the recording.
func (r *Recorder) Close() error {
	if err := r.w.Flush(); err != nil {
		return err
	}
	return r.z.Close()
}

// ReadRecording calls fn for every request of a recording, in order, and stops at fn's first error. A recording that was
// cut off gives io.ErrUnexpectedEOF after its last whole request; one that is none, ErrNotRecording.
func ReadRecording(src io.Reader, fn func(Record) error) error {
	z, err := gzip.NewReader(bufio.NewReaderSize(src, 1<<16))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRecording, err)
	}
	r := bufio.NewReaderSize(z, 1<<16)
	magic := make([]byte, len(recordingMagic))
	if _, err := io.ReadFull(r, magic); err != nil || !slices.Contains([]string{recordingMagic, recordingV2, recordingV1}, string(magic)) {
		return ErrNotRecording
	}
	kinds := 2 // bytes of proto and encoding
	if string(magic) == recordingV1 {
		kinds = 0
	}
	clusters := string(magic) == recordingMagic
	var buf []byte
	for i := 0; ; i++ {
		n, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		if n < 9 || n > recordMax {
			return fmt.Errorf("request %d: length of %d bytes", i, n)
		}
		if uint64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(r, buf); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("request %d: %w", i, err)
		}
		rec := Record{ReceivedMs: int64(binary.LittleEndian.Uint64(buf))}
		rest, ok := buf[8:], true
		if rec.Sender, rest, ok = cutString(rest); ok && clusters {
			rec.Cluster, rest, ok = cutString(rest)
		}
		if !ok || len(rest) < kinds {
			return fmt.Errorf("request %d: names that are longer than it", i)
		}
		if kinds > 0 {
			rec.Proto, rec.Encoding = rest[0], rest[1]
		}
		rec.Body = rest[kinds:]
		if err := fn(rec); err != nil {
			return err
		}
	}
}

// cutString reads a string with its length before it. ok is false when b does not hold it.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", nil, false
	}
	return string(b[k : k+int(n)]), b[k+int(n):], true
}

// WriteTruth writes ground truth, one JSON object a line.
func WriteTruth(w io.Writer, truth []Truth) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, t := range truth {
		if err := e.Encode(t); err != nil {
			return err
		}
	}
	return nil
}

// ReadTruth reads what WriteTruth wrote. Empty lines are skipped; errors carry the line.
func ReadTruth(r io.Reader) ([]Truth, error) {
	var out []Truth
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for line := 1; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var t Truth
		d := json.NewDecoder(bytes.NewReader(s.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&t); err != nil {
			return out, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, t)
	}
	return out, s.Err()
}
