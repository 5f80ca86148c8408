"""The picture of an alert: its rule's value in the 30 days before it fired, with its bound and lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.rules.conditional_rule import ConditionalRule
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.formats import utc_day, utc_minute
from counterpoise.metrics.counts import ratio
from counterpoise.spans import DAY_SECONDS

DAYS: Final = 30
MAX_ALT_CHARACTERS: Final = 1_000
MAX_TITLE_CHARACTERS: Final = 150


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with its file name, title, and the text that a screen reader speaks."""

    png: bytes
    name: str
    title: str
    alt: str


def blocks_of(chain: str) -> int:
    """Blocks that the chain has in the days of a picture."""
    return DAYS * DAY_SECONDS // CHAINS.get(chain, BITCOIN).block_spacing_seconds


def picture_of(rule: HeightRule, series: WindowCounts) -> Picture | None:
    """The picture of a series that ends where the alert fired; None where fewer than two heights have a value."""
    from counterpoise.plots.chart_png import LineChart, line_chart_png  # noqa: PLC0415 - Pillow, for pictures only

    first = max(rule.lookback_blocks, len(series) - blocks_of(rule.chain) - 1)
    if len(series) - first < 2:
        return None
    values, highs = rule.values(series)[first:], _highs(rule, series)
    times = series.time[first:]
    if np.isfinite(values).sum() < 2:
        return None
    fires, clears = rule.lines
    across = [(fires, f"fires {rule.format_line(fires)}")]
    if clears is not None and clears != fires:
        across.append((clears, f"clears {rule.format_line(clears)}"))
    bounded = highs is not None and bool(series.unknown[first:].any())
    chart = LineChart(
        times=times.tolist(),
        values=values.tolist(),
        highs=highs[first:].tolist() if highs is not None and bounded else (),
        across=across,
        written=rule.format_line,
    )
    height = int(series.height[-1])
    return Picture(
        line_chart_png(chart),
        f"{rule.id}-{height}.png",
        f"{rule.name}: the last {DAYS} days"[:MAX_TITLE_CHARACTERS],
        _alt(rule, times, values, bounded=bounded)[:MAX_ALT_CHARACTERS],
    )


def _highs(rule: HeightRule, series: WindowCounts) -> NDArray[np.float64] | None:
    """Upper bounds: every unknown block is made by those that the value is about; None for a value without them."""
    if isinstance(rule, TopShareRule):
        return ratio(series.top(rule.k) + series.unknown, series.n)
    return rule.main_measured(series).upper if isinstance(rule, ConditionalRule) else None


def _alt(rule: HeightRule, times: NDArray[np.int64], values: NDArray[np.float64], *, bounded: bool) -> str:
    known = np.flatnonzero(np.isfinite(values))
    low, high, last = known[np.argmin(values[known])], known[np.argmax(values[known])], known[-1]
    band = ", with the upper bound that counts unknown blocks" if bounded else ""
    return (
        f"Line chart from {utc_day(int(times[0]))} to {utc_minute(int(times[-1]))} UTC{band}. "
        f"Rule: {rule.condition()}. Last value {rule.format_value(float(values[last]))}. "
        f"Lowest {rule.format_value(float(values[low]))} on {utc_day(int(times[low]))}, "
        f"highest {rule.format_value(float(values[high]))} on {utc_day(int(times[high]))}."
    )
