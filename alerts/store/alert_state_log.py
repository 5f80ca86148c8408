"""alert_state_log: checkpoints of rules along their chains, and the alerter at work."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Final

import numpy as np

from alerts.machine.checkpoints import SHARED_PATH, CheckpointRow
from alerts.machine.rule_state import RuleState, SharedPath
from counterpoise.clickhouse.client import ClickHouse, finish
from counterpoise.clickhouse.columns import Column

LEADER: Final = "_leader"
"""The row in which the alerter at work notes that it is."""


class StoredStates:
    """The checkpoints of a dataset: (rule, chain) → the state's JSON, and of each chain the path that its rules share."""

    def __init__(self, states: Mapping[tuple[str, str], str], paths: Mapping[str, SharedPath]) -> None:
        self._states = states
        self._paths = paths

    def state(self, rule_id: str, chain: str, *, hold: int) -> RuleState | None:
        """A rule's state; None where there is none that can be read."""
        text = self._states.get((rule_id, chain))
        if text is None:
            return None
        return RuleState.from_json(text, rule_id=rule_id, chain=chain, hold=hold, shared=self._paths.get(chain))

    def seen_version(self, chain: str) -> int:
        """The newest version of scores that the rules on the shared path have taken in; 0 where there is none."""
        found = self._paths.get(chain)
        return found.seen_version if found else 0

    def reach(self, rules: Mapping[tuple[str, str], int]) -> dict[str, int]:
        """Of each chain the highest height below all blocks that one of these rules (with their holds) remembers."""
        found: dict[str, int] = {}
        for (rule_id, chain), hold in rules.items():
            state = self.state(rule_id, chain, hold=hold)
            if state is not None and state.height is not None:
                below = state.path.first - 1
                found[chain] = min(below, found.get(chain, below))
        return found


class AlertStateLog:
    """One row per rule and chain, and one for the path that the rules of a chain share."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self) -> StoredStates:
        """All checkpoints."""
        rows = self._ch.query("SELECT rule_id, chain, state FROM alert_state_log FINAL")
        paths = {str(chain): SharedPath.from_json(state) for rule_id, chain, state in rows if rule_id == SHARED_PATH}
        states = {(str(rule_id), str(chain)): str(state) for rule_id, chain, state in rows}
        return StoredStates(states, paths)

    def write(self, rows: Sequence[CheckpointRow], version: int) -> None:
        """Store checkpoints, in one insert."""
        finish(self.begin_write(rows, version))

    def begin_write(self, rows: Sequence[CheckpointRow], version: int) -> Generator[None, None, int]:
        """The same in steps, on a separate connection: the first step sends the statement, the second one the rows."""
        return self._ch.beside(1).begin_insert("alert_state_log", _columns(rows, version))

    def write_leader(self, epoch: int, now: float, version: int) -> None:
        """Record that the alerter of this epoch is at work."""
        state = json.dumps({"epoch": epoch, "at": now})
        self._ch.insert("alert_state_log", _columns([CheckpointRow(LEADER, "", 0, "", state, None)], version))

    def leader(self) -> tuple[int, float] | None:
        """(epoch, last sign of life) of the alerter at work."""
        rows = self._ch.query(
            "SELECT state FROM alert_state_log FINAL WHERE rule_id = {id:String} AND chain = ''", {"id": LEADER}
        )
        if not rows:
            return None
        state = json.loads(rows[0][0])
        return int(state["epoch"]), float(state["at"])


def _columns(rows: Sequence[CheckpointRow], version: int) -> dict[str, Column]:
    return {
        "rule_id": [row.rule_id for row in rows],
        "chain": [row.chain for row in rows],
        "height": np.array([row.height for row in rows], np.uint32),
        "tip_hash": [row.tip_hash for row in rows],
        "state": [row.state for row in rows],
        "go_live_height": [row.go_live_height for row in rows],
        "version": np.full(len(rows), version, np.uint64),
    }
