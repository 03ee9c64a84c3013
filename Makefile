# A thin front for Meson; scripts/build.sh knows the variants, scripts/run-tests.py the tests.
.DEFAULT_GOAL := all
.PHONY: all run test check unit browser crash fuzz tsan bench format clean

all:
	@scripts/build.sh release
	@ln -sfn release/src/confab build/confab

run: all
	@exec build/confab serve

test:
	@scripts/run-tests.py

# The quick part: tree, unit tests.
check:
	@scripts/run-tests.py tree unit

unit:
	@scripts/run-tests.py unit

# The long form of the simulator, on SQLite and on PostgreSQL with two nodes: >= 200 kills, >= 100,000
# sends each (tests/lib/sim/README.md).
crash: all
	@CONFAB_BIN=build/confab node tests/crash/sim.mjs
	@CONFAB_BIN=build/confab SIM_ENGINE=postgres SIM_NODES=2 SIM_REDIS=1 SIM_SECONDS=3600 \
		node tests/crash/sim.mjs

# The pages, in Chromium.
browser:
	@scripts/run-tests.py browser

tsan:
	@scripts/run-tests.py tsan

# FUZZ_SECONDS is the time of each target.
fuzz:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} scripts/run-tests.py fuzz

bench: all
	@bench/run.py
	@bench/run.py --sockets

format:
	@find src tests bench -name '*.[ch]' -exec clang-format -i {} +

clean:
	rm -rf build
