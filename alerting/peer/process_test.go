package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
)

// The environment of a child process that is one server of a pair.
const (
	childDB     = "WRACKLINE_TEST_PEER_DB"
	childListen = "WRACKLINE_TEST_PEER_LISTEN"
	childOther  = "WRACKLINE_TEST_PEER_OTHER"
	childHook   = "WRACKLINE_TEST_PEER_HOOK"
)

// processWait is how long the second waits in these tests, which take as long as they take.
const processWait = 1500 * time.Millisecond

func TestMain(m *testing.M) {
	if os.Getenv(childDB) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is what a child is told to fold.
type order struct {
	Name, ID string
	Onset    int64
	Reason   alerting.Reason
	Seq      uint32
	At       int64
}

func (o order) note() alerting.Notification {
	return story{name: o.Name, id: o.ID, onset: o.Onset}.note(o.Reason, o.Seq, o.At)
}

// child is one server: an outbox, the other server, and a fold that does what it is told on standard input.
func child() error {
	db, err := bolt.Open(os.Getenv(childDB), 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	current := map[string]*alerting.Incident{}
	var box *notify.Outbox
	p := New(Options{URL: os.Getenv(childOther), Token: func() (string, error) { return token, nil }, Wait: processWait,
		Self:   func() Report { return Report{Version: "test", Ready: true} },
		Answer: func(q *notify.Question) (notify.Answer, error) { return box.Answer(q) },
		Learn:  func(list []notify.Word) error { return box.Learn(list) }})
	box, err = notify.Open(notify.Options{DB: db, Peer: p, PeerWait: processWait,
		Receivers: []notify.Receiver{{Name: "ops", Webhook: []notify.WebhookConfig{{URL: notify.Secret(os.Getenv(childHook)), PerMinute: 60_000}}}},
		Current: func(id string) (*alerting.Incident, bool) {
			mu.Lock()
			defer mu.Unlock()
			inc, ok := current[id]
			return inc, ok
		}})
	if err != nil {
		return err
	}
	id, born, err := box.Self(0)
	if err != nil {
		return err
	}
	p.Introduce(id, born)
	l, err := net.Listen("tcp", os.Getenv(childListen))
	if err != nil {
		return err
	}
	go http.Serve(l, p)
	go box.Run(context.Background())
	go p.Run(context.Background())
	in := json.NewDecoder(os.Stdin)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		n := o.note()
		mu.Lock()
		current[n.IncidentID] = n.Incident
		mu.Unlock()
		box.Accept(n)
		fmt.Println("folded")
	}
}

// wire passes connections on to an address, until it is cut: then it takes them, and nothing passes.
type wire struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); w.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(c)
		}
	}()
	return w
}

func (w *wire) pass(c net.Conn) {
	defer c.Close()
	w.mu.Lock()
	cut := w.isCut
	w.mu.Unlock()
	if cut {
		io.Copy(io.Discard, c)
		return
	}
	d, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer d.Close()
	w.mu.Lock()
	w.conns[c], w.conns[d] = true, true
	w.mu.Unlock()
	go func() { io.Copy(d, c); d.Close() }()
	io.Copy(c, d)
	w.mu.Lock()
	delete(w.conns, c)
	delete(w.conns, d)
	w.mu.Unlock()
}

func (w *wire) cut(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = yes
	if yes {
		for c := range w.conns {
			c.Close()
		}
	}
}

// process is a child as the parent sees it.
type process struct {
	t                        *testing.T
	path, listen, over, hook string // over = where it reaches the other one
	cmd                      *exec.Cmd
	in                       io.WriteCloser
	out                      *bufio.Scanner
	folded                   []order
}

func (p *process) start() {
	p.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDB+"="+p.path, childListen+"="+p.listen, childOther+"="+p.over, childHook+"="+p.hook)
	cmd.Stderr = os.Stderr
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd = cmd
	for _, o := range p.folded {
		p.tell(o)
	}
}

// tell lets it fold, and waits until it has.
func (p *process) tell(o order) {
	b, _ := json.Marshal(o)
	if _, err := p.in.Write(append(b, '\n')); err != nil || !p.out.Scan() {
		p.t.Fatalf("a child does not fold: %v", err)
	}
}

func (p *process) fold(o order) {
	p.folded = append(p.folded, o)
	if p.cmd != nil {
		p.tell(o)
	}
}

func (p *process) kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestTorturePairOfProcesses: two processes over real files and connections. One is killed (kill -9), or both, or the wire between them is cut, at a random moment around a word of an incident. Five
// rounds, or as many as WRACKLINE_TORTURE_PAIR says.
func TestTorturePairOfProcesses(t *testing.T) {
	n := rounds(t, 5)
	if testing.Short() {
		n = min(n, 3)
	}
	rng := rand.New(rand.NewPCG(seedOf(t), 63))
	w := &world{t: t}
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // killed while it spoke
		}
		by := 0
		if r.URL.Path == "/1" {
			by = 1
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.take(by, r.URL.Path, body)
	}))
	defer hook.Close()
	var ps [2]*process
	var ws [2]*wire // ws[n] leads to server n
	for k := range ps {
		ps[k] = &process{t: t, path: filepath.Join(t.TempDir(), "outbox.db"), listen: freeAddress(t), hook: fmt.Sprintf("%s/%d", hook.URL, k)}
		ws[k] = newWire(t, ps[k].listen)
	}
	for k, p := range ps {
		p.over = "http://" + ws[1-k].l.Addr().String()
		p.start()
		defer p.kill()
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(processWait / 2)
	x := &trial{w: w, ps: ps, ws: ws, rng: rng}
	for k := range n {
		x.round(k)
	}
	c := &x.tally
	kills, cuts := x.kills, x.cuts
	t.Logf("%d rounds, %d kills, %d cuts: %d words, %d lost, %d said twice, %d said twice with a word about it", n, kills, cuts, c.words, c.lost, c.twice, c.marked)
	for _, b := range c.bad {
		t.Log(b)
	}
	// A process that is killed between its message and its note of it says it again: of few rounds one may.
	if c.lost > 0 || c.twice*100 > max(c.words, 100) {
		t.Error("too many")
	}
}

// settle waits until so much has been said of an incident, and for as long again as somebody may say it a second time.
func (w *world) settle(name string, words int) {
	for end := time.Now().Add(20 * processWait); time.Now().Before(end) && len(w.of(name))+2*w.summaries(name) < words; {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(processWait + processWait/2)
}

// trial is many rounds with two processes.
type trial struct {
	tally
	w           *world
	ps          [2]*process
	ws          [2]*wire // ws[n] leads to server n
	rng         *rand.Rand
	kills, cuts int
}

func (x *trial) ms(from, to int) time.Duration {
	return time.Duration(from+x.rng.IntN(to-from)) * time.Millisecond
}

// round lets one incident live, with one trouble around one of its words.
func (x *trial) round(k int) {
	name := fmt.Sprintf("w%d", k)
	at := int64(10 + 100*k)
	both := func(reason alerting.Reason, seq uint32, now int64) {
		for _, p := range x.ps {
			p.fold(order{Name: name, Onset: at, Reason: reason, Seq: seq, At: now})
		}
	}
	killed := []int{0}
	cut := false
	switch x.rng.IntN(6) {
	case 0:
		killed = []int{1}
	case 1:
		killed = []int{0, 1}
	case 2, 3:
		killed, cut = nil, true
	}
	long := x.rng.IntN(4) == 0
	length := x.ms(1, 700)
	if long {
		length = x.ms(700, 4000)
	}
	trouble := func() {
		for _, k := range killed {
			x.ps[k].kill()
			x.kills++
		}
		if cut {
			x.ws[0].cut(true)
			x.ws[1].cut(true)
			x.cuts++
		}
	}
	heal := func() {
		x.ws[0].cut(false)
		x.ws[1].cut(false)
		for _, p := range x.ps {
			if p.cmd == nil {
				p.start()
			}
		}
	}
	before := x.rng.IntN(2) == 0 // or right behind the word
	around := func(reason alerting.Reason, seq uint32, now int64) {
		if before {
			trouble()
			time.Sleep(length / 2)
			both(reason, seq, now)
			time.Sleep(length / 2)
		} else {
			both(reason, seq, now)
			time.Sleep(x.ms(0, 60))
			trouble()
			time.Sleep(length)
		}
		heal()
	}
	if x.rng.IntN(2) == 0 {
		around(alerting.First, 0, at+2)
		x.w.settle(name, 1)
		both(alerting.Resolved, 1, at+20)
	} else {
		both(alerting.First, 0, at+2)
		x.w.settle(name, 1)
		around(alerting.Resolved, 1, at+20)
	}
	x.w.settle(name, 2)
	x.tally.count(name, x.w.of(name), x.w.summaries(name), long)
}
