package sizes

import "math"

// minute is the time of an answer: minutes since 1970, and where in the week that is by the clock of the people who read it.
type minute struct {
	at   uint32
	week uint16 // minute of the week, from Monday 00:00
}

func (m minute) hour() int { return int(m.week) / 60 }
func (m minute) slot() int { return m.hour() / slotHours }

// usesCPU learns cores of a pod.
func (r *record) usesCPU(m minute, cores float32, starting bool, salt uint32) {
	if starting {
		r.start[0].cpu = max(r.start[0].cpu, cores)
		return
	}
	r.cpuHist().add(cores, salt)
	r.sumCPU += cores
	r.n++
	r.maxCPU = max(r.maxCPU, step(cores, cpuBase))
	if w := &r.week[0]; cores > w.cpu {
		w.cpu, w.cpuAt = cores, m.week
	}
}

// usesMemory learns bytes of a pod.
func (r *record) usesMemory(m minute, bytes float32, starting bool, salt uint32) {
	if starting {
		r.start[0].mem = max(r.start[0].mem, bytes)
		return
	}
	r.memHist().add(bytes, salt)
	r.maxMem = max(r.maxMem, step(bytes, memBase))
	if w := &r.week[0]; bytes > w.mem {
		w.mem, w.memAt = bytes, m.week
	}
}

// killed learns that containers were killed at a limit, 0 when it is not known.
func (r *record) killed(m minute, n uint16, limit float32) {
	r.kills += min(n, math.MaxUint16-r.kills)
	r.killLimit, r.killAt = limit, m.at
}

// throttles learns which share of its scheduler periods a pod was stopped in, over so many minutes.
func (r *record) throttles(share float64, minutes int) {
	r.asked += float32(minutes)
	if share >= throttledFrom {
		r.throttled += float32(minutes)
	}
}

// throttledFrom is the share of stopped periods from which a minute counts as throttled.
const throttledFrom = 0.1

// day learns how much more a pod holds at its emptiest than so many days before, and than three days before. What a collector has not run for yet is not part of it. Fewer days than most of a week say nothing, since a
// Monday holds more than the Sunday before; and what has grown and grows no more is a cache that is full.
func (r *record) day(was, lately, now float32, days int) {
	if days < growsDays {
		return
	}
	d := (now - was) / float32(days)
	if d > was*growsShare && d > growsBytes && (now-lately)/recentDays > d/2 {
		if r.grows == 0 {
			r.growth = d
		}
		r.growth += (d - r.growth) / 4
		r.grows = min(r.grows+1, growsMost)
		return
	}
	r.grows -= min(r.grows, 1)
}

// What growth is: a share and bytes a day, over days.
const (
	growsDays  = 6
	growsShare = 0.005
	growsBytes = 256 << 10
	growsMost  = 20 // days that are remembered
	recentDays = 3
)

// larger returns the larger peaks of two weeks.
func larger(a, b peaks) peaks {
	if b.cpu > a.cpu {
		a.cpu, a.cpuAt = b.cpu, b.cpuAt
	}
	if b.mem > a.mem {
		a.mem, a.memAt = b.mem, b.memAt
	}
	return a
}

// rolled notes that another version runs from now on.
func (r *record) rolled(m minute) {
	cpu, mem := r.startPeak()
	r.start[0], r.start[1] = peakStart{}, peakStart{cpu, mem}
	r.week[1] = larger(r.week[0], r.week[1]) // what comes is apart from what was
	r.week[0] = peaks{}
	r.rolledAt, r.sinceCPU, r.since4, r.nCPU, r.n4 = m.at, 0, 0, 0, 0
}

// What makes a version another one: a day of hours that differ by so many sixteenths of an octave on average.
const (
	movedHours = 24
	movedSlots = movedHours / slotHours
	movedSteps = 4 // 19 %
	settleMin  = 60
)

// endHour ends an hour of the week.
func (r *record) endHour(m minute, hour int) {
	if r.n == 0 {
		return
	}
	now, was := step(r.sumCPU/float32(r.n), cpuBase), r.level[hour]
	over := uint8(max(int(r.maxCPU)-int(now)+3, 0) / 4)
	if old := r.overOf(hour); was != 0 && over < old {
		over = old - 1
	}
	r.setOver(hour, over)
	r.level[hour] = now
	if was != 0 {
		r.level[hour] = uint8((int(was) + int(now) + 1) / 2)
		if r.rolling(m) && r.nCPU < math.MaxUint8 {
			r.sinceCPU += int16(now) - int16(was)
			r.nCPU++
		}
	}
	r.sumCPU, r.maxCPU, r.n = 0, 0, 0
}

// endSlot ends four hours of the week. What was larger a week before fades by a step.
func (r *record) endSlot(m minute, slot int) {
	if r.maxMem == 0 {
		return
	}
	now, was := r.maxMem, r.top[slot]
	r.top[slot] = max(now, was-min(was, 1))
	r.maxMem = 0
	if was != 0 && r.rolling(m) && r.n4 < math.MaxUint8 {
		r.since4 += int16(now) - int16(was)
		r.n4++
	}
	if r.nCPU >= movedHours && r.n4 >= movedSlots && r.rolledAt != 0 {
		r.judge(m)
	}
}

// rolling reports whether the pods of the hour that ends are of a version that is being compared with the one before.
func (r *record) rolling(m minute) bool { return r.rolledAt != 0 && m.at > r.rolledAt+settleMin+60 }

// judge decides whether a version uses something else than the one before. Then what was learned keeps its shape over the week and is moved: the hours by as many steps, the peaks by as much. What says how often which
// value was seen begins anew, since the two cannot be told apart in it.
func (r *record) judge(m minute) {
	cpu, mem := int(r.sinceCPU)/int(r.nCPU), int(r.since4)/int(r.n4)
	since := int(m.at-r.rolledAt)/60 + 1 // hours that the newest version has a part in
	r.rolledAt = 0
	if cpu = notable(cpu); cpu != 0 {
		for h := range r.level {
			switch {
			case r.level[h] == 0:
			case within(h, m.hour(), since, hours):
				r.level[h] = moveStep(r.level[h], cpu/2) // it is half way already
			default:
				r.level[h] = moveStep(r.level[h], cpu)
			}
		}
		r.cpuHist().clear()
		by := float32(math.Exp2(float64(cpu) / 16))
		for i := range r.week[1:] {
			r.week[1+i].cpu *= by
		}
		r.start[1].cpu *= by
		r.moved, r.movedAt = clampStep(cpu), m.at
	}
	if mem = notable(mem); mem != 0 {
		for s := range r.top {
			if r.top[s] != 0 && (mem < 0 || !within(s, m.slot(), since/slotHours+1, slots)) { // what is larger shows in the newest day already
				r.top[s] = moveStep(r.top[s], mem)
			}
		}
		r.memHist().clear()
		by := float32(math.Exp2(float64(mem) / 16))
		for i := range r.week[1:] {
			r.week[1+i].mem *= by
		}
		r.start[1].mem *= by
		r.moved4, r.movedAt = clampStep(mem), m.at
	}
}

func clampStep(d int) int8 { return int8(max(min(d, 127), -128)) }

func notable(d int) int {
	if d >= movedSteps || d <= -movedSteps {
		return d
	}
	return 0
}

// within reports whether a place of a week of so many is one of the n up to at.
func within(x, at, n, of int) bool { return (at-x+of)%of < n }

func moveStep(s uint8, d int) uint8 { return uint8(max(min(int(s)+d, 255), 1)) }

// startPeak returns the largest values during a start.
func (r *record) startPeak() (cpu, mem float32) {
	return max(r.start[0].cpu, r.start[1].cpu), max(r.start[0].mem, r.start[1].mem)
}

// turn begins a new week of peaks when the running one is over, and lets what is old fade.
func (r *record) turn(m minute) {
	for m.at >= r.weekAt+weekMin {
		copy(r.week[1:], r.week[:])
		r.week[0] = peaks{}
		r.weekAt += weekMin
		r.cpuHist().fade()
		r.memHist().fade()
		r.asked, r.throttled = r.asked/2, r.throttled/2
		if r.start[0] != (peakStart{}) {
			r.start[1], r.start[0] = r.start[0], peakStart{}
		}
		if m.at-r.weekAt > 4*weekMin { // it was away
			r.weekAt = m.at
		}
	}
}
