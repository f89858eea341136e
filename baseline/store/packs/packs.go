// Package packs reads models that lie in a record one behind the other, each with a sum of its own:
//
//	sum u32, little-endian      CRC-32C of what follows, mixed with the salt of the record
//	uvarint length, id
//	uvarint length, bytes
package packs

import (
	"encoding/binary"
	"errors"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	// IDMax is how many bytes an id has at most.
	IDMax     = 4 << 10
	sumSize   = 4
	searchMax = 64 << 10 // bytes of a pack in which models are looked for byte by byte
)

var errPack = errors.New("no pack of models")

// SaltOf is what the sums of models in a portion are mixed with, so that a model proves itself in its own portion alone: what a disk wrote to a wrong place is no model of this checkpoint.
func SaltOf(number uint64) uint32 { return codec.Checksum(binary.BigEndian.AppendUint64(nil, number)) }

// Bind mixes a salt into the sums of a whole pack; the same once more undoes it.
func Bind(pack []byte, salt uint32) {
	for len(pack) > sumSize {
		binary.LittleEndian.PutUint32(pack, binary.LittleEndian.Uint32(pack)^salt)
		r := codec.NewReader(pack[sumSize:], errPack)
		r.Take(r.Num(r.Left()))
		r.Take(r.Num(r.Left()))
		pack = pack[len(pack)-r.Left():]
	}
}

// Pack is a pack that was read. Those of format 2 have no sums: that they make sense is all that can be said of one model.
type Pack struct {
	B    []byte
	Sums bool   // each model has one
	Salt uint32 // see SaltOf
}

// Front returns the model at the front, borrowed, and how many bytes it takes there; 0 when there is none.
func (p *Pack) Front() (id, data []byte, size int) {
	body := p.B
	if p.Sums {
		if len(p.B) < sumSize {
			return nil, nil, 0
		}
		body = p.B[sumSize:]
	}
	r := codec.NewReader(body, errPack)
	id, data = r.Take(r.Num(r.Left())), r.Take(r.Num(r.Left()))
	n := len(body) - r.Left()
	if r.Err() != nil || len(id) > IDMax || p.Sums && codec.Checksum(body[:n])^p.Salt != binary.LittleEndian.Uint32(p.B) {
		return nil, nil, 0
	}
	return id, data, len(p.B) - len(body) + n
}

// Count returns how many models a whole pack has, -1 when it is not whole.
func (p Pack) Count() (n int) {
	for len(p.B) > 0 {
		_, _, size := p.Front()
		if size == 0 {
			return -1
		}
		p.B = p.B[size:]
		n++
	}
	return n
}

// Intact returns the models of a damaged pack that prove themselves, as a pack, and their number: one whose sum is wrong costs itself alone, since the next one is looked for byte by byte.
func (p Pack) Intact() (kept Pack, models int) {
	kept = Pack{nil, p.Sums, p.Salt}
	once := len(p.B) > searchMax // it has one model
	for len(p.B) > 0 && p.Sums {
		_, _, size := p.Front()
		if size > 0 {
			kept.B = append(kept.B, p.B[:size]...)
			models++
		} else if once {
			break
		}
		p.B = p.B[max(size, 1):]
	}
	return kept, models
}
