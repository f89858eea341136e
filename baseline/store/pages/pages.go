// Package pages reads bbolt's pages without believing them: it finds every record that a damaged file still holds, and proves a whole one.
//
// bbolt follows whatever a damaged page says, which ends in a panic,
// in a fault, in an allocation of any size or, worst, in keys that are silently gone; its own Check runs in a goroutine whose
// panic nobody can recover. Here every number is bounded before it is used.
//
// A page: id u64, flags u16, count u16, overflow u32 (pages that follow and belong to it), then count elements of 16 bytes:
//
//	branch  pos u32, key size u32, page u64
//	leaf    flags u32 (1 = a bucket), pos u32, key size u32, value size u32
//
// pos counts from the element itself. Keys and values lie one behind the other without a gap, in the order of the elements, and a page
// takes no more room than they need: so a count that lost a bit shows even where the element that it hides was a leaf's. A bucket's value is: root page u64, sequence u64, and when root is 0 a whole small page.
// Numbers are in the byte order of the machine.
package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
)

const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16

	branchFlag   = 0x01
	leafFlag     = 0x02
	freelistFlag = 0x10
	bucketFlag   = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaSize    = 64

	depthMax     = 64
	pageSizeMax  = 1 << 20
	keySizeMax   = 32768   // bbolt's own limit
	overflowMost = 1 << 30 // bytes of one page with all that belongs to it, when it must be read whole
	freelistMany = 0xFFFF  // count of a freelist page whose true count is the first id
)

var order = binary.NativeEndian

// ErrDamaged is wrapped by every error that says that a file is not what bbolt writes.
var ErrDamaged = errors.New("store is damaged")

type boltMeta struct {
	pageSize  uint32
	root      uint64
	freelist  uint64
	highWater uint64
	txid      uint64
}

// parseMeta reads a meta page. ok is false when it is none or its checksum is wrong.
func parseMeta(page []byte) (m boltMeta, ok bool) {
	if len(page) < pageHeader+metaSize {
		return m, false
	}
	b := page[pageHeader:][:metaSize]
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != h.Sum64() {
		return m, false
	}
	return boltMeta{pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		highWater: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}, true
}

// File reads one state of a bbolt file, made by Open. It is for one goroutine.
type File struct {
	r            io.ReaderAt
	size         int64
	meta         boltMeta
	older        boltMeta // the other meta page, when it is valid
	invalidMetas int
	seen         []uint64 // bitmap of pages met in this walk

	// Lenient makes Walk go on after damage, where one can.
	Lenient bool

	problems int   // damage met with Lenient
	first    error // the first of it
	count    int   // pages walked
}

// Open finds the newest valid meta page. With an error that wraps ErrDamaged it returns a File where a meta page was found, but the file is shorter than that says: see Fit.
func Open(r io.ReaderAt, size int64) (*File, error) {
	p := &File{r: r, size: size}
	buf := make([]byte, pageHeader+metaSize)
	var metas []boltMeta
	read := func(off int64) bool {
		if off+int64(len(buf)) > size {
			return false
		}
		if _, err := r.ReadAt(buf, off); err != nil {
			return false
		}
		m, ok := parseMeta(buf)
		if ok && (m.pageSize < 512 || m.pageSize > pageSizeMax || bits.OnesCount32(m.pageSize) != 1) {
			ok = false
		}
		if ok {
			metas = append(metas, m)
		}
		return ok
	}
	if read(0) {
		read(int64(metas[0].pageSize))
	} else {
		// The page size is unknown, so the second meta page is looked for at each.
		for ps := int64(1024); ps <= pageSizeMax; ps *= 2 {
			if read(ps) {
				break
			}
		}
	}
	p.invalidMetas = 2 - len(metas)
	switch len(metas) {
	case 0:
		return nil, fmt.Errorf("%w: no valid meta page", ErrDamaged)
	case 1:
		p.meta = metas[0]
	case 2:
		p.meta, p.older = metas[0], metas[1]
		if p.older.txid > p.meta.txid {
			p.meta, p.older = p.older, p.meta
		}
	}
	return p, p.bound()
}

// At makes p the state that a transaction left, the newest or the one before; an error says that the file has no meta page of it.
func (p *File) At(tx uint64) error {
	if p.meta.txid == tx {
		return nil
	}
	if p.older.txid != tx {
		return fmt.Errorf("%w: no meta page of transaction %d; two may have ended meanwhile, then try again", ErrDamaged, tx)
	}
	p.meta = p.older
	return p.bound()
}

// Fit takes a file that was cut short for what is left of it. It reports false when that is nothing.
func (p *File) Fit() bool {
	p.meta.highWater = min(p.meta.highWater, uint64(p.size)/uint64(p.meta.pageSize))
	return p.meta.highWater >= 4
}

// InvalidMetas returns how many of the two meta pages are not valid.
func (p *File) InvalidMetas() int { return p.invalidMetas }

// Pages returns how many pages the file has.
func (p *File) Pages() int { return int(p.meta.highWater) }

// Used returns how many bytes the pages have that the newest Walk met.
func (p *File) Used() int64 { return int64(p.count) * int64(p.meta.pageSize) }

// Problems returns how much damage the newest Walk left out.
func (p *File) Problems() int { return p.problems }

// Freelist returns where in the file the list of free pages begins.
func (p *File) Freelist() int64 { return int64(p.meta.freelist) * int64(p.meta.pageSize) }

func (p *File) bound() error {
	m := p.meta
	if m.highWater < 4 || m.highWater > uint64(p.size)/uint64(m.pageSize) {
		return fmt.Errorf("%w: %d pages in use but the file has %d", ErrDamaged, m.highWater, uint64(p.size)/uint64(m.pageSize))
	}
	return nil
}

// page is one page with what belongs to it, read as far as needed.
type page struct {
	p     *File
	id    uint64 // 0 for a bucket that lies inside a value
	flags uint16
	count int
	size  int    // bytes in all
	head  []byte // the first bytes of it
	off   int64  // in the file
}

// at returns n bytes from off, which the caller has bounded by size.
func (g *page) at(off, n int) ([]byte, error) {
	if off+n <= len(g.head) {
		return g.head[off : off+n], nil
	}
	b := make([]byte, n)
	if _, err := g.p.r.ReadAt(b, g.off+int64(off)); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, g.id, err)
	}
	return b, nil
}

func (p *File) damaged(id uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, id, fmt.Sprintf(format, args...))
}

// read reads a page's head, bounds it and marks it as met.
func (p *File) read(id uint64) (*page, error) {
	if id < 2 || id >= p.meta.highWater {
		return nil, p.damaged(id, "is outside of the file's %d pages", p.meta.highWater)
	}
	ps := int64(p.meta.pageSize)
	g := &page{p: p, id: id, off: int64(id) * ps, head: make([]byte, ps)}
	if _, err := p.r.ReadAt(g.head, g.off); err != nil {
		return nil, p.damaged(id, "%v", err)
	}
	if own := order.Uint64(g.head); own != id {
		return nil, p.damaged(id, "calls itself %d", own)
	}
	g.flags, g.count = order.Uint16(g.head[8:]), int(order.Uint16(g.head[10:]))
	overflow := uint64(order.Uint32(g.head[12:]))
	if overflow >= p.meta.highWater-id {
		return nil, p.damaged(id, "is followed by %d pages, which the file has not", overflow)
	}
	g.size = int(ps * int64(overflow+1))
	for i := id; i <= id+overflow; i++ {
		if p.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, p.damaged(i, "belongs to two")
		}
		p.seen[i/64] |= 1 << (i % 64)
	}
	p.count += int(overflow) + 1
	return g, nil
}

// Value is a record's value, read when asked for.
type Value struct {
	g    *page
	off  int
	size int
}

// Size is how many bytes it has.
func (v Value) Size() int { return v.size }

// Bytes returns the first n bytes of it, or fewer when it is shorter.
func (v Value) Bytes(n int) ([]byte, error) { return v.g.at(v.off, min(n, v.size)) }

// Visitor is called for every record outside of buckets' own elements. path holds the names of the buckets it lies in; path and key are borrowed.
type Visitor func(path []string, key []byte, v Value) error

// Walk visits all records; a nil visitor proves the pages alone. With Lenient it leaves out what is damaged and counts that.
func (p *File) Walk(visit Visitor) error {
	p.seen = make([]uint64, p.meta.highWater/64+1)
	p.problems, p.first, p.count = 0, nil, 0
	return p.tree(p.meta.root, nil, visit, nil, nil, 0, true)
}

// forgive turns damage into a count with Lenient.
func (p *File) forgive(err error) error {
	if err == nil || !p.Lenient {
		return err
	}
	if p.first == nil {
		p.first = err
	}
	p.problems++
	return nil
}

// tree walks the page id and what is below. Keys must be at least low and below high; nil = no such bound.
func (p *File) tree(id uint64, path []string, visit Visitor, low, high []byte, depth int, root bool) error {
	if depth > depthMax {
		return p.forgive(p.damaged(id, "lies too deep"))
	}
	g, err := p.read(id)
	if err != nil {
		return p.forgive(err)
	}
	return p.elements(g, path, visit, low, high, depth, root)
}

// element is an entry of a page's table. Nothing in it is bounded yet.
type element struct {
	flags uint32 // of a leaf's
	pos   uint32
	ksize uint32
	vsize uint32 // of a leaf's
	child uint64 // of a branch's
}

// elementAt reads entry i of a table.
func elementAt(table []byte, i int, branch bool) element {
	e := table[i*elementSize:]
	if branch {
		return element{pos: order.Uint32(e), ksize: order.Uint32(e[4:]), child: order.Uint64(e[8:])}
	}
	return element{flags: order.Uint32(e), pos: order.Uint32(e[4:]), ksize: order.Uint32(e[8:]), vsize: order.Uint32(e[12:])}
}

// fits reports whether e, whose entry is at base, lies within a page of size bytes.
func (e element) fits(base, size int) bool {
	return e.ksize <= keySizeMax && int64(base)+int64(e.pos)+int64(e.ksize)+int64(e.vsize) <= int64(size)
}

// child is a page below a branch, and the first key that may be in it.
type child struct {
	key []byte
	id  uint64
}

// elements walks what is on the page g and what is below.
func (p *File) elements(g *page, path []string, visit Visitor, low, high []byte, depth int, root bool) error {
	if err := p.shaped(g, depth, root); err != nil {
		return p.forgive(err)
	}
	branch := g.flags == branchFlag
	table, err := g.at(pageHeader, g.count*elementSize)
	if err != nil {
		return p.forgive(err)
	}
	var children []child
	last := low
	next := pageHeader + g.count*elementSize // where the next key must be
	for i := range g.count {
		e := elementAt(table, i, branch)
		base := pageHeader + i*elementSize
		if e.ksize == 0 || int64(base)+int64(e.pos) != int64(next) || !e.fits(base, g.size) {
			if err := p.forgive(p.damaged(g.id, "element %d is not where it should be", i)); err != nil {
				return err
			}
			if e.pos < elementSize || !e.fits(base, g.size) {
				continue
			}
		}
		at := base + int(e.pos)
		next = at + int(e.ksize) + int(e.vsize)
		key, err := g.keyAt(i, at, int(e.ksize), last, high)
		if err != nil {
			if err := p.forgive(err); err != nil {
				return err
			}
			if !p.Lenient || key == nil {
				continue
			}
		}
		last = key
		if branch {
			children = append(children, child{key, e.child})
		} else if err := p.leaf(g, i, e, path, key, Value{g, at + int(e.ksize), int(e.vsize)}, visit, depth); err != nil {
			return err
		}
	}
	if g.id != 0 {
		ps := int(p.meta.pageSize)
		next = (next + ps - 1) / ps * ps
	}
	if next != g.size {
		if err := p.forgive(p.damaged(g.id, "has %d bytes of %d in use", next, g.size)); err != nil {
			return err
		}
	}
	for i, c := range children {
		to := high
		if i+1 < len(children) {
			to = children[i+1].key
		}
		if err := p.tree(c.id, path, visit, c.key, to, depth+1, false); err != nil {
			return err
		}
	}
	return nil
}

// shaped checks what a page's head says of its elements.
func (p *File) shaped(g *page, depth int, root bool) error {
	branch := g.flags == branchFlag
	if !branch && g.flags != leafFlag {
		return p.damaged(g.id, "has flags %#x where a branch or leaf should be", g.flags)
	}
	if pageHeader+g.count*elementSize > g.size {
		return p.damaged(g.id, "has %d elements in %d bytes", g.count, g.size)
	}
	// An empty bucket lies inside its parent's value, so an empty page can only be the root of a file that nothing was ever written to.
	if g.count == 0 && g.id != 0 && (!root || depth > 0 || p.meta.txid > 1) {
		return p.damaged(g.id, "is empty")
	}
	if branch && (g.count == 0 || g.id == 0) {
		return p.damaged(g.id, "is a branch without children or inside a bucket's value")
	}
	return nil
}

// keyAt returns the key of element i, which lies at off; nil when it cannot be read. An error without that says that its order is wrong.
func (g *page) keyAt(i, off, size int, last, high []byte) ([]byte, error) {
	key, err := g.at(off, size)
	if err != nil {
		return nil, err
	}
	c := bytes.Compare(key, last)
	switch {
	case last != nil && (c < 0 || c == 0 && i > 0):
		err = g.p.damaged(g.id, "element %d is out of order", i)
	case high != nil && bytes.Compare(key, high) >= 0:
		err = g.p.damaged(g.id, "element %d belongs to the next page", i)
	}
	return key, err
}

// leaf visits element i of a leaf: a record, or a bucket with all that is in it.
func (p *File) leaf(g *page, i int, e element, path []string, key []byte, v Value, visit Visitor, depth int) error {
	switch e.flags {
	case 0:
		if visit == nil {
			return nil
		}
		return p.forgive(visit(path, key, v))
	case bucketFlag:
		return p.bucket(g, path, key, v, visit, depth)
	}
	return p.forgive(p.damaged(g.id, "element %d has flags %#x", i, e.flags))
}

// bucket walks the bucket whose header is v.
func (p *File) bucket(g *page, path []string, name []byte, v Value, visit Visitor, depth int) error {
	inside := append(path[:len(path):len(path)], string(name))
	head, err := v.Bytes(bucketHeader)
	if err != nil || len(head) < bucketHeader {
		return p.forgive(p.damaged(g.id, "bucket %q has no header", name))
	}
	if root := order.Uint64(head); root != 0 {
		if v.size != bucketHeader {
			return p.forgive(p.damaged(g.id, "bucket %q has a header of %d bytes", name, v.size))
		}
		return p.tree(root, inside, visit, nil, nil, depth+1, true)
	}
	if v.size < bucketHeader+pageHeader || v.size > int(p.meta.pageSize) {
		return p.forgive(p.damaged(g.id, "bucket %q inside of it has %d bytes", name, v.size))
	}
	b, err := v.Bytes(v.size)
	if err != nil {
		return p.forgive(err)
	}
	b = b[bucketHeader:]
	in := &page{p: p, flags: order.Uint16(b[8:]), count: int(order.Uint16(b[10:])), size: len(b), head: b}
	if order.Uint64(b) != 0 || order.Uint32(b[12:]) != 0 {
		return p.forgive(p.damaged(g.id, "bucket %q inside of it has a page number", name))
	}
	return p.elements(in, inside, visit, nil, nil, depth+1, true)
}

// Check walks everything and then the list of free pages: each page must be met once or be free, never both.
// A page that is both would be overwritten by a later transaction while it is in use.
func (p *File) Check() error {
	if err := p.Walk(nil); err != nil {
		return err
	}
	return p.checkFree()
}

func (p *File) checkFree() error {
	g, err := p.read(p.meta.freelist)
	if err != nil {
		return fmt.Errorf("list of free pages: %w", err)
	}
	if g.flags != freelistFlag {
		return p.damaged(g.id, "has flags %#x where the list of free pages should be", g.flags)
	}
	n, off := g.count, pageHeader
	if n == freelistMany {
		b, err := g.at(off, 8)
		if err != nil {
			return err
		}
		many := order.Uint64(b)
		if many > uint64(g.size/8) {
			return p.damaged(g.id, "lists %d free pages in %d bytes", many, g.size)
		}
		n, off = int(many), off+8
	}
	if off+8*n > g.size {
		return p.damaged(g.id, "lists %d free pages in %d bytes", n, g.size)
	}
	list, err := g.at(off, 8*n)
	if err != nil {
		return err
	}
	last := uint64(1)
	for i := range n {
		id := order.Uint64(list[8*i:])
		switch {
		case id <= last || id >= p.meta.highWater:
			return p.damaged(id, "is listed as free out of order or outside of the file")
		case p.seen[id/64]&(1<<(id%64)) != 0:
			return p.damaged(id, "is in use and listed as free")
		}
		p.seen[id/64] |= 1 << (id % 64)
		last = id
	}
	for id := uint64(2); id < p.meta.highWater; id++ {
		if p.seen[id/64]&(1<<(id%64)) == 0 {
			return p.damaged(id, "is neither in use nor free")
		}
	}
	return nil
}
