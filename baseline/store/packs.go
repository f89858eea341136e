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

// packModels lays models out in packs: id and bytes of each, with their lengths.
func packModels(models iter.Seq2[string, []byte], emit func(pack) error) error {
	var p pack
	for id, data := range models {
		if len(id) > idMax || len(data) > modelMax {
			return fmt.Errorf("model %.100q has %d bytes", id, len(data))
		}
		need := len(id) + len(data) + 2*binary.MaxVarintLen32
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
		w := codec.Writer{B: p.record}
		w.String(id)
		w.Num(len(data))
		w.Bytes(data)
		p.record = w.B
		p.models++
	}
	if p.models == 0 {
		return nil
	}
	return emit(p)
}
