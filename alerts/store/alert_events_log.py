"""alert_events_log: every transition of every alert."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from alerts.machine.ledger import LedgerEntry
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.clickhouse.sent_table import BLOCK_ROWS
from counterpoise.clickhouse.versions import SEQUENCE_BITS, epoch_of
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES, AlertEvidence, AlertTransition

_COLUMNS: Final = (
    "alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, undoes, toUnixTimestamp(event_time), "
    "toUnixTimestamp64Milli(recorded_at), start_height, value, value_low, value_high, interval_low, interval_high, threshold, "
    "summary, evidence"
)

EVERY_ROW: Final = (1 << 32) - 1

_NEAR_EPOCHS: Final = 16
"""Of so many epochs before ours a row that comes late is found whatever other ones wrote; older ones count as one."""

_STEPS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A row's entry and whose it is. `of_blocks`: of a rule that is judged at heights, not on a timer."""

    rule_id: str
    chain: str
    of_blocks: bool
    entry: LedgerEntry


class Written(NamedTuple):
    """Rows of one content of a rule: the newest version, and how many there are at most."""

    newest: int
    rows: int


class AlertEventsLog:
    """Rows are added and replaced by their key (alert, sequence), never taken away."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def write(self, transitions: Sequence[AlertTransition], version: int) -> bool:
        """Store them, if the version's epoch is still the newest; otherwise nothing is written.

        Whether they are stored for certain: where not, the caller has to look whose epoch is the newest.
        """
        are_stored = True
        for at in range(0, len(transitions), BLOCK_ROWS):
            are_stored &= self._ch.insert_if(
                "alert_events_log",
                alert_event_columns(transitions[at : at + BLOCK_ROWS], version),
                "(SELECT max(epoch) FROM epochs_log WHERE role = 'alerts') = {epoch:UInt32}",
                {"epoch": epoch_of(version)},
            )
        return are_stored

    def newest_of_earlier(self, epoch: int) -> dict[int, int]:
        """The newest version of each epoch before this one."""
        rows = self._ch.query(
            "SELECT bitShiftRight(version, {bits:UInt8}) AS earlier, max(version) FROM alert_events_log "
            "WHERE version < {below:UInt64} GROUP BY earlier",
            {"bits": SEQUENCE_BITS, "below": epoch << SEQUENCE_BITS},
        )
        return {int(earlier): int(version) for earlier, version in rows}

    def has_late_rows(self, known: Mapping[int, int], epoch: int) -> bool:
        """Whether an epoch before this one has a row that is newer than `known`, which `newest_of_earlier` gave.

        The index by version leaves out what was there before, so that the time does not grow with the history.
        """
        ranges = _unknown_versions(known, epoch)
        places = range(len(ranges))
        asked = {f"above_{at}": above for at, (above, _) in enumerate(ranges)}
        asked |= {f"below_{at}": below for at, (_, below) in enumerate(ranges)}
        where = " OR ".join(f"version > {{above_{at}:UInt64}} AND version < {{below_{at}:UInt64}}" for at in places)
        return bool(self._ch.query(f"SELECT 1 FROM alert_events_log WHERE {where} LIMIT 1", asked))  # noqa: S608

    def entries(
        self, *, above: Mapping[str, int] | None = None, rule_ids: Sequence[str] = (), chain: str = ""
    ) -> list[StoredEntry]:
        """Rows in the order in which they were written, of all rules or of some on one chain.

        `above` leaves out alerts of rules on blocks that are closed and have no row above this height of their chain (a chain that is
        not named: no row at all).
        """
        reach = above or {}
        rows = self._ch.query(
            "SELECT rule_id, chain, isNotNull(height), alert_id, sequence, state, ifNull(height, toUnixTimestamp(event_time)), "
            "tip_hash, reason, undoes, notify, start_height, previous_state, version, rule_hash, "
            "if(isNull(height), JSONExtractString(evidence, 'instance'), '') "
            "FROM alert_events_log FINAL "
            "WHERE ({chain:String} = '' OR chain = {chain:String} AND has({rules:Array(String)}, rule_id)) "
            "AND ({every:Bool} OR isNull(height) OR alert_id IN (SELECT alert_id FROM alert_events_log GROUP BY alert_id "
            "HAVING max(ifNull(height, 0)) > transform(any(chain), {chains:Array(String)}, {heights:Array(Int64)}, 1000000000000) "
            "OR has({open:Array(String)}, argMax(state, (sequence, version))))) "
            "ORDER BY version, recorded_at",
            {
                "rules": list(rule_ids),
                "chain": chain,
                "every": above is None,
                "chains": list(reach) or [""],
                "heights": list(reach.values()) or [0],
                "open": list(OPEN_STATES),
            },
        )
        return [_entry(row) for row in rows]

    def written_by_rule(self) -> dict[tuple[str, str], dict[str, Written]]:
        """(rule, chain) → the rows on blocks of each content that the rule had, by its hash."""
        rows = self._ch.query(
            "SELECT rule_id, chain, rule_hash, max(version), count() FROM alert_events_log WHERE isNotNull(height) "
            "GROUP BY rule_id, chain, rule_hash"
        )
        found: dict[tuple[str, str], dict[str, Written]] = {}
        for rule_id, chain, rule_hash, version, count in rows:
            found.setdefault((str(rule_id), str(chain)), {})[str(rule_hash)] = Written(int(version), int(count))
        return found

    def newest_content(self, rule_id: str, chain: str) -> dict[str, Any] | None:
        """The values of a rule when its newest row was written; None where no row has them."""
        rows = self._ch.query(
            "SELECT evidence FROM alert_events_log FINAL WHERE rule_id = {rule_id:String} AND chain = {chain:String} "
            "ORDER BY version DESC, recorded_at DESC LIMIT 1",
            {"rule_id": rule_id, "chain": chain},
        )
        return AlertEvidence.model_validate_json(rows[0][0]).rule if rows else None

    def alerts_of(self, beginning: str, *, limit: int = 1_000_000) -> list[str]:
        """The ids of alerts that begin so, in order."""
        rows = self._ch.query(
            "SELECT DISTINCT alert_id FROM alert_events_log WHERE startsWith(alert_id, {beginning:String}) ORDER BY alert_id "
            "LIMIT {limit:UInt32}",
            {"beginning": beginning, "limit": limit},
        )
        return [str(alert_id) for (alert_id,) in rows]

    def rule_ids(self) -> set[str]:
        """The ids of all rules that have a row."""
        return {str(rule_id) for (rule_id,) in self._ch.query("SELECT DISTINCT rule_id FROM alert_events_log")}

    def open_now(self, *, limit: int) -> list[AlertTransition]:
        """The newest row of each alert that is open: first those that are announced, the newest first."""
        rows = self._ch.query(
            f"SELECT {_COLUMNS} FROM alert_events_log FINAL WHERE (alert_id, sequence) IN "  # noqa: S608
            "(SELECT alert_id, sequence FROM "
            "(SELECT alert_id, sequence, state FROM alert_events_log FINAL ORDER BY alert_id, sequence DESC LIMIT 1 BY alert_id) "
            "WHERE has({open:Array(String)}, state)) "
            "ORDER BY has({announcing:Array(String)}, state) DESC, event_time DESC, alert_id LIMIT {limit:UInt32}",
            {"open": list(OPEN_STATES), "announcing": list(ANNOUNCING_STATES), "limit": limit},
        )
        return [_transition(row) for row in rows]

    def open_at(self, chain: str, rule_ids: Sequence[str], height: int) -> list[AlertTransition]:
        """Of each alert of these rules that is open by its rows up to a height the latest of these, in the order of writing."""
        rows = self._ch.query(
            f"SELECT {_COLUMNS} FROM (SELECT * FROM alert_events_log FINAL "  # noqa: S608
            "WHERE chain = {chain:String} AND rule_id IN {rules:Array(String)} AND height <= {height:UInt32} "
            "ORDER BY alert_id, version DESC, recorded_at DESC, sequence DESC LIMIT 1 BY alert_id) "
            "WHERE has({open:Array(String)}, state) ORDER BY version, recorded_at, sequence",
            {"chain": chain, "rules": list(rule_ids), "height": height, "open": list(OPEN_STATES)},
        )
        return [_transition(row) for row in rows]

    def firing_of(self, rule_ids: Sequence[str]) -> list[AlertTransition]:
        """The newest row of each alert of these rules that fires."""
        rows = self._ch.query(
            f"SELECT {_COLUMNS} FROM alert_events_log FINAL WHERE (alert_id, sequence) IN "  # noqa: S608
            "(SELECT alert_id, sequence FROM "
            "(SELECT alert_id, sequence, state FROM alert_events_log FINAL WHERE rule_id IN {rules:Array(String)} "
            "ORDER BY alert_id, sequence DESC LIMIT 1 BY alert_id) WHERE state = 'firing') ORDER BY alert_id",
            {"rules": list(rule_ids)},
        )
        return [_transition(row) for row in rows]

    def read_steps(self, steps: Collection[tuple[str, int]]) -> dict[tuple[str, int], AlertTransition]:
        """The rows of these (alert, sequence), by the order of the key: in one query, in parts where they are very many."""
        found: dict[tuple[str, int], AlertTransition] = {}
        every = sorted(steps)
        for at in range(0, len(every), _STEPS_AT_ONCE):
            rows = self._ch.query(
                f"SELECT {_COLUMNS} FROM alert_events_log "  # noqa: S608
                "PREWHERE (alert_id, sequence) IN arrayZip({alerts:Array(String)}, {sequences:Array(UInt32)}) "
                "ORDER BY version DESC LIMIT 1 BY alert_id, sequence",
                {
                    "alerts": [alert_id for alert_id, _ in every[at : at + _STEPS_AT_ONCE]],
                    "sequences": [sequence for _, sequence in every[at : at + _STEPS_AT_ONCE]],
                },
            )
            found |= {(str(row[0]), int(row[1])): _transition(row) for row in rows}
        return found

    def transitions(
        self,
        *,
        announced: bool = False,
        alert_id: str | None = None,
        limit: int = EVERY_ROW,
        newest_first: bool = False,
    ) -> list[AlertTransition]:
        """Stored transitions in the order in which they were written; `announced`: only those that are sent to people."""
        order = "DESC" if newest_first else "ASC"
        rows = self._ch.query(
            f"SELECT {_COLUMNS} FROM alert_events_log FINAL "  # noqa: S608
            "WHERE (notify OR NOT {announced:Bool}) AND (alert_id = {alert_id:String} OR {alert_id:String} = '') "
            f"ORDER BY version {order}, recorded_at {order}, sequence {order} LIMIT {{limit:UInt32}}",
            {"announced": announced, "alert_id": alert_id or "", "limit": limit},
        )
        return [_transition(row) for row in rows]


def _unknown_versions(known: Mapping[int, int], epoch: int) -> list[tuple[int, int]]:
    """(above, below): ranges of versions of earlier epochs that no known row has. Older epochs than the near ones share a range."""
    near = max(1, epoch - _NEAR_EPOCHS)
    newest = max((version for its, version in known.items() if its < near), default=0)
    return [
        (newest, near << SEQUENCE_BITS),
        *((known.get(its, (its << SEQUENCE_BITS) - 1), (its + 1) << SEQUENCE_BITS) for its in range(near, epoch)),
    ]


def _entry(row: Sequence[Any]) -> StoredEntry:
    rule_id, chain, of_blocks, alert_id, sequence, state, height, tip_hash, reason, undoes, *rest = row
    notify, start, previous, version, rule_hash, instance = rest
    entry = LedgerEntry(
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
        rule_hash=str(rule_hash),
        instance=str(instance),
    )
    return StoredEntry(str(rule_id), str(chain), bool(of_blocks), entry)


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
