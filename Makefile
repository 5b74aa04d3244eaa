# berth. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

GO          ?= go
CGO_ENABLED ?= 1
PREFIX      ?= /usr/local
DESTDIR     ?=
BIN         := bin/berth

VERSION ?= $(shell sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md 2>/dev/null | head -n 1)
COMMIT  ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || echo unknown)

# netgo, osusergo: no libc resolver and user lookup, which do not work in a static binary.
# urfave_cli_no_*: documentation and suggestion code of urfave/cli costs 0.7 ms at every start.
TAGS    := netgo,osusergo,urfave_cli_no_docs,urfave_cli_no_suggest
LDFLAGS := -s -w -X berth/internal/cli.version=$(VERSION) -X berth/internal/cli.commit=$(COMMIT)
# The commit is stamped by hand: Go's own stamp would make the binary depend on the state of the checkout.
REPRODUCIBLE := -trimpath -buildvcs=false

# Two programs are embedded in berth, which itself is pure Go: the image side, and the
# compiler of seccomp profiles, the only one with C in it (internal/embedded).
IMAGE    := internal/embedded/berth-image
COMPILER := internal/embedded/berth-seccomp
EMBEDDED := image
ifneq ($(CGO_ENABLED),0)
EMBEDDED := image,seccomp
LDFLAGS  += -X berth/seccomp.library=$(shell pkg-config --modversion libseccomp 2>/dev/null)
endif

# What the tests run against; set it to runc or crun to see how a peer does.
RUNTIME ?= $(CURDIR)/$(BIN)

FUZZTIME ?= 30s
N        ?= 30

export CGO_ENABLED

.PHONY: build
build: check-build ## Build bin/berth, static (CGO_ENABLED=0: without libseccomp)
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build $(REPRODUCIBLE) -tags $(TAGS) -ldflags '-s -w -X berth/image/cli.version=$(VERSION)' -o $(IMAGE).new.$$$$ ./image/program && mv $(IMAGE).new.$$$$ $(IMAGE)
ifneq ($(CGO_ENABLED),0)
	$(GO) build $(REPRODUCIBLE) -tags $(TAGS) -ldflags '-s -w -linkmode external -extldflags "-static"' -o $(COMPILER).new.$$$$ ./seccomp/program && mv $(COMPILER).new.$$$$ $(COMPILER)
endif
	CGO_ENABLED=0 $(GO) build $(REPRODUCIBLE) -tags $(TAGS),$(EMBEDDED) -ldflags '$(LDFLAGS)' -o $(BIN) .

.PHONY: demo
demo: ## Install what is missing, build, and look around inside a small container (root)
	@tests/setup/deps build demo
	@$(MAKE) --no-print-directory build
	@tests/demo/demo $(BIN)

.PHONY: test
test: ## Install what the tests need, run all of them (without root: those that need none)
	@tests/setup/deps build test
	@$(MAKE) --no-print-directory build
	@$(GO) run ./tests/suite -runtime '$(RUNTIME)' $(SUITE)

.PHONY: docs
docs: ## Make docs/spec-coverage.md anew from tests/arch/spec.txt
	@$(GO) test ./tests/arch -run TestSpecCoverage -count=1 -update

.PHONY: unit
unit: build ## Run the unit tests alone
	@$(GO) run ./tests/suite -runtime '$(RUNTIME)' unit arch

.PHONY: integration
integration: build ## Run the integration tests alone (RUNTIME=runc: against a peer)
	@$(GO) run ./tests/suite -runtime '$(RUNTIME)' integration

.PHONY: load
load: build ## Run the load tests alone (BERTH_LOAD_CONTAINERS=1000: how many)
	@$(GO) run ./tests/suite -runtime '$(RUNTIME)' load

.PHONY: bench-build
bench-build: build ## Compare berth build with buildah and podman build (N=30 rounds)
	@tests/setup/deps build test peers
	@BERTH_RUNTIME='$(RUNTIME)' BERTH_BENCH=$(N) $(GO) test -count=1 -timeout 60m -run TestBench -v ./tests/build

.PHONY: test-build-peers
test-build-peers: build ## Build the Dockerfiles of tests/build with buildah too, and compare
	@tests/setup/deps build test peers
	@BERTH_RUNTIME='$(RUNTIME)' BERTH_PEERS=1 $(GO) test -count=1 -timeout 30m -run TestPeers ./tests/build

.PHONY: test-vm
test-vm: build ## Run integration tests in test machines: cgroup v2, systemd, a login user (VM='-v root': options)
	@tests/setup/deps vm
	@$(GO) build -o bin/test-vm ./tests/vm
	@exec bin/test-vm -runtime '$(RUNTIME)' $(VM)

.PHONY: conformance
conformance: build ## Run opencontainers/runtime-tools, gated per program (RUNTIME=runc: against a peer)
	@cd tests/conformance && BERTH_RUNTIME='$(RUNTIME)' $(GO) test -count=1 -timeout 30m

.PHONY: bench
bench: build ## Compare berth with runc, crun and a minimal C program (N=30 rounds)
	@tests/setup/deps build bench
	@$(GO) run ./tests/bench -berth $(BIN) -n $(N) $(BENCH)
ifeq ($(BENCH),)
	@echo; echo 'With 1,000 containers of each runtime alive, and with 10,000 mounts on the host and one alive:'
	@$(GO) run ./tests/bench -berth $(BIN) -n 10 -alive 1000 -memory=false -only '^(run|list)'
	@$(GO) run ./tests/bench -berth $(BIN) -n 10 -mounts 10000 -alive 1 -memory=false -only '^run'
endif

.PHONY: bench-images
bench-images: N := 3
bench-images: build ## Compare berth pull with skopeo and umoci, podman and containerd (N=3 rounds)
	@tests/setup/deps build peers
	@$(GO) run ./tests/bench-images -berth $(BIN) -n $(N) $(BENCH)

.PHONY: fuzz
fuzz: check-build ## Run every fuzzer for FUZZTIME (30s), two a core side by side
	@tests/setup/fuzz $(FUZZTIME)

.PHONY: lint
lint: check-build ## Check format, vet (amd64 with and without cgo, arm64), golangci-lint, shellcheck
	@tests/setup/deps lint
	@tests/setup/lint

.PHONY: reproducible
reproducible: check-build ## Build twice in different directories and compare
	@tests/setup/reproducible

.PHONY: deps
deps: ## Install what build, demo, tests and lint need (Debian and Ubuntu, root)
	@tests/setup/deps build demo test lint bench

.PHONY: check-build
check-build:
	@CGO_ENABLED=$(CGO_ENABLED) tests/setup/deps --check build

.PHONY: man
man: build ## Write the manual pages of every command into bin/man
	$(BIN) man bin/man

.PHONY: install
install: ## Install bin/berth and its manual below PREFIX (/usr/local)
	@test -x $(BIN) || { echo '$(BIN) does not exist: run make first' >&2; exit 1; }
	install -D -m 0755 $(BIN) '$(DESTDIR)$(PREFIX)/bin/berth'
	$(BIN) man '$(DESTDIR)$(PREFIX)/share/man/man8'

.PHONY: clean
clean: ## Remove what make built
	rm -rf bin $(IMAGE) $(COMPILER)

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'
