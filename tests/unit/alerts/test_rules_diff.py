"""What two rules files would have sent: by hand on a few blocks, and on the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.sent_events import EventOfTwo, SentEvent, diff_events, sent_events
from alerts.signals.window_counts import WindowCounts
from counterpoise.errors import ConfigError
from desk.cli.rules import rules_app
from desk.cli.rules_diff import diff_rules
from tests.shared import shared_data
from tests.unit.alerts.test_backtest import DAY, REAL, rule, series

if "diff" not in {one.name for one in rules_app.registered_commands}:
    rules_app.command("diff")(diff_rules)  # as `counterpoise rules` does

# height                 10  11  12  13  14  15  16  17  18
BLOCKS = series([70, 76, 74, 76, 72, 75, 80, 80, 78])


def of(_rule: HeightRule) -> WindowCounts:
    return BLOCKS


def test_the_events_of_a_rule_by_hand() -> None:
    assert sent_events([rule()], of) == {
        SentEvent(1 * DAY, 11, "r", "bitcoin", "fires"): "76.0 %",
        SentEvent(4 * DAY, 14, "r", "bitcoin", "clears"): "72.0 %",
        SentEvent(6 * DAY, 16, "r", "bitcoin", "fires"): "80.0 %",
    }
    assert [event.height for event in sent_events([rule()], of, days=4)] == [14, 16]
    assert [event.height for event in sent_events([rule()], of, days=3)] == [16]
    assert sent_events([rule()], of, days=0) == {}


def test_a_difference_has_the_events_of_both_in_order() -> None:
    found = diff_events(sent_events([rule()], of), sent_events([rule(for_blocks=1), other()], of))
    assert [(one.event.height, one.event.rule_id, one.event.what, one.old, one.new) for one in found] == [
        (11, "r", "fires", "76.0 %", None),
        (14, "r", "clears", "72.0 %", None),
        (16, "r", "fires", "80.0 %", None),
        (17, "other", "fires", None, "80.0 %"),
        (17, "r", "fires", None, "80.0 %"),
    ]
    assert diff_events({}, {}) == []
    event = SentEvent(0, 1, "r", "bitcoin", "fires")
    assert diff_events({event: "1"}, {event: "1"}) == [EventOfTwo(event, "1", "1")]


def other() -> TopShareRule:
    return rule(id="other", above=0.79, for_blocks=1)


def test_the_command_on_real_blocks(tmp_path: Path) -> None:
    """The default rule fires and clears eight times; without its hold the firings are 36 blocks or more earlier."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    text = (
        "version: 1\nrules:\n  - {id: top4-share, type: top_share, for_blocks: HOLD}\n  - {id: quiet, type: no_block}\n"
    )
    old.write_text(text.replace("HOLD", "36"))
    new.write_text(text.replace("HOLD", "0"))
    asked = ["diff", str(old), str(new), "--blocks", str(shared_data(REAL))]
    ran = CliRunner().invoke(rules_app, [*asked, "--json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    before = [one for one in found if one["old"] is not None]
    assert (before[0]["height"], before[0]["what"], before[-1]["height"]) == (760_903, "fires", 894_647)
    assert len(before) == 16
    assert sum(one["what"] == "fires" and one["new"] is not None for one in found) == 12
    shown = CliRunner().invoke(rules_app, [*asked, "--days", "360"], env={"COLUMNS": "120"}).stdout
    assert "2025-04-30 20:01" in shown and "2025-04-14 03:15" not in shown
    assert "Not compared: quiet." in shown


def test_a_file_with_mistakes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\nrules: [{id: a, type: top_share, k: 9}]\n")
    ran = CliRunner().invoke(rules_app, ["diff", str(path), str(path), "--blocks", str(path)])
    assert isinstance(ran.exception, ConfigError)
    path.write_text("version: 1\nrules: [{id: a, type: no_block}]\n")
    ran = CliRunner().invoke(rules_app, ["diff", str(path), str(path), "--blocks", str(shared_data(REAL))])
    with pytest.raises(ConfigError, match="no rule to compare"):
        raise ran.exception or AssertionError
