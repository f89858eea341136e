// Package ingest is the remote-write door: it bounds, decompresses and decodes what senders post, and answers them.
//
// A Handler takes requests over HTTP, a Decoder turns a body into a series.Batch, and an Appender, which the caller
// gives, makes the batch durable and has it folded: the answer waits for the first alone. Nothing here trusts a sender: every length is checked before memory is
// asked for, and the decoder never builds labels for a series that the engine knows already.
//
// Remote write 1.0 and 2.0 are taken, as snappy blocks or zstd frames. A request that can never succeed is answered
// 400 and nothing else, since some senders retry 413 and 422 for ever; a request that may succeed later is answered
// 503, since others drop what is answered 429.
package ingest

import (
	"context"
	"errors"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest/journal"
)

// Proto is the message that a body holds.
type Proto uint8

// The protocols. Their numbers are written to the journal and must not change.
const (
	V1 Proto = 1 // prometheus.WriteRequest
	V2 Proto = 2 // io.prometheus.write.v2.Request
)

// String returns "v1" or "v2".
func (p Proto) String() string {
	switch p {
	case V1:
		return "v1"
	case V2:
		return "v2"
	}
	return "unknown"
}

// Encoding is how a body is compressed.
type Encoding uint8

// The encodings. Their numbers are written to the journal and must not change.
const (
	Snappy Encoding = 1             // one snappy block, not the framed format
	Zstd   Encoding = 2             // zstd frames
	Plain  Encoding = journal.Plain // the message itself, as the journal gives back what it has compressed; no sender may send it
)

// String returns the encoding's name in a Content-Encoding header.
func (e Encoding) String() string {
	switch e {
	case Snappy:
		return "snappy"
	case Zstd:
		return "zstd"
	case Plain:
		return "identity"
	}
	return "unknown"
}

// Raw is a request as it came, with what is needed to decode it again.
type Raw struct {
	Sender, Cluster string
	ReceivedMs      int64 // Unix milliseconds
	Proto           Proto
	Encoding        Encoding
	Body            []byte // borrowed, compressed
	Decoded         int    // bytes of the message, once it has been decompressed
}

// Appender makes a decoded request durable and has it folded, then or later. It is called by many goroutines and must lock by itself.
// raw is borrowed until it returns, what b holds until done is called, which must happen exactly once, whatever becomes of the request. Once it returns nil the request is safe. An error says that
// the sender shall try again; it should wrap ErrBusy or ErrStorage.
type Appender interface {
	Append(ctx context.Context, raw *Raw, b *series.Batch, done func()) error
}

var (
	// ErrBusy is returned by an Appender that cannot take the request now.
	ErrBusy = errors.New("receiver is busy")
	// ErrStorage is returned by an Appender that could not make the request durable.
	ErrStorage = errors.New("storage is not available")
)

// Limits bound one request. Zero fields get the defaults written beside them.
type Limits struct {
	BodyMax      int64 // bytes on the wire; 8 MiB
	DecodedMax   int64 // bytes after decompression; 32 MiB, at most 1 GiB
	SeriesMax    int   // series in a request; 50,000
	SamplesMax   int   // samples and histograms in a request; 100,000
	BucketsMax   int   // populated buckets, and custom bounds, of one native histogram; 160
	ExemplarsMax int   // exemplars of one series; 64
}

func (l Limits) withDefaults() Limits {
	if l.BodyMax <= 0 {
		l.BodyMax = 8 << 20
	}
	if l.DecodedMax <= 0 {
		l.DecodedMax = 32 << 20
	}
	l.DecodedMax = min(l.DecodedMax, 1<<30) // offsets are 32 bits wide
	if l.SeriesMax <= 0 {
		l.SeriesMax = 50_000
	}
	if l.SamplesMax <= 0 {
		l.SamplesMax = 100_000
	}
	if l.BucketsMax <= 0 {
		l.BucketsMax = 160
	}
	if l.ExemplarsMax <= 0 {
		l.ExemplarsMax = 64
	}
	return l
}

// Info says what a body held.
type Info struct {
	Samples    int // samples put into the batch
	Histograms int // native histograms put into the batch
	Exemplars  int // valid exemplars, counted and not kept
	Metadata   int // metadata entries, counted and not kept
	Decoded    int // bytes after decompression

	BadSeries    int // series refused for a fault of their own
	BadExemplars int // exemplars refused
	Rejected     int // samples and histograms refused, those of bad series included
	// Reason says in words for the sender why the first of them was refused. Empty when nothing was.
	Reason string

	// Encoding is how the body was really compressed. Senders that change encodings mislabel bodies they had queued.
	Encoding Encoding
	// Symbols0 is true when the first symbol of a 2.0 request was not the empty string, which the standard demands.
	Symbols0 bool
}
