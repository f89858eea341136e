// Links to the same question in other programs of the user's.

package ui

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Elsewhere says where a user's other programs are, as a browser reaches them. Empty addresses give no links.
type Elsewhere struct {
	Prometheus        string // a URL; the page /graph below it takes a query
	Grafana           string // a URL; the page /explore below it takes a query
	GrafanaDatasource string // the uid of its data source; "" = the one that is the default there
}

// queryLink leads to a query.
type queryLink struct{ Name, URL string }

// queryLinks returns links to an expression over a range of time.
func (s *server) queryLinks(expr string, sp span) (out []queryLink) {
	if expr == "" {
		return nil
	}
	if base := strings.TrimRight(s.o.Elsewhere.Prometheus, "/"); base != "" {
		q := url.Values{"g0.expr": {expr}, "g0.tab": {"0"}, "g0.range_input": {strconv.FormatInt(max(1, (sp.To-sp.From)/1000), 10) + "s"},
			"g0.end_input": {time.UnixMilli(sp.To).UTC().Format("2006-01-02 15:04:05")}}
		out = append(out, queryLink{"Prometheus", base + "/graph?" + q.Encode()})
	}
	if base := strings.TrimRight(s.o.Elsewhere.Grafana, "/"); base != "" {
		query := map[string]any{"refId": "A", "expr": expr}
		pane := map[string]any{"range": map[string]string{"from": strconv.FormatInt(sp.From, 10), "to": strconv.FormatInt(sp.To, 10)}, "queries": []any{query}}
		if uid := s.o.Elsewhere.GrafanaDatasource; uid != "" {
			pane["datasource"] = uid
			query["datasource"] = map[string]string{"type": "prometheus", "uid": uid}
		}
		panes, err := json.Marshal(map[string]any{"w": pane})
		if err != nil { // of strings: it cannot be
			return out
		}
		out = append(out, queryLink{"Grafana", base + "/explore?" + url.Values{"schemaVersion": {"1"}, "panes": {string(panes)}}.Encode()})
	}
	return out
}
