package signal

import (
	"bytes"
	"fmt"
	"iter"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// What is copied in slices is of the moment in which that began, whatever samples change meanwhile: rings, bucket sets, native histograms, targets, places in leaves, words of objects; and it is whole
// when a window closes before its turn has come.
func TestFrozenStateIsOfOneMoment(t *testing.T) {
	send := func(bt *batch, at int64, from, pods int) *batch {
		for i := from; i < pods; i++ {
			pod, n := fmt.Sprint("p", i), float64(at-t0)/1000+1000
			for _, le := range []string{"1", "2", "+Inf"} {
				bt.add(fmt.Sprintf(`x_bucket{instance="%s",job="j",le="%s"}`, pod, le), at, n)
			}
			bt.add(fmt.Sprintf(`x_count{instance="%s",job="j"}`, pod), at, n).add(fmt.Sprintf(`x_sum{instance="%s",job="j"}`, pod), at, n)
			bt.addHistogram(series.Labels{{Name: series.NameLabel, Value: "x"}, {Name: "instance", Value: pod}}, steady(at, 1))
			bt.add(fmt.Sprintf(`kube_pod_container_status_restarts_total{namespace="n",pod="w-%d",container="c"}`, i), at, float64(at/60_000))
			bt.add(cpu("n", fmt.Sprint("w-", i)), at, n)
		}
		return bt
	}
	const pods = 400 // some slices of series
	rules := append(packOf(nativeRules...), packOf(shopRules()...)...)
	for _, c := range []struct {
		name  string
		apply func(s *Stream, at int64, slice int)
		least int // slices between which something came
	}{
		{"samples", func(s *Stream, at int64, slice int) {
			bt := newBatch(at + 1000)
			s.Apply(&send(bt, at+int64(slice)*100, 0, pods).Batch)
		}, 8},
		{"the other order", func(s *Stream, at int64, slice int) {
			bt := newBatch(at + 1000)
			s.Apply(&send(bt, at+int64(slice)*100, max(0, pods-10-50*slice), pods).Batch)
		}, 8},
		{"new pods, and new buckets of old ones, and who owns them", func(s *Stream, at int64, slice int) {
			bt := newBatch(at + 1000)
			send(bt, at+int64(slice)*100, pods+slice*3, pods+slice*3+3)
			for i := range pods {
				bt.add(fmt.Sprintf(`x_bucket{instance="p%d",job="j",le="%d"}`, i, slice+3), at+int64(slice)*100, float64(slice))
				bt.add(podOwner("n", fmt.Sprint("w-", i), "ReplicaSet", fmt.Sprint("w", slice, "-abcd")), at+int64(slice)*100, 1)
			}
			s.Apply(&bt.Batch)
		}, 8},
		{"older samples of new counters of old targets", func(s *Stream, at int64, slice int) {
			bt := newBatch(at + 1000)
			for i := range pods {
				bt.add(fmt.Sprintf(`x_count{instance="p%d",job="j",slice="%d"}`, i, slice), t0-30_000, 1)
			}
			s.Apply(&bt.Batch)
		}, 8},
		{"ends", func(s *Stream, at int64, slice int) {
			bt := newBatch(at + 1000)
			for i := range pods {
				bt.add(cpu("n", fmt.Sprint("w-", i)), at+int64(slice)*100, series.StaleNaN)
				bt.add(fmt.Sprintf(`kube_pod_container_status_restarts_total{namespace="n",pod="w-%d",container="c"}`, i), at+int64(slice)*100, series.StaleNaN)
			}
			s.Apply(&bt.Batch)
		}, 8},
		{"a window closes", func(s *Stream, at int64, slice int) {
			at += int64(slice) * 30_000
			s.Apply(&send(newBatch(at+1000), at, 0, pods).Batch)
		}, 1},
		{"the clock turns back", func(s *Stream, at int64, slice int) {
			s.Apply(&send(newBatch(at-3600_000), at, 0, 1).Batch)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var finish func()
			s, _ := newTestStream(t, StreamOptions{Packs: rules, Changing: func() {
				if finish != nil {
					finish()
				}
			}})
			at := int64(t0)
			for ; at <= t0+7*60_000; at += 30_000 {
				s.Apply(&send(newBatch(at+1000), at, 0, pods).Batch)
			}
			want := s.AppendState(nil)
			var got []byte
			next, stop := iter.Pull(s.Freeze(&got))
			defer stop()
			finish = func() {
				for {
					if _, more := next(); !more {
						return
					}
				}
			}
			slices := 0
			for {
				if _, more := next(); !more {
					break
				}
				slices++
				c.apply(s, at, slices)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the state that was copied in %d slices is of another moment", slices)
			}
			if bytes.Equal(s.AppendState(nil), want) || slices < c.least {
				t.Errorf("nothing has changed within %d slices", slices)
			}
		})
	}
}
