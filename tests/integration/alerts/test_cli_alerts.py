"""`counterpoise alerts` on what a run left behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from desk.cli.alerts import alerts_app
from desk.cli.root import main
from testkit.slack_server import CHANNEL, TOKEN, SlackServer
from testkit.webhook_server import WebhookServer
from tests.integration.alerts.running import alerter, printed
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, OVER, a_world


def run(*arguments: str, columns: int = 220) -> str:
    return printed(alerts_app, *arguments, columns=columns)


def test_list_show_and_mute(environment: Settings) -> None:
    with a_world(environment) as world:
        world.mine([*FIRED, CLEAR, OVER, OVER])
        with alerter(environment) as running:
            running.at(H + 44)
    assert "0 open alerts" in run("list") and "1 that never fired is left out" in run("list")
    [pending] = json.loads(run("list", "--unfired", "--json"))
    assert (pending["state"], pending["evidence"]["height"]) == ("pending", H + 43)
    assert pending["now"] == "75.1 %"
    everything = json.loads(run("list", "--all", "--unfired", "--json"))
    assert [row["state"] for row in json.loads(run("list", "--all", "--json"))] == ["resolved"]
    assert json.loads(run("list", "--state", "pending", "--json")) == [pending]
    assert json.loads(run("list", "--all", "--rule", "no-block", "--json")) == []
    assert json.loads(run("list", "--all", "--unfired", "--chain", "litecoin", "--json")) == []
    for wrong in (("--rule", "top-4"), ("--state", "open")):
        with pytest.raises(ConfigError, match="expected one of"):
            run("list", *wrong)
    assert [row["state"] for row in everything] == ["pending", "resolved"]
    assert run("list", "--all", "--unfired", "--limit", "1").startswith("1 of 2 alerts\n")
    assert run("list", "--all", "--unfired", "--limit", "2").startswith("2 alerts\n")
    closed = everything[1]["alert_id"]
    shown = json.loads(run("show", closed[:8], "--json"))
    assert [row["state"] for row in shown["transitions"]] == ["pending", "firing", "resolved"]
    assert [(d["action"], d["status"]) for d in shown["deliveries"] if d["sequence"] == 1] == [("post", "sent")]
    assert "counterpoise sql" in run("show", closed)
    assert "muted for 2 h" in run(
        "mute", "top4-share", "--for", "2h", "--by", "mara", "--reason", "maintenance\nof pools"
    )
    listed = run("list", "--all", "--unfired", columns=80)
    assert "top4-share (muted)" in listed and "UTC by mara: maintenance of pools" in listed
    assert max(map(len, listed.splitlines())) <= 80 and listed.count("75.1 %") >= 2
    assert "no longer muted" in run("unmute", "top4-share")
    assert "muted" not in run("list")
    with pytest.raises(ConfigError, match="no alert with an id that begins with 'zz'"):
        run("show", "zz")


def test_a_mute_of_nothing_or_for_no_time_is_refused(environment: Settings) -> None:
    with pytest.raises(ConfigError, match="no rule 'top-4', expected one of top4-share, "):
        run("mute", "top-4")
    with pytest.raises(ConfigError, match="--for is '2 hours', expected a duration"):
        run("mute", "top4-share", "--for", "2 hours")


def test_a_mute_of_all_rules_outlives_the_end_of_one(environment: Settings) -> None:
    run("mute", "*", "--for", "2h", "--by", "mara")
    run("mute", "top4-share", "--for", "1h", "--by", "ada")
    ended = run("unmute", "top4-share")
    assert ended.startswith("top4-share stays muted, because all rules are muted.\n")
    assert "no longer muted" not in ended
    assert re.search(r"Still holds: all rules: muted until [\d-]+ [\d:]+ UTC by mara", ended)
    run("mute", "top4-share", "--for", "1h", "--by", "ada")
    ended = run("unmute", "*")
    assert ended.startswith("* is no longer muted.\nStill holds: top4-share: muted until ") and "by ada" in ended
    assert run("unmute", "top4-share") == "top4-share is no longer muted.\n"


@pytest.mark.parametrize(("answers", "code"), [([503, 503], 3), ([503, 400], 2), ([503, 200], 3)])
def test_receivers_that_are_only_away_are_no_mistake_of_the_settings(
    environment: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[int],
    code: int,
) -> None:
    with WebhookServer() as first, WebhookServer() as second:
        for server, answer in zip((first, second), answers, strict=True):
            server.plan = [answer]
        receivers = {
            name: {"type": "webhook", "url": server.url, "secret": "s" * 20}
            for name, server in (("one", first), ("two", second))
        }
        monkeypatch.setenv("COUNTERPOISE_ALERTS__RECEIVERS", json.dumps(receivers))
        monkeypatch.setenv("COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE", "true")
        assert main(["alerts", "test"]) == code
    said = capsys.readouterr().err
    assert said.startswith("counterpoise: one: ") and ("; two: " in said) == (answers[1] != 200)


def test_rules_are_checked_and_explained(environment: Settings, tmp_path: Path) -> None:
    assert "top-4 share of 1008 blocks (raw) over 75 % for 36 blocks, clear below 73 %" in run("rules")
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\nrules: [{id: a, type: no_block, after: 30m}]\n")
    assert json.loads(run("rules", str(file), "--json"))[0]["condition"] == "no block for 30 min"


def test_a_test_message_reaches_slack(environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with SlackServer() as slack:
        for name, value in {
            "COUNTERPOISE_SLACK__TOKEN_FILE": str(token),
            "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
            "COUNTERPOISE_SLACK__BASE_URL": slack.base_url,
            "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE": "true",
        }.items():
            monkeypatch.setenv(name, value)
        said = run("test")
        assert [m.text for m in slack.messages] == [f"Counterpoise can post here (dataset {environment.dataset})."]
    assert "The token belongs to counterpoise" in said
    assert TOKEN not in said
