package ui

import (
	"net/http"
	"strings"
	"testing"
)

func TestBrokenHistoryDoesNotBreakThePage(t *testing.T) {
	f := newFake()
	f.fails = true
	h := New(f, Options{})
	for _, p := range []string{"/", servfailPath, dnsPath} {
		if got := body(t, h, p, http.StatusOK); !strings.Contains(got, "history of this signal cannot be read") {
			t.Errorf("%s does not say that the history cannot be read", p)
		}
	}
	body(t, h, "/chart/dns.servfail_ratio~cluster=prod-eu.svg", http.StatusInternalServerError)
	var e apiError
	decode(t, h, "/api/v1"+servfailPath, http.StatusInternalServerError, &e)
	if e.ErrorType != "internal" || strings.Contains(e.Error, "fire") {
		t.Errorf("API error = %+v", e)
	}
}

func TestProblemsWithTheRangeAreSaidOnThePage(t *testing.T) {
	h := New(newFake(), Options{})
	if got := body(t, h, servfailPath+"?range=%3Cb%3E", http.StatusOK); !strings.Contains(got, "there is no range") || strings.Contains(got, `"<b>"`) {
		t.Error("a wrong range is not explained, or not escaped")
	}
	if got := body(t, h, servfailPath+"?from=1772400000000&to=1772410000000", http.StatusOK); !strings.Contains(got, `data-from="1772400000000" data-to="1772410000000"`) {
		t.Error("the chart does not show the range of the address")
	}
}
