package store

// The list of what a checkpoint holds, and how that is read.

import (
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/packs"
)

const (
	rowsMax   = 1 << 16 // sections and groups of models in a checkpoint
	nameMax   = 128     // bytes of a section's or a group's name
	loadedMax = 8 << 30 // bytes of a checkpoint's records that a salvage collects
)

// portion is one record of a checkpoint, as the contents tell of it. So the contents prove the record, and the manifest the contents.
type portion struct {
	number uint64 // its key
	crc    uint32 // that it carries
	size   uint32 // bytes of its payload
}

func portionKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func appendPortions(b []byte, list []portion) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, p := range list {
		b = binary.LittleEndian.AppendUint64(b, p.number)
		b = binary.LittleEndian.AppendUint32(b, p.crc)
		b = binary.LittleEndian.AppendUint32(b, p.size)
	}
	return b
}

func readPortions(r *codec.Reader) []portion {
	n := r.Count(16)
	if n == 0 {
		return nil
	}
	list := make([]portion, n)
	for i := range list {
		list[i] = portion{r.Uint64(), readUint32(r), readUint32(r)}
	}
	return list
}

// Kinds of rows.
const (
	sectionRow  = 0
	plainRow    = 1 // a group of models as format 2 had them, which have no sums of their own
	modelsRow   = 2
	lostSection = 3 // a section that was damaged where this checkpoint was carried over from
	lostModels  = 4 // likewise models of a group
	kinds       = 5
)

// row is a section, or a group of models, or what was lost of one.
type row struct {
	kind     byte
	name     string
	size     uint64 // bytes of a section; models of a group
	portions []portion
}

// table is the contents of a checkpoint: what is in memory of it between two.
type table struct {
	rows  []row
	index [kinds]map[string]int // by kind and name
}

func (t *table) add(r row) error {
	if t.index[r.kind] == nil {
		t.index[r.kind] = map[string]int{}
	}
	if _, twice := t.index[r.kind][r.name]; twice {
		return fmt.Errorf("%q is there twice", r.name)
	}
	t.index[r.kind][r.name] = len(t.rows)
	t.rows = append(t.rows, r)
	return nil
}

// find returns the portions of a row, nil when there is none.
func (t *table) find(kind byte, name string) []portion {
	if i, ok := t.index[kind][name]; ok {
		return t.rows[i].portions
	}
	return nil
}

// sizes are sums over a table, for Stats.
type sizes struct {
	sections, models, holes  int
	sectionBytes, modelBytes int64 // of records and their keys
}

func (t *table) sizes() (s sizes) {
	for _, r := range t.rows {
		n := int64(0)
		for _, p := range r.portions {
			n += int64(p.size) + crcSize + 8
		}
		switch r.kind {
		case sectionRow:
			s.sections++
			s.sectionBytes += n
		case plainRow, modelsRow:
			s.models += int(r.size)
			s.modelBytes += n
		default:
			s.holes++
		}
	}
	return s
}

func (t *table) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.rows)))
	for _, r := range t.rows {
		b = append(b, r.kind)
		b = binary.AppendUvarint(b, uint64(len(r.name)))
		b = append(b, r.name...)
		b = binary.LittleEndian.AppendUint64(b, r.size)
		b = appendPortions(b, r.portions)
	}
	return b
}

// portion implements records.
func (r txRecords) portion(p portion) ([]byte, error) {
	return proven(p, r.get(portionsBucket, portionKey(p.number)))
}

// proven returns the payload of a record, borrowed, and proves that it is the portion that the contents name.
func proven(p portion, record []byte) ([]byte, error) {
	if len(record) < crcSize || binary.LittleEndian.Uint32(record) != p.crc || len(record) != crcSize+int(p.size) {
		return nil, fmt.Errorf("%w: portion %d is missing, or another", ErrDamaged, p.number)
	}
	return payload(portionKey(p.number), record)
}

// readContents reads and proves the list of what the checkpoint holds, and its spare.
func readContents(from records, m *manifest) (t table, err error) {
	if len(m.spare) > 0 {
		if _, err := readList(from, m.spare); err != nil {
			return t, err
		}
	}
	return readList(from, m.contents)
}

func readList(from records, list []portion) (t table, err error) {
	if len(list) == 0 { // there is no checkpoint
		return t, nil
	}
	var b []byte
	for _, p := range list {
		part, err := from.portion(p)
		if err != nil {
			return t, fmt.Errorf("contents: %w", err)
		}
		b = append(b, part...)
	}
	r := readerOf(b)
	for n := r.Num(rowsMax); n > 0 && r.Err() == nil; n-- {
		kind, name := r.Byte(), string(readSized(r))
		e := row{kind, name, r.Uint64(), readPortions(r)}
		if kind >= kinds || r.Err() != nil {
			return t, fmt.Errorf("%w: the contents do not make sense", ErrDamaged)
		}
		if err := t.add(e); err != nil {
			return t, fmt.Errorf("%w: contents: %w", ErrDamaged, err)
		}
	}
	if r.Err() != nil || r.Left() != 0 {
		return t, fmt.Errorf("%w: the contents do not make sense", ErrDamaged)
	}
	return t, nil
}

// packed returns a portion of models as what it is.
func (e *row) packed(p portion, part []byte) packs.Pack {
	return packs.Pack{B: part, Sums: e.kind == modelsRow, Salt: packs.SaltOf(p.number)}
}

// proveRow calls f for the payload of each of a row's records, borrowed, and proves that they are what was written.
func proveRow(from records, e *row, f func(p portion, part []byte)) error {
	if e.kind >= lostSection {
		return nil
	}
	var n uint64
	for i, p := range e.portions {
		part, err := from.portion(p)
		if err != nil {
			return fmt.Errorf("%q: %w", e.name, err)
		}
		if e.kind == sectionRow {
			n += uint64(len(part))
		} else {
			models := e.packed(p, part).Count()
			if models < 0 {
				return fmt.Errorf("%w: models of %q overlap in pack %d", ErrDamaged, e.name, i)
			}
			n += uint64(models)
		}
		if f != nil {
			f(p, part)
		}
	}
	if n != e.size {
		return fmt.Errorf("%w: %q has %d where %d were written", ErrDamaged, e.name, n, e.size)
	}
	return nil
}

// readRows reads and proves all that the contents tell of.
func readRows(from records, m *manifest, t table) (Loaded, error) {
	l := loadedOf(m)
	for i := range t.rows {
		if err := l.read(from, &t.rows[i]); err != nil {
			return Loaded{}, err
		}
	}
	l.Models = l.all
	return l, nil
}

func loadedOf(m *manifest) Loaded {
	return Loaded{Pos: m.pos, AtMs: m.atMs, Generation: m.generation, Sections: map[string][]byte{}}
}

// read reads and proves one row.
func (l *Loaded) read(from records, e *row) error {
	switch e.kind {
	case lostSection, lostModels:
		l.Holes = append(l.Holes, Hole{Name: e.name, Models: int(e.size)})
	case sectionRow:
		var parts [][]byte
		if err := proveRow(from, e, func(_ portion, part []byte) { parts = append(parts, part) }); err != nil {
			return err
		}
		data := make([]byte, 0, e.size) // so many there are
		for _, p := range parts {
			data = append(data, p...)
		}
		l.Sections[e.name] = data
	default:
		g := group{name: e.name}
		if err := proveRow(from, e, func(p portion, part []byte) { g.packs = append(g.packs, e.packed(p, slices.Clone(part))) }); err != nil {
			return err
		}
		l.groups = append(l.groups, g)
	}
	return nil
}

// proveCheckpoint proves the checkpoint and that the bucket holds its records and no other, except those that a crash left of one that was
// not finished: these it returns.
func proveCheckpoint(tx *bolt.Tx, m *manifest) (t table, left []uint64, err error) {
	from := txRecords{tx}
	if t, err = readContents(from, m); err != nil {
		return t, nil, err
	}
	for i := range t.rows {
		if err := proveRow(from, &t.rows[i], nil); err != nil {
			return t, nil, err
		}
	}
	live := map[uint64]bool{}
	t.each(m, func(p portion) { live[p.number] = true })
	b := tx.Bucket(portionsBucket)
	if b == nil {
		return t, nil, fmt.Errorf("%w: no bucket %s", ErrDamaged, portionsBucket)
	}
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if len(k) != 8 {
			return t, nil, fmt.Errorf("%w: key %q", ErrDamaged, k)
		}
		switch n := binary.BigEndian.Uint64(k); {
		case live[n]:
		case n < m.next:
			return t, nil, fmt.Errorf("%w: portion %d belongs to nothing", ErrDamaged, n)
		default:
			left = append(left, n)
		}
	}
	return t, left, nil
}

// each calls f for every record of the checkpoint.
func (t *table) each(m *manifest, f func(portion)) {
	for _, p := range m.contents {
		f(p)
	}
	for _, p := range m.spare {
		f(p)
	}
	for i := range t.rows {
		for _, p := range t.rows[i].portions {
			f(p)
		}
	}
}
