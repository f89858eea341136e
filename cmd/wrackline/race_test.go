//go:build race

package main

// underRace is true when the race detector slows everything down tenfold.
const underRace = true
