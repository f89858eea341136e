package main

import (
	"errors"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
)

// heartbeatConfig says who is called for as long as judging goes on.
type heartbeatConfig struct {
	URL      notify.Secret `yaml:"url,omitempty"`      // at most one of the two; none = nobody is called
	URLFile  string        `yaml:"url_file,omitempty"` // read before every call
	Interval duration      `yaml:"interval,omitempty"` // 0 = a minute
	Method   string        `yaml:"method,omitempty"`   // POST or GET; "" = POST
}

func (c *heartbeatConfig) config() notify.HeartConfig {
	return notify.HeartConfig{URL: c.URL, URLFile: c.URLFile, Method: c.Method}
}

// check returns what is wrong with it, by key.
func (c *heartbeatConfig) check() error {
	if err := notify.CheckHeart(c.config()); err != nil {
		if fe, ok := errors.AsType[*notify.FieldError](err); ok {
			return keyError("alerting.heartbeat."+fe.Path, "%w", fe.Err)
		}
		return keyError("alerting.heartbeat", "%w", err)
	}
	switch {
	case c.Interval == 0:
	case c.URL == "" && c.URLFile == "":
		return keyError("alerting.heartbeat.interval", "there is no url: nobody would be called")
	case c.Interval < duration(10*time.Second) || c.Interval > duration(time.Hour):
		return keyError("alerting.heartbeat.interval", "it is %s; it must be between 10s and 1h", time.Duration(c.Interval))
	}
	return nil
}
