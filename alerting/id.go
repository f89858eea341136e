// Ids: the same on every replay, bounded, safe in URLs, chats and when read aloud.

package alerting

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// bits writes hashes in lower-case letters and digits that survive URLs, chats and being read aloud.
var bits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// digest hashes parts, each with its length so that none runs into the next, to 16 characters (80 bits).
func digest(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return bits.EncodeToString(h.Sum(nil)[:10])
}

func number64(v int64) string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(v))
	return string(n[:])
}
