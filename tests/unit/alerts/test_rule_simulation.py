"""False alarms by simulation: histories whose true shares are known by construction, and the rates that the shipped file states."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.alarm_rate import NOT_BACKTESTED, AlarmRate, parse_alarm_rate
from alerts.backtest import backtest
from alerts.rules.rule import HeightRule
from alerts.rules.when import WhenRule
from alerts.rules_file import load_rules, parse_rules
from alerts.signals.window_counts import WindowPlace
from desk.cli.rules import rules_app
from desk.rule_history import RuleHistory
from desk.rule_simulation import (
    BIN_BLOCKS,
    SEED,
    Truth,
    bin_ends,
    redrawn,
    runs_of,
    simulate,
    truth_at,
    truth_columns,
    truth_of,
)
from tests.shared import shared_data

ROOT = Path(__file__).resolve().parents[3]
REAL = "blocks/mainnet_664063_946236.parquet"
TOP4_ALERTS = [
    (760_903, 764_690),
    (767_676, 770_283),
    (771_044, 789_041),
    (789_305, 798_294),
    (800_278, 805_762),
    (806_798, 883_434),
    (884_354, 889_802),
    (892_330, 894_647),
]
"""Where `top4-share` fired and cleared before the other rules were shipped beside it."""
BIG = ("foundry-usa", "antpool", "f2pool", "viabtc")
SMALL = ("ocean", "luxor", "sbicrypto", "braiinspool", "spiderpool", "binancepool")
RULES = """version: 1
rules:
  - {id: top, type: top_share, window_blocks: 144, for_blocks: 0}
  - id: several
    type: when
    when:
      all:
        - {signal: top4_share, fire: {above: 0.75}, clear: {below: 0.73}}
        - {signal: top4_share, window_blocks: 144, fire: {above: 0.6}}
    window_blocks: 144
"""


def blocks_file(folder: Path, shares: Sequence[float]) -> Path:
    """Bins of 2,016 blocks in which four pools have exactly these shares together, nearest to a whole number of blocks."""
    random, slugs = np.random.default_rng(1), []
    for share in shares:
        big = round(share * BIN_BLOCKS)
        one = [BIG[at % len(BIG)] for at in range(big)] + [SMALL[at % len(SMALL)] for at in range(BIN_BLOCKS - big)]
        slugs += random.permutation(one).tolist()
    dates = np.datetime64("2024-01-01", "s") + np.arange(len(slugs)) * np.timedelta64(600, "s")
    path = folder / "blocks.parquet"
    pq.write_table(pa.table({"height": range(len(slugs)), "pool_slug": slugs, "date": pa.array(dates)}), path)
    return path


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([0.80] * 4, Truth.OVER), ([0.74] * 4, Truth.BETWEEN), ([0.70] * 4, Truth.CLEAR)],
)
def test_a_firing_is_false_only_where_the_true_share_never_left_the_good_side(
    tmp_path: Path, shares: list[float], expected: Truth
) -> None:
    history = RuleHistory(blocks_file(tmp_path, shares), (144, BIN_BLOCKS))
    rules = [rule for rule in parse_rules(RULES, "rules") if isinstance(rule, HeightRule)]
    found = simulate(history, rules, 4)
    assert found == simulate(history, rules, 4), "the seed decides"
    for one in found:
        assert one.firings > 0
        assert one.years == pytest.approx(4 * (4 * BIN_BLOCKS - 1) / 144 / 365.25)
        assert (one.false, one.close) == {
            Truth.OVER: (0, 0),
            Truth.BETWEEN: (0, one.firings),
            Truth.CLEAR: (one.firings, 0),
        }[expected]


def test_one_bin_past_the_line_excuses_only_what_touches_it(tmp_path: Path) -> None:
    history = RuleHistory(blocks_file(tmp_path, [0.70, 0.90, 0.70, 0.70]), (144, BIN_BLOCKS))
    [rule, _] = [rule for rule in parse_rules(RULES, "rules") if isinstance(rule, HeightRule)]
    window = history.series(rule.model_copy(update={"window_blocks": BIN_BLOCKS}))
    assert truth_of(rule, window).tolist() == [Truth.CLEAR, Truth.OVER, Truth.CLEAR, Truth.CLEAR]
    [found] = simulate(history, [rule], 6)
    assert 0 < found.false < found.firings


def detector_rule(name: str, line: str = "at_least: 1") -> WhenRule:
    text = f"version: 1\nrules:\n  - {{id: surely, type: when, when: {{signal: detector_{name}}}, fire: {{{line}}}}}\n"
    [rule] = parse_rules(text, "rules")
    assert isinstance(rule, WhenRule)
    return rule


def test_no_firing_of_a_detector_is_false_where_the_true_share_is_above_its_line(tmp_path: Path) -> None:
    """Also those before the block at which it fires on the history itself. A rule on its rest fires at once, and is always wrong."""
    history = RuleHistory(blocks_file(tmp_path, [0.77] * 6), (1008, BIN_BLOCKS))
    rules = [detector_rule(f"top4_above_75_{years}y") for years in (1, 5, 10)]
    *found, rest = simulate(history, [*rules, detector_rule("top4_above_75_10y", "at_most: 0")], 6)
    own = backtest(rules[0], history.series(rules[0])).firings[0].fired
    drawn = [history.with_codes(redrawn(history.codes, np.random.default_rng([SEED, at]))) for at in range(6)]
    first = min(backtest(rules[0], one.series(rules[0])).firings[0].fired for one in drawn)
    assert first // BIN_BLOCKS < own // BIN_BLOCKS, "in a bin at whose end it does not fire on the history itself"
    for one in found:
        assert (one.firings, one.false, one.close) == (6, 0, 0)
    assert (rest.firings, rest.false, rest.close) == (6, 6, 0)


def test_the_truth_of_a_detector_is_what_it_is_about(tmp_path: Path) -> None:
    """The four have a quarter of these shares each, the six others a sixth of the rest: HHI is s²/4 + (1 − s)²/6."""
    history = RuleHistory(blocks_file(tmp_path, [0.75, 0.90, 0.76, 0.70]), (BIN_BLOCKS,))
    expected = {
        "top4_above_75": [False, True, True, False],
        "any_above_one_third": [False] * 4,
        "any_above_one_half": [False] * 4,
        "hhi_above_1800": [False, True, False, False],
    }
    for name, above in expected.items():
        rule = detector_rule(f"{name}_5y")
        window = history.window(WindowPlace("raw", BIN_BLOCKS), truth_columns(rule))
        assert truth_of(rule, window).tolist() == [Truth.OVER if one else Truth.CLEAR for one in above]
        opposite = detector_rule(f"{name}_5y", "below: 0.5")
        assert truth_of(opposite, window).tolist() == [Truth.CLEAR if one else Truth.OVER for one in above]


def test_a_firing_of_a_detector_touches_the_blocks_since_its_evidence_began() -> None:
    rule, blocks = detector_rule("top4_above_75_10y"), 20 * BIN_BLOCKS
    truth = np.full(20, Truth.CLEAR, np.int8)
    truth[5] = Truth.OVER
    assert truth_at(rule, 5 * BIN_BLOCKS - 1, truth, blocks) == Truth.CLEAR, "it came before"
    assert truth_at(rule, 5 * BIN_BLOCKS, truth, blocks) == Truth.OVER
    assert truth_at(rule, 15 * BIN_BLOCKS, truth, blocks) == Truth.OVER
    assert truth_at(rule, 17 * BIN_BLOCKS, truth, blocks) == Truth.CLEAR, "its evidence has gone"
    assert truth_at(rule, 9 * BIN_BLOCKS, truth, blocks, ended=6 * BIN_BLOCKS - 1) == Truth.OVER
    assert truth_at(rule, 9 * BIN_BLOCKS, truth, blocks, ended=6 * BIN_BLOCKS) == Truth.CLEAR, (
        "it began again behind it"
    )


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_a_draw_takes_each_block_from_its_own_bin(blocks: int, seed: int) -> None:
    ends = bin_ends(blocks)
    assert ends[-1] == blocks - 1 and (np.diff(ends) == BIN_BLOCKS).all() and 0 <= ends[0] < BIN_BLOCKS
    codes = np.searchsorted(ends, np.arange(blocks)).astype(np.uint16)
    assert (redrawn(codes, np.random.default_rng(seed)) == codes).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 5))
def test_runs_against_a_plain_count(codes: list[int], at_least: int) -> None:
    runs, length = 0, 0
    for at, code in enumerate(codes):
        length = length + 1 if at and codes[at - 1] == code else 1
        runs += code != 0 and length == at_least
    assert runs_of(np.array(codes, np.uint16), at_least) == runs


def test_the_command_counts_false_alarms_and_keeps_to_its_budgets(tmp_path: Path) -> None:
    rules, blocks = tmp_path / "rules.yaml", str(blocks_file(tmp_path, [0.70] * 4))
    rules.write_text(RULES + "  - {id: quiet, type: no_block, alarm_rate: not backtested}\n")

    def ran(*options: str) -> tuple[int, str]:
        found = CliRunner().invoke(rules_app, ["backtest", str(rules), "--blocks", blocks, "--simulate", "2", *options])
        return found.exit_code, " ".join(found.output.split())

    [top, _] = json.loads(ran("--json")[1])
    assert top["simulated"]["false"] == top["simulated"]["firings"] > 0
    assert top["messages_a_year"] > top["firings_a_year"]
    code, text = ran("--budget", "100000/year", "--false-budget", "100000/year")
    assert (code, "Not backtested: quiet." in text, "false alarms per year in" in text) == (0, True, True)
    code, text = ran("--false-budget", "1/year")
    assert code == 1 and "false alarms per year, over the budget of 1" in text
    alone = ran("--false-budget", "1/year", "--hold", "144")
    assert alone[0] == 0, "no share is over its line for 144 blocks more"


def test_a_rule_that_is_not_judged_counts_with_what_it_states(tmp_path: Path) -> None:
    rules, blocks = tmp_path / "rules.yaml", str(blocks_file(tmp_path, [0.5] * 2))
    rate = AlarmRate(50.0, "2021-01 to 2026-04", 30.0).line()
    rules.write_text(f"{RULES}  - {{id: stated, type: sql, sql: SELECT 1, alarm_rate: '{rate}'}}\n")
    asked = [
        "backtest",
        str(rules),
        "--blocks",
        blocks,
        "--simulate",
        "1",
        "--budget",
        "99/year",
        "--false-budget",
        "29/year",
    ]
    ran = CliRunner().invoke(rules_app, asked)
    assert ran.exit_code == 1
    assert "100.00 messages per year, over the budget of 99" in ran.output
    assert "30.00 false alarms per year, over the budget of 29" in ran.output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--simulate", "1"], "--simulate draws the blocks of a file"),
        (["--false-budget", "1/year"], "--false-budget is about simulated alarms"),
    ],
)
def test_an_option_without_the_one_that_it_needs(tmp_path: Path, options: list[str], problem: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    ran = CliRunner().invoke(rules_app, ["backtest", str(rules), *options])
    assert problem in str(ran.exception)


def alarm_rates() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alarm_rates", ROOT / "scripts" / "alarm_rates.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_writes_each_rate_into_its_rule_and_nothing_else() -> None:
    text = (ROOT / "alerts" / "rules.yaml").read_text(encoding="utf-8")
    written = alarm_rates().with_rates(text, {"hhi-band": AlarmRate(1, "2021-01 to 2021-02", 0.5)})
    rules = {rule.id: rule for rule in parse_rules(written, "rules")}
    assert rules.pop("hhi-band").alarm_rate == "1.00 alarms per year in 2021-01 to 2021-02, 0.50 false by simulation"
    assert {rule.alarm_rate for rule in rules.values()} == {NOT_BACKTESTED}
    kept = [line for line in text.splitlines() if "alarm_rate" not in line]
    assert [line for line in written.splitlines() if "alarm_rate" not in line] == kept


@pytest.mark.soak
def test_the_stated_false_alarms_are_those_of_twenty_draws() -> None:
    """The whole script: a rule, a line or a signal that changes has other rates, which messages and docs state."""
    script = [sys.executable, str(ROOT / "scripts" / "alarm_rates.py"), str(shared_data(REAL)), "--check"]
    ran = subprocess.run(script, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_shipped_rates_are_those_of_the_real_blocks() -> None:
    """The backtest in full; the twenty draws of the simulation are in `make soak`."""
    rules = load_rules(None)
    history = RuleHistory(shared_data(REAL), (144, 1008, BIN_BLOCKS))
    messages = 0.0
    warnings: list[tuple[int, int | None]] = []
    for rule in rules:
        rate = parse_alarm_rate(rule.alarm_rate)
        if isinstance(rule, HeightRule):
            found = backtest(rule, history.series(rule))
            assert rate is not None and rate.alarms == pytest.approx(found.firings_a_year, abs=0.005), rule.id
            assert found.firings, "a rule that cannot fire is left out"
            messages += found.messages_a_year if rule.enabled else 0.0
            if rule.id == "top4-share":
                assert [(one.fired, one.cleared) for one in found.firings] == TOP4_ALERTS
            if rule.id == "top4-early":
                warnings = [(one.fired, one.cleared) for one in found.firings]
        elif rate is not None:
            messages += 2 * rate.alarms
    assert f"{messages:.1f}" == "11.3", "docs/rules.md has it"
    before = [fired - max(early for early, _ in warnings if early < fired) for fired, _ in TOP4_ALERTS]
    assert before == [144, 301, 3_669, 21_930, 562, 7_082, 505, 399], "docs/alert-runbook.md has them"
    stated = [rate for rule in rules if rule.enabled and (rate := parse_alarm_rate(rule.alarm_rate))]
    assert f"{sum(rate.false for rate in stated):.2f}" == "0.60"
