"""The sequential detectors: which fire, how near each is to its next change, and when it fired and cleared last."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from counterpoise.formats import PAGE
from counterpoise.plots import marks
from desk.asker import Asker, Row
from desk.web import markup
from desk.web.figure import Numbers, figure
from desk.web.panels.panel import Context, Panel

PROMISE_YEARS: Final = 10
WORDS: Final[Mapping[str, str]] = {
    "top4_above_75": "top 4 above 75 %",
    "any_above_one_third": "any above one third",
    "any_above_one_half": "any above one half",
    "hhi_above_1800": "HHI above 1,800",
}
VIEWS: Final[Mapping[str, str]] = {"raw": "pools", "entity": "entities"}
HEADS: Final = ("detector", "view", "state", "#evidence", "fired last", "cleared last")
TITLE: Final = "Evidence of the detectors"
LEAST: Final = 1e-6
"""The left end of the plot: evidence grows by factors, so its axis does."""


def read(asker: Asker, context: Context) -> list[Row]:
    return asker.ask("detectors", "detectors_now", chain=context.chain, promise=PROMISE_YEARS, **context.up_to)


def draw(found: list[Row], context: Context) -> str:
    if not found:
        return markup.nothing("The detectors start behind the first full window of 2,016 blocks.")
    rows = [
        (
            WORDS.get(row["detector"], str(row["detector"])),
            VIEWS.get(row["view"], str(row["view"])),
            "firing" if row["firing"] else "clear",
            evidence(row["evidence"]),
            last(row, "fired"),
            last(row, "cleared"),
        )
        for row in found
    ]
    return (
        markup.scrolled_table("Sequential detectors", HEADS, rows)
        + figure(partial(_plot, found), "detectors", Numbers(TITLE, HEADS[:4], [row[:4] for row in rows]))
        + markup.meta(
            (
                f"one false alarm in {PROMISE_YEARS} years of 52,560 blocks expected of each",
                "evidence is for the change that would end the state; at 100 % the state changes and it begins again at 0",
                markup.as_of(found[0]["height"], found[0]["time"]),
            )
        )
    )


def evidence(value: float) -> str:
    """Evidence as a part of what an alarm needs.

    >>> evidence(0.25), evidence(0.0001), evidence(0.0)
    ('25.0\xa0%', 'under 0.1\xa0%', 'under 0.1\xa0%')
    """
    return PAGE.share(value) if value >= 0.001 else f"under {PAGE.share(0.001)}"


def last(row: Row, what: str) -> str:
    """The block of the last fire or clear, and its day."""
    height = row[f"{what}_height"]
    return "never" if height is None else f"block {PAGE.count(height)}, {PAGE.day(row[f'{what}_time'])}"


def _plot(rows: Sequence[Row], width: float, name: str) -> str:
    """A bar for each detector and view, to its evidence on an axis of powers of ten; the line is where the state changes."""
    step, top = 24.0, 18.0
    frame = marks.Frame(width, top + step * len(rows) + 26, 190 if width > 500 else 128, 24, top, 26)
    x = frame.across(math.log10(LEAST), 0.0)
    parts = []
    for power in (-6, -4, -2):
        parts.append(marks.segment(x(power), frame.y1, x(power), frame.y0, class_="grid"))
        label = PAGE.number(100 * 10.0**power, max(0, -power - 2)) + "\u00a0%"
        parts.append(marks.text(label, x(power), frame.y0 + 18, class_="tick", anchor="middle"))
    parts.append(marks.segment(x(0.0), frame.y1, x(0.0), frame.y0, class_="line alert"))
    parts.append(marks.text("the state changes", x(0.0), frame.y1 - 6, class_="tick", anchor="end"))
    for place, row in enumerate(rows):
        middle = frame.y1 + step * (place + 0.5)
        reach = x(math.log10(min(1.0, max(LEAST, row["evidence"]))))
        words = f"{WORDS.get(row['detector'], row['detector'])}, {VIEWS.get(row['view'], row['view'])}"
        shown = marks.clipped(words, 28 if width > 500 else 19)
        parts.append(marks.text(shown, frame.x0 - 10, middle + 4, class_="name", anchor="end"))
        class_ = "bar rest" if row["firing"] else "bar mining"
        parts.append(marks.rectangle(frame.x0, middle - 7, max(1.0, reach - frame.x0), 14, class_=class_))
    firing = [row for row in rows if row["firing"]]
    nearest = max(rows, key=lambda row: float(row["evidence"]))
    description = (
        f"Bars on an axis of powers of ten: {len(firing)} of {len(rows)} detectors fire. The nearest to a change has "
        f"{evidence(nearest['evidence'])} of the evidence: {WORDS.get(nearest['detector'], nearest['detector'])}, "
        f"{VIEWS.get(nearest['view'], nearest['view'])}."
    )
    return marks.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=TITLE, description=description
    )


PANEL = Panel("detectors", "Sequential detectors", "so-what", read, draw, wide=True, slow=True)
