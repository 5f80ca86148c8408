"""Count blocks per pool in bins of 144 blocks of a Parquet file, and write the table that the demo replays.

    python scripts/make_blocks_per_pool_144.py mainnet_664063_946236.parquet LICENSE ingest/data/blocks_per_pool_144.csv

The Parquet file has columns height, pool_slug and date (header time, UTC), one row per block without gaps, as
`dashboard/data/blocks_post_2021.parquet` of sorukumar/bitcoin-mining-pools does. LICENSE is that repository's licence; the table
carries its text. A bin in which a UTC month ends is cut there, so that the counts of a month are exact.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

BIN_BLOCKS = 144

HEADER = """\
# Bitcoin blocks per pool in bins of {bin_blocks} blocks, counted from the labels of
# sorukumar/bitcoin-mining-pools @ ca5ba784, dashboard/data/blocks_post_2021.parquet (BSD-2-Clause, text below).
# Derived counts: figures, none of its rows. A bin in which a UTC month ends is cut there. The first and the last month are not whole.
# height: first height of the bin. last_time: header time of its last block. Then a column for each pool; empty means no block.
#
{licence}#
# first_time {first_time}
"""


def main(source: str, licence: str, target: str) -> None:
    table = pq.read_table(source, columns=["height", "pool_slug", "date"]).sort_by("height")
    heights, pools, times = (table[name].to_pylist() for name in ("height", "pool_slug", "date"))
    months = [f"{time:%Y-%m}" for time in times]
    if heights != list(range(heights[0], heights[0] + len(heights))):
        raise SystemExit(f"{source}: heights have gaps or repeat")
    if months != sorted(months):
        raise SystemExit(f"{source}: a header time goes back over a month's end, so no bin can be cut there")
    edges = [at for at in range(len(heights)) if at % BIN_BLOCKS == 0 or months[at] != months[at - 1]]
    names = sorted(set(pools), key=lambda pool: (-pools.count(pool), pool))
    lines = [",".join(["height", "last_time", *names])]
    for low, high in zip(edges, [*edges[1:], len(heights)], strict=True):
        counts = Counter(pools[low:high])
        cells = [str(counts[name] or "") for name in names]
        lines.append(",".join([str(heights[low]), f"{times[high - 1]:%Y-%m-%dT%H:%M:%SZ}", *cells]))
    notice = "".join(f"# {line}".rstrip() + "\n" for line in Path(licence).read_text(encoding="utf-8").splitlines())
    head = HEADER.format(bin_blocks=BIN_BLOCKS, licence=notice, first_time=f"{times[0]:%Y-%m-%dT%H:%M:%SZ}")
    Path(target).write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
