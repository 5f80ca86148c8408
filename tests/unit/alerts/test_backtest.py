"""Backtests: by hand on a few blocks, against single steps of the machine on drawn ones, and the known counts on real ones."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from alerts.backtest import Firing, backtest
from alerts.machine.machine import NOWHERE, Phase, advance
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from alerts.signals.window_counts import WindowCounts
from desk.cli.rules import rules_app
from desk.rule_history import RuleHistory
from tests.shared import shared_data

REAL = "blocks/mainnet_664063_946236.parquet"
DAY = 86_400


def rule(**fields: Any) -> TopShareRule:
    return TopShareRule.model_validate({"id": "r", "type": "top_share", "window_blocks": 144, "for_blocks": 0} | fields)


def series(percent: list[int], full: bool = True) -> WindowCounts:
    """A block a day from height 10 on, whose four largest pools hold these percents of 100 blocks."""
    rows = len(percent)
    counts = np.zeros((rows, 6), np.int64)
    counts[:, 0] = percent
    return WindowCounts.of(
        height=np.arange(10, 10 + rows),
        tip_hash=[""] * rows,
        time=np.arange(rows) * DAY,
        n=[100] * rows,
        unknown=[0] * rows,
        window_full=[full] * rows,
        pools_seen=[9] * rows,
        counts=counts,
        p_top4_above_75=[np.nan] * rows,
        leaders=np.zeros((rows, 6)),
        names=("",),
    )


def test_by_hand() -> None:
    # height             10  11  12  13  14  15  16  17  18
    found = backtest(rule(), series([70, 76, 74, 76, 72, 75, 80, 80, 78]))
    assert found.firings == (Firing(11, 14), Firing(16, None))
    assert (found.crossings, found.flaps, found.days, found.days_in_breach) == (3, 1, 8.0, 5.0)
    assert found.firings_a_year == pytest.approx(2 * 365.25 / 8)
    assert backtest(rule(for_blocks=2), series([70, 76, 74, 76, 72, 75, 80, 80, 78])).firings == (Firing(18, None),)


def test_a_window_that_is_not_full_is_not_judged() -> None:
    found = backtest(rule(), series([80, 70, 80], full=False))
    assert (found.crossings, found.firings) == (0, ())


def test_no_heights_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one height"):
        backtest(rule(), series([]))


@pytest.mark.parametrize("seed", range(40))
def test_equals_single_steps(seed: int) -> None:
    random = np.random.default_rng(seed)
    drawn = rule(for_blocks=int(random.integers(0, 4)))
    counts = series(random.integers(71, 79, 300).tolist())
    found = backtest(drawn, counts)
    standing, firing = NOWHERE, []
    for height, level in zip(counts.height.tolist(), drawn.levels(counts).tolist(), strict=True):
        standing, _ = advance(standing, level, height, drawn.for_blocks)
        firing.append(standing.phase is Phase.FIRING)
    assert len(found.firings) == firing[0] + sum(now and not before for before, now in pairwise(firing))
    assert found.days_in_breach == sum(firing[:-1])


def a_rule(kind: str, window: int, for_blocks: int) -> HeightRule:
    if kind == "top_share":
        return rule(window_blocks=window, for_blocks=for_blocks)
    lines: dict[str, Any] = {"fire": {"above": 0.75}, "clear": {"below": 0.73}}
    given = {"id": "r", "when": {"signal": "top4_share"}, "window_blocks": window, "for": for_blocks}
    return WhenRule.model_validate(given | lines)


@pytest.fixture(scope="module")
def real() -> RuleHistory:
    return RuleHistory(shared_data(REAL), (144, 1008, 2016))


@pytest.mark.parametrize(
    ("window", "plain", "clear", "hold"), [(144, 1995, 459, 249), (1008, 247, 12, 8), (2016, 169, 4, 4)]
)
@pytest.mark.parametrize("kind", ["top_share", "when"])
def test_counts_of_the_real_blocks(  # noqa: PLR0917 - the columns of a table
    real: RuleHistory, kind: str, window: int, plain: int, clear: int, hold: int
) -> None:
    without, held = (a_rule(kind, window, for_blocks) for for_blocks in (0, 36))
    found, found_held = backtest(without, real.series(without)), backtest(held, real.series(held))
    assert (found.crossings, len(found.firings), len(found_held.firings)) == (plain, clear, hold)
    if window == 1008:
        assert (found_held.firings[0].fired, found_held.firings[-1]) == (760_903, Firing(892_330, 894_647))


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A rules file, and 600 blocks of which four pools mine 100 %, then 50 %, then 100 % again."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nrules:\n"
        "  - {id: top, type: top_share, window_blocks: 144, for_blocks: 0}\n"
        "  - {id: quiet, type: no_block}\n"
    )
    many = ["foundry-usa", "unknown"]
    slugs = ["foundry-usa"] * 200 + many * 100 + ["foundry-usa"] * 200
    blocks = tmp_path / "blocks.parquet"
    dates = pa.array(range(0, 600 * 600, 600), pa.int64()).cast(pa.timestamp("s"))
    pq.write_table(pa.table({"height": range(600), "pool_slug": slugs, "date": dates}), blocks)
    return str(rules), str(blocks)


def test_command(files: tuple[str, str]) -> None:
    rules, blocks = files
    ran = CliRunner().invoke(rules_app, ["backtest", rules, "--blocks", blocks, "--json"])
    assert ran.exit_code == 0, ran.output
    (document,) = json.loads(ran.stdout)
    # 144 blocks are full at height 143. Every second block from 201 on is unknown: the share is below 73 % where 39 are.
    assert document["firings"][0] == {"fired": 143, "cleared": 201 + 2 * 38}
    assert len(document["firings"]) == 2
    assert "Not backtested: quiet" in CliRunner().invoke(rules_app, ["backtest", rules, "--blocks", blocks]).stdout


def test_a_grid_varies_the_line_of_one_condition_and_the_hold_of_several(
    files: tuple[str, str], tmp_path: Path
) -> None:
    _, blocks = files
    rules = tmp_path / "when.yaml"
    rules.write_text(
        "version: 1\nrules:\n"
        "  - {id: one, type: when, when: {signal: top4_share}, fire: {above: 0.75}, clear: {below: 0.73}, window_blocks: 144}\n"
        "  - id: several\n    type: when\n    window_blocks: 144\n    when:\n      all:\n"
        "        - {signal: top4_share, fire: {above: 0.75}, clear: {below: 0.73}}\n"
        "        - {signal: top4_share, view: entity, fire: {above: 0.75}}\n"
    )

    def tried(*options: str) -> list[tuple[str, int, str]]:
        ran = CliRunner().invoke(rules_app, ["backtest", str(rules), "--blocks", blocks, "--json", *options])
        assert ran.exit_code == 0, ran.output
        return [(one["rule"], len(one["firings"]), one["condition"]) for one in json.loads(ran.stdout)]

    assert [(rule, firings) for rule, firings, _ in tried()] == [("one", 2), ("several", 2)]
    assert [(rule, "over 74 %" in words) for rule, _, words in tried("--above", "0.74,0.9")] == [
        ("one", True),
        ("one", False),
    ]
    held = tried("--hold", "0,72")
    assert [rule for rule, _, _ in held] == ["one", "one", "several", "several"]
    assert [" for 72 blocks" in words for _, _, words in held] == [False, True, False, True]


def test_grid_leaves_out_what_clears_above_the_line(files: tuple[str, str]) -> None:
    rules, blocks = files
    asked = [
        "backtest",
        rules,
        "--blocks",
        blocks,
        "--json",
        "--above",
        "0.7,0.8",
        "--clear",
        "0.6,0.75",
        "--hold",
        "0,36",
    ]
    ran = CliRunner().invoke(rules_app, asked)
    assert ran.exit_code == 0, ran.output
    assert len({found["condition"] for found in json.loads(ran.stdout)}) == 6


@pytest.mark.parametrize(("budget", "code"), [("1/year", 1), ("1000/year", 0)])
def test_budget(files: tuple[str, str], budget: str, code: int) -> None:
    rules, blocks = files
    assert CliRunner().invoke(rules_app, ["backtest", rules, "--blocks", blocks, "--budget", budget]).exit_code == code


@pytest.mark.parametrize(
    "wrong",
    [
        ["--budget", "12"],
        ["--budget", "nan/year"],
        ["--hold", "1.5"],
        ["--above", "nan"],
        ["--clear", "0.7,inf"],
        ["--above", "x"],
        ["--above", "7"],
    ],
)
def test_a_wrong_option_is_one_line(files: tuple[str, str], wrong: list[str]) -> None:
    rules, blocks = files
    ran = CliRunner().invoke(rules_app, ["backtest", rules, "--blocks", blocks, *wrong])
    assert type(ran.exception).__name__ == "ConfigError"
    assert "\n" not in str(ran.exception)


@pytest.mark.parametrize("spoil", ["gap", "column", "text"])
def test_a_wrong_file_is_one_line(files: tuple[str, str], spoil: str) -> None:
    rules, blocks = files
    table = pq.read_table(blocks)
    if spoil == "gap":
        pq.write_table(pa.concat_tables([table.slice(0, 5), table.slice(6)]), blocks)
    elif spoil == "column":
        pq.write_table(table.drop_columns(["date"]), blocks)
    else:
        Path(blocks).write_text("height\n")
    ran = CliRunner().invoke(rules_app, ["backtest", rules, "--blocks", blocks])
    assert type(ran.exception).__name__ == "ConfigError"
    assert blocks in str(ran.exception)
