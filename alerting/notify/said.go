// What has been said of an incident, by this server of a pair or by the other one: so that neither says again what the receiver has heard, whichever of the two is away. Only pairs keep it.

package notify

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// About says which incident is meant, in words that hold on both servers of a pair. Ids are made of the signal that moved first and its onset: two servers that have learned the same give the same.
// One that was away for a while may find another onset, or another signal first. So an incident is also known by any signal of it that was in alarm at the same time: a signal is in one incident at a time.
type About struct {
	Incident string  `json:"incident"` // its id, or digest
	Cluster  string  `json:"cluster,omitempty"`
	Signals  []Moved `json:"signals,omitempty"` // at most 20
}

// Moved is a signal in alarm.
type Moved struct {
	ID    string `json:"id"`    // name and labels
	Onset int64  `json:"onset"` // event time, Unix ms
}

const (
	aboutMost  = 20               // signals that say which incident is meant
	nearOnsets = 5 * time.Minute  // onsets that two servers find for the same alarm differ by less, when both were there …
	nearEnds   = 15 * time.Minute // … and an alarm that was said to stand a moment before it began elsewhere is the same
	saidMost   = 2000             // remembered for each integration; the oldest leave
)

// Word is what was said of an incident to an integration. It is stored, and sent to the other server.
type Word struct {
	Lane string `json:"lane"` // key of the integration by the configuration alone
	About
	Theirs bool            `json:"theirs,omitempty"` // the other server said it
	T      int64           `json:"t"`                // event time of the newest word
	Rank   int             `json:"rank"`             // severity of the newest word but the closing one
	Over   int64           `json:"over,omitempty"`   // event time of the closing word; 0 = none was said
	Kept   bool            `json:"kept,omitempty"`   // nothing was said of it: a contract keeps it for the digest, or a summary tells of it
	Hold   json.RawMessage `json:"hold,omitempty"`   // what the far end needs to know it again: a holding
	At     int64           `json:"at"`               // Unix ms of the newest word, by the clock of who keeps it
	AgoMs  int64           `json:"ago,omitempty"`    // on the way to the other server: how long ago At was
}

// aboutOf returns which incident a message is about.
func aboutOf(m *Message) About {
	if m.Reason == alerting.Digest {
		return About{Incident: "digest"}
	}
	a := About{Incident: m.Incident, Cluster: m.Cluster}
	for i := range m.Lines {
		a.add(m.Lines[i].Name, m.Lines[i].Labels, m.Lines[i].Onset)
	}
	return a
}

func (a *About) add(name string, labels map[string]string, onset int64) {
	if len(a.Signals) == aboutMost {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		name += "~" + k + "=" + labels[k]
	}
	a.Signals = append(a.Signals, Moved{name, onset})
}

// AboutOf returns which incident is meant.
func AboutOf(inc *alerting.Incident) About {
	return aboutOf(NewMessage(alerting.Notification{IncidentID: inc.ID, Incident: inc}, ""))
}

// SameIncident reports whether an incident of this server is the one that the other one means.
func SameIncident(q *About, inc *alerting.Incident) bool {
	w := Word{About: AboutOf(inc), T: inc.Updated, Over: inc.Resolved}
	return w.of(q, inc.Updated)
}

// of reports whether a word is about the incident that somebody asks about. until is the event time up to which what it says stood.
func (w *Word) of(q *About, until int64) bool {
	if w.Incident == q.Incident {
		return w.Cluster == q.Cluster
	}
	if w.Cluster != q.Cluster {
		return false
	}
	for _, a := range w.Signals {
		for _, b := range q.Signals {
			switch {
			case a.ID != b.ID:
			case max(a.Onset-b.Onset, b.Onset-a.Onset) <= nearOnsets.Milliseconds():
				return true
			case w.Over == 0 && b.Onset <= until+nearEnds.Milliseconds():
				return true
			}
		}
	}
	return false
}

// wordOf returns what is known to have been said of an incident, of those words that count the one that says most; nil when there is none. The caller holds mu.
func (l *lane) wordOf(q *About, counts func(w *Word) bool) (best *Word) {
	for _, w := range l.said {
		if !counts(w) {
			continue
		}
		until, now := w.T, *w
		if !w.Theirs && w.Over == 0 && l.box.opts.Current != nil {
			if inc, ok := l.box.opts.Current(w.Incident); ok && inc.Open() {
				until, now.About = max(until, inc.Updated), AboutOf(inc) // what has joined since belongs to it
			}
		}
		if now.of(q, until) && (best == nil || w.beats(best, q)) {
			best = w
		}
	}
	return best
}

// beats reports whether w says more of an incident than another word about it.
func (w *Word) beats(x *Word, q *About) bool {
	bool2 := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(bool2(w.Incident == q.Incident), bool2(x.Incident == q.Incident)), cmp.Compare(bool2(w.Over != 0), bool2(x.Over != 0)), cmp.Compare(w.T, x.T), strings.Compare(x.Incident, w.Incident), cmp.Compare(bool2(x.Theirs), bool2(w.Theirs))) > 0
}

// sameWindow is by how much the event times of one word may differ on two servers.
const sameWindow = 2 * time.Minute

// says reports whether the word says what somebody is about to say.
func (w *Word) says(q *Question, now time.Time) bool {
	switch q.Reason {
	case alerting.Resolved:
		return w.Over != 0
	case alerting.Repeated:
		return w.Over != 0 || now.UnixMilli()-w.At <= q.AgeMs+sameWindow.Milliseconds()
	case alerting.Digest:
		return w.T >= q.T
	}
	if w.Over != 0 {
		return true
	}
	return w.Rank >= q.Rank && (!q.Heard || w.T >= q.T-sameWindow.Milliseconds())
}

// saidKey is where a word is kept.
func (w *Word) saidKey(lane string) []byte {
	who := "\x00ours\x00"
	if w.Theirs {
		who = "\x00theirs\x00"
	}
	return []byte(lane + who + w.Incident)
}

// word makes what a message has said, on top of what was said before; nil outside of pairs. h is what the far end holds, kept says that the message was not sent. The caller holds mu.
func (l *lane) word(m *Message, h *holding, kept bool, now time.Time) *Word {
	if l.box.opts.Peer == nil || m.Reason == alerting.Summary || m.Reason == alerting.Trial {
		return nil
	}
	w := &Word{Lane: l.config, About: aboutOf(m), T: m.T, Rank: alerting.SeverityRank(m.Severity), Kept: kept, At: now.UnixMilli()}
	if old := l.said[string(w.saidKey(l.key))]; old != nil {
		w.T = max(w.T, old.T)
		if m.Reason == alerting.Resolved {
			w.Rank = old.Rank
		}
	}
	if m.Reason == alerting.Resolved {
		w.Over = m.T
	}
	if h != nil {
		w.Hold, _ = json.Marshal(h) // plain
	}
	return w
}

// learn notes a word in memory, nil for none, and in g that it is to be stored. The caller holds mu.
func (l *lane) learn(g *ledger, w *Word) {
	if w == nil {
		return
	}
	g.words = append(g.words, w)
	l.said[string(w.saidKey(l.key))] = w
	for len(l.said) > saidMost {
		oldest := ""
		for key, x := range l.said {
			if o := l.said[oldest]; o == nil || x.At < o.At || x.At == o.At && key < oldest {
				oldest = key
			}
		}
		delete(l.said, oldest)
		g.gone = append(g.gone, []byte(oldest))
	}
}

// putSaid stores words, and forgets others.
func putSaid(root *bolt.Bucket, lane string, words []*Word, gone [][]byte) error {
	if len(words)+len(gone) == 0 {
		return nil
	}
	bucket, err := root.CreateBucketIfNotExists(saidBucket)
	if err != nil {
		return err
	}
	for _, w := range words {
		key := w.saidKey(lane)
		if err := bucket.Put(key, seal(key, w)); err != nil {
			return err
		}
	}
	for _, key := range gone {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// readSaid reads what has been said, by integration. What is damaged is as if it was not said: somebody may hear it twice.
func (s *stored) readSaid(root *bolt.Bucket) {
	s.said = map[string]map[string]*Word{}
	bucket := root.Bucket(saidBucket)
	if bucket == nil {
		return
	}
	bucket.ForEach(func(k, v []byte) error {
		w := &Word{}
		if unseal(k, v, w) != nil {
			return nil
		}
		lane, _, _ := strings.Cut(string(k), "\x00")
		if s.said[lane] == nil {
			s.said[lane] = map[string]*Word{}
		}
		s.said[lane][string(k)] = w
		return nil
	})
}

// forgetSaid drops words that nobody can ask for any more.
func forgetSaid(root *bolt.Bucket, now time.Time) error {
	bucket := root.Bucket(saidBucket)
	if bucket == nil {
		return nil
	}
	var old [][]byte
	bucket.ForEach(func(k, v []byte) error {
		if w := (&Word{}); unseal(k, v, w) != nil || w.At < now.Add(-knownFor).UnixMilli() {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	for _, k := range old {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
