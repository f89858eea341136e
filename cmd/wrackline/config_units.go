package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/form"
)

// duration is a time.Duration that also reads days: 15d.
type duration time.Duration

// MarshalYAML writes d as a person would: 90s, 5m, 36h or 15d.
func (d duration) MarshalYAML() (any, error) {
	t := time.Duration(d)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if t >= u.unit && t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.name, nil
		}
	}
	return t.String(), nil
}

// UnmarshalText reads 90s, 5m, 36h or 15d.
func (d *duration) UnmarshalText(b []byte) error {
	text := string(b)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n <= 10_000) {
			return errors.New(form.NoDuration(text))
		}
		*d = duration(n * 24 * float64(time.Hour))
		return nil
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return errors.New(form.NoDuration(text))
	}
	*d = duration(v)
	return nil
}

// Pattern says how it is written.
func (d *duration) Pattern() (pattern, example string) {
	return `^([0-9.]+d|0|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`, "90s"
}

// size is a number of bytes that reads 8MiB, 2GiB, 512KiB or a plain number.
type size int64

// MarshalYAML writes z with its unit.
func (z size) MarshalYAML() (any, error) { return z.String(), nil }

// UnmarshalText reads a number of bytes with an optional unit.
func (z *size) UnmarshalText(b []byte) error {
	text := string(b)
	num, unit := text, int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			num, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<50)/unit {
		return fmt.Errorf("%q is not a size such as 512KiB, 8MiB or 2GiB%s", text, sizeMeant(text))
	}
	*z = size(n * unit)
	return nil
}

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}}

var sizeLike = regexp.MustCompile(`^([0-9]+) ?([kKmMgGtT])i?[bB]?$`)

// sizeMeant says which size was probably meant.
func sizeMeant(text string) string {
	m := sizeLike.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return "; did you mean " + m[1] + strings.ToUpper(m[2]) + "iB?"
}

// Pattern says how it is written.
func (z *size) Pattern() (pattern, example string) { return `^[0-9]+ ?(B|KiB|MiB|GiB|TiB)?$`, "8MiB" }

// String writes the size with the largest unit that divides it.
func (z size) String() string {
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if int64(z) >= u.bytes && int64(z)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(z)/u.bytes, u.suffix)
		}
	}
	return fmt.Sprintf("%dB", int64(z))
}

// sizeOrOff is a size that may be 0, which reads off.
type sizeOrOff int64

// MarshalYAML writes z with its unit, or off.
func (z sizeOrOff) MarshalYAML() (any, error) {
	if z == 0 {
		return "off", nil
	}
	return size(z).String(), nil
}

// UnmarshalText reads a size, or off.
func (z *sizeOrOff) UnmarshalText(b []byte) error {
	if string(b) == "off" {
		*z = 0
		return nil
	}
	return (*size)(z).UnmarshalText(b)
}

// Pattern says how it is written.
func (z *sizeOrOff) Pattern() (pattern, example string) {
	return `^(off|[0-9]+ ?(B|KiB|MiB|GiB|TiB)?)$`, "1GiB"
}
