package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
)

// messageForm is how replay writes the messages that would have been sent: "" not at all, text or json. As a flag it may stand alone, which means text.
type messageForm string

// String implements flag.Value.
func (f *messageForm) String() string { return string(*f) }

// IsBoolFlag lets the flag stand without a value, so that --messages cluster.rec names a recording.
func (f *messageForm) IsBoolFlag() bool { return true }

// Set implements flag.Value.
func (f *messageForm) Set(s string) error {
	switch s {
	case "true", "text":
		*f = "text"
	case "json":
		*f = "json"
	case "false":
		*f = ""
	default:
		return fmt.Errorf("want --messages or --messages=json, found %q", s)
	}
	return nil
}

// writeMessages writes what receivers would have been sent, in order. Text has a blank line between messages; JSON is one message a line, times in Unix milliseconds.
func writeMessages(w io.Writer, told []alerting.Notification, form messageForm, externalURL string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i, n := range told {
		m := notify.NewMessage(n, externalURL)
		if form == "json" {
			if err := enc.Encode(m); err != nil {
				return err
			}
			continue
		}
		text := m.Text()
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
