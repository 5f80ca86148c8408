"""Rules for `bench.rules`: a desk's, derived from the shipped ones, and ones whose lines lie where the values are.

A desk has many rules because it has many lines: a step for each severity, a window for each horizon, a pool for each counterparty.
`derived_rules` therefore takes each shipped rule on blocks, and one on the share of a pool, over a grid of lines, holds, windows,
views and pools. Lines and clearing lines keep their ratio. Of a thousand such rules, about one in a thousand changes its state at a
block of the benchmark's chain, mostly those on the shortest window. The benchmark states the number that it measured.

`near_rules` is the harder set: over all metrics, with lines drawn around the values of each, most without a clearing line.
More than one rule in a hundred changes at every block, which no desk would read.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final

import numpy as np
import yaml

from alerts.rules.line import OPERATORS
from alerts.rules.rule import HeightRule, Rule
from alerts.rules_file import read_rules_file
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import RAW, VIEWS, WINDOWS_BLOCKS
from streams.blocks.fold.concentration import ConcentrationTable

FACTORS: Final = tuple(round(0.6 + 0.05 * step, 2) for step in range(17))
"""By which the lines of a shipped rule are multiplied: 0.6 to 1.4."""
HOLDS_BLOCKS: Final = (0, 6, 18, 36, 72, 144)
POOLS: Final = 10
"""Of the pools of the chain of `bench.fold`, the ten with the lowest codes."""
POOL_RULE: Final[Mapping[str, Any]] = {
    "type": "when",
    "when": {"signal": "pool_share"},
    "fire": {"above": 0.2},
    "clear": {"below": 0.18},
    "for": 36,
}

_LINES: Final = (*OPERATORS, "clear_below")
_MAX_SHARE: Final = 0.98


def derived_rules(count: int, holds: tuple[int, ...] = HOLDS_BLOCKS) -> list[dict[str, Any]]:
    """`count` rules, as many of each shipped one as of any other, drawn from the grid with a fixed seed."""
    random = np.random.default_rng(11)
    grids = [list(_varied(rule, holds)) for rule in _shipped()] + [list(_of_pools(holds))]
    turns = [[grid[at] for at in random.permutation(len(grid))] for grid in grids]
    found = [rule for turn in itertools.zip_longest(*turns) for rule in turn if rule is not None][:count]
    return [{"id": f"rule-{at:04d}", **rule} for at, rule in enumerate(found)]


def _shipped() -> list[dict[str, Any]]:
    """The shipped rules on blocks that are on, as their file has them, without names and notes."""
    judged = {rule.id for rule in read_rules_file(None).rules if isinstance(rule, HeightRule) and rule.enabled}
    document = yaml.safe_load(resources.files("alerts").joinpath("rules.yaml").read_text(encoding="utf-8"))
    left_out = {"id", "title", *Rule.NOTES}
    return [
        {name: value for name, value in rule.items() if name not in left_out}
        for rule in document["rules"]
        if rule["id"] in judged
    ]


def _of_pools(holds: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    names = AttributionSet.default().entity_table.names
    for code, rule in itertools.product(range(1, POOLS + 1), _varied(POOL_RULE, holds)):
        if rule["view"] == RAW:
            yield rule | {"when": {**rule["when"], "pool": names[code][0]}}


def _varied(rule: Mapping[str, Any], holds: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    hold = "for_blocks" if rule["type"] == "top_share" else "for"
    for factor, blocks, window, view in itertools.product(FACTORS, holds, WINDOWS_BLOCKS, VIEWS):
        yield _scaled(rule, factor) | {hold: blocks, "window_blocks": window, "view": view}


def _scaled(value: Any, factor: float, operator: str = "") -> Any:
    """A rule with each of its lines multiplied: whole numbers stay whole and above 0, shares below 1."""
    if isinstance(value, Mapping):
        return {name: _scaled(one, factor, name if name in _LINES else "") for name, one in value.items()}
    if isinstance(value, list):
        return [_scaled(one, factor) for one in value]
    if not operator:
        return value
    if isinstance(value, int):
        return max(1, math.floor(value * factor) if operator == "at_most" else math.ceil(value * factor))
    return round(min(value * factor, _MAX_SHARE), 6)


def near_rules(count: int, table: ConcentrationTable) -> list[dict[str, Any]]:
    """Rules over all metrics, views and windows in turn, with lines around the values that the metric has there."""
    random = np.random.default_rng(11)
    columns = table.columns()
    found: list[dict[str, Any]] = []
    places = [(view, window) for window in WINDOWS_BLOCKS for view in range(len(VIEWS))]
    while len(found) < count:
        at = len(found)
        spec = list(SPECS.values())[at % len(SPECS)]
        view, window = places[(at // len(SPECS)) % len(places)]
        rows = (columns["view_code"] == view) & (columns["window_blocks"] == window)
        values = np.asarray(spec.compute(StoredIntegers({name: its[rows] for name, its in columns.items()})), float)
        values = values[(values >= spec.range.low) & (values <= spec.range.high)]
        low, high = (float(np.quantile(values, edge)) if len(values) else edge for edge in (0.02, 0.98))
        line = round(low + (high - low) * random.uniform(-1.0, 2.0), 6)
        line = float(min(max(line, spec.range.low), spec.range.high))
        side = "above" if line < spec.range.high and (line == spec.range.low or random.random() < 0.5) else "below"
        found.append(
            {
                "id": f"rule-{at:04d}",
                "type": "when",
                "view": VIEWS[view],
                "window_blocks": int(window),
                "when": {"signal": spec.name} | ({"change_blocks": 36} if at % 10 == 9 else {}),
                "fire": {side: line if at % 10 != 9 else 0.0},
                "for": int(random.integers(0, 37)),
            }
        )
    return found
