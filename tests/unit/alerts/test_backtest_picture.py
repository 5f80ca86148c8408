"""The picture of a backtest, the grid of a backtest, and the nine known counts out of one rules file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from alerts.backtest import backtest
from alerts.rules.top_share_rule import TopShareRule
from desk.backtest_picture import backtest_picture
from desk.cli.rules import rules_app
from tests.shared import shared_data
from tests.unit.alerts.test_backtest import REAL, rule, series

SVG = "{http://www.w3.org/2000/svg}"


def drawn(rule: TopShareRule, percent: list[int], *, full: bool = True) -> ET.Element:
    counts = series(percent, full)
    return ET.fromstring(backtest_picture(rule, counts, backtest(rule, counts)))  # noqa: S314 - our own


def of_class(root: ET.Element, tag: str, class_: str) -> list[ET.Element]:
    return [one for one in root.iter(f"{SVG}{tag}") if one.get("class") == class_]


def test_every_firing_is_marked_and_both_lines_are_drawn() -> None:
    root = drawn(rule(), [70, 76, 74, 76, 72, 75, 80, 80, 78])
    strips = of_class(root, "rect", "firing")
    assert len(strips) == len(of_class(root, "rect", "episode")) == 2
    # Nine days over 882 units: it fires on the second day and clears on the fifth.
    assert float(strips[0].get("x", 0)) == pytest.approx(62 + 882 / 8, abs=0.1)
    assert float(strips[0].get("width", 0)) == pytest.approx(3 * 882 / 8, abs=0.1)
    assert float(strips[1].get("x", 0)) + float(strips[1].get("width", 0)) == pytest.approx(944, abs=0.1), "to the end"
    line, clear = of_class(root, "line", "rule")[0], of_class(root, "line", "rule faint")[0]
    assert float(line.get("y1", 0)) < float(clear.get("y1", 0)), "the line is above the clearing line"
    assert "2 firings in 8 days, 5 days firing." in "".join(root.itertext())


def test_a_rule_that_clears_at_its_line_has_one_line() -> None:
    assert of_class(drawn(rule(clear_below=0.75), [70, 76]), "line", "rule faint") == []


def test_windows_that_are_not_full_are_not_drawn() -> None:
    root = drawn(rule(), [80, 70, 80], full=False)
    assert of_class(root, "path", "line thin mining") == []
    assert of_class(root, "rect", "firing") == []


def test_the_range_of_a_column_has_its_lowest_and_highest_value() -> None:
    """4,000 blocks on 882 units: a single block at 99 % is not lost."""
    percent = np.full(4_000, 70)
    percent[1_999] = 99
    [band] = of_class(drawn(rule(), percent.tolist()), "path", "range mining")
    ys = [float(point.split()[1]) for point in band.get("d", "").strip("MZ").split("L")]
    assert max(ys) - min(ys) > 200


def rules_file(folder: Path) -> str:
    rules = [
        f"  - {{id: w{window}-h{hold}, type: top_share, window_blocks: {window}, for_blocks: {hold}}}"
        for window in (144, 1008, 2016)
        for hold in (0, 36)
    ]
    path = folder / "rules.yaml"
    path.write_text("\n".join(["version: 1", "rules:", *rules]))
    return str(path)


def test_the_nine_counts_come_out_of_one_rules_file(tmp_path: Path) -> None:
    """Plain crossings, with the clearing line, and with a hold of 36 blocks too."""
    ran = CliRunner().invoke(
        rules_app, ["backtest", rules_file(tmp_path), "--blocks", str(shared_data(REAL)), "--json"]
    )
    assert ran.exit_code == 0, ran.output
    found = {one["rule"]: (one["crossings"], len(one["firings"])) for one in json.loads(ran.stdout)}
    assert found == {
        "w144-h0": (1995, 459),
        "w144-h36": (1995, 249),
        "w1008-h0": (247, 12),
        "w1008-h36": (247, 8),
        "w2016-h0": (169, 4),
        "w2016-h36": (169, 4),
    }


def test_the_command_writes_a_picture_and_takes_a_grid(tmp_path: Path) -> None:
    rules, svg = tmp_path / "one.yaml", tmp_path / "picture.svg"
    rules.write_text("version: 1\nrules: [{id: top4-share, type: top_share}]\n")
    asked = ["backtest", str(rules), "--blocks", str(shared_data(REAL))]
    ran = CliRunner().invoke(rules_app, [*asked, "--picture", str(svg)])
    assert ran.exit_code == 0, ran.output
    assert len(of_class(ET.parse(svg).getroot(), "rect", "firing")) == 8  # noqa: S314 - our own
    grid = CliRunner().invoke(rules_app, [*asked, "--grid", "0.74,0.75:0,36:0.72,0.745", "--json"])
    # A clearing line of 74.5 % goes with a line of 75 % only.
    assert len(json.loads(grid.stdout)) == 2 * 2 * 2 - 2
    for wrong in (
        ["--grid", "0.75:36"],
        ["--grid", "0.75:36:0.7", "--hold", "1"],
        ["--grid", "0.74,0.75:0:0.7", "--picture", str(svg)],
    ):
        failed = CliRunner().invoke(rules_app, [*asked, *wrong])
        assert type(failed.exception).__name__ == "ConfigError", wrong
