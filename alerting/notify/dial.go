package notify

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Guard decides which addresses may be connected to. It looks at the address of the connection, after the name has
// been resolved, so that neither a name, nor an unusual spelling, nor a changing DNS answer leads around it.
// The zero value lets everything pass but the addresses that only a mistake or an attack points at: link-local ones,
// where clouds keep their metadata services, the metadata services elsewhere, multicast and the unspecified address.
type Guard struct {
	// Allow lists what may be connected to in any case.
	Allow []netip.Prefix
	// DenyPrivate blocks loopback, private, shared and unique-local addresses, too. Receivers inside the cluster
	// are normal, so the default lets them pass.
	DenyPrivate bool
}

// Outlet is the part of the configuration that says how receivers are reached.
type Outlet struct {
	// AllowPrivate lets private and loopback addresses be reached. nil means yes: receivers inside the cluster are normal.
	AllowPrivate *bool `yaml:"allow_private,omitempty"`
	// AllowAddresses lists addresses or CIDR prefixes that may be reached in any case, link-local ones included.
	AllowAddresses []string `yaml:"allow_addresses,omitempty"`
	// ProxyFromEnvironment uses HTTP_PROXY, HTTPS_PROXY and NO_PROXY. The guard then sees the proxy's address only.
	ProxyFromEnvironment bool `yaml:"proxy_from_environment,omitempty"`
}

// Guard returns the guard that the configuration asks for. Its errors are of type *FieldError.
func (o *Outlet) Guard() (Guard, error) {
	g := Guard{DenyPrivate: o.AllowPrivate != nil && !*o.AllowPrivate}
	for i, s := range o.AllowAddresses {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return Guard{}, &FieldError{Path: fmt.Sprintf("allow_addresses[%d]", i), Err: fmt.Errorf("%q is neither an address nor a CIDR, such as 10.0.0.7 or 10.42.0.0/16", s)}
			}
			p = netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen())
		}
		g.Allow = append(g.Allow, p.Masked())
	}
	return g, nil
}

// ErrBlocked is returned, wrapped, for an address that the guard does not let through.
var ErrBlocked = errors.New("address is blocked")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

var (
	neverPrefixes = prefixes("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "192.0.0.0/24",
		"100.100.100.200/32", "168.63.129.16/32", // metadata services of Alibaba and Azure
		"::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128")
	privatePrefixes = prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15",
		"::1/128", "fc00::/7", "fec0::/10",
		"64:ff9b:1::/48", "2001::/32") // local NAT64 and Teredo, which lead to IPv4 addresses that cannot be read off them
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
	compat4   = netip.MustParsePrefix("::/96") // the deprecated IPv4-compatible form
)

// Check returns nil or an error that wraps ErrBlocked.
func (g *Guard) Check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	for _, p := range g.Allow {
		if p.Contains(a) {
			return nil
		}
	}
	for _, x := range embedded(a) {
		for _, p := range neverPrefixes {
			if p.Contains(x) {
				return fmt.Errorf("%w: %s", ErrBlocked, a)
			}
		}
		if !g.DenyPrivate {
			continue
		}
		for _, p := range privatePrefixes {
			if p.Contains(x) {
				return fmt.Errorf("%w: %s is private", ErrBlocked, a)
			}
		}
	}
	return nil
}

// embedded returns a and the IPv4 address that a gateway would read out of it.
func embedded(a netip.Addr) []netip.Addr {
	out := []netip.Addr{a}
	if !a.Is6() {
		return out
	}
	b := a.As16()
	switch {
	case nat64.Contains(a), compat4.Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		out = append(out, netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(a):
		out = append(out, netip.AddrFrom4([4]byte(b[2:6])))
	}
	return out
}

// Control is Check for the address of a connection, as net.Dialer wants it.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s address", ErrBlocked, network)
	}
	return g.Check(ap.Addr())
}

// Transport returns a transport that connects only where the guard lets it. Without a proxy of the environment
// nothing leads around the guard; with one, the proxy's address is what is checked.
func (g *Guard) Transport(proxyFromEnvironment bool) *http.Transport {
	d := &net.Dialer{Timeout: 10 * time.Second, Control: g.Control}
	t := &http.Transport{
		DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
		MaxIdleConns: 16, MaxIdleConnsPerHost: 2, IdleConnTimeout: 60 * time.Second, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
	}
	if proxyFromEnvironment {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}
