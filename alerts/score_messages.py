"""Score messages as a series of heights in a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerts.signals.window_counts import ReadsSeries, WindowCounts, WindowPlace
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.windows import LEADERS, VIEWS, View

Windows = Mapping[WindowPlace, WindowScore]


def windows_of(event: ScoreEvent) -> Windows:
    """The windows of a message by their places."""
    return {WindowPlace(one.view, one.window_blocks): one for one in event.windows}


def has_series(windows: Windows, series: ReadsSeries) -> bool:
    """Whether a message has what a rule, or several together, judge. One of an earlier version may not: ClickHouse has the rest."""
    needed = set(series.further_columns)
    places = (WindowPlace(series.view, series.window_blocks), *series.beside)
    return all(place in windows and windows[place].stored.keys() >= needed for place in places)


@dataclass(frozen=True, slots=True)
class OneSeries:
    """One window under one view, with these columns beside the usual."""

    chain: str
    view: View
    window_blocks: int
    further_columns: tuple[str, ...]
    beside: tuple[WindowPlace, ...] = ()


def views_at(event: ScoreEvent, window_blocks: int, further_columns: Sequence[str]) -> dict[View, WindowCounts] | None:
    """A window at the block of a message in both views, with these columns; None where the message lacks any of it."""
    windows = windows_of(event)
    series = [OneSeries(event.chain, view, window_blocks, tuple(further_columns)) for view in VIEWS]
    if not all(has_series(windows, one) for one in series):
        return None
    rows = MessageRows([event], [windows])
    return {one.view: rows.series(one) for one in series}


class MessageRows:
    """Messages about heights in a row as series, each window once: `windows` are those of each message."""

    def __init__(self, events: Sequence[ScoreEvent], windows: Sequence[Windows]) -> None:
        self._windows = windows
        self._height = np.array([event.height for event in events], np.int64)
        self._time = np.array([event.time for event in events], np.int64)
        self._tip_hash = tuple(event.tip_hash for event in events)
        self._rows: dict[tuple[WindowPlace, tuple[str, ...]], WindowCounts] = {}

    def series(self, series: ReadsSeries) -> WindowCounts:
        """The windows of a series, which every message has."""
        own, *others = (
            self._at(place, series.further_columns)
            for place in (WindowPlace(series.view, series.window_blocks), *series.beside)
        )
        return replace(own, beside=dict(zip(series.beside, others, strict=True))) if others else own

    def _at(self, place: WindowPlace, further: tuple[str, ...]) -> WindowCounts:
        key = (place, further)
        if key not in self._rows:
            self._rows[key] = self._made([found[place] for found in self._windows], further)
        return self._rows[key]

    def _made(self, windows: Sequence[WindowScore], further: Sequence[str]) -> WindowCounts:
        code_of: dict[str, int] = {}
        rows = []
        for one in windows:
            codes = [code_of.setdefault(name, len(code_of)) for name, _ in one.leaders]
            absent = LEADERS - len(codes)
            if absent:
                codes += [code_of.setdefault("", len(code_of))] * absent
            counts = [count for _, count in one.leaders]
            rows.append((one.n, one.unknown, one.window_blocks, one.pools_seen, *counts, *[0] * absent, *codes))
        n, unknown, window_blocks, pools_seen, *ranked = np.array(rows, np.int64).T
        return WindowCounts(
            height=self._height,
            tip_hash=self._tip_hash,
            time=self._time,
            n=n,
            unknown=unknown,
            window_full=n == window_blocks,
            pools_seen=pools_seen,
            counts=np.stack(ranked[:LEADERS], axis=1),
            p_top4_above_75=np.array(
                [float("nan") if one.p_top4_above_75 is None else one.p_top4_above_75 for one in windows]
            ),
            leaders=np.stack(ranked[LEADERS:], axis=1),
            names=tuple(code_of),
            further={name: np.array([one.stored[name] for one in windows]) for name in further},
        )
