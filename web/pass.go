// How a person shows the token: once in a form, from then on by a cookie of the browser's.

package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

const cookieName = "wrackline-pass"

// passOf is what a cookie holds in place of the token: it opens the same doors, and another token makes it worthless.
func passOf(token string) string {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte("wrackline browser pass 1"))
	return hex.EncodeToString(h.Sum(nil))
}

// Enter gives the browser of who shows a token a cookie that is as good until the browser ends, and reports whether it was one that reads. It must stand behind a door of kind Enter. secure says that people come by https, path
// is the address before all pages.
func (g *Gate) Enter(w http.ResponseWriter, token, path string, secure bool) (name string, ok bool) {
	h := g.byToken(token)
	if h == nil || h.grant.Roles&MayRead == 0 {
		refusals["token"].Inc()
		return "", false
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: h.pass, Path: path, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode})
	return h.name, true
}

// Leave takes that cookie back.
func Leave(w http.ResponseWriter, path string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
