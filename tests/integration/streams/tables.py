"""Compare what two datasets show, view by view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from tests.integration.streams.line import Line
from tests.waiting import wait_for

RUN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "concentration": ("version",),
    "concentration_of": ("version",),
    "latest_concentration": ("version",),
    "attribution_sets": ("created_at", "flipped_at"),
    # a letter's id is made of its topic and offset; both depend on the dataset and on what the broker forgot
    "dead_letters": ("letter_id", "topic", "offset", "seen_at"),
}
"""All that may differ between two runs over the same blocks: versions, and times and places of the run itself."""

VIEWS = (
    "blocks",
    "blocks_all",
    "attributions",
    "attributions_of",
    "concentration",
    "concentration_of",
    "concentration_daily",
    "concentration_dispersion",
    "detectors",
    "drift",
    "share_forecasts",
    "time_windows",
    "latest_concentration",
    "latest_shares",
    "top_pools",
    "share_history",
    "pool_names",
    "attribution_sets",
    "dead_letters",
)


def view_sql(line: Line, view: str, *, also_without: tuple[str, ...] = ()) -> str:
    """All of a view but the columns of the run, as a query that may be run from any database."""
    name = f"{line.dataset}.{view}"
    match view:
        case "top_pools":
            name += "(view = 'entity', window = 144)"
        case "share_history":
            name += "(pool = 'f2pool', window = 144)"
        case "concentration_of" | "attributions_of":
            ids = line.ch.query("SELECT attribution_id FROM attribution_pointer_log FINAL ORDER BY chain LIMIT 1")
            name += f"(attribution_id = '{ids[0][0] if ids else ''}')"
    has = {row[0] for row in line.ch.query(f"DESCRIBE TABLE (SELECT * FROM {name})")}
    left_out = sorted({*RUN_COLUMNS.get(view, ()), *also_without} & has)
    chosen = f"* EXCEPT ({', '.join(left_out)})" if left_out else "*"
    return f"SELECT {chosen} FROM {name}"


def checksums(line: Line, *, also_without: tuple[str, ...] = ()) -> dict[str, tuple[int, int]]:
    """Rows and checksum of each view."""
    found = {}
    for view in VIEWS:
        sql = view_sql(line, view, also_without=also_without)
        [(rows, total)] = line.ch.query(f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM ({sql})")
        found[view] = (int(rows), int(total))
    return found


def assert_same(line: Line, reference: Line, *, also_without: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> None:
    """Every view of both datasets, on whatever servers, shows the same rows, but for those in `but`; else the first that differ."""
    mine = checksums(line, also_without=also_without)
    theirs = checksums(reference, also_without=also_without)
    for view in but:
        mine.pop(view)
        theirs.pop(view)
    if mine == theirs:
        return
    lines = []
    for view in mine:
        if mine[view] == theirs[view]:
            continue
        a, b = (
            {
                row
                for (row,) in side.ch.query(
                    f"SELECT toString(tuple(*)) FROM ({view_sql(side, view, also_without=also_without)})"
                )
            }
            for side in (line, reference)
        )
        lines.append(f"{view}: {mine[view][0]} rows, {theirs[view][0]} in the reference")
        for what, rows in (("only here", a - b), ("only in the reference", b - a)):
            lines += [f"  {what} ({len(rows)}): {row}" for row in sorted(rows)[:3]]
    raise AssertionError("\n".join(lines))


def assert_consistent(line: Line) -> None:
    """What holds of any dataset at rest: one unbroken chain a chain, and concentration for every block of it and for no other."""
    ch = line.ch
    broken = ch.query(
        "SELECT b.chain, b.height FROM blocks AS b INNER JOIN blocks AS p ON b.chain = p.chain AND b.height = p.height + 1 "
        "WHERE b.prev_hash != p.hash"
    )
    assert broken == [], f"blocks whose parent is not the block below: {broken[:5]}"
    gaps = ch.query(
        "SELECT chain, count(), max(height) - min(height) + 1 AS span FROM blocks GROUP BY chain HAVING count() != span"
    )
    assert gaps == [], f"chains with gaps or two blocks a height: {gaps}"
    scored = ch.query(
        "SELECT chain, view, window_blocks, count(), uniqExact(height), countIf((chain, height, tip_hash) IN "
        "(SELECT chain, height, hash FROM blocks)) FROM concentration GROUP BY chain, view, window_blocks ORDER BY ALL"
    )
    blocks = dict(ch.query("SELECT chain, count() FROM blocks GROUP BY chain"))
    assert len(scored) == 8 * len(blocks)
    wrong = [row for row in scored if set(row[3:]) != {blocks[row[0]]}]
    assert wrong == [], f"(chain, view, window, rows, heights, on a block) against {blocks}: {wrong}"
    unnamed = ch.query("SELECT count() FROM blocks_all WHERE attribution_id = ''")
    assert unnamed == [(0,)]
    assert_summaries_agree(ch)


def wait_until_consistent(line: Line) -> None:
    """The same once two writers have healed what they left each other: that happens at their next refresh, after the last message."""
    reasons: list[AssertionError] = []

    def is_consistent() -> bool:
        try:
            assert_consistent(line)
        except AssertionError as reason:
            reasons[:] = [reason]
            return False
        return True

    wait_for(is_consistent, "a consistent dataset", lambda: reasons)


def assert_summaries_agree(ch: ClickHouse) -> None:
    """The newest rows and the days say what `concentration` says, to the last bits of a logarithm."""
    key = "chain, view, window_blocks"
    newest = ch.query_columns(f"SELECT * EXCEPT (confirmations, provisional) FROM latest_concentration ORDER BY {key}")
    expected = ch.query_columns(
        f"SELECT * EXCEPT (confirmations, provisional) FROM concentration ORDER BY {key}, height DESC LIMIT 1 BY {key}"
    )
    _same_columns(newest, expected)
    metrics = ("top4_share", "top4_share_low", "hhi", "effective_pools_d2_high", "entropy_bits", "nakamoto_half")
    days = ch.query_columns(
        f"SELECT {key}, metric, day, from_height, to_height, blocks, first, last, lowest, highest FROM concentration_daily "
        "WHERE metric IN {metrics:Array(String)} ORDER BY ALL",
        {"metrics": list(metrics)},
    )
    values = ", ".join(f"toFloat64({name})" for name in metrics)
    counted = ch.query_columns(
        f"SELECT {key}, metric, toDate(time) AS day, min(height) AS from_height, max(height) AS to_height, count() AS blocks, "
        "argMin(value, height) AS first, argMax(value, height) AS last, min(value) AS lowest, max(value) AS highest "
        f"FROM concentration ARRAY JOIN {list(metrics)} AS metric, [{values}] AS value WHERE window_full GROUP BY ALL ORDER BY ALL"
    )
    _same_columns(days, counted)


def _same_columns(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, column in found.items():
        if isinstance(column, np.ndarray) and column.dtype.kind == "f":
            np.testing.assert_allclose(column, expected[name], rtol=1e-12, atol=1e-15, equal_nan=True, err_msg=name)
        else:
            assert list(column) == list(expected[name]), name
