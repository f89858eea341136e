package route

import (
	"cmp"
	"slices"
	"strings"
)

// Names are made up by whoever may write, so of the numbers that they take some are kept for others.
const (
	clustersKept = ClustersMax / 4  // clusters that senders leave to others which have opened less than their share
	sendersYield = SendersMax / 10  // senders that are forgotten at a time when there are too many
	yieldMs      = int64(3_600_000) // without a request for so long a sender may be forgotten, when there are too many, with what was decided of it
)

// mayOpen reports whether a sender may open a further cluster. One sender alone may open all of them.
func (r *Router) mayOpen(sender string) bool {
	n := len(r.at)
	if n < ClustersMax-clustersKept {
		return true
	}
	others := len(r.opened)
	if r.opened[sender] > 0 {
		others--
	}
	return n < ClustersMax && (others == 0 || r.opened[sender] < ClustersMax/(others+1))
}

// open gives a cluster a number.
func (r *Router) open(name, sender string) uint16 {
	name = strings.Clone(name)
	i := slices.Index(r.names, "")
	if i < 0 {
		i = len(r.names)
		r.names, r.openers = append(r.names, ""), append(r.openers, "")
	}
	r.names[i], r.at[name] = name, uint16(i)
	r.own(i, strings.Clone(sender))
	return uint16(i)
}

// own notes who has opened a cluster; "" = nobody knows.
func (r *Router) own(i int, sender string) {
	if was := r.openers[i]; was != "" {
		if r.opened[was]--; r.opened[was] == 0 {
			delete(r.opened, was)
		}
	}
	if r.openers[i] = sender; sender != "" {
		r.opened[sender]++
	}
}

// yield forgets some senders since there are too many: those of which nothing is decided yet, and those that are silent, whoever was heard from longest ago first.
func (r *Router) yield() {
	var list []uint16
	for i, n := range r.senders {
		if n != nil && (!n.done || n.lastMs < r.nowMs-yieldMs) {
			list = append(list, uint16(i))
		}
	}
	slices.SortStableFunc(list, func(a, b uint16) int { return cmp.Compare(r.senders[a].lastMs, r.senders[b].lastMs) })
	r.dropSenders(list[:min(len(list), sendersYield)])
}

// dropSenders forgets senders, by number, and their keys.
func (r *Router) dropSenders(list []uint16) {
	if len(list) == 0 {
		return
	}
	gone := make([]bool, len(r.senders))
	for _, i := range list {
		gone[i] = true
	}
	r.keep(func(k *key) bool { return !gone[k.sender] })
	for _, i := range list {
		n := r.senders[i]
		delete(r.senderAt, senderKey{n.name, n.fixed})
		r.senders[i] = nil
	}
	sendersForgotten.Add(len(list))
}
