"""Every claim, in the order of the article. `then` is April 2025, when it was written, and `now` the newest blocks or release.

A measure is one SQL query with the columns `then` and `now`, and `agree` where several lists of a source answer. It reads the views
only, names its window and denominator, and runs unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from desk.claims.verdicts import Judge, falls, near, rises

Unit = Literal["share", "number", "count", "blocks", "places"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. `measure` is what the figures are, or why there are none; `sql` and `judge` are given together or not at all."""

    name: str
    text: str
    measure: str
    unit: Unit = "number"
    sql: str = ""
    judge: Judge | None = None


_CHAIN: Final = "chain = 'bitcoin'"
_TIP: Final = f"(SELECT max(height) FROM blocks WHERE {_CHAIN})"
_THEN: Final = "894668"
_YEAR: Final = 52_560
_MONTH: Final = 4_320


class _Window(NamedTuple):
    """A condition on heights, and how many blocks hold it where all are stored."""

    where: str
    blocks: int


def _heights(first: int, last: int) -> _Window:
    return _Window(f"height >= {first} AND height <= {last}", last - first + 1)


def _last(blocks: int, tip: str) -> _Window:
    return _Window(f"height > toInt64({tip}) - {blocks} AND height <= {tip}", blocks)


def _counted(value: str, window: _Window) -> str:
    """A scalar subquery over (pool, c), the blocks of each pool in a window; unknown blocks are a row of it.

    NaN where a block of the window is missing: part of a window is another figure.
    """
    counts = f"SELECT pool, count() AS c FROM blocks WHERE {_CHAIN} AND {window.where} GROUP BY pool"
    return f"(SELECT if(sum(c) = {window.blocks}, {value}, nan) FROM ({counts}))"


def _measure(then: str, now: str) -> str:
    return f"SELECT\n    {then} AS then,\n    {now} AS now"


def _over(value: str, then: _Window, now: _Window) -> str:
    return _measure(_counted(value, then), _counted(value, now))


_APRIL: Final = _heights(890_325, 894_668)
"""Exactly the blocks with a header time in April 2025. Tables are ordered by height, so this costs the same in any history."""

_LARGEST_FIRST: Final = "arrayReverseSort(groupArrayIf(c, pool != 'unknown'))"
_TOP4: Final = f"arraySum(arraySlice({_LARGEST_FIRST}, 1, 4)) / sum(c)"
_TOP1: Final = "maxIf(c, pool != 'unknown') / sum(c)"
_D2: Final = "pow(sumIf(c, pool != 'unknown'), 2) / sumIf(c * c, pool != 'unknown')"
_BEYOND_TEN: Final = f"arraySum(arraySlice({_LARGEST_FIRST}, 11)) / sum(c)"
_ORDER: Final = "['foundry-usa', 'antpool', 'viabtc', 'f2pool']"
_IN_ORDER: Final = (
    f"toFloat64(arrayCount((one, other) -> one = other, arrayResize(arrayMap(pair -> pair.2, "
    f"arrayReverseSort(groupArrayIf((c, pool), pool != 'unknown'))), 4, ''), {_ORDER}))"
)
_NAKAMOTO: Final = f"toFloat64(arrayFirstIndex(few -> 2 * few > sum(c), arrayCumSum({_LARGEST_FIRST})))"
_REFUSED: Final = f"log(0.01) / log({_TOP4})"
_CONFIRMATIONS: Final = (
    "(SELECT toFloat64OrNull(toString(any(confirmations_for_0_1_percent))) FROM concentration WHERE chain = 'bitcoin' "
    f"AND view = 'raw' AND window_blocks = {_MONTH} AND window_full AND height = {{tip}} HAVING count() > 0)"
)


def _latest(value: str, table: str, where: str, day: str = "") -> str:
    until = f" AND period_end <= '{day}'" if day else ""
    return f"(SELECT if(count() = 0, nan, argMax({value}, period_end)) FROM {table} WHERE {where}{until})"


_OWNERS: Final = "series = 'epoch-ai-compute-owners' AND list_id = 'all-owners' AND treatment = 'one_owner'"
_EDGE: Final = """
SELECT
    if(count() = 0, nan, anyIf(before, list_id = 'as-filed')) AS then,
    if(count() = 0, nan, anyIf(after, list_id = 'as-filed')) AS now,
    countIf(after > before) IN (0, count()) AS agree
FROM
(
    SELECT list_id, argMaxIf(edge_share, period_end, period_end <= '2025-04-30') AS before, argMax(edge_share, period_end) AS after
    FROM edge_share
    WHERE series = 'pypi-edge-share'
    GROUP BY list_id
    HAVING countIf(period_end <= '2025-04-30') > 0
)""".strip()

_NOT_SEEN: Final = "No public source measures it"

CLAIMS: Final = (
    Claim(
        "top-four",
        "Four pools make about 75 % of blocks.",
        "Share of the four largest pools of all blocks: April 2025, and the last 4,320 blocks. Holds within 2 points.",
        "share",
        _over(_TOP4, _APRIL, _last(_MONTH, _TIP)),
        near(0.75, 0.02),
    ),
    Claim(
        "order",
        "The four largest are Foundry, AntPool, ViaBTC and F2Pool, in this order.",
        "Places of the four that are as claimed: April 2025, and the last 4,320 blocks.",
        "places",
        _over(_IN_ORDER, _APRIL, _last(_MONTH, _TIP)),
        near(4.0, 0.0),
    ),
    Claim(
        "compression",
        "Mining is being compressed into fewer pools.",
        "Effective number of pools (D₂) of the 52,560 blocks to April 2025, and of the last 52,560. Fewer means compression.",
        "number",
        _over(_D2, _last(_YEAR, _THEN), _last(_YEAR, _TIP)),
        falls,
    ),
    Claim(
        "scale",
        "Since the halving the economics favour scale.",
        "Share of blocks beyond the ten largest pools: 52,560 blocks before the halving of April 2024, and after it.",
        "share",
        _over(_BEYOND_TEN, _heights(787_440, 839_999), _heights(840_000, 892_559)),
        falls,
    ),
    Claim(
        "survivors",
        "Larger operators survive.",
        f"{_NOT_SEEN} for operators: blocks name pools, and a pool is not its miners.",
    ),
    Claim(
        "pivot",
        "Miners move to AI and high-performance computing.",
        "Company filings only, a few companies, no rate for the industry: see the view miner_pivot.",
    ),
    Claim(
        "systemic",
        "Those who stay become more systemic.",
        "Share of the largest pool of all blocks: April 2025, and the last 4,320 blocks.",
        "share",
        _over(_TOP1, _APRIL, _last(_MONTH, _TIP)),
        rises,
    ),
    Claim("geography", "Miners are geographically dispersed.", f"{_NOT_SEEN} by block: a block has no location."),
    Claim(
        "templates",
        "Few template makers decide the order of transactions.",
        "Template makers are known only where a coinbase names them (OCEAN, Stratum V2); the others are not visible in blocks.",
    ),
    Claim(
        "censorship",
        "Concentration raises the stakes around censorship.",
        "Blocks until a transaction is included with 99 %, if the four largest pools refuse it: April 2025, and the last 4,320.",
        "blocks",
        _over(_REFUSED, _APRIL, _last(_MONTH, _TIP)),
        rises,
    ),
    Claim(
        "failure",
        "Concentration raises the stakes around coordinated failure.",
        "Pools that hold more than half of all blocks: April 2025, and the last 4,320 blocks. Fewer means higher stakes.",
        "count",
        _over(_NAKAMOTO, _APRIL, _last(_MONTH, _TIP)),
        falls,
    ),
    Claim(
        "finality",
        "Concentration changes the assumptions about finality.",
        "Confirmations for a risk below 0.1 % against the largest pool, window of 4,320 blocks: end of April 2025, and now.",
        "count",
        _measure(_CONFIRMATIONS.format(tip=_THEN), _CONFIRMATIONS.format(tip=_TIP)),
        rises,
    ),
    Claim("asics", "The supply of mining hardware is concentrated.", f"{_NOT_SEEN}: makers publish no shipments."),
    Claim(
        "governance",
        "Pool governance and regulators become points of control.",
        "It is about law and contracts. Blocks show the pools, not who may command them.",
    ),
    Claim(
        "ai-owners",
        "AI compute spreads over more owners.",
        "Effective number of owners of AI compute (Epoch AI), each bucket one owner: the last quarter to March 2025, and the newest.",
        "number",
        _measure(
            _latest("d2", "dispersion", _OWNERS, "2025-03-31"),
            _latest("d2", "dispersion", _OWNERS),
        ),
        rises,
    ),
    Claim(
        "edge",
        "AI deployment moves to edge, federated and local software.",
        "Edge share of package downloads as filed: the last month to April 2025, and the newest. Every include-list must agree.",
        "share",
        _EDGE,
        rises,
    ),
    Claim(
        "inference",
        "AI inference spreads outward.",
        f"{_NOT_SEEN} where inference runs. Owners of hardware and package downloads are the nearest layers.",
    ),
    Claim(
        "forecast",
        "The edge AI market grows from 24.91 to 118.69 billion USD.",
        "A forecast for 2033 (Grand View Research, 2025). It can be checked when its years have passed.",
    ),
    Claim("margins", "Value and margins move to edge hardware.", f"{_NOT_SEEN} as a series."),
)
"""Names are unique; `counterpoise claims --sql NAME` prints a measure."""
