//go:build race

package ingest

// raceEnabled: the race detector makes everything ten times slower, and pools forget on purpose.
const raceEnabled = true
