"""Routes from labels to receivers: which receivers a setting makes, and which of them an alert goes to."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.receivers.receivers import make_receivers, probes, routes, settings_of
from alerts.outbox.routes import Route, labels_of, receivers_for
from alerts.policy import fits, matches
from alerts.rules_file import parse_rules
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings

LABELS = {"rule": "top4-share", "chain": "bitcoin", "severity": "critical"}
RECEIVERS = {"desk": {"type": "slack", "channel": "C1"}, "ops": {"type": "slack", "channel": "C2"}}


def settings(**alerts: Any) -> Settings:
    return Settings(slack={"token": "xoxb-of-all", "channel": "C0"}, alerts=alerts)


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({}, True),
        ({"rule": "top4-share"}, True),
        ({"rule": "top4-*", "chain": "bitcoin"}, True),
        ({"rule": "top4-*", "chain": "litecoin"}, False),
        ({"owner": "*"}, False),
        ({"rule": "TOP4-SHARE"}, False),
        ({"rule": "top[0-9]-share"}, False),
        ({"rule": "top?-share"}, True),
    ],
)
def test_every_label_of_a_match_has_to_fit(match: dict[str, str], holds: bool) -> None:
    assert matches(match, LABELS) is holds


PATTERNS = st.text("ab[]!-*?.\n", max_size=8)


@given(PATTERNS, PATTERNS)
def test_only_the_two_wildcards_are_any(text: str, pattern: str) -> None:
    parts = [".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern]
    assert fits(text, pattern) is (re.fullmatch("".join(parts), text, re.DOTALL) is not None)
    assert fits(pattern, pattern)


def test_the_first_route_that_matches_decides() -> None:
    every = ("a", "b", "c")
    chosen = [Route({"chain": "litecoin"}, frozenset("a")), Route({"severity": "crit*"}, frozenset("bc"))]
    assert receivers_for(LABELS, chosen, every) == {"b", "c"}
    assert receivers_for(LABELS | {"chain": "litecoin"}, chosen, every) == {"a"}


@given(
    st.dictionaries(st.sampled_from(["rule", "chain", "x"]), st.sampled_from(["a", "b", "*"])),
    st.lists(
        st.builds(
            Route,
            st.dictionaries(st.sampled_from(["rule", "chain", "x"]), st.sampled_from(["a", "b", "*"])),
            st.sampled_from([frozenset("p"), frozenset("q"), frozenset("pq")]),
        )
    ),
)
def test_no_alert_is_without_a_receiver(labels: dict[str, str], chosen: list[Route]) -> None:
    assert receivers_for(labels, chosen, "pq")
    if not any(matches(route.match, labels) for route in chosen):
        assert receivers_for(labels, chosen, "pq") == {"p", "q"}


def test_an_alert_has_the_labels_of_its_rule() -> None:
    [rule] = parse_rules(
        "version: 1\nrules: [{id: two, type: metric, metric: nakamoto_half, below: 3, chain: litecoin}]", "test"
    )
    transition = AlertTransition(
        alert_id="0" * 16,
        sequence=0,
        rule_id="two",
        rule_hash="0" * 12,
        state="firing",
        event_time=0,
        recorded_at_ms=0,
        summary="-",
        evidence=AlertEvidence(chain="litecoin", metric="nakamoto_half"),
    )
    known = {"alert": "0" * 16, "rule": "two", "chain": "litecoin", "metric": "nakamoto_half"}
    of_the_rule = {"metric": "nakamoto_half", "view": "raw", "window_blocks": "1008"}
    assert labels_of(transition, None) == known
    assert labels_of(transition, rule) == known | of_the_rule
    then = {"view": "entity", "severity": "critical", "labels": {"team": "desk", "rule": "not ours"}}
    evidence = transition.evidence.model_copy(update={"rule": then})
    before = transition.model_copy(update={"evidence": evidence})
    expected = known | {"view": "entity", "severity": "critical", "team": "desk"}
    assert labels_of(before, None) == expected, "as the rule was at this step"
    assert labels_of(before, rule) == of_the_rule | expected
    edited = rule.model_copy(update={"severity": "warning", "owner": "night desk", "labels": {"pager": "yes"}})
    assert labels_of(before, edited) == of_the_rule | expected, "what it got later is none of the alert's"
    bare = transition.model_copy(update={"evidence": transition.evidence.model_copy(update={"rule": {}})})
    assert labels_of(bare, edited) == known | of_the_rule
    assert labels_of(transition, edited)["owner"] == "night desk", "a row of before rules were kept in it"


def test_named_receivers_take_what_they_leave_out_from_the_section_of_their_type() -> None:
    made = make_receivers(settings(receivers=RECEIVERS), StringIO())
    assert [(one.name, one.kind, one.channel) for one in made] == [("desk", "slack", "C1"), ("ops", "slack", "C2")]
    assert [one.name for one in make_receivers(settings(), StringIO())] == ["slack"], "one channel, as before"


def test_a_receivers_token_takes_the_place_of_the_one_of_all(tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("xoxb-of-ops\n")
    found = settings_of(settings(receivers={"ops": {"type": "slack", "token_file": file}}), "ops").slack
    assert (found.token, found.token_file, found.channel) == (None, file, "C0")


def test_a_dataset_that_is_not_live_reaches_only_this_machine() -> None:
    both = RECEIVERS | {"here": {"type": "console"}}
    for receivers, names in ((both, ["here"]), (RECEIVERS, ["console"])):
        asked = Settings(slack={"token": "x"}, alerts={"receivers": receivers}, dataset_kind="simulated")
        assert [one.name for one in make_receivers(asked, StringIO())] == names


@pytest.mark.parametrize(
    ("alerts", "problem"),
    [
        (
            {"receivers": RECEIVERS, "routes": [{"match": {}, "receivers": ["dest"]}]},
            "alerts.routes: route 1 names the receiver 'dest', expected one of desk, ops",
        ),
        (
            {"routes": [{"receivers": ["desk"]}]},
            "alerts.routes: route 1 names the receiver 'desk', expected one of alerts.receivers, which has none",
        ),
        ({"receivers": {"a": {"type": "pager"}}}, "alerts.receivers.a: type is 'pager', expected one of slack, "),
        (
            {"receivers": {"a": {"type": "console", "channel": "C1"}}},
            "alerts.receivers.a: type console has no setting 'channel', expected none beside type",
        ),
        (
            {"receivers": {"a": {"type": "slack", "url": "https://desk.example"}}},
            "alerts.receivers.a: type slack has no setting 'url', expected base_url, channel, timeout_seconds, token, token_file",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_doctor_names_it_too(alerts: dict[str, Any], problem: str) -> None:
    wrong = settings(**alerts)
    with pytest.raises(ConfigError) as found:
        make_receivers(wrong, StringIO())
    assert str(found.value).startswith(problem)
    assert any(probe.verdict == "problem" and probe.said.startswith(problem) for _, probe in probes(wrong))


def test_doctor_checks_each_receiver_and_shows_no_secret() -> None:
    receivers = RECEIVERS | {"third": {"type": "slack", "token": "xoxb-of-third"}}
    alerts = {"receivers": receivers, "routes": [{"match": {"chain": "*"}, "receivers": ["ops"]}]}
    found = dict(probes(settings(**alerts)))
    assert {name: probe.verdict for name, probe in found.items()} == {"desk": "ok", "ops": "ok", "third": "ok"}
    assert "channel C2" in found["ops"].said and "channel C0" in found["third"].said
    told = f"{found!r} {settings(**alerts)!r} {make_receivers(settings(**alerts), StringIO())!r}"
    assert "xoxb" not in told
    assert routes(settings(**alerts)) == (Route({"chain": "*"}, frozenset({"ops"})),)


def test_receivers_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RECEIVERS__DESK__TYPE": "slack",
        "RECEIVERS__DESK__TOKEN": "xoxb-of-desk",
        "ROUTES": '[{"match": {"chain": "bitcoin"}, "receivers": ["desk"]}]',
    }.items():
        monkeypatch.setenv(f"COUNTERPOISE_ALERTS__{name}", value)
    found = Settings.load().alerts
    token = found.receivers["desk"].token
    assert token is not None and token.get_secret_value() == "xoxb-of-desk"
    assert found.routes[0].receivers == ("desk",)
