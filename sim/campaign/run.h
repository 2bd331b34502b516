/* One run: a plan executed, its records judged, a verdict with reasons. `campaign` is the only
 * layer that puts scenario, world, workload and checks together.
 *
 *     struct run *run = run_execute(plan, &(struct run_request){0});
 *     ... run->verdict, run->expectations ...
 *     result_write(run, "results/x");
 *     run_destroy(run);
 */
#ifndef FAULTLINE_SIM_CAMPAIGN_RUN_H
#define FAULTLINE_SIM_CAMPAIGN_RUN_H

#include "sim/campaign/series.h"
#include "sim/check/online.h"
#include "sim/scenario/plan.h"

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_INVALID, VERDICT_UNKNOWN };
extern const char *const verdict_words[]; /* "pass" "fail" "invalid" "unknown" */

/* Exit status of every subcommand, and its precedence where several apply: 2, 3, 1, 4, 0. */
enum exit_status {
    EXIT_MET = 0,
    EXIT_NOT_MET = 1,
    EXIT_BAD_INPUT = 2,
    EXIT_INVALID = 3,
    EXIT_UNDECIDED = 4
};
int exit_worse(int a, int b);
int exit_of_verdict(enum verdict verdict);

struct run_expectation {
    const struct expectation *expectation; /* NULL: a safety check that the scenario did not
                                              name and that must hold */
    const struct check *check;             /* NULL for measures */
    int64_t observed;                      /* violations, measure, or fraction in ppm */
    int64_t observed_gap_ns;               /* availability */
    bool met, unknown;
    struct check_result result; /* of checks */
    char *text, *observed_text; /* "unique_keys: 550 violations by 8:00", "550" */
};

struct run_evidence {
    const struct fault_plan *fault;
    bool fired;
    uint64_t effects;
    bool missing; /* required, not inert, and without effect: the run is INVALID */
};

struct run_request {
    bool record;                    /* keep events and draws, as reference of a second run */
    const struct kernel *reference; /* stop at the first difference with it */
    FILE *trace;                    /* every event as a line of text; NULL: none */
    const char *replay;             /* for CHECK messages; borrowed */
    bool stop_on_violation; /* end at the first violation that the scenario does not expect */
};

struct run {
    const struct plan *plan;
    struct kernel *kernel;
    struct world *world;
    struct workload *workload;
    struct records records;
    struct series series;
    enum kernel_stop stop;
    int64_t ended_ns; /* virtual time at the end, finish included */
    uint64_t trace_hash, events;
    double wall_seconds, cpu_seconds; /* of the simulation and its checks; the host's, never in
                                         results but under `host` */
    enum verdict verdict;
    /* Of a run that ended at a violation (request.stop_on_violation): the check, and when; NULL
     * otherwise. Its verdict is fail, and only that check is judged: for the others the run is
     * too short. */
    const struct check *stopped_by;
    int64_t stopped_ns;
    char *reason; /* of INVALID, UNKNOWN and a run that was stopped, NULL otherwise */
    struct run_expectation *expectations;
    size_t expectations_count; /* the scenario's first, then unexpected violations */
    struct run_evidence *evidence;
    size_t evidence_count;
};

struct run *run_execute(const struct plan *plan, const struct run_request *request);
void run_destroy(struct run *run);
/* What a check or measure may look at, over the whole run. */
struct check_input run_check_input(const struct run *run);
/* True when no safety check is violated and no expectation failed: the configuration would have
 * saved the day. */
bool run_holds(const struct run *run);
/* "0:07:12 PASS" style one-line reason of a verdict, malloc'ed. */
char *run_summary(const struct run *run);

#endif
