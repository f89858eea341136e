package ui

import (
	"net/http"
	"testing"
)

func TestTheDemosOwnReceiverHasNoTest(t *testing.T) {
	f := newFake()
	f.status.Receivers = append(f.status.Receivers, Receiver{Name: demoReceiver, Kind: "webhook", Test: "wrackline receivers test demo"})
	got := body(t, New(f, Options{}), "/receivers", http.StatusOK)
	says(t, "the page", got, []string{"wrackline receivers test team-slack"}, []string{"receivers test demo"})
	if f.status.Receivers[2].Test == "" {
		t.Error("the page changed the status that it was lent")
	}
}
