package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SendOptions configure Send. URL is required.
type SendOptions struct {
	// URL is where remote write goes.
	URL string
	// Token is sent as a bearer token when not empty.
	Token string
	// NameSenders adds sender=NAME of the Prometheus to the URL's query, as two of a pair on one machine need it.
	NameSenders bool
	// Speed is how many simulated seconds pass in one; 0 = 1, negative = as fast as the receiver takes it.
	Speed float64
	// UntilMs ends the sending, simulated Unix milliseconds; 0 = when ctx ends.
	UntilMs int64
	// Queue is how many requests each shard holds before the simulation waits; 0 = 16.
	Queue int
	// RetryFor is how long a request is retried; 0 = two minutes.
	RetryFor time.Duration
	// Timeout of one try; 0 = 30 s.
	Timeout time.Duration
	// Recorder also gets every request, before it is sent; nil = none.
	Recorder *Recorder
	// Client sends; nil = a client of its own.
	Client *http.Client
	// Progress is called about once a second, from the goroutine that plays; nil = never.
	Progress func(SendStats)
}

// SendStats counts what became of samples. A sample is acknowledged when its request got a 2xx answer.
type SendStats struct {
	NowMs                   int64 // simulated time
	Requests, Samples       int64 // made
	AckedRequests, Acked    int64
	Refused                 int64 // samples in requests that got a 4xx: given up at once
	Lost                    int64 // samples given up after retries, or when ctx ended
	Retries                 int64
	Bytes                   int64 // acknowledged, compressed
	BehindMax               time.Duration
	Elapsed                 time.Duration
	LatencyMean, LatencyMax time.Duration // of acknowledged tries
}

// sendCounters is SendStats while many goroutines write it.
type sendCounters struct {
	acked, ackedRequests, refused, lost, retries, bytes atomic.Int64
	latencySum, latencyMax                              atomic.Int64
	first                                               atomic.Pointer[string] // first refusal or loss, for the final error
}

// outgoing is an encoded request on its way.
type outgoing struct {
	body    []byte
	samples int
	sender  string
}

// Send plays g and sends what it yields to a remote-write 1.0 URL, each shard of each Prometheus from its own goroutine and in
// order, at Speed. It retries 5xx and 429 answers and broken connections, waiting as Retry-After says, and gives up on other
// 4xx answers at once. It returns when UntilMs or the end of ctx is reached and all queues are empty or given up; the error
// says what was refused or lost first, if anything was. Memory is bounded: when a queue is full, simulated time waits.
func Send(ctx context.Context, g *Generator, o SendOptions) (SendStats, error) {
	if o.URL == "" {
		return SendStats{}, errors.New("no URL to send to")
	}
	o = o.withDefaults()
	if o.Client == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 2 * g.Config().Shards
		t.DisableCompression = true
		o.Client = &http.Client{Transport: t}
		defer t.CloseIdleConnections()
	}
	s := &sending{o: o, g: g, begun: time.Now(), queues: make([]chan outgoing, 2*g.Config().Shards)}
	s.pool.New = func() any { return new([]byte) }
	var wg sync.WaitGroup
	for i := range s.queues {
		q := make(chan outgoing, o.Queue)
		s.queues[i] = q
		wg.Go(func() {
			for out := range q {
				post(ctx, &s.o, &s.c, out)
				s.pool.Put(&out.body)
			}
		})
	}
	err := s.play(ctx)
	for _, q := range s.queues {
		close(q)
	}
	wg.Wait()
	if err == nil {
		if p := s.c.first.Load(); p != nil {
			err = errors.New(*p)
		}
	}
	return s.stats(), err
}

func (o SendOptions) withDefaults() SendOptions {
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.UntilMs == 0 {
		o.UntilMs = 1<<63 - 1
	}
	if o.Queue <= 0 {
		o.Queue = 16
	}
	if o.RetryFor <= 0 {
		o.RetryFor = 2 * time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return o
}

// sending is a Send under way.
type sending struct {
	o      SendOptions
	g      *Generator
	begun  time.Time
	queues []chan outgoing // by replica, then shard
	pool   sync.Pool       // bodies
	c      sendCounters
	made   SendStats // what play counts
}

// play yields requests at the speed that is asked for and queues them. It ends without an error when ctx does.
func (s *sending) play(ctx context.Context) error {
	var scratch []byte
	start, told := int64(0), s.begun
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r, ok := s.g.Next(s.o.UntilMs)
		if !ok {
			if r, ok = s.g.Drain(); !ok {
				return nil
			}
		}
		if start == 0 {
			start = r.ReceivedMs
		}
		if s.o.Speed > 0 {
			due := s.begun.Add(time.Duration(float64(r.ReceivedMs-start) / s.o.Speed * float64(time.Millisecond)))
			if wait := time.Until(due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return nil
				}
			} else {
				s.made.BehindMax = max(s.made.BehindMax, -wait)
			}
		}
		if s.o.Recorder != nil {
			if err := s.o.Recorder.Write(r); err != nil {
				return fmt.Errorf("record: %w", err)
			}
		}
		buf := *s.pool.Get().(*[]byte)
		buf, scratch = r.AppendBody(buf[:0], scratch)
		s.made.NowMs = r.ReceivedMs
		s.made.Requests++
		s.made.Samples += int64(len(r.Samples))
		out := outgoing{buf, len(r.Samples), r.Sender}
		select {
		case s.queues[r.Replica*s.g.Config().Shards+r.Shard] <- out:
		case <-ctx.Done():
			s.c.lost.Add(int64(out.samples))
			return nil
		}
		if s.o.Progress != nil && time.Since(told) >= time.Second {
			told = time.Now()
			s.o.Progress(s.stats())
		}
	}
}

// stats is for the goroutine that plays.
func (s *sending) stats() SendStats {
	out, c := s.made, &s.c
	out.Elapsed = time.Since(s.begun)
	out.Acked, out.AckedRequests, out.Refused, out.Lost = c.acked.Load(), c.ackedRequests.Load(), c.refused.Load(), c.lost.Load()
	out.Retries, out.Bytes = c.retries.Load(), c.bytes.Load()
	out.LatencyMax = time.Duration(c.latencyMax.Load())
	if out.AckedRequests > 0 {
		out.LatencyMean = time.Duration(c.latencySum.Load() / out.AckedRequests)
	}
	return out
}

// post sends one request until it is answered for good.
func post(ctx context.Context, o *SendOptions, c *sendCounters, out outgoing) {
	backoff := 50 * time.Millisecond
	deadline := time.Now().Add(o.RetryFor)
	for {
		begun := time.Now()
		status, wait, answer, err := try(ctx, o, out)
		switch {
		case err == nil && status/100 == 2:
			took := time.Since(begun).Nanoseconds()
			c.ackedRequests.Add(1)
			c.acked.Add(int64(out.samples))
			c.bytes.Add(int64(len(out.body)))
			c.latencySum.Add(took)
			for m := c.latencyMax.Load(); took > m && !c.latencyMax.CompareAndSwap(m, took); m = c.latencyMax.Load() {
			}
			return
		case err == nil && status/100 == 4 && status != http.StatusTooManyRequests:
			c.refused.Add(int64(out.samples))
			c.note(fmt.Sprintf("%d samples refused: status %d: %s", out.samples, status, answer))
			return
		}
		if wait == 0 {
			wait = backoff
			backoff = min(2*backoff, 5*time.Second)
		}
		if ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			c.lost.Add(int64(out.samples))
			if err != nil {
				answer = "no answer"
			}
			c.note(fmt.Sprintf("%d samples given up: status %d: %s", out.samples, status, answer))
			return
		}
		c.retries.Add(1)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

func (c *sendCounters) note(s string) { c.first.CompareAndSwap(nil, &s) }

// try sends a body once. wait is what Retry-After asked for.
func try(ctx context.Context, o *SendOptions, out outgoing) (status int, wait time.Duration, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, bytes.NewReader(out.body))
	if err != nil {
		return 0, 0, "", err
	}
	if o.NameSenders {
		q := req.URL.Query()
		q.Set("sender", out.sender)
		req.URL.RawQuery = q.Encode()
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	req.Header.Set("User-Agent", "wrackline-simulate")
	if o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.Token)
	}
	resp, err := o.Client.Do(req)
	if err != nil {
		return 0, 0, "", err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // for the message only; an answer that breaks off is still an answer
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		wait = time.Duration(min(s, 60)) * time.Second
	}
	return resp.StatusCode, wait, strings.TrimSpace(string(text)), nil
}

// Rate returns how many samples a second a cluster of c sends at speed 1, counting each Prometheus.
func Rate(c Config) (float64, error) {
	c.Quiet, c.Faults = true, nil
	g, err := New(c)
	if err != nil {
		return 0, err
	}
	start := g.Config().StartMs
	g.Skip(start + 120_000)
	return float64(g.Stats().Samples) / 120, nil
}

// ScaleTo returns c with as many replicas, and nodes to carry them, as it takes to send at least rate samples a second.
func ScaleTo(c Config, rate float64) (Config, error) {
	c.Profile.Replicas = 1
	one, err := Rate(c)
	if err != nil {
		return c, err
	}
	c, err = c.withDefaults()
	if err != nil || one >= rate {
		return c, err
	}
	two := c
	two.Profile.Replicas = 2
	both, err := Rate(two)
	if err != nil {
		return c, err
	}
	more := both - one // a second a further set of replicas
	c.Profile.Replicas = 1 + int((rate-one)/more+0.999)
	c.Profile.Nodes = max(c.Profile.Nodes, c.Profile.Nodes*c.Profile.Replicas*2/3)
	return c, nil
}
