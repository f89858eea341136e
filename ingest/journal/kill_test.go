package journal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// child appends until it is killed and prints each position that it may acknowledge.
func child(dir string) {
	j, err := Open(dir, Options{SegmentBytes: 20_000})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := j.Stats().LastPos + 1; ; i++ {
		pos, err := j.Append(record(i))
		if err != nil || pos != i {
			fmt.Println(pos, err)
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString(strconv.FormatUint(pos, 10) + "\n")
	}
}

// TestKilledProcessLosesNothing kills a writer again and again: all that it acknowledged is replayed.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var acked uint64
	for round := range 8 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "WRACKLINE_JOURNAL_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stop := 20 + rnd.IntN(300)
		for n := 0; lines.Scan(); n++ {
			pos, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("seed %d, round %d: child says %q", seed, round, lines.Text())
			}
			acked = pos
			if n == stop {
				_ = cmd.Process.Kill() // SIGKILL; what it printed meanwhile is read to the end
			}
		}
		_ = cmd.Wait()
		j := open(t, dir, Options{})
		got := replayed(t, j, 0)
		if len(got) == 0 || got[len(got)-1] < acked {
			t.Fatalf("seed %d, round %d: acknowledged %d, replayed %d records", seed, round, acked, len(got))
		}
		wantRange(t, got, 1, uint64(len(got)))
		_ = j.Close()
	}
	if acked < 100 {
		t.Errorf("only %d records were acknowledged: the test tested nothing", acked)
	}
}
