package oracle

import (
	"math"
	"os"
	"strconv"
	"testing"
)

// EnvInt returns a number that the environment sets, such as a seed, or def.
func EnvInt(t testing.TB, name string, def uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, s, err)
	}
	return v
}

// Near reports whether two numbers agree to 1e-9.
func Near(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1)
}
