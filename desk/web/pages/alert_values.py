"""The value that an alert's rule judged, at each height around the alert: read by the evidence's own SQL, and drawn with its line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clickhouse_driver.errors import Error as ClickHouseError

from alerts.rules.condition import condition_of
from counterpoise.errors import CounterpoiseError
from counterpoise.formats import PAGE
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.plots import marks
from counterpoise.plots.marks import EndLabel
from counterpoise.plots.scale import rounded_out, ticks, time_ticks
from desk.asker import Asker
from desk.question import Question, Row
from desk.report import report_plots as plots
from desk.web.api.embedded_chart import written
from desk.web.figure import Numbers, figure, stretches

POINTS: Final = 360
CLOSING: Final = ("resolved", "inactive", "retracted")
_TIMES: Final = """
SELECT height, time FROM concentration_shares
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
  AND height BETWEEN {first:UInt32} AND {last:UInt32} AND ({last:UInt32} - height) % {step:UInt32} = 0 AND n = {window:UInt16}
"""
_TIP: Final = "SELECT max(height) FROM latest_shares WHERE chain = {chain:String}"


@dataclass(frozen=True, slots=True)
class ValuePoint:
    """The value of the rule for the window that ends at `height`."""

    height: int
    time: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Values:
    """The series, in order of height; where it is empty, `why` states the reason."""

    points: Sequence[ValuePoint]
    why: str = ""


def over_heights(sql: str, height: int, first: int, last: int, step: int) -> str | None:
    """The evidence's query over a range of heights instead of one; None where it is not about one height.

    >>> over_heights("SELECT height, c1 / n AS value FROM t WHERE height = 9", 9, 1, 9, 2)
    'SELECT height, c1 / n AS value FROM t WHERE height BETWEEN 1 AND 9 AND (9 - height) % 2 = 0'
    """
    end = f" height = {height}"
    if not sql.endswith(end) or " AS value" not in sql:
        return None
    return f"{sql.removesuffix(end)} height BETWEEN {first} AND {last} AND ({last} - height) % {step} = 0"


def read_values(asker: Asker, step: Row, cleared_height: int | None) -> Values:
    """From two windows before the step to one after the alert cleared, or to now while it is open; at most `POINTS` heights."""
    if step["height"] is None or not step["window_blocks"]:
        return Values(
            (), "This rule judges a moment or a release, not each block: the values of its steps are in the timeline."
        )
    window, height = int(step["window_blocks"]), int(step["height"])
    [(tip,)] = asker.clickhouse.query(_TIP, {"chain": step["chain"]})
    last = min(int(tip), (int(tip) if cleared_height is None else cleared_height + window))
    first = max(0, height - 2 * window)
    apart = max(1, -(-(last - first + 1) // POINTS))
    sql = over_heights(step["reproduce_sql"], height, first, last, apart)
    if sql is None:
        return Values((), "The evidence of this alert is not a query over one height, so there is no series to draw.")
    try:
        values = _values(asker, sql)
    except (CounterpoiseError, ClickHouseError) as error:
        return Values((), f"The series could not be read: {' '.join(str(error).split())[:300]}")
    asker.questions["values"] = Question("The SQL of the value, over the heights around the alert:", sql)
    given = {
        "chain": step["chain"],
        "view": step["view"],
        "window": window,
        "first": first,
        "last": last,
        "step": apart,
    }
    times = dict(asker.clickhouse.query(_TIMES, given))
    points = [ValuePoint(at, times[at], value) for at, value in sorted(values.items()) if at in times]
    if not points:
        return Values(
            (), "No query gives the value of this rule at other heights: the alerter computes it from the counts."
        )
    return Values(points)


def _values(asker: Asker, sql: str) -> dict[int, float]:
    """Value by height, without undefined ones."""
    found: dict[int, float] = {}
    for heads, columns in asker.clickhouse.stream(sql):
        names = [name for name, _ in heads]
        if columns:
            pairs = zip(columns[names.index("height")], columns[names.index("value")], strict=True)
            found |= {
                int(height): float(value) for height, value in pairs if value is not None and not math.isnan(value)
            }
    return found


def value_words(metric: str, value: float, lines: Sequence[float] = ()) -> str:
    r"""A value in the unit of its metric or signal, on its side of these lines. A rule with its own wording judges a share or a
    probability.

    >>> value_words("", 0.755), value_words("hhi_10000", 2500.4)
    ('75.5\xa0%', '2,500')
    >>> value_words("hhi_10000 change 1008", 120.0), value_words("unknown_share", 0.117)
    ('+120', '11.7\xa0%')
    >>> value_words("top4_share", 0.74996, [0.75]), value_words("hhi_10000", 2499.6, [2500])
    ('74.996\xa0%', '2,499.6')
    """
    if metric in SPECS:
        return written(SPECS[metric], value, lines=lines)
    words = condition_of(metric)
    return PAGE.share(value, lines=lines) if words is None else PAGE.tie(words.format(value, lines))


def draw_values(found: Values, steps: Sequence[Row], metric: str, subject: str) -> str:
    """The plot with its table; the sentence where there is nothing to plot."""
    if len(found.points) < 2:
        return f'<p class="none-yet">{marks.text_of(found.why or "Only one height has a value around this alert.")}</p>'
    fired = [step for step in steps if _begins(step)]
    stated_again = [step for step in fired if step["reason"] == "restated"] if len(fired) > 1 else []
    shown = [step for step in steps if step not in stated_again and (step in fired or step["state"] in CLOSING)]
    line = next((step["threshold"] for step in reversed(steps) if step["threshold"] is not None), None)

    def draw(width: float, name: str) -> str:
        return value_plot(found.points, shown, line, metric, width=width, name=name, title=subject)

    return figure(draw, "values", numbers(subject, found.points, metric, () if line is None else (line,)))


def _begins(step: Row) -> bool:
    """Whether the step fired the alert; one that continues under an edited rule did not."""
    return bool(step["state"] == "firing" and step["previous_state"] != "firing")


def numbers(caption: str, points: Sequence[ValuePoint], metric: str, lines: Sequence[float] = ()) -> Numbers:
    """The end of each stretch, with the lowest and highest value inside it, each on its side of these lines."""
    rows = [
        (
            PAGE.minute(stretch[-1].time),
            PAGE.count(stretch[-1].height),
            value_words(metric, stretch[-1].value, lines),
            value_words(metric, min(point.value for point in stretch), lines),
            value_words(metric, max(point.value for point in stretch), lines),
        )
        for stretch in stretches(points)
    ]
    return Numbers(caption, ("up to", "#block", "#value", "#lowest", "#highest"), rows)


def value_plot(
    points: Sequence[ValuePoint],
    steps: Sequence[Row],
    line: float | None,
    metric: str,
    *,
    width: float,
    name: str,
    title: str,
) -> str:
    """The value over time, the line that fires, and a mark at each step that fired or closed."""
    frame = plots.share_frame(width)
    beside = () if line is None else (line,)
    low, high = rounded_out(
        min([point.value for point in points] + ([] if line is None else [line])),
        max([point.value for point in points] + ([] if line is None else [line])),
        6,
    )
    times = [point.time.timestamp() for point in points]
    x, y = frame.across(min(times), max(times)), frame.upwards(low, high)
    places = [(x(at), y(point.value)) for at, point in zip(times, points, strict=True)]
    parts = [marks.y_axis(frame, y, [(tick, value_words(metric, tick)) for tick in ticks(low, high, 6)])]
    said = []
    for step in steps:
        at = step["event_time"]
        words = (
            "fired" if step["state"] == "firing" else "cleared" if step["state"] == "resolved" else str(step["state"])
        )
        said.append(f"{words} {PAGE.minute(at)}")
        if not min(times) <= at.timestamp() <= max(times):
            continue
        place = x(at.timestamp())
        class_ = "line alert" if step["state"] == "firing" else "rule"
        parts.append(marks.segment(place, frame.y0, place, frame.y1, class_=class_))
        inside = min(max(place, frame.x0 + 24), frame.x1 - 24)
        parts.append(
            marks.text(
                words, inside, frame.y1 - 6, class_="label alert" if words == "fired" else "label", anchor="middle"
            )
        )
    parts.append(marks.line(places, class_="line mining"))
    parts.append(marks.dot(*places[-1], 3.5, class_="dot mining"))
    labels = [EndLabel(places[-1][1], value_words(metric, points[-1].value, beside), "label strong mining")]
    if line is not None:
        parts.append(marks.segment(frame.x0, y(line), frame.x1, y(line), class_="rule"))
        labels.append(EndLabel(y(line), f"{value_words(metric, line)} line", "label"))
    parts.append(marks.end_labels(frame, labels))
    most = max(2, int((frame.x1 - frame.x0) / 88))
    across = [(x(at.timestamp()), words) for at, words in time_ticks(points[0].time, points[-1].time, most)]
    parts.append(marks.x_axis(frame, across))
    lowest, highest = (pick(point.value for point in points) for pick in (min, max))
    description = (
        f"Line, {PAGE.minute(points[0].time)} to {PAGE.minute(points[-1].time)}. "
        f"It ends at {value_words(metric, points[-1].value, beside)}; "
        f"lowest {value_words(metric, lowest, beside)}, highest {value_words(metric, highest, beside)}."
        + (f" The line of the rule is {value_words(metric, line)}." if line is not None else "")
        + (f" Steps: {'; '.join(said)}." if said else "")
    )
    return marks.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )
