"""Draw docs/img/top4.svg: the top-4 pool share of each month, from the packaged figures. `python scripts/top4_chart.py`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from counterpoise.formats import PAGE
from counterpoise.plots import marks as charts
from counterpoise.plots.marks import EndLabel, Frame
from counterpoise.plots.scale import time_ticks
from desk.report.style_sheet import standalone
from ingest.blocks.sources.simulated import MonthOfBins, read_figures

LOW, HIGH, LINE = 0.45, 0.85, 0.75
TITLE = "Blocks mined by the four largest pools, by month"
UNKNOWN = "unknown"
TARGET = Path(__file__).resolve().parents[1] / "docs" / "img" / "top4.svg"


def top4_share(month: MonthOfBins) -> float:
    """Share of the month's four largest pools of all its blocks; unknown is not a pool."""
    pools = sorted((n for pool, n in month.blocks_by_pool.items() if pool != UNKNOWN), reverse=True)
    return sum(pools[:4]) / month.blocks


def draw() -> str:
    """The chart as a whole SVG document."""
    months = read_figures().months
    shares = [top4_share(month) for month in months]
    middles = [(month.start + month.end) / 2 for month in months]
    frame = Frame(920, 320, 46, 96, 44, 28)
    begin, end = (datetime.fromisoformat(f"{months[0].name}-01T00:00Z"), datetime.fromtimestamp(months[-1].end, UTC))
    x, y = frame.across(begin.timestamp(), end.timestamp()), frame.upwards(LOW, HIGH)
    line = y(LINE)
    track = charts.path((x(at), y(share)) for at, share in zip(middles, shares, strict=True))
    years = time_ticks(begin, end, 8)
    last = shares[-1]
    body = [
        charts.text(TITLE, 0, 16, class_="label strong"),
        charts.y_axis(frame, y, [(step / 100, PAGE.share(step / 100, 0)) for step in range(50, 90, 10)]),
        f'<defs><clipPath id="over"><rect x="0" y="0" width="{frame.width:g}" height="{line:.1f}"/></clipPath></defs>',
        charts.element("path", d=track, class_="line mining"),
        charts.element("path", d=track, class_="line alert", clip_path="url(#over)"),
        charts.segment(frame.x0, line, frame.x1, line, class_="rule"),
        charts.dot(x(middles[-1]), y(last), 3.5, class_="dot mining"),
        charts.end_labels(
            frame,
            [
                EndLabel(line, f"{PAGE.share(LINE, 0)} alert line", "label"),
                EndLabel(y(last), PAGE.share(last), "label strong mining"),
            ],
        ),
        charts.x_axis(frame, [(x(at.timestamp()), words) for at, words in years]),
    ]
    above = sum(share > LINE for share in shares)
    return standalone(
        "".join(body),
        width=frame.width,
        height=frame.height,
        name="top4",
        title=TITLE,
        description=f"Line, {months[0].name} to {months[-1].name}: between {PAGE.share(min(shares))} and {PAGE.share(max(shares))}, "
        f"{above} of {len(months)} months above {PAGE.share(LINE, 0)}.",
    )


def main() -> None:
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
