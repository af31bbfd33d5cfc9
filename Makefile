# volt. `make help` lists the targets.
VERSION = 0.1.0
PREFIX ?= /usr/local
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/volt
COMPLETIONS = $(PREFIX)/share/bash-completion/completions
O ?= build

# A link is one exec: static against musl it costs a fifth of what it does
# against glibc, and not position-independent half of what it does otherwise
# (bench/RESULTS.md). Without musl-gcc, or with CC= or SAN=, glibc serves.
ifeq ($(origin CC),default)
CC := $(if $(SAN),,$(shell command -v musl-gcc))
CC := $(or $(CC),gcc)
endif
MUSL := $(findstring musl,$(CC))

# The programs, and how each is linked (below). FRONTS take another program's
# options. volt-guest is no command: it is the first program of volt-kvm's guests.
# SCRIPTS are shell.
PROGRAMS = volt-ns volt-cg volt-init volt-lock volt-net volt-kvm volt-seccomp
FRONTS = volt-bwrap
SCRIPTS = volt-image
volt-ns.link = static
volt-bwrap.link = static
volt-cg.link = static
volt-init.link = static
volt-lock.link = static
volt-guest.link = static
volt-kvm.link = pie
volt-net.link = glibc
volt-seccomp.link = glibc

INSTALLED = $(PROGRAMS) $(FRONTS) volt-guest
BIN = $(INSTALLED:%=$(O)/bin/%)
SCRIPT = $(SCRIPTS:%=$(O)/bin/%)
PROFILER = $(O)/bin/volt-seccomp
LIB_SRC = $(wildcard lib/*.c)
MAN = $(patsubst man/%.scd,$(O)/man/%,$(wildcard man/*.scd))
EXAMPLES = $(filter-out examples/demo examples/inside,$(wildcard examples/*))
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
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) \
	-Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections $(LDFLAGS)
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)    $@")
comma = ,

# static: most of them; they also run behind a changed root.
static.cc = $(CC)
static.ld = $(CC) $(ALL_LDFLAGS) $(if $(SAN),,-static)
# pie: the guest is the enemy. musl-gcc knows no -static-pie.
pie.cc = $(CC)
pie.cflags = -fPIE
pie.ld = $(CC) $(ALL_LDFLAGS) -pthread $(if $(SAN),-pie,$(if $(MUSL),\
	-static -nostartfiles $(O)/kernel/rcrt1.o \
	-Wl$(comma)-pie$(comma)--no-dynamic-linker$(comma)-z$(comma)text,-static-pie))
# glibc: Debian has libseccomp and libmnl for it alone, and libmnl only shared.
# volt-net never runs behind a changed root.
glibc.cc = $(if $(MUSL),gcc,$(CC))
glibc.ld = $(glibc.cc) $(ALL_LDFLAGS)
volt-net.libs = -no-pie $$(pkg-config --libs libmnl) -l:libcap.a
volt-seccomp.libs = $(if $(SAN),,-static) -lseccomp

all: $(BIN) $(SCRIPT) $(MAN) $(SHARE)

define link_rules
$(O)/$(1)/%.o: %.c Makefile | $(O)/kernel
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$($(1).cc) $$(ALL_CFLAGS) $$($(1).cflags) -MMD -MP -c -o $$@ $$<
$(O)/$(1)/lib.a: $(LIB_SRC:%.c=$(O)/$(1)/%.o)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach l,static pie glibc,$(eval $(call link_rules,$(l))))

define program_rules
$(O)/bin/$(1): $(patsubst %.c,$(O)/$($(1).link)/%.o,$(wildcard cmd/$(1)/*.c)) \
    $(O)/$($(1).link)/lib.a
	$$(call say,LD)
	$$(Q)mkdir -p $$(@D) && $$($($(1).link).ld) -o $$@ $$^ $$($(1).libs)
endef
$(foreach p,$(INSTALLED),$(eval $(call program_rules,$(p))))

# A unit test is tests/unit/X.c, with the harness and lib; of the programs some
# files can be tested so, too.
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
$(O)/unit/%.t: $(O)/static/tests/unit/%.o $(O)/static/tests/unit/unit.o $(O)/static/lib.a
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(static.ld) -o $@ $(filter %.o,$^) $(filter %.a,$^)
$(O)/unit/virtq.t: $(addprefix $(O)/static/cmd/volt-kvm/,virtq.o ram.o)
$(O)/unit/partition.t: $(addprefix $(O)/static/cmd/volt-kvm/,partition.o superblock.o)
$(O)/unit/join.t: $(addprefix $(O)/static/cmd/volt-guest/,join.o command.o pump.o)
$(O)/unit/rate.t: $(O)/static/cmd/volt-kvm/rate.o
$(O)/unit/talk.t: $(O)/static/cmd/volt-kvm/talk.o
$(O)/unit/vsock.t: $(O)/static/cmd/volt-kvm/vsock.o
$(O)/unit/fuse.t: $(O)/static/cmd/volt-kvm/fuse.o
$(O)/unit/shadow.t: $(O)/static/cmd/volt-kvm/shadow.o
$(O)/unit/idmap.t: $(O)/static/cmd/volt-ns/idmap.o
$(O)/unit/lease.t: $(addprefix $(O)/static/cmd/volt-net/,lease_name.o addr.o)
.SECONDARY:

# What is generated: filters and names of system calls by volt-seccomp, for volt-lock
# and volt-kvm, and names of capabilities by libcap, for lib.
FILTERS = $(patsubst share/%.seccomp,$(O)/gen/%.h,$(wildcard share/*.seccomp))
$(addprefix $(O)/static/cmd/volt-lock/,seccomp.o learn.o): | \
	$(O)/gen/calls.h $(FILTERS)
$(O)/pie/cmd/volt-kvm/lock.o: | $(FILTERS)
$(foreach l,static pie glibc,$(O)/$(l)/lib/capname.o): | $(O)/gen/caps.inc
$(O)/gen/caps.inc: cmd/volt-lock/gen/caps.c
	$(Q)mkdir -p $(@D) && gcc -o $(O)/gen/caps $< -lcap && $(O)/gen/caps >$@.new && mv $@.new $@
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

# What is in @CAPITALS@ in a script is known when it is built.
FILL = $(Q)mkdir -p $(@D) && sed 's,@VERSION@,$(VERSION),' $< >$@
$(O)/bin/volt-image: cmd/volt-image/volt-image.sh Makefile
	$(FILL) && chmod 755 $@

$(O)/man/%: man/%.scd
	$(Q)mkdir -p $(@D) && scdoc <$< >$@

$(O)/share/volt/%: share/%
	$(Q)mkdir -p $(@D) && cp $< $@

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/volt \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	install $(BIN) $(SCRIPT) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(filter %.7,$(MAN)) $(DESTDIR)$(MANDIR)/man7
	$(if $(SHARE),install -m 644 $(SHARE) $(DESTDIR)$(PREFIX)/share/volt)
	install -d $(DESTDIR)$(DOCDIR)/examples
	install -m 644 README.md $(DESTDIR)$(DOCDIR)
	cp $(EXAMPLES) $(DESTDIR)$(DOCDIR)/examples
	install -d $(DESTDIR)$(COMPLETIONS)
	for p in $(PROGRAMS) $(FRONTS) $(SCRIPTS); do \
	    ln -sfn ../../volt/completion.bash $(DESTDIR)$(COMPLETIONS)/$$p; done

uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f $(INSTALLED) $(SCRIPTS)
	cd $(DESTDIR)$(MANDIR) && rm -f $(foreach m,$(notdir $(MAN)),man$(subst .,,$(suffix $(m)))/$(m))
	rm -rf $(DESTDIR)$(PREFIX)/share/volt $(DESTDIR)$(DOCDIR)
	cd $(DESTDIR)$(COMPLETIONS) && rm -f $(PROGRAMS) $(FRONTS) $(SCRIPTS)

check: ; $(Q)O=$(O) tests/run
random: all unit ; $(Q)O=$(O) tests/random/run --seconds $(or $(SECONDS),60)
faults: all unit ; $(Q)tests/guest/build $(O)/guest && O=$(O) tests/faults/run
fuzz: ; $(Q)O=$(O) tests/fuzz/run $(or $(SECONDS),600)
peers: all ; $(Q)O=$(O) tests/peers/bubblewrap $(SOURCES)
lint: ; $(Q)O=$(O) tests/lint
bench: all ; $(Q)O=$(O) bench/run
demo: ; $(Q)O=$(O) examples/demo
deps: ; $(Q)tests/deps
tags: ; $(Q)ctags -R lib cmd
dist: ; $(Q)git archive --prefix=volt-$(VERSION)/ -o volt-$(VERSION).tar.gz HEAD
compile_commands.json: ; $(Q)tests/lint $@
clean: ; rm -rf $(O)
help:
	@echo 'make [all]      build the programs in $(O)/bin and the manuals'
	@echo 'make demo       install what is missing, build, run a container'
	@echo 'make check      install what is missing, build, run all tests'
	@echo 'make random     random chains against a model, for SECONDS=60'
	@echo 'make faults     each system call of many chains fails once'
	@echo 'make fuzz       every parser, for SECONDS=600 each'
	@echo "make peers      bubblewrap's tests, from SOURCES=DIR, with volt-bwrap"
	@echo 'make deps       install what building and testing need'
	@echo 'make lint       compilers, clang-tidy, cppcheck, shellcheck'
	@echo 'make bench      measure against the peers'
	@echo 'make dist       volt-$(VERSION).tar.gz, of what is committed'
	@echo 'make tags       an index of the source for editors'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'variables       O=build CC= CFLAGS= SAN=address,undefined V=1'

.PHONY: all install uninstall check random faults fuzz peers lint bench demo deps \
	dist tags clean help compile_commands.json unit
-include $(wildcard $(foreach d,cmd/* lib tests/unit,$(O)/*/$(d)/*.d))
