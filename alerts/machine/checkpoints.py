"""Which checkpoint rows are to be written: those that differ from what this alerter wrote. Pure.

Rules that follow one path share one row with its hashes. A block costs this row and those of the rules whose state it changed.
An alerter writes every row of a chain once, under its own number, before it leaves any out. What an earlier one writes late then
loses, and the row of a rule that was switched off meanwhile is known by its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from alerts.machine.path import Path
from alerts.machine.rule_state import RuleState, SharedPath

SHARED_PATH: Final = "_path"
"""In place of a rule: the row of the path that the rules of a chain share."""


class CheckpointRow(NamedTuple):
    """A row of alert_state_log without its version."""

    rule_id: str
    chain: str
    height: int
    tip_hash: str
    state: str
    go_live_height: int | None


class Checkpoints:
    """What one alerter wrote. `number` is of this alerter alone."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._texts: dict[tuple[str, str], str] = {}
        self._paths: dict[str, SharedPath] = {}

    def has(self, chain: str) -> bool:
        """Whether it wrote every row of a chain."""
        return chain in self._paths

    def rows(
        self, chain: str, path: Path, states: Sequence[RuleState], changed: Sequence[RuleState], seen_version: int
    ) -> list[CheckpointRow]:
        """The rows of a chain, in one insert. `path` is the one that its `states` share; one that has another path takes it along.

        `changed` are the states that may have changed since the last call, or have left the path or come to it.
        """
        rows: list[CheckpointRow] = []
        if chain not in self._paths:
            changed = states
        shared = SharedPath(self._number, path, seen_version)
        if path.height is not None and shared != self._paths.get(chain):
            rows.append(CheckpointRow(SHARED_PATH, chain, path.height, path.tip_hash, shared.to_json(), None))
            self._paths[chain] = shared
        for state in changed:
            if state.height is None:
                continue
            text = state.to_json(shared=self._number if state.path is path else None)
            if self._texts.get((state.rule_id, chain)) != text:
                self._texts[state.rule_id, chain] = text
                rows.append(
                    CheckpointRow(state.rule_id, chain, state.height, state.tip_hash, text, state.go_live_height)
                )
        return rows
