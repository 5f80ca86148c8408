"""`counterpoise rules` on the scores and alerts of a dataset."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer

from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition
from counterpoise.errors import ConfigError
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.alerts import alerts_app
from desk.cli.rules import rules_app
from desk.cli.rules_diff import diff_rules
from desk.cli.rules_explain import explain_alert
from desk.cli.sql import sql
from tests.integration.alerts.running import alerter, printed
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, OVER, a_world

for name, command in (("diff", diff_rules), ("explain", explain_alert)):
    if name not in {one.name for one in rules_app.registered_commands}:
        rules_app.command(name)(command)  # as `counterpoise rules` does

RULES = "version: 1\nrules: [{id: top4-share, type: top_share, for_blocks: HOLD}]\n"


def run(*arguments: str, columns: int = 220) -> str:
    return printed(rules_app, *arguments, columns=columns)


def ran(text: str) -> str:
    """What the command in the last lines of a text prints."""
    words = shlex.split(text[text.index("counterpoise sql ") :])
    assert words[:2] == ["counterpoise", "sql"]
    app = typer.Typer()
    app.command()(sql)
    return printed(app, *words[2:], columns=220)


def rules_file(folder: Path, hold: int) -> str:
    path = folder / f"hold-{hold}.yaml"
    path.write_text(RULES.replace("HOLD", str(hold)))
    return str(path)


def test_a_backtest_and_a_difference_read_the_scores_of_the_dataset(environment: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rule to backtest"):
        run("backtest", rules_file(tmp_path, 36))
    with a_world(environment) as world:
        world.mine([*FIRED, CLEAR, OVER, OVER])
    [document] = json.loads(run("backtest", rules_file(tmp_path, 36), "--json"))
    [firing] = document["firings"]
    assert firing["cleared"] == H + 42
    [early] = json.loads(run("backtest", rules_file(tmp_path, 0), "--json"))
    assert [one["fired"] for one in early["firings"]] == [firing["fired"] - 36, H + 43]
    found = json.loads(run("diff", rules_file(tmp_path, 36), rules_file(tmp_path, 0), "--json"))
    assert [(one["height"], one["what"], one["old"] is None, one["new"] is None) for one in found] == [
        (firing["fired"] - 36, "fires", True, False),
        (firing["fired"], "fires", False, True),
        (H + 42, "clears", False, False),
        (H + 43, "fires", True, False),
    ]


def test_a_stored_alert_is_explained(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_world(environment) as world:
        world.mine([*FIRED, CLEAR])
        with alerter(environment) as running:
            running.at(H + 42)
    [closed] = json.loads(printed(alerts_app, "list", "--all", "--json", columns=220))
    assert json.loads(run("explain", closed["alert_id"], "--json"))["page"] is None
    assert "Page " not in run("explain", closed["alert_id"]), "there is no address to give"
    monkeypatch.setenv("COUNTERPOISE_DESK__PUBLIC_URL", "https://desk.example/risk/")
    found = json.loads(run("explain", closed["alert_id"][:8], "--json"))
    assert (found["rule"], found["state"], found["start_height"]) == ("top4-share", "resolved", H + 5)
    assert found["page"] == f"https://desk.example/risk/alert/{closed['alert_id']}"
    assert [(step["state"], step["height"]) for step in found["steps"]] == [
        ("pending", H + 5),
        ("firing", H + 41),
        ("resolved", H + 42),
    ]
    fired, resolved = found["steps"][1:]
    assert fired["value"] > fired["threshold"] == 0.75 > resolved["value"]
    assert fired["leaders"] and fired["deliveries"][0]["action"] == "post"
    with connect(clickhouse_target(environment), environment.dataset) as ch:
        [(height, _, _, _, value, *_)] = ch.query(found["sql"])
    assert (height, value) == (H + 41, fired["value"]), "the SQL gives the value of the firing again"
    text = run("explain", closed["alert_id"])
    assert f"Page       {found['page']}" in text
    assert "top-4 share of 1008 blocks (raw) over 75 % for 36 blocks, clear below 73 %" in text
    assert f"Began      at height {H + 5} of bitcoin" in text
    assert "console" in text and "post sent" in text
    assert f"{H + 41}" in ran(text)
    with pytest.raises(ConfigError, match="no alert with an id that begins with 'zz'"):
        run("explain", "zz")


def test_the_command_of_a_query_runs_as_it_is_printed(environment: Settings) -> None:
    query = """SELECT concat({chain:String}, ' "$HOME" `id` :key: \\'x\\' [b]') AS key,
        1 AS value"""
    fired = AlertTransition(
        alert_id="ab" * 8,
        sequence=0,
        rule_id="odd",
        rule_hash="0" * 12,
        state="error",
        event_time=1,
        recorded_at_ms=1_000,
        summary="-",
        evidence=AlertEvidence(chain="litecoin", sql=query),
    )
    with connect(clickhouse_target(environment), environment.dataset) as ch:
        events, versions = AlertStore(ch).events, Versions(claim_epoch(ch, "alerts"))
        other = fired.model_copy(update={"alert_id": "ac" * 8, "rule_id": "other"})
        events.write([fired, other], versions.next())
        assert events.alerts_of("a") == ["ab" * 8, "ac" * 8] and events.alerts_of("%") == []
        assert events.rule_ids() == {"odd", "other"}
    for text in (run("explain", "ab"), printed(alerts_app, "show", "ab", columns=80)):
        assert "litecoin \"$HOME\" `id` :key: 'x' [b]" in ran(text)
    with pytest.raises(ConfigError, match=f"2 alerts .{'ab' * 8}, {'ac' * 8}. with an id that begins with 'a'"):
        run("explain", "a")
    printed(alerts_app, "ack", "ab", columns=80)
    assert "is acknowledged already" in printed(alerts_app, "ack", "ab", columns=80), "an error is repeated until it is"
