# Wrackline: `make help` lists the targets.
SHELL := /bin/bash
GO ?= go
# gin's msgpack codec is never used; the tag keeps its dependencies out of the binary.
TAGS := nomsgpack
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BENCH ?= .
COUNT ?= 1

.PHONY: help build demo test race lint bench fuzz clean
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort

build: ## build bin/wrackline
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/wrackline ./cmd/wrackline

demo: build ## a simulated cluster with incidents: learns two weeks, then prints a URL
	./bin/wrackline demo $(ARGS)

test: ## every test (what README and CI call)
	$(GO) vet -tags $(TAGS) ./...
	$(GO) test -tags $(TAGS) -timeout 9m ./...

race: ## every test under the race detector
	$(GO) test -tags $(TAGS) -race -timeout 25m ./...

lint: ## vet, gofmt and the pinned linters of tools.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-clean'; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool -modfile=tools.mod staticcheck -tags $(TAGS) ./...

bench: ## benchmarks with allocations: make bench BENCH=Decode COUNT=6 | benchstat
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

clean: ## remove what was built
	rm -rf bin
