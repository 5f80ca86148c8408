"""Unit test files of rules: the notation, the mistakes of a file, what makes a test fail, and the shipped files."""

from __future__ import annotations

import re
import tempfile
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.rule_tests.notation import Item, parse_series
from alerts.rule_tests.rule_test import RuleTest
from alerts.rule_tests.rule_test_file import read_test_file, run_test_files
from alerts.rule_tests.run_rule_test import run_rule_test
from alerts.rule_tests.timer_inputs import INPUTS
from alerts.rule_tests.window_series import window_series
from alerts.rules.rule import HeightRule, TimerRule
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules_file import parse_rules, parse_rules_file
from desk.cli.rule_tests import test_rules as command
from desk.cli.rules import rules_app

SHIPPED = Path(str(resources.files("alerts").joinpath("rules.tests.yaml")))
RULES = """version: 1
rules:
  - {id: a, type: top_share, window_blocks: 144, for_blocks: 2, above: 0.75, clear_below: 0.73}
  - {id: hhi, type: metric, metric: hhi_10000, above: 2500, window_blocks: 144, for_blocks: 0}
  - {id: quiet, type: no_block, after: 1h}
"""
TESTS = """version: 1
rules: rules.yaml
tests:
"""

if "test" not in {one.name for one in rules_app.registered_commands}:
    rules_app.command("test")(command)  # as `counterpoise rules` does


def ran(tests: str, folder: Path) -> list[str]:
    """The failures of tests, without the path before them."""
    (folder / "rules.yaml").write_text(RULES)
    path = folder / "tests.yaml"
    path.write_text(TESTS + tests)
    return [failure.removeprefix(f"{path}:").strip() for failure in run_test_files([path]).failures]


WHEN_RULES = """version: 1
rules:
  - {id: unknown, type: when, when: {signal: unknown_share}, fire: {above: 0.1}, for: 2, keep_firing_for: 1}
  - {id: rise, type: when, when: {signal: top4_share, change_blocks: 3}, fire: {at_least: 0.05}, no_data: keep}
  - {id: pool, type: when, when: {signal: pool_share, pool: antpool}, fire: {below: 0.2}, window_blocks: 144}
  - id: both
    type: when
    when:
      any:
        - {signal: top1_share, fire: {above: 0.5}, window_blocks: 144}
        - {signal: unknown_share, fire: {above: 0.3}}
"""
WHEN_TESTS = """version: 1
rules: rules.yaml
tests:
  - rule: unknown
    values: 5x3 12x3 5x3
    expect:
      - {at: 1-3, state: inactive}
      - {at: 4-5, state: pending}
      - {at: 6, sent: firing, message: "Share of unknown blocks over the last 1,008 blocks is 12.0 %, over 10 % for 2 blocks"}
      - {at: 7, state: firing}
      - {at: 8, sent: resolved}
    reorg:
      at: 8
      values: 12x2
      expect:
        - {at: 8, state: firing, sent: nothing}
        - {at: 9, state: firing, message: RETRACTED}
  - rule: rise
    values: 60x3 63 66 66 _ 66x3
    expect:
      - {at: 1-4, state: inactive}
      - {at: 5, sent: firing, message: "is +6.0 points, at least 5 points"}
      - {at: 6-7, state: firing}
      - {at: 8, sent: resolved}
  - rule: pool
    values: 30 144/0 20/60/40 10/60/54
    expect:
      - {at: 1-2, state: inactive}
      - {at: 3, sent: firing, message: "Share of antpool over the last 144 blocks is 13.9 %, below 20 %"}
      - {at: 4, state: firing}
  - rule: both
    values: 40 60 40?31 40
    expect:
      - {at: 1, state: inactive}
      - at: 2
        sent: firing
        message: ["Share of the largest pool over the last 144 blocks is 59.7 %", "with one of 2 conditions met"]
      - {at: 3, state: firing}
      - {at: 4, sent: resolved, message: "no longer with any of 2 conditions met"}
"""


def test_rules_of_type_when_are_tested_by_the_share_that_they_judge(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(WHEN_RULES)
    path = tmp_path / "tests.yaml"
    path.write_text(WHEN_TESTS)
    assert run_test_files([path]).failures == []


def test_the_shipped_tests_pass_and_take_every_branch_of_every_shipped_rule() -> None:
    run = run_test_files([SHIPPED])
    assert run.failures == []
    assert {rule: one.missing for rule, one in run.coverage.items() if one.missing} == {}
    assert run.tests > len(run.coverage) > 0


def test_the_command_prints_coverage(tmp_path: Path) -> None:
    found = CliRunner().invoke(rules_app, ["test", str(SHIPPED), "--complete"], env={"COLUMNS": "100"})
    assert found.exit_code == 0, found.stdout
    assert "0 failures" in found.stdout
    [row] = [line.split() for line in found.stdout.splitlines() if line.strip().startswith("top4-share")]
    assert [word for word in row if word in {"yes", "no", "–"}] == ["yes", "yes", "yes", "yes", "–"]
    (tmp_path / "rules.yaml").write_text(RULES)
    path = tmp_path / "tests.yaml"
    path.write_text(f"{TESTS}  - {{rule: a, values: 74x3, expect: [{{at: 1-3, state: inactive}}]}}\n")
    assert CliRunner().invoke(rules_app, ["test", str(path)]).exit_code == 0
    incomplete = CliRunner().invoke(rules_app, ["test", str(path), "--complete"])
    assert incomplete.exit_code == 1
    assert "Not tested: a (fired, cleared, kept back, revised); hhi (" in incomplete.stdout
    path.write_text(f"{TESTS}  - {{rule: a, values: 74x3, expect: [{{at: 3, state: firing}}]}}\n")
    failed = CliRunner().invoke(rules_app, ["test", str(path)])
    assert failed.exit_code == 1
    assert "position 3: inactive, expected firing" in failed.stdout


def test_the_tests_in_the_docs_pass(tmp_path: Path) -> None:
    page = (SHIPPED.parents[1] / "docs" / "rules.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml\n(version: 1\ntests:.*?)```", page, re.DOTALL)
    path = tmp_path / "tests.yaml"
    path.write_text(text, encoding="utf-8")
    run = run_test_files([path])
    assert (run.failures, run.tests) == ([], 1)


def test_series_in_compact_notation() -> None:
    assert parse_series("74x2 _ 74?3 5/3/2?1x2 no_call") == (
        Item((74.0,)),
        Item((74.0,)),
        Item(),
        Item((74.0,), 3.0),
        Item((5.0, 3.0, 2.0), 1.0),
        Item((5.0, 3.0, 2.0), 1.0),
        Item(word="no_call"),
    )
    assert [item.number for item in parse_series("70..78x9")] == [70, 71, 72, 73, 74, 75, 76, 77, 78]
    assert [item.number for item in parse_series("2..1x3 -1..0.5x2")] == [2, 1.5, 1, -1, 0.5]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no position"),
        ("74x0", "'74x0' is no item"),
        ("74 75%", "'75%' is no item"),
        ("70..78", "'70..78' is a ramp, expected its number of positions"),
        ("1x999999", "over 100000 positions"),
        ("1x60000 1x60000", "over 100000 positions"),
        ("/".join(["1"] * 65), "has over 64 pools"),
        ("9" * 5_000, "is no item"),
    ],
)
def test_a_series_that_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_series(text)


@given(st.text(max_size=60) | st.text(alphabet="0123456789x._?/- ", max_size=40))
def test_any_text_is_a_series_or_one_line(text: str) -> None:
    try:
        assert parse_series(text)
    except ValueError as error:
        assert "\n" not in str(error)


@given(
    share=st.integers(0, 100),
    unknown=st.integers(0, 100),
    k=st.integers(1, 6),
    window=st.sampled_from([144, 1008, 2016, 4320]),
)
def test_a_share_is_the_nearest_that_the_window_can_have(share: int, unknown: int, k: int, window: int) -> None:
    unknown = min(unknown, 100 - share)
    rule = TopShareRule(id="a", k=k, window_blocks=window)
    items = [Item((float(share),), float(unknown))]
    if round(share * window / 100) < k and share + unknown < 100:
        with pytest.raises(ValueError, match="expected a larger share"):
            window_series(rule, items)
        return
    series = window_series(rule, items)
    top = int(series.top(k)[0])
    assert abs(top - share * window / 100) <= 0.5
    assert int(series.n[0]) == window
    assert abs(int(series.unknown[0]) - unknown * window / 100) <= 1
    counts = series.counts[0].tolist()
    assert counts == sorted(counts, reverse=True)


@given(st.lists(st.sampled_from([70, 74, 76]), min_size=1, max_size=60), st.integers(0, 5))
def test_states_are_those_of_the_definition(shares: list[int], hold: int) -> None:
    """Independently of the machine: fires where this and `hold` shares before it are over the line, clears below 73 %."""
    state, run, expected = "inactive", 0, []
    for share in shares:
        if state == "firing" and share >= 73:
            expected.append(state)
            continue
        if state == "firing":
            run = 0
        run = run + 1 if share > 75 else 0
        state = "inactive" if not run else "firing" if run > hold else "pending"
        expected.append(state)
    document = {
        "rule": "a",
        "values": " ".join(map(str, shares)),
        "expect": [{"at": at, "state": state} for at, state in enumerate(expected, start=1)],
    }
    [rule] = parse_rules(
        f"version: 1\nrules: [{{id: a, type: top_share, window_blocks: 144, for_blocks: {hold}}}]", "x"
    )
    found = run_rule_test(RuleTest.model_validate(document), rule)
    assert [one for one in found.failures if "expects" not in one and "no expectation" not in one] == []
    assert ("fired" in found.branches) == ("firing" in expected)


def test_an_input_that_ends_before_an_expected_position_fails(tmp_path: Path) -> None:
    assert ran("  - {rule: a, values: 74x3, expect: [{at: 4, state: inactive}]}", tmp_path) == [
        "test 1 (a): position 4 is expected, and the input ends at position 3"
    ]


def test_what_fails_is_named_with_its_position(tmp_path: Path) -> None:
    tests = """
  - rule: a
    name: all wrong
    values: 74 76x3 70
    expect:
      - {at: 1, state: pending}
      - {at: 4, sent: firing, message: no such text}
      - {at: 5, sent: nothing}
  - {rule: a, values: 76x3, expect: [{at: 3, state: firing}]}
  - {rule: aa, values: 76x3, expect: [{at: 3, state: firing}]}
  - {rule: a, chain: litecoin, values: 76x3, expect: [{at: 3, state: firing}]}
  - {rule: quiet, values: 76x3, expect: [{at: 3, state: firing}]}
  - {rule: quiet, inputs: {tips: 1x3}, expect: [{at: 3, state: firing}]}
  - {rule: hhi, values: 76x3, expect: [{at: 3, state: firing}]}
  - {rule: a, values: 101, expect: [{at: 1, state: firing}]}
  - {rule: hhi, values: 100/50, expect: [{at: 1, state: firing}]}
"""
    found = ran(tests, tmp_path)
    assert found[0] == "test 1 (a: all wrong): position 1: inactive, expected pending"
    assert "position 4: the message is '🔴 FIRING: a: The 4 largest pools" in found[1]
    assert found[1].endswith("expected 'no such text' in it")
    assert found[2:] == [
        "test 1 (a: all wrong): position 5: sent resolved, expected nothing",
        "test 2 (a): position 3: sent firing, which no expectation names",
        "test 3 (aa): rules file '" + str(tmp_path / "rules.yaml") + "' has no such rule, perhaps 'a' was meant",
        "test 4 (a): rules file '" + str(tmp_path / "rules.yaml") + "' has no such rule on chain 'litecoin'",
        "test 5 (quiet): a rule on a timer has `inputs`, and neither `values` nor `reorg`",
        "test 6 (quiet): `inputs` has tips, expected tip",
        "test 7 (hhi): expected the blocks of each pool for a rule on hhi_10000, such as 300/250/200",
        "test 8 (a): expected shares from 0 to 100, with the unknown ones at most 100 together",
        "test 9 (hhi): expected at most the 144 blocks of the window",
    ]


def test_a_rule_on_a_metric_takes_the_blocks_of_pools(tmp_path: Path) -> None:
    """Two halves are 5,000 points of HHI, and four quarters 2,500, which is not over the line."""
    tests = """
  - rule: hhi
    values: 36/36/36/36x2 72/72x2 36/36/36/36
    expect:
      - {at: 1-2, state: inactive}
      - {at: 3, state: firing, sent: firing, message: "is 5,000, over 2,500"}
      - {at: 4, state: firing}
      - {at: 5, sent: resolved}
"""
    assert ran(tests, tmp_path) == []


def test_a_branch_longer_than_what_can_be_rewound_is_compared_at_each_position(tmp_path: Path) -> None:
    tests = """
  - rule: a
    values: 70x5
    expect: [{at: 1-5, state: inactive}]
    reorg:
      at: 3
      values: 70 80x400
      expect:
        - {at: 3, state: inactive}
        - {at: 4-5, state: pending}
        - {at: 6, sent: firing}
        - {at: 7-403, state: firing}
"""
    assert ran(tests, tmp_path) == []


def test_every_mistake_of_a_file_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "tests.yaml"
    path.write_text(
        "version: 1\ntests:\n  - rule: a\n    valuess: 74\n    values: 74%\n    expect:\n      - {at: 0, state: on}\n"
        "      - {at: 1}\n      - {at: 2024-02-31, state: firing}\n"
    )
    file, mistakes = read_test_file(path)
    assert file is None
    assert [(one.line, one.column) for one in mistakes] == [(4, 5), (5, 13), (7, 14), (7, 24), (8, 9), (9, 14)]
    assert mistakes[1].problem.startswith("field 'tests.1.values': '74%' is no item")


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: (TESTS + text).encode()))
def test_any_bytes_are_tests_or_mistakes(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        found, mistakes = read_test_file(Path(file.name))
    assert (found is None) == bool(mistakes)


def test_the_same_tests_run_on_another_rules_file(tmp_path: Path) -> None:
    other = parse_rules_file(RULES.replace("for_blocks: 2", "for_blocks: 0"), "other")
    (tmp_path / "rules.yaml").write_text(RULES)
    path = tmp_path / "tests.yaml"
    path.write_text(f"{TESTS}  - {{rule: a, values: 74 76, expect: [{{at: 2, state: firing, sent: firing}}]}}\n")
    assert run_test_files([path], other).failures == []
    assert len(run_test_files([path]).failures) == 2


@pytest.mark.parametrize("kind", RULE_TYPES)
def test_every_type_of_rule_can_be_tested_by_a_file(kind: str) -> None:
    model = RULE_TYPES[kind]
    assert issubclass(model, HeightRule) or (issubclass(model, TimerRule) and kind in INPUTS)
