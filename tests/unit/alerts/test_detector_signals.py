"""Sequential detectors as signals: their words, their stored columns, rule tests on them, and a backtest over a file of blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from alerts.rule_tests.notation import parse_series
from alerts.rule_tests.rule_test_file import run_test_files
from alerts.rule_tests.window_series import window_series
from alerts.rules.when import WhenRule
from alerts.rules_file import parse_rules_file
from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.signals.levels import Level
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.store.detectors_log import with_detectors
from counterpoise.detectors.tracks import DETECTORS, LEADERS_WINDOW_BLOCKS, PROMISES_YEARS, track_of
from counterpoise.windows import VIEWS
from desk.cli.rules import rules_app

TEN = "detector_top4_above_75_10y"
RULE = f"{{id: surely, type: when, when: {{signal: {TEN}}}, fire: {{at_least: 1}}}}"


def rule(signal: str = TEN, **fields: Any) -> WhenRule:
    return WhenRule.model_validate({"id": "surely", "when": {"signal": signal}, "fire": {"at_least": 1}} | fields)


def test_every_stored_track_is_a_signal() -> None:
    assert set(DETECTOR_COLUMNS) == {f"detector_{one.name}_{years}y" for one in DETECTORS for years in PROMISES_YEARS}
    assert set(DETECTOR_COLUMNS) <= set(SIGNALS)
    tracks = [track_of(view, of.name, of.promise_years) for view in VIEWS for of in DETECTOR_COLUMNS.values()]
    assert tracks == list(range(len(VIEWS) * len(DETECTOR_COLUMNS))), "in the order of the bits"
    assert DETECTOR_COLUMNS[TEN].sql("entity") == "bitTest(firing, 14)"


@pytest.mark.parametrize("name", DETECTOR_COLUMNS)
def test_the_words_state_the_promise_and_the_delay(name: str) -> None:
    years = DETECTOR_COLUMNS[name].promise_years
    series = window_series(rule(name), parse_series("0 1"))
    found = rule(name).reading(series, 1)
    assert found is not None
    assert " is firing (one false alarm in " + ("a year" if years == 1 else f"{years} years") in found.words
    assert found.words.count(" at ") == 3 and "median delay" in found.words and " blocks at " in found.words
    assert rule(name).condition().endswith("(raw) past its line")
    other = rule(name).reading(series, 0)
    assert other is not None and " is clear (one false alarm" in other.words
    assert rule(name, view="entity").condition().endswith("(entity) past its line")


def test_a_height_without_a_detector_is_not_judged() -> None:
    series = window_series(rule(), parse_series("_ 0 1"))
    assert rule().levels(series).tolist() == [Level.BLIND, Level.CLEAR, Level.OVER]
    inverse = rule(fire={"at_most": 0})
    assert inverse.levels(series).tolist() == [Level.BLIND, Level.OVER, Level.CLEAR]
    assert (inverse.main.breach(), inverse.main.cleared()) == ("past its mirror's line", "past its line")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f"{{signal: {TEN}}}, fire: {{at_least: 0}}", "a line between 0 and 1"),
        (f"{{signal: {TEN}}}, fire: {{above: 0.5}}, clear: {{below: 0}}", "a line between 0 and 1"),
        (f"{{signal: {TEN}, change_blocks: 6}}, fire: {{above: 0.5}}", "nothing: detector_top4_above_75_10y is 0 or 1"),
    ],
)
def test_a_line_that_parts_nothing_is_a_mistake(text: str, mistake: str) -> None:
    found = parse_rules_file(f"version: 1\nrules:\n  - {{id: a, type: when, when: {text}}}\n", "f").mistakes
    assert len(found) == 1 and mistake in found[0].problem


def test_rule_tests_take_whether_it_fires(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(f"version: 1\nrules:\n  - {RULE}\n")
    file = tmp_path / "tests.yaml"

    def failures(values: str) -> list[str]:
        file.write_text(
            f"version: 1\nrules: rules.yaml\ntests:\n  - rule: surely\n    values: {values}\n    expect:\n"
            "      - {at: 3, sent: firing, message: [one false alarm in 10 years of 52, past its line]}\n"
            "      - {at: 5, state: inactive, sent: resolved, message: past its mirror's line}\n"
        )
        return list(run_test_files([file]).failures)

    assert failures("0x2 1x2 0") == []
    assert failures("0x3 1 0")
    assert any("expected 1 where the detector fires, else 0" in one for one in failures("0x2 76x2 0"))


@pytest.mark.parametrize("seed", range(20))
def test_a_series_ends_where_the_detectors_are_of_other_blocks(seed: int) -> None:
    random = np.random.default_rng(seed)
    series = window_series(rule(), parse_series("0x30"))
    heights, starts = series.height.tolist(), int(series.height[0]) + int(random.integers(0, 12))
    tips = {height: tip for height, tip in zip(heights, series.tip_hash, strict=True) if height >= starts}
    bad = int(random.integers(12, 36)) + heights[0]  # above the last height: every row is right
    if bad in tips and seed % 2:
        del tips[bad]
    elif bad in tips:
        tips[bad] = "ff" * 32
    fires = random.integers(0, 2, len(tips)).astype(float)
    found = with_detectors(series, tips, {TEN: fires}, starts)
    assert found.height.tolist() == [height for height in heights if height < bad]
    expected = {height: value for height, value in zip(tips, fires.tolist(), strict=True) if height < bad}
    column = found.further[TEN]
    assert np.isnan(column[: starts - heights[0]]).all()
    assert column[starts - heights[0] :].tolist() == list(expected.values())
    unknown = with_detectors(series, {}, {TEN: np.zeros(0)}, None)
    assert len(unknown) == 30 and np.isnan(unknown.further[TEN]).all()


def test_a_backtest_folds_the_detectors_of_a_file(tmp_path: Path) -> None:
    """One pool makes all blocks behind a first window in which it makes half: M = 1.12·(M + 1) for 84 %, and so on, fires soon."""
    rules = tmp_path / "rules.yaml"
    half = RULE.replace("surely", "half").replace("top4_above_75", "any_above_one_half")
    rules.write_text(f"version: 1\nrules:\n  - {RULE}\n  - {half}\n")
    own, others = ["foundry-usa"] * 1_500, ["unknown", "foundry-usa"] * (LEADERS_WINDOW_BLOCKS // 2)
    slugs = [*others, *own, *["unknown"] * 400]
    dates = pa.array(range(0, 600 * len(slugs), 600), pa.int64()).cast(pa.timestamp("s"))
    blocks = tmp_path / "blocks.parquet"
    pq.write_table(pa.table({"height": range(len(slugs)), "pool_slug": slugs, "date": dates}), blocks)
    ran = CliRunner().invoke(rules_app, ["backtest", str(rules), "--blocks", str(blocks), "--json"])
    assert ran.exit_code == 0, ran.output
    found = {one["rule"]: one["firings"] for one in json.loads(ran.stdout)}
    assert [firing["fired"] for firing in found["surely"]] == [LEADERS_WINDOW_BLOCKS - 1 + blocks_to_alarm(0.75, 0.84)]
    assert [firing["fired"] for firing in found["half"]] == [LEADERS_WINDOW_BLOCKS - 1 + blocks_to_alarm(0.5, 0.68)]
    pq.write_table(pq.read_table(blocks).slice(0, LEADERS_WINDOW_BLOCKS - 9), blocks)
    ran = CliRunner().invoke(rules_app, ["backtest", str(rules), "--blocks", str(blocks), "--json"])
    assert [one["firings"] for one in json.loads(ran.stdout)] == [[], []], "no block has a window before it"
    # Unknown blocks count as the leaders' for clearing, so it keeps firing.
    assert found["surely"][0]["cleared"] is None


def blocks_to_alarm(line: float, largest: float) -> int:
    """Blocks in a row by the leaders until the mean of the four states reaches ten years, by plain arithmetic."""
    shares = {0.75: (0.77, 0.79, 0.81, 0.84), 0.5: (0.52, 0.55, 0.60, 0.68)}[line]
    assert shares[-1] == largest
    states, blocks = [0.0] * 4, 0
    while sum(states) / 4 < 525_600:
        states = [share / line * (state + 1) for share, state in zip(shares, states, strict=True)]
        blocks += 1
    return blocks
