package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// tellerMax bounds an answer of a running Wrackline.
const tellerMax = 16 << 20

// teller are the flags of commands that ask a running Wrackline.
type teller struct{ server, tokenFile, caFile string }

const defaultServer = "http://localhost:9099"

// again returns the flags, with a space behind, by which another command reaches the same Wrackline.
func (t *teller) again() (flags string) {
	if t.server != defaultServer {
		flags += "--server " + shellWord(t.server) + " "
	}
	if t.tokenFile != "" {
		flags += "--token-file " + shellWord(t.tokenFile) + " "
	}
	if t.caFile != "" {
		flags += "--ca-file " + shellWord(t.caFile) + " "
	}
	return flags
}

// shellWord quotes what a shell would not take as one word of itself.
func shellWord(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:@%+=,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func addTeller(fs *flag.FlagSet) *teller {
	return addTellerAt(fs, defaultServer, "`URL` of a running Wrackline; that of --web.admin-address where it has one")
}

// addTellerAt is addTeller with another server, "" for none, and another word for it.
func addTellerAt(fs *flag.FlagSet, server, usage string) *teller {
	t := &teller{}
	fs.StringVar(&t.server, "server", server, usage)
	fs.StringVar(&t.tokenFile, "token-file", "", "`file` with a token of web.tokens or web.admin_token, which a Wrackline with a login wants, or one on another machine")
	fs.StringVar(&t.caFile, "ca-file", "", "PEM `file` of who signed its certificate, where it listens with TLS")
	return t
}

// client returns what asks. It follows no redirect: one would turn a POST into a GET, and take a token to where nobody sent it.
func (t *teller) client(timeout time.Duration) (*http.Client, error) {
	c := &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if t.caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", t.caFile)
	}
	x := http.DefaultTransport.(*http.Transport).Clone()
	x.TLSClientConfig = &tls.Config{RootCAs: pool}
	c.Transport = x
	return c, nil
}

// tell asks a running Wrackline to do something for each name, and says what it answers. It ends at the first refusal.
func (t *teller) tell(ctx context.Context, e env, path string, names []string) error {
	for _, name := range names {
		text, err := t.ask(ctx, http.MethodPost, path+url.QueryEscape(name), "", nil)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", name, plain(strings.TrimSpace(string(text))))
	}
	return nil
}

// token reads the token; "" = none was given.
func (t *teller) token() (string, error) {
	if t.tokenFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(t.tokenFile)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsFunc(token, unicode.IsControl) {
		return "", fmt.Errorf("%s does not hold a token", t.tokenFile)
	}
	return token, nil
}

// send sends one request and returns the answer and its body, of which no more than most is read; shown says that a token was sent.
func (t *teller) send(ctx context.Context, method, path, contentType string, body io.Reader, timeout time.Duration, most int64) (res *http.Response, text []byte, shown bool, err error) {
	base, err := serverURL(t.server)
	if err != nil {
		return nil, nil, false, err
	}
	token, err := t.token()
	if err != nil {
		return nil, nil, false, err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, nil, false, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client, err := t.client(timeout)
	if err != nil {
		return nil, nil, false, err
	}
	res, err = client.Do(req)
	if err != nil {
		return nil, nil, false, unreached(base, err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(io.LimitReader(res.Body, most))
	return res, text, token != "", err
}

// ask sends one request and returns the body of a yes. Its errors say what to do about a no.
func (t *teller) ask(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	res, text, shown, err := t.send(ctx, method, path, contentType, body, time.Minute, tellerMax) // a checkpoint is written before some answers
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return text, nil
	}
	return nil, t.refused(res, text, shown)
}

// unreached words why nobody answered at an address that --server names.
func unreached(base string, err error) error {
	var dns *net.DNSError
	if errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) {
		return fmt.Errorf("no Wrackline answers at %s: is it running, and is that its address? Name it with --server (%w)", base, err)
	}
	return err
}

// refused words an answer that is no yes.
func (t *teller) refused(res *http.Response, text []byte, token bool) error {
	said := struct{ Error string }{}
	why := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &said) == nil && said.Error != "" {
		why = said.Error
	} else if res.StatusCode/100 == 3 || strings.HasPrefix(why, "<") {
		return fmt.Errorf("%s: that is no answer of Wrackline's API: is %s its address, without a login before it?", res.Status, t.server)
	}
	why = plain(why[:min(len(why), 4096)])
	if res.StatusCode == http.StatusUnauthorized && token {
		why += " It was read from " + t.tokenFile + "."
	}
	return fmt.Errorf("%s: %s", res.Status, why)
}
