"""The shipped set: every rule has an owner, a section of the alert runbook, unit tests, and a stated alarm rate."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from alerts.alarm_rate import NOT_BACKTESTED, parse_alarm_rate
from alerts.outbox.message_context import published
from alerts.rule_tests.rule_test_file import read_test_file, run_test_files
from alerts.rules.rule import HeightRule, Rule
from alerts.rules_file import load_rules

ROOT = Path(__file__).resolve().parents[3]
TESTS = Path(str(resources.files("alerts").joinpath("rules.tests.yaml")))
RULES = load_rules(None)
PARTS = ("- **Meaning.**", "- **Check first.**", "- **Do.**", "- **Who.**")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_shipped_rule_is_whole(rule: Rule) -> None:
    assert rule.owner and rule.severity and rule.title != "-"
    page, _, anchor = rule.runbook.partition("#")
    sections = re.split(r"^## ", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    [section] = [one for one in sections if one.startswith(f"{anchor}\n")]
    assert anchor == rule.id
    assert [section.count(part) for part in PARTS] == [1, 1, 1, 1]
    assert rule.owner in section.partition("- **Who.**")[2].lower()
    assert "counterpoise " in section, "what to check first is a command"
    assert rule.alarm_rate == NOT_BACKTESTED or parse_alarm_rate(rule.alarm_rate), rule.alarm_rate
    if isinstance(rule, HeightRule):
        assert rule.alarm_rate != NOT_BACKTESTED, "its history is there"


def test_a_rule_that_never_alarmed_is_left_out() -> None:
    rates = {rule.id: rate for rule in RULES if rule.enabled and (rate := parse_alarm_rate(rule.alarm_rate))}
    assert len(rates) > 1 and all(rate.alarms > 0 for rate in rates.values())


def test_the_unit_tests_cover_every_branch_of_every_rule() -> None:
    run = run_test_files([TESTS])
    assert run.failures == []
    file, _ = read_test_file(TESTS)
    assert file is not None
    assert {test.rule for test in file.tests} == {rule.id for rule in RULES}


def test_each_message_states_runbook_and_alarm_rate() -> None:
    for rule in RULES:
        facts = dict(rule.responsible())
        assert (facts["Runbook"], facts["Alarm rate"]) == (rule.runbook, rule.alarm_rate)
        assert published(rule.runbook, "https://docs.example") == f"https://docs.example/alert-runbook.html#{rule.id}"


def test_the_demo_judges_the_first_shipped_rule() -> None:
    [demo] = load_rules(Path(str(resources.files("alerts").joinpath("demo.rules.yaml"))))
    shipped = RULES[0]
    assert (demo.id, demo.rule_hash, demo.title) == (shipped.id, shipped.rule_hash, shipped.title)
