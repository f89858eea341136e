package store

// Models are kept in packs: as many as one record holds.

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/packs"
)

const (
	// recordMax is the size of a record of a checkpoint. bbolt puts at least two into a leaf, and two of these with their keys fill 16 pages of
	// 4 KiB exactly: no page is half empty, and since nearly all leaves have one size the free ones fit the next.
	recordMax = (16*4096-16)/2 - 16 - 8
	modelMax  = 16 << 20 // bytes of one model
	idMax     = packs.IDMax
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
