/* The words of a workload, and what does not go together. */
#include "sim/workload/workload.h"

#include <stdio.h>

#include "sim/kernel/check.h"

const char *const arrivals_words[] = {"constant", "poisson", NULL};
const char *const key_choice_words[] = {"uniform", "zipfian", "latest", "hot",
                                        "own",     "unique",  NULL};
const char *const read_target_words[] = {"leader", "any", "nearest", "round_robin", NULL};
static const char *const level_words[] = {"default", "local", "leader", NULL};

#define AT(field) offsetof(struct workload_config, field)
#define HOUR (3600 * NS_PER_S)
#define LONG (100000 * HOUR)
#define RATE_MAX (INT64_C(1000000000) * 1000000) /* a billion a second */

const struct option workload_options[] = {
    {"clients", OPTION_INT, AT(clients), "1", 1, 1000000, NULL,
     "Clients of the group; each is one session.", 0},
    {"rate", OPTION_RATE, AT(rate_millionths), "0/s", 0, RATE_MAX, NULL,
     "Open loop: operations arrive at this rate, all clients together, however slow the "
     "answers. Without a rate: closed loop.",
     0},
    {"rate_per_client", OPTION_RATE, AT(rate_per_client_millionths), "0/s", 0, RATE_MAX, NULL,
     "Open loop, in place of rate: the rate of each client.", 0},
    {"arrivals", OPTION_WORD, AT(arrivals), "constant", 0, 0, arrivals_words,
     "Open loop: constant (operation n at start + n/rate, exactly) or poisson (as from many "
     "independent users).",
     0},
    {"start", OPTION_DURATION, AT(start_ns), "0s", 0, LONG, NULL,
     "When the first operation begins.", 0},
    {"stop", OPTION_DURATION, AT(stop_ns), "never", -1, LONG, NULL,
     "No operation begins at or after it; never: at the end of the run.", 0},
    {"count", OPTION_INT, AT(count), "0", 0, INT64_C(1) << 40, NULL,
     "Operations of the whole group at most; 0: no bound.", 0},
    {"think", OPTION_DURATION, AT(think_ns), "0s", 0, LONG, NULL,
     "Closed loop: a client's pause after each operation (a wait step of a sequence takes its "
     "place).",
     0},
    {"timeout", OPTION_DURATION, AT(timeout_ns), "1s", 1, LONG, NULL,
     "Of an operation with all its attempts, in true time.", 0},
    {"attempt_timeout", OPTION_DURATION, AT(attempt_timeout_ns), "0s", 0, LONG, NULL,
     "Of one attempt; 0s: the operation's.", 0},
    {"retries", OPTION_INT, AT(retries), "0", 0, 10000, NULL,
     "Further attempts after a refusal, or (reads, locks and idempotent operations) after an "
     "attempt's timeout.",
     0},
    {"backoff", OPTION_DURATION, AT(backoff_ns), "0s", 0, HOUR, NULL,
     "Pause before a further attempt.", 0},
    {"idempotent", OPTION_YESNO, AT(idempotent), "no", 0, 0, NULL,
     "Retries carry an idempotency token; without it a write is tried again only when all "
     "attempts were refused.",
     0},
    {"keys", OPTION_INT, AT(keys), "100", 1, INT64_C(1) << 40, NULL,
     "Key space; latest: how far back it looks.", 0},
    {"key_choice", OPTION_WORD, AT(key_choice), "uniform", 0, 0, key_choice_words,
     "uniform; zipfian (key 0 is the most frequent); latest (writes make new keys, reads "
     "favour young ones); hot (80 % of operations on 20 % of keys); own (one key a client); "
     "unique (a new key for every write).",
     0},
    {"zipf_theta", OPTION_FRACTION, AT(zipf_theta_millionths), "99%", 0, 10000000, NULL,
     "Exponent of the zipfian and latest choices: key n is drawn in proportion to 1/n^theta.",
     0},
    {"key", OPTION_STRING, AT(key), NULL, 0, 0, NULL,
     "One key for all operations, in place of key_choice.", OPTION_OPTIONAL},
    {"table", OPTION_STRING, AT(table), NULL, 0, 0, NULL,
     "Prefix of the group's keys (TABLE.7) and of the rows that it inserts (TABLE-7); default: "
     "the group's name.",
     OPTION_OPTIONAL},
    {"value_size", OPTION_SIZE, AT(value_size), "32B", 1, 64 << 20, NULL,
     "Size of a written value: a unique token and filler.", 0},
    {"private", OPTION_FRACTION, AT(private_ppm), "0%", 0, 1000000, NULL,
     "Share of inserted rows that nobody but their owner may read.", 0},
    {"owners", OPTION_INT, AT(owners), "0", 0, INT64_C(1) << 31, NULL,
     "The owner of an inserted row is drawn below this; 0: every row has an owner of its own.",
     0},
    {"second_store", OPTION_STRING, AT(second_store), NULL, 0, 0, NULL,
     "After each acknowledged insert the client binds the id to the row's owner there; resolve "
     "looks ids up there.",
     OPTION_OPTIONAL},
    {"resolve_table", OPTION_STRING, AT(resolve_table), NULL, 0, 0, NULL,
     "Table whose ids are resolved; default: the group's own.", OPTION_OPTIONAL},
    {"read_from", OPTION_WORD, AT(read_from), "leader", 0, 0, read_target_words,
     "Whom reads ask: the leader, any node (drawn), the nearest, or all nodes in turn.", 0},
    {"level", OPTION_WORD, AT(level), "default", 0, 0, level_words,
     "What reads ask for: the scheme's default, whatever the node has, or an answer of the "
     "leader only.",
     0},
    {"session", OPTION_YESNO, AT(session), "no", 0, 0, NULL,
     "Operations carry the position of the client's last answer: the answering node must have "
     "applied it.",
     0},
    {"leader_reads_after_write", OPTION_DURATION, AT(leader_reads_after_write_ns), "0s", 0,
     LONG, NULL,
     "For that long after a client wrote a key, its reads of this key go to the leader.", 0},
    {"lock_ttl", OPTION_DURATION, AT(lock_ttl_ns), "10s", 1, LONG, NULL,
     "How long a lock is granted.", 0},
    {"fencing_token", OPTION_YESNO, AT(fencing_token), "yes", 0, 0, NULL,
     "Writes under a lock carry its token, so that the store can refuse an old holder.", 0},
    {"follow_directory", OPTION_YESNO, AT(follow_directory), "yes", 0, 0, NULL,
     "no: the clients stay with the first leader that they were told, whatever happens.", 0},
};
const size_t workload_options_count = sizeof workload_options / sizeof *workload_options;

void workload_config_default(struct workload_config *config, const char *name)
{
    int error =
        options_default(workload_options, workload_options_count, config, sizeof *config);
    CHECK(error == 0);
    config->name = name;
    config->region = config->machine = -1;
}

static bool mix_has(const struct workload_config *config, enum operation_type type)
{
    for (uint32_t i = 0; i < config->sequence_count; i++)
        if (config->sequence[i].wait_ns == 0 && config->sequence[i].type == type) return true;
    return config->mix.ppm[type] > 0;
}

const char *workload_config_check(const struct workload_config *config, char *out,
                                  size_t out_size)
{
    bool open_loop = config->rate_millionths > 0 || config->rate_per_client_millionths > 0;
    int64_t sum = 0;
    for (int i = 0; i < OPERATION_TYPES; i++) {
        if (config->mix.ppm[i] < 0) {
            snprintf(out, out_size, "mix: the share of %s is negative", operation_words[i]);
            return out;
        }
        sum += config->mix.ppm[i];
    }
    uint32_t operations = 0;
    for (uint32_t i = 0; i < config->sequence_count; i++)
        operations += config->sequence[i].wait_ns == 0;
    const char *why = NULL;
    if (config->rate_millionths > 0 && config->rate_per_client_millionths > 0)
        why = "rate and rate_per_client exclude each other";
    else if (config->rate_per_client_millionths > RATE_MAX / config->clients)
        why = "rate_per_client times clients is more than a billion a second";
    else if (config->sequence_count > 0 && sum > 0)
        why = "mix and sequence exclude each other";
    else if (config->sequence_count > 0 && open_loop)
        why = "a sequence is run in a closed loop, which has no rate";
    else if (config->sequence_count > 0 && operations == 0)
        why = "a sequence needs an operation beside its waits";
    else if (config->sequence_count == 0 && sum != 1000000)
        why = "the shares of mix must sum to 100% (or give a sequence)";
    else if (open_loop && config->think_ns > 0)
        why = "think is for closed loops; with a rate the clients don't wait";
    else if (!open_loop && config->arrivals != ARRIVALS_CONSTANT)
        why = "arrivals need a rate";
    else if (config->attempt_timeout_ns > config->timeout_ns)
        why = "attempt_timeout is longer than timeout";
    else if (config->stop_ns >= 0 && config->stop_ns <= config->start_ns)
        why = "stop is not after start: the group would do nothing";
    else if (mix_has(config, OPERATION_RESOLVE) && !config->second_store)
        why = "resolve needs a second_store to look ids up in";
    else if (config->key && config->key[0] == '\0')
        why = "key is empty";
    else if (config->table && config->table[0] == '\0')
        why = "table is empty";
    if (!why) return NULL;
    snprintf(out, out_size, "%s", why);
    return out;
}
