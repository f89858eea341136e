package notify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// One canary for each place a secret can be in, and a far end that repeats all of them.
func TestSecretsShowNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			path, query, user, pass = "canaryPath1", "canaryQuery2", "canaryUser3", "canaryPass4"
			bearer                  = "canaryBearer5"
			slackPath               = "canarySlack6"
		)
		key := "whsec_Y2FuYXJ5LXNlY3JldC1rZXktNy1jYW5hcnktc2VjcmV0" // base64 of canary-secret-key-7-…
		receivers := []Receiver{{Name: "ops",
			Webhook: []WebhookConfig{{URL: Secret("https://" + user + ":" + pass + "@hook.example/" + path + "/b?token=" + query), Secret: Secret(key), Bearer: bearer}},
			Slack:   []SlackConfig{{APIURL: Secret("https://hooks.example/services/T0/B0/" + slackPath)}},
		}}
		var log bytes.Buffer
		echo := func(n int, h hit) answer {
			// Each side knows its own secrets only; it repeats them plainly, encoded, and at the place where answers are cut.
			all := "<p>" + h.url + " " + fmt.Sprint(h.header) + " " + slackPath
			if strings.Contains(h.url, "hook.example") {
				basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + pass))
				all = h.url + " " + fmt.Sprint(h.header) + " " + path + " " + query + " " + user + " " + pass + " " + basic + strings.Repeat(" "+bearer, 50)
			}
			switch n % 4 {
			case 0:
				return answer{code: 500, body: all}
			case 1:
				return answer{err: errors.New("proxy said: " + all)}
			case 2:
				return answer{code: 200, body: all} // fine for a webhook, not for Slack
			}
			return answer{code: 400, body: all}
		}
		var shown bytes.Buffer
		r := newRig(t, Options{Receivers: receivers, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, echo)
		r.run()
		for i := range 12 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
			time.Sleep(time.Minute)
			json.NewEncoder(&shown).Encode(r.box.Stats())
		}
		time.Sleep(80 * time.Hour)
		json.NewEncoder(&shown).Encode(r.box.Stats())
		for range 4 {
			got, err := r.box.SendTest(t.Context(), "")
			fmt.Fprintln(&shown, got, err)
			for _, d := range got {
				fmt.Fprintln(&shown, d.Err)
			}
		}
		fmt.Fprintf(&shown, "%v %+v %#v\n", receivers, receivers, r.opts.Receivers)
		json.NewEncoder(&shown).Encode(receivers)
		json.NewEncoder(&shown).Encode(r.dead())
		if len(r.dead()) < 3 || log.Len() == 0 {
			t.Fatalf("%d dead letters, %d bytes of log: the test tests nothing", len(r.dead()), log.Len())
		}
		r.close()
		file, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"what is shown": shown.String(), "the log": log.String(), "the file": string(file)} {
			for _, c := range []string{path, query, user, pass, bearer, slackPath, key, "Y2FuYXJ5", "Y2FuYXJ5VXNlcjM", "canary"} {
				if i := strings.Index(text, c); i >= 0 {
					t.Errorf("%s shows %s: …%s…", where, c, text[max(0, i-60):min(len(text), i+60)])
				}
			}
		}
	})
}
