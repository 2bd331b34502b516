/* A small deterministic cluster for tests of replication schemes: nodes with simulated disks
 * and real engines, managers, a directory, and a network whose every message can be cut.
 *
 *     struct fake_config c = fake_config_default(&single_leader_scheme, &options, 3, 0);
 *     struct fake *f = fake_create(&c);
 *     fake_start_all(f);
 *     uint64_t request = fake_write(f, 0, "k", "v");
 *     fake_run_for(f, 10 * MS);
 *     assert_int_equal(fake_answer(f, request)->status, STATUS_OK);
 *     fake_destroy(f);
 *
 * Time is virtual and handlers take none: this judges the state machines, not their speed. All
 * entries of one instant for one endpoint are one batch, followed by one flush.
 */
#ifndef FAULTLINE_TESTS_SUPPORT_FAKE_ENV_H
#define FAULTLINE_TESTS_SUPPORT_FAKE_ENV_H

#include "engines/replication/scheme.h"
#include "sim/world/disk.h"

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define FAKE_NODES_MAX 12u
#define ALL_CLASSES 15u

struct fake_config {
    const struct scheme_ops *scheme;
    const void *options;
    uint32_t nodes, managers;
    uint32_t manager_node[FAKE_NODES_MAX]; /* machine of each manager, UINT32_MAX own */
    const char *region[FAKE_NODES_MAX];    /* of each node */
    uint32_t leader_initial;
    const char *engine; /* "hash" */
    bool engine_sync;
    int64_t latency_ns; /* one way */
    bool directory_last_wins;
    uint64_t seed;
};
struct fake_config fake_config_default(const struct scheme_ops *scheme, const void *options,
                                       uint32_t nodes, uint32_t managers);

struct fake_note {
    int64_t time_ns;
    uint32_t endpoint;
    enum note_kind kind;
    uint64_t a, b;
};

struct fake_answer {
    bool answered;
    int64_t time_ns;
    enum status status;
    char key[64], value[512]; /* NUL-terminated copies */
    size_t value_size;
    bool has_value;
    uint64_t position, epoch, token;
    uint32_t leader_hint;
};

struct fake;
struct fake *fake_create(const struct fake_config *config);
/* Stops what is up; fails the test if an instance that stopped in order leaked memory. */
void fake_destroy(struct fake *fake);

int64_t fake_now(const struct fake *fake);
void fake_run_until(struct fake *fake, int64_t time_ns);
void fake_run_for(struct fake *fake, int64_t duration_ns);

/* ---- endpoints: nodes, then managers ---- */
void fake_start_all(struct fake *fake);
int fake_start(struct fake *fake, uint32_t endpoint);  /* the scheme's error; 0 up */
void fake_stop(struct fake *fake, uint32_t endpoint);  /* in order */
void fake_crash(struct fake *fake, uint32_t endpoint); /* process dies, files stay readable */
void fake_power_off(struct fake *fake, uint32_t endpoint); /* what was not synced is lost */
void fake_wipe(struct fake *fake, uint32_t endpoint);
void fake_pause(struct fake *fake, uint32_t endpoint, bool paused); /* its events wait */
bool fake_up(const struct fake *fake, uint32_t endpoint);
int fake_panicked(const struct fake *fake, uint32_t endpoint); /* errno of its panic, 0 */
struct disk *fake_disk(struct fake *fake, uint32_t endpoint);
void fake_clock_step(struct fake *fake, uint32_t endpoint, int64_t delta_ns); /* wall clock */
struct scheme_inspection fake_inspect(struct fake *fake, uint32_t endpoint);

/* ---- network ---- */
/* Messages from -> to of these classes (bits) are dropped, or held until the heal. */
void fake_cut(struct fake *fake, uint32_t from, uint32_t to, uint32_t classes, bool queue);
void fake_cut_both(struct fake *fake, uint32_t a, uint32_t b, uint32_t classes, bool queue);
void fake_heal(struct fake *fake);
void fake_slow(struct fake *fake, uint32_t from, uint32_t to, int64_t add_ns);
/* Cuts `endpoint` from the directory. */
void fake_directory_cut(struct fake *fake, uint32_t endpoint, bool cut);
uint32_t fake_directory_leader(const struct fake *fake);
uint64_t fake_directory_epoch(const struct fake *fake);
/* Hands bytes to an endpoint as if they came from another one, at once. */
void fake_inject(struct fake *fake, uint32_t from, uint32_t to,
                 enum message_class message_class, struct bytes bytes);
uint64_t fake_messages(const struct fake *fake, enum message_class message_class);
/* The longest message that was sent so far. */
size_t fake_message_size_max(const struct fake *fake);
/* Sees every message at departure; true drops it. */
typedef bool fake_filter_fn(void *context, uint32_t from, uint32_t to,
                            enum message_class message_class, struct bytes bytes);
void fake_filter(struct fake *fake, fake_filter_fn *filter, void *context);

/* ---- clients and operators ---- */
uint64_t fake_request(struct fake *fake, uint32_t node, const struct operation *operation);
const struct fake_answer *fake_answer(const struct fake *fake, uint64_t request);
uint64_t fake_write(struct fake *fake, uint32_t node, const char *key, const char *value);
uint64_t fake_read(struct fake *fake, uint32_t node, const char *key);
uint64_t fake_insert(struct fake *fake, uint32_t node, const char *table, const char *value);
int fake_admin(struct fake *fake, uint32_t node, enum admin_kind kind, uint32_t target);
/* Each returns the answer after at most a second; the test fails without one. */
const struct fake_answer *fake_do(struct fake *fake, uint32_t node,
                                  const struct operation *operation);
const struct fake_answer *fake_do_write(struct fake *fake, uint32_t node, const char *key,
                                        const char *value);
const struct fake_answer *fake_do_read(struct fake *fake, uint32_t node, const char *key);
const struct fake_answer *fake_do_insert(struct fake *fake, uint32_t node, const char *table);

/* ---- what happened ---- */
uint32_t fake_notes(const struct fake *fake, uint32_t endpoint, enum note_kind kind);
/* The last one, or NULL. endpoint UINT32_MAX: of anybody. */
const struct fake_note *fake_note(const struct fake *fake, uint32_t endpoint,
                                  enum note_kind kind);
const struct fake_note *fake_note_at(const struct fake *fake,
                                     size_t index);           /* in time order; NULL */
uint32_t fake_fences(const struct fake *fake, uint32_t node); /* orders against it */
/* The value in a node's engine, "" and false when absent. */
bool fake_engine_get(struct fake *fake, uint32_t node, struct bytes key, char *out,
                     size_t out_size);
/* Order-independent hash and number of all client rows of a node. */
uint64_t fake_rows_hash(struct fake *fake, uint32_t node, uint64_t *count);

#endif
