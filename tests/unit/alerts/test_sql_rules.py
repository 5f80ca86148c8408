"""Rules of type `sql`: one alert per key, errors as a state, and what a result has to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dead_man import DeadManRules
from alerts.machine.ledger import Ledger
from alerts.machine.rule_state import alert_id
from alerts.outbox.jobs import actions
from alerts.outbox.render import mark_of
from alerts.rule_queries import RuleQueries
from alerts.rule_tests.rule_test_file import run_test_files
from alerts.rules.sql_rule import MAX_FIRING, SqlRule
from alerts.rules_file import parse_rules_file
from alerts.signals.query_answer import MAX_ROWS, QueryAnswer, QueryRow, answer_of
from alerts.signals.timer_facts import TimerFacts
from alerts.store.alert_events_log import StoredEntry
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition
from counterpoise.runtime.clock import SystemClock

NOW = 1_700_000_000
RULE = """
version: 1
rules:
  - id: share
    type: sql
    sql: SELECT pool AS key, share AS value FROM top_pools(view = 'raw', window = 144)
    fire: {above: 0.4}
    clear: {below: 0.35}
    unit: share
"""
TESTS = """version: 1
rules: rules.yaml
tests:
  - rule: share
    inputs:
      alpha: 0.3 0.41 0.38 error error 0.38 null 0.34
      beta: 0.5 0.5 _ error error 0.1 0.1 0.1
    expect:
      - {at: 1, sent: firing, message: "beta: 50 %, over 40 %."}
      - {at: 2, sent: firing, message: "alpha: 41 %, over 40 %."}
      - {at: 3, sent: resolved, message: "beta is no longer among the rows of the query."}
      - {at: 4, sent: error, message: ["ERROR: share", "The query of rule share fails: the table is gone"]}
      - {at: 5, state: firing, sent: nothing}
      - {at: 6, sent: inactive, message: "gives an answer again"}
      - {at: 7, sent: nothing}
      - {at: 8, sent: resolved, message: "alpha: 34 %, below 35 %."}
"""


def a_rule(**fields: Any) -> SqlRule:
    return SqlRule.model_validate({"id": "q", "sql": "SELECT 1", **fields})


class Desk:
    """A rule that is judged answer by answer."""

    def __init__(self, rule: SqlRule) -> None:
        self.rule = rule
        self.rules = DeadManRules((rule,))
        self.versions = count(1)
        self.seen: list[AlertTransition] = []

    def take(self, answer: QueryAnswer) -> list[AlertTransition]:
        facts = TimerFacts(now=answer.at, changed_at=0.0, answers={self.rule.id: answer})
        found = self.rules.tick(facts, lambda: next(self.versions))
        self.seen += found
        return found

    def firing(self) -> set[str]:
        return {row.evidence.instance or "" for row in self.latest() if row.state == "firing"}

    def latest(self) -> list[AlertTransition]:
        return list({row.alert_id: row for row in self.seen}.values())


def rows(at: int, **values: float | None) -> QueryAnswer:
    return QueryAnswer(at, tuple(QueryRow(key, value) for key, value in values.items()))


def test_an_sql_rule_is_eight_lines_and_its_files_of_tests_run(tmp_path: Path) -> None:
    assert len(RULE.strip().splitlines()[2:]) <= 8
    (tmp_path / "rules.yaml").write_text(RULE)
    path = tmp_path / "tests.yaml"
    path.write_text(TESTS)
    assert run_test_files([path]).failures == []


def test_each_key_is_an_alert_of_its_own() -> None:
    desk = Desk(a_rule(fire={"above": 1}))
    one, two = desk.take(rows(NOW, a=2, b=3, c=0))
    assert (one.evidence.instance, two.evidence.instance) == ("a", "b")
    assert one.alert_id == alert_id("q", "bitcoin", NOW, "a") != two.alert_id
    assert AlertEvidence.model_validate_json(one.evidence.as_json()).instance == "a"
    [ended] = desk.take(rows(NOW + 300, a=1, b=3))
    assert (ended.alert_id, ended.state, ended.summary) == (one.alert_id, "resolved", "a: 1, no longer over 1.")
    assert desk.firing() == {"b"}


def test_another_process_continues_the_alerts_of_each_key() -> None:
    first = Desk(a_rule(fire={"above": 1}))
    first.take(rows(NOW, a=2, b=2))
    ledger: Ledger = first.rules._ledgers["q", "bitcoin"]
    entries = [StoredEntry("q", "bitcoin", False, entry) for entry in ledger.open()]
    second = Desk(a_rule(fire={"above": 1}))
    second.rules.load(entries)
    assert second.take(rows(NOW + 300, a=2, b=2)) == []
    assert [row.evidence.instance for row in second.take(rows(NOW + 600, a=2))] == ["b"]


def test_an_error_is_sent_once_and_resolves_nothing() -> None:
    desk = Desk(a_rule(fire={"above": 1}))
    desk.take(rows(NOW, a=2))
    [failed] = desk.take(QueryAnswer(NOW + 300, error="code 60"))
    assert (failed.state, failed.notify, mark_of(failed)) == ("error", True, "🟠 ERROR")
    assert actions(failed, fired_before=False) == ("post",)
    assert desk.take(QueryAnswer(NOW + 600, error="code 60")) == []
    assert desk.firing() == {"a"}
    [ended] = desk.take(rows(NOW + 900, a=2))
    assert (ended.alert_id, ended.state, mark_of(ended)) == (failed.alert_id, "inactive", "⚪ ENDED")
    assert actions(ended, fired_before=True) == ("update", "thread")
    assert desk.rules.firing() == [row.alert_id for row in desk.seen if row.state == "firing"]


def test_an_error_is_renewed_as_long_as_it_lasts() -> None:
    desk = Desk(a_rule())
    [failed] = desk.take(QueryAnswer(NOW, error="x"))
    assert desk.rules.firing() == [failed.alert_id], "a program would take it for over without its renewal"
    desk.take(rows(NOW + 300))
    assert desk.rules.firing() == []


def test_a_hold_is_from_answer_to_answer_and_survives_an_error() -> None:
    desk = Desk(a_rule(fire={"above": 1}, **{"for": "10m"}))
    assert desk.take(rows(NOW, a=2)) == []
    assert [row.state for row in desk.take(QueryAnswer(NOW + 300, error="x"))] == ["error"]
    assert [row.state for row in desk.take(rows(NOW + 600, a=2))] == ["inactive", "firing"]
    desk = Desk(a_rule(fire={"above": 1}, **{"for": "10m"}))
    assert desk.take(rows(NOW, a=2)) == []
    assert desk.take(rows(NOW + 300)) == [], "its row is gone: the hold begins anew"
    assert desk.take(rows(NOW + 600, a=2)) == []
    assert [row.state for row in desk.take(rows(NOW + 1_200, a=2))] == ["firing"]
    desk = Desk(a_rule(fire={"above": 1}, **{"for": "10m"}))
    assert desk.take(rows(NOW, a=2)) == []
    assert desk.take(rows(NOW + 300, a=None)) == [], "a value that is NULL changes nothing"
    assert [row.state for row in desk.take(rows(NOW + 600, a=2))] == ["firing"]


def test_without_a_line_each_row_is_an_alert() -> None:
    desk = Desk(a_rule())
    assert [row.summary for row in desk.take(rows(NOW, a=None, b=3))] == ["a.", "b: 3."]
    assert [row.state for row in desk.take(rows(NOW + 300, a=None))] == ["resolved"]


def test_too_many_keys_past_the_line_are_an_error_and_no_flood() -> None:
    desk = Desk(a_rule(fire={"above": 1}))
    [failed] = desk.take(rows(NOW, **{f"k{at}": 2.0 for at in range(MAX_FIRING + 1)}))
    assert failed.summary == "The query of rule q fails: 101 keys are past the line, expected at most 100"
    assert desk.firing() == set()


def test_the_time_of_a_row_names_its_alert() -> None:
    desk = Desk(a_rule(fire={"above": 1}))
    [fired] = desk.take(QueryAnswer(NOW, (QueryRow("a", 2.0, NOW - 86_400),)))
    assert (fired.event_time, fired.alert_id) == (NOW - 86_400, alert_id("q", "bitcoin", NOW - 86_400, "a"))


VALUES = st.one_of(st.none(), st.integers(0, 4).map(float))
ANSWERS = st.lists(
    st.one_of(st.just("error"), st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)), max_size=15
)


@given(answers=ANSWERS, has_clear=st.booleans(), hold=st.sampled_from([0, 300, 600]))
def test_what_fires_is_what_a_plain_reading_of_the_answers_says(answers: list[Any], has_clear: bool, hold: int) -> None:
    fields = ({"clear": {"below": 2}} if has_clear else {}) | ({"for": f"{hold}s"} if hold else {})
    desk = Desk(a_rule(fire={"at_least": 3}, **fields))
    open_keys: set[str] = set()
    past_since: dict[str, int] = {}
    for at, answer in enumerate(answers):
        if answer == "error":
            desk.take(QueryAnswer(NOW + 300 * at, error="x"))
        else:
            desk.take(rows(NOW + 300 * at, **answer))
            kept = {key for key in open_keys if key in answer}
            past_since = {key: since for key, since in past_since.items() if key in answer and key not in kept}
            for key, value in answer.items():
                if value is None:
                    continue
                if value < 3:
                    past_since.pop(key, None)
                if value >= 3:
                    if key in kept or 300 * at - past_since.setdefault(key, 300 * at) >= hold:
                        kept.add(key)
                elif not has_clear or value < 2:
                    kept.discard(key)
            open_keys = kept
        assert desk.firing() == open_keys
    assert {row.state for row in desk.seen if row.evidence.instance} <= {"firing", "resolved"}


NO_VALUE = "the row of 'a' has a value that is no number, or a time that is none between 1970 and 2106"


@pytest.mark.parametrize(
    ("names", "rows", "expected"),
    [
        (["k", "value"], [], "the query gives k, value, expected the columns key and value"),
        (["key", "value"], [("a", 1), ("a", 2)], "the key 'a' stands twice"),
        (["key", "value"], [(" ", 1)], "the key '' has 0 characters, expected 1…120"),
        (["key", "value"], [("a", "text")], NO_VALUE),
        (["key", "value", "time"], [("a", 1, "today")], NO_VALUE),
        (["key", "value", "time"], [("a", 1, datetime(1960, 1, 1, tzinfo=UTC))], NO_VALUE),
        (["key", "value", "time"], [("a", 1, datetime(2300, 1, 1))], NO_VALUE),  # noqa: DTZ001 - as the driver gives it
        (["key", "value", "time"], [("a", 1, 1 << 32)], NO_VALUE),
        (["key", "value", "time"], [("a", 1, True)], NO_VALUE),
        (["key", "value"], [("a", 10**400)], NO_VALUE),
        (["key", "value"], [(None, 1)], "a row has no key: it is NULL"),
        (["key", "value"], [("a\0b", 1)], "the key 'a\\x00b' has a character that cannot be shown"),
        (["key", "value"], [("a",)], "the answer cannot be read: tuple index out of range"),
        (
            ["key", "value"],
            [(str(at), 1) for at in range(MAX_ROWS + 1)],
            "over 1,000 rows: aggregate or filter in the query",
        ),
    ],
)
def test_a_result_that_is_no_answer_is_an_error(names: list[str], rows: list[Any], expected: str) -> None:
    assert answer_of(NOW, names, rows).error == expected


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 0xFFFF_FFFF, 1 << 32, 10**400]),
    st.floats(),
    st.decimals(),
    st.text(st.characters()),
    st.text(st.characters(codec=None)),
    st.just("x" * 100_000),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.sampled_from([timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])),
    st.lists(st.integers(), max_size=2),
    st.tuples(st.integers()),
    st.complex_numbers(),
)


@given(
    names=st.one_of(st.just(["key", "value", "time"]), st.lists(st.text(max_size=300), max_size=4)),
    answer=st.lists(st.lists(ODD, min_size=3, max_size=3), max_size=4),
    fields=st.sampled_from([{}, {"fire": {"above": 0.5}, "unit": "share"}, {"fire": {"below": -1e300}, "unit": "x"}]),
)
def test_whatever_an_answer_holds_is_judged_or_an_error_of_its_rule(
    names: list[str], answer: list[list[Any]], fields: dict[str, Any]
) -> None:
    desk = Desk(a_rule(**fields))
    desk.take(rows(NOW, a=0.7))
    found = answer_of(NOW + 300, names, answer)
    assert len(found.error) < 1_000 and "\n" not in found.error
    made = desk.take(found)
    assert not found.error or [row.state for row in made] == ["error"]
    for row in made:
        assert AlertTransition.model_validate_json(row.model_dump_json()) == row, "it can be stored and read"
    if names == ["key", "value", "time"] and any(one[0] is None for one in answer):
        assert found.error


def test_an_answer_that_the_driver_cannot_read_is_an_error_and_the_next_rule_is_asked() -> None:
    class Connection:
        def stream(self, sql: str, params: Any) -> Any:
            if sql == "odd":
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
            yield [("key", "String"), ("value", "UInt8")], [["a"], [1]]

        def close(self) -> None:
            return None

    asked = [a_rule(sql="odd"), SqlRule(id="even", sql="even")]
    queries = RuleQueries(asked, lambda: cast(ClickHouse, Connection()), SystemClock())
    queries.look()
    queries.wait()
    found = queries.look()["bitcoin"]
    assert found["q"].error.startswith("its answer cannot be read: 'utf-8' codec can't decode")
    assert found["even"].rows == (QueryRow("a", 1.0),)


def test_the_columns_go_by_name() -> None:
    moment = datetime(2026, 4, 2, tzinfo=UTC)
    found = answer_of(NOW, ["time", "Value", "more", "KEY"], [(moment, 1, "x", 7), (None, None, "y", "b")])
    assert found.rows == (QueryRow("7", 1.0, int(moment.timestamp())), QueryRow("b", None, None))
    assert answer_of(NOW, ["key", "value"], [("a", float("nan"))]).rows == (QueryRow("a", None),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("sql: SELECT 1, every: 5s", "field 'every' is '5s', expected at least 10s"),
        ("sql: SELECT 1, clear: {below: 1}", "field 'clear' is {'below': 1.0}, expected nothing without `fire`"),
        ("sql: SELECT 1, fire: {above: 1}, clear: {below: 2}", "field 'clear.below' is 2.0, expected a value not over"),
        ("sql: SELECT 1, fire: {over: 1}", "field 'fire.over' is 1, expected no such field; it has above"),
        ("every: 5m", "field 'sql' is missing, expected one SELECT"),
    ],
)
def test_what_does_not_fit_is_named(fields: str, expected: str) -> None:
    text = f"version: 1\nrules:\n  - {{id: q, type: sql, {fields}}}\n"
    found = [one.problem.partition(": ")[2] for one in parse_rules_file(text, "f").mistakes]
    assert any(one.startswith(expected) for one in found), found
