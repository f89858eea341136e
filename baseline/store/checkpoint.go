package store

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/wrackline/wrackline/baseline/store/packs"
)

// Checkpoint is the fold's state after the journal position Pos, given all at once. A Draft takes it part by part.
type Checkpoint struct {
	Pos      uint64                    // the last journal position that is in it
	AtMs     int64                     // receive clock at which it was made, Unix milliseconds
	Sections map[string][]byte         // whatever the parts of the fold want back, by name; names have at most 128 bytes
	Models   iter.Seq2[string, []byte] // signal id → bytes, in a stable order; the bytes may be borrowed; nil = none
	Groups   []Group                   // further models, in groups whose models come and go together

	frozen []*frozen
}

// Group is a row of models under a name, see Draft.Models. That of Checkpoint.Models is "".
type Group struct {
	Name   string
	Models iter.Seq2[string, []byte]
}

// groups returns all models of the checkpoint.
func (c *Checkpoint) groups() []Group {
	if c.Models == nil {
		return c.Groups
	}
	return append([]Group{{"", c.Models}}, c.Groups...)
}

// Freeze returns functions, one for each group, that copy its models, so that others may change them while Save writes. All must have returned before Save; they may run side by side. The sections
// are kept as they are. What is copied to is given back as Save writes it, so that a frozen checkpoint can be saved once.
func (c *Checkpoint) Freeze() (list []func()) {
	groups := c.groups()
	c.frozen, c.Models, c.Groups = make([]*frozen, len(groups)), nil, nil
	for i, g := range groups {
		f := &frozen{name: g.Name}
		c.frozen[i] = f
		list = append(list, func() {
			_ = packModels(g.Models, func(name string, why error) { f.left = append(f.left, leftOut{name, why}) }, func(p pack) error { // which fails never
				f.packs = append(f.packs, p)
				return nil
			})
		})
	}
	return list
}

// frozen is a group of models that Freeze has copied.
type frozen struct {
	name  string
	packs []pack
	left  []leftOut
	saved bool
}

// Loaded is the checkpoint that Load gives back. Nothing in it is borrowed.
type Loaded struct {
	Pos        uint64
	AtMs       int64
	Generation uint64 // counted over both files of a pair
	Sections   map[string][]byte
	Models     iter.Seq2[string, []byte] // of all groups, in the order of Save; may be ranged over again
	Holes      []Hole                    // what is missing since its records were damaged; nil = it is whole

	groups []group
}

// Hole is what a checkpoint lacks.
type Hole struct {
	Name   string // of a section, or of a group of models
	Models int    // how many of the group; 0 = it is a section
}

// String says what is missing.
func (h Hole) String() string {
	if h.Models == 0 {
		return fmt.Sprintf("section %q", h.Name)
	}
	return fmt.Sprintf("%d models of %q", h.Models, h.Name)
}

// group is a row of models in their order.
type group struct {
	name  string
	packs []packs.Pack
}

func (g *group) all(yield func(string, []byte) bool) {
	for _, p := range g.packs {
		for len(p.B) > 0 {
			id, data, size := p.Front()
			if size == 0 || !yield(string(id), slices.Clip(data)) { // 0 cannot be: it was proven
				return
			}
			p.B = p.B[size:]
		}
	}
}

func (l *Loaded) all(yield func(string, []byte) bool) {
	for i := range l.groups {
		for id, data := range l.groups[i].all {
			if !yield(id, data) {
				return
			}
		}
	}
}

// Group returns the models that Draft.Models was given under this name, in their order; none when there are none. Save's have the name "".
func (l *Loaded) Group(name string) iter.Seq2[string, []byte] {
	for i := range l.groups {
		if l.groups[i].name == name {
			return l.groups[i].all
		}
	}
	return func(func(string, []byte) bool) {}
}

// Save writes a checkpoint and the Recorder's pending history: either all of the checkpoint is there after a crash or the one before it.
// Records whose bytes did not change are not written again. A model or section that no record takes is left out and named (Stats.LeftOut), the rest is saved. When it fails (a full disk) the checkpoint before
// stays, nothing pending is lost, and a later Save may succeed.
func (s *Store) Save(c Checkpoint) error {
	d, err := s.Begin()
	if err != nil {
		return err
	}
	defer d.Discard() // after Commit nothing; when the caller's iterator panics, others may go on
	for _, name := range slices.Sorted(maps.Keys(c.Sections)) {
		_ = d.Section(name, c.Sections[name]) // Commit says it
	}
	for _, f := range c.frozen {
		d.frozen(f)
	}
	for _, g := range c.groups() {
		d.Models(g.Name, g.Models)
	}
	return d.Commit(c.Pos, c.AtMs)
}

func (s *Store) writable() error {
	switch {
	case s.closed.Load():
		return berrors.ErrDatabaseNotOpen
	case s.opts.ReadOnly:
		return ErrReadOnly
	case s.broken.Load():
		return ErrDamaged
	}
	return nil
}

// write runs more, the pending history and the new manifest in one transaction. more may change the manifest, of which nothing counts when
// the transaction fails.
func (s *Store) write(more func(tx *bolt.Tx, next *manifest) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	next := s.man.clone()
	learned, charts := s.shares()
	s.rec.fit(charts, s.opts.MaxBytes-learned)
	pending := s.rec.collect()
	err := s.update(&next, func(tx *bolt.Tx) error {
		if more != nil {
			if err := more(tx, &next); err != nil {
				return err
			}
		}
		if err := pending.write(tx, &next); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		return nil
	})
	s.rec.settle(pending, err == nil)
	return err
}

// update runs more and writes the manifest in one transaction, without the pending history. The caller holds writing.
func (s *Store) update(next *manifest, more func(tx *bolt.Tx) error) error {
	err := s.guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			if err := more(tx); err != nil {
				return err
			}
			return putManifest(tx, next)
		})
	})
	if err == nil {
		s.man = *next
		s.statsMu.Lock()
		s.published = s.man.clone()
		s.statsMu.Unlock()
	}
	return err
}

// Load reads the last checkpoint and proves every record of it. ok is false when none has been saved yet.
func (s *Store) Load() (l Loaded, ok bool, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			l, ok, err = readCheckpoint(tx)
			return err
		})
	})
	if err != nil {
		return Loaded{}, false, fmt.Errorf("load checkpoint: %w", err)
	}
	return l, ok, nil
}

// readCheckpoint reads the checkpoint of a file of any format.
func readCheckpoint(tx *bolt.Tx) (Loaded, bool, error) {
	v, err := readFormat(tx)
	if err != nil {
		return Loaded{}, false, err
	}
	if v == 1 {
		var l Loaded
		m, err := readManifest1(tx)
		if err != nil {
			return l, false, err
		}
		ok, err := load1(tx, &m, &l)
		return l, ok, err
	}
	m, err := readManifest(tx)
	if err != nil || m.generation == 0 {
		return Loaded{}, false, err
	}
	rows, err := readContents(txRecords{tx}, &m)
	if err != nil {
		return Loaded{}, false, err
	}
	l, err := readRows(txRecords{tx}, &m, rows)
	return l, err == nil, err
}

// records is where a checkpoint's records come from: a transaction, or a damaged file.
type records interface {
	get(bucket, key []byte) []byte
	portion(p portion) ([]byte, error) // the payload, borrowed; with an error what is there in its place, if anything
}

type txRecords struct{ tx *bolt.Tx }

func (r txRecords) get(bucket, key []byte) []byte {
	if b := r.tx.Bucket(bucket); b != nil {
		return b.Get(key)
	}
	return nil
}

// note keeps what became of a Save, for Stats.
func (s *Store) note(took time.Duration, err error) {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	if err != nil {
		checkpointsFailed.Inc()
		s.saveFails++
		s.saveErr = err.Error()
		if errors.Is(err, ErrDamaged) {
			s.log.Error("checkpoints cannot be written any more: restart to set the damaged store aside", "path", s.path, "err", err)
		}
		return
	}
	checkpointsSaved.Inc()
	checkpointSeconds.Update(took.Seconds())
	s.saves++
	s.saveErr, s.saveTook = "", took
}

// publish makes manifest and contents visible to Stats. The caller holds saving, or nobody else has the store yet.
func (s *Store) publish() {
	sums := s.old
	if len(s.table.rows) > 0 {
		sums = s.table.sizes()
	}
	s.writing.Lock()
	man := s.man.clone()
	s.writing.Unlock()
	s.statsMu.Lock()
	s.published, s.sizes = man, sums
	s.statsMu.Unlock()
}

var (
	checkpointsSaved  = metrics.NewCounter("wrackline_store_checkpoints_saved_total")
	checkpointsFailed = metrics.NewCounter("wrackline_store_checkpoints_failed_total")
	checkpointSeconds = metrics.NewHistogram("wrackline_store_checkpoint_duration_seconds")
	recordsLeftOut    = metrics.NewCounter("wrackline_store_records_left_out_total")
	recordsWritten    = metrics.NewCounter("wrackline_store_records_written_total")
	recordsKept       = metrics.NewCounter("wrackline_store_records_unchanged_total")
	bytesWritten      = metrics.NewCounter("wrackline_store_record_bytes_written_total")
)
