"""Where many rules stand, in arrays: which of them the next height changes is known without asking each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.machine.machine import Phase, Standing, advance
from alerts.signals.levels import Level, LevelArray

_SOME_HEIGHT = 10
_CHANGES = np.array(
    [
        [
            advance(Standing(phase, 1, 1), level, _SOME_HEIGHT, _SOME_HEIGHT)[0] != Standing(phase, 1, 1)
            for level in Level
        ]
        for phase in Phase
    ]
)
"""Phase × level: whether it changes while no hold ends."""


class ManyStandings:
    """The standings of N rules."""

    def __init__(self, standings: Sequence[Standing], holds: Sequence[int]) -> None:
        self._phase = np.array([standing.phase for standing in standings], np.int8)
        self._since = np.array([standing.since for standing in standings], np.int64)
        self._hold = np.array(holds, np.int64)

    def put(self, at: int, standing: Standing) -> None:
        """Rule `at` stands there now."""
        self._phase[at] = standing.phase
        self._since[at] = standing.since

    def changing(self, levels: LevelArray, height: int) -> NDArray[np.intp]:
        """The places of the rules whose standing `advance` changes at `height`, given the level of each there."""
        over = levels == Level.OVER
        due = over & (self._phase == Phase.PENDING) & (height - self._since >= self._hold)
        return np.flatnonzero(_CHANGES[self._phase, levels] | due)

    def changes(self, at: int, level: int, height: int) -> bool:
        """Whether `advance` changes the standing of rule `at` at `height`, given its level there."""
        phase = int(self._phase[at])
        due = level == Level.OVER and phase == Phase.PENDING and height - int(self._since[at]) >= int(self._hold[at])
        return due or bool(_CHANGES[phase, level])
