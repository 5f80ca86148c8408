"""The sequential detectors: which fire, how near each is to its next change, and when it fired and cleared last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from counterpoise.detectors.tracks import BLOCKS_PER_YEAR, DETECTOR_OF
from counterpoise.formats import PAGE
from counterpoise.plots import marks
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.figure import Numbers, figure
from desk.web.panels.panel import PageContext, Panel
from desk.web.panels.shares_panel import VIEW_WORDS

PROMISE_YEARS: Final = 10
LOOKBACK_BLOCKS: Final = 2 * BLOCKS_PER_YEAR
"""Blocks in which the last fire and clear are looked for, so that a look costs the same however long the history."""
HEADS: Final = ("detector", "view", "state", "#evidence", "fired last", "cleared last")
TITLE: Final = "Evidence of the detectors"
LEAST: Final = 1e-6
"""The left end of the plot: evidence grows by factors, so its axis does."""


def read(asker: Asker, context: PageContext) -> list[Row]:
    given = {"chain": context.chain, "promise": PROMISE_YEARS, "blocks": LOOKBACK_BLOCKS}
    return asker.ask("detectors", "detectors_now", **given, **context.up_to)


def draw(found: list[Row], context: PageContext) -> str:
    if not found:
        return markup.nothing("The detectors start behind the first full window of 2,016 blocks.")
    rows = [
        (
            *words_of(row),
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
                "the leaders of the 2,016 blocks before each block; unknown blocks count against a change",
                f"one false alarm in {PROMISE_YEARS} years of 52,560 blocks expected of each",
                "evidence is for the change that would end the state; at 100 % the state changes and it begins again at 0",
                markup.as_of(found[0]["height"], found[0]["time"]),
            )
        )
    )


def words_of(row: Row) -> tuple[str, str]:
    """What a detector is about, and whose shares: a name that this version does not know stands for itself."""
    known = DETECTOR_OF.get(row["detector"])
    return known.about if known else str(row["detector"]), VIEW_WORDS.get(row["view"], str(row["view"]))


def evidence(value: float) -> str:
    """Evidence as a part of what an alarm needs.

    >>> evidence(0.25), evidence(0.0001), evidence(0.0)
    ('25.0\xa0%', 'under 0.1\xa0%', 'under 0.1\xa0%')
    """
    return PAGE.share(value) if value >= 0.001 else f"under {PAGE.share(0.001)}"


def last(row: Row, what: str) -> str:
    """The block of the last fire or clear, and its day."""
    height = row[f"{what}_height"]
    if height is None:
        return f"not in {PAGE.count(LOOKBACK_BLOCKS)} blocks"
    return f"block {PAGE.count(height)}, {PAGE.day(row[f'{what}_time'])}"


def _plot(rows: Sequence[Row], width: float, name: str) -> str:
    """A bar for each detector and view, to its evidence on an axis of powers of ten; the line is where the state changes."""
    step, top = 24.0, 18.0
    frame = marks.Frame(width, top + step * len(rows) + 26, 240 if width > 500 else 128, 24, top, 26)
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
        shown = marks.clipped(", ".join(words_of(row)), 36 if width > 500 else 19)
        parts.append(marks.text(shown, frame.x0 - 10, middle + 4, class_="name", anchor="end"))
        class_ = "bar rest" if row["firing"] else "bar mining"
        parts.append(marks.rectangle(frame.x0, middle - 7, max(1.0, reach - frame.x0), 14, class_=class_))
    firing = [row for row in rows if row["firing"]]
    nearest = max(rows, key=lambda row: float(row["evidence"]))
    description = (
        f"Bars on an axis of powers of ten: {len(firing)} of {len(rows)} detectors fire. The nearest to a change has "
        f"{evidence(nearest['evidence'])} of the evidence: {', '.join(words_of(nearest))}."
    )
    return marks.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=TITLE, description=description
    )


PANEL = Panel("detectors", "Sequential detectors", "so-what", read, draw, wide=True, slow=True)
