package window

import "github.com/wrackline/wrackline/baseline/codec"

// chainLen is how many scrapes of a bucket set are remembered: the last two minutes of one that is scraped every 15 s.
const chainLen = 8

// Chain is when the buckets of a set were last sampled. What a bucket counts at the border between two windows lies on the line between
// the samples around it, so a quantile needs all buckets to have the same samples there: cumulative buckets that are read at different
// times differ by more than what lies between two high ones. They do not after a change to the other replica while one shard stalls.
type Chain struct {
	t    [chainLen]int64  // oldest first; 0 = none
	prev [chainLen]uint32 // how long before it the sample before was, milliseconds; 0 = there was none
	torn uint32           // borders at which the set is torn: bit i is the one at minute last − i
	last uint32
}

// Add notes that a bucket was sampled at t, and before that at p, 0 = never.
func (c *Chain) Add(p, t int64) {
	back := uint32(0)
	if p > 0 && t-p <= GapMs {
		back = uint32(t - p)
	}
	i := chainLen - 1
	for i >= 0 && c.t[i] > t {
		i--
	}
	if i >= 0 && c.t[i] == t {
		if c.prev[i] != back {
			c.tear(t-int64(max(back, c.prev[i])), t)
		}
		return
	}
	if i >= 0 && c.t[i] > t-int64(back) { // others have a sample in between
		c.tear(t-int64(back), t)
	}
	if j := i + 1; j < chainLen && c.t[j]-int64(c.prev[j]) < t { // others have none at t
		c.tear(min(t-int64(back), c.t[j]-int64(c.prev[j])), c.t[j])
	}
	if i < 0 { // older than what is remembered
		return
	}
	copy(c.t[:i], c.t[1:i+1])
	copy(c.prev[:i], c.prev[1:i+1])
	c.t[i], c.prev[i] = t, back
}

// tear marks the borders between from and to.
func (c *Chain) tear(from, to int64) {
	for k := uint32(from/Ms) + 1; int64(k)*Ms < to; k++ {
		if k > c.last {
			c.torn <<= min(k-c.last, 32)
			c.last = k
		}
		if d := c.last - k; d < 32 {
			c.torn |= 1 << d
		}
	}
}

// Torn reports whether the set is torn at the end of the window w.
func (c *Chain) Torn(w uint32) bool {
	d := c.last - w
	return w <= c.last && d < 32 && c.torn&(1<<d) != 0
}

// Append writes the chain.
func (c *Chain) Append(w *codec.Writer) {
	for i, t := range c.t {
		w.Int(t)
		w.Num(int(c.prev[i]))
	}
	w.Num(int(c.torn))
	w.Num(int(c.last))
}

// Restore reads what Append wrote.
func (c *Chain) Restore(r *codec.Reader) {
	for i := range c.t {
		c.t[i], c.prev[i] = r.Time(), uint32(r.Num(GapMs))
	}
	c.torn, c.last = uint32(r.Num(1<<32-1)), uint32(r.Num(1<<32-1))
}
