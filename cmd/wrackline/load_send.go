package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wrackline/wrackline/baseline/crowd"
)

// loadSender sends a crowd's rounds. A shard sends every shards-th request, always the same ones, in order.
type loadSender struct {
	o        loadOptions
	w        *crowd.Crowd
	startMs  int64 // of the first sample
	progress io.Writer
}

// retryFor is how long a request is tried again before its samples are given up.
const retryFor = 2 * time.Minute

// send sends the rounds from lo to below hi and returns what became of them. The first round goes as fast as it is taken.
func (s *loadSender) send(ctx context.Context, lo, hi int) *ackStats {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.DisableCompression = s.o.shards, true
	defer t.CloseIdleConnections()
	client := &http.Client{Transport: t, Timeout: time.Minute}
	begun := time.Now()
	var done atomic.Int64
	of := make([]*ackStats, s.o.shards)
	var wg sync.WaitGroup
	for i := range of {
		of[i] = &ackStats{errors: map[string]int{}}
		wg.Go(func() { s.shard(ctx, client, of[i], i, lo, hi, begun, &done) })
	}
	stop := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(s.progress, "%d of %d requests acknowledged\n", done.Load(), (hi-lo)*s.w.Requests())
			case <-stop:
				return
			}
		}
	})
	wg.Wait()
	close(stop)
	told.Wait()
	all := of[0]
	for _, a := range of[1:] {
		all.add(a)
	}
	slices.Sort(all.took)
	return all
}

// shard sends its share. A request that is late because an earlier one waited goes at once, and how late it was is noted.
func (s *loadSender) shard(ctx context.Context, client *http.Client, a *ackStats, shard, lo, hi int, begun time.Time, done *atomic.Int64) {
	var q crowd.Request
	var body, scratch []byte
	timer := time.NewTimer(0)
	defer timer.Stop()
	interval := s.o.interval.Milliseconds()
	for round := lo; round < hi; round++ {
		for r := shard; r < s.w.Requests(); r += s.o.shards {
			if ctx.Err() != nil {
				return
			}
			at := int64(round)*interval + interval*int64(r)/int64(s.w.Requests())
			s.w.Fill(&q, r, s.startMs+at, s.startMs+at)
			body, scratch = q.AppendBody(body[:0], scratch)
			if s.o.speed > 0 && round > 0 {
				since := float64(at - int64(lo)*interval)
				wait := time.Until(begun.Add(time.Duration(since / s.o.speed * float64(time.Millisecond))))
				a.behind = max(a.behind, -wait)
				if wait > 0 {
					timer.Reset(wait)
					select {
					case <-timer.C:
					case <-ctx.Done():
						return
					}
				}
			}
			s.post(ctx, client, a, q.Sender, body, len(q.Samples))
			done.Add(1)
		}
	}
}

// post sends one request until it is answered for good.
func (s *loadSender) post(ctx context.Context, client *http.Client, a *ackStats, name string, body []byte, samples int) {
	deadline, backoff := time.Now().Add(retryFor), 50*time.Millisecond
	for {
		begun := time.Now()
		status, wait, answer := s.try(ctx, client, name, body)
		if status/100 == 2 {
			a.took = append(a.took, time.Since(begun))
			a.samples += int64(samples)
			a.bytes += int64(len(body))
			return
		}
		what := "no answer"
		if status > 0 {
			what = strconv.Itoa(status)
		}
		a.errors[what]++
		if wait == 0 {
			wait = backoff
			backoff = min(2*backoff, 5*time.Second)
		}
		gone := status/100 == 4 && status != http.StatusTooManyRequests // nothing would change by sending it again
		if gone || time.Now().Add(wait).After(deadline) || ctx.Err() != nil {
			a.failed += int64(samples)
			if a.first == "" {
				a.first = fmt.Sprintf("%s: %s", what, answer)
			}
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// try sends a body once. Status 0 means that there was no answer; wait is what Retry-After asked for.
func (s *loadSender) try(ctx context.Context, client *http.Client, name string, body []byte) (status int, wait time.Duration, answer string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err.Error()
	}
	q := req.URL.Query()
	q.Set("sender", name)
	req.URL.RawQuery = q.Encode()
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	req.Header.Set("User-Agent", "wrackline-load")
	if s.o.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.o.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // for the message only; an answer that breaks off is still an answer
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		wait = time.Duration(min(n, 60)) * time.Second
	}
	return resp.StatusCode, wait, strings.TrimSpace(string(text))
}

// ackStats is what became of requests.
type ackStats struct {
	took           []time.Duration // from the request to its acknowledgement; sorted once all are in
	samples, bytes int64           // acknowledged
	failed         int64           // samples given up
	errors         map[string]int  // by status: tries that were not acknowledged
	first          string          // why samples were given up first
	behind         time.Duration   // by which a request was sent late at most
}

func (a *ackStats) add(b *ackStats) {
	a.took = append(a.took, b.took...)
	a.samples += b.samples
	a.bytes += b.bytes
	a.failed += b.failed
	a.behind = max(a.behind, b.behind)
	if a.first == "" {
		a.first = b.first
	}
	for status, n := range b.errors {
		a.errors[status] += n
	}
}

// quantile returns how long at most a share p of the acknowledgements took; 1 = the longest, 0 when there are none.
func (a *ackStats) quantile(p float64) time.Duration {
	n := len(a.took)
	if n == 0 {
		return 0
	}
	return a.took[min(n-1, int(p*float64(n)))]
}

func (a *ackStats) errorsText() string {
	if len(a.errors) == 0 {
		return "none"
	}
	var out []string
	for _, status := range slices.Sorted(maps.Keys(a.errors)) {
		out = append(out, fmt.Sprintf("%s ×%d", status, a.errors[status]))
	}
	return strings.Join(out, ", ")
}

// short writes a duration in three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// probed is what came of asking for one page again and again.
type probed struct {
	path   string
	acks   ackStats // only took
	errors int
}

// startProbes asks for the receiver's metrics and its status once in o.probe, each for itself, until the function that it returns is called.
func startProbes(ctx context.Context, o loadOptions) (stop func() []*probed) {
	if o.probe == 0 {
		return func() []*probed { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var list []*probed
	var wg sync.WaitGroup
	probe := func(at string) {
		p := &probed{path: at}
		if u, err := url.Parse(at); err == nil {
			p.path = u.Path
		}
		list = append(list, p)
		wg.Go(func() {
			every(ctx, o.probe, func() {
				begun := time.Now()
				err := getAll(ctx, at)
				switch {
				case err == nil:
					p.acks.took = append(p.acks.took, time.Since(begun))
				case ctx.Err() == nil:
					p.errors++
				}
			})
			slices.Sort(p.acks.took)
		})
	}
	probe(o.metricsURL)
	if u, err := url.Parse(o.metricsURL); err == nil {
		u.Path, u.RawQuery = "/api/v1/status", ""
		probe(u.String())
	}
	return func() []*probed {
		cancel()
		wg.Wait()
		return list
	}
}

// getAll reads an answer to its end.
func getAll(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", at, resp.Status)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 256<<20))
	return err
}
