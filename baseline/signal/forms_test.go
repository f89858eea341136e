package signal

import (
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
)

// TestFormsAreChosenForEachEntity holds that software of one kind does not silence that of another, and that one thing has one name.
func TestFormsAreChosenForEachEntity(t *testing.T) {
	packs, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pod := func(ns, w string) string { return `namespace="` + ns + `",pod="` + w + `-7d9f8b6c5d-x2k4q"` }
	histogram := func(name, labels string, per float64) (out []shown) {
		for i, le := range []string{"0.1", "1", "+Inf"} {
			out = append(out, shown{name + `_bucket{` + labels + `,le="` + le + `"}`, 0, line(1e5, per*[]float64{.5, .9, 1}[i])})
		}
		return append(out, shown{name + `_count{` + labels + `}`, 0, line(1e5, per)})
	}
	var list []shown
	list = append(list, shown{`istio_requests_total{reporter="destination",` + pod("mesh", "front") + `,response_code="200"}`, 0, line(1e5, 100)},
		shown{`http_requests_total{` + pod("mesh", "front") + `,code="200"}`, 0, line(1e5, 7)}, // it is in the mesh, which is asked first
		shown{`response_total{direction="inbound",classification="success",` + pod("mesh", "linked") + `}`, 0, line(1e5, 50)},
		shown{`http_requests_total{` + pod("shop", "cart") + `,code="200"}`, 0, line(1e5, 30)})
	list = append(list, histogram("istio_request_duration_milliseconds", `reporter="destination",`+pod("mesh", "front"), 100)...)
	list = append(list, histogram("http_server_request_duration_seconds", pod("shop", "otel"), 20)...)
	list = append(list, histogram("http_request_duration_seconds", pod("shop", "cart"), 30)...)
	list = append(list,
		shown{`nginx_ingress_controller_requests{namespace="shop",ingress="a",status="200",instance="i:1"}`, 0, line(1e5, 40)},
		shown{`traefik_service_requests_total{service="b",code="200",instance="t:1"}`, 0, line(1e5, 60)},
		shown{`haproxy_backend_http_responses_total{proxy="c",code="2xx",instance="h:1"}`, 0, line(1e5, 80)},
		shown{`certmanager_certificate_expiration_timestamp_seconds{namespace="shop",name="managed"}`, 0, flat(float64(t0)/1000 + 30*86400)},
		shown{`nginx_ingress_controller_ssl_expire_time_seconds{host="by.hand"}`, 0, flat(float64(t0)/1000 + 9*86400)},
		shown{`kube_endpointslice_endpoints{namespace="shop",endpointslice="cart-x2k4q",ready="true",address="10.0.0.1"}`, 0, flat(1)},
		shown{`kube_endpointslice_labels{namespace="shop",endpointslice="cart-x2k4q",label_kubernetes_io_service_name="cart"}`, 0, flat(1)})
	s, r := newTestStream(t, StreamOptions{Packs: packs})
	show(s, 0, 10, list...)
	of := func(rule string) (out []string) {
		for _, id := range ids(r) {
			if rest, ok := strings.CutPrefix(id, rule+"~cluster=default~"); ok && len(only(r, id)) > 4 {
				out = append(out, rest)
			}
		}
		return out
	}
	for rule, want := range map[string][]string{
		"svc.rps":             {"namespace=mesh~workload=front", "namespace=mesh~workload=linked", "namespace=shop~workload=cart", "namespace=shop~workload=otel"},
		"svc.latency_p99":     {"namespace=mesh~workload=front", "namespace=shop~workload=cart", "namespace=shop~workload=otel"},
		"ing.rps":             {"ingress=a~namespace=shop", "proxy=c", "service=b"},
		"cert.days_left":      {"host=by.hand", "name=managed~namespace=shop"},
		"svc.endpoints_ready": {"label_kubernetes_io_service_name=cart~namespace=shop"},
	} {
		if got := of(rule); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", rule, got, want)
		}
	}
	wantValues(t, "a service in the mesh", only(r, "svc.rps~cluster=default~namespace=mesh~workload=front"), 4, 8, 100)
}
