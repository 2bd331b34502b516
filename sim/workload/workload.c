/* Workload: assembly, the register of what was written, messages and pauses.
 *
 *     arrivals.c   when an operation begins          keys.c     on which key
 *     targets.c    which node it asks                operations.c  attempts, answers, outcome
 *     store.c      the second store's steps          finish.c   reading everything back
 *
 * Every operation has an id, 1, 2, 3 ... over all groups in the order of invocation, which is
 * also the token of what it writes: the value is "ID." and filler that follows from id and
 * size, so a reader recognises which write it sees and whether a byte of it was changed. On the
 * wire an attempt is numbered id << 16 | attempt, so an answer finds its operation and attempt
 * without a table of requests, and one that comes too late is recognised.
 *
 * A paused group is frozen as a process is: what arrives and what falls due is put aside in
 * order of occurrence, and at the end of the pause it is all worked off in that order, late,
 * with the clock of that moment.
 *
 * Invariants
 *   I1  known[id].live is the pending operation of that id, else NULL; `active` counts them.
 *   I2  A process has one operation at a time; it is retired when the outcome is unknown, and
 *       its client goes on with a new one.
 *   I3  What a client draws for its operations (client.choices) does not depend on answers:
 *       types, keys and owners are the same under any fault, save in closed loops the number
 *       of them.
 */
#include "sim/workload/workload_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/kernel/check.h"
#include "sim/record/token.h"

#define FINAL_NAME "final-reader"

/* ---- small things ---- */

void *grown(void *items, uint32_t *capacity, uint32_t need, size_t item_size)
{
    if (need < *capacity) return items;
    uint32_t wanted = *capacity ? *capacity : 16;
    while (wanted <= need) wanted *= 2;
    items = xrealloc(items, wanted * item_size);
    memset((char *)items + *capacity * item_size, 0, (wanted - *capacity) * item_size);
    *capacity = wanted;
    return items;
}

struct op *workload_op(struct workload *workload, uint64_t id)
{
    return id < workload->known_count ? workload->known[id].live : NULL;
}

/* ---- values ---- */

static unsigned char filler(uint64_t mixed, uint64_t index)
{
    return (unsigned char)('a' + ((mixed >> (index % 8 * 8) & 0xff) + index) % 26);
}

void value_write(struct buffer *out, uint64_t token, int64_t size)
{
    char head[24];
    int length = snprintf(head, sizeof head, "%llu.", (unsigned long long)token);
    size_t total = size > length ? (size_t)size : (size_t)length;
    buffer_clear(out);
    CHECK(buffer_reserve(out, total) == 0);
    memcpy(out->data, head, (size_t)length);
    uint64_t mixed = mix64(token);
    for (size_t i = (size_t)length; i < total; i++) out->data[i] = filler(mixed, i);
    out->size = total;
}

uint64_t workload_token(struct bytes value)
{
    size_t head = 0;
    uint64_t token = token_parse(value.data, value.size, &head);
    if (token == 0 || token == TOKEN_FOREIGN) return token;
    const unsigned char *p = value.data;
    uint64_t mixed = mix64(token);
    for (size_t i = head; i < value.size; i++)
        if (p[i] != filler(mixed, i)) return TOKEN_FOREIGN;
    return token;
}

/* ---- what was written ---- */

static struct key_info *key_info(struct workload *workload, uint32_t key)
{
    workload->keys =
        grown(workload->keys, &workload->keys_capacity, key, sizeof *workload->keys);
    return &workload->keys[key];
}

void workload_key_written(struct workload *workload, uint32_t key)
{
    struct key_info *info = key_info(workload, key);
    if (info->is_written) return;
    info->is_written = true;
    workload->written = grown(workload->written, &workload->written_capacity,
                              workload->written_count, sizeof *workload->written);
    workload->written[workload->written_count++] = key;
}

void workload_row_known(struct workload *workload, struct table *table, uint32_t key)
{
    if (key_info(workload, key)->is_written) return; /* an id issued twice is one row */
    workload_key_written(workload, key);
    table->rows =
        grown(table->rows, &table->rows_capacity, table->rows_count, sizeof *table->rows);
    table->rows[table->rows_count++] = key;
}

void workload_key_bound(struct workload *workload, uint32_t key, uint32_t store)
{
    struct key_info *info = key_info(workload, key);
    if (info->is_bound && info->store == store) return;
    info->is_bound = true;
    info->store = store;
    workload->bound = grown(workload->bound, &workload->bound_capacity, workload->bound_count,
                            sizeof *workload->bound);
    workload->bound[workload->bound_count++] = (struct binding){key, store};
}

/* ---- pausing, messages ---- */

static void defer(struct group *group, struct deferred item)
{
    group->deferred = grown(group->deferred, &group->deferred_capacity, group->deferred_count,
                            sizeof *group->deferred);
    group->deferred[group->deferred_count++] = item;
}

bool group_defers(struct group *group, enum deferred_kind kind, uint64_t a, uint64_t b)
{
    if (group->is_paused) defer(group, (struct deferred){.kind = kind, .a = a, .b = b});
    return group->is_paused;
}

static void handle(struct group *group, uint32_t from, uint32_t kind, struct bytes message)
{
    switch (kind) {
    case MESSAGE_REPLY: op_answered(group, from, message); break;
    case MESSAGE_STORE_REPLY: store_answered(group, message); break;
    case MESSAGE_DIRECTORY_TELL:
        if (message.size >= 12) targets_told(group, get_u32(message.data));
        break;
    default: break; /* nothing else is meant for clients */
    }
}

static void receive(void *context, uint32_t from, enum message_class message_class,
                    uint32_t kind, struct payload *payload)
{
    (void)message_class;
    struct group *group = context;
    if (group->is_paused)
        defer(group, (struct deferred){.kind = DEFERRED_MESSAGE,
                                       .from = from,
                                       .message_kind = kind,
                                       .payload = payload_retain(payload)});
    else
        handle(group, from, kind, payload_bytes(payload));
}

static void work_off(struct group *group, const struct deferred *item)
{
    struct op *op;
    switch (item->kind) {
    case DEFERRED_MESSAGE:
        handle(group, item->from, item->message_kind, payload_bytes(item->payload));
        payload_release(item->payload);
        break;
    case DEFERRED_ARRIVAL: arrivals_fire(group, item->a); break;
    case DEFERRED_STEP: arrivals_step(&group->clients[item->a]); break;
    case DEFERRED_DEADLINE:
        op = workload_op(group->workload, item->a);
        if (op) op_deadline(op);
        break;
    case DEFERRED_TIMER:
        op = workload_op(group->workload, item->a);
        if (op) op_timer(op, (uint32_t)item->b);
        break;
    case DEFERRED_PATIENCE: targets_impatient(group); break;
    }
}

static void group_pause(void *context, bool paused)
{
    struct group *group = context;
    if (paused == group->is_paused) return;
    group->is_paused = paused;
    if (paused) return;
    /* What is worked off here cannot pause the group again, so nothing is put aside meanwhile.
     */
    for (uint32_t i = 0; i < group->deferred_count; i++) {
        struct deferred item = group->deferred[i];
        work_off(group, &item);
    }
    group->deferred_count = 0;
}

struct event_id group_schedule(struct group *group, int64_t at_ns,
                               const struct event_type *type, uint64_t a, uint64_t b)
{
    return kernel_schedule(group->workload->kernel, at_ns, type, group, group->endpoint, a, b);
}

/* ---- life ---- */

static struct table *table_get(struct workload *workload, const char *prefix)
{
    uint32_t id = history_intern_string(workload->history, prefix);
    for (uint32_t i = 0; i < workload->tables_count; i++)
        if (workload->tables[i]->prefix == id) return workload->tables[i];
    struct table *table = xcalloc(1, sizeof *table);
    table->prefix = id;
    workload->tables =
        xrealloc(workload->tables, (workload->tables_count + 1) * sizeof(struct table *));
    workload->tables[workload->tables_count++] = table;
    return table;
}

static void group_open(struct workload *workload, struct group *group,
                       const struct workload_config *config)
{
    struct arena *arena = kernel_arena(workload->kernel);
    CHECK(config->name && config->clients >= 1 && config->clients < NONE &&
          config->timeout_ns > 0);
    group->workload = workload;
    group->config = *config;
    if (config->attempt_timeout_ns <= 0 || config->attempt_timeout_ns > config->timeout_ns)
        group->config.attempt_timeout_ns = config->timeout_ns;
    group->name = history_intern_string(workload->history, config->name);
    const char *table = config->table ? config->table : config->name;
    group->prefix = arena_printf(arena, "%s.", table);
    group->row_prefix = arena_printf(arena, "%s-", table);
    group->inserts_into = table_get(workload, group->row_prefix);
    group->row_prefix_id = group->inserts_into->prefix;
    group->resolves_from = group->inserts_into;
    if (config->resolve_table)
        group->resolves_from =
            table_get(workload, arena_printf(arena, "%s-", config->resolve_table));
    group->second_store = NONE;
    if (config->second_store) {
        group->second_store = world_store_find(workload->world, config->second_store);
        CHECK(group->second_store != NONE);
    }
    uint32_t machine = config->machine < 0 ? NETWORK_OWN_MACHINE : (uint32_t)config->machine;
    uint32_t region = config->region < 0 ? 0 : (uint32_t)config->region;
    if (config->machine >= 0)
        region = network_region(workload->network, (uint32_t)config->machine);
    group->endpoint =
        network_add(workload->network, config->name, region, machine, receive, group);
    world_on_pause(workload->world, group->endpoint, group_pause, group);

    group->clients = xcalloc((size_t)config->clients, sizeof *group->clients);
    for (uint32_t i = 0; i < (uint32_t)config->clients; i++) {
        char entity[512];
        snprintf(entity, sizeof entity, "%s/%u", config->name, i);
        struct client *client = &group->clients[i];
        client->group = group;
        client->index = i;
        client->session = workload->sessions++;
        kernel_stream(workload->kernel, &client->choices, "workload.choices", entity);
    }
    targets_open(group);
    keys_open(group);
}

struct workload *workload_create(struct world *world, const struct workload_config *configs,
                                 uint32_t count)
{
    struct workload *workload = xcalloc(1, sizeof *workload);
    workload->world = world;
    workload->kernel = world_kernel(world);
    workload->network = world_network(world);
    workload->history = world_records(world)->history;
    workload->scratch.allocator = &allocator_system;
    workload->value.allocator = &allocator_system;
    workload->expected.allocator = &allocator_system;
    workload->known_capacity = 256;
    workload->known = xcalloc(workload->known_capacity, sizeof *workload->known);
    workload->known_count = 1; /* no operation has id 0 */
    workload->groups = xcalloc(count + 1, sizeof *workload->groups);
    workload->groups_count = count + 1;
    for (uint32_t i = 0; i < count; i++)
        group_open(workload, &workload->groups[i], &configs[i]);

    /* Whoever reads everything back is patient, follows everybody and stands by itself. */
    struct workload_config final;
    workload_config_default(&final, FINAL_NAME);
    final.mix.ppm[OPERATION_READ] = 1000000;
    final.timeout_ns = 3600 * NS_PER_S;
    final.attempt_timeout_ns = 2 * NS_PER_S;
    final.retries = 200;
    final.backoff_ns = 100 * NS_PER_MS;
    final.level = LEVEL_LEADER;
    group_open(workload, &workload->groups[count], &final);
    return workload;
}

void workload_destroy(struct workload *workload)
{
    if (!workload) return;
    for (uint32_t i = 0; i < workload->groups_count; i++) {
        struct group *group = &workload->groups[i];
        for (uint32_t j = 0; j < group->deferred_count; j++)
            payload_release(group->deferred[j].payload);
        for (int64_t j = 0; j < group->config.clients; j++) free(group->clients[j].idle);
        free(group->clients);
        free(group->deferred);
        free(group->keys);
        free(group->near);
    }
    for (size_t i = 1; i < workload->known_count; i++) {
        struct op *op = workload->known[i].live;
        if (op && op->attempts != op->inline_attempts) free(op->attempts);
    }
    for (uint32_t i = 0; i < workload->tables_count; i++) {
        free(workload->tables[i]->rows);
        free(workload->tables[i]);
    }
    free(workload->tables);
    free(workload->groups);
    free(workload->known);
    free(workload->keys);
    free(workload->written);
    free(workload->bound);
    buffer_deinit(&workload->scratch);
    buffer_deinit(&workload->value);
    buffer_deinit(&workload->expected);
    free(workload);
}

void workload_start(struct workload *workload, int64_t run_ends_ns)
{
    for (uint32_t i = 0; i + 1 < workload->groups_count; i++) {
        struct group *group = &workload->groups[i];
        int64_t stop = group->config.stop_ns;
        group->ends_ns = stop >= 0 && stop < run_ends_ns ? stop : run_ends_ns;
        targets_ask(group);
        arrivals_start(group);
    }
}

uint64_t workload_active(const struct workload *workload)
{
    return workload->active;
}
