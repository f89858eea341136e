package store

// Models are kept in packs: as many as one record holds.

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	// recordMax is the size of a record of a checkpoint. bbolt puts at least two into a leaf, and two of these with their keys fill 16 pages of
	// 4 KiB exactly: no page is half empty, and since nearly all leaves have one size the free ones fit the next.
	recordMax = (16*4096-16)/2 - 16 - 8
	modelMax  = 16 << 20 // bytes of one model
	idMax     = 4 << 10  // bytes of one signal's id
)

// room is what a record is laid out in. Rooms are used again, from one checkpoint to the next as long as the collector lets them: so nothing
// is grown from nothing, and nothing is kept for the size that the state once had.
type room [recordMax]byte

var rooms = sync.Pool{New: func() any { return new(room) }}

// pack is a record of models, CRC not yet in.
type pack struct {
	record []byte
	room   *room // that it lies in; nil = memory of its own
	models int
}

func (p *pack) release() {
	if p.room != nil {
		rooms.Put(p.room)
	}
	p.room, p.record = nil, nil
}

// packModels lays models out in packs: of each a sum, id and bytes, with their lengths. One that no record takes is left out and named.
func packModels(models iter.Seq2[string, []byte], leave func(name string, why error), emit func(pack) error) error {
	var p pack
	for id, data := range models {
		if len(id) > idMax || len(data) > modelMax {
			leave(id, fmt.Errorf("an id of %d and a model of %d bytes", len(id), len(data)))
			continue
		}
		need := crcSize + len(id) + len(data) + 2*binary.MaxVarintLen32
		if p.models > 0 && len(p.record)+need > recordMax {
			if err := emit(p); err != nil {
				return err
			}
			p = pack{}
		}
		if p.record == nil {
			if crcSize+need > recordMax {
				p.record = make([]byte, crcSize, crcSize+need)
			} else {
				p.room = rooms.Get().(*room)
				p.record = p.room[:crcSize]
			}
		}
		at := len(p.record)
		w := codec.Writer{B: append(p.record, 0, 0, 0, 0)}
		w.String(id)
		w.Num(len(data))
		w.Bytes(data)
		p.record = w.B
		binary.LittleEndian.PutUint32(p.record[at:], codec.Checksum(p.record[at+crcSize:]))
		p.models++
	}
	if p.models == 0 {
		return nil
	}
	return emit(p)
}

// saltOf is what the sums of models in a portion are mixed with, so that a model proves itself in its own portion alone: what a disk wrote to a wrong place is no model of this checkpoint.
func saltOf(number uint64) uint32 { return codec.Checksum(portionKey(number)) }

// bind mixes a salt into the sums of a whole pack; the same once more undoes it.
func bind(pack []byte, salt uint32) {
	for len(pack) > crcSize {
		binary.LittleEndian.PutUint32(pack, binary.LittleEndian.Uint32(pack)^salt)
		r := readerOf(pack[crcSize:])
		readSized(r)
		readSized(r)
		pack = pack[len(pack)-r.Left():]
	}
}

// packed is a pack that was read. Those of format 2 have no sums: that they make sense is all that can be said of one model.
type packed struct {
	b    []byte
	sums bool
	salt uint32
}

// front returns the model at the front, borrowed, and how many bytes it takes there; 0 when there is none.
func (p *packed) front() (id, data []byte, size int) {
	body := p.b
	if p.sums {
		if len(p.b) < crcSize {
			return nil, nil, 0
		}
		body = p.b[crcSize:]
	}
	r := readerOf(body)
	id, data = readSized(r), readSized(r)
	n := len(body) - r.Left()
	if r.Err() != nil || len(id) > idMax || p.sums && codec.Checksum(body[:n])^p.salt != binary.LittleEndian.Uint32(p.b) {
		return nil, nil, 0
	}
	return id, data, len(p.b) - len(body) + n
}

// count returns how many models a whole pack has, -1 when it is not whole.
func (p packed) count() (n int) {
	for len(p.b) > 0 {
		_, _, size := p.front()
		if size == 0 {
			return -1
		}
		p.b = p.b[size:]
		n++
	}
	return n
}

// intact returns the models of a damaged pack that prove themselves, as a pack, and their number: one whose sum is wrong costs itself alone, since the next one is looked for byte by byte.
func (p packed) intact() (kept packed, models int) {
	kept = packed{nil, p.sums, p.salt}
	once := len(p.b) > recordMax // it has one model
	for len(p.b) > 0 && p.sums {
		_, _, size := p.front()
		if size > 0 {
			kept.b = append(kept.b, p.b[:size]...)
			models++
		} else if once {
			break
		}
		p.b = p.b[max(size, 1):]
	}
	return kept, models
}
