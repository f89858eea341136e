package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// amSeen is an alert as Alertmanager's own API shows it.
type amSeen struct {
	Labels map[string]string `json:"labels"`
	Status struct {
		State      string   `json:"state"`
		SilencedBy []string `json:"silencedBy"`
	} `json:"status"`
	EndsAt time.Time `json:"endsAt"`
}

// realAlertmanager starts Debian's Alertmanager, whose one receiver is hook, and returns its URL.
func realAlertmanager(t *testing.T, hook string) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("prometheus-alertmanager is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: hook, group_by: [incident], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}\nreceivers: [{name: hook, webhook_configs: [{url: '"+hook+"', send_resolved: true}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var log bytes.Buffer
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("alertmanager:\n%s", log.String())
		}
	})
	url := "http://" + addr
	waitFor(t, "alertmanager is ready", func() bool {
		resp, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	return url
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within half a minute: %s", what)
}

func amAlerts(t *testing.T, url string) (list []amSeen) {
	t.Helper()
	resp, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestARealAlertmanager goes through an incident's life at Debian's Alertmanager: it is there, lasts longer than one send would, is silenced there without our doing, and is over; what it is told of, its own receivers hear.
func TestARealAlertmanager(t *testing.T) {
	heard := make(chan []byte, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		heard <- b
	})}
	go hook.Serve(l)
	defer hook.Close()
	url := realAlertmanager(t, "http://"+l.Addr().String())

	db, err := openDB(filepath.Join(t.TempDir(), "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box, err := Open(Options{DB: db, ExternalURL: "https://wrackline.example", Receivers: []Receiver{{Name: "am", Alertmanager: []AlertmanagerConfig{{URL: Secret(url), ResendInterval: time.Second, Labels: map[string]string{"team": "dns"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { box.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()

	told := func(want string) {
		t.Helper()
		select {
		case b := <-heard:
			var p webhookPayload
			if err := json.Unmarshal(b, &p); err != nil || p.Status != want || p.Alerts[0].Labels["incident"] != "i1" || p.Alerts[0].Annotations["summary"] == "" {
				t.Fatalf("%v, want %s: %s", err, want, b)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("its receiver does not hear that it is %s", want)
		}
	}
	if err := box.Put(note("i1", alerting.First, 0)); err != nil {
		t.Fatal(err)
	}
	told("firing")
	list := amAlerts(t, url)
	if len(list) == 1 {
		end := list[0].EndsAt
		waitFor(t, "the time has passed at which it would have ended, had it not been sent again", func() bool { return time.Now().After(end) })
		list = amAlerts(t, url)
	}
	if len(list) != 1 || list[0].Status.State != "active" || list[0].Labels["alertname"] != "dns.servfail_ratio" || list[0].Labels["team"] != "dns" || list[0].Labels["cluster"] != "prod" {
		t.Fatalf("%+v", list)
	}

	silence := fmt.Sprintf(`{"matchers":[{"name":"team","value":"dns","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"known"}`, time.Now().UTC().Format(time.RFC3339Nano), time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano))
	resp, err := http.Post(url+"/api/v2/silences", "application/json", bytes.NewReader([]byte(silence)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("silence: %s", resp.Status)
	}
	waitFor(t, "the alert is silenced there", func() bool {
		list := amAlerts(t, url)
		return len(list) == 1 && list[0].Status.State == "suppressed" && len(list[0].Status.SilencedBy) == 1
	})
	if err := box.Put(note("i2", alerting.First, 0)); err != nil { // silenced from the beginning
		t.Fatal(err)
	}
	waitFor(t, "the second is there", func() bool { return len(amAlerts(t, url)) == 2 })
	for _, id := range []string{"i1", "i2"} {
		if err := box.Put(note(id, alerting.Resolved, 1)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "both are over", func() bool { return len(amAlerts(t, url)) == 0 })
	waitFor(t, "all four are counted as sent", func() bool { // what Alertmanager has taken is ours to count a moment later
		s := box.Stats()
		return len(s) == 1 && s[0].Failed == 0 && s[0].Sent == 4
	})
	select {
	case b := <-heard: // Alertmanager may say that i1 is over, or leave that to the silence; of i2 nobody hears
		var p webhookPayload
		if json.Unmarshal(b, &p) != nil || p.Alerts[0].Labels["incident"] != "i1" {
			t.Errorf("%s", b)
		}
	default:
	}
}
