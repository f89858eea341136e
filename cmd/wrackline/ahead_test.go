package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// body is a request of one series with n samples, or with the label bytes of pad.
func aheadBody(t *testing.T, i, n, pad int) []byte {
	t.Helper()
	ts := prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: fmt.Sprintf("x%d", i)}, {Name: "pad", Value: string(bytes.Repeat([]byte{'p'}, pad))}}}
	for k := range n {
		ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: int64(1700000000000 + k), Value: float64(i)})
	}
	raw, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{ts}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, raw)
}

// TestDecodeAheadKeepsTheOrder folds each record once, in order, as it was written, those that cannot be decoded and large ones among them.
func TestDecodeAheadKeepsTheOrder(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const records = 400
	for i := range records {
		r := journal.Record{ReceivedMs: int64(i + 1), Sender: fmt.Sprint("s", i%3), Cluster: fmt.Sprint("c", i%5), Proto: uint8(ingest.V1), Encoding: uint8(ingest.Snappy)}
		switch {
		case i%50 == 7:
			r.Body = []byte("no request")
		case i%50 == 9:
			r.Body = aheadBody(t, i, 60_000, 0)
		default:
			r.Body = aheadBody(t, i, 1+i%40, i%7*100)
		}
		if _, err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	keyer := series.NewKeyer(series.NewSalt())
	decoder := func() *ingest.Decoder { return ingest.NewKeyedDecoder(ingest.Limits{}, keyer) }
	n := 10
	most := 0
	look := func(x *decoded) {
		i := n
		n++
		b := &x.batch
		if x.pos != uint64(i+1) || b.ReceivedMs != int64(i+1) || b.Sender != fmt.Sprint("s", i%3) || b.Cluster != fmt.Sprint("c", i%5) {
			t.Fatalf("record %d comes as %d of %s in %s", i+1, x.pos, b.Sender, b.Cluster)
		}
		if (x.err != nil) != (i%50 == 7) {
			t.Fatalf("record %d: %v", i+1, x.err)
		}
		if x.err != nil {
			return
		}
		want := 1 + i%40
		if i%50 == 9 {
			want = 60_000
		}
		l, err := b.Labels.AppendLabels(nil, 0)
		if err != nil || len(b.Samples) != want || b.Samples[want-1].V != float64(i) || l.Get("__name__") != fmt.Sprintf("x%d", i) {
			t.Fatalf("record %d: %d samples of %v, %v", i+1, len(b.Samples), l, err)
		}
	}
	if err := decodeAhead(t.Context(), j, 10, decoder, func(ready []*decoded) {
		most = max(most, len(ready))
		for _, x := range ready {
			look(x)
		}
	}); err != nil || n != records || most > foldMost {
		t.Errorf("%d records, %d at once, %v", n, most, err)
	}

	// It ends when it is told to, and folds nothing more.
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	calls, last := 0, 0
	err = decodeAhead(ctx, j, 0, decoder, func(ready []*decoded) {
		calls++
		if n += len(ready); n >= 20 && last == 0 {
			last = calls
			cancel()
		}
	})
	if last == 0 || calls != last || !errors.Is(err, context.Canceled) {
		t.Errorf("%d records folded, %v", n, err)
	}
}

func TestSaltSection(t *testing.T) {
	salt := series.NewSalt()
	if got, err := readSalt(appendSalt(salt)); err != nil || got != salt {
		t.Errorf("%v, %v", got, err)
	}
	a, err := readSalt(nil)
	b, err2 := readSalt(nil)
	if err != nil || err2 != nil || a == b || a == (series.Salt{}) {
		t.Errorf("new salts %v and %v, %v, %v", a, b, err, err2)
	}
	whole := appendSalt(salt)
	for what, x := range map[string][]byte{"empty": {}, "cut": whole[:32], "longer": append(whole, 0), "version 2": append([]byte{2}, whole[1:]...), "zero": appendSalt(series.Salt{})} {
		if _, err := readSalt(x); !errors.Is(err, errSalt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
