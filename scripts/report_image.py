"""Draw docs/img/report.svg from the report of the demo's dataset: the headline and three of its plots. `make demo`, then
`python scripts/report_image.py [STATE_DIR]`."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path

from counterpoise.clickhouse.client import connect
from counterpoise.formats import PAGE
from counterpoise.plots import marks as charts
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.report import gather_report
from desk.report import report_plots as plots
from desk.report.gap_sentence import sentence
from desk.report.report_model import Report
from desk.report.style_sheet import standalone
from engines.stack import ANY_PORTS, down, up

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "img" / "report.svg"
CHARACTERS_A_LINE = 118
LINE_HEIGHT, TITLE_HEIGHT, SPACE = 19.0, 26.0, 26.0


def demo_report(state_dir: Path) -> Report:
    """The report of the demo's dataset, on engines that run for that long only unless they run already."""
    os.environ["COUNTERPOISE_DATASET"] = "demo"
    os.environ["COUNTERPOISE_STATE_DIR"] = str(state_dir)
    settings = Settings.load()
    _, started = up(settings.state_dir, ANY_PORTS)
    try:
        with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
            return gather_report(settings, clickhouse)
    finally:
        if started:
            down(settings.state_dir)


class Sheet:
    """Texts and drawings under each other."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = 0.0

    def words(self, words: str, class_: str) -> None:
        for line in textwrap.wrap(words, CHARACTERS_A_LINE, break_on_hyphens=False):
            self.y += LINE_HEIGHT
            self.parts.append(charts.text(line, 0, self.y, class_=class_))

    def title(self, words: str) -> None:
        self.y += TITLE_HEIGHT
        self.parts.append(charts.text(words, 0, self.y, class_="label strong title"))
        self.y += 8

    def drawing(self, drawing: str) -> None:
        [(width, height)] = re.findall(r'viewBox="0 0 (\S+) (\S+)"', drawing)
        placed = f'<svg x="0" y="{self.y:g}" width="{width}" height="{height}" '
        self.parts.append(drawing.replace("<svg ", placed, 1))
        self.y += float(height) + SPACE


def draw(report: Report) -> str:
    """The image as a whole SVG document."""
    now = report.now[report.view]
    sheet = Sheet()
    sheet.title("Counterpoise report, simulated data of the demo")
    sheet.words(
        f"The four largest pools mined {PAGE.share(now.top4)} of the last {PAGE.count(now.blocks)} blocks "
        f"(95 % interval {PAGE.share_range(now.top4_low, now.top4_high)}).",
        "label mining",
    )
    sheet.words(sentence([row for row in report.gap_rows if row.ends_year or row.at_tip]), "label ai")
    sheet.y += SPACE / 2
    title = f"Top-4 share of the last {PAGE.count(report.window_blocks)} blocks, 95 % interval, alerts"
    sheet.title(title)
    sheet.drawing(
        plots.share_plot(report.shares, report.episodes, report.line, width=plots.WIDE, name="shares", title=title)
    )
    title = "Effective number of equal owners or pools, by quarter"
    sheet.title(title)
    sheet.drawing(plots.hands_plot(report.gap_rows, width=plots.WIDE, name="hands", title=title))
    title = "The gap L, in doublings, and its level"
    sheet.title(title)
    sheet.drawing(plots.gap_plot(report.gap_rows, width=plots.WIDE, name="gap", title=title))
    return standalone(
        "".join(sheet.parts),
        width=plots.WIDE,
        height=sheet.y - SPACE,
        name="report",
        title="A report of Counterpoise on the demo's simulated data",
        description="Headline, top-4 share with alerts, effective numbers of both sides, and the gap between them.",
    )


def main() -> None:
    state_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".counterpoise"
    TARGET.write_text(draw(demo_report(state_dir.absolute())), encoding="utf-8")


if __name__ == "__main__":
    main()
