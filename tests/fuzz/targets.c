/* The targets that read text. What each promises beyond not crashing stands beside it. */
#include "tests/fuzz/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/options.h"
#include "engines/storage/engine.h"
#include "sim/check/lattice.h"
#include "sim/check/operations_of_history.h"
#include "sim/foreign/edn_write.h"
#include "sim/record/history_read.h"
#include "sim/scenario/plan.h"

const struct fuzz_target fuzz_targets[] = {
    {"scenario", fuzz_scenario}, {"foreign", fuzz_foreign},   {"history", fuzz_history},
    {"image", fuzz_image},       {"quantity", fuzz_quantity}, {NULL, NULL},
};

void fuzz_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

/* A scenario is loaded or refused; refused with reasons. What is loaded makes plans. */
int fuzz_scenario(const uint8_t *data, size_t size)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario =
        scenario_load_text("fuzz.yaml", (const char *)data, size, &errors);
    FUZZ_CHECK(scenario || errors.count);
    if (scenario) {
        struct plan_request request = {0};
        struct scenario_errors more = {0};
        struct plan *plan = plan_create(scenario, &request, &more);
        FUZZ_CHECK(plan || more.count);
        if (plan) plan_destroy(plan);
        scenario_errors_deinit(&more);
        scenario_destroy(scenario);
    }
    scenario_errors_deinit(&errors);
    return 0;
}

/* ---- histories ---- */

#define JUDGED_MAX 48 /* operations; what is larger is only read */

static void judge(const struct ops *operations)
{
    struct lattice lattice;
    struct model_limits limits = {.memory_bytes = 16 << 20, .states = 2000};
    if (operations->count > JUDGED_MAX) return;
    lattice_judge(&lattice, operations, &limits);
    for (uint32_t i = 0; i < lattice.count; i++)
        if (lattice.states[i] == LATTICE_VIOLATED || lattice.states[i] == LATTICE_UNKNOWN)
            FUZZ_CHECK(lattice.verdicts[i].explanation);
    lattice_deinit(&lattice);
}

/* A history is read or refused, with words; a place in it lies within the text. What is read
 * is judged by every model, and written as EDN is read again. */
int fuzz_foreign(const uint8_t *data, size_t size)
{
    static const enum failed_cas readings[] = {FAILED_CAS_DEFAULT, FAILED_CAS_CONSTRAINT};
    for (size_t i = 0; i < 2; i++) {
        struct foreign_options options = {.failed_cas = readings[i]};
        struct foreign foreign, again;
        if (!foreign_read((const char *)data, size, &options, &foreign)) {
            FUZZ_CHECK(*foreign.error);
            FUZZ_CHECK(foreign.error_line <= size + 1 && foreign.error_column <= size + 1);
            foreign_deinit(&foreign);
            return 0;
        }
        judge(&foreign.operations);
        if (!foreign.transaction_line) {
            char *edn = NULL;
            size_t edn_size;
            struct edn_written written;
            FILE *file = open_memstream(&edn, &edn_size);
            FUZZ_CHECK(foreign_write_edn(&foreign, file, &written) == 0);
            fclose(file);
            FUZZ_CHECK(foreign_read(edn, edn_size, &options, &again));
            FUZZ_CHECK(again.operations.count == foreign.operations.count);
            foreign_deinit(&again);
            free(edn);
        }
        foreign_deinit(&foreign);
    }
    return 0;
}

/* What is read is written and read again as the same bytes, and judged by every model. */
int fuzz_history(const uint8_t *data, size_t size)
{
    struct history_file file, again;
    struct history_error error;
    if (!history_read((const char *)data, size, &file, &error)) {
        FUZZ_CHECK(*error.text && error.line >= 1 && error.column >= 1);
        FUZZ_CHECK(error.line <= size + 1 && error.column <= size + 1);
        return 0;
    }
    char *texts[2] = {NULL, NULL};
    size_t sizes[2];
    FILE *out = open_memstream(&texts[0], &sizes[0]);
    FUZZ_CHECK(history_write(file.history, out, history_file_endpoint, &file) == 0);
    fclose(out);
    FUZZ_CHECK(history_read(texts[0], sizes[0], &again, &error));
    out = open_memstream(&texts[1], &sizes[1]);
    FUZZ_CHECK(history_write(again.history, out, history_file_endpoint, &again) == 0);
    fclose(out);
    FUZZ_CHECK(sizes[0] == sizes[1] && memcmp(texts[0], texts[1], sizes[0]) == 0);
    free(texts[0]);
    free(texts[1]);
    history_file_deinit(&again);
    struct history_operations converted;
    operations_of_history(&converted, file.history, file.lines);
    judge(&converted.operations);
    history_operations_deinit(&converted);
    history_file_deinit(&file);
    return 0;
}

/* ---- quantities ---- */

static void set_all(const char *text)
{
    char fields[16]; /* of the widest type that is set here */
    for (size_t e = 0; engine_registry[e]; e++)
        for (size_t i = 0; i < engine_registry[e]->options_count; i++) {
            const struct option *option = &engine_registry[e]->options[i];
            const char *why = NULL;
            memset(fields, 77, sizeof fields);
            char before[sizeof fields];
            memcpy(before, fields, sizeof fields);
            if (option_set(option, text, fields, &why) == 0) continue;
            FUZZ_CHECK(why && *why);
            FUZZ_CHECK(memcmp(before, fields, sizeof fields) == 0);
        }
}

/* What is refused has a reason and leaves the field alone; twice the same text, twice the same
 * value. The first byte is not used. */
int fuzz_quantity(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096) return 0;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    for (unsigned type = 0; type <= OPTION_FACTOR; type++) {
        int64_t value = 77, second;
        const char *why = NULL;
        int error = quantity_parse((enum option_type)type, text, &value, &why);
        FUZZ_CHECK(error == 0 || (why && *why && value == 77));
        FUZZ_CHECK(quantity_parse((enum option_type)type, text, &second, &why) == error);
        FUZZ_CHECK(error || second == value);
    }
    set_all(text);
    free(text);
    return 0;
}
