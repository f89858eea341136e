package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestManifestGrantsNothing: whoever applies the manifest gives no right in the cluster to anybody, and the pod carries no token of one.
func TestManifestGrantsNothing(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "deploy", "kubernetes", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	pods := 0
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dec := yaml.NewDecoder(f)
		for {
			var doc struct {
				Kind string `yaml:"kind"`
				Spec struct {
					Template *struct {
						Spec struct {
							Token   *bool  `yaml:"automountServiceAccountToken"`
							Account string `yaml:"serviceAccountName"`
							Host    bool   `yaml:"hostNetwork"`
							PID     bool   `yaml:"hostPID"`
						} `yaml:"spec"`
					} `yaml:"template"`
				} `yaml:"spec"`
			}
			if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if strings.Contains(doc.Kind, "Role") || doc.Kind == "ServiceAccount" {
				t.Errorf("%s grants: a %s", name, doc.Kind)
			}
			if x := doc.Spec.Template; x != nil {
				pods++
				if s := x.Spec; s.Token == nil || *s.Token || s.Account != "" || s.Host || s.PID {
					t.Errorf("%s: a %s whose pod has a token, an account or the node's own: %+v", name, doc.Kind, s)
				}
			}
		}
	}
	if pods == 0 {
		t.Error("no pod is deployed")
	}
}
