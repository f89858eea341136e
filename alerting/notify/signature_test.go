package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// verify is the other side of Standard Webhooks, written from its specification alone and without crypto/hmac: a key of
// at most 64 bytes is padded with zeros, XORed with 0x36 and 0x5c, and hashed in twice (RFC 2104).
func verify(secret string, h hit, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) > 64 {
		return errors.New("key")
	}
	id, stamp := h.header.Get("webhook-id"), h.header.Get("webhook-timestamp")
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(sec, 0)).Abs() > 5*time.Minute {
		return errors.New("timestamp")
	}
	var inner, outer [64]byte
	copy(inner[:], key)
	outer = inner
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	first := sha256.Sum256(append(append(inner[:], id+"."+stamp+"."...), h.body...))
	second := sha256.Sum256(append(outer[:], first[:]...))
	want := base64.StdEncoding.EncodeToString(second[:])
	for _, s := range strings.Split(h.header.Get("webhook-signature"), " ") {
		if version, sig, _ := strings.Cut(s, ","); version == "v1" && sig == want {
			return nil
		}
	}
	return errors.New("signature")
}

func TestSignaturesVerifyOnTheOtherSide(t *testing.T) {
	const oldKey, newKey, wrong = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: []Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://a.example/", Secret: oldKey + " " + newKey, Bearer: "tok"}}}}},
			func(n int, _ hit) answer {
				if n < 3 {
					return answer{code: 503, header: map[string]string{"Retry-After": "600"}}
				}
				return answer{}
			})
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Hour)
		hits := r.far.got()
		if len(hits) != 4 {
			t.Fatalf("%d attempts", len(hits))
		}
		for i, h := range hits {
			// Both keys verify while one is replaced, on every attempt, whose time stamp is its own.
			for _, key := range []string{oldKey, newKey} {
				if err := verify(key, h, h.at); err != nil {
					t.Errorf("attempt %d: %v", i, err)
				}
			}
			if err := verify(wrong, h, h.at); err == nil {
				t.Errorf("attempt %d verifies with a wrong key", i)
			}
			bad := h
			bad.body = append([]byte(" "), h.body...)
			if err := verify(newKey, bad, h.at); err == nil {
				t.Errorf("attempt %d: a changed body verifies", i)
			}
			if h.header.Get("Authorization") != "Bearer tok" || h.header.Get("Content-Type") != "application/json" || h.header.Get("User-Agent") != "Wrackline" {
				t.Errorf("headers %v", h.header)
			}
			if h.id() != hits[0].id() {
				t.Errorf("attempt %d has another id", i)
			}
		}
	})
}
