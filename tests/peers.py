"""The judge of make bench-peers: peers.py ROWS SYNC-ROWS KEYS ROUNDS BLOCKS.

ROWS: who, value size, workload, operations/CPU-s, operations/s, write amplification, resident bytes. SYNC-ROWS: engine, value size, p50 ns, floor's p50 ns, syncs a put, bytes beyond the record a put.
Prints the tables. A bar is judged on its medians; a row without figures meets none. The last line counts the bars; exit status 1 when one is SHORT, or when none could be judged.
"""

import os
import statistics
import sys

rows_path, sync_path, keys, rounds, blocks = sys.argv[1:]
figures = {}
if os.path.exists(rows_path):
    for line in open(rows_path):
        who, size, workload, *numbers = line.rstrip("\n").split("\t")
        figures.setdefault((who, int(size), workload), []).append([float(x) for x in numbers])
median = {key: [statistics.median(column) for column in zip(*values)] for key, values in figures.items()}


def short(x):
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if x >= scale: return f"{x / scale:.3g}{unit}"
    return f"{x:.3g}"


# ours, peer, workload, what is judged: least share of the peer's rate per CPU-second, or most of its CPU time; None: no such bar
RATE, TIME = 0, 1
bars = [("hash", "rawlog", w, RATE, 0.9) for w in ("fillrandom", "overwrite", "readrandom")]
bars += [("hash", "rawlog", "readmissing", RATE, None), ("hash", "rawlog", "reopen", TIME, None), ("hash+no-hints", "rawlog", "reopen", TIME, 1.2)]
bars += [("lsm", "leveldb", w, RATE, 1.5) for w in ("fillseq", "fillrandom", "overwrite", "readrandom")]
bars += [("lsm", "leveldb", w, RATE, None) for w in ("readmissing", "readseq", "scan100")]
bars += [("lsm", "leveldb", w, TIME, 1.0) for w in ("reopen", "recover")]
bars += [("btree", "lmdb", "fillbatch", RATE, 1.0), ("btree", "lmdb", "readrandom", RATE, 0.7)]
# The same with what a mapping has, the whole file in memory: beside it, and judged too.
bars += [("btree+mapped", "lmdb", "fillbatch", RATE, 1.0), ("btree+mapped", "lmdb", "readrandom", RATE, 0.7)]
# write amplification no higher than the peer's; most resident bytes
lean_writes = {("lsm", w) for w in ("fillseq", "fillrandom", "overwrite")}
resident_most = {("lsm", "fillrandom"): 64 * 2**20}
# least figures per CPU-second whatever the peer does (100 B)
floors = {("hash", "readmissing"): 3e6, ("lsm", "readmissing"): 1.2e6, ("lsm", "readseq"): 8e6, ("lsm", "scan100"): 75e3}
judged, missed = 0, []


def judge(good, what):
    global judged
    judged += 1
    if not good: missed.append(what)
    return "ok" if good else "SHORT"


print(f"{int(keys):,} keys, medians of {rounds} rounds; operations per CPU-second of the whole process; WA: device writes / bytes put")
print(f"{'size':>5} {'workload':<12} {'ours':<14} {'/CPU-s':>8} {'peer':<8} {'/CPU-s':>8} {'ratio':>6} {'bar':>6} {'':5} {'wall':>6} {'WA':>6} {'peer':>6} {'':5} {'MiB':>5} {'peer':>5}")
for size in sorted({key[1] for key in median}):
    for mine, peer, workload, kind, bar in bars:
        a, b = median.get((mine, size, workload)), median.get((peer, size, workload))
        if not a or not b:
            # Not measured at all (ENGINES), or a workload that brought no figures: that meets no bar.
            if any(key[0] == mine and key[1] == size for key in median) and (bar is not None or kind == TIME or (size == 100 and (mine, workload) in floors)):
                print(f"{size:>5} {workload:<12} {mine:<14} {judge(False, f'{mine} {workload} {size} B: no figures')} no figures of {mine if not a else peer}")
            continue
        wall = a[1] / b[1]
        if kind == TIME:
            left, right = 1e3 / a[0], 1e3 / b[0]
            ratio, most = left / right, 100 if (mine, workload) == ("hash", "reopen") else bar * right
            verdict, limit = judge(left <= most, f"{mine} {workload} {size} B"), "100ms" if bar is None else f"<={bar}"
            left, right = f"{left:.2f}ms", f"{right:.2f}ms"
        else:
            ratio, floor = a[0] / b[0], floors.get((mine, workload)) if size == 100 else None
            good = (bar is None or ratio >= bar) and (floor is None or a[0] >= floor)
            verdict = "" if bar is None and floor is None else judge(good, f"{mine} {workload} {size} B")
            left, right, limit = short(a[0]), short(b[0]), f">={bar}" if bar else short(floor) if floor else ""
        writes, more = workload.startswith(("fill", "overwrite")), ["", ""]
        if (mine, workload) in lean_writes:
            more[0] = judge(round(a[2], 2) <= round(b[2], 2), f"{mine} {workload} {size} B: write amplification")
        if (mine, workload) in resident_most:
            more[1] = judge(a[3] <= resident_most[mine, workload], f"{mine} {workload} {size} B: resident memory")
        print(f"{size:>5} {workload:<12} {mine:<14} {left:>8} {peer:<8} {right:>8} {ratio:>6.2f} {limit:>6} {verdict:<5} {wall:>6.2f} "
              f"{f'{a[2]:.2f}' if writes else '':>6} {f'{b[2]:.2f}' if writes else '':>6} {more[0]:5} {a[3] / 2**20:>5.0f} {b[3] / 2**20:>5.0f} {more[1]}".rstrip())

sync = {}
for line in open(sync_path) if os.path.exists(sync_path) else ():
    who, size, *numbers = line.rstrip("\n").split("\t")
    sync.setdefault((int(size), who), []).append([float(x) for x in numbers])
print(f"\nfillsync: {blocks} blocks of 1,000 puts, each after a block of plain append and fdatasync (the floor); medians of the blocks' median latencies and of their ratios")
print(f"{'size':>5} {'engine':<8} {'p50':>9} {'floor':>9} {'ratio':>6} {'':5} {'syncs a put':>12} {'bytes beyond':>13}")
for (size, who), blocks_of in sync.items():
    p50, least, syncs, beyond = (statistics.median(column) for column in zip(*blocks_of))
    ratio = statistics.median(b[0] / b[1] for b in blocks_of)
    good = ratio <= 1.1 and syncs == 1 and beyond <= 64
    verdict = judge(good, f"{who} fillsync {size} B")
    print(f"{size:>5} {who:<8} {p50 / 1e3:>7.0f}us {least / 1e3:>7.0f}us {ratio:>6.2f} {verdict:<5} {syncs:>12.3f} {beyond:>13.1f}")

if missed: print("\nSHORT: " + "; ".join(missed))
print(f"{judged - len(missed)} of {judged} bars met" + (f", {len(missed)} SHORT" if missed else "") if judged else "no bar could be judged")
sys.exit(1 if missed or not judged else 0)
