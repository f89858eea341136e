// How a person shows the token: once in a form, from then on by a cookie of the browser's.

package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

const cookieName = "wrackline-admin"

// passOf is what a cookie holds in place of the token: it opens the same doors, and another token makes it worthless.
func passOf(token string) string {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte("wrackline browser pass 1"))
	return hex.EncodeToString(h.Sum(nil))
}

type accessKey struct{}

// Access says what somebody who asks for a page may do.
type Access struct {
	May   bool // enter doors of kind Admin
	Token bool // there is a token that could be shown
}

// AccessOf returns what a request that came through a Gate may do; nothing when it came through none.
func AccessOf(r *http.Request) Access {
	a, _ := r.Context().Value(accessKey{}).(Access)
	return a
}

// Enter gives the browser of who shows the token a cookie that is as good until the browser ends, and reports whether it was the token. It must stand behind a door of kind Enter. secure says that people come by https, path
// is the address before all pages.
func (g *Gate) Enter(w http.ResponseWriter, token, path string, secure bool) bool {
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if g.token == nil || subtle.ConstantTimeCompare(sum[:], g.token[:]) != 1 {
		refusals["token"].Inc()
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: g.pass, Path: path, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode})
	return true
}

// Leave takes that cookie back.
func Leave(w http.ResponseWriter, path string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
