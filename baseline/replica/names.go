package replica

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
)

// NamesMost is how many names are told apart; further ones are one, of this number.
const NamesMost = 4096

// Names gives names numbers. 0 is no name. Call Reset before use.
type Names struct {
	list []string // by number; "" = it is free
	at   map[string]uint16
}

// Reset forgets all names.
func (n *Names) Reset() { *n = Names{list: []string{""}, at: map[string]uint16{"": 0}} }

// Of returns the number of a name.
func (n *Names) Of(name string) uint16 {
	if id, ok := n.at[name]; ok {
		return id
	}
	name = strings.Clone(name)
	id := slices.Index(n.list[1:], "") + 1 // the lowest that is free, so that numbers do not depend on when others were forgotten
	switch {
	case id > 0:
		n.list[id] = name
	case len(n.list) >= NamesMost:
		return NamesMost
	default:
		id = len(n.list)
		n.list = append(n.list, name)
	}
	n.at[name] = uint16(id)
	return uint16(id)
}

// Name returns the name of a number.
func (n *Names) Name(id uint16) string { return n.list[id] }

// Len returns how many names are known, none among them.
func (n *Names) Len() int { return len(n.at) }

// Keep forgets the names whose numbers are not used; used has NamesMost+1 elements.
func (n *Names) Keep(used []bool) {
	for id := 1; id < len(n.list); id++ {
		if name := n.list[id]; !used[id] && name != "" {
			delete(n.at, name)
			n.list[id] = ""
		}
	}
}

// Append writes the names.
func (n *Names) Append(w *codec.Writer) {
	w.Num(len(n.list) - 1)
	for _, x := range n.list[1:] {
		w.Word(x)
	}
}

// Restore reads what Append wrote where no name is known. Faults are the reader's.
func (n *Names) Restore(r *codec.Reader) {
	for range r.Count(1) {
		if len(n.list) >= NamesMost {
			r.Fail()
			return
		}
		name := r.Word()
		if name != "" {
			n.at[name] = uint16(len(n.list))
		}
		n.list = append(n.list, name)
	}
}
