package signal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
)

// counting gives a stream a batch whose labels are counted as they are read.
func counting(s *Stream, b series.Batch, reads *int) {
	of := b.Labels
	b.Labels = readerFunc(func(dst series.Labels, i int) (series.Labels, error) { *reads++; return of.AppendLabels(dst, i) })
	s.Apply(&b)
}

// restored returns a stream with the options and a state.
func restored(t *testing.T, o StreamOptions, state []byte) (*Stream, *recorder) {
	t.Helper()
	s, r := newTestStream(t, o)
	if err := s.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	return s, r
}

// keysSection returns the last section of a stream's state.
func keysSection(s *Stream) []byte {
	var w codec.Writer
	s.appendKeys(&w)
	return w.B
}

// TestRestoredKeysNeedNoLabels goes on with a state as the stream that made it, reading the labels of new series alone; with other keys
// it reads all of them, and says the same.
func TestRestoredKeysNeedNoLabels(t *testing.T) {
	opts := StreamOptions{Packs: packOf(shopRules()...), Salt: series.Salt{1}}
	s, want := newTestStream(t, opts)
	g := generator(t, busy)
	play(s, g, busy.StartMs+8*60_000)
	state, keys, before := s.AppendState(nil), len(s.keys.List), len(want.windows)
	t.Logf("%d keys, %.2f bytes each", keys, float64(len(keysSection(s)))/float64(keys))
	if keys < 5000 || len(keysSection(s)) > 11*keys {
		t.Errorf("%d keys take %d bytes", keys, len(keysSection(s)))
	}

	old := s.appendState(nil, 7) // what the program before wrote
	old = old[:len(old)-len(keysSection(s))]
	salted, labelled := opts, opts
	salted.Salt = series.Salt{2}
	labelled.ReplicaLabels = []string{"prometheus_replica", "__replica__"}
	type run struct {
		what string
		s    *Stream
		rec  *recorder
		n    int
	}
	again := &run{what: "the same options"}
	again.s, again.rec = restored(t, opts, state)
	if got := again.s.AppendState(nil); !bytes.Equal(got, state) {
		t.Error("the state of the restored stream differs")
	}
	anew := []*run{{what: "another salt"}, {what: "other replica labels"}, {what: "state 7"}}
	anew[0].s, anew[0].rec = restored(t, salted, state)
	anew[1].s, anew[1].rec = restored(t, labelled, state)
	anew[2].s, anew[2].rec = restored(t, opts, old)
	all, reads := append(anew, again), 0
	for {
		req, ok := g.Next(busy.StartMs + 16*60_000)
		if !ok {
			break
		}
		counting(s, req.Batch, &reads)
		for _, x := range all {
			counting(x.s, req.Batch, &x.n)
		}
	}
	if again.n != reads || reads > keys/4 {
		t.Errorf("the restored stream read labels %d times, the one that went on %d times", again.n, reads)
	}
	for _, x := range all {
		if x != again && x.n < keys*9/10 {
			t.Errorf("%s: labels read %d times for %d keys", x.what, x.n, keys)
		}
		from := 0
		if x.what == "state 7" {
			from = 5 // its targets were of one metric each: those of now have been known for no time, and a first value is in ranges of 5m
		}
		if got := x.rec.windows; len(got) < from || !slices.Equal(got[from:], want.windows[before+from:]) {
			t.Errorf("%s: the windows differ", x.what)
		}
	}
	if !bytes.Equal(again.s.AppendState(nil), s.AppendState(nil)) {
		t.Error("the states at the end differ")
	}
}

// TestForeignKeysAreNotBelieved has the keys of a state stand for other series than they did, as another salt would make it.
func TestForeignKeysAreNotBelieved(t *testing.T) {
	opts := StreamOptions{Packs: packOf(rule("x.by", `sum by (cluster, job) (x)`)), Salt: series.Salt{1}}
	send := func(s *Stream, at int64, shift int) {
		b := newBatch(at).add(`x{job="a"}`, at, 1).add(`x{job="b"}`, at, 2).add(`x{job="c"}`, at, 3)
		keys := []uint64{b.Entries[0].Key, b.Entries[1].Key, b.Entries[2].Key}
		for i := range b.Entries {
			b.Entries[i].Key = keys[(i+shift)%3]
		}
		s.Apply(&b.Batch)
	}
	s, _ := newTestStream(t, opts)
	for at := t0; at < t0+300_000; at += 30_000 {
		send(s, at, 0)
	}
	opts.Salt = series.Salt{2}
	n, r := restored(t, opts, s.AppendState(nil))
	for at := int64(t0 + 300_000); at < t0+900_000; at += 30_000 {
		send(n, at, 1)
	}
	for job, want := range map[string]float64{"a": 1, "b": 2, "c": 3} {
		wantValues(t, job, only(r, "x.by~cluster=default~job="+job), 6, 12, want)
	}
}

// TestKeysOfOtherRules keeps the keys of series that the rules before and the present ones ask alike.
func TestKeysOfOtherRules(t *testing.T) {
	send := func(s *Stream, at int64) (reads int) {
		b := newBatch(at).add(`a{i="1"}`, at, 1).add(`b{i="1"}`, at, 2).add(`c{i="1"}`, at, 3)
		counting(s, b.Batch, &reads)
		return reads
	}
	a, b := rule("x.a", `max by (cluster) (a)`), rule("x.b", `max by (cluster) (b)`)
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(a)})
	for at := t0; at < t0+300_000; at += 30_000 {
		send(s, at)
	}
	var r *recorder
	n, _ := restored(t, StreamOptions{Packs: packOf(a, b)}, s.AppendState(nil))
	if reads := send(n, t0+300_000); reads != 2 { // those that nobody needed
		t.Errorf("labels read %d times", reads)
	}
	n, _ = restored(t, StreamOptions{Packs: packOf(rule("x.a", `max by (cluster) (a)`, `min by (cluster) (a{i="1"})`))}, s.AppendState(nil))
	if reads := send(n, t0+300_000); reads != 3 { // a has a new leaf
		t.Errorf("labels read %d times", reads)
	}
	n, r = restored(t, StreamOptions{Packs: packOf(a, b)}, s.AppendState(nil))
	for at := int64(t0 + 300_000); at < t0+900_000; at += 30_000 {
		send(n, at)
	}
	wantValues(t, "a", only(r, "x.a~cluster=default"), 6, 12, 1)
	wantValues(t, "b", only(r, "x.b~cluster=default"), 9, 12, 2)
}

// TestKeysOfFixedClusters keeps apart what two clusters send in the same bytes, over a restart too.
func TestKeysOfFixedClusters(t *testing.T) {
	opts := StreamOptions{Packs: packOf(rule("x.v", `max by (cluster) (x)`)), Salt: series.Salt{3}}
	send := func(s *Stream, at int64) (reads int) {
		for i, cluster := range []string{"east", "west"} {
			b := newBatch(at).add(`x{i="1"}`, at, float64(i+1))
			b.Cluster = cluster
			counting(s, b.Batch, &reads)
		}
		return reads
	}
	s, _ := newTestStream(t, opts)
	for at := t0; at < t0+300_000; at += 30_000 {
		send(s, at)
	}
	n, r := restored(t, opts, s.AppendState(nil))
	for at := int64(t0 + 300_000); at < t0+900_000; at += 30_000 {
		if reads := send(n, at); reads != 0 {
			t.Fatalf("labels read %d times", reads)
		}
	}
	wantValues(t, "east", only(r, "x.v~cluster=east"), 6, 12, 1)
	wantValues(t, "west", only(r, "x.v~cluster=west"), 6, 12, 2)
}

// TestHostileKeysAreRefused holds that the section of keys is believed nothing.
func TestHostileKeysAreRefused(t *testing.T) {
	opts := StreamOptions{Packs: packOf(qps), MaxSeries: 10}
	s, _ := newTestStream(t, opts)
	b := newBatch(t0+1000).add(`x_total{i="1"}`, t0, 1).add(`x_total{i="2"}`, t0, 1).add(`y{i="2"}`, t0, 1)
	s.Apply(&b.Batch)
	state, section := s.AppendState(nil), keysSection(s)
	head := state[:len(state)-len(section)]
	const first = 1 + 16 + 1 // version, name, count
	key := func(hash uint64, code int64, more ...byte) []byte {
		return append(binary.AppendVarint(binary.LittleEndian.AppendUint64(nil, hash), code), more...)
	}
	list := func(n byte, keys ...[]byte) []byte {
		return append(append(bytes.Clone(section[:first-1]), n), bytes.Join(keys, nil)...)
	}
	good := list(3, key(1, 0, 0), key(2, 0, 0), key(3, spelling.CodeIgnored, 0))
	n, _ := restored(t, opts, append(bytes.Clone(head), good...))
	if len(n.keys.List) != 3 || n.keys.List[1].Series != 1 || n.keys.List[2].Series != none {
		t.Fatalf("keys %+v", n.keys)
	}
	for what, x := range map[string][]byte{
		"no section": nil, "version 0": append([]byte{0}, good[1:]...), "version 3": append([]byte{3}, good[1:]...), "cut": good[:len(good)-1],
		"more than there are": list(4, key(1, 0, 0), key(2, 0, 0), key(3, spelling.CodeIgnored, 0)), "fewer than there are": list(2, key(1, 0, 0), key(2, 0, 0), key(3, spelling.CodeIgnored, 0)),
		"a hash twice": list(2, key(1, 0, 0), key(1, 0, 0)), "a series too far": list(1, key(1, 2<<spelling.CodeStep, 0)), "a series before the first": list(1, key(1, -1<<spelling.CodeStep, 0)),
		"the furthest": list(1, key(1, -1<<63, 0)), "an ignored one with a step": list(1, key(1, 1<<spelling.CodeStep|spelling.CodeIgnored, 0)),
		"a replica too far": list(1, key(1, spelling.CodeReplica, 0xff, 0xff, 0x7f, 0)), "no age": list(1, key(1, 0)), "a sender too far": list(1, key(1, spelling.CodeSender, 1, 0)),
	} {
		n, _ := newTestStream(t, opts)
		if err := n.RestoreState(append(bytes.Clone(head), x...)); !errors.Is(err, ErrState) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	// More than there may be are learned anew.
	opts.MaxSeries = 1
	most := RoomOf(opts).Keys
	var many [][]byte
	for i := range most + 1 {
		many = append(many, key(uint64(i+1), spelling.CodeIgnored, 0))
	}
	if n, _ := restored(t, opts, append(bytes.Clone(head), list(byte(most), many[:most]...)...)); len(n.keys.List) != most {
		t.Errorf("%d keys, want the %d that there may be", len(n.keys.List), most)
	}
	if n, _ := restored(t, opts, append(bytes.Clone(head), list(byte(most+1), many...)...)); len(n.keys.List) != 0 {
		t.Errorf("%d keys", len(n.keys.List))
	}
}
