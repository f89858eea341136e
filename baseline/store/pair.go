package store

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"
)

// Pair is a store and its twin, a file beside it, which take checkpoints in turn. So the newest two lie in files that share no page: whatever happens to one, the other one
// and the journal behind it give the same state. The store itself also has the history of charts and the buckets of others; the twin has checkpoints alone.
type Pair struct {
	*Store
	twin   *Store
	bereft bool
}

// Bereft reports whether the store itself was missing or empty when the pair was opened, though its twin proves that there had been one: charts and the rows of other buckets are gone.
func (p *Pair) Bereft() bool { return p.bereft }

// TwinName is the name of the twin's file in the directory of the store.
const TwinName = "checkpoint.db"

// OpenPair opens both, each as Open does. With ReadOnly one of them is enough: the other may be damaged or missing, and its part is played by the one that is there.
func OpenPair(path string, o Options) (*Pair, error) {
	s, err := Open(path, o)
	if err != nil && !spared(err, o) {
		return nil, err
	}
	twin, errTwin := Open(filepath.Join(filepath.Dir(path), TwinName), o)
	if errTwin != nil && (s == nil || !spared(errTwin, o)) {
		err = errors.Join(err, errTwin)
		if s != nil {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	p := &Pair{Store: cmp.Or(s, twin), twin: cmp.Or(twin, s)}
	if s == nil || twin == nil {
		p.log.Warn("one of the two files of the store cannot be read; the other one is", "path", p.path, "err", errors.Join(err, errTwin))
		return p, nil
	}
	if s.place().generation == 0 && p.twin.place().generation > 0 {
		p.bereft = s.quarantined == ""
		s.log.Warn("the store had been missing, empty or damaged: chart history and messages that waited may be gone; what was learned is in its twin", "path", path, "twin", p.twin.path)
	}
	return p, nil
}

// spared reports whether a file that cannot be opened is done without: where it is only read, and nobody has it, nor a newer program made it.
func spared(err error, o Options) bool {
	return o.ReadOnly && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrVersion)
}

// place says which checkpoint a file has. Generations are numbered over both files, since a person's word changes the state at a position that has one already. The zero value is none.
type place struct{ pos, generation uint64 }

func (a place) newer(b place) bool {
	return a.pos > b.pos || a.pos == b.pos && a.generation > b.generation
}

func (s *Store) place() place {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	return place{s.published.pos, s.published.generation}
}

// Save writes a checkpoint into the file whose own is the older one, and the Recorder's pending history into the store in any case. See Store.Save.
func (p *Pair) Save(c Checkpoint) error {
	to, other := p.Store, p.twin
	if p.broken.Load() || p.place().newer(p.twin.place()) && !p.twin.broken.Load() {
		to, other = p.twin, p.Store
		// History first: a start folds what is behind the checkpoint, and ignores points that it has already.
		if err := p.flush(); err != nil && !p.broken.Load() {
			return err
		}
	}
	if to.crowded() && other.place().generation > 0 {
		if err := to.clear(); err != nil {
			return err
		}
	}
	to.least.Store(other.place().generation)
	return to.Save(c)
}

// crowded reports whether Options.MaxBytes has no room for a checkpoint beside the one that the file has, and its charts.
func (s *Store) crowded() bool {
	learned, charts := s.shares()
	return 2*learned+charts > s.opts.MaxBytes
}

// shares returns how many bytes of the file what was learned takes, and charts: with what bbolt needs around records.
func (s *Store) shares() (learned, charts int64) {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	around := func(n int64) int64 { return n + n/8 }
	return around(s.sizes.sectionBytes + s.sizes.modelBytes), around(int64(s.published.history.bytes))
}

// clear deletes the file's checkpoint. Another one must be elsewhere.
func (s *Store) clear() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	s.writing.Lock()
	next := s.man.clone()
	dead := slices.Clone(s.left)
	s.table.each(&s.man, func(p portion) { dead = append(dead, p.number) })
	next.generation, next.pos, next.before, next.atMs, next.contents, next.spare = 0, 0, 0, 0, nil, nil
	err := s.update(&next, func(tx *bolt.Tx) error { return dropPortions(tx, dead) })
	s.writing.Unlock()
	if err != nil {
		return fmt.Errorf("clear checkpoint: %w", err)
	}
	s.table, s.left = table{}, nil
	s.publish()
	return nil
}

// SaveFirst writes a checkpoint into the store itself, so that its file alone is worth a copy: at the end of a process.
func (p *Pair) SaveFirst(c Checkpoint) error {
	p.least.Store(p.twin.place().generation)
	return p.Store.Save(c)
}

// SafePos returns the position up to which the journal may be dropped: that of the older one of the two newest checkpoints. It is 0 while there is but one.
func (p *Pair) SafePos() uint64 { return min(p.place().pos, p.twin.place().pos) }

// Generations yields the checkpoints that a fold may go on from, the best one first; with an error in the place of one that cannot be read. from is the position from which on there is a
// journal: whole ones that it reaches come first, the newest before the older. Then, if damage has left holes in both, each filled from the other: a model or a cluster that is whole in one
// of the two is not lost. First the older one, for the journal then gives back what came between. What the journal does not reach comes last.
func (p *Pair) Generations(from uint64) iter.Seq2[Loaded, error] {
	return func(yield func(Loaded, error) bool) {
		var list []Loaded // the newest first
		for _, s := range p.newestFirst() {
			l, ok, err := s.Load()
			if err != nil {
				generationsRefused.Inc()
				if !yield(l, err) {
					return
				}
			}
			if ok {
				list = append(list, l)
			}
		}
		for _, l := range inOrder(list, from) {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// newestFirst returns the two files.
func (p *Pair) newestFirst() [2]*Store {
	if p.twin.place().newer(p.place()) {
		return [2]*Store{p.twin, p.Store}
	}
	return [2]*Store{p.Store, p.twin}
}

// inOrder puts checkpoints, the newest first, into the order of Generations.
func inOrder(list []Loaded, from uint64) []Loaded {
	reaches := func(l *Loaded) bool { return l.Pos+1 >= from }
	var out, late []Loaded
	for _, l := range list {
		switch {
		case !reaches(&l):
			late = append(late, l)
		case len(l.Holes) == 0:
			out = append(out, l)
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		l := list[i]
		if len(l.Holes) == 0 || !reaches(&l) {
			continue
		}
		if len(list) == 2 {
			l = merged(l, list[1-i])
		}
		out = append(out, l)
	}
	return append(out, late...)
}

// Stats returns those of the store, with what concerns checkpoints from whoever took the newest one.
func (p *Pair) Stats() Stats {
	st, twin := p.Store.Stats(), p.twin.Stats()
	st.FileBytes += twin.FileBytes
	st.Saves, st.SaveErrors = st.Saves+twin.Saves, st.SaveErrors+twin.SaveErrors
	if p.twin.place().newer(p.place()) {
		st.Generation, st.Pos, st.AtMs, st.Models, st.Sections = twin.Generation, twin.Pos, twin.AtMs, twin.Models, twin.Sections
		st.LeftOut = twin.LeftOut
		st.SectionBytes, st.ModelBytes, st.LastTook, st.LastError = twin.SectionBytes, twin.ModelBytes, twin.LastTook, twin.LastError
	}
	if st.Quarantined == "" {
		st.Quarantined, st.Salvaged = twin.Quarantined, twin.Salvaged
	}
	return st
}

// Quarantined returns where a damaged file of either was moved to, and what was carried over from it.
func (p *Pair) Quarantined() (path string, kept Salvage) {
	if path, kept = p.Store.Quarantined(); path != "" {
		return path, kept
	}
	return p.twin.Quarantined()
}

// Close closes both.
func (p *Pair) Close() error { return errors.Join(p.Store.Close(), p.twin.Close()) }

var (
	generationsRefused = metrics.NewCounter("wrackline_store_generations_refused_total")
)
