package change

import (
	"testing"
)

func TestNewerVersion(t *testing.T) {
	for _, c := range [][2]string{{"v1.34.1", "v1.33.4"}, {"v1.10.0", "v1.9.9"}, {"v1.33.10-gke.100", "v1.33.10-gke.20"}, {"v2", "v1.99"}, {"v1.33.4+k3s1", "v1.33.4"}, {"1.010", "1.9"}} {
		if !newerVersion(c[0], c[1]) || newerVersion(c[1], c[0]) {
			t.Errorf("%s is newer than %s", c[0], c[1])
		}
	}
	if newerVersion("v1.33.4", "v1.33.4") {
		t.Error("a version is newer than itself")
	}
}
