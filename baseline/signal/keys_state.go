package signal

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/asked"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/series"
)

const keysVersion = 1

// keysName tells the present keys from those of another salt, and from those whose labels were read by other rules.
func (s *Stream) keysName() series.Print {
	return series.KeysName(s.opts.Salt, fmt.Sprintf("%q %q", s.replicaLabels(), s.opts.ClusterLabels))
}

// What the code of a key says besides the step from the series that was expected, which is the one after that of the key before.
const (
	codeReplica = 1 << iota // its replica is another than that of the key before, and follows
	codeIgnored             // it has no series
	codeStep    = iota      // bits before the step
)

// appendKeys writes the section of keys, in order of arrival, so that the key that follows is right at once: hash, code, replica when it
// is another, and age. That is 10 bytes a key nearly always.
func (s *Stream) appendKeys(w *codec.Writer) {
	w.Num(keysVersion)
	name := s.keysName()
	w.Bytes(name[:])
	w.Num(len(s.keys))
	epoch := byte(s.eventMs / sweepMs)
	expected, rep := int64(0), uint16(0)
	for i := range s.keys {
		k := &s.keys[i]
		code := int64(codeIgnored)
		if k.series != none {
			code = (int64(k.series) - expected) << codeStep
			expected = int64(k.series) + 1
		}
		other := k.replica != rep
		if other {
			code |= codeReplica
		}
		w.Uint64(k.hash)
		w.Int(code)
		if other {
			rep = k.replica
			w.Num(int(rep))
		}
		w.Byte(epoch - k.seen)
	}
}

// restoreKeys reads what appendKeys wrote. to has the present numbers of the series. Left out are keys that must show their labels
// again: all when the name is not the present one, and with other rules those of series that have new leaves, and of those that
// nobody needed.
func (s *Stream) restoreKeys(r *stateReader, to []uint32, was *asked.Book) {
	r.Section(keysVersion)
	same := r.Print() == s.keysName()
	n := r.Count(10)
	same = same && n <= RoomOf(s.opts).Keys
	if same {
		s.keys = make([]key, 0, n)
		s.keyTab.Reset(n)
	}
	epoch := byte(s.eventMs / sweepMs)
	expected, rep := int64(0), 0
	for range n {
		k := key{hash: r.Uint64(), series: none}
		code := r.Int()
		if code&codeReplica != 0 {
			rep = r.Num(replica.NamesMost)
		}
		k.replica, k.seen = uint16(rep), epoch-r.Byte()
		if step := code >> codeStep; code&codeIgnored == 0 {
			if expected += step; r.Err() != nil || expected < 0 || expected >= int64(len(to)) {
				r.Fail()
				return
			}
			k.series = to[expected]
			expected++
		} else if step != 0 {
			r.Fail()
		}
		if !same || r.version < 11 && k.series != none || !was.Same && (k.series == none || s.unresolved(&s.cold[k.series])) || k.series != none && s.cold[k.series].target == none && s.hot[k.series].counts() {
			continue
		}
		if r.Err() != nil || s.find(k.hash) != none {
			r.Fail()
			return
		}
		k.next = uint32(len(s.keys)) + 1
		s.keys = append(s.keys, k)
		s.keyTab.Put(uint32(len(s.keys)-1), s.keyHash)
	}
}
