"""What is asked of the rows of alerts costs the same whatever history lies before them."""

from __future__ import annotations

from alerts.machine.ledger import LedgerEntry
from alerts.store.alert_events_log import AlertEventsLog
from alerts.store.alert_store import AlertStore
from alerts.store.concentration_log import NewestScores
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from tests.unit.alerts.slack_world import transition_of

OLD_ROWS = 100_000


def rows_read(ch: ClickHouse) -> int:
    """By the last query."""
    progress = ch._client.last_query.progress
    return int(progress.rows) if progress is not None else 0


def a_step(alert_id: str, sequence: int) -> AlertTransition:
    return transition_of(
        LedgerEntry(alert_id, sequence, "firing", 10, "t", start=3, rule_hash="c" * 12), 1_700_000_000.0
    )


def test_late_rows_of_earlier_alerters_are_found_without_reading_the_history(migrated: Settings) -> None:
    ours = Versions(30)
    with connect(clickhouse_target(migrated), migrated.dataset) as ch:
        ch.execute(
            "INSERT INTO alert_events_log (alert_id, state, version) SELECT lower(hex(number)), 'resolved', "
            "bitShiftLeft(toUInt64(3), 40) + 1 + number FROM numbers({rows:UInt64})",
            {"rows": OLD_ROWS},
        )
        log = AlertEventsLog(ch)
        known = log.newest_of_earlier(ours.epoch)
        assert known == {3: (3 << 40) + OLD_ROWS} and rows_read(ch) == OLD_ROWS
        ch.insert("alert_events_log", alert_event_columns([a_step("a" * 16, 0)], ours.next()))
        assert not log.has_late_rows(known, ours.epoch)
        assert rows_read(ch) < OLD_ROWS // 10, "the index leaves out what was there before"
        for late in (29, 20, 3, 4):  # also of an alerter that was replaced several times
            ch.insert("alert_events_log", alert_event_columns([a_step("b" * 16, late)], (late << 40) + OLD_ROWS + 1))
            assert log.has_late_rows(known, ours.epoch), late
            known = log.newest_of_earlier(ours.epoch)
            assert not log.has_late_rows(known, ours.epoch)


def test_steps_are_read_by_their_key_as_they_were_written_last(migrated: Settings) -> None:
    versions = Versions(1)
    with connect(clickhouse_target(migrated), migrated.dataset) as ch:
        events = AlertStore(ch).events
        rows = [a_step(alert * 16, sequence) for alert in "abc" for sequence in range(3)]
        ch.insert("alert_events_log", alert_event_columns(rows, versions.next()))
        again = rows[1].model_copy(update={"summary": "on another block"})
        ch.insert("alert_events_log", alert_event_columns([again], versions.next()))
        found = events.read_steps([("a" * 16, 1), ("c" * 16, 2), ("d" * 16, 0)])
    assert found == {("a" * 16, 1): again, ("c" * 16, 2): rows[8]}


def test_the_newest_scores_are_found_with_the_blocks_below_them(migrated: Settings) -> None:
    """Without heights that a reorganisation undid, and of a height that was scored twice the later block."""
    with connect(clickhouse_target(migrated), migrated.dataset) as ch:
        for height, block, version, is_deleted in (
            *((height, "a", height, 0) for height in range(100, 112)),
            (109, "b", 200, 0),
            (110, "b", 201, 0),
            (111, "a", 202, 1),
        ):
            ch.execute(
                "INSERT INTO concentration_log (attribution_id, chain, view, window_blocks, height, tip_hash, version, is_deleted) "
                "SELECT 'set', 'bitcoin', view, window_blocks, {height:UInt32}, repeat({block:String}, 32), {version:UInt64}, "
                "{is_deleted:UInt8} FROM (SELECT arrayJoin(['raw', 'entity']) AS view, arrayJoin([144, 1008]) AS window_blocks)",
                {"height": height, "block": block, "version": version, "is_deleted": is_deleted},
            )
        log = AlertStore(ch).concentration
        a, b = b"a".hex() * 32, b"b".hex() * 32
        assert log.newest("bitcoin", "set", 107, 109) == NewestScores(110, 201, {107: a, 108: a, 109: b})
        assert log.newest("bitcoin", "set", -288, 0) == NewestScores(110, 201, {})
        assert log.newest("bitcoin", "set", 111, 111) is None
        assert log.newest("bitcoin", "other", 0, 111) is None
