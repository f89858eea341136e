package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// How large things may be. What outgrows a bound is divided by meaning, not by lines.
const (
	roomMax       = 4500 // lines of a package of baseline, without its tests
	fileMax       = 600  // lines of a file, tests included
	funcMax       = 100  // lines of a function, tests included
	exceptionsMax = 3    // of each kind
)

// What may be larger, and why. An exception that is no longer needed fails.
var (
	largeRooms = map[string]string{
		"baseline/signal": "what is measured reads the rings of the window that closes, as rules do (measure.go); what is learned of it stands in baseline/sizes",
	} // package, as baseline/signal
	largeFiles = map[string]string{} // file, as ui/pages.go
	largeFuncs = map[string]string{} // file and function, as ui/pages.go Server.overview
)

// TestRooms holds how large packages, files and functions may be.
func TestRooms(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	rooms, files, funcs := map[string]int{}, map[string]int{}, map[string]int{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "bin"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files[name] = lines(src)
		if strings.HasPrefix(name, "baseline/") && !strings.HasSuffix(name, "_test.go") {
			rooms[path.Dir(name)] += files[name]
		}
		of, err := functions(name, src)
		for f, n := range of {
			funcs[name+" "+f] = max(n, funcs[name+" "+f])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rooms) < 5 || len(files) < 100 || len(funcs) < 1000 {
		t.Fatalf("only %d packages of baseline, %d files and %d functions were found", len(rooms), len(files), len(funcs))
	}
	holdSizes(t, "package", rooms, roomMax, largeRooms)
	holdSizes(t, "file", files, fileMax, largeFiles)
	holdSizes(t, "function", funcs, funcMax, largeFuncs)
}

func holdSizes(t *testing.T, kind string, sizes map[string]int, most int, exceptions map[string]string) {
	t.Helper()
	if len(exceptions) > exceptionsMax {
		t.Errorf("%d exceptions of kind %s, at most %d", len(exceptions), kind, exceptionsMax)
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		if n := sizes[name]; n > most && exceptions[name] == "" {
			t.Errorf("%s %s has %d lines, more than %d: divide it by meaning", kind, name, n, most)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exceptions)) {
		if n := sizes[name]; n <= most {
			t.Errorf("%s %s has %d lines: it needs no exception", kind, name, n)
		}
	}
}

// lines counts the lines of a file.
func lines(src []byte) int {
	n := bytes.Count(src, []byte("\n"))
	if len(src) > 0 && src[len(src)-1] != '\n' {
		n++
	}
	return n
}

// functions returns how many lines each function of a file has, from its first word to its last brace, without what is said of it above. Functions
// within functions are part of these; one in a variable of the package has its name.
func functions(name string, src []byte) (map[string]int, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	note := func(name string, n ast.Node) {
		out[name] = max(out[name], set.Position(n.End()).Line-set.Position(n.Pos()).Line+1)
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			note(name, d)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				ast.Inspect(v, func(n ast.Node) bool {
					if f, ok := n.(*ast.FuncLit); ok {
						note(v.Names[0].Name, f)
					}
					return true
				})
			}
		}
	}
	return out, nil
}

// receiver returns the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// TestFunctionsAreMeasured holds what counts as a function's lines.
func TestFunctionsAreMeasured(t *testing.T) {
	const src = `package a

// one says nothing.
func one() {}

func (t *typ[T]) two() {
	_ = func() {
	}
}

var three = []func(){func() {
	one()
}}
`
	got, err := functions("a.go", []byte(src))
	if err != nil || len(got) != 3 || got["one"] != 1 || got["typ.two"] != 4 || got["three"] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	if n := lines([]byte(src)); n != 13 {
		t.Errorf("%d lines", n)
	}
}
