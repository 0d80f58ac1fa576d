# `make` explains. On a Debian machine with a Swift toolchain, `make demo` and `make test` install what they lack.

.DEFAULT_GOAL := help
.PHONY: help build release demo test test-storages soak soak-redo fuzz test-segsize bench bench-storage bench-safekeeper \
	bench-redo format lint clean

# The Swift runtime goes into the programs: they start in half the time, and run where there is no toolchain. The
# toolchain's own linker, as the usual one warns of what Foundation calls.
RELEASE_FLAGS := -c release --static-swift-stdlib -Xswiftc -use-ld=lld
# A build of its own, whose code tells where it has been.
FUZZ_FLAGS := --scratch-path .build/fuzz --sanitize address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
# More at once starve each other where there are few cores: servers and clients have deadlines.
TEST_FLAGS := --skip-build --experimental-maximum-parallelization-width 6
SOURCES := Package.swift Sources Tests pageserver safekeeper

help:
	@echo "make demo     the main job on this machine: import, push, lose the disk, start again, export, query"
	@echo "make test     builds and runs all tests"
	@echo "make test-storages  all tests against storage services, on every service there is"
	@echo "make soak     the tests of the safekeeper, for long, and make soak-redo"
	@echo "make soak-redo  redo of what PostgreSQL's own regression suites write, under several settings"
	@echo "make fuzz     libFuzzer over what takes bytes from WAL, FUZZ_SECONDS (60) for each target"
	@echo "make test-segsize  builds a PostgreSQL with small segment files, and runs the test that needs one"
	@echo "make bench    push and export beside pgBackRest and pg_basebackup"
	@echo "make bench-storage  zenith storage beside rclone and the aws command"
	@echo "make bench-safekeeper  the safekeeper beside pg_receivewal, pgBackRest and cp"
	@echo "make bench-redo  redo of WAL beside PostgreSQL's own recovery"
	@echo "make build    a debug build, in .build/debug"
	@echo "make release  zenith, pageserver and safekeeper, in .build/release"
	@echo "make format   formats the sources"
	@echo "make lint     fails where the sources are not formatted"
	@echo "make clean    removes what was built"

build:
	@scripts/setup build
	swift build

release:
	@scripts/setup build
	swift build $(RELEASE_FLAGS)

demo:
	@scripts/setup demo
	swift build $(RELEASE_FLAGS)
	@scripts/demo

test:
	@scripts/setup test
	swift build --build-tests
	swift test $(TEST_FLAGS)

test-storages:
	@scripts/setup test-storages
	swift build --build-tests
	TEST_STORAGES=all swift test $(TEST_FLAGS) --filter 'StorageURITests|ObjectStorageTests|CommandKitTests|JobTests'

soak: soak-redo
	@scripts/setup test
	swift build --build-tests
	TEST_SOAK=yes swift test $(TEST_FLAGS) --filter EndToEndTests.Safekeeper

soak-redo:
	@scripts/setup soak-redo
	swift build $(RELEASE_FLAGS) --product zenith
	scripts/verify-redo 15
	scripts/verify-redo 15 wal_level=logical wal_compression=zstd
	scripts/verify-redo 15 full_page_writes=off wal_compression=pglz
	scripts/verify-redo 18 wal_compression=lz4

fuzz:
	@scripts/setup fuzz
	ZENITH_FUZZ=1 swift build $(FUZZ_FLAGS) --product fuzz
	@scripts/fuzz

test-segsize:
	@scripts/setup test-segsize
	swift build --build-tests
	bin=$$(scripts/build-postgres-segsize) && ZENITH_TEST_SEGSIZE_BIN=$$bin swift test --skip-build --filter SegmentSizeTests

bench:
	@scripts/setup bench
	swift build $(RELEASE_FLAGS)
	@scripts/bench

bench-storage:
	@scripts/setup test
	swift build $(RELEASE_FLAGS)
	@scripts/bench-storage

bench-safekeeper:
	@scripts/setup bench-safekeeper
	swift build $(RELEASE_FLAGS)
	@scripts/bench-safekeeper

bench-redo:
	@scripts/setup demo
	swift build $(RELEASE_FLAGS) --product redo-benchmark
	@scripts/bench-redo

format:
	swift format -i -r $(SOURCES)

lint:
	swift format lint -s -r $(SOURCES)

clean:
	swift package clean
