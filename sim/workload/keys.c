/* Which key an operation is about.
 *
 * Keys are called TABLE.NUMBER; rows, whose numbers the database assigns, TABLE-NUMBER. A
 * client that holds a lock works on the locked key.
 *
 * Zipf's law is drawn by rejection-inversion (Hoermann and Derflinger, "Rejection-inversion to
 * generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996): no table, so
 * a key space of any size costs nothing to set up; at least 3 of 4 draws are accepted. With e
 * the exponent, the density h(x) = x^-e has the integral H(x) = (x^(1-e) - 1) / (1 - e), or log
 * x for e = 1; u is drawn uniformly over the area and x = H^-1(u) is rounded to k, which is
 * taken when x lies in k's own share of the area.
 */
#include "sim/workload/workload_internal.h"

#include <stdio.h>

#include "sim/kernel/check.h"

#define MILLION 1000000
#define HOT_KEYS_PPM 200000 /* hot: so many of the keys ... */
#define HOT_DRAWS_PPM                                                                          \
    800000                /* ... get so many of the operations (80/20, as YCSB's hotspot)      \
                           */
#define SERIES_BELOW 1e-4 /* |x| below which a series is closer than the quotient */

/* ---- Zipf ---- */

/* log(1+x) / x */
static double log1p_ratio(double x)
{
    if (x > -SERIES_BELOW && x < SERIES_BELOW) return 1 - x * (0.5 - x * (1.0 / 3 - x * 0.25));
    return det_log(1 + x) / x;
}

/* (exp(x) - 1) / x */
static double expm1_ratio(double x)
{
    if (x > -SERIES_BELOW && x < SERIES_BELOW)
        return 1 + x * 0.5 * (1 + x * (1.0 / 3) * (1 + x * 0.25));
    return (det_exp(x) - 1) / x;
}

static double zipf_density(const struct zipf *zipf, double x)
{
    return det_exp(-zipf->exponent * det_log(x));
}

static double zipf_integral(const struct zipf *zipf, double x)
{
    double log_x = det_log(x);
    return expm1_ratio((1 - zipf->exponent) * log_x) * log_x;
}

static double zipf_inverse(const struct zipf *zipf, double u)
{
    double t = u * (1 - zipf->exponent);
    if (t < -1) t = -1; /* rounding at the far end */
    if (t == -1) return (double)zipf->count;
    return det_exp(log1p_ratio(t) * u);
}

static void zipf_open(struct zipf *zipf, uint64_t count, int64_t theta_millionths)
{
    zipf->exponent = (double)theta_millionths / MILLION;
    zipf->count = count;
    zipf->integral_first = zipf_integral(zipf, 1.5) - 1;
    zipf->integral_last = zipf_integral(zipf, (double)count + 0.5);
    zipf->shortcut = 2 - zipf_inverse(zipf, zipf_integral(zipf, 2.5) - zipf_density(zipf, 2));
}

/* 0 is the most frequent. */
static uint64_t zipf_draw(const struct zipf *zipf, struct rng *rng)
{
    if (zipf->count == 1) return 0;
    for (;;) {
        double unit = rng_unit(rng);
        double u = zipf->integral_last + unit * (zipf->integral_first - zipf->integral_last);
        double x = zipf_inverse(zipf, u);
        uint64_t k = x < 1 ? 1 : (uint64_t)(x + 0.5);
        if (k < 1) k = 1;
        if (k > zipf->count) k = zipf->count;
        if ((double)k - x <= zipf->shortcut ||
            u >= zipf_integral(zipf, (double)k + 0.5) - zipf_density(zipf, (double)k))
            return k - 1;
    }
}

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
        zipf_open(&group->zipf, (uint64_t)config->keys, config->zipf_theta_millionths);
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
