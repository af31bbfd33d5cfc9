# volt: make [all|install|uninstall|check|lint|bench|demo|deps|clean|help]
VERSION = 0.1.0
PREFIX ?= /usr/local
MANDIR ?= $(PREFIX)/share/man
O ?= build

# A link is one exec: static against musl it costs a fifth of what it does
# against glibc, and not position-independent half of what it does otherwise
# (bench/RESULTS.md). Without musl-gcc, or with CC= or SAN=, glibc serves.
ifeq ($(origin CC),default)
CC := $(if $(SAN),,$(shell command -v musl-gcc))
CC := $(or $(CC),gcc)
endif
MUSL := $(findstring musl,$(CC))

PROGRAMS = volt-ns volt-cg volt-init volt-lock volt-net volt-kvm
LIB_SRC = $(wildcard lib/*.c)
SRC = $(LIB_SRC) $(foreach p,$(PROGRAMS),$(wildcard cmd/$(p)/*.c))
BIN = $(PROGRAMS:%=$(O)/bin/%)
PROFILER = $(O)/bin/volt-seccomp
KVM_OBJ = $(patsubst %.c,$(O)/pie/%.o,$(LIB_SRC) $(wildcard cmd/volt-kvm/*.c))
MAN = $(patsubst man/%.scd,$(O)/man/%,$(wildcard man/*.scd))
SHARE = $(patsubst share/%,$(O)/share/volt/%,$(wildcard share/*))

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef \
	-Wformat=2 -Wimplicit-fallthrough $(if $(CI),-Werror)
HARDEN = -fstack-protector-strong -fno-strict-aliasing -fcf-protection
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARN) $(HARDEN) -Ilib -I$(O)/gen \
	-DVOLT_VERSION='"$(VERSION)"' -DVOLT_PREFIX='"$(PREFIX)"' \
	$(if $(MUSL),-isystem $(O)/kernel) $(if $(SAN),\
	-fsanitize=$(SAN) -fno-omit-frame-pointer,-fno-pie -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2) $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN),-static) \
	-Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections $(LDFLAGS)
Q := $(if $(V),,@)

all: $(BIN) $(PROFILER) $(MAN) $(SHARE)

STATICS = $(filter-out volt-net volt-kvm,$(PROGRAMS))
$(foreach p,$(STATICS),$(eval \
	$(O)/bin/$(p): $(patsubst %.c,$(O)/%.o,$(wildcard cmd/$(p)/*.c))))
$(STATICS:%=$(O)/bin/%): $(O)/lib.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(O)/lib.a

# The guest is the enemy: volt-kvm is position-independent, and static as well.
# musl-gcc knows no -static-pie.
PIE = $(if $(SAN),-pie,$(if $(MUSL),-nostartfiles $(O)/kernel/rcrt1.o \
	-Wl$(comma)-pie$(comma)--no-dynamic-linker$(comma)-z$(comma)text,-static-pie))
comma = ,
$(O)/bin/volt-kvm: $(KVM_OBJ)
	$(if $(V),,@echo "  LD    $@")
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out $(if $(MUSL),,-static),$(ALL_LDFLAGS)) \
	    -pthread $(PIE) -o $@ $^

$(O)/pie/%.o: %.c Makefile | $(O)/kernel
	$(if $(V),,@echo "  CC    $@")
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -fPIE -MMD -MP -c -o $@ $<

$(O)/lib.a: $(LIB_SRC:%.c=$(O)/%.o)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/%.o: %.c Makefile | $(O)/kernel
	$(if $(V),,@echo "  CC    $@")
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A unit test is tests/unit/X.c, with the harness and lib.
UNITS = $(patsubst tests/unit/%.c,$(O)/unit/%.t,\
	$(filter-out %/unit.c,$(wildcard tests/unit/*.c)))
HELPERS = $(patsubst tests/helpers/%.c,$(O)/helpers/%,\
	$(wildcard tests/helpers/*.c))
unit: $(UNITS) $(HELPERS)
$(O)/helpers/%.so: tests/helpers/%.so.c
	$(Q)mkdir -p $(@D) && gcc -O2 -shared -fPIC -o $@ $<
$(O)/helpers/%: tests/helpers/%.c
	$(Q)mkdir -p $(@D) && gcc -O2 -static -o $@ $<
$(O)/helpers/probe $(O)/helpers/launch: tests/helpers/snapshot.h
$(O)/unit/%.t: $(O)/tests/unit/%.o $(O)/tests/unit/unit.o $(O)/lib.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_LDFLAGS) -o $@ $^
.SECONDARY:

# volt-seccomp has libseccomp in it, and so glibc. It makes the filters that
# volt-lock has built in, and its names of system calls.
GLIBC_CC := $(if $(MUSL),gcc,$(CC))
$(PROFILER): $(patsubst %.c,$(O)/glibc/%.o,$(LIB_SRC) $(wildcard cmd/volt-seccomp/*.c))
	$(if $(V),,@echo "  LD    $@")
	$(Q)mkdir -p $(@D) && $(GLIBC_CC) $(ALL_LDFLAGS) -o $@ $^ -lseccomp

# Debian has libmnl for glibc, and only shared: volt-net alone is dynamic; it
# never runs behind a changed root.
$(O)/bin/volt-net: $(patsubst %.c,$(O)/glibc/%.o,$(LIB_SRC) $(wildcard cmd/volt-net/*.c))
	$(if $(V),,@echo "  LD    $@")
	$(Q)mkdir -p $(@D) && $(GLIBC_CC) $(filter-out -static,$(ALL_LDFLAGS)) \
	    -no-pie -o $@ $^ $$(pkg-config --libs libmnl)

$(O)/glibc/%.o: %.c Makefile | $(O)/kernel
	$(if $(V),,@echo "  CC    $@")
	$(Q)mkdir -p $(@D) && $(GLIBC_CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

FILTERS = $(patsubst share/%.seccomp,$(O)/gen/%.h,$(wildcard share/*.seccomp))
$(addprefix $(O)/cmd/volt-lock/,seccomp.o learn.o): | \
	$(addprefix $(O)/gen/,calls.h) $(FILTERS)
$(O)/gen/%.h: share/%.seccomp share/seccomp.groups $(PROFILER)
	$(Q)mkdir -p $(@D) && $(PROFILER) -c profile=$< groups=share/seccomp.groups >$@.new && mv $@.new $@
$(O)/gen/calls.h: $(PROFILER)
	$(Q)mkdir -p $(@D) && $(PROFILER) -n | sed 's/\(.*\) \(.*\)/[\1] = "\2",/' >$@.new && mv $@.new $@

# musl-gcc hides the system's headers; of those the kernel's are wanted.
$(O)/kernel:
	$(Q)mkdir -p $@ && for d in linux asm-generic mtd video; do \
	    ln -sfn /usr/include/$$d $@/$$d; done && \
	    ln -sfn "$$(dirname "$$(echo '#include <asm/types.h>' | \
	    gcc -E -M -xc - | grep -o '/[^ ]*/asm/types.h')")" $@/asm && \
	    ln -sfn "$$($(CC) -\#\#\# -xc /dev/null 2>&1 | \
	    grep -o '/[^ ]*/Scrt1.o' | sed s/Scrt1/rcrt1/)" $@/rcrt1.o

$(O)/man/%: man/%.scd
	$(Q)mkdir -p $(@D) && scdoc <$< >$@

$(O)/share/volt/%: share/%
	$(Q)mkdir -p $(@D) && cp $< $@

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/volt \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	install $(BIN) $(PROFILER) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(filter %.7,$(MAN)) $(DESTDIR)$(MANDIR)/man7
	$(if $(SHARE),install -m 644 $(SHARE) $(DESTDIR)$(PREFIX)/share/volt)

uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f $(PROGRAMS) volt-seccomp
	cd $(DESTDIR)$(MANDIR) && rm -f $(foreach m,$(notdir $(MAN)),man$(subst .,,$(suffix $(m)))/$(m))
	rm -rf $(DESTDIR)$(PREFIX)/share/volt

check: ; $(Q)O=$(O) tests/run
random: all unit ; $(Q)O=$(O) tests/random/run --seconds $(or $(SECONDS),60)
faults: all unit ; $(Q)tests/guest/build $(O)/guest && O=$(O) tests/faults/run
lint: ; $(Q)O=$(O) tests/lint
bench: all ; $(Q)O=$(O) bench/run
demo: ; $(Q)O=$(O) examples/demo
deps: ; $(Q)tests/deps
compile_commands.json: ; $(Q)tests/lint $@
clean: ; rm -rf $(O)
help:
	@echo 'make [all]      build the programs in $(O)/bin and the manuals'
	@echo 'make demo       install what is missing, build, run a container'
	@echo 'make check      install what is missing, build, run all tests'
	@echo 'make random     random chains against a model, for SECONDS=60'
	@echo 'make faults     each system call of many chains fails once'
	@echo 'make deps       install what building and testing need'
	@echo 'make lint       compilers, clang-tidy, cppcheck, shellcheck'
	@echo 'make bench      measure against the peers'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'variables       O=build CC= CFLAGS= SAN=address,undefined V=1'

.PHONY: all install uninstall check random faults lint bench demo deps clean help \
	compile_commands.json unit
-include $(SRC:%.c=$(O)/%.d) $(wildcard $(O)/tests/unit/*.d) \
	$(wildcard $(O)/glibc/*/*.d $(O)/glibc/cmd/*/*.d) $(KVM_OBJ:.o=.d)
