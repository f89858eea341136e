package main

import "github.com/wrackline/wrackline/alerting/notify"

// webConfig says who is let in where people and administrators knock; see package web.
type webConfig struct {
	Hosts          []string      `yaml:"hosts"`            // names that pages and API answer to, beside those that are ours anyway
	TrustedProxies []string      `yaml:"trusted_proxies"`  // addresses and CIDRs whose X-Forwarded-For and X-Forwarded-Host are believed; none by default
	AdminToken     notify.Secret `yaml:"admin_token"`      // of who may reload, accept, forget and profile from another machine; "" = nobody
	AdminTokenFile string        `yaml:"admin_token_file"` // the same, read again when it changes; not together with admin_token
	// PrometheusURL is where a browser reaches the user's own Prometheus: pages of signals lead to their queries there. "" = no links.
	PrometheusURL string `yaml:"prometheus_url"`
	// GrafanaURL is the same of Grafana.
	GrafanaURL        string `yaml:"grafana_url"`
	GrafanaDatasource string `yaml:"grafana_datasource"` // the uid of Grafana's data source; "" = the default one
	// Tokens open what their roles say.
	Tokens []webToken `yaml:"tokens"`
	// Users say what people may do who have a password (basic_auth_users of --web.config.file), a client certificate, or a login at the proxy. Without an entry it is read, write and act, by the proxy what proxy_login says.
	Users []webUser `yaml:"users"`
	// ProxyLogin says how a proxy of trusted_proxies names who is logged in; without it none does.
	ProxyLogin *proxyLogin `yaml:"proxy_login"`
	// Anonymous is what anybody may do who shows nothing: some of read and write, [] for nothing. Default: both, each as long as nothing above is there for it.
	Anonymous *[]string `yaml:"anonymous" enum:"read,write"`
}

// webToken is a bearer token.
type webToken struct {
	Name      string        `yaml:"name"`                 // of whoever holds it, for the audit log
	Token     notify.Secret `yaml:"token,omitempty"`      // exactly one of the two
	TokenFile string        `yaml:"token_file,omitempty"` // read again when it changes
	webGrant  `yaml:",inline"`
}

// webGrant is what somebody may do.
type webGrant struct {
	Roles    []string `yaml:"roles" enum:"write,read,act,admin"` // write: send samples; read: see; act: ack, silence, teach, and read; admin: everything
	Clusters []string `yaml:"clusters,omitempty"`                // names or globs, as prod-*: only these are shown and acted on; none = all
}

// webUser is somebody with a name, or a group.
type webUser struct {
	Name     string `yaml:"name"` // as they log in, or the common name of their certificate, or the group's as the proxy says it
	webGrant `yaml:",inline"`
}

// proxyLogin says by which headers a proxy names who is logged in.
type proxyLogin struct {
	UserHeader   string    `yaml:"user_header"`                                 // as X-Auth-Request-User or X-Forwarded-User
	GroupsHeader string    `yaml:"groups_header,omitempty"`                     // with commas between the groups, as X-Auth-Request-Groups; "" = none
	Roles        []string  `yaml:"roles,omitempty" enum:"write,read,act,admin"` // of everybody who is logged in; none = only those of users and groups
	Groups       []webUser `yaml:"groups,omitempty"`                            // what members of a group may do beside that
}
