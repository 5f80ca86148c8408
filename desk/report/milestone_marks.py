"""Halvings, retargets and changes of the entity map on a plot over time: a line with its name, ticks on the axis. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from counterpoise.chain.milestones import Milestone
from counterpoise.formats import PAGE
from counterpoise.plots.marks import Frame, segment, text
from counterpoise.plots.scale import Scale
from desk.report.report_model import SharePoint

MOST_RETARGETS: Final = 60
"""More ticks than these would be a grey bar: they are left out, and halvings stay."""

TICK: Final = 7.0
_LABEL_ROOM: Final = 28.0


def shown(milestones: Sequence[Milestone]) -> list[Milestone]:
    """Those that a plot draws."""
    retargets = sum(one.kind == "retarget" for one in milestones)
    return [one for one in milestones if one.kind == "halving" or retargets <= MOST_RETARGETS]


def time_of(height: int, points: Sequence[SharePoint]) -> datetime:
    """When a height came, on the straight line between the points around it; `points` in order of height, height within them."""
    after = bisect_left([point.height for point in points], height)
    last = points[after]
    if last.height == height or after == 0:
        return last.time
    first = points[after - 1]
    part = (height - first.height) / (last.height - first.height)
    return first.time + part * (last.time - first.time)


def milestone_marks(milestones: Sequence[Milestone], points: Sequence[SharePoint], frame: Frame, x: Scale) -> str:
    """The marks. Those outside of the points are left out."""
    parts = []
    for one in shown(milestones):
        if not points[0].height <= one.height <= points[-1].height:
            continue
        at = x(time_of(one.height, points).timestamp())
        if one.kind == "retarget":
            parts.append(segment(at, frame.y0, at, frame.y0 - TICK, class_="milestone"))
            continue
        parts.append(segment(at, frame.y0, at, frame.y1, class_="milestone halving"))
        inside = min(max(at, frame.x0 + _LABEL_ROOM), frame.x1 - _LABEL_ROOM)
        parts.append(text("halving", inside, frame.y0 - TICK - 4, class_="label quiet", anchor="middle"))
    return "".join(parts)


def _inside(days: Sequence[date], points: Sequence[SharePoint]) -> list[datetime]:
    """The beginnings of those days that lie between the first and the last point."""
    moments = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    return [moment for moment in moments if points[0].time <= moment <= points[-1].time]


def map_marks(days: Sequence[date], points: Sequence[SharePoint], frame: Frame, x: Scale) -> str:
    """A dotted line where the entity map changes: the share may step there without a block of anybody's more."""
    parts = []
    for moment in _inside(days, points):
        at = x(moment.timestamp())
        parts.append(segment(at, frame.y0, at, frame.y1, class_="milestone halving"))
        middle = min(max(at, frame.x0 + _LABEL_ROOM), frame.x1 - _LABEL_ROOM)
        parts.append(text("entity map", middle, frame.y1 + 12, class_="label quiet", anchor="middle"))
    return "".join(parts)


def map_words(days: Sequence[date], points: Sequence[SharePoint]) -> str:
    """The same in words, with a space before; empty where nothing is drawn."""
    return "".join(f" The entity map changes on {PAGE.day(moment)}." for moment in _inside(days, points))


def milestone_words(milestones: Sequence[Milestone], points: Sequence[SharePoint]) -> str:
    """The same in words, with a space before; empty where nothing is drawn."""
    inside = [one for one in shown(milestones) if points[0].height <= one.height <= points[-1].height]
    said = [
        f"Halving at block {PAGE.count(one.height)}, {PAGE.day(time_of(one.height, points))}."
        for one in inside
        if one.kind == "halving"
    ]
    if retargets := sum(one.kind == "retarget" for one in inside):
        said.append(f"Retargets: {PAGE.count(retargets)}.")
    return "".join(f" {one}" for one in said)
