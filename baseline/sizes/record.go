// Package sizes learns what the containers of workloads use, pod by pod, in a record of fixed room each, and says what they should request: arithmetic over minutes that knows no stream.
//
// Everything is learned from answers of the fold (package signal): cores and bytes of each pod once a minute, throttling, restarts, kills, and what is set today. Time is the time of those answers. A record belongs to a
// workload and container, outlives pods and rollouts, and is drawn in FORMAT.md.
package sizes

import (
	"math"
	"math/bits"
)

// Shape of a record.
const (
	cpuBuckets  = 26 // eighths of an octave: three octaves and a quarter below the largest value ever
	memBuckets  = 14 // eighths of an octave
	hours       = 168
	slots       = hours / slotHours
	slotHours   = 4
	bucketShift = 20 // bits of a float that a bucket leaves out: eighths of an octave are left
	weeks       = 3  // of peaks that are kept exactly, the running one among them

	weekMin  = 7 * 24 * 60
	startMin = 10 // minutes of a container that are its start
	dayMin   = 24 * 60
)

// peaks are the largest values of a week, and at which minute of it they were.
type peaks struct {
	cpu, mem     float32
	cpuAt, memAt uint16
}

// peakStart are the largest values of a week during starts.
type peakStart struct{ cpu, mem float32 }

// record is what is learned of one container of one workload: at most 512 bytes. The zero value has learned nothing.
type record struct {
	cpu cpuHistogram
	mem memHistogram

	level [hours]uint8     // mean cores of a pod in an hour of the week, as steps say; 0 = not seen yet
	over  [hours / 2]uint8 // four bits an hour: by how many quarters of an octave the largest minute exceeded the level
	top   [slots]uint8     // largest memory of four hours of the week; 0 = not seen yet

	week [weeks]peaks // the running one first

	first, last uint32 // minutes of the first and the newest answer
	weekAt      uint32 // minute at which the running week of peaks began

	// The running hour.
	sumCPU float32 // cores of all pods and minutes
	maxCPU uint8   // step of the largest minute
	n      uint32
	maxMem uint8 // step of the largest memory of the running slot

	start     [2]peakStart // the largest values during a start: of the running week, and of the newest week before it that saw one
	starts    uint16       // starts seen
	kills     uint16       // for their memory
	killLimit float32      // the limit, bytes, at the newest of them; 0 = it was not known
	killAt    uint32       // minute

	asked, throttled float32 // minutes of pods, fading by half a week, and those of them that were throttled in a tenth of their periods and more
	growth           float32 // bytes a day that a pod does not give back
	grows            uint8   // pod-days of growth, less those without

	// The newest rollout, and how the hours since differ from the same hours before.
	rolledAt         uint32 // minute; 0 = none, or it is told already
	sinceCPU, since4 int16  // sums of steps
	nCPU, n4         uint8  // hours and slots
	moved, moved4    int8   // by how many sixteenths of an octave the newest version that changed it moved it
	movedAt          uint32 // minute at which that was certain
	runs             uint16 // pods that have ended
}

// A step is a sixteenth of an octave: 4.4 %. Cores and bytes have scales of their own, of 16 octaves each; what lies beyond is put at the end.
const (
	cpuBase = (127 - 9) << 4  // 2 millicores
	memBase = (127 + 22) << 4 // 4 MiB
)

// step returns the step of a value on a scale, from 1 up.
func step(v float32, base int) uint8 {
	return uint8(min(max(int(math.Float32bits(v)>>19)-base, 1), 255))
}

// unstep returns the middle of a step.
func unstep(s uint8, base int) float64 {
	return float64(math.Float32frombits(uint32(int(s)+base)<<19 | 1<<18))
}

// histogram is what two have in common that differ in room alone: a decaying one over logarithmic buckets, the last of which holds the largest value ever seen. What is smaller than all buckets lies in the first.
// A value counts only once in 1<<thin when there are many; making it count twice as much halves the past.
type histogram struct {
	counts []uint16
	top    *uint16 // bucket number of the last
	thin   *uint8
}

type cpuHistogram struct {
	counts [cpuBuckets]uint16
	top    uint16
	thin   uint8
}

type memHistogram struct {
	counts [memBuckets]uint16
	top    uint16
	thin   uint8
}

func (r *record) cpuHist() histogram {
	return histogram{r.cpu.counts[:], &r.cpu.top, &r.cpu.thin}
}

func (r *record) memHist() histogram {
	return histogram{r.mem.counts[:], &r.mem.top, &r.mem.thin}
}

// add counts a value; salt says which of many values count.
func (h histogram) add(v float32, salt uint32) {
	if t := *h.thin; t > 0 && bits.Reverse32(salt*2654435761)&(1<<t-1) != 0 {
		return
	}
	b := int(math.Float32bits(v) >> bucketShift)
	at := b - int(*h.top) + len(h.counts) - 1
	if at >= len(h.counts) {
		h.move(at - len(h.counts) + 1)
		*h.top, at = uint16(b), len(h.counts)-1
	}
	at = max(at, 0)
	if h.counts[at] == math.MaxUint16 {
		h.halve()
		*h.thin++
	}
	h.counts[at]++
}

// move makes room for n larger buckets.
func (h histogram) move(n int) {
	n = min(n, len(h.counts))
	low := uint32(0)
	for _, c := range h.counts[:n] {
		low += uint32(c)
	}
	copy(h.counts, h.counts[n:])
	clear(h.counts[len(h.counts)-n:])
	if n < len(h.counts) {
		low += uint32(h.counts[0])
	}
	h.counts[0] = uint16(min(low, math.MaxUint16))
}

func (h histogram) halve() {
	for i := range h.counts {
		h.counts[i] /= 2
	}
}

// fade makes the past count half.
func (h histogram) fade() {
	if *h.thin > 0 {
		*h.thin-- // what comes counts twice as much
		return
	}
	h.halve()
	n := len(h.counts)
	for n > 1 && h.counts[n-1] == 0 {
		n--
	}
	if up := len(h.counts) - n; up > 0 && n > 1 { // nothing is as large any more
		copy(h.counts[up:], h.counts[:n])
		clear(h.counts[:up])
		*h.top -= uint16(up)
	}
}

func (h histogram) clear() {
	clear(h.counts)
	*h.top, *h.thin = 0, 0
}

// quantile returns the value that a share p of what was seen does not exceed, 0 when nothing was.
func (h histogram) quantile(p float64) float64 {
	var sum uint32
	for _, c := range h.counts {
		sum += uint32(c)
	}
	if sum == 0 {
		return 0
	}
	want, below := p*float64(sum), 0.0
	for i, c := range h.counts {
		if c > 0 && below+float64(c) >= want {
			b := uint32(int(*h.top) - len(h.counts) + 1 + i)
			if i == 0 {
				return float64(math.Float32frombits((b + 1) << bucketShift)) // it may be anywhere below
			}
			lo, hi := float64(math.Float32frombits(b<<bucketShift)), float64(math.Float32frombits((b+1)<<bucketShift))
			return lo + (hi-lo)*(want-below)/float64(c)
		}
		below += float64(c)
	}
	return float64(math.Float32frombits(uint32(*h.top+1) << bucketShift))
}

// overOf returns by how much the largest minute of an hour of the week exceeded the hour's level, in quarters of an octave.
func (r *record) overOf(hour int) uint8 { return r.over[hour/2] >> (hour % 2 * 4) & 15 }

func (r *record) setOver(hour int, v uint8) {
	at := hour % 2 * 4
	r.over[hour/2] = r.over[hour/2]&^(15<<at) | min(v, 15)<<at
}
