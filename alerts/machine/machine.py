"""The state machine of a rule on concentration: a pure function of where it stands and the level at the next height.

    inactive ──over──► pending ──held──► firing ──below the clearing line──► (resolved) inactive
        ▲ ▲               │ ▲
        │ └──not over─────┘ │ over
        └──not possible── possible      upper bound over the line, lower bound not

An episode is a stretch of heights whose state is not inactive; its first height names it. Firing needs every height from the
first breach H through H + hold to be over the line: it happens at H + hold. A height without a full window (`BLIND`) ends what
has not fired and leaves what has; one that is `HELD` leaves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from alerts.signals.levels import Level, LevelArray
from counterpoise.contracts.alert_transition import AlertState


class Phase(IntEnum):
    """Where a rule stands."""

    INACTIVE = 0
    POSSIBLE = 1
    PENDING = 2
    FIRING = 3


_STATE: dict[Phase, AlertState] = {Phase.POSSIBLE: "possible", Phase.PENDING: "pending", Phase.FIRING: "firing"}
_POSSIBLE = (Level.CLEAR_POSSIBLE, Level.BETWEEN_POSSIBLE)
_CLEAR = (Level.CLEAR, Level.CLEAR_POSSIBLE)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state after a height: its phase, the episode's first height and the height where the phase began (−1: no episode)."""

    phase: Phase = Phase.INACTIVE
    start: int = -1
    since: int = -1

    @property
    def state(self) -> AlertState:
        """The phase as alerts call it."""
        return _STATE.get(self.phase, "inactive")


NOWHERE = Standing()


@dataclass(frozen=True, slots=True)
class Step:
    """A transition at `height` of the episode that began at `start`; `fired` is where it fired, −1 where it has not."""

    height: int
    start: int
    state: AlertState
    previous: AlertState | None
    fired: int = -1


def advance(standing: Standing, level: int, height: int, hold: int) -> tuple[Standing, tuple[Step, ...]]:
    """The standing after `height`, and the transitions there (none, one, or two where one episode ends and another begins)."""
    phase, start, since = standing.phase, standing.start, standing.since
    if level == Level.HELD:
        return standing, ()
    if phase is Phase.FIRING:
        if level not in _CLEAR:
            return standing, ()
        after, begun = advance(NOWHERE, level, height, hold)
        return after, (Step(height, start, "resolved", "firing", since), *begun)
    previous = _STATE.get(phase)
    if level == Level.OVER:
        if phase is not Phase.PENDING:
            start, since = (height if phase is Phase.INACTIVE else start), height
        if height - since >= hold:
            return Standing(Phase.FIRING, start, height), (Step(height, start, "firing", previous, height),)
        if phase is Phase.PENDING:
            return standing, ()
        return Standing(Phase.PENDING, start, height), (Step(height, start, "pending", previous),)
    if level in _POSSIBLE:
        if phase is Phase.POSSIBLE:
            return standing, ()
        start = height if phase is Phase.INACTIVE else start
        return Standing(Phase.POSSIBLE, start, height), (Step(height, start, "possible", previous),)
    if phase is Phase.INACTIVE:
        return standing, ()
    return NOWHERE, (Step(height, start, "inactive", previous),)


def advance_many(standing: Standing, levels: LevelArray, first_height: int, hold: int) -> tuple[Standing, list[Step]]:
    """`advance` over consecutive heights from `first_height` on, in time that grows with the changes of level, not the heights."""
    steps: list[Step] = []
    if not len(levels):
        return standing, steps
    starts = [0, *(np.flatnonzero(np.diff(levels)) + 1).tolist()]
    ends = [*starts[1:], len(levels)]
    for begin, end in zip(starts, ends, strict=True):
        level = int(levels[begin])
        standing, found = advance(standing, level, first_height + begin, hold)
        steps.extend(found)
        # Within a run of one level only the end of the hold can change anything.
        due = standing.since + hold
        if standing.phase is Phase.PENDING and first_height + begin < due < first_height + end:
            standing, found = advance(standing, level, due, hold)
            steps.extend(found)
    return standing, steps
