package route

import (
	"errors"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
)

// ErrState is returned by Restore for bytes that Append did not make.
var ErrState = errors.New("state of the router is damaged")

// stateVersion is that of the section:
//
//	version, newest receive stamp
//	clusters: name, "" for a free number; who has opened it
//	senders: whether the number is taken; then name, fixed, major, decided, newest request; early series; votes
//	keys, in order of arrival: hash, cluster, sender, seen
//
// Version 1 had no free numbers of senders, and none before version 3 who has opened a cluster.
const stateVersion = 3

// Append appends the complete state to dst.
func (r *Router) Append(dst []byte) []byte {
	r.settle()
	w := &codec.Writer{B: dst}
	w.Num(stateVersion)
	w.Int(r.nowMs)
	w.Num(len(r.names))
	for i, n := range r.names {
		w.Word(n)
		w.Word(r.openers[i])
	}
	w.Num(len(r.senders))
	for _, n := range r.senders {
		w.Bool(n != nil)
		if n == nil {
			continue
		}
		w.Word(n.name)
		w.Word(n.fixed)
		w.Word(n.major)
		w.Bool(n.done)
		w.Int(n.lastMs)
		w.Num(len(n.early))
		for _, e := range n.early {
			w.Bytes(e.print[:])
			w.Word(e.own)
		}
		w.Num(len(n.votes))
		for _, v := range n.votes {
			w.Word(v.own)
			w.Num(v.n)
			w.Bool(v.real)
		}
	}
	w.Num(len(r.keys))
	for i := range r.keys {
		k := &r.keys[i]
		w.Uint64(k.hash)
		w.Num(int(k.cluster))
		w.Num(int(k.sender))
		w.Byte(k.seen)
	}
	return w.B
}

// Restore reads what Append wrote into a router that has seen nothing.
func (r *Router) Restore(b []byte) error {
	rd := codec.NewReader(b, ErrState)
	version := rd.Section(stateVersion)
	r.nowMs = rd.Time()
	r.epoch = uint8(r.nowMs / epochMs)
	for range rd.Count(1) {
		name := rd.Word()
		if _, twice := r.at[name]; twice || len(r.names) >= ClustersMax {
			rd.Fail()
			break
		}
		if name != "" {
			r.at[name] = uint16(len(r.names))
		}
		r.names, r.openers = append(r.names, name), append(r.openers, "")
		if version > 2 {
			r.own(len(r.names)-1, rd.Word())
		}
	}
	for range rd.Count(1) {
		if len(r.senders) >= math.MaxUint16 || rd.Err() != nil {
			rd.Fail()
			break
		}
		if version > 1 && !rd.Bool() {
			r.senders = append(r.senders, nil)
			continue
		}
		n := &sender{name: rd.Word(), fixed: rd.Word(), first: none}
		r.senderAt[senderKey{n.name, n.fixed}] = uint16(len(r.senders))
		r.senders = append(r.senders, n)
		n.major, n.done, n.lastMs = rd.Word(), rd.Bool(), rd.Time()
		for range rd.Count(17) {
			var e early
			copy(e.print[:], rd.Take(len(series.Print{})))
			e.own = rd.Word()
			if len(n.early) >= decidedAt {
				rd.Fail()
			}
			n.early = append(n.early, e)
		}
		for range rd.Count(3) {
			if len(n.votes) >= votesMax {
				rd.Fail()
			}
			n.votes = append(n.votes, vote{rd.Word(), rd.Num(math.MaxInt32), rd.Bool()})
		}
	}
	n := rd.Count(11)
	r.keys = slices.Grow(r.keys, n)
	for range n {
		k := key{hash: rd.Uint64(), next: uint32(len(r.keys)) + 1, cluster: uint16(rd.Num(len(r.names) - 1)), sender: uint16(rd.Num(len(r.senders) - 1)), seen: rd.Byte()}
		if rd.Err() != nil {
			break
		}
		r.keys = append(r.keys, k)
	}
	r.index.Fill(len(r.keys), func(k uint32) uint64 { return r.keys[k].hash })
	if rd.Err() == nil && rd.Left() > 0 {
		rd.Fail()
	}
	return rd.Err()
}

// Known tells the router what an older program knew of a sender, before anything is routed.
func (r *Router) Known(sender, fixed, major string, done bool, real []string) {
	n, _ := r.addSender(sender, fixed)
	n.major, n.done = major, done
	for _, own := range real {
		if len(n.votes) < votesMax {
			n.votes = append(n.votes, vote{own: own, real: true})
		}
	}
}
