package main

import (
	"encoding/json"
	"io"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
)

// writeMessages writes what receivers would have been sent, in order. Text has a blank line between messages; else each is a line of JSON, times in Unix milliseconds.
func writeMessages(w io.Writer, told []alerting.Notification, text bool, externalURL string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i, n := range told {
		m := notify.NewMessage(n, externalURL)
		if !text {
			if err := enc.Encode(m); err != nil {
				return err
			}
			continue
		}
		said := m.Text()
		if i > 0 {
			said = "\n" + said
		}
		if _, err := io.WriteString(w, said); err != nil {
			return err
		}
	}
	return nil
}
