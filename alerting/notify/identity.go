// Which integration of the configuration is which of before: what waits for one must find it again, however the file was rearranged.

package notify

import (
	"cmp"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base32"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// identity is what the outbox remembers of an integration. It holds no secret: of a URL a slow keyed hash. It is stored.
type identity struct {
	Receiver string `json:"receiver"`
	Kind     string `json:"kind"`           // slack, webhook or alertmanager
	Name     string `json:"name,omitempty"` // as the configuration gives it
	File     string `json:"file,omitempty"` // that holds the URL
	URL      string `json:"url,omitempty"`  // hash of the URL without user and password
	Host     string `json:"host,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Place    int    `json:"place"`          // among those of its receiver and kind
	Born     uint64 `json:"born,omitempty"` // the queue's sequence when it was first configured: what came before was not for it; 0 = older than this table
	Gone     int64  `json:"gone,omitempty"` // Unix ms since when it is not configured; 0 = it is

	key string // what its rows in the queue begin with
	old bool   // read off the queue of a program that kept no such table: key, receiver, kind and place are all that is known
}

// integrationKey is receiver/kind/last. last holds no slash, so that a key has one reading.
func integrationKey(receiver, kind, last string) string { return receiver + "/" + kind + "/" + last }

// identityOf reads a key of the queue, as far as it says something.
func identityOf(key string) identity {
	id := identity{key: key, old: true, Place: -1}
	rest, last, _ := cutLast(key)
	id.Receiver, id.Kind, _ = cutLast(rest)
	if n, err := strconv.Atoi(last); err == nil {
		id.Place = n
	}
	return id
}

func cutLast(s string) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// hashURL makes a mark of a URL that says whether another is the same and, being salted and slow, little else. User and password are left out: who rotates them still means the same place.
func hashURL(salt []byte, u *url.URL) string {
	v := *u
	v.User, v.Fragment = nil, ""
	sum, err := pbkdf2.Key(sha256.New, v.String(), salt, 4096, 15)
	if err != nil {
		return "" // not reached: the lengths are constants that every mode allows; without a mark the other ways of telling are left
	}
	return base32.StdEncoding.EncodeToString(sum)
}

// sameBy are the ways of recognising an integration, the surest first. Of several that are alike in one way the first of before is the first of now.
var sameBy = []func(was, is *identity) bool{
	// Its name says so.
	func(was, is *identity) bool { return sameRoom(was, is) && is.Name != "" && was.Name == is.Name },
	// The key of a program that counted.
	func(was, is *identity) bool { return sameRoom(was, is) && was.old && was.Place == is.Place },
	// It leads to the same place: it was moved within the file, or named.
	func(was, is *identity) bool {
		return sameRoom(was, is) && sameTarget(was, is) && was.Channel == is.Channel
	},
	func(was, is *identity) bool { return sameRoom(was, is) && sameTarget(was, is) },
	// The same host: a secret in the URL was rotated.
	func(was, is *identity) bool {
		return sameRoom(was, is) && !twoNames(was, is) && was.Host != "" && was.Host == is.Host
	},
	// It is what is left of the receiver's: the URL was replaced.
	func(was, is *identity) bool { return sameRoom(was, is) && !twoNames(was, is) },
	// The same place under another receiver's name: the receiver was renamed.
	func(was, is *identity) bool {
		return was.Kind == is.Kind && sameTarget(was, is) && was.Channel == is.Channel
	},
}

func sameRoom(a, b *identity) bool { return a.Receiver == b.Receiver && a.Kind == b.Kind }

func sameTarget(a, b *identity) bool {
	return a.File != "" && a.File == b.File || a.URL != "" && a.URL == b.URL
}

func twoNames(a, b *identity) bool { return a.Name != "" && b.Name != "" && a.Name != b.Name }

// match finds for each integration of the configuration which of before it is: an index, or -1 for a new one. Those that were configured until now
// come before those that had gone.
func match(was, is []identity) []int {
	order := make([]int, len(was))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(was[a].Gone, was[b].Gone), cmp.Compare(was[a].Place, was[b].Place))
	})
	of := slices.Repeat([]int{-1}, len(is))
	taken := make([]bool, len(was))
	for _, gone := range []bool{false, true} {
		for _, same := range sameBy {
			for i := range is {
				if of[i] >= 0 {
					continue
				}
				if k := slices.IndexFunc(order, func(k int) bool { return !taken[k] && was[k].Gone != 0 == gone && same(&was[k], &is[i]) }); k >= 0 {
					of[i], taken[order[k]] = order[k], true
				}
			}
		}
	}
	return of
}

// nameKeys gives every integration its key: the one it had where that still says the truth, else one that nobody has.
func nameKeys(was, is []identity, of []int) {
	used := map[string]bool{}
	for k := range was {
		used[was[k].key] = true
	}
	for i := range is {
		if of[i] < 0 {
			continue
		}
		old := &was[of[i]]
		_, last, _ := cutLast(old.key)
		if sameRoom(old, &is[i]) && (is[i].Name == last || is[i].Name == "" && digits(last)) {
			is[i].key = old.key
		}
	}
	for i := range is {
		if is[i].key != "" {
			continue
		}
		for n := 0; is[i].key == ""; n++ {
			last := cmp.Or(is[i].Name, strconv.Itoa(n))
			if key := integrationKey(is[i].Receiver, is[i].Kind, last); !used[key] || is[i].Name != "" {
				is[i].key = key
			}
		}
		used[is[i].key] = true
	}
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
