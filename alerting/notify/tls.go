// Certificates of a receiver's own: whom we believe there, and who we say that we are.

package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// TLSConfig is how a receiver is spoken to over TLS, in Alertmanager's words. nil or the zero value is as the system says. Files are read when the configuration is; a change of one is a reload.
type TLSConfig struct {
	CAFile     string `yaml:"ca_file,omitempty"`              // certificates of who may have signed the receiver's, instead of those of the system
	CertFile   string `yaml:"cert_file,omitempty"`            // our certificate and its key: both or none
	KeyFile    string `yaml:"key_file,omitempty"`             // of cert_file
	ServerName string `yaml:"server_name,omitempty"`          // the name that the receiver's certificate must have; "" = that of the URL
	Insecure   bool   `yaml:"insecure_skip_verify,omitempty"` // believe anybody
}

// client reads the files. Errors name files, never what is in them.
func (c *TLSConfig) client() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.Insecure}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_config.ca_file: %s holds no certificate", c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("tls_config: cert_file and key_file belong together")
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config: certificate of %s: %w", c.CertFile, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// check returns what is wrong with c, which may be nil.
func (c *TLSConfig) check() error {
	if c == nil {
		return nil
	}
	_, err := c.client()
	return err
}

// files are those that c names.
func (c *TLSConfig) files() []string {
	if c == nil {
		return nil
	}
	return []string{c.CAFile, c.CertFile, c.KeyFile}
}

// tlsKey carries the client of an integration to where its requests are sent.
type tlsKey struct{}

// secured returns a context whose requests go over the integration's own connections; ctx itself where it has no certificates of its own.
func (b *Outbox) secured(ctx context.Context, s sender) context.Context {
	if c := b.own[s]; c != nil {
		return context.WithValue(ctx, tlsKey{}, c)
	}
	return ctx
}

// clientOf returns the client for a request.
func (b *Outbox) clientOf(ctx context.Context) *http.Client {
	if c, ok := ctx.Value(tlsKey{}).(*http.Client); ok {
		return c
	}
	return b.client
}

// secure gives an integration connections of its own, with certificates that c names; nil gives none. The guard stands before them as before all others.
func (b *Outbox) secure(s sender, c *TLSConfig) {
	if c == nil {
		return
	}
	t, ok := b.opts.Transport.(*http.Transport)
	if !ok {
		return // of tests
	}
	config, err := c.client()
	if err != nil {
		return // not reached: CheckReceivers has read it
	}
	own := t.Clone()
	own.TLSClientConfig = config
	if b.own == nil {
		b.own = map[sender]*http.Client{}
	}
	b.own[s] = &http.Client{Transport: own, CheckRedirect: b.client.CheckRedirect}
}
