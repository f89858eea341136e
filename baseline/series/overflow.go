package series

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Bounds of what is remembered of series that found no room.
const (
	overMetricsMax = 32      // metrics told apart: the most frequent ones, by and large
	overLabelsMax  = 16      // labels of each
	overSendersMax = 8       // senders of each, the most frequent ones, by and large
	overFade       = 1 << 16 // series after which what was is worth half
	overTextMax    = 80      // bytes of a name in a reason
)

// Overflow remembers, of series that found no room, which metric most of them are of, from whom most of these, and which label makes them so many. It is no state: a start begins it anew. The zero value remembers nothing. It has one user at a time and is bounded.
type Overflow struct {
	total   int
	metrics []overMetric
}

type overMetric struct {
	name    string
	n       int
	senders []overSender
	labels  []overLabel
}

type overSender struct {
	name string
	n    int
}

// overLabel counts a label's values by the bits that their hashes set.
type overLabel struct {
	name string
	seen [4]uint64
}

// Note counts one series, whose canonical labels are borrowed.
func (o *Overflow) Note(l Labels, sender string) {
	if o.total++; o.total >= overFade {
		o.total = 0
		for i := range o.metrics {
			m := &o.metrics[i]
			m.n /= 2
			m.labels = m.labels[:0]
			for k := range m.senders {
				m.senders[k].n /= 2
			}
			o.total += m.n
		}
	}
	m := o.metric(l.Get(NameLabel))
	m.n++
	m.from(sender)
	for _, x := range l {
		if x.Name == NameLabel {
			continue
		}
		at := -1
		for i := range m.labels {
			if m.labels[i].name == x.Name {
				at = i
			}
		}
		if at < 0 {
			if len(m.labels) >= overLabelsMax {
				continue
			}
			at = len(m.labels)
			m.labels = append(m.labels, overLabel{name: strings.Clone(x.Name)})
		}
		h := Hash64([]byte(x.Value))
		m.labels[at].seen[h>>6&3] |= 1 << (h & 63)
	}
}

// from counts a series of a sender, in the place of the rarest one when there are too many.
func (m *overMetric) from(sender string) {
	least := 0
	for i := range m.senders {
		if m.senders[i].name == sender {
			m.senders[i].n++
			return
		}
		if m.senders[i].n < m.senders[least].n {
			least = i
		}
	}
	if len(m.senders) < overSendersMax {
		m.senders = append(m.senders, overSender{strings.Clone(sender), 1})
		return
	}
	m.senders[least].name = strings.Clone(sender)
	m.senders[least].n++
}

// most returns the sender of most of the series.
func (m *overMetric) most() (name string) {
	n := -1
	for _, x := range m.senders {
		if x.n > n {
			name, n = x.name, x.n
		}
	}
	return name
}

// metric returns the entry of a metric, in the place of the rarest one when there are too many: the frequent ones stay.
func (o *Overflow) metric(name string) *overMetric {
	least := 0
	for i := range o.metrics {
		if o.metrics[i].name == name {
			return &o.metrics[i]
		}
		if o.metrics[i].n < o.metrics[least].n {
			least = i
		}
	}
	if len(o.metrics) < overMetricsMax {
		o.metrics = append(o.metrics, overMetric{name: strings.Clone(name)})
		return &o.metrics[len(o.metrics)-1]
	}
	m := &o.metrics[least]
	*m = overMetric{name: strings.Clone(name), n: m.n}
	return m
}

// values returns about how many values of the label there were, and whether they are too many to tell.
func (x *overLabel) values() (n int, many bool) {
	set := 0
	for _, w := range x.seen {
		set += bits.OnesCount64(w)
	}
	const all = 256
	if set > all-8 {
		return 1000, true
	}
	return int(math.Round(-all * math.Log(1-float64(set)/all))), false
}

// Worst says in words who takes the room, to be put behind what was refused; "" when nothing is remembered.
func (o *Overflow) Worst() string {
	var m *overMetric
	for i := range o.metrics {
		if m == nil || o.metrics[i].n > m.n {
			m = &o.metrics[i]
		}
	}
	if m == nil || o.total == 0 {
		return ""
	}
	text := fmt.Sprintf("; %.0f %% of what is refused is metric %s", 100*min(1, float64(m.n)/float64(o.total)), Clean(m.name, overTextMax))
	worst, most := "", 0
	for i := range m.labels {
		n, many := m.labels[i].values()
		if n <= most {
			continue
		}
		most, worst = n, fmt.Sprintf(", whose label %s has about %d values", Clean(m.labels[i].name, overTextMax), n)
		if many {
			worst = fmt.Sprintf(", whose label %s has more than 1000 values", Clean(m.labels[i].name, overTextMax))
		}
	}
	if most > 2 {
		text += worst
	}
	return text + ", from sender " + Clean(m.most(), overTextMax)
}
