"""The forecast scorecard: how often the daily forecasts were right, and whether their stated chances came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from counterpoise.formats import PAGE
from counterpoise.plots import marks
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.figure import Numbers, figure
from desk.web.panels.panel import PageContext, Panel

NAMES: Final = {"raw": "Pools as they sign", "entity": "Entities"}
HEADS: Final = ("forecasts", "#number", "#interval held", "#Brier score", "#stated above 75 %", "#came above 75 %")
STATED: Final = "stated "
WIDTH: Final = 440.0


def read(asker: Asker, context: PageContext) -> dict[str, list[Row]]:
    return {
        view: asker.ask(f"scorecard-{view}", "forecast_scores", chain=context.chain, view=view, **context.up_to)
        for view in VIEWS
    }


def draw(found: Mapping[str, Sequence[Row]], context: PageContext) -> str:
    scored = {view: rows for view, rows in found.items() if rows}
    if not scored:
        return markup.nothing("No forecast has been scored: its 1,008 blocks have to come first.")
    newest = max((row for rows in scored.values() for row in rows), key=lambda row: int(row["newest_height"]))
    parts = [f"<div>{_of_view(view, rows)}</div>" for view, rows in scored.items()]
    return f'<div class="pair">{"".join(parts)}</div>' + markup.meta(
        (
            "a forecast every 144 blocks: the share of the four leaders in the next 1,008, and the chance that it is above 75 %",
            "windows of 1,008 blocks, unknown blocks in the denominator",
            f"newest scored forecast: {markup.as_of(newest['newest_height'], newest['newest_time'])}",
            "a Brier score of 0 is perfect; neighbouring forecasts share blocks",
        )
    )


def _of_view(view: str, rows: Sequence[Row]) -> str:
    title = f"{NAMES.get(view, view)}: stated chances and what came"
    whole = next((row for row in rows if row["part"] == "all"), rows[-1])
    head = (
        f"<h3>{marks.text_of(NAMES.get(view, view))}</h3><p class='note'>The 95 % interval held in {PAGE.share(whole['coverage'])} "
        f"of {PAGE.count(whole['forecasts'])} forecasts. The Brier score is {PAGE.number(whole['brier_score'], 3)}.</p>"
    )
    bins = [row for row in rows if str(row["part"]).startswith(STATED)]
    numbers = Numbers(title, HEADS, [_cells(row) for row in rows])
    return figure(partial(_plot, bins, title), f"scorecard-{view}", numbers, width=WIDTH, head_markup=head)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["part"]),
        PAGE.count(row["forecasts"]),
        PAGE.share(row["coverage"]),
        PAGE.number(row["brier_score"], 3),
        PAGE.share(row["stated_above_75"]),
        PAGE.share(row["came_above_75"]),
    )


def _plot(bins: Sequence[Row], title: str, width: float, name: str) -> str:
    """A dot for each bin of stated chances: how often it came true. A calibrated forecast has them on the diagonal."""
    frame = marks.Frame(width, 250, 52, 26, 12, 28)
    x, y = frame.across(0.0, 1.0), frame.upwards(0.0, 1.0)
    places = (0.0, 0.25, 0.5, 0.75, 1.0)
    parts = [
        marks.y_axis(frame, y, [(value, PAGE.share(value, 0)) for value in places]),
        marks.x_axis(frame, [(x(value), PAGE.share(value, 0)) for value in places]),
        marks.segment(x(0.0), y(0.0), x(1.0), y(1.0), class_="axis"),
    ]
    spoken = []
    for row in bins:
        stated, came = float(row["stated_above_75"]), float(row["came_above_75"])
        parts.append(marks.dot(x(stated), y(came), 4.5, class_="dot mining"))
        words = f"{PAGE.count(row['forecasts'])} forecasts"
        side = "end" if stated > 0.5 else "start"
        parts.append(
            marks.text(words, x(stated) + (-9 if side == "end" else 9), y(came) + 4, class_="tick", anchor=side)
        )
        spoken.append(f"{PAGE.share(stated, 0)} was true in {PAGE.share(came, 0)}")
    description = (
        f"Stated chance across, how often it came true upwards, the diagonal between them: {', '.join(spoken)}."
    )
    return marks.drawing(
        "".join(parts), width=frame.width, height=frame.height, name=name, title=title, description=description
    )


PANEL = Panel("scorecard", "Forecast scorecard", "so-what", read, draw, wide=True, slow=True)
