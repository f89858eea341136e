package notify

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
)

// A receiver whose certificate only its own authority has signed is reached with that authority, and by nobody who does not name it; its siblings are not affected.
func TestReceiversCertificates(t *testing.T) {
	taken := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { taken++ }))
	srv.TLS = &tls.Config{}
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		tls  *TLSConfig
		want bool
	}{
		{"the system's", nil, false}, {"its own authority", &TLSConfig{CAFile: ca}, true}, {"its own authority by another name", &TLSConfig{CAFile: ca, ServerName: "elsewhere.example"}, false},
		{"anybody", &TLSConfig{Insecure: true}, true}, {"a name alone", &TLSConfig{ServerName: "example.com"}, false},
	} {
		taken = 0
		b, err := newOutbox(Options{Receivers: []Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: Secret(srv.URL), TLS: c.tls}}, Alertmanager: []AlertmanagerConfig{{URL: Secret(srv.URL), TLS: c.tls}}, Slack: []SlackConfig{{APIURL: Secret(srv.URL), TLS: c.tls}}}}})
		if err != nil {
			t.Fatal(err)
		}
		m := NewMessage(note("inc_1", alerting.First, 0), "")
		for _, l := range b.lanes {
			if o := b.attempt(context.Background(), l.to, m, nil); (o.verdict == delivered) != c.want {
				t.Errorf("%s, %s: %+v", c.name, l.identity.Kind, o)
			}
		}
		if (taken == 3) != c.want || !c.want && taken > 0 {
			t.Errorf("%s: %d requests were taken", c.name, taken)
		}
	}
	for want, bad := range map[string]*TLSConfig{"ca_file": {CAFile: "/does/not/exist"}, "belong together": {CertFile: ca}, "certificate of": {CertFile: ca, KeyFile: ca}} {
		err := CheckReceivers([]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x.example", TLS: bad}}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if got := Files([]Receiver{{Webhook: []WebhookConfig{{TLS: &TLSConfig{CAFile: "c"}}}}}); len(got) != 1 || got[0] != "c" {
		t.Errorf("files: %v", got)
	}
}
