/* Goal: every action of the table does something, says so, counts it, ends when it should and
 * counts nothing when it had nothing to act on; every trigger fires when it says; the leader is
 * resolved when the entry begins.
 *
 * Method: a table with one case an action, run in a world of scripted nodes under steady
 * traffic; a test fails if an action has no case. Parameters are filled through the action's
 * own option table, by name, as the scenario loader does.
 */
#include "tests/world/world_fixture.h"

#define BEGIN (200 * MS)
#define LASTS (200 * MS)
#define ENDS (BEGIN + LASTS)

/* ---- filling parameters ---- */

static struct arena *memory; /* of parameters, until the program's end */

static const struct option *option_of(const struct action *action, const char *name)
{
    for (size_t i = 0; i < action->options_count; i++)
        if (!strcmp(action->options[i].name, name)) return &action->options[i];
    fail_msg("action %s has no option %s", action->name, name);
    return NULL;
}

static void *params_of(const struct action *action)
{
    void *params = arena_alloc(memory, action->options_size + 1);
    if (action->options_size)
        assert_int_equal(options_default(action->options, action->options_count, params,
                                         action->options_size),
                         0);
    for (size_t i = 0; i < action->options_count; i++) {
        const struct option *option = &action->options[i];
        if (option->type != OPTION_NODE && option->type != OPTION_PLACE) continue;
        *(int32_t *)((char *)params + option->offset) =
            option->value && !strcmp(option->value, "leader") ? -2 : -1;
    }
    return params;
}

static struct option_list list_of(int32_t place)
{
    static int32_t places[8] = {0, 1, 2, 3, 4, 5, 6, -2};
    return (struct option_list){&places[place < 0 ? 7 : place], 1};
}

/* "key=value" words as a scenario would have them: nodes by number, quantities in their text
 * form. */
static void *params_from(const struct action *action, const char *words)
{
    void *params = params_of(action);
    char text[256], *position = NULL;
    snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok_r(text, " ", &position); word;
         word = strtok_r(NULL, " ", &position)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        const struct option *option = option_of(action, word);
        void *target = (char *)params + option->offset;
        switch (option->type) {
        case OPTION_NODE:
        case OPTION_PLACE: *(int32_t *)target = atoi(value); break;
        case OPTION_PLACES: *(struct option_list *)target = list_of(atoi(value)); break;
        case OPTION_CLASSES: *(uint32_t *)target = (uint32_t)atoi(value); break;
        case OPTION_STRING: *(const char **)target = arena_strdup(memory, value); break;
        case OPTION_YESNO: *(int32_t *)target = !strcmp(value, "yes"); break;
        case OPTION_WORD:
            *(int32_t *)target = -1;
            for (int i = 0; option->words[i]; i++)
                if (!strcmp(option->words[i], value)) *(int32_t *)target = i;
            assert_true(*(int32_t *)target >= 0);
            break;
        case OPTION_GROUPS: { /* always {0} | {1, 2} */
            static const int32_t a[] = {0}, b[] = {1, 2};
            static const struct option_list groups[] = {{a, 1}, {b, 2}};
            *(struct option_list *)target = (struct option_list){groups, 2};
            break;
        }
        case OPTION_NAMES: {
            const char **names = arena_alloc(memory, sizeof *names);
            names[0] = arena_strdup(memory, value);
            *(struct option_names *)target = (struct option_names){names, 1};
            break;
        }
        default: {
            const char *why = "";
            if (quantity_parse(option->type, value, target, &why))
                fail_msg("%s: %s %s", word, value, why);
        }
        }
    }
    return params;
}

/* ---- a world with a plan ---- */

static struct fault_plan entry(const char *id, const char *action, const char *words,
                               int64_t at, int64_t lasts)
{
    const struct action *found = action_find(action);
    if (!found) fail_msg("no action %s", action);
    return (struct fault_plan){.id = id,
                               .trigger = TRIGGER_TIME,
                               .at_ns = at,
                               .trigger_place = -1,
                               .nth = 1,
                               .action = found,
                               .params = params_from(found, words),
                               .for_ns = lasts,
                               .evidence_required = true};
}

static void traffic(struct kernel *kernel, const struct event *event);
static const struct event_type traffic_event = {"traffic", EVENT_ID('t', 'r', 'a', 'f'),
                                                traffic};
static void traffic(struct kernel *kernel, const struct event *event)
{
    struct scene *s = event->context;
    static const char *const scripts[NODES] = {"m1 m2 w s r", "m0 m2 w s b", "m0 m1 w s p i r"};
    for (uint32_t n = 0; n < NODES; n++) order(s, n, scripts[n]);
    kernel_schedule(kernel, event->time + 5 * MS, &traffic_event, s, 0, 0, 0);
}

static struct scene *play(const struct fault_plan *plan, uint32_t count, bool with_traffic)
{
    struct world_config config = scene_config();
    config.faults = plan;
    config.faults_count = count;
    struct scene *s = scene_start(&config);
    if (with_traffic) kernel_schedule(s->kernel, 101 * MS, &traffic_event, s, 0, 0, 0);
    return s;
}

/* ---- the table ---- */

struct action_case {
    const char *action, *words;
    bool lasts;                        /* with `for` */
    const char *text;                  /* part of what the timeline says */
    const char *before, *before_words; /* an entry at 150 ms that it needs */
};

static const struct action_case cases[] = {
    {"cut", "from=0 to=1 class=1", true, "cut n0 -> n1 (replication)", NULL, NULL},
    {"partition", "groups=x in_flight=queue", true, "partition n0 | n1 and n2, messages queue",
     NULL, NULL},
    {"slow", "from=0 factor=3x add=1ms", true, "slow n0 <-> everybody: latency x 3.000 + 1ms",
     NULL, NULL},
    {"slow", "from=0 add=100ms", true, "slow n0 <-> everybody: latency +100ms for", NULL, NULL},
    {"slow", "from=0 factor=3x", true, "slow n0 <-> everybody: latency x 3.000 for", NULL,
     NULL},
    {"loss", "from=0 rate=50%", true, "loss n0 <-> everybody: 50.0000%", NULL, NULL},
    {"clog", "from=0", true, "clog n0", NULL, NULL},
    {"duplicate", "from=0 rate=50%", true, "duplicates n0", NULL, NULL},
    {"reorder", "from=0 rate=50% delay=3ms", true, "reordering n0", NULL, NULL},
    {"heal", "ids=before", false, "end of before", "cut", "from=0 to=1"},
    {"crash", "node=1", true, "crash of n1", NULL, NULL},
    {"power_off", "node=1 mode=all_lost", true, "power loss of n1 (unsynced writes: all_lost)",
     NULL, NULL},
    {"wipe", "node=1", true, "n1 gets an empty disk", NULL, NULL},
    {"start", "node=1", false, "operator starts n1", "crash", "node=1"},
    {"reboot", "node=1", false, "reboot of n1", NULL, NULL},
    {"pause", "node=1", true, "pause of n1 for 200ms", NULL, NULL},
    {"resume", "node=1", false, "operator resumes n1", "pause", "node=1"},
    {"evict", "node=1", false, "page cache is cold on the disk of n1", NULL, NULL},
    {"read_error", "node=2", true, "bad sectors on the disk of n2", NULL, NULL},
    {"write_error", "node=1 count=3", true, "writes fail on the disk of n1, 3 times", NULL,
     NULL},
    {"sync_error", "node=1 path=repl", true, "syncs fail on the disk of n1, files repl", NULL,
     NULL},
    {"bit_rot", "node=1 path=repl", true, "bits rot on the disk of n1", NULL, NULL},
    {"misdirected_write", "node=1 path=repl", true, "writes go astray", NULL, NULL},
    {"disk_full", "node=1 left=1kB", true, "full but for 1,000 bytes", NULL, NULL},
    {"slow_disk", "node=1 factor=5x", true, "5.000 times as slow", NULL, NULL},
    {"stall_disk", "node=1", true, "nothing moves on the disk of n1", NULL, NULL},
    {"lying_sync", "node=1", true, "syncs lie", NULL, NULL},
    {"clock_step", "node=1 by=-2s", false, "the clock of n1 jumps back by 2s", NULL, NULL},
    {"clock_drift", "node=1 drift=-200000ppm", true, "200000 ppm too slow", NULL, NULL},
    {"promote", "node=1", false, "operator promotes n1", NULL, NULL},
    {"demote", "node=0", false, "operator demotes n0", NULL, NULL},
    {"transfer", "to=2", false, "operator has n0 hand over to n2", NULL, NULL},
};

static void test_faults_table_names_every_action_once_with_a_case_here(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct action *action = action_table; action->name; action++, count++) {
        bool has_case = false;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            has_case |= !strcmp(cases[i].action, action->name);
        if (!has_case) fail_msg("action %s has no case", action->name);
        assert_ptr_equal(action_find(action->name), action);
        assert_true(action->doc && *action->doc && action->evidence && *action->evidence);
        assert_non_null(action->begin);
        assert_non_null(action->effects);
        assert_non_null(action->describe);
        assert_int_equal(action->takes_for, action->end != NULL);
        params_of(action); /* defaults are good */
        for (size_t i = 0; i < action->options_count; i++) {
            assert_true(action->options[i].doc && *action->options[i].doc);
            assert_true(action->options[i].offset < action->options_size);
        }
    }
    assert_int_equal(count, sizeof cases / sizeof cases[0] - 2); /* slow has three */
    assert_null(action_find("partiton"));
}

static void test_faults_every_action_has_an_effect_counts_it_and_tells_it(void **state)
{
    (void)state;
    struct scene *calm = play(NULL, 0, true);
    kernel_run(calm->kernel, 700 * MS);
    uint64_t calm_hash = kernel_trace_hash(calm->kernel);
    scene_destroy(calm);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct action_case *c = &cases[i];
        struct fault_plan plan[2] = {
            entry("it", c->action, c->words, BEGIN, c->lasts ? LASTS : -1)};
        if (c->before) plan[1] = entry("before", c->before, c->before_words, 150 * MS, -1);
        struct scene *s = play(plan, c->before ? 2 : 1, true);
        kernel_run(s->kernel, BEGIN - 1);
        assert_false(world_fault_fired(s->world, 0));
        assert_int_equal(world_fault_effects(s->world, 0), 0);
        kernel_run(s->kernel, 700 * MS);
        assert_true(world_fault_fired(s->world, 0));
        if (world_fault_effects(s->world, 0) == 0) fail_msg("%s had no effect", c->action);
        if (told(s, c->text) != 1) {
            for (size_t k = 0; k < s->records.timeline.count; k++)
                fprintf(stderr, "%s\n", s->records.timeline.items[k].text);
            fail_msg("%s: the timeline does not say '%s' once", c->action, c->text);
        }
        if (kernel_trace_hash(s->kernel) == calm_hash) fail_msg("%s left no trace", c->action);
        for (size_t k = 0; k < s->records.timeline.count; k++) {
            const struct timeline_entry *e = &s->records.timeline.items[k];
            if (e->kind != TIMELINE_FAULT || !e->id || strcmp(e->id, "it")) continue;
            assert_int_equal(e->time_ns, BEGIN);
            assert_int_equal(e->until_ns, c->lasts ? ENDS : BEGIN);
            assert_string_equal(e->what, c->action);
            /* What the picture's bracket stands between. */
            bool is_between = !strcmp(c->action, "cut") || !strcmp(c->action, "partition");
            assert_int_equal(e->peer, is_between ? 1 : UINT32_MAX);
            if (is_between) assert_int_equal(e->endpoint, 0);
        }
        uint64_t before_finish = world_fault_effects(s->world, 0);
        assert_int_equal(world_finish(s->world, &(struct world_finish){.heal = true,
                                                                       .restart = true,
                                                                       .quiesce_ns = 100 * MS}),
                         KERNEL_DONE);
        assert_true(world_fault_effects(s->world, 0) >= before_finish);
        scene_destroy(s);
    }
}

static void test_faults_without_anything_to_act_on_count_nothing(void **state)
{
    (void)state;
    static const char *const idle[][2] = {{"cut", "from=0 to=1"},
                                          {"partition", "groups=x"},
                                          {"slow", "from=0"},
                                          {"loss", "from=0"},
                                          {"clog", "from=0"},
                                          {"heal", ""},
                                          {"start", "node=1"},
                                          {"resume", "node=1"},
                                          {"read_error", "node=1"},
                                          {"sync_error", "node=1"},
                                          {"lying_sync", "node=1"},
                                          {"disk_full", "node=1"},
                                          {"slow_disk", "node=1"},
                                          {"clock_step", "node=1 by=0s"},
                                          {"clock_drift", "node=1 drift=0ppm"},
                                          {"crash", "node=6"}};
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
        struct fault_plan plan[] = {entry("it", idle[i][0], idle[i][1], BEGIN, -1)};
        struct scene *s = play(plan, 1, false);
        kernel_run(s->kernel, 700 * MS);
        assert_true(world_fault_fired(s->world, 0));
        if (world_fault_effects(s->world, 0))
            fail_msg("%s %s counts %llu", idle[i][0], idle[i][1],
                     (unsigned long long)world_fault_effects(s->world, 0));
        scene_destroy(s);
    }
    static const char *const down[] = {"crash", "pause", "promote", "demote"};
    for (size_t i = 0; i < sizeof down / sizeof down[0]; i++) {
        struct fault_plan plan[] = {entry("first", "crash", "node=1", 150 * MS, -1),
                                    entry("it", down[i], "node=1", BEGIN, -1)};
        struct scene *s = play(plan, 2, false);
        kernel_run(s->kernel, 700 * MS);
        assert_int_equal(world_fault_effects(s->world, 0), 1);
        assert_int_equal(world_fault_effects(s->world, 1), 0);
        scene_destroy(s);
    }
}

static void test_faults_that_find_their_work_done_count_nothing_and_say_so(void **state)
{
    (void)state;
    struct fault_plan plan[] = {entry("promote", "promote", "node=0", BEGIN, -1),
                                entry("demote", "demote", "node=1", BEGIN, -1),
                                entry("full", "evict", "node=1", BEGIN, -1),
                                entry("empty", "evict", "node=1", BEGIN + 50 * MS, -1)};
    struct scene *s = play(plan, 4, false);
    order(s, 1, "w s");
    kernel_run(s->kernel, 700 * MS);
    assert_int_equal(world_fault_effects(s->world, 0), 0);
    assert_int_equal(world_fault_effects(s->world, 1), 0);
    assert_true(world_fault_effects(s->world, 2) > 0);
    assert_int_equal(world_fault_effects(s->world, 3), 0);
    assert_int_equal(told(s, "n0 has nothing to promote: it leads already"), 1);
    assert_int_equal(told(s, "n1 has nothing to demote: it does not lead"), 1);
    scene_destroy(s);
}

static void test_faults_end_with_for_and_undo_what_they_did(void **state)
{
    (void)state;
    struct fault_plan plan[] = {entry("c", "cut", "from=0 to=1", BEGIN, LASTS),
                                entry("p", "pause", "node=2", BEGIN, LASTS),
                                entry("x", "crash", "node=1", BEGIN, LASTS),
                                entry("d", "clock_drift", "node=0 drift=100ppm", BEGIN, LASTS),
                                entry("g", "pause", "node=6", BEGIN, LASTS)};
    struct scene *s = play(plan, 5, false);
    kernel_run(s->kernel, BEGIN + 1 * MS);
    assert_false(network_reachable(world_network(s->world), 0, 1, MESSAGE_CONTROL));
    assert_true(
        network_reachable(world_network(s->world), 1, 0, MESSAGE_CONTROL)); /* one way */
    assert_true(node_is_paused(world_node(s->world, 2)));
    assert_false(node_is_up(world_node(s->world, 1)));
    assert_int_equal(node_clock(world_node(s->world, 0))->drift_ppm, 100);
    assert_true(s->is_paused);
    kernel_run(s->kernel, ENDS + 10 * MS);
    assert_true(network_reachable(world_network(s->world), 0, 1, MESSAGE_CONTROL));
    assert_false(node_is_paused(world_node(s->world, 2)));
    assert_true(node_is_up(world_node(s->world, 1)));
    assert_int_equal(node_clock(world_node(s->world, 0))->drift_ppm, 0);
    assert_false(s->is_paused);
    assert_int_equal(world_fault_effects(s->world, 1), 200); /* ms of silence */
    assert_int_equal(world_fault_effects(s->world, 4), 200);
    assert_int_equal(told(s, "c is over (cut)"), 1);
    assert_int_equal(told(s, "crash of n1"), 1);
    assert_int_equal(told(s, "n1 crashes"), 0); /* the entry has said so */
    assert_int_equal(facts_of(s, FACT_DOWN, 1), 1);
    assert_int_equal(facts_of(s, FACT_PAUSED, 2), 1);
    assert_int_equal(facts_of(s, FACT_RESUMED, 2), 1);
    scene_destroy(s);
}

static void test_faults_heal_ends_the_named_ones_or_all_but_crashes(void **state)
{
    (void)state;
    struct fault_plan plan[] = {entry("a", "cut", "from=0 to=1", BEGIN, 600 * MS),
                                entry("b", "cut", "from=0 to=2", BEGIN, -1),
                                entry("x", "crash", "node=2", BEGIN, -1),
                                entry("some", "heal", "ids=a", 250 * MS, -1),
                                entry("all", "heal", "", 300 * MS, -1),
                                entry("start", "heal", "ids=x", 350 * MS, -1)};
    struct scene *s = play(plan, 6, false);
    kernel_run(s->kernel, 260 * MS);
    assert_true(network_reachable(world_network(s->world), 0, 1, MESSAGE_CONTROL));
    assert_false(network_reachable(world_network(s->world), 0, 2, MESSAGE_CONTROL));
    kernel_run(s->kernel, 310 * MS);
    assert_true(network_reachable(world_network(s->world), 0, 2, MESSAGE_CONTROL));
    assert_false(node_is_up(world_node(s->world, 2)));
    kernel_run(s->kernel, 400 * MS);
    assert_true(node_is_up(world_node(s->world, 2)));
    assert_int_equal(world_fault_effects(s->world, 3), 1);
    assert_int_equal(world_fault_effects(s->world, 4), 1);
    assert_int_equal(world_fault_effects(s->world, 5), 1);
    kernel_run(s->kernel, NS_PER_S); /* a's own end comes too late to do anything */
    for (size_t k = 0; k < s->records.timeline.count; k++)
        if (s->records.timeline.items[k].kind == TIMELINE_FAULT &&
            !strcmp(s->records.timeline.items[k].id, "a"))
            assert_int_equal(s->records.timeline.items[k].until_ns, 250 * MS);
    scene_destroy(s);
}

static void test_faults_flap_on_and_off(void **state)
{
    (void)state;
    struct fault_plan plan[] = {entry("it", "cut", "from=0 to=1 flap=20ms", BEGIN, LASTS)};
    struct scene *s = play(plan, 1, true);
    static const struct {
        int64_t at;
        bool through;
    } expected[] = {{10, false}, {30, true}, {50, false}, {70, true}, {190, true}, {210, true}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        kernel_run(s->kernel, BEGIN + expected[i].at * MS);
        assert_int_equal(network_reachable(world_network(s->world), 0, 1, MESSAGE_CONTROL),
                         expected[i].through);
    }
    uint64_t effects = world_fault_effects(s->world, 0);
    assert_in_range(effects, 15, 25); /* half of the 40 messages */
    kernel_run(s->kernel, NS_PER_S);
    assert_int_equal(world_fault_effects(s->world, 0), effects);
    scene_destroy(s);
}

static void test_faults_leader_is_resolved_when_the_entry_begins(void **state)
{
    (void)state;
    struct fault_plan plan[] = {entry("stop", "crash", "node=-2", BEGIN, -1),
                                entry("lone", "cut", "from=-2 to=-2", BEGIN + 1 * MS, -1),
                                entry("other", "crash", "node=-2", 300 * MS, -1),
                                entry("none", "crash", "node=-2", 400 * MS, -1)};
    struct scene *s = play(plan, 4, false);
    order(s, 2, "L9");
    kernel_run(s->kernel, 250 * MS);
    assert_false(node_is_up(world_node(s->world, 2)));
    assert_true(node_is_up(world_node(s->world, 0)));
    assert_int_equal(told(s, "crash of n2"), 1);
    assert_int_equal(told(s, "cut n0 -> n0"), 1); /* n0 leads again in the world's eyes */
    kernel_run(s->kernel, 350 * MS);
    assert_false(node_is_up(world_node(s->world, 0)));
    kernel_run(s->kernel, 450 * MS);
    assert_int_equal(world_fault_effects(s->world, 3), 0);
    assert_int_equal(told(s, "nobody leads"), 1);
    scene_destroy(s);
}

/* ---- triggers ---- */

static struct fault_plan triggered(const char *id, enum trigger_kind kind, int32_t place,
                                   int64_t nth, int64_t delay)
{
    struct fault_plan plan = entry(id, "clock_step", "node=1 by=1s", 0, -1);
    plan.trigger = kind;
    plan.trigger_place = place;
    plan.nth = nth;
    plan.delay_ns = delay;
    plan.evidence_required = false;
    return plan;
}

static int64_t fired_at(const struct scene *s, const char *id)
{
    for (size_t i = 0; i < s->records.timeline.count; i++)
        if (s->records.timeline.items[i].id && !strcmp(s->records.timeline.items[i].id, id))
            return s->records.timeline.items[i].time_ns;
    return -1;
}

static void test_faults_triggers_by_state_and_nth_occurrence(void **state)
{
    (void)state;
    struct fault_plan plan[] = {triggered("first_election", TRIGGER_LEADER_ELECTED, -1, 1, 0),
                                triggered("n2_leads", TRIGGER_LEADER_ELECTED, 2, 1, 5 * MS),
                                triggered("n1_down", TRIGGER_NODE_DOWN, 1, 1, 0),
                                triggered("n1_up_again", TRIGGER_NODE_UP, 1, 2, 0),
                                triggered("third_ack", TRIGGER_ACKNOWLEDGED, -1, 3, 0),
                                triggered("second_call", TRIGGER_INVOKED, -1, 2, 0),
                                triggered("after", TRIGGER_FAULT, -1, 1, 30 * MS),
                                triggered("never", TRIGGER_NODE_DOWN, 0, 1, 0),
                                triggered("configured", TRIGGER_LEADER_ELECTED, 0, 1, 0)};
    plan[6].trigger_fault = "n1_down";
    struct scene *s = play(plan, 9, false);
    assert_int_equal(fired_at(s, "first_election"),
                     -1); /* whom the configuration names is not elected */
    assert_int_equal(fired_at(s, "configured"), -1);
    order(s, 2, "L2");
    kernel_run(s->kernel, 200 * MS);
    assert_int_equal(fired_at(s, "first_election"), 100 * MS + HANDLER + 1);
    assert_int_equal(fired_at(s, "n2_leads"), 100 * MS + HANDLER + 5 * MS);
    node_crash(world_node(s->world, 1), DOWN_CRASH, "");
    kernel_run(s->kernel, 201 * MS);
    assert_int_equal(fired_at(s, "n1_down"), 200 * MS + 1);
    node_start(world_node(s->world, 1));
    kernel_run(s->kernel, 300 * MS);
    assert_true(fired_at(s, "n1_up_again") > 201 * MS);
    assert_int_equal(fired_at(s, "after"), 230 * MS + 1);
    world_operation(s->world, OPERATION_WRITE, OUTCOME_COUNT);
    world_operation(s->world, OPERATION_WRITE, OUTCOME_OK);
    world_operation(s->world, OPERATION_READ, OUTCOME_OK);
    world_operation(s->world, OPERATION_WRITE, OUTCOME_FAIL);
    world_operation(s->world, OPERATION_INSERT, OUTCOME_OK);
    kernel_run(s->kernel, 400 * MS);
    assert_int_equal(fired_at(s, "third_ack"), -1);
    assert_int_equal(fired_at(s, "second_call"), -1);
    world_operation(s->world, OPERATION_READ, OUTCOME_COUNT);
    world_operation(s->world, OPERATION_DELETE, OUTCOME_OK);
    kernel_run(s->kernel, 500 * MS);
    assert_int_equal(fired_at(s, "third_ack"), 400 * MS + 1);
    assert_int_equal(fired_at(s, "second_call"), 400 * MS + 1);
    assert_int_equal(fired_at(s, "never"), -1);
    assert_false(world_fault_fired(s->world, 7));
    scene_destroy(s);
}

static void test_faults_trigger_on_the_nth_sync_of_a_node(void **state)
{
    (void)state;
    struct fault_plan plan[] = {triggered("sync", TRIGGER_SYNC, 1, 0, 0)};
    struct scene *s = play(plan, 1, false);
    uint64_t syncs = 0;
    for (int i = 0; i < VFS_PURPOSES; i++)
        syncs += disk_counters(node_disk(world_node(s->world, 1)))->syncs[i];
    scene_destroy(s);
    plan[0].nth = (int64_t)syncs + 3; /* the boot has its own */
    s = play(plan, 1, false);
    order(s, 2, "w s w s w s w s"); /* another's do not count */
    order(s, 1, "w s w s");
    kernel_run(s->kernel, 200 * MS);
    assert_int_equal(fired_at(s, "sync"), -1);
    order(s, 1, "w s");
    kernel_run(s->kernel, 300 * MS);
    assert_int_equal(fired_at(s, "sync"), 200 * MS + HANDLER + CALL + SYNC + 1);
    scene_destroy(s);
}

static void test_faults_trigger_on_an_acknowledgement_keeps_what_it_rests_on(void **state)
{
    (void)state;
    /* Power is lost as soon as n1 has answered: the synced write must be there. */
    struct fault_plan plan[] = {entry("off", "power_off", "node=1 mode=all_lost", 0, 100 * MS)};
    plan[0].trigger = TRIGGER_SYNC;
    plan[0].trigger_place = 1;
    struct scene *s = play(plan, 1, false);
    scene_destroy(s);
    plan[0].trigger = TRIGGER_ACKNOWLEDGED;
    s = play(plan, 1, false);
    order(s, 1, "w s r");
    kernel_run(s->kernel, 100 * MS + HANDLER + CALL + SYNC);
    world_operation(s->world, OPERATION_WRITE, OUTCOME_OK);
    kernel_run(s->kernel, NS_PER_S);
    assert_int_equal(world_fault_effects(s->world, 0), 1);
    assert_int_equal(node_inspection(world_node(s->world, 1))->last_position, 1);
    scene_destroy(s);
}

static void test_faults_of_an_instant_come_before_everything_else_and_none_after_finish(
    void **state)
{
    (void)state;
    int64_t ack = 100 * MS + HANDLER + CALL + SYNC;
    struct fault_plan plan[] = {entry("off", "crash", "node=1", ack, -1),
                                entry("late", "crash", "node=0", 600 * MS, -1),
                                triggered("up", TRIGGER_NODE_UP, 1, 2, 0)};
    struct scene *s = play(plan, 3, false);
    order(s, 1, "w s r");
    kernel_run(s->kernel, 500 * MS);
    assert_int_equal(facts_of(s, FACT_ACK, 1), 0);
    world_finish(s->world,
                 &(struct world_finish){.heal = true, .restart = true, .quiesce_ns = NS_PER_S});
    assert_false(world_fault_fired(s->world, 1));
    assert_false(world_fault_fired(s->world, 2)); /* n1 came up during finish */
    assert_true(world_any_fault_hit_engine(s->world));
    scene_destroy(s);
}

int main(void)
{
    memory = arena_create();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_table_names_every_action_once_with_a_case_here),
        cmocka_unit_test(test_faults_every_action_has_an_effect_counts_it_and_tells_it),
        cmocka_unit_test(test_faults_without_anything_to_act_on_count_nothing),
        cmocka_unit_test(test_faults_that_find_their_work_done_count_nothing_and_say_so),
        cmocka_unit_test(test_faults_end_with_for_and_undo_what_they_did),
        cmocka_unit_test(test_faults_heal_ends_the_named_ones_or_all_but_crashes),
        cmocka_unit_test(test_faults_flap_on_and_off),
        cmocka_unit_test(test_faults_leader_is_resolved_when_the_entry_begins),
        cmocka_unit_test(test_faults_triggers_by_state_and_nth_occurrence),
        cmocka_unit_test(test_faults_trigger_on_the_nth_sync_of_a_node),
        cmocka_unit_test(test_faults_trigger_on_an_acknowledgement_keeps_what_it_rests_on),
        cmocka_unit_test(
            test_faults_of_an_instant_come_before_everything_else_and_none_after_finish),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(memory);
    return failed;
}
