package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// killLives is how many incidents the child folds; set for the one that folds lives rather than first words.
const killLives = "WRACKLINE_TEST_KILL_LIVES"

// livesChild folds whole lives of incidents on each start, a few of them open at a time, and says which notifications are stored.
func livesChild(lives int) error {
	db, err := openDB(os.Getenv(killDB))
	if err != nil {
		return err
	}
	base := os.Getenv(killURL)
	box, err := Open(Options{DB: db, Receivers: []Receiver{
		{Name: "hook", Webhook: []WebhookConfig{{URL: Secret(base + "/hook"), PerMinute: perMinuteMost}}},
		{Name: "chat", Slack: []SlackConfig{{APIURL: Secret(base + "/slack"), PerMinute: perMinuteMost}, {APIURL: Secret(base + "/bot/"), BotToken: "xoxb-1", Channel: "C042", PerMinute: perMinuteMost}}},
		{Name: "am", Alertmanager: []AlertmanagerConfig{{URL: Secret(base + "/am"), ResendInterval: time.Second, PerMinute: perMinuteMost}}},
	}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go box.Run(ctx)
	waits := func(most int) {
		for {
			again := false
			for _, s := range box.Stats() {
				again = again || s.Queued > most || most == 0 && s.Missed > 0
			}
			if !again {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	for i := range lives + 4 {
		for k, reason := range []alerting.Reason{alerting.First, alerting.Changed, alerting.Resolved} {
			if n := i - 2*k; n >= 0 && n < lives {
				box.Accept(note("i"+strconv.Itoa(n), reason, uint32(k)))
				fmt.Println("stored", n, reason)
			}
		}
		waits(2)
	}
	waits(0)
	fmt.Println("done")
	return db.Close()
}

// lifeAt is what a receiver has been told of an incident, word by word.
type lifeAt struct{ words []string }

// lifeServer is all four receivers.
type lifeServer struct {
	mu    sync.Mutex
	t     *testing.T
	lives map[string]map[string]*lifeAt // by receiver and incident
	ids   map[string]int                // webhook ids
	root  map[string]string             // thread → incident
	ts    int
}

func (s *lifeServer) word(receiver, incident, word string) {
	if s.lives[receiver] == nil {
		s.lives[receiver] = map[string]*lifeAt{}
	}
	if s.lives[receiver][incident] == nil {
		s.lives[receiver][incident] = &lifeAt{}
	}
	x := s.lives[receiver][incident]
	x.words = append(x.words, word)
}

func (s *lifeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // killed while it spoke
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer time.Sleep(time.Millisecond) // the time in which a kill leaves the outcome open
	text := string(body)
	status := "firing"
	if strings.Contains(text, "Resolved: ") || strings.Contains(text, `"status":"resolved","alerts"`) {
		status = "resolved"
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/am"):
		var list []amAlert
		if json.Unmarshal(body, &list) != nil {
			s.t.Errorf("%s", body)
		}
		for _, a := range list {
			status := "firing"
			if !a.EndsAt.After(time.Now()) {
				status = "resolved"
			}
			s.word("am", a.Labels["incident"], status)
		}
	case strings.HasPrefix(r.URL.Path, "/bot/"):
		var p slackPayload
		if json.Unmarshal(body, &p) != nil {
			s.t.Errorf("%s", body)
		}
		of := s.root[p.Thread+p.TS]
		switch {
		case p.TS != "":
			s.word("bot", of, "update "+status)
		case p.Thread != "":
			s.word("bot", of, "reply "+status)
		default:
			of = incidentIn(text)
			s.word("bot", of, "post "+status)
		}
		s.ts++
		ts := fmt.Sprint("17", s.ts)
		if s.root[ts] = of; p.TS != "" {
			ts = p.TS
		}
		fmt.Fprintf(w, `{"ok":true,"channel":"C042","ts":%q}`, ts)
	default:
		receiver := r.URL.Path[1:]
		s.word(receiver, incidentIn(text), status)
		if id := r.Header.Get("webhook-id"); id != "" {
			s.ids[id]++
		}
	}
}

func incidentIn(text string) string {
	if m := killIncident.FindStringSubmatch(text); m != nil {
		return "i" + m[1] + m[2]
	}
	return "missed"
}

// A process that is killed at any moment of opening, sending, editing and closing loses no notification and no closing word, at none of its kinds of receivers, and says at most one thing twice for each kill and receiver.
func TestKillLosesNothingOfALife(t *testing.T) {
	rounds := killRounds(t)
	if text := os.Getenv("WRACKLINE_TORTURE"); text != "" {
		rounds, _ = strconv.Atoi(text)
	}
	lives := max(40, rounds)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s := &lifeServer{t: t, lives: map[string]map[string]*lifeAt{}, ids: map[string]int{}, root: map[string]string{}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "outbox.db")
	stored := map[string]bool{}
	kills := 0
	run := func(kill bool) (through bool) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDB+"="+path, killURL+"="+srv.URL, killLives+"="+strconv.Itoa(lives))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Each kill strikes a bit later than the one before, by what has been stored.
		seen, enough, done := 0, 1+kills*3*lives/rounds+rng.IntN(max(3*lives/rounds, 1)), false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if stored[lines.Text()] = true; lines.Text() == "done" {
				done = true
			}
			if seen++; kill && seen == enough {
				time.AfterFunc(time.Duration(rng.IntN(15_000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
		}
		err = cmd.Wait()
		if !kill && (err != nil || !done) {
			t.Fatalf("the child failed: %v %s", err, errs.String())
		}
		return kill && err == nil
	}
	for range rounds {
		if run(true) {
			break
		}
		kills++
	}
	run(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(stored) != 3*lives+1 || kills == 0 {
		t.Errorf("%d stored, %d kills", len(stored), kills)
	}
	for _, receiver := range []string{"hook", "slack", "bot", "am"} {
		twice, missed := 0, s.lives[receiver]["missed"]
		for i := range lives {
			x := s.lives[receiver]["i"+strconv.Itoa(i)]
			if x == nil {
				if missed == nil || receiver == "am" {
					t.Errorf("%s: i%d is told nowhere", receiver, i)
				}
				continue
			}
			twice += checkLife(t, receiver, i, x.words)
		}
		if receiver == "hook" {
			n := 0
			for _, k := range s.ids {
				n += k - 1
			}
			twice = n
		}
		if twice > kills {
			t.Errorf("%s: %d kills and %d repetitions", receiver, kills, twice)
		}
		t.Logf("%s: %d kills, %d incidents, %d repetitions", receiver, kills, len(s.lives[receiver]), twice)
	}
}

// checkLife holds what one receiver was told of one incident against what a life is: a word that it is open, perhaps that it changed, that it is over, in this order. It returns how often something was said twice.
func checkLife(t *testing.T, receiver string, i int, words []string) (twice int) {
	count := map[string]int{}
	over := false
	for _, w := range words {
		count[w]++
		resolved := strings.HasSuffix(w, "resolved")
		if over && !resolved {
			t.Errorf("%s: i%d goes on after its end: %v", receiver, i, words)
		}
		if resolved && count["firing"]+count["post firing"] == 0 {
			t.Errorf("%s: i%d ends without a beginning: %v", receiver, i, words)
		}
		over = over || resolved
	}
	if !over {
		t.Errorf("%s: i%d has no end: %v", receiver, i, words)
	}
	switch receiver {
	case "am": // it is told again and again
		return 0
	case "bot":
		return max(count["post firing"]-1, 0) + max(count["reply firing"]-1, 0) + max(count["reply resolved"]-1, 0)
	}
	return max(count["firing"]-2, 0) + max(count["resolved"]-1, 0)
}
