package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// consumed is what a process has used: CPU seconds, resident bytes.
type consumed struct{ cpu, rss float64 }

func usageOfMetrics(ctx context.Context, target string) (u consumed, err error) {
	v, err := readMetrics(ctx, target, "process_cpu_seconds_total", "process_resident_memory_bytes")
	if err != nil {
		return u, err
	}
	return consumed{cpu: v[0], rss: v[1]}, nil
}

// signalsOf returns how many signals a Wrackline has.
func signalsOf(ctx context.Context, target string) (float64, error) {
	v, err := readMetrics(ctx, target, "wrackline_signals")
	if err != nil {
		return 0, err
	}
	return v[0], nil
}

// readMetrics reads metrics without labels from a page of metrics.
func readMetrics(ctx context.Context, target string, names ...string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", target, resp.Status)
	}
	values, found := make([]float64, len(names)), 0
	sc := bufio.NewScanner(io.LimitReader(resp.Body, 64<<20))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), " ")
		for i := range names {
			if name != names[i] {
				continue
			}
			if values[i], err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
				return nil, err
			}
			found++
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if found < len(names) {
		return nil, fmt.Errorf("%s has no %s", target, strings.Join(names, " and "))
	}
	return values, nil
}

// usageOfProcess reads Linux' /proc; clock ticks are hundredths of a second on every platform that Go runs on.
func usageOfProcess(pid int) (u consumed, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the command's name may hold spaces
	f := strings.Fields(rest)
	if !ok || len(f) < 22 {
		return u, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	user, err1 := strconv.ParseFloat(f[11], 64)
	sys, err2 := strconv.ParseFloat(f[12], 64)
	pages, err3 := strconv.ParseFloat(f[21], 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return u, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	return consumed{cpu: (user + sys) / 100, rss: pages * float64(os.Getpagesize())}, nil
}
