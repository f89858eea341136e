package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/series"
)

// Token is a bearer token and what it says about whoever holds it.
type Token struct {
	Token           string
	Sender, Cluster string // either may be empty
}

// State says whether requests are taken; when they are not, they are answered 503, and doing, which follows "Wrackline is", says why. Safe for concurrent use.
type State func() (ok bool, doing string)

// Options configure a Handler. Appender is required; every other zero value is useful.
type Options struct {
	Appender Appender
	Limits   Limits
	Keyer    *series.Keyer // makes the keys of series; nil = one of the process
	Tokens   []Token       // none = everybody may write, unless Closed
	// Admits says of somebody who needs no token of these that they may write, and as whom; either name may be empty. nil = nobody. It may be called from any goroutine.
	Admits func(*http.Request) (sender, cluster string, ok bool)
	// Closed reports whether nobody may write whom neither a token nor Admits lets in; nil = as Tokens say. It may be called from any goroutine.
	Closed      func() bool
	Concurrency int           // requests decoded at a time; 0 = 2 × GOMAXPROCS
	QueueWait   time.Duration // the longest wait for one's turn; 0 = 2 s
	Logger      *slog.Logger  // nil = discard
	Clock       *Clock        // makes receive stamps; nil = one of its own
	Ready       State         // nil = always ready
	Heard       *Heard        // remembers who was heard from; nil = one of the handler
}

// Handler answers POST requests of remote write 1.0 and 2.0. Safe for concurrent use.
//
// Order: method, credentials, negotiation, body, a decoder's turn, decoding, Appender, answer. Nothing is done for
// strangers, and nothing is read of what could not be understood.
//
// ?cluster=NAME fixes the cluster of all series and ?sender=NAME the sender, unless the token does.
type Handler struct {
	appender  Appender
	limits    Limits
	keyer     *series.Keyer
	tokens    []credential
	admits    func(*http.Request) (sender, cluster string, ok bool)
	closed    func() bool
	gate      chan struct{}
	queueWait time.Duration
	logger    *slog.Logger
	clock     *Clock
	ready     State
	bodies    bodies
	decoders  idle
	known     known
	denied    atomic.Pointer[Denied]
	refused   atomic.Pointer[Refused]
	heard     *Heard
	logged    atomic.Int64 // Unix seconds of the last warning, so that a broken sender cannot fill the log
}

// Denied says who was refused for want of a valid token. Prometheus gives such samples up, so somebody should know.
type Denied struct {
	Requests int64  // since the handler was made
	LastMs   int64  // when the last one was, Unix milliseconds by the handler's clock
	From     string // its remote host
}

// Denied returns what was refused for want of a valid token; the zero value when nothing was. Safe for concurrent use.
func (h *Handler) Denied() Denied {
	if d := h.denied.Load(); d != nil {
		return *d
	}
	return Denied{}
}

// deny counts one.
func (h *Handler) deny(from string) {
	for {
		old := h.denied.Load()
		next := &Denied{Requests: 1, LastMs: h.clock.Now().UnixMilli(), From: from}
		if old != nil {
			next.Requests += old.Requests
		}
		if h.denied.CompareAndSwap(old, next) {
			return
		}
	}
}

// Refused says what of requests was refused for a fault of their samples or series. Senders give such samples up, so somebody should know.
type Refused struct {
	Samples int64 // since the handler was made
	LastMs  int64 // when the last ones were, Unix milliseconds by the handler's clock
	From    string
	Reason  string // of the first of the last ones
}

// Refused returns what was refused; the zero value when nothing was. Safe for concurrent use.
func (h *Handler) Refused() Refused {
	if r := h.refused.Load(); r != nil {
		return *r
	}
	return Refused{}
}

// note keeps what was refused of a request.
func (h *Handler) note(raw *Raw, info *Info, res series.Result) {
	n := int64(info.Rejected + res.Barred)
	for n > 0 {
		old := h.refused.Load()
		next := &Refused{Samples: n, LastMs: raw.ReceivedMs, From: raw.Sender, Reason: oneLine(cmp.Or(info.Reason, res.Reason))}
		if old != nil {
			next.Samples += old.Samples
		}
		if h.refused.CompareAndSwap(old, next) {
			return
		}
	}
}

// credential is a token as it is kept: only its hash.
type credential struct {
	sum             [sha256.Size]byte
	sender, cluster string
}

// NewHandler returns a handler that gives what it accepts to o.Appender.
func NewHandler(o Options) *Handler {
	h := &Handler{
		appender:  o.Appender,
		limits:    o.Limits.withDefaults(),
		queueWait: o.QueueWait,
		logger:    o.Logger,
		clock:     o.Clock,
		ready:     o.Ready,
		heard:     o.Heard,
		admits:    o.Admits,
		closed:    o.Closed,
	}
	if h.heard == nil {
		h.heard = &Heard{}
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 2 * runtime.GOMAXPROCS(0)
	}
	if h.queueWait <= 0 {
		h.queueWait = 2 * time.Second
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.clock == nil {
		h.clock = NewClock(nil, o.Logger)
	}
	if h.ready == nil {
		h.ready = func() (bool, string) { return true, "" }
	}
	for _, t := range o.Tokens {
		h.tokens = append(h.tokens, credential{sha256.Sum256([]byte(t.Token)), t.Sender, t.Cluster})
	}
	h.gate = make(chan struct{}, o.Concurrency)
	h.bodies.max = 2 * int64(o.Concurrency) * h.limits.BodyMax
	h.keyer = o.Keyer
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	a := h.serve(w, r)
	h.heard.note(remoteHost(r), &a, h.clock.Now().UnixMilli())
	h.answer(w, r, a)
	requestSeconds.UpdateDuration(begin)
}

// answer is what a request is told.
type answer struct {
	code       int
	kind       string // label of the metric of refused requests; "" = none
	errorType  string
	sender     string // who asked, once that is known
	reason     string
	proto      Proto
	counts     bool // the request is one of 2.0, so the counts of what was written are sent
	samples    int
	histograms int
	exemplars  int
	plain      string // body of 200
	gone       bool   // nobody listens any more
}

// bad makes a of a request that no retry repairs.
func (a answer) bad(kind, reason string) answer {
	a.code, a.kind, a.errorType, a.reason = http.StatusBadRequest, kind, "bad_data", reason
	return a
}

// busy makes a of a request that may succeed later.
func (a answer) busy(kind, reason string) answer {
	a.code, a.kind, a.errorType, a.reason = http.StatusServiceUnavailable, kind, "unavailable", reason
	return a
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) answer {
	raw, a := h.admit(w, r)
	if a.code != 0 {
		return a
	}
	x, err := h.bodies.read(w, r, h.limits.BodyMax)
	defer h.bodies.put(x)
	switch {
	case errors.Is(err, errMemory):
		return a.busy("memory", err.Error())
	case err != nil:
		a.gone = r.Context().Err() != nil
		return a.bad(kindOf(err), err.Error())
	}
	raw.Body = x.b
	wireBytesTotal.Add(len(x.b))

	if !h.enter(r.Context()) {
		a.gone = r.Context().Err() != nil
		return a.busy("queue", "too many requests at once")
	}
	defer func() { <-h.gate }()
	return h.take(r.Context(), &raw, remoteHost(r), a)
}

// admit decides by a request's head alone: it returns what is known of the request, or an answer with a code.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) (raw Raw, a answer) {
	probe := r.Method == http.MethodGet && r.URL.Query().Has("get_vm_proto_version")
	if r.Method != http.MethodPost && !probe {
		w.Header().Set("Allow", http.MethodPost)
		return raw, answer{code: http.StatusMethodNotAllowed, kind: "method", errorType: "bad_data", reason: "remote write is POST only"}
	}
	sender, cluster, ok := h.authenticate(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="wrackline"`)
		h.deny(remoteHost(r))
		return raw, answer{code: http.StatusUnauthorized, kind: "credentials", errorType: "unauthorized", reason: "a valid bearer token is required"}
	}
	if probe {
		// vmagent asks whether it may send zstd.
		return raw, answer{code: http.StatusOK, plain: "1"}
	}
	p, e, reason := negotiate(r.Header)
	if reason != "" {
		return raw, answer{code: http.StatusUnsupportedMediaType, kind: "media", errorType: "bad_data", reason: reason, sender: sender}
	}
	a = answer{proto: p, counts: p == V2} // a sender of 1.0 expects none, and the compliance suite forbids them
	raw = Raw{Sender: sender, Cluster: cluster, Proto: p, Encoding: e}
	if raw.Cluster == "" {
		raw.Cluster = r.URL.Query().Get("cluster")
	}
	if raw.Sender == "" {
		raw.Sender = senderOf(r)
	}
	if nameOK(raw.Sender) {
		a.sender = raw.Sender
	}
	if !nameOK(raw.Cluster) || !nameOK(raw.Sender) {
		return raw, a.bad("name", "cluster and sender must be printable and at most 128 bytes long")
	}
	if ok, doing := h.ready(); !ok {
		return raw, a.busy("starting", "not ready: Wrackline is "+doing)
	}
	return raw, a
}

// take decodes raw, which host sent, and gives it to the Appender. It completes a, and raw by its receive stamp and by how its body is really compressed.
func (h *Handler) take(ctx context.Context, raw *Raw, host string, a answer) answer {
	d := h.decoder()
	batch := series.Batch{Sender: raw.Sender, Cluster: raw.Cluster}
	info, err := d.Decode(raw.Proto, raw.Encoding, raw.Body, &batch)
	raw.Encoding, raw.Decoded = info.Encoding, info.Decoded
	decodedBytesTotal.Add(info.Decoded)
	if err != nil {
		h.release(d)
		kind := kindOf(err)
		if kind == "panic" {
			h.logger.Error("decoder panicked", "err", err, "sender", raw.Sender)
			return a.bad(kind, "internal error while decoding")
		}
		return a.bad(kind, err.Error())
	}
	if info.Symbols0 {
		symbols0Nonempty.Inc()
	}
	raw.ReceivedMs = h.clock.Stamp(raw.Sender, host, &batch)
	batch.ReceivedMs = raw.ReceivedMs
	res, unlabelled, labels := h.known.check(&batch, d.labels)
	d.labels = labels
	if res.Samples+res.Histograms == 0 && res.Barred > unlabelled && h.clock.unsure() {
		h.release(d)
		return a.busy("clock", "which clock is right is being found out: "+res.Reason)
	}
	if unlabelled == info.Samples+info.Histograms { // what is refused for its time the fold counts for the sender
		h.release(d)
	} else if err = h.appender.Append(ctx, raw, &batch, func() { h.release(d) }); err != nil {
		a.gone = ctx.Err() != nil && errors.Is(err, ctx.Err())
		kind := "append"
		switch {
		case errors.Is(err, ErrBusy):
			kind = "busy"
		case errors.Is(err, ErrStorage):
			kind = "storage"
		}
		if kind != "busy" && !a.gone {
			h.warn("request not stored", "err", err, "sender", raw.Sender)
		}
		return a.busy(kind, err.Error())
	}
	h.note(raw, &info, res)
	return a.written(&info, res, unlabelled)
}

// written makes a of a request that is safe but for what info and res say.
func (a answer) written(info *Info, res series.Result, unlabelled int) answer {
	// Exemplars are valid or not by themselves; those of a series that is refused for its labels are not known apart, so when
	// everything was refused none was written.
	a.samples, a.histograms, a.exemplars = res.Samples, res.Histograms, info.Exemplars
	if res.Barred > 0 && res.Samples+res.Histograms == 0 {
		a.exemplars = 0
	}
	samplesTotal.Add(a.samples)
	histogramsTotal.Add(a.histograms)
	exemplarsTotal.Add(a.exemplars)
	metadataTotal.Add(info.Metadata)
	rejectedDecode.Add(info.Rejected)
	rejectedLabels.Add(unlabelled)
	rejectedAhead.Add(res.Barred - unlabelled)
	badSeries.Add(info.BadSeries)
	if info.Reason != "" || res.Barred > 0 {
		return a.bad("partial", refusal(info, res))
	}
	a.code = http.StatusNoContent
	return a
}

// refusal says in one line what was refused and why.
func refusal(info *Info, res series.Result) string {
	reason := info.Reason
	if reason == "" {
		reason = res.Reason
	}
	n := info.Rejected + res.Barred
	of := n + res.Samples + res.Histograms
	var what []string
	if n > 0 {
		what = append(what, fmt.Sprintf("%d of %d samples", n, of))
	}
	if info.BadSeries > 0 {
		what = append(what, fmt.Sprintf("%d series", info.BadSeries))
	}
	if info.BadExemplars > 0 {
		what = append(what, fmt.Sprintf("%d exemplars or metadata", info.BadExemplars))
	}
	return strings.Join(what, ", ") + " refused, the rest was written: " + reason
}

// enter waits for a decoder's turn. It returns false when none came in time or nobody waits for the answer.
func (h *Handler) enter(ctx context.Context) bool {
	select {
	case h.gate <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(h.queueWait)
	defer t.Stop()
	select {
	case h.gate <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// decoder returns an idle decoder, or a new one.
func (h *Handler) decoder() *Decoder {
	if d := h.decoders.get(); d != nil {
		return d
	}
	return NewKeyedDecoder(h.limits, h.keyer)
}

// release gives a decoder back. A large message is dropped: the next one is small nearly always.
func (h *Handler) release(d *Decoder) {
	if cap(d.raw) > 4<<20 {
		d.raw = nil
	}
	h.decoders.put(d)
}

// authenticate returns what is known of who asks. Every token is compared, in constant time.
func (h *Handler) authenticate(r *http.Request) (sender, cluster string, ok bool) {
	if h.admits != nil {
		if sender, cluster, ok := h.admits(r); ok {
			return sender, cluster, true
		}
	}
	if len(h.tokens) == 0 {
		return "", "", h.closed == nil || !h.closed()
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", "", false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for i := range h.tokens {
		t := &h.tokens[i]
		if subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 && !ok {
			sender, cluster, ok = t.sender, t.cluster, true
		}
	}
	return sender, cluster, ok
}

// senderOf names a sender that no token names.
func senderOf(r *http.Request) string {
	if s := r.URL.Query().Get("sender"); s != "" {
		return s
	}
	return remoteHost(r)
}

// remoteHost is the address that the request came from, without its port.
func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func nameOK(s string) bool {
	return len(s) <= 128 && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func kindOf(err error) string {
	var b *badBody
	if errors.As(err, &b) {
		return b.kind
	}
	return "internal"
}

// answer writes a, and counts it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, a answer) {
	if a.gone {
		requestsGone.Inc()
	}
	requests(a.code, a.proto).Inc()
	if a.kind != "" {
		metrics.GetOrCreateCounter(`wrackline_ingest_requests_refused_total{reason="` + a.kind + `"}`).Inc()
	}
	head := w.Header()
	if a.counts && a.code < 500 {
		head.Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(a.samples))
		head.Set("X-Prometheus-Remote-Write-Histograms-Written", strconv.Itoa(a.histograms))
		head.Set("X-Prometheus-Remote-Write-Exemplars-Written", strconv.Itoa(a.exemplars))
	}
	switch {
	case a.code == http.StatusNoContent:
		w.WriteHeader(a.code)
		return
	case a.reason == "":
		head.Set("Content-Type", "text/plain; charset=utf-8")
		head.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(a.code)
		_, _ = w.Write([]byte(a.plain))
		return
	case a.code == http.StatusServiceUnavailable:
		head.Set("Retry-After", strconv.Itoa(retryAfter(r.Header.Get("Retry-Attempt"), rand.Float64())))
	case a.code == http.StatusBadRequest && !a.gone:
		h.warn("data refused", "reason", a.reason, "remote", r.RemoteAddr)
	}
	text, err := json.Marshal(struct {
		Status    string `json:"status"`
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
	}{"error", a.errorType, oneLine(a.reason)})
	if err != nil {
		text = []byte(`{"status":"error"}`)
	}
	head.Set("Content-Type", "application/json; charset=utf-8")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.code)
	_, _ = w.Write(append(text, '\n'))
}

// retryAfter returns how many seconds to wait, 1 to 30: twice as long with each attempt, spread by half either way, so
// that senders which were sent away together do not come back together.
func retryAfter(attempt string, random float64) int {
	n, err := strconv.Atoi(attempt)
	if err != nil || n < 0 {
		n = 0
	}
	s := float64(int(2)<<min(n, 5)) * (0.5 + random)
	return min(max(int(s), 1), 30)
}

// warn logs at most once a minute: what comes between is counted by the metrics.
func (h *Handler) warn(msg string, args ...any) {
	now := time.Now().Unix()
	last := h.logged.Load()
	if now-last < 60 || !h.logged.CompareAndSwap(last, now) {
		h.logger.Debug(msg, args...)
		return
	}
	h.logger.Warn(msg, args...)
}

// reasonMax is how many bytes of a reason a sender is told: it logs them.
const reasonMax = 1000

// oneLine makes a reason, which quotes what was sent, fit to be told.
func oneLine(s string) string { return series.Clean(s, reasonMax) }

// requests returns the counter of answers. The combinations are few: codes this package writes, two protocols and none.
func requests(code int, p Proto) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_ingest_requests_total{code="` + strconv.Itoa(code) + `",proto="` + p.String() + `"}`)
}

var (
	requestSeconds    = metrics.NewHistogram("wrackline_ingest_request_seconds")
	requestsGone      = metrics.NewCounter("wrackline_ingest_requests_gone_total")
	samplesTotal      = metrics.NewCounter("wrackline_ingest_samples_total")
	histogramsTotal   = metrics.NewCounter("wrackline_ingest_histograms_total")
	exemplarsTotal    = metrics.NewCounter("wrackline_ingest_exemplars_total")
	metadataTotal     = metrics.NewCounter("wrackline_ingest_metadata_total")
	rejectedDecode    = metrics.NewCounter(`wrackline_ingest_samples_rejected_total{by="decoder"}`)
	rejectedLabels    = metrics.NewCounter(`wrackline_ingest_samples_rejected_total{by="labels"}`)
	rejectedAhead     = metrics.NewCounter(`wrackline_ingest_samples_rejected_total{by="time"}`)
	badSeries         = metrics.NewCounter("wrackline_ingest_series_rejected_total")
	wireBytesTotal    = metrics.NewCounter("wrackline_ingest_wire_bytes_total")
	decodedBytesTotal = metrics.NewCounter("wrackline_ingest_decoded_bytes_total")
	symbols0Nonempty  = metrics.NewCounter("wrackline_ingest_symbols0_nonempty_total")
)
