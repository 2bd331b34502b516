/* Goal: from what its attempts are answered, a client concludes exactly what it may: ok, fail
 * or unknown; it retries what is safe to retry, follows leaders, carries sessions and locks,
 * and is frozen while paused. Method: a fake world whose nodes are scripted answer by answer; 1
 * ms each way; the history is compared field by field.
 */
#include "tests/workload/fake_world.h"

#define SECOND NS_PER_S

/* One client, one operation at 1 s, so that the directory has spoken. */
static struct workload_config single(enum operation_type type)
{
    struct workload_config config = config_of("c", type);
    config.count = 1;
    config.start_ns = SECOND;
    config.key = "x";
    return config;
}

static const struct history_op *run_single(struct world *world, struct workload_config config,
                                           script_fn *script)
{
    fake_open(world, 1);
    world->script = script;
    fake_run(world, &config, 1, 100 * SECOND);
    assert_int_equal(world->records.history->count, 1);
    assert_int_equal(world->invoked, 1);
    history_seal(world->records.history);
    return op_at(world, 0);
}

static const struct history_attempt *attempt_at(struct world *world,
                                                const struct history_op *op, uint32_t i)
{
    assert_true(i < op->attempts_count);
    return &world->records.history->attempts[op->attempts_start + i];
}

/* ---- scripts: what the n-th request is answered ---- */

static void silent(struct world *world, uint32_t node, const struct operation *operation,
                   struct answer *answer)
{
    (void)world, (void)node, (void)operation;
    answer->silent = true;
}

static enum status said; /* by status_only */
static void status_only(struct world *world, uint32_t node, const struct operation *operation,
                        struct answer *answer)
{
    (void)world, (void)node, (void)operation;
    answer->reply.status = said;
}

static void refuses_first(struct world *world, uint32_t node, const struct operation *operation,
                          struct answer *answer)
{
    if (world->seen_count == 1)
        answer->reply.status = STATUS_UNAVAILABLE;
    else
        serve(world, node, operation, answer);
}

/* Does it, and says nothing, the first time. */
static void forgets_first(struct world *world, uint32_t node, const struct operation *operation,
                          struct answer *answer)
{
    if (world->seen_count == 1) {
        serve(world, node, operation, answer);
        answer->silent = true;
    } else {
        serve(world, node, operation, answer);
    }
}

static void forgets_first_and_is_overwritten(struct world *world, uint32_t node,
                                             const struct operation *operation,
                                             struct answer *answer)
{
    forgets_first(world, node, operation, answer);
    fake_put(world, operation->key, BYTES_LITERAL("77.nobody"));
    if (world->seen_count > 1) answer->reply.value = BYTES_LITERAL("77.nobody");
}

static void overwritten_before(struct world *world, uint32_t node,
                               const struct operation *operation, struct answer *answer)
{
    fake_put(world, operation->key, BYTES_LITERAL("77.nobody"));
    serve(world, node, operation, answer);
}

/* Two copies are executed, and the second's answer is the one that arrives. */
static void second_copy_answers(struct world *world, uint32_t node,
                                const struct operation *operation, struct answer *answer)
{
    struct answer lost = {0};
    serve(world, node, operation, &lost);
    serve(world, node, operation, answer);
}

static void slow_first(struct world *world, uint32_t node, const struct operation *operation,
                       struct answer *answer)
{
    serve(world, node, operation, answer);
    if (world->seen_count == 1) answer->delay_ns = 300 * MS;
}

static void says_everything_twice(struct world *world, uint32_t node,
                                  const struct operation *operation, struct answer *answer)
{
    serve(world, node, operation, answer);
    answer->twice = true;
}

/* Node 1 leads; the others say so. */
static void only_one_leads(struct world *world, uint32_t node,
                           const struct operation *operation, struct answer *answer)
{
    if (node == 1) {
        serve(world, node, operation, answer);
        answer->reply.epoch = 7;
    } else {
        answer->reply.status = STATUS_NOT_LEADER;
        answer->reply.leader_hint = 1;
    }
}

static void only_two_leads_and_nobody_knows(struct world *world, uint32_t node,
                                            const struct operation *operation,
                                            struct answer *answer)
{
    if (node == 2)
        serve(world, node, operation, answer);
    else
        answer->reply.status = STATUS_NOT_LEADER;
}

/* ---- outcomes of a single attempt ---- */

static void test_each_status_of_a_write_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        enum history_outcome outcome;
    } cases[] = {{STATUS_OK, OUTCOME_OK},
                 {STATUS_MISMATCH, OUTCOME_FAIL},
                 {STATUS_HELD, OUTCOME_FAIL},
                 {STATUS_FENCED, OUTCOME_FAIL},
                 {STATUS_NOT_LEADER, OUTCOME_FAIL},
                 {STATUS_UNAVAILABLE, OUTCOME_FAIL},
                 {STATUS_INDETERMINATE, OUTCOME_UNKNOWN},
                 {STATUS_ERROR, OUTCOME_FAIL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        said = cases[i].status;
        const struct history_op *op = run_single(&world, single(OPERATION_WRITE), status_only);
        assert_int_equal(op->outcome, cases[i].outcome);
        assert_int_equal(op->status, said);
        assert_int_equal(op->invoke_ns, SECOND);
        assert_int_equal(op->return_ns, SECOND + 2 * MS);
        assert_int_equal(op->attempts_count, 1);
        assert_int_equal(attempt_at(&world, op, 0)->status, said);
        assert_int_equal(world.returned[cases[i].outcome], 1);
        fake_close(&world);
    }
}

static void test_unanswered_write_is_unknown_at_its_timeout(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_WRITE);
    config.timeout_ns = 250 * MS;
    config.retries = 5; /* of no use: it may have been done */
    config.attempt_timeout_ns = 50 * MS;
    const struct history_op *op = run_single(&world, config, silent);
    assert_int_equal(op->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(op->status, 255);
    assert_int_equal(op->return_ns, SECOND + 250 * MS);
    assert_int_equal(op->attempts_count, 1);
    assert_true(attempt_at(&world, op, 0)->answered_ns == HISTORY_OPEN);
    assert_int_equal(op->node, HISTORY_NONE);
    fake_close(&world);
}

static void test_read_sees_the_token_of_the_write_or_nothing(void **state)
{
    (void)state;
    struct world world;
    const struct history_op *op = run_single(&world, single(OPERATION_READ), NULL);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->status, STATUS_NOT_FOUND);
    assert_int_equal(value_at(&world, 0), 0);
    fake_close(&world);

    fake_open(&world, 1);
    static const struct workload_step steps[] = {
        {OPERATION_WRITE, 0}, {OPERATION_READ, 0}, {OPERATION_DELETE, 0}, {OPERATION_READ, 0}};
    struct workload_config config;
    workload_config_default(&config, "c");
    config.sequence = steps;
    config.sequence_count = config.count = 4;
    config.key = "x";
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(op_at(&world, 0)->token, 1);
    assert_int_equal(value_at(&world, 1), 1);
    assert_int_equal(op_at(&world, 1)->token, 0);
    assert_int_equal(op_at(&world, 2)->outcome, OUTCOME_OK);
    assert_int_equal(value_at(&world, 3), 0);
    fake_close(&world);
}

static void test_value_changed_in_any_byte_belongs_to_nobody(void **state)
{
    (void)state;
    struct buffer value = {.allocator = &allocator_system};
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = single(OPERATION_WRITE);
    config.value_size = 100;
    fake_run(&world, &config, 1, 10 * SECOND);
    struct fake_row *row = &world.rows[0];
    assert_int_equal(row->size, 100);
    assert_int_equal(workload_token(bytes_of(row->value, row->size)), 1);
    for (size_t i = 0; i < row->size; i++) {
        row->value[i] ^= 1;
        uint64_t token = workload_token(bytes_of(row->value, row->size));
        assert_true(token != 1 && token != 0);
        row->value[i] ^= 1;
    }
    assert_true(workload_token(BYTES_LITERAL("")) == 0);
    assert_true(workload_token(BYTES_LITERAL("17")) == UINT64_MAX);
    assert_true(workload_token(BYTES_LITERAL("017.")) == UINT64_MAX);
    assert_true(workload_token(BYTES_LITERAL("hello")) == UINT64_MAX);
    assert_true(workload_token(BYTES_LITERAL("99999999999999999999.")) == UINT64_MAX);
    assert_true(workload_token(BYTES_LITERAL("17.")) == 17);
    buffer_deinit(&value);
    fake_close(&world);
}

/* ---- retries ---- */

static void test_refused_write_is_retried_after_the_backoff(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_WRITE);
    config.retries = 1;
    config.backoff_ns = 30 * MS;
    const struct history_op *op = run_single(&world, config, refuses_first);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->attempts_count, 2);
    assert_int_equal(attempt_at(&world, op, 0)->status, STATUS_UNAVAILABLE);
    assert_int_equal(attempt_at(&world, op, 1)->sent_ns, SECOND + 2 * MS + 30 * MS);
    assert_int_equal(op->return_ns, SECOND + 34 * MS);
    assert_true(world.seen[0].operation.id == world.seen[1].operation.id);
    assert_true(world.seen[0].token == world.seen[1].token);
    assert_false(world.seen[1].operation.idempotent);
    fake_close(&world);
}

static void test_refusals_without_end_fail_when_retries_or_time_are_used_up(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_WRITE);
    config.retries = 9;
    config.backoff_ns = 10 * MS;
    said = STATUS_UNAVAILABLE;
    const struct history_op *op = run_single(&world, config, status_only);
    assert_int_equal(op->outcome, OUTCOME_FAIL);
    assert_int_equal(op->attempts_count, 10);
    assert_int_equal(op->return_ns, SECOND + 10 * 2 * MS + 9 * 10 * MS);
    fake_close(&world);
    config.retries = 10000;
    config.timeout_ns = 60 * MS; /* room for five */
    op = run_single(&world, config, status_only);
    assert_int_equal(op->outcome, OUTCOME_FAIL);
    assert_int_equal(op->attempts_count, 5);
    assert_true(op->return_ns <= SECOND + 60 * MS);
    fake_close(&world);
}

static void test_idempotent_write_is_retried_after_an_attempt_timeout(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_WRITE);
    config.retries = 3;
    config.attempt_timeout_ns = 100 * MS;
    config.idempotent = 1;
    const struct history_op *op = run_single(&world, config, forgets_first);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->attempts_count, 2);
    assert_int_equal(attempt_at(&world, op, 1)->sent_ns, SECOND + 100 * MS);
    assert_true(attempt_at(&world, op, 0)->answered_ns == HISTORY_OPEN);
    assert_true(world.seen[0].operation.idempotent && world.seen[1].operation.idempotent);
    assert_true(world.seen[0].operation.id == world.seen[1].operation.id);
    fake_close(&world);
}

static void test_read_is_retried_without_a_token(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_READ);
    config.retries = 3;
    config.attempt_timeout_ns = 100 * MS;
    const struct history_op *op = run_single(&world, config, forgets_first);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->attempts_count, 2);
    fake_close(&world);
}

static void test_late_answer_of_an_earlier_attempt_ends_the_operation(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_WRITE);
    config.attempt_timeout_ns = 100 * MS; /* the answer comes after 302 ms */
    const struct history_op *op = run_single(&world, config, slow_first);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->attempts_count, 1);
    assert_int_equal(op->return_ns, SECOND + 302 * MS);
    fake_close(&world);
}

static void test_refusal_after_an_open_attempt_is_unknown(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = single(OPERATION_WRITE);
    config.retries = 1;
    config.attempt_timeout_ns = 100 * MS;
    config.timeout_ns = 400 * MS;
    config.idempotent = 1;
    world.script = silent;
    fake_start(&world, &config, 1, 100 * SECOND);
    kernel_run(world.kernel, SECOND + 50 * MS);
    said = STATUS_UNAVAILABLE;
    world.script = status_only;
    kernel_run(world.kernel, 100 * SECOND);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(op_at(&world, 0)->attempts_count, 2);
    assert_int_equal(op_at(&world, 0)->return_ns,
                     SECOND + 400 * MS); /* the first might still be answered */
    fake_close(&world);
}

static void test_many_attempts_are_all_recorded_and_doubled_answers_count_once(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_READ);
    config.retries = 40;
    config.attempt_timeout_ns = 5 * MS;
    const struct history_op *op = run_single(&world, config, silent);
    assert_int_equal(op->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(op->attempts_count, 41);
    fake_close(&world);

    fake_open(&world, 1);
    world.script = says_everything_twice;
    config = config_of("c", OPERATION_WRITE);
    config.count = 20;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(world.records.history->count, 20);
    assert_int_equal(world.returned[OUTCOME_OK], 20);
    fake_close(&world);
}

static void test_process_is_retired_by_unknown_only(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("c", OPERATION_WRITE);
    config.clients = 2;
    config.timeout_ns = 100 * MS;
    config.stop_ns = 400 * MS;
    world.script = silent;
    fake_start(&world, &config, 1, 100 * SECOND);
    kernel_run(world.kernel, 250 * MS);
    said = STATUS_UNAVAILABLE;
    world.script = status_only;
    kernel_run(world.kernel, 10 * SECOND);
    assert_true(world.returned[OUTCOME_UNKNOWN] == 6);
    for (size_t i = 0; i < world.records.history->count; i++) {
        const struct history_op *op = op_at(&world, i);
        assert_int_equal(op->session, i % 2);
        for (size_t j = 0; j < i; j++)
            if (op_at(&world, j)->outcome == OUTCOME_UNKNOWN)
                assert_int_not_equal(op_at(&world, j)->process, op->process);
    }
    size_t last = world.records.history->count - 1;
    assert_int_equal(op_at(&world, last)->process,
                     op_at(&world, last - 2)->process); /* refused: it goes on */
    fake_close(&world);
}

/* ---- whom to ask ---- */

static void test_redirect_is_followed_and_remembered(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = only_one_leads;
    struct workload_config config = config_of("c", OPERATION_WRITE);
    config.retries = 1;
    config.count = 3;
    config.start_ns = SECOND;
    fake_run(&world, &config, 1, 10 * SECOND);
    history_seal(world.records.history);
    assert_int_equal(op_at(&world, 0)->attempts_count, 2);
    assert_int_equal(attempt_at(&world, op_at(&world, 0), 0)->node, 0);
    assert_int_equal(attempt_at(&world, op_at(&world, 0), 1)->node, 1);
    assert_int_equal(op_at(&world, 0)->node, 1);
    assert_int_equal(op_at(&world, 0)->epoch, 7);
    assert_int_equal(op_at(&world, 1)->attempts_count, 1);
    assert_int_equal(op_at(&world, 2)->attempts_count, 1);
    fake_close(&world);
}

/* A lagging node 0 names node 2, which has long been replaced by 1. */
static void stale_hint(struct world *world, uint32_t node, const struct operation *operation,
                       struct answer *answer)
{
    if (node == 1) {
        serve(world, node, operation, answer);
        return;
    }
    answer->reply.status = STATUS_NOT_LEADER;
    answer->reply.leader_hint = 2;
}

static void test_read_refused_by_a_follower_goes_to_the_known_leader(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = stale_hint;
    world.leader = 1;
    struct workload_config config = single(OPERATION_READ);
    config.read_from = TARGET_NEAREST;
    config.retries = 1;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_OK);
    assert_int_equal(op_at(&world, 0)->node, 1);
    assert_int_equal(world.seen_count, 2);
    assert_int_equal(world.seen[0].node, 0);
    fake_close(&world);
}

static void test_leader_nobody_knows_is_found_in_turn(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = only_two_leads_and_nobody_knows;
    world.leader = LEADER_UNKNOWN;
    struct workload_config config = single(OPERATION_WRITE);
    config.retries = 3;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_OK);
    assert_int_equal(op_at(&world, 0)->node, 2);
    assert_true(op_at(&world, 0)->attempts_count <= 3);
    fake_close(&world);
}

static void test_first_operation_waits_for_the_directory_but_not_for_ever(void **state)
{
    (void)state;
    for (int mute = 0; mute < 2; mute++) {
        struct world world;
        fake_open(&world, 1);
        world.leader = 2;
        world.directory_silent = mute;
        struct workload_config config = single(OPERATION_WRITE);
        config.start_ns = 0;
        fake_run(&world, &config, 1, 10 * SECOND);
        const struct history_op *op = op_at(&world, 0);
        assert_int_equal(op->outcome, OUTCOME_OK);
        assert_int_equal(op->invoke_ns, 0);
        assert_int_equal(op->return_ns, mute ? 102 * MS : 4 * MS);
        assert_int_equal(op->node, mute ? 0 : 2);
        fake_close(&world);
    }
}

static void test_operation_that_never_left_has_failed(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.directory_silent = true;
    struct workload_config config = single(OPERATION_WRITE);
    config.start_ns = 0;
    config.timeout_ns = 50 * MS;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_FAIL);
    assert_int_equal(op_at(&world, 0)->attempts_count, 0);
    assert_int_equal(world.seen_count, 0);
    fake_close(&world);
}

static void test_directory_moves_those_who_follow_it_and_nobody_else(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config configs[2] = {config_of("follows", OPERATION_WRITE),
                                         config_of("stays", OPERATION_WRITE)};
    for (int i = 0; i < 2; i++) configs[i].rate_millionths = 10 * 1000000;
    configs[1].follow_directory = 0;
    fake_start(&world, configs, 2, 10 * SECOND);
    kernel_run(world.kernel, 5 * SECOND + 50 * MS);
    world.leader = 1;
    for (uint32_t e = world.store + 1; e < network_count(world.network); e++)
        fake_tell(&world, e);
    kernel_run(world.kernel, 20 * SECOND);
    for (size_t i = 0; i < world.records.history->count; i++) {
        const struct history_op *op = op_at(&world, i);
        bool follows = strcmp(key_name(&world, op->client), "follows") == 0;
        assert_int_equal(op->node, follows && op->invoke_ns > 5 * SECOND + 52 * MS ? 1 : 0);
    }
    fake_close(&world);
}

static void test_failure_makes_the_group_ask_the_directory(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = silent;
    struct workload_config config = single(OPERATION_WRITE);
    fake_start(&world, &config, 1, 10 * SECOND);
    kernel_run(world.kernel, SECOND + 500 * MS);
    assert_int_equal(world.asked, 1); /* at the start */
    kernel_run(world.kernel, 10 * SECOND);
    assert_int_equal(world.asked, 2);
    fake_close(&world);
}

static void test_read_targets_spread_reads_as_they_say(void **state)
{
    (void)state;
    for (int target = TARGET_LEADER; target <= TARGET_ROUND_ROBIN; target++) {
        struct world world;
        fake_open(&world, 1);
        world.leader = 1;
        struct workload_config config = config_of("c", OPERATION_READ);
        config.mix.ppm[OPERATION_READ] = config.mix.ppm[OPERATION_WRITE] = 500000;
        config.rate_millionths = 1000 * 1000000;
        config.count = 1200;
        config.start_ns = SECOND;
        config.read_from = target;
        config.region = 1; /* where n2 stands */
        fake_run(&world, &config, 1, 10 * SECOND);
        uint32_t reads[FAKE_NODES] = {0}, before = 2;
        for (uint32_t i = 0; i < world.seen_count; i++) {
            if (world.seen[i].operation.type == OPERATION_WRITE) {
                assert_int_equal(world.seen[i].node, 1);
                continue;
            }
            reads[world.seen[i].node]++;
            if (target == TARGET_ROUND_ROBIN)
                assert_int_equal(world.seen[i].node, (before + 1) % FAKE_NODES);
            before = world.seen[i].node;
        }
        uint32_t total = reads[0] + reads[1] + reads[2];
        switch (target) {
        case TARGET_LEADER: assert_int_equal(reads[1], total); break;
        case TARGET_NEAREST: assert_int_equal(reads[2], total); break;
        case TARGET_ANY: assert_true(reads[0] > 130 && reads[1] > 130 && reads[2] > 130); break;
        default: assert_true(reads[0] - reads[2] <= 1); break;
        }
        fake_close(&world);
    }
}

static void test_own_key_is_read_from_the_leader_for_a_while(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.leader = 2;
    static const struct workload_step steps[] = {{OPERATION_WRITE, 0}, {OPERATION_READ, 0},
                                                 {0, 500 * MS},        {OPERATION_READ, 0},
                                                 {0, 600 * MS},        {OPERATION_READ, 0}};
    struct workload_config config;
    workload_config_default(&config, "c");
    config.sequence = steps;
    config.sequence_count = 6;
    config.count = 4;
    config.read_from = TARGET_NEAREST;
    config.leader_reads_after_write_ns = SECOND;
    config.key_choice = KEYS_OWN;
    fake_run(&world, &config, 1, 100 * SECOND);
    assert_int_equal(op_at(&world, 1)->node, 2);
    assert_int_equal(op_at(&world, 2)->node, 2);
    assert_int_equal(op_at(&world, 3)->node, 0);
    fake_close(&world);
}

/* ---- sessions ---- */

static void counts_positions(struct world *world, uint32_t node,
                             const struct operation *operation, struct answer *answer)
{
    serve(world, node, operation, answer);
    answer->reply.position = operation->type == OPERATION_WRITE ? 100 + world->seen_count : 1;
}

static void test_session_carries_the_highest_position_seen(void **state)
{
    (void)state;
    for (int session = 0; session < 2; session++) {
        struct world world;
        fake_open(&world, 1);
        world.script = counts_positions;
        static const struct workload_step steps[] = {{OPERATION_WRITE, 0}, {OPERATION_READ, 0}};
        struct workload_config config;
        workload_config_default(&config, "c");
        config.sequence = steps;
        config.sequence_count = 2;
        config.count = 6;
        config.session = session;
        fake_run(&world, &config, 1, 100 * SECOND);
        static const uint64_t carried[] = {0, 101, 101, 103, 103, 105};
        for (uint32_t i = 0; i < 6; i++) {
            assert_int_equal(world.seen[i].operation.session_position,
                             session ? carried[i] : 0);
            assert_int_equal(op_at(&world, i)->position, 101 + i / 2 * 2);
            assert_int_equal(op_at(&world, i)->session, 0);
        }
        fake_close(&world);
    }
}

/* ---- compare and set ---- */

static void test_compare_and_set_expects_what_was_last_seen(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = single(OPERATION_COMPARE_AND_SET);
    config.count = 3;
    config.value_size = 40;
    fake_start(&world, &config, 1, 10 * SECOND);
    kernel_run(world.kernel, SECOND + 4 * MS - 1); /* two are on their way or done */
    fake_put(&world, BYTES_LITERAL("x"), BYTES_LITERAL("77.nobody")); /* somebody else's */
    kernel_run(world.kernel, 10 * SECOND);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_OK);
    assert_int_equal(op_at(&world, 0)->expected, 0); /* absence */
    assert_int_equal(op_at(&world, 0)->token, 1);
    assert_int_equal(op_at(&world, 1)->outcome, OUTCOME_OK);
    assert_int_equal(op_at(&world, 1)->expected, 1);
    assert_int_equal(op_at(&world, 2)->expected, 2);
    assert_int_equal(op_at(&world, 2)->outcome, OUTCOME_FAIL);
    assert_int_equal(op_at(&world, 2)->status, STATUS_MISMATCH);
    assert_true(value_at(&world, 2) == UINT64_MAX); /* it saw a value that no workload wrote */
    fake_close(&world);
}

/* Does the first and forgets to say so; the second then sees the first's value. */
static void test_compare_and_set_that_sees_its_own_value_was_done(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_COMPARE_AND_SET);
    config.retries = 1;
    config.attempt_timeout_ns = 100 * MS;
    config.idempotent = 1;
    const struct history_op *op = run_single(&world, config, forgets_first);
    assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(op->status, STATUS_MISMATCH);
    assert_int_equal(op->attempts_count, 2);
    assert_int_equal(op->values_count, 0);
    fake_close(&world);
}

static void test_compare_and_set_after_an_open_attempt_is_unknown(void **state)
{
    (void)state;
    struct world world;
    struct workload_config config = single(OPERATION_COMPARE_AND_SET);
    config.retries = 1;
    config.attempt_timeout_ns = 100 * MS;
    config.idempotent = 1;
    const struct history_op *op = run_single(&world, config, forgets_first_and_is_overwritten);
    assert_int_equal(op->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(op->status, STATUS_MISMATCH);
    assert_true(value_at(&world, 0) == UINT64_MAX);
    fake_close(&world);
}

/* The copy that answers first may be the second: what it saw may have come after the first. */
static void test_mismatch_where_messages_double_is_unknown_and_ok_if_it_saw_itself(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) {
        struct world world;
        fake_open(&world, 1);
        struct network_rule rule = {.kind = RULE_DUPLICATE, .ppm = 1000000};
        network_rule_remove(world.network, network_rule_add(world.network, &rule));
        struct workload_config config = single(OPERATION_COMPARE_AND_SET);
        config.idempotent = 1;
        world.script = own ? second_copy_answers : overwritten_before;
        fake_run(&world, &config, 1, 10 * SECOND);
        assert_int_equal(op_at(&world, 0)->outcome, own ? OUTCOME_OK : OUTCOME_UNKNOWN);
        assert_int_equal(op_at(&world, 0)->status, STATUS_MISMATCH);
        assert_int_equal(op_at(&world, 0)->attempts_count, 1);
        fake_close(&world);
    }
}

/* ---- locks ---- */

/* One lock with tokens 33, 34 ...; fences writes that carry a token below the highest seen. */
static uint64_t lock_holder, lock_next, lock_highest;
static int64_t lock_expires;
static void locks(struct world *world, uint32_t node, const struct operation *operation,
                  struct answer *answer)
{
    int64_t now = kernel_now(world->kernel);
    struct reply *reply = &answer->reply;
    switch (operation->type) {
    case OPERATION_LOCK:
        if (lock_holder && now < lock_expires) {
            reply->status = STATUS_HELD;
        } else {
            reply->token = lock_holder = lock_next++;
            lock_expires = now + operation->ttl_ns;
        }
        break;
    case OPERATION_UNLOCK:
        if (operation->fence_token == lock_holder)
            lock_holder = 0;
        else
            reply->status = STATUS_FENCED;
        break;
    default:
        if (operation->fence_token && operation->fence_token < lock_highest) {
            reply->status = STATUS_FENCED;
            break;
        }
        if (operation->fence_token) lock_highest = operation->fence_token;
        serve(world, node, operation, answer);
    }
}

static struct workload_config locker(const char *name)
{
    static const struct workload_step steps[] = {
        {OPERATION_LOCK, 0}, {0, 100 * MS}, {OPERATION_WRITE, 0}, {OPERATION_UNLOCK, 0}};
    struct workload_config config;
    workload_config_default(&config, name);
    config.sequence = steps;
    config.sequence_count = 4;
    config.key = "x";
    config.think_ns = 10 * MS;
    config.lock_ttl_ns = 10 * SECOND;
    lock_holder = lock_highest = 0;
    lock_next = 33;
    return config;
}

static void test_lock_is_taken_guards_the_write_and_is_given_back(void **state)
{
    (void)state;
    for (int fencing = 0; fencing < 2; fencing++) {
        struct world world;
        fake_open(&world, 1);
        world.script = locks;
        struct workload_config config = locker("c");
        config.count = 6;
        config.fencing_token = fencing;
        fake_run(&world, &config, 1, 10 * SECOND);
        for (uint64_t i = 0; i < 6; i++) {
            const struct history_op *op = op_at(&world, i);
            assert_int_equal(op->outcome, OUTCOME_OK);
            assert_int_equal(op->lock_token, 33 + i / 3);
            assert_string_equal(key_name(&world, op->key), "x");
            static const uint8_t types[] = {HISTORY_LOCK, HISTORY_WRITE, HISTORY_UNLOCK};
            assert_int_equal(op->type, types[i % 3]);
            if (i % 3 == 1)
                assert_int_equal(world.seen[i].operation.fence_token, fencing ? 33 + i / 3 : 0);
            if (i % 3 == 2) assert_int_equal(world.seen[i].operation.fence_token, 33 + i / 3);
        }
        fake_close(&world);
    }
}

static void test_nobody_writes_without_the_lock(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = locks;
    struct workload_config config = locker("c");
    config.clients = 2;
    config.stop_ns = 3 * SECOND;
    fake_run(&world, &config, 1, 10 * SECOND);
    uint64_t holder = 0;
    uint32_t writes = 0, held = 0;
    for (size_t i = 0; i < world.seen_count; i++) {
        const struct operation *operation = &world.seen[i].operation;
        if (operation->type == OPERATION_WRITE) {
            assert_true(operation->fence_token > holder);
            holder = operation->fence_token;
            writes++;
        }
    }
    for (size_t i = 0; i < world.records.history->count; i++) {
        held += op_at(&world, i)->status == STATUS_HELD;
        if (op_at(&world, i)->status == STATUS_HELD)
            assert_int_equal(op_at(&world, i)->outcome, OUTCOME_FAIL);
    }
    assert_true(writes >= 20 && held >= 20);
    fake_close(&world);
}

static void test_zombie_wakes_after_its_lock_expired_and_writes(void **state)
{
    (void)state;
    for (int fencing = 0; fencing < 2; fencing++) {
        struct world world;
        fake_open(&world, 1);
        world.script = locks;
        struct workload_config configs[2] = {locker("first"), locker("second")};
        configs[0].count = 3;
        configs[1].count = 0;
        configs[1].start_ns = SECOND;
        configs[1].stop_ns = 12 * SECOND;
        configs[0].fencing_token = configs[1].fencing_token = fencing;
        fake_start(&world, configs, 2, 60 * SECOND);
        kernel_run(world.kernel, 50 * MS);
        uint32_t first = world.store + 1;
        fake_pause(&world, first, true);
        kernel_run(world.kernel, 20 * SECOND);
        fake_pause(&world, first, false);
        kernel_run(world.kernel, 60 * SECOND);
        const struct history_op *zombie = NULL;
        for (size_t i = 0; i < world.records.history->count; i++)
            if (op_at(&world, i)->type == HISTORY_WRITE && op_at(&world, i)->lock_token == 33)
                zombie = op_at(&world, i);
        assert_non_null(zombie);
        assert_int_equal(zombie->invoke_ns, 20 * SECOND); /* the wait had long been over */
        assert_int_equal(zombie->outcome, fencing ? OUTCOME_FAIL : OUTCOME_OK);
        assert_true(lock_next > 34); /* the second had it meanwhile */
        fake_close(&world);
    }
}

/* ---- pausing ---- */

static void test_paused_group_neither_sends_nor_hears_and_catches_up(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("c", OPERATION_WRITE);
    config.rate_millionths = 10 * 1000000;
    config.start_ns = 999 * MS;
    config.count = 40;
    fake_start(&world, &config, 1, 10 * SECOND);
    kernel_run(world.kernel, SECOND); /* the first is on its way */
    uint32_t group = world.store + 1;
    fake_pause(&world, group, true);
    fake_pause(&world, group, true); /* twice is once */
    kernel_run(world.kernel, 3 * SECOND);
    assert_int_equal(world.seen_count, 1);
    assert_int_equal(world.records.history->count, 1);
    assert_true(op_at(&world, 0)->pending);
    fake_pause(&world, group, false);
    /* Its answer came before its timeout, and that is how it is worked off. */
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_OK);
    assert_int_equal(op_at(&world, 0)->return_ns, 3 * SECOND);
    kernel_run(world.kernel, 3 * SECOND);
    assert_int_equal(world.records.history->count, 21); /* what piled up comes at once */
    kernel_run(world.kernel, 60 * SECOND);
    assert_int_equal(world.records.history->count, 40);
    assert_int_equal(op_at(&world, 39)->invoke_ns, 999 * MS + 3900 * MS);
    assert_int_equal(workload_active(world.workload), 0);
    fake_close(&world);
}

static void test_timeouts_come_due_at_the_end_of_a_pause(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = silent;
    struct workload_config config = single(OPERATION_READ);
    config.retries = 1;
    config.attempt_timeout_ns = 500 * MS;
    fake_start(&world, &config, 1, 10 * SECOND);
    kernel_run(world.kernel, SECOND + 10 * MS);
    fake_pause(&world, world.store + 1, true);
    kernel_run(world.kernel, 5 * SECOND);
    assert_true(op_at(&world, 0)->pending);
    fake_pause(&world, world.store + 1, false);
    assert_int_equal(op_at(&world, 0)->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(op_at(&world, 0)->return_ns, 5 * SECOND);
    kernel_run(world.kernel, 60 * SECOND);
    fake_pause(&world, world.store + 1, true); /* payloads put aside for ever are freed */
    fake_tell(&world, world.store + 1);
    kernel_run(world.kernel, 61 * SECOND);
    fake_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status_of_a_write_has_its_outcome),
        cmocka_unit_test(test_unanswered_write_is_unknown_at_its_timeout),
        cmocka_unit_test(test_read_sees_the_token_of_the_write_or_nothing),
        cmocka_unit_test(test_value_changed_in_any_byte_belongs_to_nobody),
        cmocka_unit_test(test_refused_write_is_retried_after_the_backoff),
        cmocka_unit_test(test_refusals_without_end_fail_when_retries_or_time_are_used_up),
        cmocka_unit_test(test_idempotent_write_is_retried_after_an_attempt_timeout),
        cmocka_unit_test(test_read_is_retried_without_a_token),
        cmocka_unit_test(test_late_answer_of_an_earlier_attempt_ends_the_operation),
        cmocka_unit_test(test_refusal_after_an_open_attempt_is_unknown),
        cmocka_unit_test(test_many_attempts_are_all_recorded_and_doubled_answers_count_once),
        cmocka_unit_test(test_process_is_retired_by_unknown_only),
        cmocka_unit_test(test_redirect_is_followed_and_remembered),
        cmocka_unit_test(test_read_refused_by_a_follower_goes_to_the_known_leader),
        cmocka_unit_test(test_leader_nobody_knows_is_found_in_turn),
        cmocka_unit_test(test_first_operation_waits_for_the_directory_but_not_for_ever),
        cmocka_unit_test(test_operation_that_never_left_has_failed),
        cmocka_unit_test(test_directory_moves_those_who_follow_it_and_nobody_else),
        cmocka_unit_test(test_failure_makes_the_group_ask_the_directory),
        cmocka_unit_test(test_read_targets_spread_reads_as_they_say),
        cmocka_unit_test(test_own_key_is_read_from_the_leader_for_a_while),
        cmocka_unit_test(test_session_carries_the_highest_position_seen),
        cmocka_unit_test(test_compare_and_set_expects_what_was_last_seen),
        cmocka_unit_test(test_compare_and_set_that_sees_its_own_value_was_done),
        cmocka_unit_test(test_compare_and_set_after_an_open_attempt_is_unknown),
        cmocka_unit_test(
            test_mismatch_where_messages_double_is_unknown_and_ok_if_it_saw_itself),
        cmocka_unit_test(test_lock_is_taken_guards_the_write_and_is_given_back),
        cmocka_unit_test(test_nobody_writes_without_the_lock),
        cmocka_unit_test(test_zombie_wakes_after_its_lock_expired_and_writes),
        cmocka_unit_test(test_paused_group_neither_sends_nor_hears_and_catches_up),
        cmocka_unit_test(test_timeouts_come_due_at_the_end_of_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
