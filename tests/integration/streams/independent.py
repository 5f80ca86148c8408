"""Every column of the view `concentration`, computed again from blocks by other means than the product's.

Counting by `Counter`, moments as exact fractions, quantiles and races by `scipy.special`. Nothing of `counterpoise.metrics`,
`counterpoise.risk` or `streams` is used. The definitions are those of docs/methodology.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import yaml
from scipy import special

from counterpoise.clickhouse.client import ClickHouse
from tests.integration.streams.line import ROOT
from tests.unit.block_fold.plain import W, hhi_and_variance

WINDOWS = (144, 1008, 2016, 4320)
VIEWS = ("raw", "entity")
TOLERANCE = 1e-9
NORMAL_QUANTILE = float(special.ndtri(0.975))
NAN = math.nan


@lru_cache(maxsize=1)
def _memberships() -> tuple[tuple[str, str, float, float], ...]:
    """(pool, entity, start, end) of the shipped map, unix seconds; read from the file itself."""
    document = yaml.safe_load((ROOT / "counterpoise/pools/data/entities.yaml").read_text(encoding="utf-8"))

    def seconds(day: date | None, default: float) -> float:
        return default if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()

    return tuple(
        (member["pool"], group["slug"], seconds(member.get("start"), -math.inf), seconds(member.get("end"), math.inf))
        for group in document["groups"]
        for member in group["members"]
    )


@lru_cache(maxsize=1_000_000)
def entity_of(pool: str, time: int) -> str:
    """Who controls a pool at a time; the pool itself where the map says nothing."""
    for member, entity, start, end in _memberships():
        if member == pool and start <= time < end:
            return entity
    return pool


@lru_cache(maxsize=100_000)
def hhi_interval(counts: tuple[int, ...], n: int) -> tuple[float, float]:
    """Ends of Σp² from pairs and triples of blocks by one pool, counted as combinations, in exact fractions."""
    if n < 4:
        return (0.0, 1.0) if n else (NAN, NAN)
    pair = Fraction(sum(math.comb(c, 2) for c in counts), math.comb(n, 2))
    triple = Fraction(sum(math.comb(c, 3) for c in counts), math.comb(n, 3))
    covered = max(triple - pair**2, Fraction(0))
    # Two pairs of blocks share one block or both: the variance of a U-statistic of order 2, of whose parts pair² is too large by it.
    variance = (2 * (n - 2) * covered + pair - pair**2) / math.comb(n, 2)
    variance /= 1 - (2 * (n - 2) + 1) / Fraction(math.comb(n, 2))
    plug_in = sum(Fraction(c, n) ** 2 for c in counts)
    if not pair:
        return 0.0, min(1.0, max(-2 * math.log(0.025) / (n * (n - 1)), float(plug_in)))
    reach = NORMAL_QUANTILE * math.sqrt(variance) / float(pair)
    low = min(float(pair) * math.exp(-reach), 0.025 ** (2 / n))
    return low, min(1.0, max(float(pair) * math.exp(min(reach, 100.0)), float(plug_in)))


def squared_change(
    family: str, fixed: Sequence[str], before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[float, float]:
    """(squared change, part of chance) of two adjoining windows of 2,016 blocks; `fixed`: the leaders of the window before them."""
    if family == "hhi":
        (q1, v1), (q2, v2) = (hhi_and_variance(Counter(known_of(counts))) for counts in (before, after))
        return (q2 - q1) ** 2, v1 + v2
    x, y = (sum(counts.get(pool, 0) for pool in fixed[: int(family[3:])]) / W for counts in (before, after))
    return (y - x) ** 2, 2 * (x + y) / 2 * (1 - (x + y) / 2) / (W - 0.5)


def known_of(counts: Mapping[str, int]) -> dict[int, int]:
    """Blocks by pool without the unknown ones, the pools numbered."""
    return {place: blocks for place, (pool, blocks) in enumerate(counts.items()) if pool != "unknown"}


def forecast(hits: Sequence[bool], window: int, sigma2: float, line: float) -> tuple[float, float, float, float]:
    """(share, low, high, chance above a line) of the next `window` blocks, from blocks weighed by age, oldest first."""
    p = sum(hits[-window:]) / window
    most = (2 * sigma2) ** (1 / 3)
    k = max(min(math.sqrt(sigma2 / (p * (1 - p))) if 0 < p < 1 else most, most), 1 / 8_640)
    raw = (1 - k) ** np.arange(len(hits))
    w = raw / raw.sum()
    made = float(w[np.array(hits[::-1])].sum())
    share = (made + w[0] / 2) / (1 + w[0])
    walked = sigma2 * float((np.cumsum(w[::-1])[:-1] ** 2).sum())
    chance = share * (1 - share)
    variance = chance * float((w**2).sum()) + walked + chance / window + sigma2 * window / 3
    error, odds = math.sqrt(variance), math.log(share / (1 - share))
    reach, most_reach = NORMAL_QUANTILE * error / chance, 2 * NORMAL_QUANTILE * error
    low, high = (1 / (1 + math.exp(-(odds + sign * reach))) for sign in (-1, 1))
    z = (odds - math.log(line / (1 - line))) * chance / error
    z = math.copysign(max(abs(z), abs(share - line) / (2 * error)), share - line)
    low, high = min(max(low, share - most_reach), made), max(min(high, share + most_reach), made)
    return share, low, high, float(special.ndtr(z))


_DRIFT = {"top1": 5.0e-8, "hhi": 2.0e-8}
"""σ² a block of docs/methodology.md, where no fit is stored; 7.9e-8 for the others."""


def estimates(metric: str, n: int, unknown: int, ranked: Sequence[int], m: int) -> list[float]:
    """The value of the blocks seen, and the ends now and of the next m blocks, by the formulas of "Three estimands" in the docs."""
    if metric.startswith("top"):
        k = int(metric[3])
        count, sigma2 = sum(ranked[:k]), _DRIFT.get(f"top{k}", 7.9e-8)
        p = (count + 0.5) / (n + 1)
        found = []
        for variance in (p * (1 - p) / n + sigma2 * n / 3, p * (1 - p) * (1 / n + 1 / m) + sigma2 * (n + m) / 3):
            reach = NORMAL_QUANTILE * math.sqrt(variance) / (p * (1 - p))
            found += [1 / (1 + math.exp(-(math.log(p / (1 - p)) + sign * reach))) for sign in (-1, 1)]
        return [count / n, *found]
    own = n if metric == "hhi" else n - unknown
    s2 = sum(c * c for c in ranked)
    seen = (s2 / n**2 if metric == "hhi" else own**2 / s2) if s2 else (0.0 if metric == "hhi" else NAN)
    ends = []
    for chance, variance, fewest in _pairs_of(tuple(ranked), n, own, Fraction(m * own, n)):
        if own < 4:
            ends += [(0.0, 1.0)]
        elif not chance:
            ends += [(0.0, min(1.0, -2 * math.log(0.025) / (fewest * (fewest - 1))) if fewest > 1 else 1.0)]
        else:
            reach = NORMAL_QUANTILE * math.sqrt(variance) / chance
            ends += [
                (min(chance * math.exp(-reach), 0.025 ** (2 / own)), min(1.0, chance * math.exp(min(reach, 99.0))))
            ]
    if metric == "hhi":
        return [seen, *(end for pair in ends for end in pair)]
    return [seen, *(end for low, high in ends for end in (1 / high, 1 / low if low else NAN))]


@lru_cache(maxsize=2)
def _pairs_of(ranked: tuple[int, ...], n: int, own: int, following: Fraction) -> list[tuple[float, float, float]]:
    """(q, variance, fewest blocks) of the index now and of the next blocks, in exact fractions; σ² is scaled to `own` of n blocks."""
    if own < 4:
        return [(0.0, 0.0, 0.0)] * 2
    q = Fraction(sum(math.comb(c, 2) for c in ranked), math.comb(own, 2))
    r = Fraction(sum(math.comb(c, 3) for c in ranked), math.comb(own, 3))
    covered = max(r - q * q, Fraction(0))
    v = 2 * (2 * (own - 2) * covered + q - q * q) / ((own - 2) * (own - 3))
    # The variance of pairs of other blocks, with q² less its bias: v is the excess of q² over its truth.
    luck = 2 * (2 * (following - 2) * (covered + v) + q - (q * q - v)) / (following * (following - 1))
    walked = _DRIFT["hhi"] * (n / own) ** 4 / 3
    m = float(following) * n / own
    later = math.inf if following < 3 else float(v + luck) + walked * (n + m)
    return [(float(q), float(v) + walked * n, own), (float(q), later, min(float(own), float(following)))]


def nakamoto_ranges(six: Sequence[int], n: int) -> dict[str, int]:
    """The fewest of the six largest whose Wilson interval reaches over the line, or lies above it; 0 where none does.

    Its ends are the shares p that a score test just does not reject: the roots of (held/n - p)² = z²·p(1 - p)/n.
    """
    z2 = NORMAL_QUANTILE**2 / n
    bounds = []
    for held in accumulate(six):
        middle, square = (2 * held / n + z2) / (2 * (1 + z2)), (held / n) ** 2 / (1 + z2)
        reach = math.sqrt(max(middle**2 - square, 0.0))
        bounds.append((middle - reach, middle + reach))
    found = {}
    for name, line in (("one_third", 1 / 3), ("half", 1 / 2)):
        for end, values in (("low", [high for _, high in bounds]), ("high", [low for low, _ in bounds])):
            found[f"nakamoto_{name}_{end}"] = next((k for k, value in enumerate(values, 1) if value > line), 0)
    return found


@lru_cache(maxsize=100_000)
def confirmations(blocks: int, n: int, risk: float) -> int:
    """Fewest confirmations with a smaller risk: Rosenfeld's race as a negative binomial; 65535 where none suffices."""
    q = blocks / n
    if 2 * blocks >= n:
        return 65_535

    def undone(z: int) -> float:
        # The attacker has k blocks when the z-th is confirmed, and catches up from z - k behind with (q/p)^(z - k).
        if not q:
            return 0.0
        k = np.arange(z)
        # The negative binomial by its own functions: scipy's distributions take longer to check their arguments than to compute.
        ahead = special.nbdtrc(z - 1, z, 1 - q)
        orders = special.gammaln(k + z) - special.gammaln(k + 1) - special.gammaln(z)
        behind = np.exp(orders + z * math.log(1 - q) + k * math.log(q))
        return float(ahead + (behind * (q / (1 - q)) ** (z - k)).sum())

    low, high = 0, 1
    while high < 65_535 and undone(high) >= risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if undone(middle) >= risk else (low, middle)
    return min(high, 65_535)


@lru_cache(maxsize=100_000)
def share_posterior(n: int, count: int, pools: int, k: int) -> tuple[float, float, float]:
    """2.5 % and 97.5 % quantile of the share of these k pools, and P(share > 0.75)."""
    if pools == 0:
        return 0.0, 0.0, 0.0
    mine = Fraction(min(k, pools), pools)
    a, b = count + mine, n - count + 1 - mine
    if b == 0:  # these pools made every block; others may exist that made none
        return 0.025 ** (1 / n), 1.0, 1 - 0.75**n
    low, high = special.betaincinv(float(a), float(b), [0.025, 0.975])
    return float(low), float(high), float(special.betaincc(float(a), float(b), 0.75))


def nakamoto(counts: Sequence[int], n: int, parts: int) -> int:
    """Fewest pools with strictly more than n / parts blocks; 0 where all known pools together have not."""
    for taken, held in enumerate(accumulate(counts), 1):
        if held * parts > n:
            return taken
    return 0


def expected_metrics(owners: Sequence[str], window_blocks: int, code_of: Mapping[str, int]) -> dict[str, Any]:
    """Columns that follow from the producers of the blocks of one window, oldest first.

    Of a short chain the long windows hold the same blocks, and so do most views: equal counts are computed once.
    """
    counted = Counter(owners)
    n, unknown = len(owners), counted.pop("unknown", 0)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], code_of[item[0]]))
    found = metrics_of_counts(tuple(count for _, count in ranked), n, unknown)
    return {**found, "window_full": n == window_blocks, "leaders": ranked[:6]}


@lru_cache(maxsize=100_000)
def metrics_of_counts(counts: tuple[int, ...], n: int, unknown: int) -> Mapping[str, Any]:
    """Columns that follow from the blocks of each pool, largest first, among `n` with `unknown`."""
    k, known = len(counts), n - unknown
    six = [*counts, *[0] * 6][:6]
    top1, top4 = share_posterior(n, six[0], k, 1), share_posterior(n, sum(six[:4]), k, 4)
    hhi_low, hhi_high = hhi_interval(counts, n)
    known_low, known_high = hhi_interval(counts, known)
    shares = [c / known for c in counts]
    nats = -math.fsum(p * math.log(p) for p in shares) if known else NAN
    s2 = sum(c * c for c in counts)
    found: dict[str, Any] = {
        "n": n,
        "unknown": unknown,
        "pools_seen": k,
        "top1_share_low": top1[0],
        "top1_share_high": top1[1],
        "top4_share_low": top4[0],
        "top4_share_high": top4[1],
        "p_top4_above_75": top4[2],
        "hhi": math.fsum((c / n) ** 2 for c in counts),
        "hhi_10000": math.fsum((100 * c / n) ** 2 for c in counts),
        "hhi_unbiased": sum(c * (c - 1) for c in counts) / (n * (n - 1)) if n > 1 else NAN,
        "hhi_low": hhi_low,
        "hhi_high": hhi_high,
        "hhi_upper": math.fsum((c / n) ** 2 for c in [six[0] + unknown, *counts[1:]]),
        "effective_pools_d2": 1 / math.fsum(p * p for p in shares) if known else NAN,
        "effective_pools_d2_low": 1 / known_high if known else NAN,
        "effective_pools_d2_high": 1 / known_low if known and known_low else NAN,
        "effective_pools_d1": math.exp(nats),
        "entropy_bits": -math.fsum(p * math.log2(p) for p in shares) if known else NAN,
        "entropy_nats": nats,
        "entropy_normalised": NAN if not known else 0.0 if k == 1 else nats / math.log(k),
        "gini": sum(abs(a - b) for a in counts for b in counts) / (2 * k * known) if known else NAN,
        "theil_nats": math.fsum(c * k / known * math.log(c * k / known) for c in counts) / k if known else NAN,
        "nakamoto_one_third": nakamoto(counts, n, 3),
        "nakamoto_half": nakamoto(counts, n, 2),
        **nakamoto_ranges(six, n),
        "confirmations_for_1_percent": confirmations(six[0], n, 1e-2),
        "confirmations_for_0_1_percent": confirmations(six[0], n, 1e-3),
        "confirmations_for_0_001_percent": confirmations(six[0], n, 1e-5),
        "s2": s2,
        "s3": sum(c**3 for c in counts),
        "s4": sum(c**4 for c in counts),
        "gini_num": sum((2 * i - k - 1) * c for i, c in enumerate(sorted(counts), 1)),
        "sum_c_ln_c": math.fsum(c * math.log(c) for c in counts),
    }
    for rank in range(1, 7):
        found[f"c{rank}"] = six[rank - 1]
        found[f"top{rank}_share"] = sum(six[:rank]) / n
        found[f"top{rank}_share_upper"] = (sum(six[:rank]) + unknown) / n
    return found


class _Stored(Protocol):
    @property
    def ch(self) -> ClickHouse: ...


def assert_recomputes(
    line: _Stored,
    chain: str,
    heights: Sequence[int],
    *,
    source: str = "concentration",
    attribution_id: str | None = None,
    pool_by_hash: Mapping[str, str] | None = None,
) -> int:
    """Every column of `source` at these heights agrees with the blocks of the view `blocks`; returns the rows compared.

    With `pool_by_hash` the pools are those, not the ones that the view names: another attribution set's.
    """
    blocks = line.ch.query(
        "SELECT height, hash, pool, toUnixTimestamp64Milli(time) AS ms FROM blocks WHERE chain = {chain:String} ORDER BY height",
        {"chain": chain},
    )
    base, tip = blocks[0][0], blocks[-1][0]
    assert [row[0] for row in blocks] == list(range(base, tip + 1))
    pools = [row[2] if pool_by_hash is None else pool_by_hash[row[1]] for row in blocks]
    if attribution_id is None:
        [(attribution_id,)] = line.ch.query(
            "SELECT attribution_id FROM attribution_pointer_log FINAL WHERE chain = {chain:String}", {"chain": chain}
        )
    codes: dict[str, dict[str, int]] = {view: {} for view in VIEWS}
    for view, code, slug in line.ch.query(
        "SELECT view, code, slug FROM pool_names WHERE attribution_id = {id:String}", {"id": attribution_id}
    ):
        assert slug not in codes[view], f"{slug} has two codes in view {view}"
        codes[view][slug] = code
    found = line.ch.query(
        f"SELECT * FROM {source} WHERE chain = {{chain:String}} AND has({{heights:Array(UInt32)}}, height)",
        {"chain": chain, "heights": list(heights)},
    )
    names = [row[0] for row in line.ch.query(f"DESCRIBE TABLE (SELECT * FROM {source})")]
    rows = {
        (row["view"], row["window_blocks"], row["height"]): row
        for row in (dict(zip(names, r, strict=True)) for r in found)
    }
    wanted = {(view, window, height) for view in VIEWS for window in WINDOWS for height in heights}
    assert len(found) == len(rows) and set(rows) == wanted, f"{len(found)} rows, {len(wanted)} wanted"
    wrong: list[str] = []
    for (view, window, height), row in sorted(rows.items()):
        end = height - base + 1
        _, block_hash, _, ms = blocks[end - 1]
        owners = pools[max(0, end - window) : end]
        if view == "entity":
            owners = [entity_of(pool, ms // 1000) for pool in owners]
        expected = expected_metrics(owners, window, codes[view]) | {
            "attribution_id": attribution_id,
            "chain": chain,
            "view": view,
            "window_blocks": window,
            "height": height,
            "tip_hash": block_hash,
            "time": datetime.fromtimestamp(ms / 1000, UTC),
            "confirmations": tip - height + 1,
            "provisional": tip - height + 1 < 6,
        }
        assert set(row) - set(expected) == {"version"}, "a column that this test does not know"
        wrong += [
            f"{chain} {view} {window} {height} {name}: {row[name]!r}, not {value!r}"
            for name, value in expected.items()
            if not _equal(row[name], value)
        ]
    assert wrong == [], "\n".join([f"{len(wrong)} differences", *wrong[:20]])
    return len(rows)


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and not isinstance(found, bool):
        if math.isnan(wanted):
            return math.isnan(found)
        return bool(abs(found - wanted) <= TOLERANCE * max(1.0, abs(wanted)))
    same: bool = found == wanted
    return same


def heights_of_interest(
    draw: Callable[[range, int], list[int]], base: int, tip: int, *more: int, total: int = 300
) -> list[int]:
    """`total` heights: the part-filled beginning, each window's edge, the tip, `more`, and the rest drawn at random."""
    chosen = {base, base + 1, base + 2, base + 5, base + 60, tip, tip - 1, tip - 5, tip - 6, *more}
    chosen |= {base + edge for window in WINDOWS for edge in (window - 2, window - 1, window)}
    chosen = {height for height in chosen if base <= height <= tip}
    others = [height for height in draw(range(base, tip + 1), min(total * 2, tip + 1 - base)) if height not in chosen]
    return sorted([*chosen, *others][:total] if len(chosen) >= total else [*chosen, *others[: total - len(chosen)]])
