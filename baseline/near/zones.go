package near

import (
	_ "embed"
	"strings"
)

// zoneNames are the names of Go's copy of the time-zone database, one a line; TestZones holds them.
//
//go:embed zones.txt
var zoneNames string

// Zone returns "; did you mean …?" for a word that is no time zone, or what zones are called.
func Zone(word string) string {
	names := strings.Fields(zoneNames)
	for _, part := range []func(string) string{func(n string) string { return n }, func(n string) string { return n[strings.LastIndexByte(n, '/')+1:] }} {
		for _, n := range names {
			if strings.EqualFold(part(n), word) && n != word {
				return "; did you mean \"" + n + "\"?"
			}
		}
	}
	if s := Suggest(word, names); s != "" {
		return s
	}
	return "; zones are called as Europe/Berlin, America/New_York, or UTC"
}
