// Listening with TLS, client certificates, passwords and headers, as a web.config.file of Prometheus says: by Prometheus' own library.

package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/wrackline/wrackline/baseline/form"
)

// configFileMax bounds a web.config.file.
const configFileMax = 1 << 20

// ConfigFile is a web.config.file; "" = there is none. It is read again with every connection and request, so what changes in it, and its certificates, need no restart; but for http2 and rate_limit, which do.
type ConfigFile string

// read reads the file; its faults are all there at once, with their places.
func (f ConfigFile) read() (*toolkit.Config, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	if info.Size() > configFileMax {
		return nil, fmt.Errorf("%s is larger than 1MiB", f)
	}
	data, err := os.ReadFile(string(f))
	if err != nil {
		return nil, err
	}
	y, fault := form.Parse(data)
	if fault != nil {
		return nil, fmt.Errorf("%s:%w", f, fault)
	}
	c := &toolkit.Config{}
	var list []error
	for _, x := range y.Decode(c, form.Words{}) {
		list = append(list, fmt.Errorf("%s:%w", f, x))
	}
	return c, errors.Join(list...)
}

// Check returns what is wrong with the file, and with the certificates that it names. No error quotes a key or a password.
func (f ConfigFile) Check() error {
	if f == "" {
		return nil
	}
	if _, err := f.read(); err != nil {
		return err
	}
	if err := toolkit.Validate(string(f)); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return nil
}

// Files are the file and those that it names.
func (f ConfigFile) Files() (list []string) {
	if f == "" {
		return nil
	}
	list = append(list, string(f))
	if c, err := f.read(); err == nil {
		for _, name := range []string{c.TLSConfig.TLSCertPath, c.TLSConfig.TLSKeyPath, c.TLSConfig.ClientCAs} {
			if name != "" && !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(string(f)), name)
			}
			if name != "" {
				list = append(list, name)
			}
		}
	}
	return list
}

// TLS reports whether the file asks for TLS.
func (f ConfigFile) TLS() bool {
	if f == "" {
		return false
	}
	c, err := f.read()
	return err == nil && c.TLSConfig.IsEnabled()
}

// Passwords reports whether the file has users, whose passwords are then checked before a request comes to a Gate. It is what Options.Basic wants.
func (f ConfigFile) Passwords() bool {
	if f == "" {
		return false
	}
	c, err := f.read()
	return err == nil && len(c.Users) > 0
}

// Serve answers at a listener as srv.Serve does, until it is closed. What comes with a bearer token, or asks for one of the paths of probes, is not asked for a password: whether that is enough decides the Gate behind.
func (f ConfigFile) Serve(l net.Listener, srv *http.Server, log *slog.Logger, probes ...string) error {
	own := srv.Handler
	file := string(f)
	return toolkit.Serve(&begun{Listener: l, begin: func() {
		guarded := srv.Handler // the library has put its own around
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, token := bearer(r); token || slices.Contains(probes, r.URL.Path) {
				own.ServeHTTP(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
	}}, srv, &toolkit.FlagConfig{WebConfigFile: &file}, log)
}

// begun calls begin before the first connection is accepted.
type begun struct {
	net.Listener
	begin func()
	once  sync.Once
}

func (b *begun) Accept() (net.Conn, error) {
	b.once.Do(b.begin)
	return b.Listener.Accept()
}
