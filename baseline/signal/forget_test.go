package signal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/wrackline/wrackline/baseline/replica"
)

// Names of replicas and senders that are over make room for others, however many there have been; a stream that was restored in between goes on as the one that was not.
func TestNamesAreForgotten(t *testing.T) {
	const hour = 3600_000
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps), Cluster: "eu", RetireMs: 6 * hour})
	var other *Stream
	t0 := int64(t0)
	for i := range 3 * replica.NamesMost / 10 {
		at := t0 + int64(i)*hour/4
		for m := range int64(15) {
			for k := range 10 { // ten shards that are renamed with every restart of their Prometheus
				text := fmt.Sprintf(`x_total{instance="i%d:1",__replica__="prometheus-%d-%d"}`, k, i, k)
				for _, x := range []*Stream{s, other} {
					if x != nil {
						b := newBatch(at + m*60_000 + 1000)
						b.Sender = fmt.Sprint("prometheus-", i)
						x.Apply(&b.add(text, at+m*60_000, float64(m)).Batch)
					}
				}
			}
		}
		if i == replica.NamesMost/20 {
			other, _ = restored(t, s.opts, s.AppendState(nil))
		}
	}
	if n := s.names.Len(); n > 200 {
		t.Errorf("%d replica names are known", n)
	}
	if id := s.names.Of("one more"); id == replica.NamesMost {
		t.Error("there is no room for a further replica")
	}
	other.names.Of("one more")
	if n := len(s.senders.List); n > 30 {
		t.Errorf("%d senders are known", n)
	}
	if a, b := s.AppendState(nil), other.AppendState(nil); !bytes.Equal(a, b) {
		t.Error("a stream that was restored has another state")
	}
}
