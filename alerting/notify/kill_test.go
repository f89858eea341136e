package notify

import (
	"bufio"
	"context"
	"fmt"
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

// The environment of the child process that is killed.
const (
	killDB  = "WRACKLINE_TEST_KILL_DB"
	killURL = "WRACKLINE_TEST_KILL_URL"
)

const killNotes = 400

// killChild folds the same notifications on each start, as a replayed journal does, and says which are stored. It ends
// by being killed, or when all is delivered.
func killChild() error {
	db, err := openDB(os.Getenv(killDB))
	if err != nil {
		return err
	}
	box, err := Open(Options{DB: db, Receivers: []Receiver{{Name: "ops", Webhook: []WebhookConfig{{URL: Secret(os.Getenv(killURL))}}}}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go box.Run(ctx)
	for i := range killNotes {
		n := note("i"+strconv.Itoa(i), alerting.First, 0)
		box.Accept(n)
		fmt.Println("stored", n.ID)
	}
	for box.Stats()[0].Queued > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("done")
	return db.Close()
}

func TestMain(m *testing.M) {
	if os.Getenv(killDB) != "" {
		if err := killChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A process that is killed at any moment loses nothing that it stored, and repeats at most the message that was under way.
func TestKillLosesNothingAndRepeatsAtMostWhatWasUnderWay(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	got := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got[r.Header.Get("webhook-id")]++
		mu.Unlock()
		time.Sleep(time.Millisecond) // the time in which a kill leaves the outcome open
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "outbox.db")
	stored := map[string]bool{}
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
		seen, enough := 0, 1+rng.IntN(killNotes/2) // by what the child has done, not by the clock: it is at work, whatever the machine does
		for lines.Scan() {
			switch word, id, _ := strings.Cut(lines.Text(), " "); word {
			case "stored":
				stored[id] = true
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
	twice := 0
	for id := range stored {
		if got[id] == 0 {
			t.Errorf("%s was stored and never arrived", id)
		}
	}
	for id, n := range got {
		if n > 1 {
			twice += n - 1
		}
		if !stored[id] {
			t.Errorf("%s arrived, but nobody made it", id)
		}
	}
	if len(stored) != killNotes || twice > kills {
		t.Errorf("%d stored, %d kills, %d repetitions", len(stored), kills, twice)
	}
	if kills == 0 {
		t.Error("no kill hit the child at work")
	}
	t.Logf("%d kills, %d messages, %d repetitions", kills, len(got), twice)
}
