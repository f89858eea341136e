package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// configError is what is wrong with the value of a key.
type configError struct {
	key string // as receivers[0].slack_configs[1]
	err error
}

func (e *configError) Error() string { return e.key + ": " + e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// keyError returns what is wrong with the value of a key.
func keyError(key, format string, args ...any) error {
	return &configError{key, fmt.Errorf(format, args...)}
}

// placed adds to errors about keys where in the file they stand. What is wrong with a whole of which a part could not be read is left out: it may be right with that part.
func (c *config) placed(err error) error {
	var list []error
	for _, err := range each(err) {
		ce, ok := errors.AsType[*configError](err)
		switch {
		case !ok || c.place == nil:
			list = append(list, err)
		case !slices.ContainsFunc(c.unread, func(p string) bool {
			return p == ce.key || strings.HasPrefix(p, ce.key+".") || strings.HasPrefix(p, ce.key+"[")
		}):
			list = append(list, fmt.Errorf("%s: %w", c.place(ce.key), err))
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return errors.Join(list...)
}
