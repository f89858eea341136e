package store

// What a person does with files that nobody has open: look how they are, and make one clean file of what is good in both.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Examine reads the whole file at path, changes nothing, and says what is wrong with it and which checkpoint can be had from it, nil when there is none. A file that is missing is no problem
// of its own. Errors: ErrInUse, ErrVersion, and those of reading.
func Examine(ctx context.Context, path string) (Report, *Loaded, error) {
	var rep Report
	s, err := Open(path, Options{ReadOnly: true})
	if err == nil {
		defer s.Close() // read only
		if rep, err = s.Verify(ctx); err == nil && rep.OK() {
			l, ok, err := s.Load()
			rep.addHoles(l.Holes)
			if !ok {
				return rep, nil, err
			}
			return rep, &l, err
		}
	} else if errors.Is(err, ErrDamaged) {
		rep.add(err)
		err = nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return rep, nil, nil
	} else if err != nil {
		return rep, nil, err
	}
	c := newCarrier(nil)
	l, err := c.dig(path)
	if l != nil {
		rep.addHoles(l.Holes)
	} else if err == nil {
		rep.add(fmt.Errorf("%w: no checkpoint can be had from it", ErrDamaged))
	}
	if c.kept.Lost > 0 {
		rep.add(fmt.Errorf("%w: %d records or pages cannot be read", ErrDamaged, c.kept.Lost))
	}
	return rep, l, err
}

func (r *Report) addHoles(holes []Hole) {
	for _, h := range holes {
		r.add(fmt.Errorf("%w: the checkpoint lacks %s", ErrDamaged, h))
	}
}

// Best returns the checkpoint that a start goes on from, of those of a pair and with a journal from position from on; nil when there is none. See Pair.Generations.
func Best(list []*Loaded, from uint64) *Loaded {
	var whole []Loaded
	for _, l := range list {
		if l != nil {
			whole = append(whole, *l)
		}
	}
	slices.SortFunc(whole, func(a, b Loaded) int {
		if (place{a.Pos, a.Generation}).newer(place{b.Pos, b.Generation}) {
			return -1
		}
		return 1
	})
	if out := inOrder(whole, from); len(out) > 0 {
		return &out[0]
	}
	return nil
}

// Repair writes a new store to the file to, of what is good in the store at path and in its twin: the best checkpoint of both, each record of history and of other buckets that can be read.
// from is where the journal begins. Both files stay as they are. It fails when to exists or there is nothing to carry.
func Repair(path, to string, from uint64) (kept Salvage, best *Loaded, err error) {
	if _, err := os.Lstat(to); err == nil {
		return kept, nil, fmt.Errorf("repair to %s: %w", to, fs.ErrExist)
	}
	s, err := Open(to, Options{})
	if err != nil {
		return kept, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c, other := newCarrier(s), newCarrier(nil)
	l, err := c.dig(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return kept, nil, err
	}
	twin, err := other.dig(filepath.Join(filepath.Dir(path), TwinName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return kept, nil, err
	}
	list := []*Loaded{l, twin}
	if best = Best(list, from); best == nil {
		return kept, nil, errors.Join(fmt.Errorf("%w: neither file has a checkpoint", ErrDamaged), os.Remove(to))
	}
	for _, x := range list { // a start with another twin beside it must not take that for the newer one
		if x != nil {
			c.next.generation = max(c.next.generation, x.Generation+1)
		}
	}
	c.next.pos, c.next.atMs, c.kept.Checkpoint, c.kept.Holes = best.Pos, best.AtMs, true, best.Holes
	return c.kept, best, c.settle(best)
}
