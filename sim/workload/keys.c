/* Which key an operation is about.
 *
 * Keys are called TABLE.NUMBER; rows, whose numbers the database assigns, TABLE-NUMBER. A
 * client that holds a lock works on the locked key.
 * Zipf's law: sim/kernel/zipf.h.
 */
#include "sim/workload/workload_internal.h"

#include <stdio.h>

#include "sim/kernel/check.h"

#define MILLION 1000000
#define HOT_KEYS_PPM 200000 /* hot: so many of the keys ... */
#define HOT_DRAWS_PPM                                                                          \
    800000 /* ... get so many of the operations (80/20, as YCSB's hotspot)                     \
            */

/* ---- choice ---- */

static bool does(const struct workload_config *config, enum operation_type type)
{
    if (config->mix.ppm[type] > 0) return true;
    for (uint32_t i = 0; i < config->sequence_count; i++)
        if (config->sequence[i].wait_ns == 0 && config->sequence[i].type == type) return true;
    return false;
}

void keys_open(struct group *group)
{
    const struct workload_config *config = &group->config;
    CHECK(config->keys >= 1);
    if (config->key_choice == KEYS_ZIPFIAN || config->key_choice == KEYS_LATEST)
        zipf_init(&group->zipf, (uint64_t)config->keys, config->zipf_theta_millionths);
    group->keeps_keys =
        config->leader_reads_after_write_ns > 0 || does(config, OPERATION_COMPARE_AND_SET);
}

struct group_key *group_key(struct group *group, uint32_t key)
{
    if (!group->keeps_keys) return NULL;
    group->keys = grown(group->keys, &group->keys_capacity, key, sizeof *group->keys);
    return &group->keys[key];
}

static uint32_t intern_number(struct group *group, uint64_t number)
{
    struct workload *workload = group->workload;
    struct buffer *text = &workload->scratch;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    buffer_clear(text);
    int error = buffer_append(text, group->prefix, strlen(group->prefix));
    if (!error) error = buffer_append(text, digits, (size_t)length);
    CHECK(error == 0);
    return history_intern(workload->history, (const char *)text->data, text->size);
}

static uint64_t choose_hot(const struct workload_config *config, struct rng *rng)
{
    uint64_t keys = (uint64_t)config->keys;
    uint64_t hot = keys * HOT_KEYS_PPM / MILLION;
    if (hot == 0) hot = 1;
    bool is_hot = rng_ppm(rng, HOT_DRAWS_PPM);
    if (is_hot || hot == keys) return rng_below(rng, hot);
    return hot + rng_below(rng, keys - hot);
}

/* One of the keys made so far: the youngest most often, or any. */
static uint64_t choose_made(struct group *group, struct rng *rng)
{
    if (group->config.key_choice == KEYS_LATEST) {
        uint64_t age = zipf_draw(&group->zipf, rng);
        return age < group->keys_made ? group->keys_made - 1 - age : 0;
    }
    return group->keys_made ? rng_below(rng, group->keys_made) : 0;
}

static uint64_t choose_number(struct client *client, enum history_type type)
{
    struct group *group = client->group;
    const struct workload_config *config = &group->config;
    switch ((enum key_choice)config->key_choice) {
    case KEYS_UNIFORM: return rng_below(&client->choices, (uint64_t)config->keys);
    case KEYS_ZIPFIAN: return zipf_draw(&group->zipf, &client->choices);
    case KEYS_HOT: return choose_hot(config, &client->choices);
    case KEYS_OWN: return client->index;
    case KEYS_LATEST:
    case KEYS_UNIQUE: break;
    }
    return type == HISTORY_WRITE ? group->keys_made++ : choose_made(group, &client->choices);
}

/* An id to resolve: chosen among those that were handed out, by the same law. */
static uint32_t choose_row(struct client *client)
{
    struct group *group = client->group;
    const struct table *table = group->resolves_from;
    if (table->rows_count == 0) return NONE;
    uint64_t count = table->rows_count, number;
    int32_t choice = group->config.key_choice;
    if (choice == KEYS_ZIPFIAN || choice == KEYS_LATEST) {
        uint64_t rank = zipf_draw(&group->zipf, &client->choices) % count;
        number = choice == KEYS_LATEST ? count - 1 - rank : rank;
    } else {
        number = rng_below(&client->choices, count);
    }
    return table->rows[number];
}

uint32_t keys_choose(struct client *client, enum history_type type)
{
    struct group *group = client->group;
    if (type == HISTORY_INSERT) return group->row_prefix_id;
    if (type == HISTORY_RESOLVE) return choose_row(client);
    if (client->lock_token && type != HISTORY_LOCK) return client->lock_key;
    if (type == HISTORY_UNLOCK) return NONE;
    if (group->config.key)
        return history_intern_string(group->workload->history, group->config.key);
    return intern_number(group, choose_number(client, type));
}
