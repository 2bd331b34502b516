/* Goal: the session guarantees say what their definitions say (guarantees.c). Method: random
 * small histories; a guarantee holds iff some order of the writes of each key, with the initial
 * value first, keeps what it demands of every read; all orders are tried. SEED= chooses others.
 */
#include "tests/check/small_history.h"

/* position[w] in the order of its key, from 1; that of the initial value is 0. */
typedef bool demand(const struct case_ *c, const int position[OPS_MAX]);

static int seen_at(const struct case_ *c, const int position[OPS_MAX], size_t read)
{
    return c->from[read] == NOBODY ? 0 : position[c->from[read]];
}

static bool is_read(const struct case_ *c, size_t i)
{
    return c->is_in[i] && c->reads[i];
}

static bool is_write(const struct case_ *c, size_t i)
{
    return c->is_in[i] && c->writes[i];
}

static bool same_key(const struct case_ *c, size_t i, size_t j)
{
    return c->items[i].key == c->items[j].key;
}

static bool reads_own_writes(const struct case_ *c, const int position[OPS_MAX])
{
    for (size_t r = 0; r < c->ops.count; r++)
        for (size_t w = 0; w < r; w++)
            if (is_read(c, r) && is_write(c, w) && c->before[w][r] && same_key(c, w, r) &&
                position[w] > seen_at(c, position, r))
                return false;
    return true;
}

static bool reads_monotonic(const struct case_ *c, const int position[OPS_MAX])
{
    for (size_t r = 0; r < c->ops.count; r++)
        for (size_t q = 0; q < r; q++)
            if (is_read(c, r) && is_read(c, q) && c->before[q][r] && same_key(c, q, r) &&
                seen_at(c, position, q) > seen_at(c, position, r))
                return false;
    return true;
}

/* Whether the session of r has read write j at or before r. */
static bool has_read(const struct case_ *c, size_t r, size_t j)
{
    for (size_t q = 0; q <= r; q++)
        if (is_read(c, q) && (q == r || c->before[q][r]) && c->from[q] == (int)j) return true;
    return false;
}

static bool writes_monotonic(const struct case_ *c, const int position[OPS_MAX])
{
    for (size_t v = 0; v < c->ops.count; v++)
        for (size_t w = 0; w < v; w++)
            if (is_write(c, v) && is_write(c, w) && c->before[w][v] && same_key(c, w, v) &&
                position[w] > position[v])
                return false;
    for (size_t r = 0; r < c->ops.count; r++)
        for (size_t j = 0; j < c->ops.count; j++)
            for (size_t u = 0; u <= j; u++)
                if (is_read(c, r) && is_write(c, j) && is_write(c, u) &&
                    (u == j || c->before[u][j]) && has_read(c, r, j) && same_key(c, u, r) &&
                    c->items[j].process != c->items[r].process &&
                    position[u] > seen_at(c, position, r))
                    return false;
    return true;
}

/* The last read of x's key by the process of j, up to j; or NOBODY. */
static int last_read(const struct case_ *c, size_t j, size_t x)
{
    int last = NOBODY;
    for (size_t q = 0; q <= j; q++)
        if (is_read(c, q) && (q == j || c->before[q][j]) && same_key(c, q, x)) last = (int)q;
    return last;
}

static bool writes_follow(const struct case_ *c, const int position[OPS_MAX])
{
    for (size_t w = 0; w < c->ops.count; w++) {
        int q = is_write(c, w) ? last_read(c, w, w) : NOBODY;
        if (q != NOBODY && seen_at(c, position, (size_t)q) > position[w]) return false;
    }
    for (size_t r = 0; r < c->ops.count; r++) {
        if (!is_read(c, r)) continue;
        /* Of each process only the latest write read so far counts: it follows the others. */
        for (uint32_t p = 0; p < 3; p++) {
            int latest = NOBODY;
            for (size_t j = 0; j < c->ops.count; j++)
                if (is_write(c, j) && c->items[j].process == p && has_read(c, r, j))
                    latest = (int)j;
            if (latest == NOBODY || p == c->items[r].process) continue;
            int q = last_read(c, (size_t)latest, r);
            if (q != NOBODY && seen_at(c, position, (size_t)q) > seen_at(c, position, r))
                return false;
        }
    }
    return true;
}

/* All orders: the next write in any order gets the next position of its key. */
static bool some_order(const struct case_ *c, demand *keeps, uint32_t taken,
                       int position[OPS_MAX], int next)
{
    bool is_full = true;
    for (size_t w = 0; w < c->ops.count; w++) {
        if (!is_write(c, w) || taken >> w & 1) continue;
        is_full = false;
        position[w] = next;
        if (some_order(c, keeps, taken | 1u << w, position, next + 1)) return true;
    }
    return is_full && keeps(c, position);
}

static bool kept(const struct case_ *c, demand *keeps)
{
    int position[OPS_MAX] = {0};
    return some_order(c, keeps, 0, position, 1);
}

static bool holds_read_your_writes(const struct case_ *c)
{
    return kept(c, reads_own_writes);
}
static bool holds_monotonic_reads(const struct case_ *c)
{
    return kept(c, reads_monotonic);
}
static bool holds_monotonic_writes(const struct case_ *c)
{
    return kept(c, writes_monotonic);
}
static bool holds_writes_follow_reads(const struct case_ *c)
{
    return kept(c, writes_follow);
}

static void test_read_your_writes_is_its_definition(void **state)
{
    (void)state;
    small_compare("read-your-writes", holds_read_your_writes);
}
static void test_monotonic_reads_is_its_definition(void **state)
{
    (void)state;
    small_compare("monotonic-reads", holds_monotonic_reads);
}
static void test_monotonic_writes_is_its_definition(void **state)
{
    (void)state;
    small_compare("monotonic-writes", holds_monotonic_writes);
}
static void test_writes_follow_reads_is_its_definition(void **state)
{
    (void)state;
    small_compare("writes-follow-reads", holds_writes_follow_reads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_your_writes_is_its_definition),
        cmocka_unit_test(test_monotonic_reads_is_its_definition),
        cmocka_unit_test(test_monotonic_writes_is_its_definition),
        cmocka_unit_test(test_writes_follow_reads_is_its_definition),
    };
    return cmocka_run_group_tests_name("guarantees", tests, NULL, NULL);
}
