package signal

import (
	"fmt"

	"github.com/wrackline/wrackline/baseline/asked"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/spelling"
)

// keysName tells the present keys from those of another salt, and from those whose labels were read by other rules.
func (s *Stream) keysName() series.Print {
	return series.KeysName(s.opts.Salt, fmt.Sprintf("%q %q", s.replicaLabels(), s.opts.ClusterLabels))
}

func (s *Stream) appendKeys(w *codec.Writer) {
	s.keys.Append(w, s.keysName(), byte(s.eventMs/sweepMs))
}

// restoreKeys reads what appendKeys wrote. to has the present numbers of the series. Left out are keys that must show their labels
// again: all when the name is not the present one, and with other rules those of series that have new leaves, and of those that
// nobody needed.
func (s *Stream) restoreKeys(r *stateReader, to []uint32, was *asked.Book) {
	s.keys.Restore(r.Reader, s.keysName(), byte(s.eventMs/sweepMs), to, len(s.senders.List), RoomOf(s.opts).Keys, func(k *spelling.Key) bool {
		if k.Series == none {
			return was.Same
		}
		d := &s.cold[k.Series]
		if k.Sender == noSender {
			k.Sender = d.sender
		}
		return r.version >= 11 && (was.Same || !s.unresolved(d)) && (d.target != none || !s.hot[k.Series].counts())
	})
}
