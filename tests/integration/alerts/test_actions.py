"""What people ask for by command: acknowledgements and silences, from their rows to the messages."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts import alert_session
from alerts.policy import Action, Actions, SilenceSubject
from alerts.store.alert_actions_log import AlertActionsLog
from counterpoise.clickhouse.client import connect
from counterpoise.errors import ConfigError
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.spans import DAY_SECONDS
from desk.cli.alerts import alerts_app
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter, printed
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_slack


def run(*arguments: str) -> str:
    return printed(alerts_app, *arguments, columns=200)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)


def refuses(problem: str, *arguments: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        run(*arguments)


def shown(slack: SlackServer, text: str) -> Callable[[], bool]:
    return lambda: text in json.dumps(slack.roots[0].blocks)


def test_an_acknowledgement_stands_in_the_message_of_its_alert(
    environment: Settings, replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            [alert] = json.loads(run("list", "--json"))
            said = run("ack", alert["alert_id"][:6], "--by", "ada", "--reason", "pool <maintenance>")
            assert said == f"Alert {alert['alert_id']} is acknowledged.\n"
            running.until(shown(slack, "by ada at "), "the message shows it")
            assert heads(slack) == ["🔴 FIRING"], "it is an edit, no further message"
            assert "acknowledged already, by ada" in run("ack", alert["alert_id"], "--by", "bob")
            assert "(acknowledged)" in run("list")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
            assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]
            assert shown(slack, "pool &lt;maintenance&gt;")()
            refuses("does not fire: it is resolved", "ack", alert["alert_id"])
    refuses("no alert with an id that begins with 'zz'", "ack", "zz")


def test_a_silence_keeps_back_what_fires_until_it_is_worse(
    environment: Settings, replayed: Settings, state_dir: Path
) -> None:
    refuses("needs an end", "silence", "rule=top4-share")
    refuses("'top4-share' is no label", "silence", "top4-share", "--for", "4h")
    refuses("--worse-than is nan, expected a finite number", "silence", "rule=top4-*", "--worse-than", "nan")
    refuses("--worse-than is inf, expected a finite number", "silence", "rule=top4-*", "--worse-than", "inf")
    refuses("no rule 'top-4'", "silence", "rule=top-4", "--for", "4h")
    refuses("--for is '4 hours'", "silence", "rule=top4-*", "--for", "4 hours")
    refuses("no silence with an id that begins with 'ab'", "unsilence", "ab")
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        run("silence", "rule=top4-*", "--worse-than", "0.76", "--by", "ada", "--reason", "known")
        run("silence", "chain=litecoin", "--for", "4h", "--by", "bob")
        assert run("silences").count("NEVER USED") == 2
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            assert slack.messages == []
            listed = run("silences")
            assert "rule=top4-*  until worse than 0.76  1 alert kept back  by ada: known" in listed
            assert listed.count("NEVER USED") == 1
            assert "(silenced)" in run("list")
            world.mine([OVER + 12], tell=True)  # 76.3 %
            running.until(lambda: heads(slack) == ["🔴 FIRING"], "it is worse")
            assert "(silenced)" not in run("list")
            assert "until worse than 0.76  over for now: the value is worse  1 alert" in run("silences")
            [first, other] = json.loads(run("silences", "--json"))
            assert [(one["over"], one["outgrown"]) for one in (first, other)] == [(False, True), (False, False)]
            run("silence", "alert=" + json.loads(run("list", "--json"))[0]["alert_id"][:8], "--until-resolved")
            world.mine([CLEAR], tell=True)
            running.at(H + 43)
            assert heads(slack)[0] == "🟢 RESOLVED"
            assert "until resolved" not in run("silences") and "until resolved  over  " in run("silences", "--all")
        assert "ended" in run("unsilence", first["id"], "--by", "ada")
        assert first["id"][:8] not in run("silences")
        assert f"{first['id'][:8]}  rule=top4-*  until worse than 0.76  ended by ada  1 alert kept back" in run(
            "silences", "--all"
        )


def test_a_silence_until_resolved_is_over_for_what_fires_later(
    environment: Settings, replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            run("silence", "rule=top4-*", "--until-resolved", "--by", "ada")
            assert "(silenced)" in run("list") and "until resolved  NEVER USED" in run("silences")
            world.mine([CLEAR, *[OVER] * 40], tell=True)
            running.until(lambda: heads(slack).count("🔴 FIRING") == 1, "the next firing is sent")
            assert "1 open alert\n" in run("list") and "(silenced)" not in run("list")
            assert "0 silences" in run("silences") and "until resolved  over  " in run("silences", "--all")


def test_what_is_left_out_of_the_rows_decides_nothing(replayed: Settings) -> None:
    rng, now = random.Random(7), 1_700_000_000.0
    times = [now - 90 * DAY_SECONDS, now - 40 * DAY_SECONDS, now - 20 * DAY_SECONDS, now - 60.0, now + 3_600.0]
    silences = [f"{number:016x}" for number in range(30)]
    rows = [
        Action(
            name,
            "silence",
            rng.choice(times),
            matchers={"alert": name},
            until=rng.choice([None, *times]),
            until_resolved=rng.random() < 0.3,
        )
        for name in silences
    ]
    for number in range(30, 90):
        kind = rng.choice(["unsilence", "acknowledge", "refused"])
        rows.append(Action(f"{number:016x}", kind, rng.choice(times), "ada", target=rng.choice(silences)))  # type: ignore[arg-type]
    rng.shuffle(rows)
    with connect(clickhouse_target(replayed), replayed.dataset) as ch:
        log = AlertActionsLog(ch)
        assert (log.mark()[0], log.read_current(now)) == (0, [])
        marks = set()
        for row in rows:
            log.write(row)
            marks.add(log.mark())
        assert len(marks) == len(rows), "each new row is seen"
        every, current = log.read(), log.read_current(now)
    assert {row.id for row in every} == {row.id for row in rows}
    assert len(current) < len([row for row in rows if row.kind != "refused"]) - 8
    for at in (now, now + 2 * 3_600.0):
        for name in silences:
            subject = SilenceSubject({"alert": name}, is_open=True, fired_at=now - 100 * DAY_SECONDS)
            found, expected = (Actions.of(of).silence_of(subject, at) for of in (current, every))
            assert found == expected
    assert Actions.of(current).acknowledgements == Actions.of(every).acknowledgements
