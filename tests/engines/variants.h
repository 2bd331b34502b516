/* The subjects of the suites: every engine in the registry, with every alternative of its
 * algorithm, in sizes small enough that a hundred batches reach all of its machinery.
 *
 *     int main(void) { return suite_run("engine model", suite, SUITE_COUNT, SUITE_DISK); }
 *     static void test_x(void **state) { const struct subject *subject = *state; ... }
 *
 * Nothing here names an engine but the table of what its workload must have set off. A variant
 * is an engine with one of its words changed: every option of type WORD or YESNO but the
 * policies below gives one variant a word that is not its default ("hash index=segment"), and
 * GRACE one more of an engine that has such an option. Sizes
 * are set by option name (small_sizes); an engine that lacks an option skips it, one whose
 * bounds are narrower gets the bound.
 */
#ifndef FAULTLINE_TESTS_ENGINES_VARIANTS_H
#define FAULTLINE_TESTS_ENGINES_VARIANTS_H

#include "tests/engines/harness.h"

#define VARIANTS_MAX 32

struct subject {
    char name[64]; /* "hash index=segment" */
    const struct engine_ops *ops;
    char word_option[32], word[32]; /* the word that makes the variant; "" for the plain one */
    enum world_kind kind;
};

/* ---- options by name ---- */

static UNUSED const struct option *option_find(const struct engine_ops *ops, const char *name)
{
    for (size_t i = 0; i < ops->options_count; i++)
        if (strcmp(ops->options[i].name, name) == 0) return &ops->options[i];
    return NULL;
}

static UNUSED const char *const *option_words(const struct option *option)
{
    static const char *const yesno[] = {"no", "yes", NULL};
    return option->type == OPTION_WORD ? option->words : yesno;
}

/* Sets an option from its text; false when the engine has no such option or word. */
static UNUSED bool option_put(const struct engine_ops *ops, void *options, const char *name,
                              const char *text)
{
    const struct option *option = option_find(ops, name);
    if (!option) return false;
    void *field = (char *)options + option->offset;
    if (option->type == OPTION_WORD || option->type == OPTION_YESNO) {
        const char *const *words = option_words(option);
        for (int32_t i = 0; words[i]; i++)
            if (strcmp(words[i], text) == 0) {
                *(int32_t *)field = i;
                return true;
            }
        return false;
    }
    int64_t value;
    const char *why = "";
    if (quantity_parse(option->type, text, &value, &why))
        fail_msg("%s of %s: '%s' %s", name, ops->name, text, why);
    if (option->low || option->high) {
        if (value < option->low) value = option->low;
        if (value > option->high) value = option->high;
    }
    *(int64_t *)field = value;
    return true;
}

/* ---- how small ---- */

enum smallness {
    SIZES_DEFAULT, /* as delivered */
    SIZES_TINY,    /* a few records fill anything */
    SIZES_SMALL,   /* batches of some kilobytes: the crash and fault suites */
    SIZES_MODEL    /* a database of some hundred kilobytes */
};

static const struct {
    const char *option, *text[4];
} small_sizes[] = {
    {"segment_size", {NULL, "512B", "2KiB", "8KiB"}},
    {"merge_threshold", {NULL, "10%", "30%", NULL}},
    {"merge_segments", {NULL, "2", "2", "2"}},
    {"stall_segments", {NULL, "8", "8", NULL}},
    {"memtable_size", {NULL, "512B", "600B", "8KiB"}},
    {"table_size", {NULL, "512B", "512B", "4KiB"}},
    {"block_size", {NULL, "128B", "256B", "1KiB"}},
    {"page_size", {NULL, "512B", "512B", "1KiB"}},
    {"cache_size", {NULL, "512B", "2KiB", "16KiB"}},
    {"wal_size", {NULL, "1KiB", "2KiB", "16KiB"}},
    {"level_base", {NULL, "512B", "512B", "8KiB"}},
    {"fanout", {NULL, "2", "2", "4"}},
    {"l0_trigger", {NULL, "2", "2", "3"}},
    {"l0_stall", {NULL, "4", "4", "6"}},
    {"max_open_tables", {NULL, "2", "4", "8"}},
    {"restart_interval", {NULL, "2", "4", NULL}},
};

/* The caller frees it. */
static UNUSED void *subject_options(const struct subject *subject, enum smallness smallness)
{
    const struct engine_ops *ops = subject->ops;
    void *options = malloc(ops->options_size + 1);
    assert_non_null(options);
    assert_int_equal(
        options_default(ops->options, ops->options_count, options, ops->options_size), 0);
    for (size_t i = 0; i < sizeof(small_sizes) / sizeof(small_sizes[0]); i++) {
        const struct option *option = option_find(ops, small_sizes[i].option);
        const char *text = small_sizes[i].text[smallness];
        if (option && text &&
            (option->type == OPTION_INT || option->type == OPTION_SIZE ||
             option->type == OPTION_FRACTION))
            option_put(ops, options, small_sizes[i].option, text);
    }
    if (subject->word[0])
        assert_true(option_put(ops, options, subject->word_option, subject->word));
    return options;
}

/* A duration that changes what background work may do, and that time must pass for. */
#define GRACE "gc_grace"
#define GRACE_TEXT "600s"

static UNUSED bool subject_has_grace(const struct subject *subject)
{
    return strcmp(subject->word_option, GRACE) == 0;
}

/* ---- what a workload must have set off ---- */

/* A workload that never merges proves nothing about merges: after it, the spy must have seen at
 * least so much of each. An engine that is not listed must have removed or replaced files. */
struct background {
    const char *engine;
    uint64_t flush_writes, compaction_writes, renames, unlinks;
};

static const struct background backgrounds[] = {
    {"log", 0, 0, 1, 0}, /* it has no background work: its file appears by rename */
    {"hash", 0, 8, 4, 8},   {"lsm", 6, 8, 0, 12},
    {"btree", 20, 0, 0, 2}, /* checkpoints; the log's files go */
    {NULL, 1, 1, 2, 2},
};

static UNUSED const struct background *background_of(const struct subject *subject)
{
    const struct background *b = backgrounds;
    while (b->engine && strcmp(b->engine, subject->ops->name) != 0) b++;
    return b;
}

static UNUSED void assert_background(const struct subject *subject, const struct spy *spy,
                                     const char *where)
{
    const struct background *b = background_of(subject);
    uint64_t flushes = spy->writes[VFS_FLUSH], compactions = spy->writes[VFS_COMPACTION];
    uint64_t renames = spy->calls[SPY_RENAME], unlinks = spy->calls[SPY_UNLINK];
    if (flushes < b->flush_writes || compactions < b->compaction_writes ||
        renames < b->renames || unlinks < b->unlinks)
        fail_msg("%s: the workload of %s sets off too little: %llu flush writes, %llu "
                 "compaction writes, %llu renames, %llu unlinks",
                 subject->name, where, (unsigned long long)flushes,
                 (unsigned long long)compactions, (unsigned long long)renames,
                 (unsigned long long)unlinks);
}

/* Tombstones in tables, the most at a time, and those that compactions dropped: engines that
 * tell them by these names. */
struct tombstones {
    uint64_t most, dropped, now;
};

static UNUSED void tombstones_add(void *context, const char *name, uint64_t value)
{
    struct tombstones *t = context;
    size_t size = strlen(name);
    if (strcmp(name, "compaction.tombstones_dropped") == 0)
        t->dropped += value;
    else if (strncmp(name, "level.", 6) == 0 && size > 11 &&
             strcmp(name + size - 11, ".tombstones") == 0)
        t->now += value;
}

/* Asked before each close, so that what was dropped adds up. */
static UNUSED void tombstones_ask(struct tombstones *t, struct engine *engine, bool is_last)
{
    struct tombstones found = {0};
    engine_properties(engine, tombstones_add, &found);
    if (found.now > t->most) t->most = found.now;
    if (is_last) t->dropped += found.dropped;
}

/* With a grace some must have been there, and some gone. */
static UNUSED void assert_grace(const struct subject *subject, const struct tombstones *t,
                                const char *where)
{
    if (subject_has_grace(subject) && (t->most < 3 || t->dropped < 3))
        fail_msg("%s: in %s tables had at most %llu tombstones, and %llu were dropped",
                 subject->name, where, (unsigned long long)t->most,
                 (unsigned long long)t->dropped);
}

/* ---- inspection ---- */

struct findings {
    uint64_t items, notes, problems;
    char first[300]; /* problem: "file at offset: text" */
};

static UNUSED void finding_count(void *context, enum engine_finding finding, const char *file,
                                 uint64_t offset, const char *text)
{
    struct findings *f = context;
    f->items += finding == FINDING_ITEM;
    f->notes += finding == FINDING_NOTE;
    if (finding == FINDING_PROBLEM && f->problems++ == 0)
        snprintf(f->first, sizeof(f->first), "%s at %llu: %s", file, (unsigned long long)offset,
                 text);
}

/* Looks into a directory that nobody has open. Nothing may be left in memory, no file open. */
static UNUSED struct findings world_inspect(struct world *w, const struct engine_ops *ops,
                                            const char *dir)
{
    struct findings f = {0};
    struct engine_inspector inspector = {finding_count, &f, true};
    uint64_t bytes = w->heap.bytes, files = w->spy.open_files;
    int err = engine_inspect(ops, &w->host, dir, &inspector);
    if (err) fail_msg("%s: inspection fails: errno %d", ops->name, -err);
    assert_int_equal(w->heap.bytes, bytes);
    assert_int_equal(w->spy.open_files, files);
    return f;
}

/* ---- copies ---- */

static UNUSED int name_count(void *count, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    ++*(uint64_t *)count;
    return 0;
}

enum copy_state { COPY_ABSENT, COPY_REFUSED, COPY_WHOLE, COPY_STATES };

/* What a checkpoint that failed, or was cut off, left behind: no directory or an empty one,
 * something that open refuses, or all of the copy. Anything else fails the test. */
static UNUSED enum copy_state world_judge_copy(struct world *w, const char *dir,
                                               const struct oracle *expected,
                                               const char *context)
{
    struct engine *copy;
    uint64_t names = 0;
    int err = vfs_list(w->real, dir, name_count, &names);
    if (err == -ENOENT || (!err && names == 0)) return COPY_ABSENT;
    if (err) fail_msg("%s: '%s' can not be listed: errno %d", context, dir, -err);
    err = engine_open(w->ops, &w->host, dir, w->options, &copy);
    if (err == -EBADMSG) return COPY_REFUSED;
    if (err) fail_msg("%s: '%s' is refused with errno %d", context, dir, -err);
    if (oracle_compare(expected, copy))
        fail_msg("%s: '%s' opens, and is not the whole copy: %s", context, dir,
                 oracle_difference(expected, copy));
    engine_close(copy);
    return COPY_WHOLE;
}

/* ---- what was tried, in one line an engine ---- */

static struct tally {
    const char *engine, *what;
    uint64_t count;
} tallies[64];

static UNUSED void tally(const struct subject *subject, const char *what, uint64_t count)
{
    struct tally *t = tallies;
    while (t->what && (strcmp(t->engine, subject->ops->name) != 0 || t->what != what)) t++;
    assert_true(t < tallies + 63);
    t->engine = subject->ops->name;
    t->what = what;
    t->count += count;
}

static UNUSED void tallies_print(void)
{
    for (size_t i = 0; engine_registry[i]; i++) {
        const char *before = engine_registry[i]->name, *sign = ":";
        for (const struct tally *t = tallies; t->what; t++)
            if (strcmp(t->engine, engine_registry[i]->name) == 0) {
                printf("%s%s %llu %s", before, sign, (unsigned long long)t->count, t->what);
                before = "";
                sign = ",";
            }
        if (!*before) printf("\n");
    }
    fflush(stdout);
}

/* ---- every subject in every test ---- */

struct suite_test {
    const char *name;
    CMUnitTestFunction f;
};
#define T(f)                                                                                   \
    {                                                                                          \
#f, f                                                                                  \
    }

#define SUITE_DISK 1u
#define SUITE_REAL 2u

/* Words that say how to react, not how to store. */
static UNUSED bool option_is_policy(const char *name)
{
    return strcmp(name, "on_sync_failure") == 0 || strcmp(name, "on_corruption") == 0 ||
           strcmp(name, "sync") == 0 || strcmp(name, "verify") == 0;
}

static UNUSED void subject_add(struct subject *subjects, size_t *count,
                               const struct subject *plain, const char *option,
                               const char *word)
{
    struct subject *other = &subjects[(*count)++];
    assert_true(*count <= VARIANTS_MAX);
    *other = *plain;
    snprintf(other->word_option, sizeof(other->word_option), "%s", option);
    snprintf(other->word, sizeof(other->word), "%s", word);
    snprintf(other->name, sizeof(other->name), "%s %.30s=%.20s", plain->ops->name,
             other->word_option, other->word);
}

static UNUSED size_t subjects_list(struct subject *subjects, enum world_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; engine_registry[i]; i++) {
        const struct engine_ops *ops = engine_registry[i];
        struct subject *plain = &subjects[count++];
        *plain = (struct subject){.ops = ops, .kind = kind};
        snprintf(plain->name, sizeof(plain->name), "%s", ops->name);
        void *defaults = subject_options(plain, SIZES_DEFAULT);
        for (size_t j = 0; j < ops->options_count; j++) {
            const struct option *option = &ops->options[j];
            if ((option->type != OPTION_WORD && option->type != OPTION_YESNO) ||
                option_is_policy(option->name))
                continue;
            const char *const *words = option_words(option);
            int32_t standard = *(int32_t *)((char *)defaults + option->offset);
            for (int32_t word = 0; words[word]; word++) {
                if (word != standard)
                    subject_add(subjects, &count, plain, option->name, words[word]);
            }
        }
        if (option_find(ops, GRACE)) subject_add(subjects, &count, plain, GRACE, GRACE_TEXT);
        free(defaults);
    }
    return count;
}

/* As cmocka matches its filter: '*' is any text, '?' any character. */
static UNUSED bool pattern_matches(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return pattern_matches(pattern + 1, text) ||
               (*text && pattern_matches(pattern, text + 1));
    if (!*pattern || !*text) return *pattern == *text;
    return (*pattern == '?' || *pattern == *text) && pattern_matches(pattern + 1, text + 1);
}

/* Sets the filter ONLY=. False, and said so, when it would leave no test to run: a run of
 * nothing must not look like a success. */
static UNUSED bool only_is_fine(const struct CMUnitTest *tests, size_t count)
{
    const char *only = getenv("ONLY");
    if (!only) return true;
    for (size_t i = 0; i < count; i++)
        if (pattern_matches(only, tests[i].name)) {
            cmocka_set_test_filter(only);
            return true;
        }
    fprintf(stderr, "ONLY=%s matches none of %zu tests, such as %s\n", only, count,
            count ? tests[0].name : "(none)");
    return false;
}

/* Runs all tests over all subjects; ONLY= a pattern that names must match ("*hash*"). */
static UNUSED int suite_run(const char *title, const struct suite_test *suite,
                            size_t suite_count, unsigned worlds)
{
    struct subject *subjects = calloc(VARIANTS_MAX * 2, sizeof(*subjects));
    size_t subjects_count = 0, count = 0;
    if (worlds & SUITE_DISK)
        subjects_count += subjects_list(subjects + subjects_count, WORLD_DISK);
    if (worlds & SUITE_REAL)
        subjects_count += subjects_list(subjects + subjects_count, WORLD_REAL);
    struct CMUnitTest *tests = calloc(subjects_count * suite_count, sizeof(*tests));
    char(*names)[160] = calloc(subjects_count * suite_count, sizeof(*names));
    for (size_t i = 0; i < subjects_count; i++)
        for (size_t j = 0; j < suite_count; j++, count++) {
            const char *world = worlds == SUITE_DISK             ? ""
                                : subjects[i].kind == WORLD_DISK ? ", disk"
                                                                 : ", real";
            snprintf(names[count], sizeof(names[count]), "%s[%s%s]", suite[j].name,
                     subjects[i].name, world);
            tests[count] = (struct CMUnitTest){
                .name = names[count], .test_func = suite[j].f, .initial_state = &subjects[i]};
        }
    int failed = 1;
    if (only_is_fine(tests, count))
        failed = _cmocka_run_group_tests(title, tests, count, NULL, NULL);
    if (tallies[0].what) tallies_print();
    free(names);
    free(tests);
    free(subjects);
    return failed;
}

#endif
