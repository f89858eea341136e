package notify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// The environment of the child process that is killed.
const (
	killDB  = "WRACKLINE_TEST_KILL_DB"
	killURL = "WRACKLINE_TEST_KILL_URL"
)

const killNotes = 300

// killChild folds the same notifications on each start, as a replayed journal does, and says which are stored. It ends
// by being killed, or when all is delivered.
func killChild() error {
	db, err := openDB(os.Getenv(killDB))
	if err != nil {
		return err
	}
	base := os.Getenv(killURL)
	box, err := Open(Options{DB: db, Receivers: []Receiver{
		{Name: "ops", Webhook: []WebhookConfig{{URL: Secret(base + "/0"), PerMinute: perMinuteMost}, {URL: Secret(base + "/1"), PerMinute: perMinuteMost}}},
		{Name: "chat", Slack: []SlackConfig{{APIURL: Secret(base + "/2"), PerMinute: perMinuteMost}}},
	}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go box.Run(ctx)
	for i := range killNotes {
		n := note("i"+strconv.Itoa(i), alerting.First, 0)
		box.Accept(n)
		fmt.Println("stored", i)
	}
	for waits := true; waits; time.Sleep(10 * time.Millisecond) {
		waits = false
		for _, s := range box.Stats() {
			waits = waits || s.Queued > 0
		}
	}
	fmt.Println("done")
	return db.Close()
}

func TestMain(m *testing.M) {
	if os.Getenv(killDB) != "" {
		child := killChild
		if n, err := strconv.Atoi(os.Getenv(killLives)); err == nil {
			child = func() error { return livesChild(n) }
		}
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killRounds is how often the child is killed: 20, 4 with -short, or as often as WRACKLINE_TORTURE says, once for each message at most.
func killRounds(t *testing.T) int {
	if text := os.Getenv("WRACKLINE_TORTURE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return min(n, killNotes)
	}
	if testing.Short() {
		return 4
	}
	return 20
}

var killIncident = regexp.MustCompile(`incident i([0-9]+)|"incident":"i([0-9]+)"`)

// A process that is killed at any moment loses nothing that it stored, at none of its receivers, repeats at most the message that was under way to each, and keeps their order.
func TestKillLosesNothingAndRepeatsAtMostWhatWasUnderWay(t *testing.T) {
	rounds := killRounds(t)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	var got [3][]int
	ids := map[string]string{} // of a webhook's message: what must be the same each time
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // killed while it spoke
		}
		m := killIncident.FindSubmatch(body)
		if m == nil {
			t.Errorf("%s got %s", r.URL, body)
			return
		}
		text := string(m[1]) + string(m[2])
		n, _ := strconv.Atoi(text)
		mu.Lock()
		got[r.URL.Path[1]-'0'] = append(got[r.URL.Path[1]-'0'], n)
		if id := r.Header.Get("webhook-id"); id != "" {
			if ids[text] != "" && ids[text] != id {
				t.Errorf("message %d came as %s and as %s", n, ids[text], id)
			}
			ids[text] = id
		}
		mu.Unlock()
		time.Sleep(time.Millisecond) // the time in which a kill leaves the outcome open
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "outbox.db")
	stored := map[int]bool{}
	kills := 0
	run := func(kill bool) (done bool) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDB+"="+path, killURL+"="+srv.URL)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		// By what the child has done, not by the clock: it is at work, whatever the machine does. Each kill strikes a bit later, so that all see messages under way.
		seen, enough := 0, 1+kills*killNotes/rounds+rng.IntN(max(killNotes/rounds, 1))
		for lines.Scan() {
			switch word, n, _ := strings.Cut(lines.Text(), " "); word {
			case "stored":
				i, _ := strconv.Atoi(n)
				stored[i] = true
				if seen++; kill && seen == enough {
					time.AfterFunc(time.Duration(rng.IntN(20_000))*time.Microsecond, func() { cmd.Process.Kill() })
				}
			case "done":
				done = true
			}
		}
		err = cmd.Wait()
		switch {
		case !kill && (err != nil || !done):
			t.Fatalf("the child failed: %v %s", err, errs.String())
		case kill && err == nil:
			return true // it was through before the kill
		}
		return false
	}
	for range rounds {
		if run(true) {
			break
		}
		kills++
	}
	run(false)

	mu.Lock()
	defer mu.Unlock()
	if len(stored) != killNotes || kills == 0 {
		t.Errorf("%d stored, %d kills", len(stored), kills)
	}
	for to, list := range got {
		checkKilled(t, to, list, stored, kills)
	}
}

// checkKilled holds what one receiver got against what was stored.
func checkKilled(t *testing.T, to int, list []int, stored map[int]bool, kills int) {
	t.Helper()
	seen := map[int]bool{}
	newest, twice := -1, 0
	for _, n := range list {
		switch {
		case seen[n]:
			twice++
		case n < newest:
			t.Errorf("receiver %d: %d came after %d", to, n, newest)
		}
		seen[n] = true
		newest = max(newest, n)
	}
	for n := range stored {
		if !seen[n] {
			t.Errorf("receiver %d: %d was stored and never arrived", to, n)
		}
	}
	if twice > kills {
		t.Errorf("receiver %d: %d kills and %d repetitions", to, kills, twice)
	}
	t.Logf("receiver %d: %d kills, %d messages, %d repetitions", to, kills, len(seen), twice)
}
