// Package series says what a sample, a label set and a decoded request are.
// It is vocabulary shared by the door (ingest) and the engine (baseline): no I/O, no locks, no clock.
package series

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode/utf8"
)

// staleBits is the bit pattern Prometheus gives the NaN that ends a series.
const staleBits uint64 = 0x7ff0000000000002

// StaleNaN is the value that ends a series. It is a NaN, so compare with IsStale, never with ==.
var StaleNaN = math.Float64frombits(staleBits)

// IsStale reports whether v is the stale marker. Other NaNs are not stale.
func IsStale(v float64) bool { return math.Float64bits(v) == staleBits }

// NameLabel is the label that holds a series' metric name.
const NameLabel = "__name__"

// Label is one name and value. The zero value is not a valid label.
type Label struct{ Name, Value string }

// Labels is a label set, sorted by name, names unique, no empty values.
// The nil set is valid and names no series.
type Labels []Label

// Get returns the value of name, or "" when absent.
func (l Labels) Get(name string) string {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value
		}
	}
	return ""
}

// Errors of Canonical. A sender can repair none of them by retrying.
var (
	// ErrNoName is returned for a label set without a metric name.
	ErrNoName = errors.New("series has no metric name")
	// ErrDuplicateLabel is returned when a label name occurs twice.
	ErrDuplicateLabel = errors.New("label name occurs twice")
	// ErrEmptyLabelName is returned for a label whose name is empty.
	ErrEmptyLabelName = errors.New("label name is empty")
	// ErrInvalidUTF8 is returned when a name or value is not valid UTF-8.
	ErrInvalidUTF8 = errors.New("label is not valid UTF-8")
	// ErrLabelLimit is returned when a set has too many labels, or a name or value is too long.
	ErrLabelLimit = errors.New("label limit exceeded")
)

// Limits on one label set. Beyond them Canonical refuses the set.
const (
	LabelsMax     = 64   // labels in a set
	LabelNameMax  = 256  // bytes
	LabelValueMax = 4096 // bytes
)

// nameShown is how many bytes of a name an error shows.
const nameShown = 80

// NameTooLong, ValueTooLong and TooManyLabels return ErrLabelLimit with the label and the limit in words.
func NameTooLong(name string) error {
	return fmt.Errorf("%w: label name %q has %d bytes, at most %d are taken", ErrLabelLimit, Clean(name, nameShown), len(name), LabelNameMax)
}

// ValueTooLong: see NameTooLong.
func ValueTooLong(name string, n int) error {
	return fmt.Errorf("%w: the value of label %q has %d bytes, at most %d are taken", ErrLabelLimit, Clean(name, nameShown), n, LabelValueMax)
}

// TooManyLabels: see NameTooLong.
func TooManyLabels(n int) error {
	return fmt.Errorf("%w: %d labels, at most %d are taken", ErrLabelLimit, n, LabelsMax)
}

// Canonical sorts l in place, drops labels with an empty value and checks the rest.
// The result shares l's array. It returns one of the package's errors, with the label and the limit in words, for a set no sender may send.
func Canonical(l Labels) (Labels, error) {
	sorted := true
	out := l[:0]
	for i := range l {
		switch x := &l[i]; {
		case x.Name == "":
			return nil, fmt.Errorf("%w: its value is %q", ErrEmptyLabelName, Clean(x.Value, nameShown))
		case len(x.Name) > LabelNameMax:
			return nil, NameTooLong(x.Name)
		case len(x.Value) > LabelValueMax:
			return nil, ValueTooLong(x.Name, len(x.Value))
		case !utf8.ValidString(x.Name) || !utf8.ValidString(x.Value):
			return nil, fmt.Errorf("%w: %q", ErrInvalidUTF8, Clean(x.Name, nameShown))
		}
		if n := len(out); n > 0 && out[n-1].Name >= l[i].Name {
			sorted = false
		}
		out = append(out, l[i])
	}
	if len(out) > LabelsMax {
		return nil, TooManyLabels(len(out))
	}
	if !sorted {
		sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
		for i := 1; i < len(out); i++ {
			if out[i].Name == out[i-1].Name {
				return nil, fmt.Errorf("%w: %q", ErrDuplicateLabel, Clean(out[i].Name, nameShown))
			}
		}
	}
	kept := out[:0]
	for _, x := range out {
		if x.Value != "" {
			kept = append(kept, x)
		}
	}
	if kept.Get(NameLabel) == "" {
		return nil, ErrNoName
	}
	return kept, nil
}

// String writes l as PromQL would: name{a="b",…}. For people and for keys of canonical sets.
func (l Labels) String() string {
	var b strings.Builder
	b.WriteString(l.Get(NameLabel))
	b.WriteByte('{')
	first := true
	for _, x := range l {
		if x.Name == NameLabel {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString(x.Name)
		b.WriteString(`="`)
		for _, r := range x.Value {
			switch r {
			case '"', '\\':
				b.WriteByte('\\')
				b.WriteRune(r)
			case '\n':
				b.WriteString(`\n`)
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// ID returns an id of a name and the set: name~label=value~label=value, labels sorted by name, with every byte outside
// A–Z a–z 0–9 . _ - : written as ! and two hexadecimal digits. It is URL-safe without escaping. One that would be longer than IDMax ends in ~! and a hash of the whole in its
// place, since a label may have any length and an id is the key of much.
func (l Labels) ID(name string) string {
	sorted := append(Labels(nil), l...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	var b strings.Builder
	escape(&b, name)
	for _, x := range sorted {
		b.WriteByte('~')
		escape(&b, x.Name)
		b.WriteByte('=')
		escape(&b, x.Value)
	}
	if b.Len() <= IDMax {
		return b.String()
	}
	whole := b.String()
	sum := sha256.Sum256([]byte(whole))
	kept := whole[:IDMax-len(idCut)-2*idHash]
	if i := strings.LastIndexByte(kept[len(kept)-2:], '!'); i >= 0 { // in the midst of an escape
		kept = kept[:len(kept)-2+i]
	}
	return kept + idCut + hex.EncodeToString(sum[:idHash])
}

// IDMax is how long an id may be, in bytes.
const IDMax = 1024

const (
	idCut  = "~!" // no escape begins so
	idHash = 16   // bytes of SHA-256
)

func escape(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-', c == ':':
			b.WriteByte(c)
		default:
			b.WriteByte('!')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
}

// Sample is one value of a series.
type Sample struct {
	T     int64   // Unix milliseconds
	V     float64 // may be NaN, ±Inf or the stale marker
	Start int64   // Unix milliseconds at which a counter began, 0 when the sender did not say
}

// Histogram is one native histogram sample. Buckets are absolute counts, not deltas.
type Histogram struct {
	T, Start      int64 // as in Sample
	Count, Sum    float64
	Schema        int32
	ZeroThreshold float64
	ZeroCount     float64
	Pos, Neg      []Bucket  // sorted by Index
	Custom        []float64 // upper bounds, for schema -53 only
	Reset         bool      // the sender says that the counter was reset
	Gauge         bool
	Stale         bool
}

// Bucket is one populated bucket of a native histogram.
type Bucket struct {
	Index int32
	Count float64
}

// Entry is one series of a Batch: a key and its half-open ranges in Samples and Histograms.
type Entry struct {
	// Key is a hash of the series' label bytes as they came, keyed by a secret of the installation (Keyer). Equal bytes give equal keys;
	// the same label set may have several keys (another order, another protocol), never the reverse.
	Key                uint64
	SampleLo, SampleHi uint32
	HistLo, HistHi     uint32
}

// LabelReader gives the labels of a Batch's entries, decoded on demand, since a known series needs none.
type LabelReader interface {
	// AppendLabels appends the labels of entry i to dst, in the order and spelling of the sender.
	// The strings are copies that the caller may keep.
	AppendLabels(dst Labels, i int) (Labels, error)
}

// Batch is one accepted request. Its slices are borrowed: whoever receives a Batch must not keep them.
type Batch struct {
	// Sender names who sent it, as far as the transport knows (token, path or address). May be empty.
	Sender string
	// Cluster is the cluster name that the sender's path or token fixes; empty when labels decide.
	Cluster string
	// ReceivedMs is when the request arrived, Unix milliseconds. It is journaled, so a replay sees the same.
	ReceivedMs int64
	Entries    []Entry
	Samples    []Sample
	Histograms []Histogram
	Labels     LabelReader
}

// FutureMs is how far ahead of the receive stamp a sample may be. What is further is refused: one wrong clock would move the time of a whole cluster.
const FutureMs = 10 * 60_000

// TurnMs is how far behind the newest receive stamp another one may lie because requests were handled side by side. One that lies further behind says that the clock was wrong
// before and has been put right.
const TurnMs = 60_000

// Later returns the receive clock of a fold that stood at nowMs when a request with this stamp comes: the newer of both, but the stamp when the clock has been turned back. Unix milliseconds.
func Later(nowMs, stampMs int64) int64 {
	if stampMs < nowMs-TurnMs {
		return stampMs
	}
	return max(nowMs, stampMs)
}

// Ahead says in words that a sample of time t was refused in a request that was received then.
func Ahead(t, receivedMs int64) string {
	return fmt.Sprintf("sample is %d s ahead of the receiver's clock; at most %d s are accepted: check both clocks", (t-receivedMs)/1000, FutureMs/1000)
}

// Result says what became of a Batch. Every sample is counted in exactly one of the fields
// Samples (with those that the engine knowingly ignores: not needed, repeated, late), Barred and Rejected.
type Result struct {
	Samples    int // written samples
	Histograms int // written native histograms
	Barred     int // samples and histograms refused for what the door sees too: labels that no series may have, a time too far ahead
	Rejected   int // samples and histograms refused for what the fold alone knows: a limit
	// Reason says why the first of them was refused, in words for the sender. Empty when Rejected is 0.
	Reason string
}
