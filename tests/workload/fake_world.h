/* A world of three scripted nodes, a directory and a second store, in place of sim/world: the
 * workload's tests say exactly what each attempt is answered.
 *
 * It defines the world's functions itself, so the archive's world is not linked. Latencies are
 * constant: 1 ms each way between all endpoints.
 */
#ifndef FAULTLINE_TESTS_WORKLOAD_FAKE_WORLD_H
#define FAULTLINE_TESTS_WORKLOAD_FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/kernel/check.h"
#include "sim/workload/workload.h"

#define MS NS_PER_MS
#define FAKE_NODES 3
#define FAKE_ROWS 4096
#define FAKE_SEEN 65536

struct fake_row {
    char key[64];
    unsigned char *value;
    size_t size;
    uint64_t token;
};
struct fake_seen {
    int64_t time;
    uint32_t node;
    struct operation operation;
    char key[64];
    uint64_t token;
};

struct world;
struct answer {
    bool silent;
    int64_t delay_ns;
    bool twice;
    struct reply reply;
};
typedef void script_fn(struct world *world, uint32_t node, const struct operation *operation,
                       struct answer *answer);

struct fake_node {
    struct world *world;
    uint32_t node;
};

struct world {
    struct kernel *kernel;
    struct network *network;
    struct records records;
    struct fake_node nodes[FAKE_NODES];
    uint32_t directory, store, leader;
    bool directory_silent, store_silent;
    int store_silent_first; /* so many requests are not answered */
    script_fn *script;      /* NULL: every node serves */
    struct fake_row *rows;
    uint32_t rows_count;
    struct fake_row *bindings;
    uint32_t bindings_count;
    uint64_t next_id;
    struct fake_seen *seen;
    uint32_t seen_count; /* requests at nodes */
    uint32_t store_puts, store_gets, asked;
    struct {
        uint32_t endpoint;
        void (*pause)(void *, bool);
        void *context;
    } hooks[16];
    uint32_t hooks_count;
    uint32_t invoked, returned[OUTCOME_COUNT];
    struct workload *workload;
};

/* ---- what the workload asks of the world ---- */

struct kernel *world_kernel(struct world *world)
{
    return world->kernel;
}
struct network *world_network(struct world *world)
{
    return world->network;
}
struct records *world_records(struct world *world)
{
    return &world->records;
}
uint32_t world_nodes(const struct world *world)
{
    (void)world;
    return FAKE_NODES;
}
uint32_t world_directory(const struct world *world)
{
    return world->directory;
}
uint32_t world_store_find(const struct world *world, const char *name)
{
    return strcmp(name, "routes") == 0 ? world->store : UINT32_MAX;
}
void world_on_pause(struct world *world, uint32_t endpoint,
                    void (*pause)(void *context, bool paused), void *context)
{
    world->hooks[world->hooks_count].endpoint = endpoint;
    world->hooks[world->hooks_count].pause = pause;
    world->hooks[world->hooks_count++].context = context;
}
void world_operation(struct world *world, enum operation_type type,
                     enum history_outcome outcome)
{
    assert_true(type < OPERATION_TYPES);
    if (outcome == OUTCOME_COUNT)
        world->invoked++;
    else
        world->returned[outcome]++;
}

/* ---- nodes ---- */

static struct fake_row *fake_find(struct fake_row *rows, uint32_t *count, struct bytes key,
                                  bool make)
{
    for (uint32_t i = 0; i < *count; i++)
        if (strlen(rows[i].key) == key.size && memcmp(rows[i].key, key.data, key.size) == 0)
            return &rows[i];
    if (!make) return NULL;
    assert_true(*count < FAKE_ROWS && key.size < sizeof rows->key);
    struct fake_row *row = &rows[(*count)++];
    memcpy(row->key, key.data, key.size);
    return row;
}

static void fake_put(struct world *world, struct bytes key, struct bytes value)
{
    struct fake_row *row = fake_find(world->rows, &world->rows_count, key, true);
    free(row->value);
    row->value = malloc(value.size ? value.size : 1);
    memcpy(row->value, value.data, value.size);
    row->size = value.size;
}

static char fake_key[96];

/* Serves as a correct node would; unlocked, for locks are scripted by the test that needs them.
 */
__attribute__((unused)) static void serve(struct world *world, uint32_t node,
                                          const struct operation *operation,
                                          struct answer *answer)
{
    (void)node;
    struct reply *reply = &answer->reply;
    struct fake_row *row = fake_find(world->rows, &world->rows_count, operation->key, false);
    bool exists = row && row->value;
    switch (operation->type) {
    case OPERATION_READ:
        reply->status = exists ? STATUS_OK : STATUS_NOT_FOUND;
        if (exists) {
            reply->has_value = true;
            reply->value = bytes_of(row->value, row->size);
        }
        break;
    case OPERATION_WRITE: fake_put(world, operation->key, operation->value); break;
    case OPERATION_DELETE:
        if (exists) {
            free(row->value);
            row->value = NULL;
        }
        break;
    case OPERATION_COMPARE_AND_SET:
        if (exists == operation->has_expected &&
            (!exists || bytes_equal(bytes_of(row->value, row->size), operation->expected))) {
            fake_put(world, operation->key, operation->value);
        } else {
            reply->status = STATUS_MISMATCH;
            reply->has_value = exists;
            if (exists) reply->value = bytes_of(row->value, row->size);
        }
        break;
    case OPERATION_INSERT:
        snprintf(fake_key, sizeof fake_key, "%.*s%llu", (int)operation->key.size,
                 (const char *)operation->key.data, (unsigned long long)++world->next_id);
        reply->key = bytes_string(fake_key);
        fake_put(world, reply->key, operation->value);
        break;
    default: break;
    }
}

struct fake_delayed {
    struct world *world;
    uint32_t from, to, kind;
    struct payload *payload;
};

static void delayed_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct fake_delayed *delayed = event->context;
    network_send(delayed->world->network, delayed->from, delayed->to, MESSAGE_CLIENT,
                 delayed->kind, delayed->payload);
    payload_release(delayed->payload);
    free(delayed);
}
static const struct event_type delayed_event = {"fake.delayed", EVENT_ID('f', 'a', 'k', 'e'),
                                                delayed_fire};

static void fake_reply(struct world *world, uint32_t from, uint32_t to, uint32_t kind,
                       int64_t delay_ns, struct bytes bytes)
{
    struct fake_delayed *delayed = malloc(sizeof *delayed);
    *delayed = (struct fake_delayed){world, from, to, kind, payload_create(bytes, NULL, 0)};
    kernel_schedule(world->kernel, kernel_now(world->kernel) + delay_ns, &delayed_event,
                    delayed, from, 0, 0);
}

static void fake_node_receive(void *context, uint32_t from, enum message_class message_class,
                              uint32_t kind, struct payload *payload)
{
    struct fake_node *node = context;
    struct world *world = node->world;
    assert_int_equal(message_class, MESSAGE_CLIENT);
    assert_int_equal(kind, MESSAGE_REQUEST);
    struct operation operation;
    assert_int_equal(
        operation_decode(bytes_of(payload->data + 8, payload->size - 8), &operation), 0);
    assert_true(world->seen_count < FAKE_SEEN);
    struct fake_seen *seen = &world->seen[world->seen_count++];
    *seen = (struct fake_seen){.time = kernel_now(world->kernel),
                               .node = node->node,
                               .operation = operation,
                               .token = workload_token(operation.value)};
    memcpy(seen->key, operation.key.data, operation.key.size);
    struct answer answer = {.reply = {.leader_hint = LEADER_UNKNOWN}};
    (world->script ? world->script : serve)(world, node->node, &operation, &answer);
    if (answer.silent) return;
    struct buffer out = {.allocator = &allocator_system};
    buffer_append(&out, payload->data, 8);
    assert_int_equal(reply_encode(&answer.reply, &out), 0);
    for (int i = 0; i < (answer.twice ? 2 : 1); i++)
        fake_reply(world, node->node, from, MESSAGE_REPLY, answer.delay_ns, buffer_bytes(&out));
    buffer_deinit(&out);
}

static void fake_tell(struct world *world, uint32_t to)
{
    unsigned char tell[12] = {0};
    put_u32(tell, world->leader);
    fake_reply(world, world->directory, to, MESSAGE_DIRECTORY_TELL, 0,
               bytes_of(tell, sizeof tell));
}

static void fake_directory_receive(void *context, uint32_t from,
                                   enum message_class message_class, uint32_t kind,
                                   struct payload *payload)
{
    (void)message_class;
    (void)payload;
    struct world *world = context;
    assert_int_equal(kind, MESSAGE_DIRECTORY_ASK);
    world->asked++;
    if (!world->directory_silent) fake_tell(world, from);
}

static void fake_store_receive(void *context, uint32_t from, enum message_class message_class,
                               uint32_t kind, struct payload *payload)
{
    (void)message_class;
    struct world *world = context;
    assert_int_equal(kind, MESSAGE_STORE_REQUEST);
    const unsigned char *p = payload->data;
    struct bytes key = bytes_of(p + 11, get_u16(p + 9));
    unsigned char out[17];
    memcpy(out, p, 8);
    bool put = p[8] == 1;
    struct fake_row *row = fake_find(world->bindings, &world->bindings_count, key, put);
    if (put) {
        assert_int_equal(payload->size, 11 + key.size + 8);
        world->store_puts++;
        row->token = get_u64(p + 11 + key.size);
    } else {
        assert_int_equal(payload->size, 11 + key.size);
        world->store_gets++;
    }
    out[8] = row != NULL;
    put_u64(out + 9, row ? row->token : 0);
    if (world->store_silent || world->store_silent_first-- > 0) return;
    fake_reply(world, world->store, from, MESSAGE_STORE_REPLY, 0, bytes_of(out, sizeof out));
}

/* ---- life ---- */

static void fake_open(struct world *world, uint64_t seed)
{
    *world = (struct world){.kernel = kernel_create(&(struct kernel_config){.seed = seed})};
    struct network_config config = {.latency = {.kind = DIST_CONSTANT, .a = MS},
                                    .local_latency = {.kind = DIST_CONSTANT, .a = MS},
                                    .between_regions = {.kind = DIST_CONSTANT, .a = MS},
                                    .transport = NETWORK_DATAGRAM};
    world->network = network_create(world->kernel, &config);
    world->records.history = history_create();
    for (uint32_t i = 0; i < FAKE_NODES; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        world->nodes[i] = (struct fake_node){world, i};
        network_add(world->network, name, i == 2 ? 1 : 0, i, fake_node_receive,
                    &world->nodes[i]);
    }
    world->directory = network_add(world->network, "directory", 0, NETWORK_OWN_MACHINE,
                                   fake_directory_receive, world);
    world->store = network_add(world->network, "routes", 0, NETWORK_OWN_MACHINE,
                               fake_store_receive, world);
    world->rows = calloc(FAKE_ROWS, sizeof *world->rows);
    world->bindings = calloc(FAKE_ROWS, sizeof *world->bindings);
    world->seen = calloc(FAKE_SEEN, sizeof *world->seen);
}

static void fake_close(struct world *world)
{
    workload_destroy(world->workload);
    network_destroy(world->network);
    kernel_destroy(world->kernel);
    history_destroy(world->records.history);
    for (uint32_t i = 0; i < world->rows_count; i++) free(world->rows[i].value);
    free(world->rows);
    free(world->bindings);
    free(world->seen);
}

static void fake_start(struct world *world, const struct workload_config *configs,
                       uint32_t count, int64_t ends_ns)
{
    world->workload = workload_create(world, configs, count);
    workload_start(world->workload, ends_ns);
}

/* Runs the workload to its end and a while beyond, so that every operation has its outcome. */
__attribute__((unused)) static void fake_run(struct world *world,
                                             const struct workload_config *configs,
                                             uint32_t count, int64_t ends_ns)
{
    fake_start(world, configs, count, ends_ns);
    assert_int_equal(kernel_run(world->kernel, ends_ns + 60 * NS_PER_S), KERNEL_DONE);
    assert_int_equal(workload_active(world->workload), 0);
}

__attribute__((unused)) static void fake_pause(struct world *world, uint32_t endpoint,
                                               bool paused)
{
    for (uint32_t i = 0; i < world->hooks_count; i++)
        if (world->hooks[i].endpoint == endpoint)
            world->hooks[i].pause(world->hooks[i].context, paused);
}

__attribute__((unused)) static struct workload_config config_of(const char *name,
                                                                enum operation_type type)
{
    struct workload_config config;
    workload_config_default(&config, name);
    config.mix.ppm[type] = 1000000;
    return config;
}

static struct history_op *op_at(struct world *world, size_t i)
{
    assert_true(i < world->records.history->count);
    return &world->records.history->ops[i];
}

static const char *key_name(struct world *world, uint32_t id)
{
    return id == HISTORY_NONE ? "-" : history_name(world->records.history, id, NULL);
}

/* The value an operation read; asserts that it is one. */
static uint64_t value_at(struct world *world, size_t i)
{
    const struct history_op *op = op_at(world, i);
    assert_int_equal(op->values_count, 1);
    return world->records.history->values[op->values_start];
}

__attribute__((unused)) static void use_all(void)
{
    (void)op_at;
    (void)key_name;
    (void)value_at;
}

#endif
