"""The page of an alert of every type: the values that it draws are those of the views, or it states why there are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.sql_rule import SqlRule
from alerts.rules.top_share_probability_rule import TopShareProbabilityRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition
from desk.named_queries import named_query
from desk.web.pages import alert_page
from desk.web.panels.panel import PageContext
from tests.engines import ClickHouseServer
from tests.integration.sql.conftest import new_sample
from tests.integration.sql.sample import CURRENT, LAST, block
from tests.unit.web.test_panels import CONTEXT

FIRED = LAST - 60
RULES = {
    "top2_share": TopShareRule(
        id="two", title="Two", k=2, view="entity", window_blocks=144, above=0.6, clear_below=0.5
    ),
    "hhi_10000": MetricRule(id="hhi", title="HHI", metric="hhi_10000", above=1_000, window_blocks=144),
    "nakamoto_half": MetricRule(id="few", title="Few", metric="nakamoto_half", below=3, window_blocks=144),
    "unknown / n": WhenRule.model_validate(
        {
            "id": "unknown",
            "title": "U",
            "when": {"signal": "unknown_share"},
            "fire": {"above": 0.1},
            "window_blocks": 144,
        }
    ),
    "p_top4_above_75": TopShareProbabilityRule(id="p", title="P", window_blocks=144),
}


@pytest.fixture(scope="module")
def written(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """The sample, to which each test adds an alert of its own."""
    with new_sample(clickhouse) as ch:
        yield ch


def id_of(rule_id: str) -> str:
    return rule_id.encode().hex().rjust(16, "b")


def insert(ch: ClickHouse, rule_id: str, evidence: AlertEvidence) -> PageContext:
    """An alert of this rule that fired, and its page's context."""
    transition = AlertTransition(
        alert_id=id_of(rule_id),
        sequence=0,
        rule_id=rule_id,
        rule_hash="0123456789ab",
        state="firing",
        event_time=block("bitcoin", FIRED).time,
        recorded_at_ms=1_700_000_000_000,
        start_height=FIRED,
        value=0.7,
        threshold=0.6,
        summary="Something",
        evidence=evidence,
    )
    ch.insert("alert_events_log", alert_event_columns([transition], 300))
    return PageContext(ch.database, "simulated", "bitcoin", 144, CONTEXT.line, CONTEXT.now)


@pytest.mark.parametrize("column", RULES)
def test_the_values_are_those_of_the_views(written: ClickHouse, column: str) -> None:
    rule: HeightRule = RULES[column].on_chain("bitcoin")
    evidence = AlertEvidence(
        chain="bitcoin", view=rule.view, window_blocks=144, from_height=FIRED - 143, height=FIRED, attribution_id=CURRENT,
        n=144, metric=rule.metric_name, sql=rule.reproducing_sql(CURRENT, FIRED),
    )  # fmt: skip
    context = insert(written, rule.id, evidence)
    found = alert_page.read(written, context, id_of(rule.id))
    assert found is not None and found.values is not None and found.around is None
    expected = written.query(
        f"SELECT height, toFloat64({column}) FROM concentration WHERE chain = 'bitcoin' AND view = {{view:String}} "
        "AND window_blocks = 144 AND window_full AND height >= {first:UInt32} ORDER BY height",
        {"view": rule.view, "first": FIRED - 2 * 144},
    )
    assert len(expected) > 100
    assert [point.height for point in found.values.points] == [height for height, _ in expected]
    assert [point.value for point in found.values.points] == pytest.approx(
        [value for _, value in expected], nan_ok=True
    )
    page = alert_page.draw(found, id_of(rule.id), context)
    assert page.count("<svg") == 2 and ">fired<" in page and '<details class="numbers">' in page
    [shown] = [unescape(one) for one in re.findall(r"<pre>The SQL of the value.*?</pre>", page, re.S)]
    assert f"height BETWEEN {FIRED - 288} AND {LAST}" in shown, "the query can be repeated"


def test_an_alert_of_the_clock_states_why_it_has_no_series(written: ClickHouse) -> None:
    context = insert(written, "no-block", AlertEvidence(chain="bitcoin", sql="SELECT 1 AS seconds"))
    found = alert_page.read(written, context, id_of("no-block"))
    assert found is not None
    page = alert_page.draw(found, id_of("no-block"), context)
    assert "<svg" not in page and "judges a moment or a release, not each block" in page


def test_a_probability_that_no_query_gives_states_so(written: ClickHouse) -> None:
    rule = TopShareProbabilityRule(id="p3", title="P3", k=3, line=0.6, window_blocks=144).on_chain("bitcoin")
    evidence = AlertEvidence(
        chain="bitcoin", view="raw", window_blocks=144, from_height=1, height=FIRED, attribution_id=CURRENT, n=144,
        sql=rule.reproducing_sql(CURRENT, FIRED),
    )  # fmt: skip
    context = insert(written, rule.id, evidence)
    found = alert_page.read(written, context, id_of(rule.id))
    assert found is not None
    assert "No query gives the value of this rule" in alert_page.draw(found, id_of(rule.id), context)


OF_POOLS = "SELECT concat(' ', pool) AS Key, share AS value FROM top_pools(view = 'raw', window = 144) WHERE chain = {chain:String}"
FOR_ALL_CHAINS = "SELECT number + 1 AS value, toString(number) AS key FROM numbers(3)"


@pytest.mark.parametrize(
    ("sql", "key", "expected"),
    [
        (OF_POOLS, "foundry-usa", 48 / 144),
        (OF_POOLS, "antpool", 32 / 144),
        (OF_POOLS, "no-pool", None),
        (FOR_ALL_CHAINS, "2", 3.0),
    ],
)
def test_a_query_rule_is_compared_by_the_row_of_its_key(
    written: ClickHouse, sql: str, key: str, expected: float | None
) -> None:
    rule = SqlRule(id=f"q-{key[:5]}", sql=sql)
    evidence = AlertEvidence(chain="bitcoin", sql=sql, instance=key, rule={"type": "sql"})
    context = insert(written, rule.id, evidence)
    found = alert_page.read(written, context, id_of(rule.id))
    assert found is not None
    assert (found.problem, found.computed) == ("", expected)
    page = alert_page.draw(found, id_of(rule.id), context)
    assert "revised" not in page and f" for {key}" in page
    assert (", with chain=bitcoin</summary>" in page) == (sql == OF_POOLS)


def test_an_alert_without_a_height_is_not_counted_from_the_blocks(written: ClickHouse) -> None:
    insert(written, "q-count", AlertEvidence(chain="bitcoin", sql=OF_POOLS, instance="foundry-usa"))
    query = named_query("reproduce_alert")
    for alert in (id_of("q-count"), id_of("nothing")):
        assert written.query(query.sql, query.bind({"alert": alert})) == []
