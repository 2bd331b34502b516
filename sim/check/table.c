/* The vocabulary of checks: one row each. `list checks`, `explain NAME`, validation of `expect`
 * and hints all read this table. */
#include <string.h>

#include "sim/check/parts.h"

const struct check check_table[] = {
    {"no_lost_write",
     "Every write acknowledged with success is there at the end, or was replaced by a write or "
     "delete that could come after it. Unknown writes may be there or not; a "
     "refused write replaces nothing; an insert never replaces an insert. Counts acknowledged "
     "writes that are gone.",
     "Kingsbury, Call me maybe: Redis, 2013 (the set test); definition and proof in "
     "sim/check/loss.c",
     CHECK_NEEDS_HISTORY | CHECK_NEEDS_FINAL, true, check_no_lost_write},
    {"unique_keys",
     "A key that the database assigns is never assigned twice. Counts acknowledged inserts "
     "whose key had been issued before.",
     "GitHub, Availability issues this week, 14 September 2012", CHECK_NEEDS_HISTORY, true,
     check_unique_keys},
    {"external_references",
     "What a second store knows under an id belongs to the owner of the row. Counts ids that "
     "either store bound to two owners, and ids whose last owner in the second "
     "store differs from the owner of the row at the end.",
     "GitHub, Availability issues this week, 14 September 2012; Kleppmann, Designing "
     "Data-Intensive Applications, chapter 5",
     CHECK_NEEDS_HISTORY, true, check_external_references},
    {"no_dirty_read",
     "A value that was returned to a reader does not disappear without a later overwrite, and "
     "a refused write is never read. Counts values.",
     "Adya, Weak Consistency, 1999 (G1a, aborted read); MySQL manual, semi-synchronous "
     "replication, AFTER_COMMIT",
     CHECK_NEEDS_HISTORY | CHECK_NEEDS_FINAL, true, check_no_dirty_read},
    {"no_invented_value",
     "Every value returned was written by a client, under that key, by a write that had begun. "
     "Counts reads.",
     "Lamport, On interprocess communication, 1986 (safeness); Bouajjani et al., POPL 2017 "
     "(thin air read)",
     CHECK_NEEDS_HISTORY, true, check_no_invented_value},
    {"read_your_writes",
     "A read in a session never returns something older than a write of the same session that "
     "was acknowledged before. Counts reads.",
     "Terry et al., Session guarantees for weakly consistent replicated data, PDIS 1994",
     CHECK_NEEDS_HISTORY, true, check_read_your_writes},
    {"monotonic_reads",
     "A read in a session never returns something older than what an earlier read of the "
     "session returned. Counts reads.",
     "Terry et al., Session guarantees for weakly consistent replicated data, PDIS 1994",
     CHECK_NEEDS_HISTORY, true, check_monotonic_reads},
    {"fencing",
     "No write with a lock token is acknowledged after a write with a higher token was "
     "acknowledged under the same key. Counts writes.",
     "Kleppmann, How to do distributed locking, 2016", CHECK_NEEDS_HISTORY, true,
     check_fencing},
    {"single_leader_per_term",
     "At most one node is leader under one epoch. Counts nodes too many.",
     "Ongaro and Ousterhout, In search of an understandable consensus algorithm, USENIX ATC "
     "2014, figure 3 (Election Safety)",
     CHECK_NEEDS_FACTS, true, check_single_leader_per_term},
    {"single_writer",
     "Never two nodes acknowledging writes at once without an epoch that fences one of them. "
     "Counts acknowledgements, of writes asked for after another node had "
     "acknowledged one, by a node of a lower epoch, or of the same epoch in the same reign.",
     "Kingsbury, Call me maybe: Redis, 2013 (two primaries); definition in sim/check/leaders.c",
     CHECK_NEEDS_HISTORY | CHECK_NEEDS_FACTS, true, check_single_writer},
    {"convergence",
     "After heal and quiescence all nodes that are up hold the same keys with the same values. "
     "Counts nodes that differ from most.",
     "Vogels, Eventually consistent, CACM 52(1), 2009", CHECK_NEEDS_FACTS | CHECK_NEEDS_FINAL,
     true, check_convergence},
    {"availability",
     "The share of writes (of reads, where nobody writes) that were served, and the longest "
     "time during which somebody wanted one and nobody was served.",
     "Kingsbury, Jepsen; definition in sim/check/availability.c", CHECK_NEEDS_HISTORY, false,
     check_availability},
    /* Consistency models: not every scheme promises them, so they are run where they are
     * named. */
    {"linearizable",
     "Every operation takes effect at one instant between its invocation and its return, so a "
     "read sees the last write before it. Counts keys.",
     "Herlihy and Wing, Linearizability, ACM TOPLAS 12(3), 1990", CHECK_NEEDS_HISTORY, false,
     check_is_linearizable},
    {"sequential",
     "One order of all operations, which keeps each session's own, explains all answers. "
     "Deciding it may take too long: then the answer is unknown.",
     "Lamport, How to make a multiprocessor computer that correctly executes multiprocess "
     "programs, IEEE Transactions on Computers C-28(9), 1979",
     CHECK_NEEDS_HISTORY, false, check_is_sequential},
    {"causal_convergent",
     "Causal, and all sessions agree on one order of the writes of a key (CCv).",
     "Bouajjani, Enea, Guerraoui, Hamza, On verifying causal consistency, POPL 2017",
     CHECK_NEEDS_HISTORY, false, check_is_causal_convergent},
    {"causal_memory",
     "Each session sees its causal past in one order that explains all that it saw (CM).",
     "Ahamad, Neiger, Burns, Kohli, Hutto, Causal memory, Distributed Computing 9, 1995",
     CHECK_NEEDS_HISTORY, false, check_is_causal_memory},
    {"causal",
     "Who sees an operation sees what that operation's session had seen before it (CC).",
     "Bouajjani, Enea, Guerraoui, Hamza, On verifying causal consistency, POPL 2017",
     CHECK_NEEDS_HISTORY, false, check_is_causal},
    {"pram",
     "Each session sees the writes of every other session in the order in which that one made "
     "them.",
     "Lipton and Sandberg, PRAM: a scalable shared memory, Princeton CS-TR-180-88, 1988",
     CHECK_NEEDS_HISTORY, false, check_is_pram},
    {"monotonic_writes",
     "Who has seen a write of a session sees that session's earlier writes too.",
     "Terry et al., Session guarantees for weakly consistent replicated data, PDIS 1994",
     CHECK_NEEDS_HISTORY, false, check_is_monotonic_writes},
    {"writes_follow_reads", "Who has seen a write sees what its writer had seen before it.",
     "Terry et al., Session guarantees for weakly consistent replicated data, PDIS 1994",
     CHECK_NEEDS_HISTORY, false, check_is_writes_follow_reads},
    {"regular",
     "A read sees the last write that ended before it began, or one that overlaps it.",
     "Lamport, On interprocess communication, 1986; Shao et al., SIAM J. Comput. 40(1), 2011 "
     "(MWReg weak)",
     CHECK_NEEDS_HISTORY, false, check_is_regular},
    {"safe",
     "A read that overlaps no write sees the last one; what overlaps a write may see anything.",
     "Lamport, On interprocess communication, 1986", CHECK_NEEDS_HISTORY, false, check_is_safe},
    {NULL, NULL, NULL, 0, false, NULL},
};

const struct check *check_find(const char *name)
{
    for (const struct check *check = check_table; check->name; check++)
        if (strcmp(check->name, name) == 0) return check;
    return NULL;
}
