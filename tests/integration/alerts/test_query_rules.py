"""Rules of type `sql` on a real server: as the reader, within limits, beside the alerts on blocks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from alerts import alert_session
from alerts.rule_queries import LIMITS, RuleQueries
from alerts.rules.sql_rule import SqlRule
from alerts.rules_file import parse_rules
from alerts.signals.query_answer import QueryAnswer
from alerts.store.alert_mutes_log import Mute
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.read_only import connect_read_only
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.engines import ClickHouseServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import heads
from tests.integration.alerts.test_live import clock_at
from tests.integration.alerts.world import CLEAR, a_world, with_rules, with_slack

DOCS = Path(__file__).parents[3] / "docs" / "rules.md"


def answers(
    rules: list[SqlRule], clickhouse: ClickHouseServer, database: str, seconds: float = 30.0
) -> dict[str, QueryAnswer]:
    def connect() -> ClickHouse:
        target = replace(clickhouse.reader_target, query_timeout_seconds=seconds)
        return connect_read_only(target, database, LIMITS)

    queries = RuleQueries(rules, connect, SystemClock())
    assert queries.look() == {}
    queries.wait()
    found = queries.look()
    queries.close()
    return found["bitcoin"]


def test_a_query_reads_as_the_reader_and_within_limits(replayed: Settings, clickhouse: ClickHouseServer) -> None:
    statements = {
        "good": "SELECT toString(number) AS key, number / 2 AS value, toDateTime(1700000000, 'UTC') AS time FROM numbers(3)",
        "chain": "SELECT {chain:String} AS key, 1 AS value",
        "many": "SELECT toString(number) AS key, 1 AS value FROM numbers(1000000000)",
        "syntax": "SELEC 1",
        "columns": "SELECT 1 AS one",
        "write": "INSERT INTO alert_mutes_log (rule_id) VALUES ('x')",
        "drop": "DROP TABLE alert_events_log",
        "two": "SELECT 'a' AS key, 1 AS value; DROP TABLE alert_events_log",
        "gone": "SELECT key, value FROM no_such_table",
    }
    statements |= {"bytes": "SELECT unhex('ff') AS key, 1 AS value", "null": "SELECT NULL AS key, 1 AS value"}
    statements |= {"early": "SELECT 'a' AS key, 1 AS value, toDateTime64('1960-01-01 00:00:00', 3, 'UTC') AS time"}
    rules = [SqlRule(id=name, sql=sql) for name, sql in statements.items()]
    found = answers(rules, clickhouse, replayed.dataset)
    assert found["null"].error == "a row has no key: it is NULL"
    assert "a time that is none" in found["early"].error and [row.key for row in found["bytes"].rows] == ["b'\\xff'"]
    assert [(row.key, row.value, row.time) for row in found["good"].rows] == [
        (str(at), at / 2, 1_700_000_000) for at in range(3)
    ]
    assert [row.key for row in found["chain"].rows] == ["bitcoin"]
    assert found["many"].error == "over 1,000 rows: aggregate or filter in the query"
    assert found["columns"].error == "the query gives one, expected the columns key and value"
    assert all(found[name].error for name in ("syntax", "write", "drop", "two", "gone"))
    assert "no_such_table" in found["gone"].error
    assert all("\n" not in answer.error for answer in found.values())


def test_the_examples_of_the_docs_run(replayed: Settings, clickhouse: ClickHouseServer) -> None:
    examples = re.findall(r"```yaml\n(version: 1\nrules:\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    rules = [rule for text in examples for rule in parse_rules(text, "docs/rules.md") if isinstance(rule, SqlRule)]
    assert rules
    assert {answer.error for answer in answers(rules, clickhouse, replayed.dataset).values()} == {""}


def test_rows_fire_and_a_query_that_fails_is_told_once(
    migrated: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_rules(
            with_slack(migrated, slack, state_dir),
            "{id: windows, type: sql, fire: {at_least: 1008}, unit: blocks, sql: \"SELECT concat('of ', "
            "toString(window_blocks)) AS key, window_blocks AS value FROM concentration_log "
            'WHERE chain = {chain:String} GROUP BY window_blocks"}',
            "{id: broken, type: sql, sql: SELECT key FROM no_such_table}",
        )
        world.mine([CLEAR] * 3)
        AlertStore(world.ch).mutes.write(Mute("broken", 4_000_000_000.0, muted_at=1.0))
        with alerter(settings, clock=clock_at(world)) as running:
            deliveries = AlertStore(world.ch).deliveries
            running.until(lambda: "muted" in {one.detail for one in deliveries.read()}, "the error is kept back")
            assert "🟠 ERROR" not in heads(slack)
            AlertStore(world.ch).mutes.write(Mute("broken", 1.0, muted_at=2.0))
            running.until(lambda: {"🔴 FIRING", "🟠 ERROR"} <= set(heads(slack)), "the error is told after its mute")
        told = {row.rule_id: row for row in running.seen}
        assert set(told) == {"windows", "broken"}
        assert told["windows"].summary == "of 1008: 1,008 blocks, at least 1,008 blocks."
        assert told["windows"].evidence.instance == "of 1008"
        assert told["broken"].state == "error"
        assert [row.state for row in running.seen if row.rule_id == "broken"] == ["error"]
        monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 60.0)
        with alerter(settings, clock=clock_at(world)) as again:
            again.until(lambda: again.status.snapshot()["info"].get("undelivered") == 0, "it looked again")
        assert [row.state for row in again.seen] == []
