"""alert_state_log: checkpoints of rules along their chains, and the alerter at work."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import numpy as np

from alerts.machine.rule_state import RuleState
from counterpoise.clickhouse.client import ClickHouse

LEADER: Final = "_leader"
"""The row in which the alerter at work notes that it is."""


class AlertStateLog:
    """One row per rule and chain."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def read(self) -> dict[tuple[str, str], str]:
        """(rule, chain) → the state's JSON."""
        rows = self._ch.query("SELECT rule_id, chain, state FROM alert_state_log FINAL")
        return {(str(rule_id), str(chain)): str(state) for rule_id, chain, state in rows}

    def write(self, rule_states: Iterable[RuleState], version: int) -> None:
        """Checkpoint tracks, in one insert."""
        known = [rule_state for rule_state in rule_states if rule_state.height is not None]
        if known:
            self._insert(
                [(t.rule_id, t.chain, t.height or 0, t.tip_hash, t.to_json(), t.go_live_height) for t in known], version
            )

    def write_leader(self, epoch: int, now: float, version: int) -> None:
        """Record that the alerter of this epoch is at work."""
        self._insert([(LEADER, "", 0, "", json.dumps({"epoch": epoch, "at": now}), None)], version)

    def leader(self) -> tuple[int, float] | None:
        """(epoch, last sign of life) of the alerter at work."""
        rows = self._ch.query(
            "SELECT state FROM alert_state_log FINAL WHERE rule_id = {id:String} AND chain = ''", {"id": LEADER}
        )
        if not rows:
            return None
        state = json.loads(rows[0][0])
        return int(state["epoch"]), float(state["at"])

    def _insert(self, rows: list[tuple[str, str, int, str, str, int | None]], version: int) -> None:
        self._ch.insert(
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
