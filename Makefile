# SPDX-License-Identifier: LGPL-3.0-or-later
# Makefile -- builds, checks and installs ColdStore for Guile.
#
# Needs GNU make only: `make deps` gets the rest.  All paths are relative, so
# that the checkout may lie under a name with spaces.  Nothing is written
# outside $(BUILD), but by install and deps.

# ------------------------------------------------------------ user settings

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
LDFLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
V ?= 0
# Comma-separated list for -fsanitize=, e.g. SANITIZE=address,undefined
SANITIZE ?=
# 1: a 32-bit build (MACHINE=i386) on x86-64
M32 ?= 0
# 1: warnings are errors
WERROR ?= 0
PKG_CONFIG ?= pkg-config
# Test files run at a time, and seconds each of them may take
JOBS ?= 2
TEST_TIMEOUT ?= 600
# What `make check-crash` does: states looked at for each variant of a scenario
# (0: all), kills, and checkpoints beside those who read
CRASH_STATES ?= 200
KILL_ROUNDS ?= 200
READER_COMMITS ?= 1200
# Lives of the workspace of `make soak`; `make check` has a few
SOAK_CYCLES ?= 1000
# What `make storm` does: minutes, and the first seed (the time)
STORM_TIME ?= 60
STORM_SEED ?=
# What `make fuzz` does: seconds for each subject, and which (all)
FUZZ_TIME ?= 60
FUZZ ?=
CLANG ?= clang

# ---------------------------------------------------------- what is required
# Everything asked of tools that may not be there yet is allowed to fail: the
# rule of $(BUILD)/flags says so before the first compilation.

VERSION := $(shell cat VERSION)

ifeq ($(M32),1)
CS_M32 := -m32
GUILD_FLAGS := --target=i686-pc-linux-gnu
MACHINE := i386
else
TRIPLET := $(shell $(CC) -dumpmachine 2>/dev/null)
MACHINE := $(patsubst i%86,i386,$(firstword $(subst -, ,$(TRIPLET))))
endif

GUILE_CFLAGS := $(patsubst -I%,-isystem %,\
  $(shell $(PKG_CONFIG) --cflags guile-3.0 2>/dev/null))
LIBELF := $(or $(shell $(PKG_CONFIG) --libs libelf 2>/dev/null),-lelf)
ZLIB := $(or $(shell $(PKG_CONFIG) --libs zlib 2>/dev/null),-lz)
POPT := $(or $(shell $(PKG_CONFIG) --libs popt 2>/dev/null),-lpopt)

CS_WARNINGS := -Wall -Wextra -Wshadow -Wundef -Wpointer-arith \
  -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wformat-security
ifeq ($(WERROR),1)
CS_WARNINGS += -Werror
endif

CS_CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
  -I. -Ilibcs -Icmd -Iarch/$(MACHINE) $(GUILE_CFLAGS)
CS_CFLAGS := -std=gnu11 $(CS_M32) -pthread -ffunction-sections -fdata-sections
CS_LDFLAGS := $(CS_M32) -pthread -Wl,-O1 -Wl,--as-needed -Wl,-z,relro \
  -Wl,--gc-sections
# No libguile: the interpreter comes out of the store at run time.
CS_LIBS := $(LIBELF) $(ZLIB) $(POPT) -lpthread -ldl

# cs-run starts often: what its libraries cost ld.so is saved by linking
# them statically, where their archives are installed and can be linked.  The
# link itself tells (an archive may lack what its members refer to, as
# libelf.a of elfutils 0.192 does); libelf and its needs, which are shared
# then, are most likely to fail.
static = $(if $(wildcard $(shell $(CC) -print-file-name=lib$(1).a 2>/dev/null)),\
  -Wl$(comma)-Bstatic -l$(1) -Wl$(comma)-Bdynamic,-l$(1))
comma := ,
CS_RUN_STATIC := popt $(patsubst -l%,%,$(or \
  $(shell $(PKG_CONFIG) --static --libs-only-l libelf 2>/dev/null),-lelf)) z
CS_RUN_LIBS := $(foreach lib,$(CS_RUN_STATIC),$(call static,$(lib))) \
  -lpthread -ldl
CS_RUN_LIBS_FEWER := $(LIBELF) $(ZLIB) $(call static,popt) -lpthread -ldl

ifneq ($(SANITIZE),)
CS_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
  -fno-omit-frame-pointer
CS_LDFLAGS += -fsanitize=$(SANITIZE)
endif

ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-7s %s\n' $(1) $(2)
Q := @
endif

# -------------------------------------------------------------------- files

LIB_SOURCES := $(sort $(wildcard \
  arch/*.c arch/*/*.c libcs/*.c libcs/*/*.c libcs/*/*/*.c))
# The headers that are installed; libcs/libcs.sym has their functions.
PUBLIC_HEADERS := err.h store/store.h store/backup.h intern/file-rules.h \
  workspace/workspace.h
SCHEME := $(sort $(wildcard scheme/*.scm scheme/*/*.scm))
GENERATED := policy-builtin.c $(SCHEME:%.scm=%.c)

CMD_SOURCES := $(sort $(wildcard cmd/*.c))
COMMANDS := $(patsubst cmd/%.c,%,$(filter cmd/cs-%.c,$(CMD_SOURCES)))
# Those named after a command are that command's own.
INSPECT_SOURCES := $(filter cmd/inspect-%.c,$(CMD_SOURCES))
CMD_SHARED := $(filter-out cmd/cs-%.c $(INSPECT_SOURCES),$(CMD_SOURCES))
BINARIES := $(COMMANDS:%=$(BUILD)/bin/%)

UNIT_SOURCES := $(sort $(wildcard tests/unit/test-*.c))
CRASH_SOURCES := $(sort $(wildcard tests/crash/*.c))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz-*.c))
FUZZ_TESTS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/tests/%)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzzers/%)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%) $(FUZZ_TESTS)
CLI_TESTS := $(sort $(wildcard tests/cli/*.bats))
GUILE_TESTS := $(sort $(wildcard tests/guile/*.bats tests/kill/*.bats \
  tests/storm/*.bats))
CRASH := $(BUILD)/tests/crash-states
DYING := $(BUILD)/tests/dying/cs-run $(BUILD)/tests/dying/cs-create

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/obj/%.o) \
  $(GENERATED:%.c=$(BUILD)/obj/%.o)
PIC_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/pic/%.o) \
  $(GENERATED:%.c=$(BUILD)/pic/%.o)
CMD_OBJECTS := $(CMD_SOURCES:%.c=$(BUILD)/obj/%.o)
SHARED_OBJECTS := $(CMD_SHARED:%.c=$(BUILD)/obj/%.o)
INSPECT_OBJECTS := $(INSPECT_SOURCES:%.c=$(BUILD)/obj/%.o)

LIBRARY := $(BUILD)/libcs.a
SHARED := $(BUILD)/libcs.so.0

# -------------------------------------------------------------------- build

.PHONY: all commands
commands: $(BINARIES)
all: $(BINARIES) $(LIBRARY) $(SHARED) $(BUILD)/libcs.so $(BUILD)/libcs.pc

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# Changes when the compiler or its flags do, warnings aside; everything is
# compiled again.
FLAGS := $(CC) $(CS_CPPFLAGS) $(CS_CFLAGS) $(CPPFLAGS) $(CFLAGS) \
  $(CS_LDFLAGS) $(CS_RUN_LIBS) $(LDFLAGS) $(CS_LIBS) $(VERSION)

$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@command -v $(firstword $(CC)) >/dev/null \
	  || { echo "no compiler '$(firstword $(CC))': run 'make deps'" >&2; \
	       exit 1; }
	@test -d "arch/$(MACHINE)" \
	  || { echo "no support for machine '$(MACHINE)' (see arch/)" >&2; \
	       exit 1; }
	@$(PKG_CONFIG) --exists guile-3.0 libelf popt zlib 2>/dev/null \
	  || { echo "libraries are missing: run 'make deps'" >&2; exit 1; }
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ \
	  || echo '$(subst ','\'',$(FLAGS))' >$@

.PHONY: FORCE
FORCE:

COMPILE = $(CC) $(CS_CPPFLAGS) $(CPPFLAGS) $(CS_CFLAGS) $(CS_WARNINGS) \
  $(CFLAGS) -MMD -MP

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	$(call say,CC-PIC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -fvisibility=default -c -o $@ $<

$(BUILD)/obj/%.o: $(BUILD)/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/pic/%.o: $(BUILD)/%.c $(BUILD)/flags
	$(call say,CC-PIC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -fvisibility=default -c -o $@ $<

$(BUILD)/obj/cmd/common.o: CPPFLAGS += -DCS_VERSION='"$(VERSION)"'

$(BUILD)/policy-builtin.c: policy/guile-3.0.pol tools/embed Makefile
	$(call say,EMBED,$<)
	@mkdir -p $(@D)
	$(Q)sh tools/embed cs_policy_builtin intern/policy.h $< >$@

# Each module of Scheme as text, and as Guile's compiler compiles it.  What is
# unbound there are primitives.
GUILD ?= guild

$(BUILD)/scheme/%.go: scheme/%.scm $(BUILD)/flags
	$(call say,GUILD,$<)
	@mkdir -p $(@D)
	$(Q)GUILE_AUTO_COMPILE=0 $(GUILD) compile -W0 $(GUILD_FLAGS) -L scheme \
	  -o $@ $< >/dev/null

$(BUILD)/scheme/%.c: scheme/%.scm $(BUILD)/scheme/%.go tools/embed Makefile
	$(call say,EMBED,$<)
	$(Q)sh tools/embed cs_scheme_$(*F)_text workspace/scheme-api.h $< >$@
	$(Q)sh tools/embed cs_scheme_$(*F)_code workspace/scheme-api.h \
	  $(BUILD)/scheme/$*.go >>$@

# Made anew each time: ar would keep members whose source is gone.
$(LIBRARY): $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $(LIB_OBJECTS)

$(SHARED): $(PIC_OBJECTS) libcs/libcs.sym
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(CS_LDFLAGS) $(LDFLAGS) -Wl,-soname,libcs.so.0 \
	  -Wl,--version-script=libcs/libcs.sym \
	  -o $@ $(PIC_OBJECTS) $(LIBELF) $(ZLIB) -lpthread -ldl

$(BUILD)/libcs.so: $(SHARED)
	$(Q)ln -sf libcs.so.0 $@

# PREFIX may be another one when things are installed.
$(BUILD)/libcs.pc: libcs/libcs.pc.in VERSION $(BUILD)/flags FORCE
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	  libcs/libcs.pc.in >$@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@

LINK_COMMAND = $(CC) $(CS_LDFLAGS) $(LDFLAGS) -o $@ \
  $< $(CMD_OBJECTS_OWN) $(SHARED_OBJECTS) $(LIBRARY)

$(BUILD)/bin/cs-inspect: CMD_OBJECTS_OWN = $(INSPECT_OBJECTS)
$(BUILD)/bin/cs-inspect: $(INSPECT_OBJECTS)
$(filter-out %/cs-run,$(BINARIES)): $(BUILD)/bin/%: $(BUILD)/obj/cmd/%.o \
  $(SHARED_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK_COMMAND) $(CS_LIBS)

$(BUILD)/bin/cs-run: $(BUILD)/obj/cmd/cs-run.o $(SHARED_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK_COMMAND) $(CS_RUN_LIBS) 2>/dev/null \
	  || $(LINK_COMMAND) $(CS_RUN_LIBS_FEWER) 2>/dev/null \
	  || $(LINK_COMMAND) $(CS_LIBS)

# A test gets those of the commands' parts that it refers to: one that replaces
# free() cannot be linked with what makes stores.
$(BUILD)/parts.a: $(SHARED_OBJECTS)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/parts.a $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CS_LDFLAGS) $(LDFLAGS) -o $@ \
	  $< $(BUILD)/parts.a $(LIBRARY) -lcmocka $(CS_LIBS)

# The harnesses: with what replays seeds and cases, and with libFuzzer.
$(FUZZ_SOURCES:%.c=$(BUILD)/obj/%.o): CPPFLAGS += -Itests/unit
$(FUZZ_TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/fuzz/%.o \
  $(BUILD)/obj/tests/fuzz/replay.o $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CS_LIBS)

$(FUZZERS): $(BUILD)/fuzzers/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CS_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(CS_LIBS)

$(CRASH): $(CRASH_SOURCES:%.c=$(BUILD)/obj/%.o) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CS_LIBS)

# Commands that die where CS_DIE says.
$(BUILD)/tests/dying/%: $(BUILD)/obj/tests/kill/die.o $(BUILD)/obj/cmd/%.o \
  $(SHARED_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CS_LIBS)

-include $(LIB_OBJECTS:.o=.d) $(PIC_OBJECTS:.o=.d) $(CMD_OBJECTS:.o=.d) \
  $(UNIT_SOURCES:%.c=$(BUILD)/obj/%.d) $(CRASH_SOURCES:%.c=$(BUILD)/obj/%.d) \
  $(FUZZ_SOURCES:%.c=$(BUILD)/obj/%.d) $(BUILD)/obj/tests/fuzz/replay.d

# -------------------------------------------------------------------- tests
# One runner, tests/run, runs whatever it is given and prints one summary.

# Small libraries that tests read and rebase; no list of them here.
$(BUILD)/elf/stamp: $(wildcard tests/elf/*)
	$(call say,FIXTURE,$(BUILD)/elf)
	@mkdir -p $(@D)
	$(Q)if [ -f tests/elf/build.sh ]; then \
	  sh tests/elf/build.sh tests/elf $(BUILD)/elf; fi
	@touch $@

.PHONY: unit-tests fixtures
fixtures: $(BUILD)/elf/stamp
unit-tests: $(UNIT_TESTS) fixtures

RUN := BUILD=$(BUILD) bash tests/run -j $(JOBS) -t $(TEST_TIMEOUT)

# The variants are whole builds in folders of their own.  With sanitizers the
# compiler warns of what cannot happen, so there warnings are no errors.
ASAN := BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS='-O1 -g'
I386 := BUILD=$(BUILD)/i386 M32=1
# Another build of the commands, of another compiler if there is one.
OTHER := BUILD=$(BUILD)/other CFLAGS='-O1 -g' \
  CC=$(if $(shell command -v $(CLANG)),$(CLANG),'$(CC)')

# Can this compiler make a 32-bit program with all libraries?
HASH := \#
HAVE_I386 = $(shell \
  printf '%s\n' '$(HASH)include <libguile.h>' 'int main (void) { return 0; }' \
  | $(CC) -m32 $(GUILE_CFLAGS) -xc -o /dev/null - -Wl,--no-as-needed \
    $(CS_LIBS) -lcmocka 2>/dev/null && echo yes)
# Code that never starts Guile is checked with sanitizers in its commands too.
ASAN_CLI := $(wildcard tests/cli/cs-intern.bats)

.PHONY: check check-built
check:
	@sh tools/install-packages build test extra i386
	@+$(MAKE) --no-print-directory check-built

# Jobs for a make below one that has no job server of its own.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,\
  -j$(shell nproc 2>/dev/null || echo 1))

check-built:
	@+$(MAKE) --no-print-directory $(PARALLEL) WERROR=1 all unit-tests \
	  $(CRASH) $(DYING)
	@+$(MAKE) --no-print-directory WERROR=1 other
	@+$(MAKE) --no-print-directory $(PARALLEL) $(ASAN) all unit-tests
	@+$(if $(HAVE_I386),$(MAKE) --no-print-directory $(PARALLEL) $(I386) \
	  WERROR=1 all unit-tests)
	@$(RUN) $(UNIT_TESTS) $(CRASH) $(CLI_TESTS) $(GUILE_TESTS) \
	  --build $(BUILD)/asan \
	  $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%) $(ASAN_CLI) \
	  $(if $(HAVE_I386),--build $(BUILD)/i386 \
	    $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/i386/%),\
	    --skip 'i386: no 32-bit compiler or libraries')

.PHONY: other
other:
	@+$(MAKE) --no-print-directory $(PARALLEL) $(OTHER) commands

.PHONY: check-unit check-cli check-guile check-asan check-i386
check-unit: unit-tests
	@$(RUN) $(UNIT_TESTS)

check-cli: all fixtures
	@$(RUN) $(CLI_TESTS)

check-guile: all $(DYING) other
	@$(RUN) $(GUILE_TESTS)

check-asan:
	@+$(MAKE) --no-print-directory $(PARALLEL) $(ASAN) all unit-tests
	@$(RUN) --build $(BUILD)/asan \
	  $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%) $(ASAN_CLI)

check-i386:
	@+$(MAKE) --no-print-directory $(PARALLEL) $(I386) all unit-tests
	@$(RUN) --build $(BUILD)/i386 $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/i386/%)

# A core of them, for a system where not all can be run.
CORE_TESTS := tests/cli/examples.bats \
  $(addprefix tests/guile/,data.bats objects.bats extensions.bats foreign.bats)

.PHONY: check-core
check-core:
	@sh tools/install-packages build test
	@+$(MAKE) --no-print-directory $(PARALLEL) all unit-tests
	@$(RUN) $(UNIT_TESTS) $(CORE_TESTS)

# Small systems of these Debian releases, made below $(DEBIAN_CACHE): each
# builds, and every store is used in all of them.
DEBIAN ?= 12 13 unstable
DEBIAN_CACHE ?= $(BUILD)/debian

.PHONY: check-debian
check-debian: all
	@sh tools/install-packages debian
	@DEBIAN='$(DEBIAN)' DEBIAN_CACHE="$$(mkdir -p '$(DEBIAN_CACHE)' && cd '$(DEBIAN_CACHE)' && pwd)" \
	  $(RUN) -t 10000 tests/debian/check

# Programs of other people's packages, and their suites.
PACKAGES ?=

.PHONY: check-packages
check-packages: all
	@sh tools/install-packages extra packages
	@PACKAGES='$(PACKAGES)' $(RUN) -t 10000 tests/packages/check \
	  tests/guile/packages.bats

# Power failures and kills in numbers; `make check` has some of each.
.PHONY: check-crash
check-crash: all $(CRASH) $(DYING)
	@CRASH_STATES=$(CRASH_STATES) KILL_ROUNDS=$(KILL_ROUNDS) \
	  READER_COMMITS=$(READER_COMMITS) \
	  $(RUN) -t 10000 $(CRASH) tests/kill/kill.bats tests/guile/readers.bats

# One workspace that is resumed, works, and is killed, many times.
.PHONY: soak
soak: all
	@SOAK_CYCLES=$(SOAK_CYCLES) $(RUN) -t 10000 tests/guile/soak.bats

# Workspaces with many threads, saved and ended at any moment.
.PHONY: storm
storm: all
	@PATH="$$PWD/$(BUILD)/bin:$$PATH" BUILD=$(BUILD) bash tests/storm/run \
	  --minutes $(STORM_TIME) $(if $(STORM_SEED),--seed $(STORM_SEED))

# Changes of one place in the source, each of which a suite must notice: by
# name, file or number (MUTANTS='log-* 20-29'), all by default.
MUTANTS ?=

.PHONY: check-mutants
check-mutants: commands unit-tests $(CRASH)
	@sh tools/install-packages build test
	@set -f; BUILD=$(BUILD) bash tests/mutants/run $(MUTANTS)

# Looks for inputs that no test has thought of; what is found is kept by hand
# in tests/fuzz/cases.
FUZZ_BUILD := BUILD=$(BUILD)/fuzz CC=$(CLANG) SANITIZE=address,undefined \
  CFLAGS='-O1 -g -fsanitize=fuzzer-no-link'

.PHONY: fuzz fuzzers
fuzz: fixtures
	@sh tools/install-packages fuzz
	@CLANG=$(CLANG) sh tests/fuzz/run --check
	@+$(MAKE) --no-print-directory $(PARALLEL) $(FUZZ_BUILD) fuzzers
	@CS_TEST_ELF_DIR=$(BUILD)/elf sh tests/fuzz/run $(BUILD)/fuzz \
	  $(FUZZ_TIME) $(FUZZ)

fuzzers: $(FUZZERS) $(FUZZ_TESTS)

.PHONY: lint check-docs bench
lint:
	@BUILD=$(BUILD) CC='$(CC)' CPPFLAGS='$(CS_CPPFLAGS)' sh tools/lint

check-docs: all
	@BUILD=$(BUILD) bash tools/check-docs

bench: all
	@PATH="$$PWD/$(BUILD)/bin:$$PATH" BUILD=$(BUILD) sh bench/run.sh

# ------------------------------------------------------- packages, first try

.PHONY: deps try
deps:
	@sh tools/install-packages build test extra i386

try:
	@sh tools/install-packages build
	@+$(MAKE) --no-print-directory $(PARALLEL) all
	@sh tools/try $(BUILD)/bin

# ------------------------------------------------------------- installation

MAN_PAGES := $(sort $(wildcard man/*.[1-9]))
POLICIES := $(sort $(wildcard policy/*.pol))
BASH_COMPLETIONS := $(sort $(wildcard completions/bash/cs-*))
ZSH_COMPLETIONS := $(sort $(wildcard completions/zsh/_cs-*))
FISH_COMPLETIONS := $(sort $(wildcard completions/fish/cs-*.fish))
DOCUMENTS := README.md NEWS COPYING COPYING.LESSER
EXAMPLES := $(sort $(wildcard doc/examples/*))

INSTALL := install
TO := $(DESTDIR)$(PREFIX)

.PHONY: install uninstall
install: all
	$(INSTALL) -d "$(TO)/bin" "$(TO)/lib/pkgconfig" "$(TO)/include/libcs" \
	  "$(TO)/share/coldstore/policy" "$(TO)/share/doc/coldstore/examples" \
	  "$(TO)/share/bash-completion/completions" \
	  "$(TO)/share/zsh/site-functions" \
	  "$(TO)/share/fish/vendor_completions.d"
	$(INSTALL) -m 755 $(BINARIES) "$(TO)/bin"
	$(INSTALL) -m 644 $(LIBRARY) $(SHARED) "$(TO)/lib"
	ln -sf libcs.so.0 "$(TO)/lib/libcs.so"
	$(INSTALL) -m 644 $(BUILD)/libcs.pc "$(TO)/lib/pkgconfig"
	for h in $(PUBLIC_HEADERS); do \
	  $(INSTALL) -D -m 644 libcs/$$h "$(TO)/include/libcs/$$h" || exit 1; \
	done
	for m in $(notdir $(MAN_PAGES)); do \
	  $(INSTALL) -D -m 644 man/$$m "$(TO)/share/man/man$${m##*.}/$$m" \
	  || exit 1; \
	done
	for p in $(POLICIES); do \
	  $(INSTALL) -m 644 $$p "$(TO)/share/coldstore/policy" || exit 1; \
	done
	$(INSTALL) -m 644 $(BASH_COMPLETIONS) \
	  "$(TO)/share/bash-completion/completions"
	$(INSTALL) -m 644 $(ZSH_COMPLETIONS) "$(TO)/share/zsh/site-functions"
	$(INSTALL) -m 644 $(FISH_COMPLETIONS) \
	  "$(TO)/share/fish/vendor_completions.d"
	$(INSTALL) -m 644 $(DOCUMENTS) doc/*.md "$(TO)/share/doc/coldstore"
	$(INSTALL) -m 755 $(EXAMPLES) "$(TO)/share/doc/coldstore/examples"

uninstall:
	cd "$(TO)/bin" && rm -f $(COMMANDS)
	cd "$(TO)/lib" && rm -f libcs.a libcs.so.0 libcs.so pkgconfig/libcs.pc
	cd "$(TO)/share/bash-completion/completions" \
	  && rm -f $(notdir $(BASH_COMPLETIONS))
	cd "$(TO)/share/zsh/site-functions" \
	  && rm -f $(notdir $(ZSH_COMPLETIONS))
	cd "$(TO)/share/fish/vendor_completions.d" \
	  && rm -f $(notdir $(FISH_COMPLETIONS))
	for m in $(notdir $(MAN_PAGES)); do \
	  rm -f "$(TO)/share/man/man$${m##*.}/$$m"; \
	done
	rm -rf "$(TO)/include/libcs" "$(TO)/share/coldstore" \
	  "$(TO)/share/doc/coldstore"

# ------------------------------------------------------------------ release

DISTRIBUTION := coldstore-$(VERSION)

.PHONY: dist distcheck
dist:
	@mkdir -p $(BUILD)
	{ git ls-files -z 2>/dev/null | grep -z . \
	  || find . -path ./$(BUILD) -prune -o -type f -print0; } \
	| tar --null --files-from=- --sort=name --owner=0 --group=0 \
	  --numeric-owner --transform='s|^\(\./\)*|$(DISTRIBUTION)/|' \
	  -czf $(BUILD)/$(DISTRIBUTION).tar.gz

# In a folder whose name has a space: what is built, tested, installed and
# removed again comes out of the archive alone.
distcheck: dist
	rm -rf "$(BUILD)/dist check"
	mkdir "$(BUILD)/dist check"
	tar -xzf $(BUILD)/$(DISTRIBUTION).tar.gz -C "$(BUILD)/dist check"
	+unset MAKEFLAGS BUILD; \
	cd "$(BUILD)/dist check/$(DISTRIBUTION)" \
	&& $(MAKE) $(PARALLEL) WERROR=1 all \
	&& $(MAKE) check-built \
	&& $(MAKE) install PREFIX=/usr DESTDIR="$$PWD/build/root dir" \
	&& $(MAKE) uninstall PREFIX=/usr DESTDIR="$$PWD/build/root dir" \
	&& ! find "build/root dir" ! -type d | grep . \
	&& $(MAKE) clean && ! test -e build
	rm -rf "$(BUILD)/dist check"

.PHONY: clean help
clean:
	rm -rf $(BUILD)

help:
	@echo 'make              build the commands and libcs into $(BUILD)/'
	@echo 'make try          packages, build, and a workspace to look at'
	@echo 'make check        packages, build, all tests'
	@echo 'make check-unit check-cli check-guile check-asan check-i386'
	@echo '                  parts of it'
	@echo 'make check-core   some of them'
	@echo 'make check-debian small systems of Debian releases: each builds, and'
	@echo '                  stores are moved through all of them (root)'
	@echo 'make check-packages'
	@echo '                  programs of other packages, beside plain guile'
	@echo 'make check-crash  power failures and kills, many of them'
	@echo 'make check-mutants'
	@echo '                  changes of one place in the source: tests must notice'
	@echo 'make soak         1,000 lives of a workspace: nothing may grow'
	@echo 'make storm        threads of all kinds, saved and ended at any moment'
	@echo 'make fuzz         inputs that nobody has thought of (clang)'
	@echo 'make lint check-docs'
	@echo '                  source, scripts, manual pages'
	@echo 'make bench        measurements'
	@echo 'make deps         install the packages that are needed (Debian)'
	@echo 'make install uninstall'
	@echo '                  into $$(DESTDIR)$$(PREFIX), now $(TO)'
	@echo 'make dist distcheck'
	@echo '                  the source archive, and a check of it'
	@echo 'make clean        remove $(BUILD)/'
	@echo
	@echo 'Variables: CC CFLAGS LDFLAGS PREFIX DESTDIR BUILD V=1'
	@echo '           SANITIZE=address,undefined M32=1 WERROR=1 JOBS=2'
	@echo '           TEST_TIMEOUT=600 CRASH_STATES=200 KILL_ROUNDS=200'
	@echo '           READER_COMMITS=1200 SOAK_CYCLES=1000'
	@echo '           STORM_TIME=60 STORM_SEED=n'
	@echo '           FUZZ_TIME=60 FUZZ="log backup" MUTANTS="log-* 20-29"'
	@echo '           PACKAGES="graphviz json"'
	@echo '           DEBIAN="12 13 unstable 12/i386" DEBIAN_CACHE DEBIAN_MIRROR'
