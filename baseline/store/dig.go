package store

// A checkpoint's records in a damaged file. They prove themselves: the manifest its own sum, the contents by what the manifest says of it, a portion by what the contents say. Pages and
// their tree are only a way to find them, so where that is broken they are looked for by their first bytes, wherever they lie. What is damaged within a record costs the models that it
// touches, or the section.

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/store/packs"
)

// dug is what is found of a checkpoint in a damaged file.
type dug struct {
	file  io.ReaderAt
	size  int64
	tree  map[string][]byte // records that the pages lead to, by bucket, 0 and key
	bySum map[uint32][]byte // portions of them by the sum that they carry, should the key be what is damaged
	at    map[uint64][]int64
}

func newDug(file io.ReaderAt, size int64) *dug {
	return &dug{file: file, size: size, tree: map[string][]byte{}, bySum: map[uint32][]byte{}, at: map[uint64][]int64{}}
}

// add takes a record that the pages lead to.
func (d *dug) add(bucket string, key, record []byte) {
	d.tree[bucket+"\x00"+string(key)] = record
	if bucket == string(portionsBucket) && len(record) >= crcSize {
		d.bySum[binary.LittleEndian.Uint32(record)] = record
	}
}

func (d *dug) get(bucket, key []byte) []byte { return d.tree[string(bucket)+"\x00"+string(key)] }

// portion implements records. With an error it returns what stands in the portion's place, when that has its size.
func (d *dug) portion(p portion) (found []byte, err error) {
	key := portionKey(p.number)
	try := func(record []byte) bool {
		if len(record) != crcSize+int(p.size) {
			return false
		}
		if found == nil {
			found = record[crcSize:]
		}
		if codec.Checksum(key, record[crcSize:]) != p.crc {
			return false
		}
		found = record[crcSize:]
		return true
	}
	if try(d.get(portionsBucket, key)) || try(d.bySum[p.crc]) {
		return found, nil
	}
	for _, at := range d.at[p.number] {
		if int64(p.size)+crcSize > d.size-at {
			continue
		}
		record := make([]byte, crcSize+int(p.size))
		if _, err := d.file.ReadAt(record, at); err == nil && try(record) {
			return found, nil
		}
	}
	_, err = proven(p, nil)
	return found, err
}

// locate looks through the file for portions that the pages do not lead to.
func (d *dug) locate(list []portion) error {
	want := map[uint64]uint32{}
	lowest, highest := uint64(1<<63), uint64(0)
	for _, p := range list {
		if _, err := d.portion(p); err != nil {
			want[p.number] = p.crc
			lowest, highest = min(lowest, p.number), max(highest, p.number)
		}
	}
	if len(want) == 0 {
		return nil
	}
	const head = 8 + crcSize // number and sum stand next to each other
	return d.read(head, func(at int64, b []byte) {
		for i := 0; i+head <= len(b); i++ {
			n := binary.BigEndian.Uint64(b[i:])
			if n-lowest > highest-lowest {
				continue
			}
			if crc, ok := want[n]; ok && binary.LittleEndian.Uint32(b[i+8:]) == crc {
				d.at[n] = append(d.at[n], at+int64(i)+8)
			}
		}
	})
}

// read gives the file piece by piece. Each piece begins with the last bytes of the one before, one less than overlap.
func (d *dug) read(overlap int, each func(at int64, b []byte)) error {
	const piece = 1 << 20
	buf := make([]byte, piece+overlap-1)
	for at := int64(0); at < d.size; at += piece {
		n, err := d.file.ReadAt(buf[:min(int64(len(buf)), d.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		each(at, buf[:n])
	}
	return nil
}

// manifests returns every manifest in the file, also those that no page leads to any more, the newest first, one of each checkpoint; led is the generation of the one that pages lead to, 0 = none.
func (d *dug) manifests() (list []manifest, led uint64, err error) {
	const most = 4 << 10
	for _, key := range [][]byte{manifestKey, spareKey} {
		if p, bad := payload(key, d.get(metaBucket, key)); bad == nil {
			if m, bad := parseManifest(p); bad == nil {
				list, led = append(list, m), m.generation // its history is the newest, too
			}
		}
		if err := d.read(most, func(_ int64, b []byte) {
			for i := bytes.Index(b, key); i >= 0; i = bytes.Index(b, key) {
				b = b[i+len(key):]
				if m, ok := manifestAt(key, b[:min(most, len(b))]); ok {
					list = append(list, m)
				}
			}
		}); err != nil {
			return nil, 0, err
		}
	}
	slices.SortStableFunc(list, func(a, b manifest) int { return -cmp.Compare(a.generation, b.generation) })
	return slices.CompactFunc(list, func(a, b manifest) bool { return a.generation == b.generation }), led, nil
}

// manifestAt returns the manifest whose record is at the front of b, when one is.
func manifestAt(key, b []byte) (m manifest, ok bool) {
	end := crcSize + manifestFixed
	for range 2 { // lists of portions
		if end >= len(b) {
			return m, false
		}
		n, width := binary.Uvarint(b[end:])
		if width <= 0 || n > uint64(len(b)) {
			return m, false
		}
		if end += width + int(n)*portionSize; end > len(b) {
			return m, false
		}
		if p, err := payload(key, b[:end]); err == nil {
			m, err = parseManifest(p)
			return m, err == nil
		}
	}
	return m, false
}

// checkpoint returns the newest checkpoint of which the contents can be read, with its holes, nil when there is none, and the newest manifest, nil when that is lost. older says that it
// is not the newest that the file had, or that nobody knows: the pages do not lead to it.
func (d *dug) checkpoint() (m *manifest, l *Loaded, older bool, err error) {
	// A manifest of one format does not read as one of the other.
	if p, bad := payload(manifestKey, d.get(metaBucket, manifestKey)); bad == nil {
		if m, bad := parseManifest1(p); bad == nil {
			var l Loaded
			if ok, bad := read1(d, &m, &l); !ok || bad != nil {
				return &m.manifest, nil, false, nil
			}
			return &m.manifest, &l, false, nil
		}
	}
	list, led, err := d.manifests()
	if err != nil || len(list) == 0 {
		return nil, nil, false, err
	}
	for i := range list {
		m := &list[i]
		if m.generation == 0 {
			continue
		}
		if err := d.locate(append(slices.Clone(m.contents), m.spare...)); err != nil {
			return nil, nil, false, err
		}
		t, err := readList(d, m.contents)
		if err != nil && len(m.spare) > 0 {
			t, err = readList(d, m.spare)
		}
		if err != nil {
			continue
		}
		l, err := d.rows(m, t)
		return m, l, m.generation != led, err
	}
	return &list[0], nil, false, nil
}

// rows reads what the contents tell of, and notes what cannot be had as holes.
func (d *dug) rows(m *manifest, t table) (*Loaded, error) {
	var all []portion
	t.each(m, func(p portion) { all = append(all, p) })
	if err := d.locate(all); err != nil {
		return nil, err
	}
	l := loadedOf(m)
	for i := range t.rows {
		e := &t.rows[i]
		if l.read(d, e) == nil {
			continue
		}
		h := Hole{Name: e.name}
		if e.kind != sectionRow {
			g, n := d.mend(e)
			h.Models = max(int(e.size)-n, 1)
			l.groups = append(l.groups, g)
		}
		l.Holes = append(l.Holes, h)
	}
	l.Models = l.all
	return &l, nil
}

// mend returns the models of a damaged group that prove themselves, and their number.
func (d *dug) mend(e *row) (g group, models int) {
	g = group{name: e.name}
	for _, p := range e.portions {
		part, err := d.portion(p)
		pack := e.packed(p, slices.Clone(part))
		n := 0
		if err == nil {
			n = pack.Count()
		} else {
			pack, n = pack.Intact()
		}
		if n > 0 {
			g.packs = append(g.packs, pack)
			models += n
		}
	}
	return g, models
}

// merged returns the checkpoint old with its holes filled from another one, as far as that has what they lack. Models of a later position pass over the windows that they have seen already,
// and streams over the samples; those of an earlier one lack what came between.
func merged(old, other Loaded) Loaded {
	l := old
	l.Sections, l.groups, l.Holes = map[string][]byte{}, slices.Clone(old.groups), nil
	for name, data := range old.Sections {
		l.Sections[name] = data
	}
	for _, h := range old.Holes {
		if h.Models == 0 {
			if data, ok := other.Sections[h.Name]; ok {
				l.Sections[h.Name] = data
			} else {
				l.Holes = append(l.Holes, h)
			}
			continue
		}
		at := slices.IndexFunc(l.groups, func(g group) bool { return g.name == h.Name })
		from := slices.IndexFunc(other.groups, func(g group) bool { return g.name == h.Name })
		if at < 0 || from < 0 {
			l.Holes = append(l.Holes, h)
			continue
		}
		if h.Models -= l.groups[at].fill(&other.groups[from]); h.Models > 0 {
			l.Holes = append(l.Holes, h)
		}
	}
	l.Models = l.all
	return l
}

// fill adds the models of another group that this one lacks, and returns how many.
func (g *group) fill(other *group) (n int) {
	have := map[string]bool{}
	for id := range g.all {
		have[id] = true
	}
	var w codec.Writer
	for id, data := range other.all {
		if !have[id] {
			n++
			w.String(id)
			w.Num(len(data))
			w.Bytes(data)
		}
	}
	if n > 0 {
		g.packs = append(slices.Clone(g.packs), packs.Pack{B: w.B})
	}
	return n
}
