# Every habit has a target here; `make` alone lists them. A line's `##` text is its help.
#
#   ARGS       options handed to the server by `make run`, such as ARGS="--port 7000"
#   UNITS      units of the upstream suite for `make conformance`, such as UNITS="unit/type/string"
#   TESTFLAGS  options handed to `swift test`, such as TESTFLAGS="--filter TidyTests"
#   ROUNDS     of each crash test for `make torture` (500)
#   SCRATCH    the build folder (.build)
#   DESTDIR, PREFIX, UNITDIR   where `make install` puts things

SCRATCH   ?= .build
PREFIX    ?= /usr/local
UNITDIR   ?= $(PREFIX)/lib/systemd/system
SWIFT     ?= swift
TESTFLAGS ?=
ARGS      ?=
UNITS     ?=
ROUNDS    ?= 500

swift_test = $(SWIFT) test --scratch-path $(SCRATCH)
formatted  = Sources Tests Package.swift
release    = $(SCRATCH)/release/apus-server

# Crash reports and INFO tell it; nothing outside a clone.
commit = $(shell git rev-parse --short=8 HEAD 2>/dev/null)

# Tests that start a server take this one; the tools below take the release build.
debug_binary   = $(or $(APUS_BINARY),$(abspath $(SCRATCH))/debug/apus-server)
release_binary = $(or $(APUS_BINARY),$(abspath $(release)))

.DEFAULT_GOAL := help
.PHONY: help deps build release run test unit integration conformance torture format lint tidy \
        check asan hotpath instructions bench bench-memory bench-expiry \
        bench-persistence bench-replication bench-snapshot bench-report charts scaling peers docs \
        verify-unit verify-docker install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what building and testing need and the machine lacks (Debian packages)
	@Scripts/deps build test

build: ## debug build
	@Scripts/deps build
	$(SWIFT) build --scratch-path $(SCRATCH)

release: ## optimised build of the server, with the Swift runtime inside
	@Scripts/deps build
	APUS_COMMIT="$(commit)" $(SWIFT) build --scratch-path $(SCRATCH) -c release --static-swift-stdlib --product apus-server

run: release ## build and start the server on port 6379; ARGS="--port 7000" adds options
	@Scripts/deps run
	exec $(release) $(ARGS)

test: deps ## every test: unit, in-process, integration with a real server, tidy, what is deployed
	@SWIFT="$(SWIFT)" SCRATCH="$(SCRATCH)" APUS_BINARY="$(debug_binary)" Scripts/test $(TESTFLAGS)

unit: ## tests without a server process
	$(swift_test) --skip IntegrationTests --skip TidyTests $(TESTFLAGS)

integration: deps ## tests that start the real server
	APUS_BINARY="$(debug_binary)" $(swift_test) --filter IntegrationTests $(TESTFLAGS)

conformance: deps release ## the Tcl suite of Redis 7.0 against our server; UNITS="unit/type/string" for some
	APUS_BINARY="$(release_binary)" Scripts/conformance $(UNITS)

torture: deps ## the crash tests, and replication over a network that fails, at length; ROUNDS=100 for less
	SWIFT="$(SWIFT)" SCRATCH="$(SCRATCH)" APUS_BINARY="$(debug_binary)" Scripts/torture $(ROUNDS)
	APUS_BINARY="$(debug_binary)" SCRATCH="$(SCRATCH)" Scripts/torture-replication $(ARGS)

format: ## rewrite the sources in the house format
	$(SWIFT) format --in-place --recursive $(formatted)

lint: ## complain about format
	$(SWIFT) format lint --strict --recursive $(formatted)

tidy: ## complain about layering, banned words and missing tests
	$(swift_test) --filter TidyTests

check: lint tidy unit ## what to run before a commit

# What servers of tests hold when they end is left to the system, as a server does.
asan: ## the engine's tests under the address sanitizer; ONLY="FuzzTests" for some
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --scratch-path $(SCRATCH)/asan --sanitize=address --filter "$(or $(ONLY),EngineTests)" $(TESTFLAGS)

hotpath: release ## count retains, allocations and generic calls in the hot symbols
	@Scripts/deps hotpath
	Scripts/hotpath "$(release_binary)"

instructions: release ## count the instructions of common requests, and fail where there are more than were
	@Scripts/deps instructions
	Scripts/instructions "$(release_binary)" $(ARGS)

bench: release ## throughput and CPU per request against redis-server and the peers
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench $(ARGS)

bench-memory: release ## bytes of memory per key against the same servers
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench-memory $(ARGS)

bench-expiry: release ## the pause while a million keys expire at once
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench-expiry $(ARGS)

bench-persistence: release ## seconds of SAVE and of the start on what was saved, against the same servers
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench-persistence $(ARGS)

bench-replication: release ## seconds of a full sync and CPU per SET with a replica, against the same servers
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench-replication $(ARGS)

bench-snapshot: release ## latency of reads while a snapshot is written, against the same servers
	@Scripts/deps bench
	APUS_BINARY="$(release_binary)" Scripts/bench-snapshot $(ARGS)

scaling: release ## find commands whose work grows faster than what they are given
	APUS_BINARY="$(release_binary)" Scripts/scaling $(ARGS)

charts: ## draw the charts of README.md from its tables
	Scripts/charts

bench-report: ## write the reports again from the last samples
	Scripts/bench --report-only
	Scripts/bench-memory --report-only
	Scripts/bench-persistence --report-only
	Scripts/bench-replication --report-only
	Scripts/bench-snapshot --report-only

docs: release ## write the table of commands, docs/COMPATIBILITY.md
	@{ cat docs/compatibility-head.md; "$(release_binary)" --list-commands; } > docs/COMPATIBILITY.md

peers: ## install Redis 8 and Valkey 9 into .cache/peers, to be measured against
	Scripts/peers

verify-unit: ## check the systemd unit
	@Scripts/deps test
	Scripts/verify-unit

verify-docker: ## check the entry point of the image, and its health check, without Docker
	@Scripts/deps test
	APUS_BINARY="$(APUS_BINARY)" Scripts/verify-docker

install: ## copy the built server, stripped of all but names, its two checkers and the unit; run `make release` before
	@test -x $(release) || { echo "run 'make release' first" >&2; exit 1; }
	install -D -m 755 $(release) $(DESTDIR)$(PREFIX)/bin/apus-server
	strip --strip-debug $(DESTDIR)$(PREFIX)/bin/apus-server
	ln -sf apus-server $(DESTDIR)$(PREFIX)/bin/apus-check-rdb
	ln -sf apus-server $(DESTDIR)$(PREFIX)/bin/apus-check-aof
	install -D -m 644 deploy/apus.conf $(DESTDIR)$(PREFIX)/share/apus/apus.conf
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' deploy/systemd/apus-server.service \
	    > $(DESTDIR)$(UNITDIR)/apus-server.service
	install -D -m 644 deploy/logrotate/apus $(DESTDIR)$(PREFIX)/share/apus/logrotate
	@echo "installed. Now, as root:"
	@echo "    test -e /etc/apus/apus.conf || install -D -m 644 $(PREFIX)/share/apus/apus.conf /etc/apus/apus.conf"
	@echo "    systemctl daemon-reload && systemctl enable --now apus-server && systemctl status --no-pager apus-server"
	@echo "Settings are in /etc/apus/apus.conf; passwords belong into /etc/apus/secret.conf, of mode 600."

clean: ## remove the build folder (not .cache)
	rm -rf $(SCRATCH)
