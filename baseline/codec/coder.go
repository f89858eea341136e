package codec

import (
	"encoding/binary"
	"math"
)

// Coder walks over fields in one order for both directions, so that writing and reading cannot disagree: each method writes the value that
// it is given, or replaces it by what is read.
type Coder struct {
	w Writer
	r *Reader // nil when writing
}

// Writing returns a coder that appends to dst.
func Writing(dst []byte) *Coder { return &Coder{w: Writer{B: dst}} }

// Reading returns a coder that reads b. fault is the error of whatever cannot have been written.
func Reading(b []byte, fault error) *Coder { return &Coder{r: NewReader(b, fault)} }

// Reads reports the direction.
func (c *Coder) Reads() bool { return c.r != nil }

// Bytes returns what was written; nil when reading.
func (c *Coder) Bytes() []byte {
	if c.r != nil {
		return nil
	}
	return c.w.B
}

// Raw appends what a coder wrote before of the same fields, which must hold no words. It is for writing alone.
func (c *Coder) Raw(b []byte) { c.w.B = append(c.w.B, b...) }

// Err returns the first fault of reading.
func (c *Coder) Err() error {
	if c.r == nil {
		return nil
	}
	return c.r.err
}

// Left returns how many bytes have not been read.
func (c *Coder) Left() int {
	if c.r == nil {
		return 0
	}
	return len(c.r.b)
}

// Fail notes that what was read cannot have been written. It does nothing when writing.
func (c *Coder) Fail() {
	if c.r != nil {
		c.r.Fail()
	}
}

// I64 is any integer, zig-zag.
func (c *Coder) I64(v *int64) {
	if c.r == nil {
		c.w.Int(*v)
		return
	}
	*v = c.r.Int()
}

// Num is any int.
func (c *Coder) Num(v *int) {
	if c.r == nil {
		c.w.Int(int64(*v))
		return
	}
	*v = int(c.r.Int())
}

// U8 is a small number. One that does not fit is a fault.
func (c *Coder) U8(v *uint8) {
	if c.r == nil {
		c.w.Int(int64(*v))
		return
	}
	x := c.r.Int()
	if x < 0 || x > math.MaxUint8 {
		c.Fail()
		x = 0
	}
	*v = uint8(x)
}

// Flag is a bool.
func (c *Coder) Flag(v *bool) {
	x := int64(0)
	if *v {
		x = 1
	}
	c.I64(&x)
	*v = x != 0
}

// F64 is a float, to the bit.
func (c *Coder) F64(v *float64) {
	if c.r == nil {
		c.w.Float(*v)
		return
	}
	*v = c.r.Float()
}

// F32 is a float of 32 bits, to the bit.
func (c *Coder) F32(v *float32) {
	if c.r == nil {
		c.w.Int(int64(math.Float32bits(*v)))
		return
	}
	*v = math.Float32frombits(uint32(c.r.Int()))
}

// Count is the length of a list, at most most; each entry takes at least one byte, which bounds what is allocated for it.
func (c *Coder) Count(n, most int) int {
	if c.r == nil {
		c.w.Int(int64(n))
		return n
	}
	n = int(c.r.Int())
	if n < 0 || n > most || n > len(c.r.b) {
		c.Fail()
		return 0
	}
	return n
}

// Str is a string.
func (c *Coder) Str(v *string) {
	if c.r == nil {
		c.w.Int(int64(len(*v)))
		c.w.B = append(c.w.B, *v...)
		return
	}
	*v = string(c.r.Take(c.Count(0, math.MaxInt)))
}

// Word is a string that comes often.
func (c *Coder) Word(v *string) {
	if c.r == nil {
		n, ok := c.w.words[*v]
		if !ok {
			if c.w.words == nil {
				c.w.words = map[string]int{}
			}
			n = len(c.w.words)
			c.w.words[*v] = n
		}
		c.w.B = binary.AppendVarint(c.w.B, int64(n))
		if !ok {
			c.Str(v)
		}
		return
	}
	switch n := c.r.Int(); {
	case c.r.err != nil:
		*v = ""
	case n < 0 || n > int64(len(c.r.words)):
		c.Fail()
	case n == int64(len(c.r.words)):
		c.Str(v)
		c.r.words = append(c.r.words, *v)
	default:
		*v = c.r.words[n]
	}
}

// List is a list of at most most entries.
func List[T any](c *Coder, v *[]T, most int, each func(*T)) {
	n := c.Count(len(*v), most)
	if c.r != nil {
		*v = nil
		if n > 0 {
			*v = make([]T, 0, min(n, 1024)) // an entry may be larger than its bytes
		}
	}
	for i := 0; i < n && c.Err() == nil; i++ {
		if c.r != nil {
			var x T
			*v = append(*v, x)
		}
		each(&(*v)[i])
	}
}
