"""The five plots of a report: values in, SVG out, each at the requested width. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from counterpoise.chain.milestones import Milestone
from counterpoise.formats import PAGE, quarter
from counterpoise.plots import marks as charts
from counterpoise.plots.marks import EndLabel, Frame, segment, text
from counterpoise.plots.scale import Scale, rounded_out, ticks, time_ticks
from desk.report.gap_sentence import NOT_DETERMINED, GapRow
from desk.report.milestone_marks import map_marks, map_words, milestone_marks, milestone_words
from desk.report.report_model import EdgePoint, Episode, MiningNow, PoolShare, RuleLine, SharePoint

WIDE: Final = 920.0
NARROW: Final = 380.0
"""Widths that plots are drawn at, for a desk and for a telephone."""

NAME_CHARACTERS: Final = 20
MIN_EPISODE_WIDTH: Final = 2.0

TREATMENTS: Final = (
    ("spread", "rest in {m} owners", "rest in {m}"),
    ("one_owner", "rest one owner each", "one each"),
    ("dropped", "rest left out", "left out"),
)


def moment(value: date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def _is_narrow(width: float) -> bool:
    return width < (WIDE + NARROW) / 2


def _percent_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    values = ticks(low, high, most)
    digits = 0 if all(abs(100 * value - round(100 * value)) < 1e-9 for value in values) else 1
    return [(value, PAGE.share(value, digits)) for value in values]


def _time_axis(frame: Frame, x: Scale, low: datetime, high: datetime, *, under: float = 0.0) -> str:
    room_a_label = 54 if _is_narrow(frame.width) else 88
    most = max(2, int((frame.x1 - frame.x0) / room_a_label))
    labels = [(x(at.timestamp()), words) for at, words in time_ticks(low, high, most)]
    return charts.x_axis(frame, labels, under=under)


def share_frame(width: float) -> Frame:
    """Where `share_plot` of this width has its axes: the first and last point stand on its left and right edge."""
    narrow = _is_narrow(width)
    return Frame(width, 300 if narrow else 360, 46, 62 if narrow else 84, 22, 28)


def share_plot(
    points: Sequence[SharePoint],
    episodes: Sequence[Episode],
    line: RuleLine | None,
    *,
    width: float,
    name: str,
    title: str,
    milestones: Sequence[Milestone] = (),
    map_changes: Sequence[date] = (),
) -> str:
    """The top-4 share over time: its interval as a band, the rule's two lines, and the times that the rule's alert fired shaded.

    `points` in order of height, at least one; episodes of other rules are left out. `milestones` mark halvings and retargets,
    `map_changes` the days on which the entity map changes.
    """
    narrow = _is_narrow(width)
    frame = share_frame(width)
    times = [point.time for point in points]
    low_time, high_time = min(times), max(times)
    x = frame.across(low_time.timestamp(), high_time.timestamp())
    marks = [line.above, line.clear_below] if line else []
    low, high = rounded_out(
        min([point.low for point in points] + marks), max([point.high for point in points] + marks), 6
    )
    y = frame.upwards(low, min(high, 1.0))
    xs = [x(at.timestamp()) for at in times]
    last = points[-1]
    parts: list[str] = []
    shown = [
        one
        for one in episodes
        if line
        and one.rule_id == line.rule_id
        and one.fired_at <= high_time
        and (one.cleared_at or high_time) >= low_time
    ]
    for one in shown:
        left = max(frame.x0, x(one.fired_at.timestamp()))
        right = min(frame.x1, x((one.cleared_at or high_time).timestamp()))
        breadth = max(right - left, MIN_EPISODE_WIDTH)
        parts.append(charts.rectangle(left, frame.y1, breadth, frame.y0 - frame.y1, class_="episode"))
        parts.append(charts.rectangle(left, frame.y1 - 5, breadth, 5, class_="firing"))
    parts.append(charts.y_axis(frame, y, _percent_ticks(low, min(high, 1.0), 6)))
    parts.append(milestone_marks(milestones, points, frame, x))
    parts.append(map_marks(map_changes, points, frame, x))
    parts.append(charts.band(xs, [y(p.low) for p in points], [y(p.high) for p in points], class_="interval mining"))
    parts.append(charts.band(xs, [y(p.lowest) for p in points], [y(p.highest) for p in points], class_="range mining"))
    parts.append(charts.line(zip(xs, (y(p.share) for p in points), strict=True), class_="line mining"))
    labels = [EndLabel(y(last.share), PAGE.share(last.share), "label strong mining")]
    if line:
        parts.append(segment(frame.x0, y(line.above), frame.x1, y(line.above), class_="rule"))
        parts.append(segment(frame.x0, y(line.clear_below), frame.x1, y(line.clear_below), class_="rule faint"))
        fires, clears = PAGE.share(line.above, None), PAGE.share(line.clear_below, None)
        labels.append(EndLabel(y(line.above), fires if narrow else f"{fires} fires", "label"))
        labels.append(EndLabel(y(line.clear_below), clears if narrow else f"{clears} clears", "label quiet"))
    parts.append(charts.dot(xs[-1], y(last.share), 3.5, class_="dot mining"))
    parts.append(charts.end_labels(frame, labels))
    if shown:
        widest = max(shown, key=lambda one: (one.cleared_at or high_time) - max(one.fired_at, low_time))
        middle = (
            x(max(widest.fired_at, low_time).timestamp())
            + x(min(widest.cleared_at or high_time, high_time).timestamp())
        ) / 2
        parts.append(
            text(
                "alert firing",
                min(max(middle, frame.x0 + 36), frame.x1 - 36),
                11,
                class_="label alert",
                anchor="middle",
            )
        )
    parts.append(_time_axis(frame, x, low_time, high_time))
    above = [point.highest for point in points]
    description = (
        f"Line with a band, {PAGE.day(low_time)} to {PAGE.day(high_time)}. The share ends at {PAGE.share(last.share)}, 95 % interval "
        f"{PAGE.share_range(last.low, last.high)}; it went from {PAGE.share(min(p.lowest for p in points), 1)} to "
        f"{PAGE.share(max(above), 1)}. Times of firing alerts: {len(shown)}."
        f"{milestone_words(milestones, points)}{map_words(map_changes, points)}"
    )
    return charts.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )


def longest_bar(now: MiningNow, pools: Sequence[PoolShare]) -> float:
    """The largest share that `leaders_plot` has to reach."""
    rest = now.blocks - sum(pool.blocks for pool in pools)
    return max([pool.high for pool in pools] + [rest / now.blocks])


def leaders_plot(
    now: MiningNow, pools: Sequence[PoolShare], scale_to: float, *, width: float, name: str, title: str
) -> str:
    """Bars of the largest pools with their 95 % intervals, then all other known pools together, then the unknown blocks.

    `scale_to` is the share at the right end, so that two of these drawings compare.
    """
    rest = now.blocks - now.unknown - sum(pool.blocks for pool in pools)
    others = now.pools_seen - len(pools)
    step, top = 27.0, 6.0
    rows: list[tuple[str, float, tuple[float, float] | None, str]] = [
        (pool.name, pool.share, (pool.low, pool.high), "bar mining" if rank < 4 else "bar mining second")
        for rank, pool in enumerate(pools)
    ]
    if others > 0:
        rows.append((f"{others} more", rest / now.blocks, None, "bar rest"))
    rows.append(("unknown", now.unknown / now.blocks, None, "bar rest"))
    frame = Frame(width, top + step * len(rows) + 26, 138, 60, top, 26)
    x = frame.across(0.0, scale_to)
    parts: list[str] = []
    for value in ticks(0.0, scale_to, 4):
        parts.append(segment(x(value), frame.y1, x(value), frame.y0, class_="grid"))
        parts.append(text(PAGE.share(value, 0), x(value), frame.y0 + 18, class_="tick", anchor="middle"))
    for rank, (label, share, interval, class_) in enumerate(rows):
        middle = frame.y1 + step * (rank + 0.5)
        end = x(share)
        parts.append(
            text(charts.clipped(label, NAME_CHARACTERS), frame.x0 - 10, middle + 4, class_="name", anchor="end")
        )
        parts.append(charts.rectangle(frame.x0, middle - 8, end - frame.x0, 16, class_=class_))
        if interval is not None:
            parts.append(segment(x(interval[0]), middle, x(interval[1]), middle, class_="whisker"))
            end = max(end, x(interval[1]))
        parts.append(text(PAGE.share(share), end + 8, middle + 4, class_="value"))
    parts.append(segment(frame.x0, frame.y1, frame.x0, frame.y0, class_="axis"))
    spoken = ", ".join(f"{label} {PAGE.share(share)}" for label, share, _, _ in rows)
    return charts.drawing(
        "".join(parts),
        width=frame.width,
        height=frame.height,
        name=name,
        title=title,
        description=f"Bars with 95 % intervals: {spoken}.",
    )


def hands_plot(rows: Sequence[GapRow], *, width: float, name: str, title: str) -> str:
    """Effective numbers of both sides by quarter: pools with their interval, AI owners as the envelope of three treatments."""
    narrow = _is_narrow(width)
    frame = Frame(width, 280 if narrow else 330, 30, 104 if narrow else 196, 12, 28)
    times = [moment(row.day) for row in rows]
    x = frame.across(times[0].timestamp(), times[-1].timestamp())
    lowest = min(min(row.ai_dropped, row.ai_one_owner, row.ai_spread, row.pools_low) for row in rows)
    highest = max(max(row.ai_dropped, row.ai_one_owner, row.ai_spread, row.pools_high) for row in rows)
    low, high = rounded_out(min(lowest, 1.0) if lowest < 2 else lowest, highest, 5)
    y = frame.upwards(low, high)
    xs = [x(at.timestamp()) for at in times]
    treatments = {key: [float(getattr(row, f"ai_{key}")) for row in rows] for key, _, _ in TREATMENTS}
    each = list(zip(*treatments.values(), strict=True))
    parts = [charts.y_axis(frame, y, [(value, f"{value:g}") for value in ticks(low, high, 5)])]
    parts.append(charts.band(xs, [y(min(e)) for e in each], [y(max(e)) for e in each], class_="envelope ai"))
    pools = [row.pools for row in rows]
    parts.append(
        charts.band(xs, [y(r.pools_low) for r in rows], [y(r.pools_high) for r in rows], class_="interval mining")
    )
    for values in treatments.values():
        parts.append(charts.line(zip(xs, map(y, values), strict=True), class_="line thin ai"))
    parts.append(charts.line(zip(xs, map(y, pools), strict=True), class_="line mining"))
    labels = [
        EndLabel(
            y(pools[-1]), f"{PAGE.number(pools[-1], 1)} {'pools' if narrow else 'mining pools'}", "label strong mining"
        )
    ]
    parts.append(charts.dot(xs[-1], y(pools[-1]), 3.5, class_="dot mining"))
    for key, words, short in TREATMENTS:
        value = treatments[key][-1]
        said = (short if narrow else f"AI, {words}").format(m=rows[-1].bucket_owners)
        parts.append(charts.dot(xs[-1], y(value), 2.5, class_="dot ai"))
        labels.append(EndLabel(y(value), f"{PAGE.number(value, 1)} {said}", "label ai"))
    parts.append(charts.end_labels(frame, labels))
    parts.append(_time_axis(frame, x, times[0], times[-1]))
    last = rows[-1]
    description = (
        f"Two bands, {PAGE.day(times[0])} to {PAGE.day(times[-1])}. At the end: pools {PAGE.number(last.pools, 1)} "
        f"(95 % interval {PAGE.number(last.pools_low, 1)} to {PAGE.number(last.pools_high, 1)}). AI owners: "
        f"{PAGE.number(last.ai_dropped, 1)} with the rest left out, {PAGE.number(last.ai_one_owner, 1)} with each bucket "
        f"one owner, {PAGE.number(last.ai_spread, 1)} with each spread over {last.bucket_owners}."
    )
    return charts.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )


CALLS: Final[Mapping[str, tuple[str, str]]] = {
    "no_call": (NOT_DETERMINED, "call none"),
    "ai_more_dispersed": ("AI wider", "call ai"),
    "mining_more_dispersed": ("mining wider", "call mining"),
}


def gap_plot(rows: Sequence[GapRow], *, width: float, name: str, title: str) -> str:
    """The asymmetry L by quarter against zero: the envelope of three treatments inside its 95 % interval, the levels under it."""
    narrow = _is_narrow(width)
    frame = Frame(width, 280 if narrow else 320, 46, 20 if narrow else 84, 14, 58)
    times = [moment(row.day) for row in rows]
    half = (frame.width - frame.left - frame.right) / (2 * max(2, len(rows)))
    x = Scale(times[0].timestamp(), times[-1].timestamp(), frame.x0 + half, frame.x1 - half)
    low, high = rounded_out(min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows)), 5)
    y = frame.upwards(low, high)
    xs = [x(at.timestamp()) for at in times]
    parts = [charts.y_axis(frame, y, [(value, PAGE.doublings(value, 1)) for value in ticks(low, high, 5)])]
    parts.append(segment(frame.x0, y(0), frame.x1, y(0), class_="zero"))
    apart = min((b - a for a, b in itertools.pairwise(xs)), default=half)
    thick = max(4.0, min(11.0, 1.1 * half, 0.8 * apart))
    for at, row in zip(xs, rows, strict=True):
        class_ = CALLS.get(row.level, CALLS["no_call"])[1]
        parts.append(segment(at, y(row.low), at, y(row.high), class_=f"reach {class_}"))
        top = y(row.l_max)
        parts.append(
            charts.rectangle(at - thick / 2, top, thick, max(1.5, y(row.l_min) - top), class_=f"core {class_}", rx=1.5)
        )
        parts.append(segment(at - thick / 2, y(row.l_one_owner), at + thick / 2, y(row.l_one_owner), class_="middle"))
    parts.append(text("AI more dispersed ↑", frame.x0 + 8, frame.y1 + 12, class_="label quiet"))
    parts.append(text("mining more dispersed ↓", frame.x0 + 8, frame.y0 - 6, class_="label quiet"))
    if not narrow:
        last = rows[-1]
        ends = [
            EndLabel(y(last.high), f"{PAGE.doublings(last.high)} 95 %", "label quiet"),
            EndLabel(y(last.l_max), f"{PAGE.doublings(last.l_max)} most", "label"),
            EndLabel(y(last.l_min), f"{PAGE.doublings(last.l_min)} least", "label"),
            EndLabel(y(last.low), f"{PAGE.doublings(last.low)} 95 %", "label quiet"),
        ]
        parts.append(charts.end_labels(frame, ends))
    for first, final, level in charts.runs([row.level for row in rows]):
        words, class_ = CALLS.get(level, (level.replace("_", " "), "call none"))
        left, right = xs[first] - half + 1, xs[final] + half - 1
        parts.append(charts.rectangle(left, frame.y0 + 8, right - left, 18, class_=f"strip {class_}", rx=3))
        if right - left > 6.5 * len(words):
            parts.append(text(words, (left + right) / 2, frame.y0 + 21, class_="label strip", anchor="middle"))
    parts.append(_time_axis(frame, x, times[0], times[-1], under=32))
    said = "; ".join(
        f"{quarter(rows[first].day)} to {quarter(rows[final].day)} {CALLS.get(level, (level, ''))[0]}"
        for first, final, level in charts.runs([row.level for row in rows])
    )
    last = rows[-1]
    description = (
        f"Bars about zero, in doublings. At the end the treatments give {PAGE.doublings_range(last.l_min, last.l_max)}, "
        f"with their 95 % intervals {PAGE.doublings_range(last.low, last.high)}. Level: {said}."
    )
    return charts.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )


def edge_plot(points: Sequence[EdgePoint], *, width: float, name: str, title: str) -> str:
    """The edge share by one include-list from zero up, with the bounds that are left open as a band."""
    frame = Frame(width, 230, 46, 58, 12, 28)
    times = [moment(point.period_end) for point in points]
    x = frame.across(times[0].timestamp(), times[-1].timestamp())
    _, high = rounded_out(0.0, max(point.upper for point in points), 4)
    y = frame.upwards(0.0, min(high, 1.0))
    xs = [x(at.timestamp()) for at in times]
    last = points[-1]
    parts = [
        charts.y_axis(frame, y, _percent_ticks(0.0, min(high, 1.0), 4)),
        charts.band(xs, [y(p.lower) for p in points], [y(p.upper) for p in points], class_="envelope ai"),
        charts.line(zip(xs, (y(p.share) for p in points), strict=True), class_="line ai"),
        charts.dot(xs[-1], y(last.share), 3.5, class_="dot ai"),
        charts.end_labels(frame, [EndLabel(y(last.share), PAGE.share(last.share), "label strong ai")]),
        _time_axis(frame, x, times[0], times[-1]),
    ]
    description = (
        f"Line with a band, {PAGE.day(times[0])} to {PAGE.day(times[-1])}: from {PAGE.share_range(points[0].share, last.share)}, "
        f"at the end between {PAGE.share(last.lower)} and {PAGE.share(last.upper)}."
    )
    return charts.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )
