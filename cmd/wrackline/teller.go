package main

import (
	"context"
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

// teller are the flags of commands that change something in a running Wrackline.
type teller struct{ server, tokenFile string }

const defaultServer = "http://localhost:9099"

// again returns the flags, with a space behind, by which another command reaches the same Wrackline.
func (t *teller) again() (flags string) {
	if t.server != defaultServer {
		flags += "--server " + shellWord(t.server) + " "
	}
	if t.tokenFile != "" {
		flags += "--token-file " + shellWord(t.tokenFile) + " "
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
	t := &teller{}
	fs.StringVar(&t.server, "server", defaultServer, "`URL` of a running Wrackline; that of --web.admin-address where it has one")
	fs.StringVar(&t.tokenFile, "token-file", "", "`file` with the administrator's token (web.admin_token), which a Wrackline on another machine wants")
	return t
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

// ask sends one request and returns the body of a yes. Its errors say what to do about a no.
func (t *teller) ask(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	base, err := serverURL(t.server)
	if err != nil {
		return nil, err
	}
	token, err := t.token()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{Timeout: time.Minute, // a checkpoint is written before some answers
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // it would become a GET
	res, err := client.Do(req)
	if err != nil {
		return nil, unreached(base, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, tellerMax))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return text, nil
	}
	return nil, t.refused(res, text, token != "")
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
