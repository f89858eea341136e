package tiers

// Blocks that are sealed and wait in memory to be written.

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/rows"
)

// Bytes of a chunk, and the most of a block.
const (
	ChunkBytes = 256 << 10
	BlockMost  = 1 << 10
)

// Sealed are blocks of a tier, in chunks.
type Sealed struct {
	Chunks []*Chunk
	Bytes  int
}

// Chunk is some blocks, one behind the other.
type Chunk struct {
	buf    []byte
	List   []Block
	Newest uint32 // slot
	Points int
}

// Block is where a block of a signal begins.
type Block struct {
	Slot, Number uint32
	from         uint32
}

// Block returns the bytes of the i-th block.
func (c *Chunk) Block(i int) []byte {
	to := len(c.buf)
	if i+1 < len(c.List) {
		to = int(c.List[i+1].from)
	}
	return c.buf[c.List[i].from:to]
}

// Size returns how many bytes the blocks have.
func (c *Chunk) Size() int { return len(c.buf) }

// Room returns the newest chunk when it has room for a block, nil otherwise.
func (s *Sealed) Room() *Chunk {
	if n := len(s.Chunks); n > 0 && len(s.Chunks[n-1].buf)+BlockMost <= ChunkBytes {
		return s.Chunks[n-1]
	}
	return nil
}

// Begin begins a chunk. old is one that nobody needs any more, nil when there is none.
func (s *Sealed) Begin(old *Chunk) *Chunk {
	if old == nil {
		old = &Chunk{buf: make([]byte, 0, ChunkBytes)}
	}
	*old = Chunk{buf: old.buf[:0], List: old.List[:0]}
	s.Chunks = append(s.Chunks, old)
	return old
}

// Add appends a block of rows to a chunk of s.
func (s *Sealed) Add(c *Chunk, which int, slot, number uint32, list []uint32) {
	from := len(c.buf)
	c.List = append(c.List, Block{slot, number, uint32(from)})
	c.buf = rows.Append(c.buf, list, Of[which].Words, Of[which].Ramp)
	c.Newest = max(c.Newest, slot)
	c.Points += len(list) / Of[which].Words
	s.Bytes += len(c.buf) - from
}

// UpTo drops the rows beyond t, Unix milliseconds.
func (s *Sealed) UpTo(which int, t int64) {
	var words []uint32
	for _, c := range s.Chunks {
		if int64(c.Newest+1)*Of[which].SlotMs <= t {
			continue
		}
		old := Chunk{buf: slices.Clone(c.buf), List: slices.Clone(c.List)}
		s.Bytes -= len(c.buf)
		*c = Chunk{buf: c.buf[:0], List: c.List[:0]}
		for i, e := range old.List {
			got, err := Unpack(words[:0], old.Block(i), which)
			if err != nil {
				continue // cannot be: it was made here
			}
			words = got
			if got = UpTo(got, which, e.Slot, t); len(got) > 0 {
				s.Add(c, which, e.Slot, e.Number, got)
			}
		}
	}
}

// Unpack appends the rows of a sealed block to dst. An error says that it is damaged.
func Unpack(dst []uint32, block []byte, which int) ([]uint32, error) {
	return rows.Decode(dst, block, Of[which].Words, Of[which].Ramp)
}

// Each yields the blocks of a record: whose of its signals, and the bytes. It ends with the reader's error, or with the first of each.
func Each(in *codec.Reader, each func(who byte, block []byte) error) error {
	for in.Left() > 0 {
		who, block := in.Byte(), in.Take(in.Num(in.Left()))
		if in.Err() != nil {
			return in.Err()
		}
		if err := each(who, block); err != nil {
			return err
		}
	}
	return nil
}

// appendBlock appends a block to a record.
func appendBlock(w *codec.Writer, who byte, block []byte) {
	w.Byte(who)
	w.Num(len(block))
	w.Bytes(block)
}

// Pick appends the rows of one signal in a record that end within low < t ≤ high. words is reused.
func Pick(dst []Piece, words []uint32, in *codec.Reader, local byte, which int, slot uint32, low, high int64) ([]Piece, []uint32, error) {
	err := Each(in, func(who byte, block []byte) error {
		if who != local {
			return nil
		}
		got, err := Unpack(words[:0], block, which)
		if err == nil {
			words = got
			dst = Pieces(dst, which, slot, words, low, high)
		}
		return err
	})
	return dst, words, err
}

// RecordUpTo appends a record's blocks to dst with their rows up to t, Unix milliseconds.
func RecordUpTo(dst []byte, in *codec.Reader, which int, slot uint32, t int64) ([]byte, error) {
	out := codec.Writer{B: dst}
	var words []uint32
	err := Each(in, func(who byte, block []byte) error {
		got, err := Unpack(words[:0], block, which)
		if err != nil {
			return err
		}
		words = got
		if got = UpTo(got, which, slot, t); len(got) > 0 {
			appendBlock(&out, who, rows.Append(nil, got, Of[which].Words, Of[which].Ramp))
		}
		return nil
	})
	return out.B, err
}

// Pieces appends what the blocks have of the signal of a number that ends within low < t ≤ high. A block that is damaged is left out.
func (s *Sealed) Pieces(dst []Piece, which int, number uint32, low, high int64) []Piece {
	var words []uint32
	for _, c := range s.Chunks {
		for i, e := range c.List {
			if e.Number != number {
				continue
			}
			if got, err := Unpack(words[:0], c.Block(i), which); err == nil {
				words = got
				dst = Pieces(dst, which, e.Slot, words, low, high)
			}
		}
	}
	return dst
}
