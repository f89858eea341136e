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

// Of a pod that may be one of many there is no signal in its first hour, and none that is of use to nobody a day after it has gone. What its workload will have again stays.
func TestShortLivesLeaveNothing(t *testing.T) {
	const other, lone, web = "wl.cpu~cluster=default~namespace=ns~workload=db", "wl.cpu~cluster=default~namespace=ns~workload=tool-x7k2p-a", "wl.cpu~cluster=default~namespace=ns~workload=web"
	s, r := newTestStream(t, StreamOptions{Packs: packOf(cpuRule)})
	lives := []struct {
		pod, kind, owner string
		minutes          int64 // 0 = for ever
	}{{"db", "<none>", "<none>", 0}, {"tool-x7k2p-a", "<none>", "<none>", 180}, {"brief-k9d4z-a", "<none>", "<none>", 40}, {"web-5d8f7c9b46-bcdfg", "ReplicaSet", "web-5d8f7c9b46", 180}}
	had := map[string]bool{}
	for at := int64(t0); at < t0+30*hour; at += 60_000 {
		b := newBatch(at + 1000)
		for i, p := range lives {
			if p.minutes > 0 && at > t0+p.minutes*60_000 {
				continue
			}
			b.add(cpu("ns", p.pod), at, ramp(i, at))
			b.add(podOwner("ns", p.pod, p.kind, p.owner), at, 1)
		}
		s.Apply(&b.Batch)
		if at == t0+5*hour {
			for id := range s.signalAt {
				had[id] = true
			}
		}
		if at == t0+10*hour {
			s, _ = restored(t, s.opts, s.AppendState(nil))
			s.closed = r.closed
		}
	}
	if len(had) != 3 || !had[other] || !had[lone] || !had[web] {
		t.Errorf("after five hours there are %v", had)
	}
	if from := only(r, lone); from[30] != 0 || from[100] != 1 || from[170] != 1 {
		t.Errorf("what lives long has values %v", from)
	}
	if s.signalAt[lone] != nil || s.signalAt[other] == nil || s.signalAt[web] == nil {
		t.Errorf("after thirty hours there are %v", s.signalAt)
	}
}
