package ingest

import (
	"mime"
	"net/http"
	"strings"
)

// negotiate reads what a request says about its body, before the body is touched. A reason other than "" is answered
// 415.
func negotiate(h http.Header) (p Proto, e Encoding, reason string) {
	if p, reason = protoOf(h); reason != "" {
		return 0, 0, reason
	}
	if e, reason = encodingOf(h); reason != "" {
		return 0, 0, reason
	}
	return p, e, ""
}

// protoOf reads Content-Type as the media type it is: with or without spaces, quotes and capitals. None at all means
// remote write 1.0, whose first senders were not obliged to say.
func protoOf(h http.Header) (Proto, string) {
	values := h.Values("Content-Type")
	if len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "" {
		return V1, ""
	}
	if len(values) > 1 {
		return 0, "more than one Content-Type"
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || media != "application/x-protobuf" {
		return 0, "Content-Type must be application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request"
	}
	switch proto := params["proto"]; {
	case proto == "", strings.EqualFold(proto, "prometheus.WriteRequest"):
		return V1, ""
	case strings.EqualFold(proto, "io.prometheus.write.v2.Request"):
		return V2, ""
	}
	return 0, "proto of Content-Type must be prometheus.WriteRequest or io.prometheus.write.v2.Request"
}

// encodingOf reads Content-Encoding. None means snappy, as the standard has always asked for it.
func encodingOf(h http.Header) (Encoding, string) {
	switch strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ","))) {
	case "", "snappy":
		return Snappy, ""
	case "zstd":
		return Zstd, ""
	}
	return 0, "Content-Encoding must be snappy or zstd"
}
