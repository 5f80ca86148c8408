"""What the alerter reads from and writes to ClickHouse: scores in; transitions, deliveries, checkpoints and mutes both ways."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from alerts.machine.ledger import LedgerEntry
from alerts.machine.rule_state import RuleState
from alerts.signals.window_counts import WindowCounts
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.alert_events import alert_event_columns
from counterpoise.contracts.alerts import AlertEvidence, AlertTransition
from counterpoise.windows import LEADERS, ONE_SERIES

ALL_RULES: Final = "*"
"""The name under which a mute holds for every rule."""

LEADER: Final = "_leader"
"""The row of alert_state_log in which the alerter at work says that it is."""

_COUNTS = ", ".join(f"c{i}, l{i}" for i in range(1, LEADERS + 1))
_SERIES = f"""
SELECT height, lower(hex(tip_hash)) AS tip, toUnixTimestamp(time) AS seconds, n, unknown, window_full, pools_seen, {_COUNTS},
  p_top4_above_75
FROM concentration_log FINAL
WHERE attribution_id = {{attribution_id:String}} AND chain = {{chain:String}} AND view = {{view:String}}
  AND window_blocks = {{window_blocks:UInt16}} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
ORDER BY height
"""  # noqa: S608

_SERIES_KEY = f"attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES}"
_TIP = (
    f"SELECT height, toUnixTimestamp(time), lower(hex(tip_hash)) FROM concentration_log FINAL WHERE {_SERIES_KEY} "  # noqa: S608
    "AND height >= {low:Int64} ORDER BY height DESC LIMIT 1"
)

DeliveryStatus = Literal["sent", "skipped"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message: `message_ts` identifies it in its channel, `detail` says why it was skipped."""

    alert_id: str
    sequence: int
    receiver: str
    action: str
    status: DeliveryStatus
    channel: str = ""
    message_ts: str = ""
    attempts: int = 1
    detail: str = ""
    updated_at: float = 0.0

    @property
    def key(self) -> tuple[str, int, str]:
        """What identifies it to its notifier."""
        return self.alert_id, self.sequence, self.action


def empty_window_counts(names: tuple[str, ...] = ("",)) -> WindowCounts:
    """A series of no heights."""
    columns: dict[str, Any] = dict.fromkeys(("height", "time", "n", "unknown", "pools_seen", "window_full"), ())
    blank = np.zeros((0, 6), np.int64)
    return WindowCounts.of(**columns, tip_hash=(), p_top4_above_75=[], counts=blank, leaders=blank, names=names)


class AlertStore:
    """One connection's view of the alerter's tables; not safe to share between threads."""

    def __init__(self, ch: ClickHouse) -> None:
        self.ch = ch
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}

    # Scores.

    def attribution_id(self, chain: str) -> str | None:
        """The chain's current attribution set; None before its first block."""
        rows = self.ch.query(
            "SELECT attribution_id FROM attribution_pointer_log FINAL WHERE chain = {chain:String}", {"chain": chain}
        )
        return str(rows[0][0]) if rows else None

    def tip(self, chain: str, attribution_id: str) -> tuple[int, int, str] | None:
        """(height, block time in seconds, hash) of the highest scored block; None where nothing is scored."""
        asked = {"id": attribution_id, "chain": chain}
        [(highest,)] = self.ch.query(f"SELECT max(height) FROM concentration_log WHERE {_SERIES_KEY}", asked)  # noqa: S608
        # FINAL merges all that the condition leaves: the newest heights are enough, unless a reorg undid every one of them.
        rows = self.ch.query(_TIP, {**asked, "low": int(highest) - 300})
        rows = rows or self.ch.query(_TIP, {**asked, "low": 0})
        return (int(rows[0][0]), int(rows[0][1]), str(rows[0][2])) if rows else None

    def series(
        self, chain: str, attribution_id: str, view: str, window_blocks: int, *, low: int, high: int
    ) -> WindowCounts:
        """The scored heights from `low` to `high`, up to the first one that is missing."""
        asked = {
            "attribution_id": attribution_id,
            "chain": chain,
            "view": view,
            "window_blocks": window_blocks,
            "low": max(0, low),
            "high": max(0, high),
        }
        found = self.ch.query_columns(_SERIES, asked)
        names = self.names(attribution_id, view)
        heights = np.asarray(found["height"], np.int64)
        if not len(heights):
            return empty_window_counts(names)
        codes = np.stack([np.asarray(found[f"l{i}"], np.int64) for i in range(1, LEADERS + 1)], axis=1)
        if int(codes.max()) >= len(names):  # a name that came after we read them
            self._names.pop((attribution_id, view), None)
            names = self.names(attribution_id, view)
        series = WindowCounts(
            height=heights,
            tip_hash=tuple(str(tip) for tip in found["tip"]),
            time=np.asarray(found["seconds"], np.int64),
            n=np.asarray(found["n"], np.int64),
            unknown=np.asarray(found["unknown"], np.int64),
            window_full=np.asarray(found["window_full"], np.bool_),
            pools_seen=np.asarray(found["pools_seen"], np.int64),
            counts=np.stack([np.asarray(found[f"c{i}"], np.int64) for i in range(1, LEADERS + 1)], axis=1),
            p_top4_above_75=np.asarray(found["p_top4_above_75"], np.float64),
            leaders=codes,
            names=names,
        )
        gaps = np.flatnonzero(np.diff(heights) != 1)
        return series.part(slice(0, int(gaps[0]) + 1)) if len(gaps) else series

    def names(self, attribution_id: str, view: str) -> tuple[str, ...]:
        """The slug of each pool code of a set, by code."""
        key = (attribution_id, view)
        if key not in self._names:
            rows = self.ch.query(
                "SELECT code, slug FROM pool_names_log FINAL WHERE attribution_id = {id:String} AND view = {view:String}",
                {"id": attribution_id, "view": view},
            )
            names = [f"code-{code}" for code in range(max((int(code) for code, _ in rows), default=0) + 1)]
            for code, slug in rows:
                names[int(code)] = str(slug)
            if not rows:
                return tuple(names)
            self._names[key] = tuple(names)
        return self._names[key]

    def lowest(self, chain: str, attribution_id: str) -> int | None:
        """The lowest scored height."""
        rows = self.ch.query(
            f"SELECT min(height), count() FROM concentration_log WHERE {_SERIES_KEY} AND is_deleted = 0",  # noqa: S608
            {"id": attribution_id, "chain": chain},
        )
        return int(rows[0][0]) if rows[0][1] else None

    # Transitions.

    def write_transitions(self, transitions: Sequence[AlertTransition], version: int) -> None:
        """Store them, in one insert."""
        if transitions:
            self.ch.insert("alert_events_log", alert_event_columns(transitions, version))

    def entries(self) -> list[tuple[str, str, str, LedgerEntry]]:
        """(rule id, rule hash, chain, row) of everything that was ever written."""
        rows = self.ch.query(
            "SELECT rule_id, rule_hash, chain, alert_id, sequence, state, ifNull(height, toUnixTimestamp(event_time)), tip_hash, "
            "reason, undoes, notify, start_height, previous_state, version FROM alert_events_log FINAL ORDER BY version, recorded_at"
        )
        return [
            (
                str(rule_id),
                str(rule_hash),
                str(chain),
                LedgerEntry(
                    alert_id=str(alert_id),
                    sequence=int(sequence),
                    state=state,
                    height=int(height or 0),
                    tip_hash=str(tip_hash),
                    reason=reason,
                    undoes=tuple(int(x) for x in undoes),
                    notify=bool(notify),
                    start=int(start) if start is not None else -1,
                    previous=previous or None,
                    version=int(version),
                ),
            )
            for (
                rule_id,
                rule_hash,
                chain,
                alert_id,
                sequence,
                state,
                height,
                tip_hash,
                reason,
                undoes,
                notify,
                start,
                previous,
                version,
            ) in rows
        ]

    def transitions(
        self, *, told: bool = False, alert_id: str | None = None, limit: int = 1_000_000, newest_first: bool = False
    ) -> list[AlertTransition]:
        """Stored transitions in the order in which they were written; `told`: only those that are told of."""
        order = "DESC" if newest_first else "ASC"
        rows = self.ch.query(
            "SELECT alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, undoes, "  # noqa: S608
            "toUnixTimestamp(event_time), toUnixTimestamp64Milli(recorded_at), start_height, value, value_low, value_high, "
            "interval_low, interval_high, threshold, summary, evidence FROM alert_events_log FINAL "
            "WHERE (notify OR NOT {told:Bool}) AND (alert_id = {alert_id:String} OR {alert_id:String} = '') "
            f"ORDER BY version {order}, recorded_at {order}, sequence {order} LIMIT {{limit:UInt32}}",
            {"told": told, "alert_id": alert_id or "", "limit": limit},
        )
        return [_transition(row) for row in rows]

    # Deliveries.

    def deliveries(self, receiver: str | None = None, alert_id: str | None = None) -> list[Delivery]:
        """What was sent or skipped."""
        rows = self.ch.query(
            "SELECT alert_id, sequence, notifier, action, status, channel, message_ts, attempts, detail, "
            "toUnixTimestamp64Milli(updated_at) FROM alert_deliveries_log FINAL "
            "WHERE (notifier = {notifier:String} OR {notifier:String} = '') "
            "AND (alert_id = {alert_id:String} OR {alert_id:String} = '') ORDER BY version",
            {"notifier": receiver or "", "alert_id": alert_id or ""},
        )
        return [
            Delivery(alert, int(seq), told_by, action, status, channel, ts, int(attempts), detail, millis / 1000)
            for alert, seq, told_by, action, status, channel, ts, attempts, detail, millis in rows
        ]

    def write_delivery(self, delivery: Delivery, version: int) -> None:
        """Store what became of a message."""
        self.ch.insert(
            "alert_deliveries_log",
            {
                "alert_id": [delivery.alert_id],
                "sequence": np.array([delivery.sequence], np.uint32),
                "notifier": [delivery.receiver],
                "action": [delivery.action],
                "status": [delivery.status],
                "channel": [delivery.channel],
                "message_ts": [delivery.message_ts],
                "attempts": np.array([delivery.attempts], np.uint32),
                "detail": [delivery.detail[:500]],
                "updated_at": _ticks(delivery.updated_at),
                "version": np.array([version], np.uint64),
            },
        )

    # Checkpoints and the alerter at work.

    def states(self) -> dict[tuple[str, str], str]:
        """(rule, chain) → the state's JSON."""
        rows = self.ch.query("SELECT rule_id, chain, state FROM alert_state_log FINAL")
        return {(str(rule_id), str(chain)): str(state) for rule_id, chain, state in rows}

    def write_states(self, rule_states: Iterable[RuleState], version: int) -> None:
        """Checkpoint tracks, in one insert."""
        known = [rule_state for rule_state in rule_states if rule_state.height is not None]
        if known:
            self._write_states(
                [(t.rule_id, t.chain, t.height or 0, t.tip_hash, t.to_json(), t.go_live_height) for t in known], version
            )

    def write_leader(self, epoch: int, now: float, version: int) -> None:
        """Say that the alerter of this epoch is at work."""
        self._write_states([(LEADER, "", 0, "", json.dumps({"epoch": epoch, "at": now}), None)], version)

    def leader(self) -> tuple[int, float] | None:
        """(epoch, last sign of life) of the alerter at work."""
        rows = self.ch.query(
            "SELECT state FROM alert_state_log FINAL WHERE rule_id = {id:String} AND chain = ''", {"id": LEADER}
        )
        if not rows:
            return None
        state = json.loads(rows[0][0])
        return int(state["epoch"]), float(state["at"])

    def highest_epoch(self) -> int:
        """The newest claim to be the alerter."""
        return int(self.ch.query("SELECT max(epoch) FROM epochs_log WHERE role = 'alerts'")[0][0])

    def _write_states(self, rows: list[tuple[str, str, int, str, str, int | None]], version: int) -> None:
        self.ch.insert(
            "alert_state_log",
            {
                "rule_id": [row[0] for row in rows],
                "chain": [row[1] for row in rows],
                "height": np.array([row[2] for row in rows], np.uint32),
                "tip_hash": [row[3] for row in rows],
                "state": [row[4] for row in rows],
                "go_live_height": [row[5] for row in rows],
                "version": np.full(len(rows), version, np.uint64),
            },
        )

    # Mutes.

    def mutes(self) -> dict[str, float]:
        """Rule (or `*`) → end of its mute, in seconds; past ones too."""
        rows = self.ch.query("SELECT rule_id, toUnixTimestamp64Milli(until) FROM alert_mutes_log FINAL")
        return {str(rule_id): until / 1000 for rule_id, until in rows}

    def write_mute(self, rule_id: str, until: float, now: float) -> None:
        """Mute a rule until a time; a time that is past lifts it. The latest one written holds, whatever its writer's clock says."""
        [(newest,)] = self.ch.query(
            "SELECT max(version) FROM alert_mutes_log WHERE rule_id = {id:String}", {"id": rule_id}
        )
        self.ch.insert(
            "alert_mutes_log",
            {
                "rule_id": [rule_id],
                "until": _ticks(until),
                "muted_at": _ticks(now),
                "version": np.array([int(newest) + 1], np.uint64),
            },
        )

    # Facts for dead-man rules.

    def block_tip(self, chain: str) -> int | None:
        """The highest canonical block."""
        rows = self.ch.query(
            "SELECT height FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical' ORDER BY height DESC LIMIT 1",
            {"chain": chain},
        )
        return int(rows[0][0]) if rows else None

    def stored_at(self, chain: str, height: int) -> int | None:
        """When the source saw the canonical block at a height, in seconds."""
        rows = self.ch.query(
            "SELECT toUnixTimestamp(seen_at) FROM blocks_log FINAL WHERE chain = {chain:String} AND height = {height:UInt32} "
            "AND status = 'canonical'",
            {"chain": chain, "height": height},
        )
        return int(rows[0][0]) if rows else None

    def letters(self, since: float) -> tuple[tuple[int, int], ...]:
        """(second, count) of dead letters since a time."""
        rows = self.ch.query(
            "SELECT toUnixTimestamp(seen_at) AS second, count() FROM dead_letters_log FINAL "
            "WHERE seen_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY second ORDER BY second",
            {"since": int(since * 1000)},
        )
        return tuple((int(second), int(count)) for second, count in rows)


def _ticks(seconds: float) -> Any:
    return np.array([round(seconds * 1000)], np.int64)


def _transition(row: Sequence[Any]) -> AlertTransition:
    names = (
        "alert_id",
        "sequence",
        "rule_id",
        "rule_hash",
        "state",
        "previous_state",
        "reason",
        "notify",
        "undoes",
        "event_time",
        "recorded_at_ms",
        "start_height",
        "value",
        "value_low",
        "value_high",
        "interval_low",
        "interval_high",
        "threshold",
        "summary",
    )
    fields: Mapping[str, Any] = dict(zip(names, row[:-1], strict=True))
    return AlertTransition.model_validate(
        {
            **fields,
            "previous_state": fields["previous_state"] or None,
            "notify": bool(fields["notify"]),
            "undoes": tuple(fields["undoes"]),
            "evidence": AlertEvidence.model_validate_json(row[-1]),
        }
    )
