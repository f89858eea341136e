package ingest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Reading bodies. A slow sender must not hold a decoder's place, so bodies are read before that place is asked for.
// What bounds them instead is memory: bytes that have really come are charged to one budget for all requests, and when
// it is used up, requests are sent away until decoders have caught up.
const (
	bodyStep    = 64 << 10         // a body is read, charged and given time in steps of this
	bodyPause   = 10 * time.Second // the longest that one step may take
	bodyTimeout = time.Minute      // the longest that a body may take
	bodyKeep    = 1 << 20          // larger buffers are not pooled
)

// errMemory says that too many bytes of bodies wait to be decoded.
var errMemory = errors.New("too many requests are being read")

// body is a pooled buffer with one request in it.
type body struct {
	b       []byte
	charged int64
}

// bodies reads bodies within a budget of memory.
type bodies struct {
	pool sync.Pool
	used atomic.Int64 // bytes charged
	max  int64
}

// read reads r's body. The result must be given back with put, after errors too.
func (p *bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	x, _ := p.pool.Get().(*body)
	if x == nil {
		x = &body{}
	}
	x.b = x.b[:0]
	if r.ContentLength > limit {
		return x, tooLarge(limit)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return x, nil
	}
	// Deadlines are not supported by every writer (HTTP/2, tests); the server's own timeouts stay in force then.
	c := http.NewResponseController(w)
	begin := time.Now()
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	for step := 0; ; {
		if len(x.b) >= step {
			_ = c.SetReadDeadline(earlier(time.Now().Add(bodyPause), begin.Add(bodyTimeout)))
			step = len(x.b) + bodyStep
		}
		if len(x.b) == cap(x.b) {
			x.grow(r.ContentLength, limit)
		}
		n, err := r.Body.Read(x.b[len(x.b):min(cap(x.b), step)])
		x.b = x.b[:len(x.b)+n]
		x.charged += int64(n)
		if p.used.Add(int64(n)) > p.max {
			return x, errMemory
		}
		if int64(len(x.b)) > limit {
			return x, tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return x, nil
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				bodiesSlow.Inc()
			} else {
				bodiesAborted.Inc()
			}
			return x, &badBody{"aborted", fmt.Sprintf("body ended after %d bytes: %v", len(x.b), err)}
		}
	}
}

// grow makes room for what was announced, though never for more than twice what has come and one step.
func (x *body) grow(announced, limit int64) {
	n := int64(max(2*len(x.b), bodyStep))
	if announced >= int64(len(x.b)) {
		n = min(n, announced+1) // one more byte, so that the end is seen without growing again
	}
	n = max(min(n, limit+1), int64(len(x.b))+1)
	b := make([]byte, len(x.b), n)
	copy(b, x.b)
	x.b = b
}

// put gives a body back.
func (p *bodies) put(x *body) {
	p.used.Add(-x.charged)
	x.charged = 0
	if cap(x.b) > bodyKeep {
		x.b = nil
	}
	p.pool.Put(x)
}

func tooLarge(limit int64) error {
	return &badBody{"limit", fmt.Sprintf("body is larger than the limit of %d bytes (ingest.body_max)", limit)}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

var (
	bodiesSlow    = metrics.NewCounter("wrackline_ingest_bodies_slow_total")
	bodiesAborted = metrics.NewCounter("wrackline_ingest_bodies_aborted_total")
)
