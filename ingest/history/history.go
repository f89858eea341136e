// Package history reads the past: samples of a span from a Prometheus, Thanos or Mimir by remote read, or from a VictoriaMetrics by its export, as they were scraped. A span is read as a whole before
// anything of it is handed on, so that an answer that is cut off teaches nothing.
package history

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
)

// Kinds of sources.
const (
	Prometheus      = "prometheus"      // remote read: Prometheus, Thanos, Mimir
	VictoriaMetrics = "victoriametrics" // /api/v1/export
)

// Options say where the past is and how it is asked for. Secrets are sent and never shown.
type Options struct {
	URL      string // of the server, or of the door itself
	Kind     string // "" = Prometheus
	Bearer   string
	User     string // of basic auth, with Password
	Password string
	Headers  map[string]string // such as a tenant's
	CAFile   string            // PEM; "" = those of the system
	Insecure bool              // certificates are not checked
	Timeout  time.Duration     // of one answer; 0 = two minutes
	BytesMax int64             // of one answer in memory; 0 = 256 MiB
	// Control decides about the address of each connection, as net.Dialer has it; nil = any will do.
	Control func(network, address string, c syscall.RawConn) error
}

// Source reads from one server.
type Source struct {
	opts   Options
	url    *url.URL
	client *http.Client
}

// ErrLarge is returned for a span with more than Options.BytesMax: ask for a shorter one.
var ErrLarge = errors.New("the answer is larger than what is held at once")

// Error is what a source answered. Temporary says that the same may go well a little later.
type Error struct {
	Status    int // 0 = no answer
	Text      string
	Temporary bool
}

func (e *Error) Error() string { return e.Text }

// Open returns a source. Nothing is asked yet.
func Open(o Options) (*Source, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want an address such as http://prometheus:9090")
	}
	if u.User != nil { // would be shown where the address is
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
		u.User = nil
	}
	path := strings.TrimRight(u.Path, "/")
	switch o.Kind {
	case "", Prometheus:
		o.Kind = Prometheus
		if !strings.HasSuffix(path, "/read") {
			path += "/api/v1/read"
		}
	case VictoriaMetrics:
		if !strings.HasSuffix(path, "/export") {
			path += "/api/v1/export"
		}
	default:
		return nil, fmt.Errorf("kind %q: want %s or %s", o.Kind, Prometheus, VictoriaMetrics)
	}
	u.Path = path
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.BytesMax <= 0 {
		o.BytesMax = 256 << 20
	}
	conf := &tls.Config{InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.CAFile)
		}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = conf
	if o.Control != nil {
		t.DialContext = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: o.Control}).DialContext
	}
	// A redirect would take credentials to where nobody sent them.
	return &Source{opts: o, url: u, client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Address returns where the source is asked, without anything secret.
func (s *Source) Address() string { return s.url.Redacted() }

// Read returns the series of the metrics with samples at fromMs < T ≤ toMs: all of them, or an error.
func (s *Source) Read(ctx context.Context, metrics []string, fromMs, toMs int64) (*Span, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	out := &Span{from: fromMs, to: toMs}
	var err error
	if s.opts.Kind == VictoriaMetrics {
		err = s.export(ctx, out, metrics)
	} else {
		err = s.remoteRead(ctx, out, metrics)
	}
	if err != nil {
		return nil, s.word(ctx, err)
	}
	return out, out.begin()
}

// word says what an error of transport means.
func (s *Source) word(ctx context.Context, err error) error {
	var e *Error
	switch {
	case errors.As(err, &e) || errors.Is(err, ErrLarge):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{0, fmt.Sprintf("%s has not answered within %v", s.Address(), s.opts.Timeout), true}
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errCut):
		return &Error{0, fmt.Sprintf("the answer of %s was cut off or damaged: %v", s.Address(), err), true}
	}
	return &Error{0, fmt.Sprintf("%s: %v", s.Address(), err), true}
}

var errCut = errors.New("not whole")

// ask sends a request and returns an answer with status 200.
func (s *Source) ask(ctx context.Context, contentType string, body io.Reader, headers map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	for k, v := range s.opts.Headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("User-Agent", "wrackline")
	switch {
	case s.opts.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+s.opts.Bearer)
	case s.opts.User != "":
		r.SetBasicAuth(s.opts.User, s.opts.Password)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which is said anyway
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	resp.Body.Close()
	return nil, s.refusal(resp.StatusCode, series.Clean(strings.TrimSpace(string(text)), 300))
}

// refusal says what a status means and what to do.
func (s *Source) refusal(status int, said string) error {
	advice := ""
	switch {
	case status == 401 || status == 403:
		advice = "it does not let us in: give a bearer token, a user and password, or a tenant's header that may read"
	case status == 404 || status == 405:
		advice = "it does not answer there: is this the address of a " + s.opts.Kind + ", and of its querying part? VictoriaMetrics wants --kind victoriametrics, others --kind prometheus; a path before /api is part of the address"
	case status == 400 || status == 422:
		advice = "it takes the question for a wrong one: a tenant's header may be missing, or its limits of series and samples too low"
	case status == 429:
		advice = "it is asked too much"
	case status >= 300 && status < 400:
		advice = "it sends us elsewhere: give the address that it leads to"
	case status >= 500:
		advice = "it fails"
	}
	text := fmt.Sprintf("%s answers %d", s.Address(), status)
	if said != "" {
		text += " (" + said + ")"
	}
	if advice != "" {
		text += ": " + advice
	}
	return &Error{status, text, status == 429 || status >= 500}
}
