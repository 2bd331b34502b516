# Faultline. `make help` lists the targets.
VARIANT ?= release
CC      ?= cc
V       ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
Q := $(if $(filter 1,$(V)),,@)

OPT_release := -O2
OPT_debug   := -O0 -g
OPT_san     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT   ?= $(OPT_$(VARIANT))
BUILD ?= build/$(VARIANT)

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
# What correctness needs: not in CFLAGS, so that no command line can take it away.
STRICT := -std=gnu11 -ffp-contract=off -fno-fast-math -fno-strict-aliasing -I. -MMD -MP
LIBS   := -lcyaml -lyaml -ljansson -lxxhash
SANLD  := $(if $(filter san,$(VARIANT)),-fsanitize=address,undefined,)

# Layers that wait for those below them; empty once the tree is whole.
EXCLUDE ?= sim/campaign/% sim/cli/%
SRC   := $(filter-out sim/cli/main.c $(EXCLUDE),$(wildcard engines/*.c engines/*/*.c engines/*/*/*.c sim/*/*.c reports/*.c))
OBJ   := $(SRC:%.c=$(BUILD)/%.o)
SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))

all: $(BUILD)/faultline
tests: $(TESTS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(WARN) $(STRICT) -c $< -o $@

$(BUILD)/libfaultline.a: $(OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $(OBJ)

$(BUILD)/faultline: $(BUILD)/sim/cli/main.o $(BUILD)/libfaultline.a
	$(Q)$(CC) $(CFLAGS) $(OPT) $(SANLD) $^ $(LDFLAGS) $(LIBS) -o $@

$(BUILD)/tests/%: tests/%.c $(SUPPORT) $(BUILD)/libfaultline.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPT) $(WARN) $(STRICT) $(SANLD) $< $(SUPPORT) $(BUILD)/libfaultline.a $(LDFLAGS) $(LIBS) -lcmocka -o $@

.PHONY: all tests
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
