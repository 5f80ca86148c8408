"""A rules file that changes under a running alerter: when it is read, and what a mistake in it does."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from alerts.outbox.receivers.receivers import check_rules
from alerts.rules_watch import LOOK_SECONDS, RulesWatch
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from tests.unit.alerts.slack_world import HandClock

LABELLED = "version: 1\nrules: [{id: a, type: top_share, labels: {team: mining}}]\n"
GROUPED = Settings(
    alerts={"receivers": {"desk": {"type": "console"}}, "routes": [{"receivers": ["desk"], "group_by": ["team"]}]}
)
ONE = "version: 1\nrules: [{id: a, type: top_share}]\n"
TWO = "version: 1\nrules: [{id: a, type: top_share, above: 0.8}]\n"


def write(file: Path, text: str, second: int) -> None:
    file.write_text(text)
    os.utime(file, (second, second))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "rules.yaml"
    write(found, ONE, 1)
    return found


def looks(watch: RulesWatch, clock: HandClock, times: int) -> list[bool]:
    found = []
    for _ in range(times):
        clock.at += LOOK_SECONDS
        found.append(watch.changed())
    return found


def test_a_change_is_read_once_the_file_rests(file: Path) -> None:
    clock = HandClock()
    watch = RulesWatch(file, clock)
    assert looks(watch, clock, 2) == [False, False]
    write(file, TWO[:30], 2)
    assert looks(watch, clock, 1) == [False], "it may be half written"
    write(file, TWO, 3)
    assert looks(watch, clock, 3) == [False, True, False]
    assert watch.rules[0].model_dump()["above"] == 0.8
    write(file, TWO + "# a comment\n", 4)
    assert looks(watch, clock, 3) == [False, False, False], "nothing in it is different"


def test_a_signal_reads_it_at_once(file: Path) -> None:
    clock = HandClock()
    watch = RulesWatch(file, clock)
    write(file, TWO, 1)
    assert not watch.changed() and watch.changed(asked=True) and not watch.changed(asked=True)


@pytest.mark.parametrize("wrong", ["version: 1\nrules: [{id: a, type: top_shore}]\n", "[", "", "\x00"])
def test_a_mistake_keeps_the_rules_of_before_and_is_reported_until_it_is_corrected(file: Path, wrong: str) -> None:
    clock = HandClock()
    watch = RulesWatch(file, clock)
    before = watch.rules
    write(file, wrong, 2)
    assert looks(watch, clock, 2) == [False, False] and watch.rules == before
    assert watch.problem and "rules.yaml" in watch.problem
    write(file, ONE, 3)
    assert looks(watch, clock, 2) == [False, False] and watch.problem is None
    file.unlink()
    assert looks(watch, clock, 2) == [False, False] and watch.rules == before
    assert watch.problem and "cannot be read" in watch.problem
    write(file, TWO, 4)
    assert looks(watch, clock, 2) == [False, True] and watch.problem is None


def test_rules_that_do_not_fit_the_settings_are_a_mistake_of_the_file(file: Path) -> None:
    clock = HandClock()
    write(file, LABELLED, 1)
    check = partial(check_rules, GROUPED)
    watch = RulesWatch(file, clock, check=check)
    before = watch.rules
    write(file, TWO, 2)
    assert looks(watch, clock, 3) == [False] * 3 and watch.rules == before
    assert watch.problem and "group_by of route 1 names 'team'" in watch.problem
    with pytest.raises(ConfigError, match="group_by of route 1 names 'team'"):
        RulesWatch(file, clock, check=check)
    write(file, LABELLED.replace("type: top_share,", "type: top_share, above: 0.8,"), 3)
    assert looks(watch, clock, 2) == [False, True] and watch.problem is None


def test_a_start_with_a_mistake_is_refused(file: Path) -> None:
    write(file, "version: 2\n", 2)
    with pytest.raises(ConfigError, match="version"):
        RulesWatch(file, HandClock())


def test_a_watch_that_requires_no_rules_waits_for_the_correction(file: Path) -> None:
    clock = HandClock()
    write(file, "version: 2\n", 2)
    watch = RulesWatch(file, clock, required=False)
    assert not watch.rules and not watch.in_use and watch.problem and "2 mistakes" in watch.problem
    write(file, ONE, 3)
    assert looks(watch, clock, 2) == [False, True]
    assert watch.rules and watch.in_use and watch.problem is None
    write(file, "version: 2\n", 4)
    assert looks(watch, clock, 2) == [False, False]
    assert watch.rules and watch.in_use and watch.problem


def test_the_shipped_rules_stay() -> None:
    clock = HandClock()
    watch = RulesWatch(None, clock)
    assert watch.rules and looks(watch, clock, 3) == [False] * 3 and not watch.changed(asked=True)
