package journal

// The bytes of a segment: its header and its records, as FORMAT.md draws them. Frames are in frame.go.

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	magic       = "WRKJRNL\n"
	version     = 1 // a segment of records, as Append writes it
	compressed  = 2 // a segment of frames, which has taken the place of one of records
	headerSize  = 40
	recordHead  = 8        // length and CRC
	payloadHead = 22       // position to cluster length
	payloadMax  = 64 << 20 // no length beyond this is believed
	recordMin   = recordHead + payloadHead
)

// appendHeader appends the header of a segment of version v.
func appendHeader(dst []byte, v uint32, first, salt uint64) []byte {
	n := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, v)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, first)
	dst = binary.LittleEndian.AppendUint64(dst, salt)
	dst = binary.LittleEndian.AppendUint32(dst, codec.Checksum(dst[n:]))
	return binary.LittleEndian.AppendUint32(dst, 0)
}

// appendRecord appends a record.
func appendRecord(dst []byte, salt, pos uint64, r Record) []byte {
	n := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(payloadHead+len(r.Sender)+len(r.Cluster)+len(r.Body)))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, pos)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.ReceivedMs))
	dst = append(dst, r.Proto, r.Encoding)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(r.Sender)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(r.Cluster)))
	dst = append(dst, r.Sender...)
	dst = append(dst, r.Cluster...)
	dst = append(dst, r.Body...)
	binary.LittleEndian.PutUint32(dst[n+4:], checksum(salt, dst[n:]))
	return dst
}

// checksum returns the CRC of a whole record or frame.
func checksum(salt uint64, b []byte) uint32 {
	var head [12]byte
	binary.LittleEndian.PutUint64(head[:], salt)
	copy(head[8:], b[:4])
	return codec.Checksum(head[:], b[recordHead:])
}

// checkVersion returns whether a segment is of frames, and refuses one that another version wrote.
func checkVersion(name string) (frames bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, fmt.Errorf("open journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	var h [headerSize]byte
	if _, err := f.ReadAt(h[:], 0); err != nil {
		return false, nil // too short to be a segment: damage, which the reader reports
	}
	v, ok := headerVersion(h[:])
	switch {
	case ok && v > compressed:
		return false, fmt.Errorf("%w: %s has version %d, this build reads versions %d and %d. Nothing was touched: start the newer wrackline again, or put back a backup", ErrVersion, name, v, version, compressed)
	case ok && v < version:
		return false, fmt.Errorf("%w: %s has version %d, which there never was", ErrDamaged, name, v)
	}
	if st, err := f.Stat(); err == nil && ok && v == compressed && recordsAsFrames(f, h[:], st.Size()) {
		return false, fmt.Errorf("%w: %s has version %d and holds something else than this build calls by that. Nothing was touched: start the newer wrackline again, or put back a backup", ErrVersion, name, v)
	}
	return v == compressed, nil
}

// recordsAsFrames reports whether a segment with a whole header that says frames begins with a record: nobody has written such a one, so its version is another's. A first frame that is damaged is no record.
func recordsAsFrames(f *os.File, h []byte, size int64) bool {
	r := newReader(f, binary.LittleEndian.Uint64(h[16:]), size)
	if r.check(headerSize, false) != nil {
		return false
	}
	r.frames = false
	return r.check(headerSize, false) != nil
}

// headerVersion returns the version in a header, and whether the header is whole.
func headerVersion(h []byte) (uint32, bool) {
	ok := string(h[:8]) == magic && codec.Checksum(h[:32]) == binary.LittleEndian.Uint32(h[32:])
	return binary.LittleEndian.Uint32(h[8:]), ok
}
