"""All that a run left: every row of every table, every view, every named query, and what Slack shows. Two runs are compared with it.

Left out are only the columns that say when or by which writer something was done, never what it was.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from alerts.machine.checkpoints import SHARED_PATH
from alerts.machine.rule_state import RuleState, SharedPath
from alerts.outbox.pictures import PICTURE
from counterpoise.clickhouse.client import ClickHouse
from desk.named_queries import named_queries
from testkit.slack_server import SlackServer
from tests.snapshot.channel import shown_by
from tests.snapshot.tables import LEADER, TRACK_VERSIONS, WHEN_OR_BY_WHOM, WHO_WROTE

LEAVES_REST = frozenset({"concentration_daily_log"})
"""Storage where rows of a branch that lost may stay below the newest version of their bucket; the view over it is compared."""

_PARAMETERS = {
    "concentration_of": "(attribution_id = '{id}')",
    "attributions_of": "(attribution_id = '{id}')",
    "detector_changes_before": "(chain = 'bitcoin', height = 4294967295, blocks = 105120)",
    "top_pools": "(view = 'raw', window = 1008)",
    "share_history": "(pool = 'antpool', window = 1008)",
}
_WITHOUT_EXPLANATION = (
    " REPLACE (arrayFilter(entry -> entry.1 != 'explanation', JSONExtractKeysAndValuesRaw(evidence)) AS evidence)"
)
_ALSO = dict.fromkeys(("alert_events", "alert_events_log", "alerts"), _WITHOUT_EXPLANATION)
"""An explanation is left out of the evidence where ClickHouse does not answer in a second, so it is not compared."""
_WHERE = dict.fromkeys(("alert_deliveries", "alert_deliveries_log", "query deliveries"), f"action != '{PICTURE}'")
"""A kill costs a picture, because it is shown once at most: `once_each` says that none is shown twice."""
_NAMED = named_queries()


@dataclass(frozen=True, slots=True)
class Left:
    """`tables`: rows and a hash of them for each table (FINAL), view and named query. `alerts` and `slack` are spelt out."""

    tables: dict[str, tuple[int, int, int]]
    alerts: list[tuple[Any, ...]]
    checkpoints: dict[str, Any]
    slack: list[dict[str, Any]]
    queries: dict[str, str] = field(default_factory=dict)


def left_by(ch: ClickHouse, slack: SlackServer) -> Left:
    """Look at everything."""
    queries = _queries(ch)
    return Left(
        {name: _digest(ch, sql) for name, sql in queries.items()},
        [
            tuple(row)
            for row in ch.query(
                "SELECT alert_id, sequence, rule_id, toString(state), height, tip_hash, notify, value FROM alert_events_log FINAL "
                "ORDER BY alert_id, sequence"
            )
        ],
        _checkpoints(ch),
        shown_by(slack),
        queries,
    )


def differences(ch: ClickHouse, found: Left, reference: ClickHouse, expected: Left) -> list[str]:
    """What differs, in words: with the first rows that only one side has."""
    lines = []
    for name in sorted(found.tables.keys() | expected.tables.keys()):
        if found.tables.get(name) == expected.tables.get(name):
            continue
        here, there = _rows(ch, found.queries[name]), _rows(reference, expected.queries[name])
        lines.append(f"{name}: {len(here)} rows, expected {len(there)}")
        lines += [f"  only here: {row[:600]}" for row in sorted(here - there)[:3]]
        lines += [f"  missing:   {row[:600]}" for row in sorted(there - here)[:3]]
    if found.alerts != expected.alerts:
        lines.append(f"alerts: {found.alerts}\nexpected: {expected.alerts}")
    if found.checkpoints != expected.checkpoints:
        lines.append(f"checkpoints: {str(found.checkpoints)[:2000]}\nexpected: {str(expected.checkpoints)[:2000]}")
    if found.slack != expected.slack:
        lines.append(f"slack: {json.dumps(found.slack, indent=1)}\nexpected: {json.dumps(expected.slack, indent=1)}")
    return lines


def once_each(slack: SlackServer) -> bool:
    """Whether no key stands in the channel twice, and no thread has two pictures."""
    threads = [picture.thread_ts for picture in slack.uploads.shown]
    return len({message.key for message in slack.messages}) == len(slack.messages) and len(set(threads)) == len(threads)


def _queries(ch: ClickHouse) -> dict[str, str]:
    [(attribution_id,)] = ch.query("SELECT attribution_id FROM attribution_pointer_log FINAL")
    queries: dict[str, str] = {}
    for name, engine in ch.query(
        "SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    ):
        if name in WHO_WROTE | LEAVES_REST or name == "alert_state_log":
            continue
        is_view = engine == "View"
        source = name + (_PARAMETERS.get(name, "").format(id=attribution_id) if is_view else " FINAL")
        queries[name] = _select(source, also=_ALSO.get(name, ""), where=_WHERE.get(name, "1"))
    alert = ch.query("SELECT alert_id FROM alert_events_log FINAL ORDER BY height, alert_id LIMIT 1")
    given = {"alert": alert[0][0] if alert else "0" * 16, "window": "1008", "height": "0"}
    for named in _NAMED.values():
        values = named.bind({p.name: given[p.name] for p in named.parameters if p.name in given and p.default is None})
        name = f"query {named.name}"
        queries[name] = _select(f"({_rounded(ch, _substitute(named.sql, values))})", where=_WHERE.get(name, "1"))
    return queries


def _rounded(ch: ClickHouse, sql: str) -> str:
    """The same with its floating-point numbers to nine places: a sum depends on the order of the rows, and that on the parts."""
    columns = [(row[0], row[1]) for row in ch.query(f"DESCRIBE ({sql})")]
    floats = {name for name, type_ in columns if type_.removeprefix("Nullable(").startswith("Float")}
    kept = (f"round(`{name}`, 9) AS `{name}`" if name in floats else f"`{name}`" for name, _ in columns)
    return f"SELECT {', '.join(kept)} FROM ({sql})"


def _select(source: str, *, also: str = "", where: str = "1") -> str:
    left_out = ", ".join(sorted(WHEN_OR_BY_WHOM))
    return f"SELECT formatRowNoNewline('JSONCompactEachRow', * EXCEPT ({left_out}){also}) AS row FROM {source} WHERE {where}"


def _substitute(sql: str, values: dict[str, str]) -> str:
    """The text of a named query with its values in it, so that it can be a sub-query."""
    text = "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip().rstrip(";")
    return re.sub(r"\{(\w+):([^{}]+)\}", lambda found: f"CAST('{values[found[1]]}' AS {found[2]})", text)


def _digest(ch: ClickHouse, sql: str) -> tuple[int, int, int]:
    [(rows, xor, total)] = ch.query(
        f"SELECT count(), groupBitXor(sipHash64(row)), sum(bitShiftRight(sipHash64(row), 24)) FROM ({sql})"
    )
    return int(rows), int(xor), int(total)


def _rows(ch: ClickHouse, sql: str) -> set[str]:
    return {str(row) for (row,) in ch.query(sql)}


def _checkpoints(ch: ClickHouse) -> dict[str, Any]:
    """Of each rule where it stands at each height, wherever its row was written last."""
    rows = ch.query("SELECT rule_id, chain, state, go_live_height FROM alert_state_log FINAL")
    paths = {chain: SharedPath.from_json(state) for rule_id, chain, state, _ in rows if rule_id == SHARED_PATH}
    found: dict[str, Any] = {}
    for rule_id, chain, text, go_live_height in rows:
        if rule_id in (LEADER, SHARED_PATH):
            continue
        state = RuleState.from_json(text, rule_id=rule_id, chain=chain, hold=0, shared=paths.get(chain))
        assert state is not None
        left_out = (*TRACK_VERSIONS, "standings")
        track = {name: value for name, value in json.loads(text).items() if name not in left_out}
        found[rule_id] = (state.height, state.tip_hash, go_live_height, track, state.marks)
    return found
