"""A score message as a series of one height. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alerts.signals.window_counts import Place, ReadsSeries, WindowCounts
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.windows import LEADERS


def row_of_message(event: ScoreEvent, rule: ReadsSeries) -> WindowCounts | None:
    """The windows that a rule, or several together, judge; None where the message lacks one of them, or a column."""
    windows = {Place(one.view, one.window_blocks): one for one in event.windows}
    own = Place(rule.view, rule.window_blocks)
    rows: dict[Place, WindowCounts] = {}
    for place in (own, *rule.beside):
        window = windows.get(place)
        if window is None or not window.stored.keys() >= set(rule.further_columns):
            return None  # a message of an earlier version: ClickHouse has the rest
        rows[place] = _row(event, window, rule.further_columns)
    return replace(rows[own], beside={place: rows[place] for place in rule.beside})


def _row(event: ScoreEvent, window: WindowScore, further: Sequence[str]) -> WindowCounts:
    absent = LEADERS - len(window.leaders)
    p_above = window.p_top4_above_75
    return WindowCounts.of(
        height=[event.height],
        tip_hash=[event.tip_hash],
        time=[event.time],
        n=[window.n],
        unknown=[window.unknown],
        window_full=[window.n == window.window_blocks],
        pools_seen=[window.pools_seen],
        counts=[[count for _, count in window.leaders] + [0] * absent],
        p_top4_above_75=[p_above if p_above is not None else float("nan")],
        leaders=[list(range(LEADERS))],
        names=(*(name for name, _ in window.leaders), *[""] * absent),
        further={name: [window.stored[name]] for name in further},
    )
