package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// refusal is why a request may not enter, and what to do about it.
type refusal struct {
	reason string // label of the counter
	code   int
	text   string
	help   string // "" = nothing
	enter  bool   // a token may be shown in a form
	base   string // path before all pages
}

// style is that of the page, and styleHash what lets a browser use it and no other.
const style = ":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}main{max-width:36rem;margin:12vh auto;padding:0 1.2rem}h1{font-size:1.3rem}p{opacity:.75}" +
	"form{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end;margin:1.2rem 0}label{display:grid;gap:.2rem;flex:1 1 14rem}input,button{font:inherit;padding:.45rem .7rem}"

var styleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}()

// write answers a request that may not enter: JSON where a program asks, a page where a person does, else text.
func (x *refusal) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if x.code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Wrackline"`)
	}
	text := strings.TrimSpace(x.text + " " + x.help)
	switch {
	case strings.Contains(r.URL.Path, "/api/"):
		b, err := json.Marshal(map[string]string{"status": "error", "errorType": map[bool]string{true: "unauthorized", false: "forbidden"}[x.code == http.StatusUnauthorized], "error": text})
		if err != nil {
			b = []byte(`{"status":"error"}`)
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(x.code)
		_, _ = w.Write(append(b, '\n'))
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(x.code)
		_, _ = io.WriteString(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Wrackline: not here</title>\n<style>"+style+"</style>\n<main><p>Wrackline</p>\n<h1>"+
			html.EscapeString(x.text)+"</h1>\n"+x.form(r)+"<p>"+html.EscapeString(x.help)+"</p></main>\n")
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(x.code)
		_, _ = io.WriteString(w, text+"\n")
	}
}

// form is where a person shows a token; "" where none would help.
func (x *refusal) form(r *http.Request) string {
	if !x.enter {
		return ""
	}
	back := x.base + r.URL.Path
	if r.URL.RawQuery != "" {
		back += "?" + r.URL.RawQuery
	}
	return "<form method=\"post\" action=\"" + html.EscapeString(x.base) + "/acts/enter\"><input type=\"hidden\" name=\"back\" value=\"" + html.EscapeString(back) +
		"\"><label>Token<input type=\"password\" name=\"token\" autocomplete=\"current-password\" required></label> <button>Enter</button></form>\n"
}

// shown makes a Host that a stranger sent safe to be shown: what no name of a host has is a question mark, and it is short.
func shown(host string) string {
	if len(host) > 100 {
		host = host[:100] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == '…' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".-_:", r)) {
			return r
		}
		return '?'
	}, host)
}
