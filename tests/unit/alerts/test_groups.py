"""Groups: which message an alert belongs to, what the message shows, and what the settings may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.outbox.group_message import LineText, group_message
from alerts.outbox.groups import (
    MAX_LINES,
    GroupedAlert,
    Root,
    head_of,
    line_of,
    lines_of,
    name_of,
    open_root,
    root_named,
)
from alerts.outbox.receivers.receivers import check_groups, probes, routes
from alerts.outbox.receivers.webhook_receiver import body_of
from alerts.outbox.render import MAX_BLOCKS, MAX_HEADER_CHARACTERS, MAX_SECTION_CHARACTERS, Message
from alerts.outbox.routes import GROUP_LABELS, AlertGroup, Route, group_of
from alerts.rules_file import parse_rules
from counterpoise.contracts.alert_transition import AlertState, AlertTransition
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from desk.cli.rules import rules_app
from tests.unit.alerts.events import FIRED, LABELS, RESOLVED, message

BITCOIN = AlertGroup(0, (("chain", "bitcoin"),))
STATES: tuple[AlertState, ...] = ("firing", "error", "resolved", "retracted", "inactive")


def steps(number: int, state: AlertState) -> tuple[AlertTransition, ...]:
    """A firing, and what became of it."""
    name = f"{number:016x}"
    fired = FIRED.model_copy(update={"alert_id": name, "recorded_at_ms": 1_000 * number, "sequence": 0})
    if state == "firing":
        return (fired,)
    later = {"state": state, "sequence": 1, "previous_state": "firing", "recorded_at_ms": 1_000 * number + 1}
    return fired, fired.model_copy(update=later)


def test_the_group_is_of_the_first_route_that_matches() -> None:
    every = frozenset({"desk"})
    found = [Route({"chain": "litecoin"}, every), Route({}, every, ("chain", "team"))]
    assert group_of(LABELS, found, "desk") == AlertGroup(1, (("chain", "bitcoin"), ("team", "")))
    assert group_of(LABELS, found, "ops") is None
    assert group_of(LABELS | {"chain": "litecoin"}, found, "desk") is None
    assert group_of(LABELS, (), "desk") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 3)), max_size=8))
def test_an_alert_joins_the_newest_open_root_of_its_group(given_roots: list[tuple[int, bool, int]]) -> None:
    roots = [
        Root(f"{at:x}", BITCOIN if ours else AlertGroup(1, BITCOIN.labels), float(sent))
        for at, (_, ours, sent) in enumerate(given_roots)
    ]
    found = open_root(BITCOIN, roots)
    ours = [root for root in roots if root.group == BITCOIN]
    assert (found is None) is (not ours)
    if found is not None:
        assert max(root.sent_at for root in ours) == next(root.sent_at for root in ours if root.alert_id == found)
    assert open_root(BITCOIN, reversed(roots)) == found, "in any order"


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=40), st.randoms())
def test_a_root_shows_every_alert_once_and_what_fires_first(states: list[AlertState], random: Any) -> None:
    members = [steps(number, state) for number, state in enumerate(states)]
    lines = lines_of(members)
    firing = [line.is_firing for line in lines]
    assert firing == sorted(firing, reverse=True)
    assert {line.fired.alert_id: line.latest.state for line in lines} == {
        one[0].alert_id: state for one, state in zip(members, states, strict=True)
    }
    head = head_of(lines)
    assert (f" {sum(firing)} of {len(states)} " in head) is any(firing)
    assert ("RESOLVED" in head) is (set(states) == {"resolved"})
    assert ("FIRING" in head) is ("firing" in states)
    random.shuffle(members)
    assert lines_of(members) == lines


def test_an_edit_of_the_rule_is_no_resolution() -> None:
    fired, ended = steps(1, "resolved")
    assert head_of([GroupedAlert(fired, ended.model_copy(update={"reason": "rule-changed"}))]).startswith("⚪ ENDED")


def test_a_row_names_the_root() -> None:
    assert root_named(line_of("ab" * 8)) == "ab" * 8
    assert root_named("muted") is None
    assert name_of({"chain": "bitcoin", "team": ""}) == "chain bitcoin, team –"


@given(
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300), st.sampled_from(STATES)), min_size=2, max_size=60),
    st.dictionaries(st.sampled_from(("chain", "team")), st.text(max_size=300)),
)
def test_the_message_of_a_group_fits_into_slack(
    alerts: list[tuple[str, str, AlertState]], labels: dict[str, str]
) -> None:
    lines = [
        LineText(GroupedAlert((one := steps(number, state))[0], one[-1]), title, who, "https://desk.example/alert/1")
        for number, (title, who, state) in enumerate(alerts)
    ]
    whole = tuple({"type": "section", "text": {"type": "mrkdwn", "text": "x"}} for _ in range(MAX_BLOCKS))
    shown = group_message(labels, lines, alerts[0][0], Message("text", whole, "line"))
    assert len(shown.blocks) <= MAX_BLOCKS
    assert 0 < len(shown.blocks[0]["text"]["text"]) <= MAX_HEADER_CHARACTERS
    assert all(len(block["text"]["text"]) <= MAX_SECTION_CHARACTERS for block in shown.blocks)
    listed = "\n".join(block["text"]["text"] for block in shown.blocks[1:])
    assert listed.count("<") == listed.count(">"), "no link is cut"
    assert listed.count("<https://desk.example/alert/1|") == min(len(lines), MAX_LINES)
    assert (f"and {len(lines) - MAX_LINES} more" in listed) is (len(lines) > MAX_LINES)


def settings(*group_by: str, **alerts: Any) -> Settings:
    route = {"receivers": ["desk"], "group_by": group_by}
    receivers = {"desk": {"type": "slack", "channel": "C1"}}
    return Settings(slack={"token": "xoxb"}, alerts={"receivers": receivers, "routes": [route], **alerts})


RULES = parse_rules("version: 1\nrules: [{id: a, type: top_share, labels: {team: mining}}]", "text")


def test_a_group_is_by_labels_of_ours_and_of_the_rules() -> None:
    check_groups(routes(settings(*GROUP_LABELS, "team")), RULES)
    assert routes(settings("chain", "chain"))[0].group_by == ("chain",)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("severty", "perhaps 'severity' was meant, "), ("alert", ""), ("teem", "perhaps 'team' was meant, ")],
)
def test_a_label_that_there_is_not_is_a_mistake(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_groups(routes(settings("chain", name)), RULES)
    assert str(caught.value) == (
        f"alerts.routes: group_by of route 1 names {name!r}, {hint}expected labels: rule, chain, instance, severity, owner, "
        "metric, view, window_blocks, team"
    )
    assert [(where, probe.verdict) for where, probe in probes(settings("chain", name)) if where == "routes"] == [
        ("routes", "problem")
    ]


def test_the_check_of_a_rules_file_covers_the_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules: [{id: a, type: top_share, labels: {team: mining}}]\n")
    monkeypatch.setenv("COUNTERPOISE_ALERTS__RECEIVERS", '{"desk": {"type": "console"}}')
    found = []
    for name in ("team", "teem"):
        monkeypatch.setenv("COUNTERPOISE_ALERTS__ROUTES", f'[{{"receivers": ["desk"], "group_by": ["{name}"]}}]')
        found.append(CliRunner().invoke(rules_app, ["check", str(file)]).exception)
    assert found[0] is None
    assert "perhaps 'team' was meant" in str(found[1])


def test_a_program_gets_the_labels_of_the_group() -> None:
    from dataclasses import replace

    plain = message(RESOLVED, FIRED, RESOLVED)
    assert plain.event is not None
    grouped = replace(plain, event=replace(plain.event, group={"chain": "bitcoin"}))
    before, after = (body_of(one, "a:1:thread", "test") for one in (plain, grouped))
    assert after.pop("alert") == {**before.pop("alert"), "group": {"chain": "bitcoin"}}
    assert before == after
