// Embedded files: templates, and style, script and icon, each with its hash.

package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed web
var webFiles embed.FS

// asset is one static file.
type asset struct {
	data []byte
	kind string // Content-Type
	etag string
}

func (s *server) loadAssets() {
	entries, err := fs.ReadDir(webFiles, "web")
	if err != nil {
		panic("ui: " + err.Error())
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range entries {
		kind, ok := kinds[path.Ext(e.Name())]
		if !ok {
			continue
		}
		data, err := webFiles.ReadFile("web/" + e.Name())
		if err != nil {
			panic("ui: " + err.Error())
		}
		sum := sha256.Sum256(data)
		s.assets[e.Name()] = asset{data: data, kind: kind, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
}

// static serves one embedded file. With ?v= of its hash it may be kept for ever.
func (s *server) static(c *gin.Context) {
	a, ok := s.assets[c.Param("file")]
	if !ok {
		s.fail(c, http.StatusNotFound, "There is no such file.")
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	if c.Query("v") == strings.Trim(a.etag, `"`) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(a.data))
}

// assetURL returns the address of a static file with its hash.
func (s *server) assetURL(name string) string {
	return s.base + "/static/" + name + "?v=" + strings.Trim(s.assets[name].etag, `"`)
}

func (s *server) loadPages() {
	layout := template.Must(template.New("layout.html").Funcs(s.funcs()).ParseFS(webFiles, "web/layout.html", "web/parts.html"))
	for _, name := range []string{"overview", "signals", "signal", "incidents", "incident", "changes", "sizes", "sizesworkload", "coverage", "rights", "receivers", "status", "pods", "acts", "newact", "backtest", "explain", "error"} {
		s.pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(webFiles, "web/"+name+".html"))
	}
}
