"""A rule's path along one chain: where it stands, how far it can rewind, what an attribution flip left. Pure; JSON in and out."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.machine.machine import NOWHERE, Phase, Standing, Step, advance, advance_many
from alerts.signals.levels import LevelArray
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.alerts import AlertState

RING_HEIGHTS = 288
"""Heights that can be rewound without reading all history again: twice what a reorg of a day would need."""


ALL_EARLIER: Final = (1 << 63) - 1
"""In place of `frozen_version`: every row that there is."""


def alert_id(rule_id: str, chain: str, start: int, instance: str = "") -> str:
    """16 hexadecimal digits that name an episode: the rule's id, the chain, where the episode began, and its key among several.

    Neither the attribution nor the rule's values take part: an alert that a new attribution or an edited rule confirms from the
    same height continues under its name.
    """
    return _digits(rule_id, chain, start, *([instance] if instance else []))


def _digits(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Mark:
    """The standing after one height of one branch."""

    height: int
    tip_hash: str
    standing: Standing


@dataclass(slots=True)
class RuleState:
    """`settled_through`: rows for what happened at or below this height were settled when the attribution or the rule changed.
    `silent_through`: an episode that fired at or below this height did so only in the light of a new attribution: it is never
    announced. `adopted`: (start, alert_id) of the open alert that continued through a switch although the new attribution dates its
    episode differently. `frozen_version`: rows up to this version are facts of an earlier attribution. `go_live_height`: nothing
    up to it is sent (−1: all is); None before that. `seen_version`: the newest version of scores taken in.
    """

    rule_id: str
    rule_hash: str
    chain: str
    hold: int
    attribution_id: str = ""
    silent_through: int = -1
    adopted: tuple[int, str] | None = None
    frozen_version: int = 0
    go_live_height: int | None = None
    seen_version: int = 0
    settled_through: int = -1
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=RING_HEIGHTS))

    @property
    def height(self) -> int | None:
        """The last height taken in; None before the first."""
        return self.marks[-1].height if self.marks else None

    @property
    def tip_hash(self) -> str:
        """The hash at that height."""
        return self.marks[-1].tip_hash if self.marks else ""

    @property
    def standing(self) -> Standing:
        """The standing after it."""
        return self.marks[-1].standing if self.marks else NOWHERE

    def extend(self, series: WindowCounts, levels: LevelArray) -> list[Step]:
        """Take in the heights that follow the last one; ValueError if they do not follow it."""
        if not len(series):
            return []
        first = int(series.height[0])
        if self.height is not None and first != self.height + 1:
            raise ValueError(f"height {first} does not follow {self.height}")
        bulk = max(0, len(series) - RING_HEIGHTS)
        standing, steps = advance_many(self.standing, levels[:bulk], first, self.hold)
        for at in range(bulk, len(series)):
            standing, found = advance(standing, int(levels[at]), first + at, self.hold)
            steps.extend(found)
            self.marks.append(Mark(first + at, series.tip_hash[at], standing))
        return steps

    def fork(self, hashes: Mapping[int, str]) -> int | None:
        """The highest height whose hash is the same in `hashes`; None where none is."""
        for mark in reversed(self.marks):
            if hashes.get(mark.height) == mark.tip_hash:
                return mark.height
        return None

    def rewind(self, height: int) -> None:
        """Forget what came after `height`, which must be kept; ValueError if it is not."""
        if not any(mark.height == height for mark in self.marks):
            raise ValueError(f"height {height} is not among those that can be rewound to")
        while self.marks[-1].height > height:
            self.marks.pop()

    def identity(self, start: int) -> str:
        """The id of the alert whose episode began at `start`."""
        if self.adopted is not None and self.adopted[0] == start:
            return self.adopted[1]
        return alert_id(self.rule_id, self.chain, start)

    def silent(self, start: int, fired: int) -> bool:
        """Whether an episode that fired there did so only because the attribution changed."""
        return 0 <= fired <= self.silent_through and (self.adopted is None or self.adopted[0] != start)

    def announces(self, height: int) -> bool:
        """Whether what happens at `height` is news: it is above the height of go-live."""
        return self.go_live_height is not None and height > self.go_live_height

    def shown(self) -> tuple[str, AlertState] | None:
        """(alert_id, state) of the episode that is open; None where none is."""
        now = self.standing
        if now.phase is Phase.INACTIVE:
            return None
        silent = now.phase is Phase.FIRING and self.silent(now.start, now.since)
        return self.identity(now.start), "rebased" if silent else now.state

    def fresh(self) -> RuleState:
        """The same rule and marks of service, at the beginning of the chain."""
        return RuleState(
            self.rule_id,
            self.rule_hash,
            self.chain,
            self.hold,
            self.attribution_id,
            self.silent_through,
            self.adopted,
            self.frozen_version,
            self.go_live_height,
            self.seen_version,
            self.settled_through,
        )

    def to_json(self) -> str:
        """Everything, compactly."""
        document: dict[str, Any] = {
            "v": 2,
            "rule_hash": self.rule_hash,
            "attribution_id": self.attribution_id,
            "settled_through": self.settled_through,
            "silent_through": self.silent_through,
            "adopted": self.adopted,
            "frozen_version": self.frozen_version,
            "go_live_height": self.go_live_height,
            "seen_version": self.seen_version,
            "marks": [
                [m.height, m.tip_hash, int(m.standing.phase), m.standing.start, m.standing.since] for m in self.marks
            ],
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, *, rule_id: str, chain: str, hold: int) -> RuleState | None:
        """The state that `to_json` wrote, of the rule as it was then; None if it is of an unknown version.

        Of version 1, whose alerts had the rule's hash in their names, the open one keeps its name.
        """
        document = json.loads(text)
        if document.get("v") not in (1, 2):
            return None
        rule_hash, adopted = document["rule_hash"], document["adopted"]
        marks = [
            Mark(height, tip, Standing(Phase(phase), start, since))
            for height, tip, phase, start, since in document["marks"]
        ]
        if document["v"] == 1 and not adopted and marks and marks[-1].standing.phase is not Phase.INACTIVE:
            start = marks[-1].standing.start
            adopted = (start, _digits(rule_id, rule_hash, chain, start))
        return cls(
            rule_id,
            rule_hash,
            chain,
            hold,
            document["attribution_id"],
            document["silent_through"],
            (adopted[0], adopted[1]) if adopted else None,
            ALL_EARLIER if document["v"] == 1 else document["frozen_version"],
            document["go_live_height"],
            document["seen_version"],
            document.get("settled_through", document["silent_through"]),
            deque(marks, maxlen=RING_HEIGHTS),
        )
