package eval

// Ranking: how well the score orders rows, whatever the threshold, and what another threshold would have given.

import (
	"cmp"
	"math"
	"slices"
)

// Thresholds are the scores at which a set is also counted, to see what the stock threshold of 1 costs: half an octave below to two
// octaves above in eighths, and some lower ones.
var Thresholds = func() []float64 {
	ts := []float64{.3, .4, .5, .6, .7}
	for k := -4; k <= 16; k++ {
		ts = append(ts, math.Exp2(float64(k)/8))
	}
	slices.Sort(ts)
	return ts
}()

// At is what one threshold gives.
type At struct {
	Detected int `json:"detected"`
	False    int `json:"false"`
}

// ranking collects the scores of a series' scored rows.
type ranking struct {
	score []float32
	label []int8
}

func (k *ranking) add(score float64, label int8) {
	if label >= 0 {
		k.score = append(k.score, float32(score))
		k.label = append(k.label, label)
	}
}

// cuts is at how many thresholds a curve is taken, evenly over the ranks, as TSB-AD does.
const cuts = 250

// areas returns the area under the precision-recall curve (average precision, ties together) and the volume under the surface that
// grows when labels are widened by 0 to width rows, falling off as the root of the distance; a widened label's recall is weighted by
// the share of events touched (Paparrizos et al., VLDB 2022). NaN without events.
func (k *ranking) areas(width int) (auc, vus float64) {
	n := len(k.score)
	var events []span
	positives := 0
	for i, l := range k.label {
		if l != 1 {
			continue
		}
		positives++
		if e := len(events); e > 0 && events[e-1].b == int64(i-1) {
			events[e-1].b++
		} else {
			events = append(events, span{int64(i), int64(i)})
		}
	}
	if positives == 0 {
		return math.NaN(), math.NaN()
	}
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(k.score[b], k.score[a]), cmp.Compare(a, b)) })
	last := func(i int) int { // the end of the tie that holds rank i
		for i+1 < n && k.score[order[i+1]] == k.score[order[i]] {
			i++
		}
		return i
	}
	tp, was := 0, 0
	for i := 0; i < n; i++ {
		end := last(i)
		for ; i <= end; i++ {
			tp += int(k.label[order[i]])
		}
		i--
		auc += float64(tp-was) / float64(positives) * float64(tp) / float64(i+1)
		was = tp
	}
	rank := make([]int32, n)
	end := make([]int32, n) // rank of the end of each row's tie
	for i := 0; i < n; i++ {
		e := last(i)
		for ; i <= e; i++ {
			rank[order[i]] = int32(i)
			end[order[i]] = int32(e)
		}
		i--
	}
	soft := make([]float32, n)
	widths := []int{0}
	for w := 1; w <= width; w = max(w+1, w*3/2) {
		widths = append(widths, w)
	}
	for _, w := range widths {
		for i, l := range k.label {
			soft[i] = float32(l)
		}
		sum := 0.
		found := make([]int32, len(events))
		for x, e := range events {
			lo, hi := max(0, int(e.a)-w/2), min(n-1, int(e.b)+w/2)
			for i := lo; i <= hi; i++ {
				if d := max(int(e.a)-i, i-int(e.b)); d > 0 {
					soft[i] = max(soft[i], float32(math.Sqrt(1-float64(d)/float64(w))))
				}
				if i == lo || end[i] < found[x] {
					found[x] = end[i]
				}
			}
		}
		for _, s := range soft {
			sum += float64(s)
		}
		all := (float64(positives) + sum) / 2
		slices.Sort(found)
		hit, got, at := 0, 0., 0
		area, before := 0., 0.
		for c := 1; c <= cuts; c++ {
			cut := int(end[order[min(n-1, max(0, c*n/cuts-1))]])
			for ; at <= cut; at++ {
				got += float64(soft[order[at]])
			}
			for hit < len(found) && int(found[hit]) <= cut {
				hit++
			}
			recall := min(1, got/all) * float64(hit) / float64(len(found))
			area += max(0, recall-before) * got / float64(cut+1)
			before = max(before, recall)
		}
		vus += area / float64(len(widths))
	}
	return auc, vus
}
