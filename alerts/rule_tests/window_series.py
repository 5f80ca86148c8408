"""Windows of blocks with given shares or counts, as rules on concentration read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.rule_tests.notation import Item
from alerts.rules.conditional_rule import ConditionalRule
from alerts.rules.rule import HeightRule
from alerts.rules.top_rule import TopRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.scores import WindowScore
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.metrics.stored_integers import STORED_COLUMNS, StoredIntegers
from counterpoise.windows import LEADERS

FIRST_HEIGHT: Final = 800_000
FIRST_TIME: Final = 1_700_000_000
SPACING_SECONDS: Final = 600
_SMALL_POOLS: Final = 40
"""Blocks that no item names belong to pools with at most this part of the window."""
_SHARE: Final = re.compile(r"top([1-6])_share")


def further_columns(counts: npt.NDArray[np.int64], unknown: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """The columns of concentration_log that follow from the blocks of each pool, (R, P), beside those that messages name."""
    integers = StoredIntegers.of_counts(counts, unknown=unknown)
    found = {
        f"top{k}": top_share_posterior(integers.n, integers.top(k), integers["pools_seen"], k, 0.75) for k in (1, 4)
    }
    ends = {f"{top}_{end}": found[top][:, at] for top in found for at, end in enumerate(("lo", "hi"))}
    names = [name for name in STORED_COLUMNS if name not in WindowScore.NAMED and name not in ends]
    return {name: integers[name] for name in names} | ends


def leaders_of(rule: HeightRule) -> int | None:
    """How many pools share a number of the series; None where a rule has to be given the blocks of each pool."""
    if isinstance(rule, TopRule):
        return rule.k
    if not isinstance(rule, ConditionalRule):
        return None
    signals = [one.signal for one in rule.conditions]
    found = next((match for one in signals if (match := _SHARE.fullmatch(one))), None)
    return int(found[1]) if found else 1 if rule.main.source.per_pool else None


def window_series(rule: HeightRule, items: Sequence[Item], *, first: int = 0, branch: str = "a") -> WindowCounts:
    """One height for each item, from position `first` on. ValueError for an item that no window of the rule can have.

    A number is the share in percent of the pools that the rule is about; the nearest share that the window can have stands for it.
    Blocks that an item does not name belong to small pools. `branch` distinguishes the hashes of two branches. Other windows that
    the rule judges have the same shares.
    """
    if rule.beside and any(len(item.numbers) > 1 for item in items):
        raise ValueError("expected shares in percent for a rule on several windows")
    series = _series(rule, items, rule.window_blocks, first, branch)
    others = {place: _series(rule, items, place.window_blocks, first, branch) for place in rule.beside}
    return replace(series, beside=others)


def _series(rule: HeightRule, items: Sequence[Item], size: int, first: int, branch: str) -> WindowCounts:
    distinct = list(dict.fromkeys(items))
    windows = [_counts(rule, item, size) for item in distinct]
    width = max(LEADERS, *(len(counts) for counts, _ in windows))
    pools = np.array([np.pad(counts, (0, width - len(counts))) for counts, _ in windows], np.int64)
    unknown = np.array([missing for _, missing in windows], np.int64)
    seen = (pools > 0).sum(axis=1)
    # The first pool that an item names keeps its place in the names, wherever it ranks.
    ranked = np.argsort(-pools, axis=1, kind="stable")
    pools = np.take_along_axis(pools, ranked, axis=1)
    p_above = top_share_posterior(np.full(len(pools), size), pools[:, :4].sum(axis=1), seen, 4, 0.75)[:, 2]
    place = {item: at for at, item in enumerate(distinct)}
    rows = np.array([place[item] for item in items])
    heights = np.arange(first, first + len(items)) + FIRST_HEIGHT
    named = rule.main.pool if isinstance(rule, ConditionalRule) else ""
    return WindowCounts.of(
        height=heights,
        tip_hash=[f"{ord(branch):02x}{height:062x}" for height in heights.tolist()],
        time=FIRST_TIME + (heights - FIRST_HEIGHT) * SPACING_SECONDS,
        n=np.full(len(rows), size),
        unknown=unknown[rows],
        window_full=[not item.is_missing for item in items],
        pools_seen=seen[rows],
        counts=pools[rows, :LEADERS],
        p_top4_above_75=p_above[rows],
        leaders=ranked[rows, :LEADERS] if named else np.tile(np.arange(LEADERS), (len(rows), 1)),
        names=tuple(named if rank == 1 and named else f"pool-{rank}" for rank in range(1, width + 1)),
        further={
            **{name: values[rows] for name, values in further_columns(pools, unknown).items()},
            **(dict.fromkeys(rule.further_columns, _switches(items)) if _is_switch(rule) else {}),
        },
    )


def _is_switch(rule: HeightRule) -> bool:
    """Whether it judges detectors, each of them 0 or 1. ValueError where it judges them beside shares."""
    switches = [one.source.switch is not None for one in rule.conditions] if isinstance(rule, ConditionalRule) else []
    if any(switches) and not all(switches):
        raise ValueError("expected a rule on detectors alone, or on none")
    return any(switches)


def _switches(items: Sequence[Item]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if item.is_missing else item.number for item in items])


def _counts(rule: HeightRule, item: Item, size: int) -> tuple[list[int], int]:
    """The blocks of each pool, the named ones first, and the unknown ones: together the window."""
    if item.is_missing:
        return [size], 0
    k = leaders_of(rule)
    if _is_switch(rule):
        if item.number not in (0, 1) or len(item.numbers) > 1:
            raise ValueError("expected 1 where the detector fires, else 0")
        named, unknown = [1] * LEADERS, 0
    elif len(item.numbers) > 1:
        named, unknown = [int(number) for number in item.numbers], round(item.unknown)
    elif isinstance(rule, ConditionalRule) and {one.signal for one in rule.conditions} == {"unknown_share"}:
        if not 0 <= item.number <= 100:
            raise ValueError("expected the share of unknown blocks in percent, from 0 to 100")
        unknown = round(item.number * size / 100)
        named = [size - unknown]
    elif k is None:
        raise ValueError(f"expected the blocks of each pool for a rule on {rule.metric_name}, such as 300/250/200")
    else:
        if not 0 <= item.number <= 100 or not 0 <= item.unknown <= 100 - item.number:
            raise ValueError("expected shares from 0 to 100, with the unknown ones at most 100 together")
        top, unknown = round(item.number * size / 100), round(item.unknown * size / 100)
        unknown = min(unknown, size - top)
        named = [top // k + (rank < top % k) for rank in range(k)]
    rest = size - sum(named) - unknown
    if rest < 0 or min(named) < 0:
        raise ValueError(f"expected at most the {size} blocks of the window")
    largest = min(*named, max(1, size // _SMALL_POOLS))
    if largest == 0 and rest:
        raise ValueError(f"expected a larger share: the {rest} other blocks are of pools that are no larger than those")
    whole, left = divmod(rest, max(1, largest))
    small = [largest] * whole + ([left] if left else [])
    return [*named, *small], unknown
