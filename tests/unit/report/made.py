"""A report by hand: small, with every part filled."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

from desk.question import Question
from desk.report.gap_sentence import GapRow
from desk.report.report_model import (
    DeadLetters,
    EdgePoint,
    Episode,
    MiningNow,
    PoolShare,
    Report,
    RuleLine,
    SeriesAge,
    SharePoint,
)

MADE_AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
LINE = RuleLine("top4-share", "Top-4 pool share above 75 %", "raw", 1008, 0.75, 0.73, 36)


def parsed(markup: str) -> ElementTree.Element:
    """A drawing, or pieces of one, as a tree; an error where it is not well-formed."""
    return ElementTree.fromstring(markup)  # noqa: S314 - our own text


def now(view: str = "raw", **changes: object) -> MiningNow:
    """A window of 1,008 blocks, 720 of them by the four largest."""
    values: dict[str, object] = {
        "view": view,
        "window_blocks": 1008,
        "height": 930_000,
        "time": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "blocks": 1008,
        "unknown": 8,
        "pools_seen": 9,
        "top4": 720 / 1008,
        "top4_upper": 728 / 1008,
        "top4_low": 0.686,
        "top4_high": 0.742,
        "p_above_75": 0.005,
        "hhi_points": 1652.0,
        "effective_pools": 6.05,
        "nakamoto_half": 3,
        "provisional": True,
        "attribution_id": "r-1234",
    }
    return MiningNow(**(values | changes))  # type: ignore[arg-type]


def share(at: int, value: float) -> SharePoint:
    """The end of stretch number `at`, ten days a stretch, interval 3 points either way."""
    return SharePoint(
        900_000 + 1440 * at,
        datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=10 * at),
        value,
        value - 0.03,
        value + 0.03,
        value - 0.01,
        value + 0.01,
        0.008,
    )


def gap_row(day: date, *, level: str = "no_call", at_tip: bool = False) -> GapRow:
    """AI 4, 5 and 8 hands against 5 pools; L −0.32, 0 and +0.68."""
    return GapRow(
        day,
        4.0,
        5.0,
        8.0,
        5.0,
        4.5,
        5.5,
        -0.32,
        0.0,
        0.68,
        -0.5,
        0.9,
        level,
        "no_call",
        25,
        1008,
        True,
        date(2025, 12, 31),
        at_tip,
    )


def pool(name: str, blocks: int) -> PoolShare:
    return PoolShare(name, name.lower(), blocks, blocks / 1008, blocks / 1008 - 0.02, blocks / 1008 + 0.02)


POOLS = [
    pool(name, blocks)
    for name, blocks in (
        ("Foundry USA", 300),
        ("AntPool", 200),
        ("F2Pool", 130),
        ("ViaBTC", 90),
        ("SpiderPool", 80),
        ("MARA", 60),
    )
]

EPISODE = Episode(
    "top4-share",
    "00000000000000aa",
    datetime(2025, 3, 1, tzinfo=UTC),
    909_000,
    datetime(2025, 4, 20, tzinfo=UTC),
    915_000,
    0.7569,
    0.75,
    0.7815,
    "Four pools hold most",
)


def report(**changes: object) -> Report:
    """Everything filled; `changes` replace fields."""
    values: dict[str, object] = {
        "dataset": "made",
        "kind": "live",
        "chain": "bitcoin",
        "made_at": MADE_AT,
        "since": None,
        "product_version": "0.1.0",
        "clickhouse_version": "26.9.1",
        "migration": "0008",
        "line": LINE,
        "window_blocks": 1008,
        "view": "raw",
        "now": {"raw": now(), "entity": now("entity", top4=0.75, top4_low=0.72, top4_high=0.78)},
        "shares": [share(at, value) for at, value in enumerate((0.70, 0.74, 0.76, 0.77, 0.76, 0.74, 0.72, 0.7143))],
        "leaders": {"raw": POOLS, "entity": POOLS[:5]},
        "gap_series": "epoch-ai-compute-owners",
        "gap_rows": [
            gap_row(date(2024, 12, 31)),
            gap_row(date(2025, 3, 31)),
            gap_row(date(2025, 6, 30), level="mining_more_dispersed"),
            gap_row(date(2025, 9, 30)),
            gap_row(date(2025, 12, 31)),
            gap_row(date(2026, 1, 1), at_tip=True),
        ],
        "edge_series": "pypi-edge-share",
        "edge": {
            "as-filed": [
                EdgePoint(date(2025, 6, 30), 0.022, 0.021, 0.024, 2),
                EdgePoint(date(2025, 12, 31), 0.048, 0.047, 0.05, 1),
            ],
            "without-general-tools": [
                EdgePoint(date(2025, 6, 30), 0.12, 0.1, 0.15, 2),
                EdgePoint(date(2025, 12, 31), 0.11, 0.1, 0.13, 1),
            ],
        },
        "episodes": [EPISODE],
        "series": [
            SeriesAge(
                "epoch-ai-compute-owners",
                "ownership",
                date(2025, 12, 31),
                MADE_AT,
                0.5,
                False,
                "all-owners",
                7,
                0,
                1,
                0.193,
            ),
            SeriesAge("miner-pivot", "miner_pivot", None, None, None, False, "", None, None, None, None),
            SeriesAge(
                "pypi-edge-share", "developer_pull", date(2025, 6, 30), MADE_AT, 180.0, True, "", None, None, None, None
            ),
        ],
        "dead_letters": [DeadLetters("bad-event", "streams", 2, 1, MADE_AT)],
        "questions": {"shares": Question("counterpoise sql --name share_over_time", "SELECT 1 < 2")},
    }
    return Report(**(values | changes))  # type: ignore[arg-type]
