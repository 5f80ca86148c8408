"""Score messages as a series of heights in a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alerts.signals.window_counts import ReadsSeries, WindowCounts, WindowPlace
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.windows import LEADERS

Windows = Mapping[WindowPlace, WindowScore]


def windows_of(event: ScoreEvent) -> Windows:
    """The windows of a message by their places."""
    return {WindowPlace(one.view, one.window_blocks): one for one in event.windows}


def has_series(windows: Windows, series: ReadsSeries) -> bool:
    """Whether a message has what a rule, or several together, judge. One of an earlier version may not: ClickHouse has the rest."""
    needed = set(series.further_columns)
    places = (WindowPlace(series.view, series.window_blocks), *series.beside)
    return all(place in windows and windows[place].stored.keys() >= needed for place in places)


def rows_of_messages(events: Sequence[ScoreEvent], windows: Sequence[Windows], series: ReadsSeries) -> WindowCounts:
    """The windows of a series in messages about heights in a row, which all have them; `windows` are those of each message."""

    def rows(place: WindowPlace) -> WindowCounts:
        return _rows(events, [found[place] for found in windows], series.further_columns)

    own = rows(WindowPlace(series.view, series.window_blocks))
    return replace(own, beside={place: rows(place) for place in series.beside}) if series.beside else own


def _rows(events: Sequence[ScoreEvent], windows: Sequence[WindowScore], further: Sequence[str]) -> WindowCounts:
    code_of: dict[str, int] = {}
    leaders = [[*window.leaders, *[("", 0)] * (LEADERS - len(window.leaders))] for window in windows]
    return WindowCounts.of(
        height=[event.height for event in events],
        tip_hash=[event.tip_hash for event in events],
        time=[event.time for event in events],
        n=[window.n for window in windows],
        unknown=[window.unknown for window in windows],
        window_full=[window.n == window.window_blocks for window in windows],
        pools_seen=[window.pools_seen for window in windows],
        counts=[[count for _, count in row] for row in leaders],
        p_top4_above_75=[
            float("nan") if window.p_top4_above_75 is None else window.p_top4_above_75 for window in windows
        ],
        leaders=[[code_of.setdefault(name, len(code_of)) for name, _ in row] for row in leaders],
        names=tuple(code_of),
        further={name: [window.stored[name] for window in windows] for name in further},
    )
