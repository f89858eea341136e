package ingest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
)

var (
	zstdMagic   = []byte{0x28, 0xb5, 0x2f, 0xfd}
	snappyFrame = []byte("\xff\x06\x00\x00sNaPpY")
)

// zstdRatioMax is the most that a zstd body beyond a MiB may grow. Bodies of real senders grow 10 to 40 times; one
// block of zstd can grow 32,768 times, so a header's promise is worth little without this.
const zstdRatioMax = 256

// sniff returns how body is really compressed. Senders that switched encoding mislabel what they had queued. A snappy
// block can never begin like a zstd frame: its first element would copy from before the beginning.
func sniff(body []byte, e Encoding) Encoding {
	if bytes.HasPrefix(body, zstdMagic) {
		return Zstd
	}
	if e == Zstd {
		return Snappy
	}
	return e
}

// decompress fills d.raw. The size is taken from the header and checked before memory is asked for.
func (d *Decoder) decompress(e Encoding, body []byte) error {
	d.raw = d.raw[:0]
	if e == Plain {
		// It was within BodyMax when it came, compressed.
		if err := d.checkSize(len(body)); err != nil {
			return err
		}
		d.growRaw(len(body))
		d.raw = append(d.raw, body...)
		return nil
	}
	if len(body) == 0 {
		return &badBody{"compression", "empty body: a remote-write request is compressed, even when it holds nothing"}
	}
	if int64(len(body)) > d.limits.BodyMax {
		return &badBody{"limit", fmt.Sprintf("body of %d bytes is larger than the limit of %d (ingest.body_max)", len(body), d.limits.BodyMax)}
	}
	d.info.Encoding = sniff(body, e)
	if d.info.Encoding == Zstd {
		return d.decompressZstd(body)
	}
	if bytes.HasPrefix(body, snappyFrame) {
		return &badBody{"compression", "body is framed snappy; remote write uses the snappy block format"}
	}
	n, err := snappy.DecodedLen(body)
	if err != nil {
		return &badBody{"compression", fmt.Sprintf("body is not a %s-compressed message", e)}
	}
	if err := d.checkSize(n); err != nil {
		return err
	}
	// The densest element of snappy makes 64 bytes of 3.
	if n > len(body)*22 {
		return &badBody{"compression", fmt.Sprintf("snappy header announces %d bytes, more than %d bytes can hold", n, len(body))}
	}
	d.growRaw(n)
	out, err := snappy.Decode(d.raw[:n], body)
	if err != nil {
		return &badBody{"compression", fmt.Sprintf("body is not a %s-compressed message: %v", e, err)}
	}
	d.raw = out
	return nil
}

func (d *Decoder) decompressZstd(body []byte) error {
	var h zstd.Header
	if err := h.Decode(body); err != nil {
		return &badBody{"compression", fmt.Sprintf("body is not a zstd-compressed message: %v", err)}
	}
	size := 4 * len(body)
	if h.HasFCS {
		if h.FrameContentSize > uint64(d.limits.DecodedMax) {
			return d.checkSize(int(min(h.FrameContentSize, 1<<40)))
		}
		size = int(h.FrameContentSize)
	}
	most := max(1<<20, zstdRatioMax*len(body))
	if h.HasFCS && size > most {
		return &badBody{"compression", fmt.Sprintf("zstd header announces %d bytes for a body of %d", size, len(body))}
	}
	if d.zstd == nil {
		// One decoder in one goroutine: parallelism comes from requests. The window costs nothing here, since DecodeAll
		// uses its output as window.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(d.limits.DecodedMax)), zstd.WithDecoderMaxWindow(uint64(max(d.limits.DecodedMax, 1<<20))),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return fmt.Errorf("zstd decoder: %w", err)
		}
		d.zstd = z
	}
	for {
		size = min(size, int(d.limits.DecodedMax), most)
		d.growRaw(size)
		out, err := d.zstd.DecodeAll(body, d.raw[:0])
		if err == nil {
			d.raw = out
			return d.checkSize(len(out))
		}
		d.raw = d.raw[:0]
		// A frame that does not say its size is tried again with more room.
		if !isSizeExceeded(err) || cap(d.raw) >= min(int(d.limits.DecodedMax), most) {
			if isSizeExceeded(err) {
				return &badBody{"limit", fmt.Sprintf("zstd body of %d bytes decompresses to more than the limit of %d (ingest.decoded_max)", len(body), min(int(d.limits.DecodedMax), most))}
			}
			return &badBody{"compression", fmt.Sprintf("body is not a zstd-compressed message: %v", err)}
		}
		size = max(size, cap(d.raw)) * 4
	}
}

func (d *Decoder) checkSize(n int) error {
	if int64(n) > d.limits.DecodedMax {
		return &badBody{"limit", fmt.Sprintf("message of %d bytes after decompression is larger than the limit of %d (ingest.decoded_max)", n, d.limits.DecodedMax)}
	}
	return nil
}

// growRaw makes room for n bytes in d.raw, whose content is not kept.
func (d *Decoder) growRaw(n int) {
	if cap(d.raw) < n {
		d.raw = nil // the old one must not live beside the new one
		d.raw = make([]byte, 0, n)
	}
}

func isSizeExceeded(err error) bool { return errors.Is(err, zstd.ErrDecoderSizeExceeded) }
