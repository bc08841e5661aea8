# SPDX-License-Identifier: MIT
#
# A directory is a shipped artefact of the same name: adding a .c file to it is enough.
#
#   make            everything, into build/           make check       all tests (installs what they need)
#   make demo       the main job, end to end          make check-asan  unit tests under ASan and UBSan
#   make deb        the Debian packages               make check-links what each artefact links and exports
#   make fuzz       every parser, FUZZ_SECONDS each   make lint        style, budgets, banned calls, man pages
#   make bench      figures, table and plot           make install     into DESTDIR
#   make check-debian13  the tests on real hosts, with Debian 13 on them
#
# Knobs: V=1 CC CFLAGS CPPFLAGS LDFLAGS DESTDIR PREFIX SYSCONFDIR LIBDIR SAN=1 WERROR=1.
# Required flags stand in BASIC, apart from CFLAGS, so that a packager's CFLAGS cannot drop them.

VERSION := 0.1.0
PREFIX ?= /usr
SYSCONFDIR ?= /etc
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIR ?= $(PREFIX)/lib/$(MULTIARCH)
PAMDIR ?= $(LIBDIR)/security
UNITDIR ?= /lib/systemd/system
B ?= build$(if $(SAN),/san)
FUZZ_SECONDS ?= 10

CFLAGS ?= -O2 -g
comma := ,
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

BASIC := -std=gnu17 -D_GNU_SOURCE -DPRISM_VERSION='"$(VERSION)"' -fPIC -MMD -MP \
	-Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wwrite-strings -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wno-format-truncation -Wno-unused-parameter -Wno-missing-field-initializers
HARDEN := $(if $(SAN)$(FUZZ),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection)
comma := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined)$(if $(FUZZ),-fsanitize=fuzzer-no-link$(comma)address$(comma)undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined)
LINK := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANFLAGS)
COMPILE = $(CC) $(BASIC) $(HARDEN) $(SANFLAGS) $(if $(WERROR),-Werror) $(INC) $(CPPFLAGS) $(CFLAGS)

# The one artefact whose headers are not where the compiler looks by itself.
LASSO_CFLAGS = $(shell pkg-config --cflags lasso)

LIBS_ := base snapshot access feed agent api
PROGRAMS := prism-keys prism-sync prism-central prism prism-saml
MODULES := libnss_prism.so.2 pam_prism.so

all: $(MODULES:%=$(B)/%) $(PROGRAMS:%=$(B)/%)

# ---- objects: what a folder may include is its include path ------------------------------------

srcs = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(B)/obj/%.o,$(call srcs,$(1)))

$(B)/obj/%.o: INC = -Ilib
$(B)/obj/nss_prism/%.o $(B)/obj/lib/snapshot/%.o: INC = -Ilib/snapshot
$(B)/obj/tests/%.o: INC = -Ilib -Itests -I.
$(B)/obj/bench/%.o: INC = -Ilib -I.
$(B)/obj/prism-central/%.o: INC = -Ilib -Iprism-central -I$(B)/gen
$(B)/obj/prism-saml/%.o: INC = -Ilib $(LASSO_CFLAGS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

define library
$(B)/lib$(1).a: $$(call objs,lib/$(1))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LIBS_),$(eval $(call library,$(l))))

# Everything of an artefact but its main(), for the tests.
define artefact
$(B)/$(1).a: $$(filter-out %/main.o,$$(call objs,$(1)))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach p,$(PROGRAMS) pam_prism,$(eval $(call artefact,$(p))))

# The SQL of the migrations, embedded: one C array of {name, text}.
SQL := $(sort $(wildcard prism-central/migrations/*.sql))
$(B)/gen/migrations.inc: $(SQL) prism-central/embed-sql.sh
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sh prism-central/embed-sql.sh $(SQL) > $@.tmp && mv $@.tmp $@
$(B)/obj/prism-central/migrate.o: $(B)/gen/migrations.inc

# The style sheet of the pages, embedded under a name that has its hash.
$(B)/gen/assets.inc: prism-central/web/style.css prism-central/embed-asset.sh
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sh prism-central/embed-asset.sh $< > $@.tmp && mv $@.tmp $@
$(B)/obj/prism-central/page_asset.o: $(B)/gen/assets.inc

# ---- modules and programs ----------------------------------------------------------------------

a = $(patsubst %,$(B)/lib%.a,$(1))
module = -shared -Wl,--no-undefined,-z,nodelete,--version-script=$(filter %.map,$^)

$(B)/libnss_prism.so.2: $(call objs,nss_prism) $(call a,snapshot) nss_prism/nss_prism.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(module) -Wl,-soname,libnss_prism.so.2 $(LINK) $(LDFLAGS) -o $@ $(filter-out %.map,$^)

$(B)/pam_prism.so: $(call objs,pam_prism) $(call a,agent access snapshot base) pam_prism/pam_prism.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(module) $(LINK) $(LDFLAGS) -o $@ $(filter-out %.map,$^) -lpam

LDLIBS_prism-keys :=
LDLIBS_prism-sync := -lcurl -ljansson -lcrypto -lsystemd -lseccomp -linih -lqrencode
LDLIBS_prism-central := -levent -levent_pthreads -levent_openssl -ljansson -lssl -lcrypto -lcurl \
	-lsqlite3 -linih -lsystemd -lresolv -lpthread
LDLIBS_prism-saml = $(shell pkg-config --libs lasso libxml-2.0 gobject-2.0) -ljansson -lcrypto -lseccomp
LDLIBS_prism := -lcurl -ljansson -lcrypto -lqrencode
LIBS_prism-keys := access snapshot base
LIBS_prism-sync := api feed agent access snapshot base
LIBS_prism-central := api feed access snapshot base
LIBS_prism-saml := base
LIBS_prism := api access snapshot base

define program
$(B)/$(1): $$(call objs,$(1)) $$(call a,$$(LIBS_$(1)))
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) -pie $$(LINK) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# ---- tests -------------------------------------------------------------------------------------
# tests/DIR/t_*.c are programs, tests/DIR/t-*.sh scripts; both speak TAP; tests/run counts them.

TESTDIRS := unit nss pam sync saml central cli packages
TESTPROGS := $(foreach d,$(TESTDIRS),$(patsubst %.c,$(B)/%,$(wildcard tests/$(d)/t_*.c)))
TESTHELP := $(patsubst %.c,$(B)/%,$(filter-out tests/%/t_%,$(wildcard tests/*/helper_*.c)))
LDLIBS_tests := -lcurl -ljansson -lssl -lcrypto -lsystemd -lseccomp -linih -lpam -lpthread -ldl

$(B)/tests/sync/%: TESTLIB = $(B)/prism-sync.a
$(B)/tests/central/%: TESTLIB = $(B)/prism-central.a
$(B)/tests/saml/%: TESTLIB = $(B)/prism-saml.a
$(B)/tests/pam/%: TESTLIB = $(B)/pam_prism.a
$(B)/tests/cli/%: TESTLIB = $(B)/prism.a
$(filter $(B)/tests/sync/%,$(TESTPROGS) $(TESTHELP)): $(B)/prism-sync.a
$(filter $(B)/tests/central/%,$(TESTPROGS) $(TESTHELP)): $(B)/prism-central.a
$(filter $(B)/tests/saml/%,$(TESTPROGS) $(TESTHELP)): $(B)/prism-saml.a
$(filter $(B)/tests/pam/%,$(TESTPROGS) $(TESTHELP)): $(B)/pam_prism.a
$(filter $(B)/tests/cli/%,$(TESTPROGS) $(TESTHELP)): $(B)/prism.a
$(B)/tests/central/%: LDLIBS_extra = $(LDLIBS_prism-central)
$(B)/tests/sync/%: LDLIBS_extra = -lqrencode
$(B)/tests/cli/%: LDLIBS_extra = $(LDLIBS_prism)

$(TESTPROGS) $(TESTHELP): $(B)/%: $(B)/obj/%.o $(call a,$(LIBS_))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -pie $(LINK) $(LDFLAGS) -o $@ $< $(TESTLIB) $(call a,api feed agent access snapshot base) \
		$(LDLIBS_extra) $(LDLIBS_tests)

tests: all $(TESTPROGS) $(TESTHELP)

check-quick: tests
	$(Q)B=$(B) tests/run $(foreach d,$(TESTDIRS),$(wildcard tests/$(d)/t_*.c tests/$(d)/t-*.sh))

check:
	$(Q)tests/check.sh

# "make check" has Debian 12 on the hosts; this takes a root and packages of its own.
check-debian13:
	$(Q)packaging/install-deps.sh
	$(Q)LAB_SUITE=trixie TEST_TIMEOUT=1800 tests/run tests/lab/t-*.sh tests/lab/debian13.sh

check-asan:
	$(Q)$(MAKE) --no-print-directory SAN=1 CFLAGS='-O1 -g' check-quick

check-links: all
	$(Q)B=$(B) tests/check-links.sh

lint:
	$(Q)tests/lint.sh

fuzz:
	$(Q)B=$(B) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh

bench:
	$(Q)bench/run.sh

demo:
	$(Q)tests/lab/demo.sh

# What tests/fuzz/run.sh links its targets with: everything but the main()s, built for libFuzzer.
fuzz-objects: $(call a,$(LIBS_)) $(B)/prism-sync.a $(B)/prism-central.a $(B)/prism-saml.a \
	$(B)/prism.a

# ---- packages ----------------------------------------------------------------------------------

install:
	$(Q)B=$(B) VERSION=$(VERSION) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) LIBDIR=$(LIBDIR) \
		PAMDIR=$(PAMDIR) UNITDIR=$(UNITDIR) DESTDIR=$(DESTDIR) packaging/install.sh

deb:
	$(Q)packaging/build-deb.sh

deps:
	$(Q)packaging/install-deps.sh

clean:
	$(Q)tests/lab/clean.sh 2>/dev/null || true
	$(Q)rm -rf build

.PHONY: all tests check check-quick check-debian13 check-asan check-links lint fuzz fuzz-objects bench demo install deb deps clean
.DELETE_ON_ERROR:
.PRECIOUS: $(B)/obj/%.o
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
