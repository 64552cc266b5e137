# Alloy: build, run, test. GNU make; see README.md.
#
#   make run                  install what is missing, build, serve on port 8080
#   make test [T=t/x.t]       units, guards, then t/ over real servers
#   make test-matrix          the same with each plugin left out, and with none
#   make PLUGINS="mcp"        only these of plugins/, also with run and test
#   make faults [ROUNDS=10]   the database fails again and again, under load
#   make CC=clang             another compiler
#   make SANITIZE=address,undefined BUILD=build-asan
#   make PACKAGES=            never look at the machine's packages

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

PORT  ?= 8080
STATE ?= .state
BUILD ?= build
T     ?= t
APXS  ?= apxs
ifeq ($(origin CC),default)
CC := gcc
endif
TREE_PLUGINS := $(patsubst plugins/%/,%,$(sort $(dir \
                $(wildcard plugins/*/mod_alloy_*.c))))
PLUGINS ?= $(TREE_PLUGINS)
ifneq ($(filter-out $(TREE_PLUGINS),$(PLUGINS)),)
$(error There is no plugin $(filter-out $(TREE_PLUGINS),$(PLUGINS)) in plugins/)
endif
export PORT STATE BUILD PLUGINS

# Debian's names. apache2-bin and postgresql-15 come without a running service:
# see conf/install-packages.
PACKAGES      = apache2-bin apache2-dev libaprutil1-dbd-pgsql postgresql-15 \
                libpq-dev libjansson-dev libargon2-dev libcjose-dev \
                libssl-dev libcsv-dev gcc libc6-dev pkg-config openssl curl
TEST_PACKAGES = check perl libdbd-pg-perl clang
LINT_PACKAGES = $(TEST_PACKAGES) clang-tidy clang-format cppcheck shellcheck \
                valgrind
BENCH_PACKAGES = $(TEST_PACKAGES) wrk
check test asan faults: PACKAGES += $(TEST_PACKAGES)
bench: PACKAGES += $(BENCH_PACKAGES)
lint format format-check valgrind: PACKAGES += $(LINT_PACKAGES)

# ---- flags ------------------------------------------------------------------

# Asked once, and only when something is compiled: a machine without apxs must
# be able to run "make run".
ask = $(eval $(1) := $(shell $(2)))$($(1))
HTTPD_INCLUDES = $(call ask,HTTPD_INCLUDES,echo -I`$(APXS) -q INCLUDEDIR`)
APXS_CFLAGS    = $(call ask,APXS_CFLAGS,$(APXS) -q CFLAGS)
APR_CFLAGS     = $(call ask,APR_CFLAGS,`$(APXS) -q APR_CONFIG` \
                   --includes --cppflags | sed 's/-I/-isystem /g')
LIBRARY_CFLAGS = $(call ask,LIBRARY_CFLAGS,pkg-config --cflags $(LIBRARIES))
LIBRARY_LIBS   = $(call ask,LIBRARY_LIBS,pkg-config --libs $(LIBRARIES); \
                   echo -lcsv)
APR_LIBS       = $(call ask,APR_LIBS,`$(APXS) -q APU_CONFIG` --link-ld; \
                   `$(APXS) -q APR_CONFIG` --link-ld)
CHECK_CFLAGS   = $(call ask,CHECK_CFLAGS,pkg-config --cflags check)
CHECK_LIBS     = $(call ask,CHECK_LIBS,pkg-config --libs check)

LIBRARIES = libpq jansson libargon2 cjose libcrypto
WARNINGS  = -Werror -Wall -Wextra -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2 \
            -Wvla -Wundef -Wno-unused-parameter -Wno-missing-field-initializers
ifdef SANITIZE
HARDENING = -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer -O1
SANITIZER = -fsanitize=$(SANITIZE)
else
HARDENING = -D_FORTIFY_SOURCE=2
endif
COMPILE = $(CC) -std=gnu99 $(APXS_CFLAGS) $(HARDENING) $(WARNINGS) -fPIC \
          -fvisibility=hidden -MMD -MP $(INCLUDES) $(APR_CFLAGS) \
          $(LIBRARY_CFLAGS) $(CFLAGS)
LINK    = $(CC) -shared $(SANITIZER) -Wl,-z,relro,-z,now $(LDFLAGS)

# ---- what is made from what -------------------------------------------------

objects  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
CORE     = $(call objects,mod_alloy/core/*.c)
HTTPD    = $(call objects,mod_alloy/*.c)
NOUNS    = $(call objects,mod_alloy/resources/*.c)
UNITS    = $(call objects,tests/*.c)
DATABASE = $(call objects,tests/db/*.c)
QUERIES  = $(wildcard sql/queries/*.sql $(PLUGINS:%=plugins/%/sql/queries/*.sql))
SQL_C    = $(patsubst %,$(BUILD)/%.c,$(subst /queries/,/,$(basename $(QUERIES))))
SQL_H    = $(SQL_C:.c=.h)
SQL      = $(patsubst %.c,%.o,$(filter $(BUILD)/sql/%,$(SQL_C)))
MODULES  = $(BUILD)/mod_alloy.so $(PLUGINS:%=$(BUILD)/mod_alloy_%.so)
OBJECTS  = $(CORE) $(HTTPD) $(NOUNS) $(UNITS) $(DATABASE) $(SQL_C:.c=.o) \
           $(call objects,$(PLUGINS:%=plugins/%/*.c))
C_FILES  = $(wildcard mod_alloy/*.[ch] mod_alloy/core/*.[ch] \
           mod_alloy/resources/*.[ch] plugins/*/*.[ch] tests/*.[ch])

all: $(MODULES)

# Only the parts that talk to httpd can see httpd's headers.
INCLUDES = -Imod_alloy -I$(BUILD)
$(HTTPD): INCLUDES += $(HTTPD_INCLUDES)
$(UNITS): INCLUDES += $(CHECK_CFLAGS)

$(BUILD)/mod_alloy.so: $(CORE) $(HTTPD) $(NOUNS) $(SQL)
	$(LINK) -o $@ $^ $(LIBRARY_LIBS)

# sql/queries/ticket.sql becomes build/sql/ticket.c and build/sql/ticket.h; a
# plugin's likewise in its own folder.
define EMBED
@mkdir -p $(@D)
@awk -v output=h -f sql/embed.awk $< > $(basename $@).h
@awk -v output=c -f sql/embed.awk $< > $(basename $@).c
endef

define plugin
$(BUILD)/plugins/$(1)/%.o: INCLUDES = -Imod_alloy -I$$(BUILD)/plugins/$(1) \
                                      $$(HTTPD_INCLUDES)
$(BUILD)/mod_alloy_$(1).so: $(call objects,plugins/$(1)/*.c) \
                   $(patsubst %.c,%.o,$(filter $(BUILD)/plugins/$(1)/%,$(SQL_C)))
	$$(LINK) -o $$@ $$^
$(BUILD)/plugins/$(1)/sql/%.c $(BUILD)/plugins/$(1)/sql/%.h: \
                   plugins/$(1)/sql/queries/%.sql sql/embed.awk
	$$(EMBED)
endef
$(foreach name,$(PLUGINS),$(eval $(call plugin,$(name))))

$(OBJECTS): Makefile | packages $(SQL_H)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(BUILD)/%.o: $(BUILD)/%.c
	$(COMPILE) -c -o $@ $<

.SECONDARY: $(SQL_C)
$(BUILD)/sql/%.c $(BUILD)/sql/%.h: sql/queries/%.sql sql/embed.awk
	$(EMBED)

# Statements that use another file's fragments are made again with it.
define uses
$(addprefix $(BUILD)/$(subst /queries/,/,$(basename $(1))).,c h): \
    $(addprefix $(dir $(1)),$(shell sed -n 's/^-- *use: *//p' $(1)))
endef
$(foreach file,$(QUERIES),$(eval $(call uses,$(file))))

-include $(OBJECTS:.o=.d)

# ---- serving ----------------------------------------------------------------

run start: all
	@conf/alloyctl $@

stop:
	@conf/alloyctl stop

status:
	@conf/alloyctl status || true

# ---- testing ----------------------------------------------------------------

$(BUILD)/check: $(UNITS) $(CORE) $(SQL)
	$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(LIBRARY_LIBS) $(APR_LIBS) \
	  $(CHECK_LIBS)

# The pool against a real server and its faults; t/12-database.t runs it.
$(BUILD)/check-database: $(DATABASE) $(CORE) $(SQL)
	$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $^ $(LIBRARY_LIBS) $(APR_LIBS)

check: all $(BUILD)/check
	$(CHECK_WRAP) $(BUILD)/check
	@CC=$(CC) tests/guards/run

test: check $(BUILD)/check-database
	PERL5LIB=t/lib prove -PAlloyTest::Run --timer $(T)

# Whatever is left out is missed by nothing that stays.
test-matrix:
	$(MAKE) test PLUGINS=
	set -e; for name in $(if $(word 2,$(PLUGINS)),$(PLUGINS)); do \
	  $(MAKE) test PLUGINS="$$(echo ' $(PLUGINS) ' | sed "s/ $$name / /")"; \
	done
	$(MAKE) test

# The servers are started with the sanitizers' libraries before all others:
# httpd itself is not built with them.
asan:
	$(MAKE) BUILD=build-asan SANITIZE=address,undefined T="$(T)" test \
	  ASAN_OPTIONS=detect_leaks=0 \
	  ALLOY_TEST_PRELOAD="$$($(CC) -print-file-name=libasan.so) \
	  $$($(CC) -print-file-name=libubsan.so)"

valgrind:
	$(MAKE) T=$(T) test CHECK_WRAP="env CK_FORK=no valgrind --quiet \
	  --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9" \
	  ALLOY_TEST_WRAP="valgrind --quiet --error-exitcode=9"

# What "make test" does once, for longer.
faults: all
	PERL5LIB=t/lib ALLOY_FAULT_ROUNDS=$(or $(ROUNDS),10) \
	  ALLOY_MEMORY_REQUESTS=200000 \
	  prove -PAlloyTest::Run --timer --verbose t/90-faults.t t/92-restart.t \
	  t/93-memory.t

# In its own time: everything else on the machine spoils the figures.
bench: all
	@t/bench/run

# ---- reading the source -----------------------------------------------------

lint: packages
	$(MAKE) BUILD=build/lint-gcc CC=gcc all build/lint-gcc/check
	$(MAKE) BUILD=build/lint-clang CC=clang all build/lint-clang/check
	clang-tidy --quiet $(filter %.c,$(C_FILES)) -- -std=gnu99 -Imod_alloy \
	  -iquote mod_alloy/core -Ibuild/lint-gcc $(PLUGINS:%=-Ibuild/lint-gcc/plugins/%) \
	  $(HTTPD_INCLUDES) $(APR_CFLAGS) $(LIBRARY_CFLAGS)
	cppcheck --quiet --std=c99 --enable=warning,portability --inline-suppr \
	  --suppress=returnDanglingLifetime --suppress=ctuuninitvar \
	  --error-exitcode=1 -Imod_alloy mod_alloy $(wildcard plugins)
	shellcheck -x conf/alloyctl conf/install-packages tests/guards/*

format: packages
	clang-format -i $(C_FILES)

format-check: packages
	clang-format --dry-run -Werror $(C_FILES)

# ---- the rest ---------------------------------------------------------------

packages install-packages:
	@conf/install-packages $(PACKAGES)

clean:
	rm -rf build build-asan

.PHONY: all run start stop status check test test-matrix asan valgrind faults bench lint \
        format format-check packages install-packages clean
