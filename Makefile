# Faultline. `make help` lists the targets; `make demo` and `make check` do everything, set-up included.
#
# VARIANT=release|debug|san chooses the build (build/$(VARIANT)); CC, OPT and CFLAGS may be given: `make CC=clang OPT=-O0`. V=1 prints commands. SCALE=N scales the
# long tests of `check` and `soak`.
VARIANT ?= release
V       ?= 0
SCALE   ?= 1
ifeq ($(origin CC),default)
CC := gcc
endif
Q := $(if $(filter 1,$(V)),,@)
export SCALE

OPT_release := -O2
OPT_debug   := -O0 -g
OPT_san     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# (clang calls NULL + 0 an overflow of pointers, which every empty slice is.)
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
OPT_afl     := -O1 -g
OPT    ?= $(OPT_$(VARIANT))
BUILD  ?= build/$(VARIANT)
PREFIX ?= /usr/local

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
# What correctness needs: not in CFLAGS, so that no command line can take it away.
STRICT := -std=gnu11 -ffp-contract=off -fno-fast-math -fno-strict-aliasing -I. -MMD -MP
LIBS   := -lcyaml -lyaml -ljansson -lxxhash -lm
comma  := ,
SANLD  := $(if $(filter san fuzz,$(VARIANT)),-fsanitize=address$(comma)undefined,)

SRC   := $(filter-out sim/cli/main.c,$(wildcard engines/*.c engines/*/*.c engines/*/*/*.c sim/*/*.c reports/*.c))
OBJ   := $(SRC:%.c=$(BUILD)/%.o)
SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))
SOURCES := $(wildcard engines/*.[ch] engines/*/*.[ch] engines/*/*/*.[ch] sim/*/*.[ch] reports/*.[ch] tests/*/*.[ch])

.DEFAULT_GOAL := all

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo "  VARIANT=release|debug|san  CC=gcc|clang  OPT=-O2  V=1  SCALE=1"

# ---- build ----

all: $(BUILD)/faultline ## builds build/$(VARIANT)/faultline
tests: $(TESTS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(WARN) $(STRICT) -c $< -o $@

$(BUILD)/reports/plots.o $(BUILD)/reports/figures.o: $(wildcard reports/*.gp)

$(BUILD)/libfaultline.a: $(OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $(OBJ)

$(BUILD)/faultline: $(BUILD)/sim/cli/main.o $(BUILD)/libfaultline.a
	$(Q)$(CC) $(CFLAGS) $(OPT) $(SANLD) $^ $(LDFLAGS) $(LIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(BUILD)/libfaultline.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(SANLD) $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS) $(LIBS) -lcmocka -lm -o $@

# The targets of the fuzzers: replayed by a test, and driven by libFuzzer (VARIANT=fuzz) or AFL++ (VARIANT=afl); see tests/fuzz.sh.
FUZZERS  := scenario foreign history image quantity
FUZZ_OBJ := $(BUILD)/tests/fuzz/targets.o $(BUILD)/tests/fuzz/image.o
FUZZ_LD  := -Wl,--wrap=crc32c -Wl,--wrap=bytes_hash
$(BUILD)/tests/fuzz/test_corpus: $(FUZZ_OBJ)
$(BUILD)/tests/fuzz/test_corpus: LDFLAGS += $(FUZZ_LD)

$(BUILD)/fuzz/seeds: $(BUILD)/tests/fuzz/seeds.o $(FUZZ_OBJ) $(BUILD)/libfaultline.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(SANLD) $^ $(FUZZ_LD) $(LDFLAGS) $(LIBS) -o $@

$(FUZZERS:%=$(BUILD)/fuzz/fuzz_%): $(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_main.c $(FUZZ_OBJ) $(BUILD)/libfaultline.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(WARN) $(STRICT) -DFUZZ_TARGET=fuzz_$* -fsanitize=fuzzer $(SANLD) $(filter %.c %.o %.a,$^) $(FUZZ_LD) $(LDFLAGS) $(LIBS) -o $@

fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/fuzz_%) $(BUILD)/fuzz/seeds

# ---- set-up: what a run needs, what its plots need, what the tests need ----

DEPS_RUN   := gcc libc6-dev make libcyaml-dev libyaml-dev libjansson-dev libxxhash-dev
DEPS_DEMO  := $(DEPS_RUN) gnuplot-nox fonts-dejavu-core
DEPS_CHECK := $(DEPS_DEMO) git libcmocka-dev clang clang-format cppcheck xxhash \
              python3 python3-yaml python3-jsonschema python3-junitparser
DEPS_SOAK  := $(DEPS_CHECK) valgrind

deps: ## installs what building, plots and tests need (apt-get)
	@tests/deps.sh $(DEPS_CHECK)

# ---- the two commands ----

DEMO := scenarios/incidents/github-2012-stale-promotion.yaml

demo: ## replays GitHub's September 2012 failover, set-up included
	@tests/deps.sh $(DEPS_DEMO)
	@$(MAKE) --no-print-directory -j2 all
	@$(BUILD)/faultline run $(DEMO) --variant all --plots --out results/demo

check: ## builds and runs all tests, set-up included; at most 8 minutes
	@tests/deps.sh $(DEPS_CHECK)
	@VARIANT=$(VARIANT) CC=$(CC) MAKE="$(MAKE)" tests/check.sh

soak: ## the same tests in full, and valgrind
	@tests/deps.sh $(DEPS_SOAK)
	@FAULTLINE_SOAK=1 VARIANT=$(VARIANT) CC=$(CC) MAKE="$(MAKE)" tests/check.sh

# ---- the rest ----

DIR ?= $(BUILD)/bench

bench: all ## measures the event kernel and the storage engines (on DIR)
	@$(BUILD)/faultline bench kernel
	@mkdir -p $(DIR)
	@$(BUILD)/faultline bench engines --real $(DIR) --seconds 2

bench-peers: all ## the engines against the best of others, on DIR
	@tests/peers.sh $(DIR)

SECONDS ?= 10
TARGETS ?= $(FUZZERS)
fuzz: ## every parser under libFuzzer for SECONDS=10 each (and AFL++, where it is installed); TARGETS="foreign image"
	@MAKE="$(MAKE)" tests/fuzz.sh $(SECONDS) $(TARGETS)

lint: ## include arrows, banned calls, format, cppcheck
	@tests/lint.sh

golden: all ## rewrites scenarios/golden.tsv, so that changed behaviour shows in review
	@$(BUILD)/faultline check scenarios --update-golden

format: ## formats all sources
	@clang-format -i $(SOURCES)

install: all ## installs faultline and its scenarios below PREFIX
	install -D -m 755 $(BUILD)/faultline $(DESTDIR)$(PREFIX)/bin/faultline
	mkdir -p $(DESTDIR)$(PREFIX)/share/faultline
	cp -R scenarios $(DESTDIR)$(PREFIX)/share/faultline/

clean: ## removes build/ and results/
	rm -rf build results

.PHONY: help all tests fuzz fuzzers deps demo check soak bench bench-peers lint golden format install clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
