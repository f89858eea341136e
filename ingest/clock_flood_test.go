package ingest

import (
	"fmt"
	"testing"
)

// flood stamps n requests from one address, under names of so many in turn, whose samples are off.
func (l *lab) flood(from, n, names int, off int64) {
	for i := range n {
		l.send(someone{name: fmt.Sprintf("f%d", (from+i)%names), host: "10.0.0.66", off: off}, 0)
	}
}

// TestNamesAreNoMajority: names cost nothing, so that many of them from one address, all with the same wrong clock, move no other's time: neither while others are heard, nor after a start, nor when the others come back
// after a while in which the flood alone was heard.
func TestNamesAreNoMajority(t *testing.T) {
	good := []someone{{name: "a", host: "10.0.0.7"}, {name: "b", host: "10.0.0.8"}}
	for _, senders := range [][]someone{good[:1], good} {
		for _, off := range []int64{6 * minute, hour, year, -hour, -day} {
			for _, f := range [][2]int{{5, 40}, {40, 300}, {40, 1 << 30}} {
				each, names := f[0], f[1]
				t.Run(fmt.Sprintf("%d senders, %d of %d names a second, off by %d s", len(senders), each, names, off/second), func(t *testing.T) {
					l, from := newLab(t, 0), 0
					pour := func(ms int64, senders ...someone) {
						for end := l.at + ms; l.at < end; {
							l.flood(from, each, names, off)
							from += each
							l.run(second, nil, senders...)
						}
					}
					pour(5*minute, senders...)
					l.useful("from the first moment")
					l.start()
					l.clock.Begin(l.at)
					pour(minute)
					pour(5*minute, senders...)
					l.useful("a flood after a start")
					pour(5 * minute)
					pour(3*minute, senders...)
					l.useful("back from a pause")
					if st := l.clock.State(); st.OffMs != 0 || st.Agree != len(senders) {
						t.Errorf("%+v", st)
					}
				})
			}
		}
	}
}

// TestFleetBehindOneAddress: some names from one address are senders as any others, as behind a gateway: when all are off by the same it is this machine's clock.
func TestFleetBehindOneAddress(t *testing.T) {
	var fleet []someone
	for i := range 12 {
		fleet = append(fleet, someone{name: fmt.Sprintf("p%d", i), host: "10.0.0.66"})
	}
	for _, off := range []int64{hour, -hour, day, -day} {
		l := newLab(t, off)
		l.run(4*minute, nil, fleet...)
		l.useful("a fleet knows better")
	}
}
