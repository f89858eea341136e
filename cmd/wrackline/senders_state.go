package main

import (
	"errors"
	"maps"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

// What watchers know of senders, as sections of a checkpoint: version 1; count; for each sender its name, its cluster, and numbers in an order that its kind gives.

// gapsMax bounds how many a state may hold: every sender of every cluster.
const gapsMax = 1 << 20

var errWatch = errors.New("what is known of senders is damaged")

// remembered is what is known of one sender of a cluster.
type remembered[T any] interface {
	*T
	names() (sender, cluster *string)
	numbers() []*int64
}

// appendSenders appends a section.
func appendSenders[T any, P remembered[T]](dst []byte, known map[string]T) []byte {
	x := codec.Writer{B: dst}
	x.Num(1)
	x.Num(len(known))
	for _, key := range slices.Sorted(maps.Keys(known)) {
		g := known[key]
		sender, cluster := P(&g).names()
		x.String(*sender)
		x.String(*cluster)
		for _, n := range P(&g).numbers() {
			x.Int(*n)
		}
	}
	return x.B
}

// readSenders reads a section, by cluster and sender. It returns errWatch for what appendSenders did not make.
func readSenders[T any, P remembered[T]](b []byte) (map[string]T, error) {
	r := codec.NewReader(b, errWatch)
	r.Section(1)
	var zero T
	n := r.Count(2 + len(P(&zero).numbers()))
	if n > gapsMax {
		r.Fail()
	}
	known := map[string]T{}
	for range n {
		var g T
		sender, cluster := P(&g).names()
		*sender, *cluster = r.String(), r.String()
		for _, n := range P(&g).numbers() {
			*n = r.Int()
		}
		if r.Err() != nil {
			break
		}
		known[*cluster+"\x00"+*sender] = g
	}
	if r.Err() == nil && r.Left() > 0 {
		r.Fail()
	}
	return known, r.Err()
}
