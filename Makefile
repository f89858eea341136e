# Wrackline: `make help` lists the targets.
SHELL := /bin/bash
GO ?= go
# gin's msgpack codec is never used; the tag keeps its dependencies out of the binary.
TAGS := nomsgpack
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BENCH ?= .
COUNT ?= 1

FUZZTIME ?= 60s
CASES ?= 1000000
WEEKS ?= 300000
DAYS ?= 60
RECORD ?= 8m
SCALE_PART ?= all
SOAK ?= 168h
SOAK_FOR ?= 6h
SOAK_SIGNALS ?= 60000
TORTURE ?= 1000
PAIR ?= 200
SEED ?=

ARCHES ?= amd64 arm64
IMAGE ?= wrackline:$(VERSION)

.PHONY: help build binaries image deb e2e-k8s demo test race lint bench differential large bench-scale soak null quiet stories torture torture-pair recording fuzz pictures screenshot glance clean
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort

build: ## build bin/wrackline
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/wrackline ./cmd/wrackline

binaries: ## bin/linux-ARCH/wrackline for each of ARCHES (amd64 arm64)
	@set -e; for a in $(ARCHES); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$a $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/linux-$$a/wrackline ./cmd/wrackline; done

image: binaries ## the image IMAGE for each of ARCHES, as bin/image.tar (OCI), with buildah and no daemon
	rm -f bin/image.tar
	-buildah manifest rm $(IMAGE) 2>/dev/null
	buildah build --isolation chroot $(foreach a,$(ARCHES),--platform linux/$(a)) --manifest $(IMAGE) -f deploy/Containerfile .
	buildah manifest push --all $(IMAGE) oci-archive:bin/image.tar

deb: build binaries ## bin/wrackline_ARCH.deb for each of ARCHES: binary, systemd unit, configuration, manual, completion
	@set -e; for a in $(ARCHES); do deploy/debian/build bin/linux-$$a/wrackline $$a '$(VERSION)' bin/wrackline_$$a.deb bin/wrackline; done

e2e-k8s: ## chart and manifest on a real kube-apiserver (built into E2E_CACHE at the first run: ten minutes of CPU); needs helm, kubectl, etcd
	deploy/e2e/run

demo: build ## a simulated cluster with incidents: learns two weeks, then prints a URL
	./bin/wrackline demo $(ARGS)

test: ## every test (what README and CI call)
	$(GO) vet -tags $(TAGS) ./...
	$(GO) test -tags $(TAGS) -timeout 19m ./...

race: ## every test under the race detector
	$(GO) test -tags $(TAGS) -race -timeout 25m ./...

lint: ## vet, gofmt and the pinned linters of tools.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-clean'; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool -modfile=tools.mod staticcheck -tags $(TAGS) ./...

bench: ## benchmarks with allocations: make bench BENCH=Decode COUNT=6 | benchstat
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

differential: ## our expressions against the Prometheus engine, CASES generated ones (1,000,000); WRACKLINE_SEED= repeats one run
	WRACKLINE_CASES=$(CASES) $(GO) test -tags $(TAGS) -count=1 -timeout 2h -v -run 'EqualPromQL|EqualsPromQL' ./baseline/promql/oracle ./baseline/pack

large: ## twelve minutes of the simulated 500-node cluster against all packs: observations, CPU, memory
	WRACKLINE_LARGE=1 $(GO) test -tags $(TAGS) -count=1 -timeout 20m -run TestLargeClusterIsAsked -v ./baseline/signal

bench-scale: ## costs by clusters and signals, the table of docs/performance.md (about 15 minutes); SCALE_PART=fold, window, process or latency
	WRACKLINE_SCALE=$(SCALE_PART) $(GO) test -tags $(TAGS) -count=1 -timeout 60m -run 'TestScale$$' -v ./cmd/wrackline

soak: ## SOAK of simulated time (168h) with SOAK_SIGNALS signals (60,000) through engine, store and journal, for SOAK_FOR of real time at most: sizes
	WRACKLINE_SOAK=$(SOAK) WRACKLINE_SOAK_FOR=$(SOAK_FOR) WRACKLINE_SOAK_SIGNALS=$(SOAK_SIGNALS) $(GO) test -tags $(TAGS) -count=1 -timeout 12h -run 'TestSoak$$' -v ./cmd/wrackline

null: ## false alarms of benign families over WEEKS series-weeks (300,000: about 25 minutes on two cores)
	WRACKLINE_NULL=$(WEEKS) $(GO) test -tags $(TAGS) -count=1 -timeout 6h -run TestNull -v ./baseline/model

stories: ## incidents a cause, first mover and change: each simulated fault alone and every two overlapping (a quarter of an hour of CPU)
	WRACKLINE_STORIES=all $(GO) test -tags $(TAGS) -count=1 -timeout 3h -run TestOneCauseOneStory -v ./cmd/wrackline

quiet: ## false alarms of the simulated cluster without faults, DAYS cluster-days over several seeds (60)
	WRACKLINE_QUIET=$(DAYS) $(GO) test -tags $(TAGS) -count=1 -timeout 6h -run TestQuietClusters -v ./cmd/wrackline

torture: ## TORTURE (1000) kills, flipped bits, failing disks, floods, wrong clocks, receivers that misbehave; SEED=n repeats a run
	WRACKLINE_TORTURE=$(TORTURE) WRACKLINE_SEED=$(SEED) $(GO) test -tags $(TAGS) -count=1 -timeout 12h -p 1 -v -run 'TestTorture|TestKillNineChangesNothing|TestKillLosesNothing' ./...

torture-pair: ## PAIR (200) kills, cuts, slow and one-way connections between the two servers of a pair; SEED=n repeats a run (20 minutes)
	WRACKLINE_TORTURE_PAIR=$(PAIR) WRACKLINE_SEED=$(SEED) $(GO) test -tags $(TAGS) -count=1 -timeout 12h -v -run 'TestTorturePair' ./alerting/peer

recording: ## new recordings of Debian's Prometheus and node exporter, RECORD of real time (8m), for cmd/wrackline/testdata
	WRACKLINE_RECORD=$(RECORD) $(GO) test -tags $(TAGS) -count=1 -timeout 1h -run 'TestRecordPrometheus' -v ./cmd/wrackline

fuzz: ## every fuzz target, FUZZTIME each (60s)
	@set -e; for pkg in $$($(GO) list -tags $(TAGS) ./...); do \
	  for f in $$($(GO) test -tags $(TAGS) -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; done

pictures: ## docs/told/*.svg and docs/series/*.svg, the pictures of docs/told.md and docs/series.md
	mkdir -p docs/told docs/series
	WRACKLINE_PICTURES=$(CURDIR)/docs/told $(GO) test -tags $(TAGS) -count=1 -run TestToldAndKept ./cmd/wrackline
	WRACKLINE_PICTURES=$(CURDIR)/docs/series $(GO) test -tags $(TAGS) -count=1 -run TestTellingSeries ./cmd/wrackline
	chmod 644 docs/told/*.svg docs/series/*.svg

screenshot: ## docs/incident.png, as the demo's browser test sees it
	mkdir -p docs
	mkdir -p bin/shots
	WRACKLINE_SHOTS=$(CURDIR)/bin/shots $(GO) test -tags $(TAGS) -count=1 -run TestDemoFindsTheFoundingStory ./cmd/wrackline
	cp bin/shots/incident.png docs/incident.png

glance: ## docs/glance/*.png, the pictures of docs/glance.md, by the test that holds what they show
	mkdir -p docs/glance
	WRACKLINE_GLANCE=$(CURDIR)/docs/glance $(GO) test -tags $(TAGS) -count=1 -run TestAnsweredAtAGlance ./ui
	rm -f docs/glance/*-900.png docs/glance/*-dark-1400.png docs/glance/*-light-500.png
	chmod 644 docs/glance/*.png

clean: ## remove what was built
	rm -rf bin
