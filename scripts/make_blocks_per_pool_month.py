"""Count blocks per pool and month in a Parquet file of blocks, and write the table that the demo replays.

    python scripts/make_blocks_per_pool_month.py mainnet_664063_946236.parquet ingest/data/blocks_per_pool_month.csv

The Parquet file has columns height, pool_slug and date (header time, UTC), one row a block, as
`dashboard/data/blocks_post_2021.parquet` of sorukumar/bitcoin-mining-pools does.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

HEADER = """\
# Bitcoin blocks per pool and calendar month (UTC, by header time), counted from the labels of
# sorukumar/bitcoin-mining-pools @ ca5ba784, dashboard/data/blocks_post_2021.parquet (BSD-2-Clause,
# Copyright (c) 2026, Saurabh Kumar).
# Derived monthly counts: figures, none of its rows. The first and the last month are not whole:
# first_height {first_height}
# first_time {first_time}
# last_time {last_time}
month,pool,blocks
"""


def main(source: str, target: str) -> None:
    table = pq.read_table(source, columns=["height", "pool_slug", "date"]).sort_by("height")
    dates = table["date"].to_pylist()
    counts = Counter(zip([f"{date:%Y-%m}" for date in dates], table["pool_slug"].to_pylist(), strict=True))
    head = HEADER.format(
        first_height=table["height"][0].as_py(),
        first_time=f"{dates[0]:%Y-%m-%dT%H:%M:%SZ}",
        last_time=f"{max(dates):%Y-%m-%dT%H:%M:%SZ}",
    )
    ordered = sorted(counts.items(), key=lambda entry: (entry[0][0], -entry[1], entry[0][1]))
    rows = "".join(f"{month},{pool},{blocks}\n" for (month, pool), blocks in ordered)
    Path(target).write_text(head + rows, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
