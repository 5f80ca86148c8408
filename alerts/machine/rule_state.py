"""A rule's way along one chain: where it stands, how far it can rewind, what an attribution flip left. Pure; JSON in and out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.machine.machine import NOWHERE, Phase, Standing, Step, advance, advance_many
from alerts.machine.path import RING_HEIGHTS, Path
from alerts.signals.levels import LevelArray
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.alert_transition import AlertState

ALL_EARLIER: Final = (1 << 63) - 1
"""In place of `frozen_version`: every row that there is."""

_SELDOM: Final[Mapping[str, Any]] = {
    "settled_through": -1,
    "silent_through": -1,
    "adopted": None,
    "frozen_version": 0,
    "go_live_height": None,
}
"""What a checkpoint leaves out, where it has this value."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HASH_BYTES: Final = 32


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
    up to it is sent (−1: all is); None before that.

    `path` are the heights that were taken in. `standings` are (height from which it holds, standing), ascending: the first one
    holds from the beginning of the path on, and a further one begins only where the standing changes.
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
    settled_through: int = -1
    path: Path = field(default_factory=Path)
    standings: list[tuple[int, Standing]] = field(default_factory=list)

    @property
    def height(self) -> int | None:
        """The last height taken in; None before the first."""
        return self.path.height

    @property
    def tip_hash(self) -> str:
        """The hash at that height."""
        return self.path.tip_hash

    @property
    def standing(self) -> Standing:
        """The standing after it."""
        return self.standings[-1][1] if self.standings else NOWHERE

    @property
    def marks(self) -> list[Mark]:
        """The standing after each height that can be rewound to."""
        found, at, standing = [], 0, NOWHERE
        for index, tip_hash in enumerate(self.path.hashes):
            height = self.path.first + index
            while at < len(self.standings) and self.standings[at][0] <= height:
                standing = self.standings[at][1]
                at += 1
            found.append(Mark(height, tip_hash, standing))
        return found

    def extend(self, series: WindowCounts, levels: LevelArray) -> list[Step]:
        """Take in the heights that follow the last one; ValueError if they do not follow it."""
        if not len(series):
            return []
        first = int(series.height[0])
        path = self.path.then(first, series.tip_hash)
        bulk = max(0, len(series) - RING_HEIGHTS)
        before = self.standing
        standing, steps = advance_many(before, levels[:bulk], first, self.hold)
        if bulk:
            self.standings = [(first + bulk - 1, standing)]
        for at in range(bulk, len(series)):
            after, found = advance(standing, int(levels[at]), first + at, self.hold)
            steps.extend(found)
            if after != standing:
                self.standings.append((first + at, after))
                standing = after
        if standing != before:
            self._forget_before(path.first)
        self.path = path
        return steps

    def _forget_before(self, first: int) -> None:
        """Keep of the standings that began at or below `first` the last one."""
        at = len(self.standings) - 1
        while at > 0 and self.standings[at][0] > first:
            at -= 1
        del self.standings[:at]

    def fork(self, hashes: Mapping[int, str]) -> int | None:
        """The highest height whose hash is the same in `hashes`; None where none is."""
        return self.path.fork(hashes)

    def rewind(self, height: int) -> None:
        """Forget what came after `height`, which must be kept; ValueError if it is not."""
        self.path = self.path.upto(height)
        while self.standings and self.standings[-1][0] > height:
            self.standings.pop()

    def note_branch(self, fork: int) -> None:
        """Another branch replaced the blocks above `fork`: what fires on its blocks does not fire because of an attribution alone."""
        self.silent_through = min(self.silent_through, fork)

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
            self.settled_through,
        )

    def to_json(self, *, shared: int | None = None) -> str:
        """Everything, compactly. With `shared` the path is left out: it is that of all states of one chain with the same number."""
        seldom = {name: getattr(self, name) for name in _SELDOM}
        document: dict[str, Any] = {
            "v": 4,
            "rule_hash": self.rule_hash,
            "attribution_id": self.attribution_id,
            **{name: value for name, value in seldom.items() if value != _SELDOM[name]},
            "standings": _packed_standings(self.standings),
            "path": [self.path.first, _packed_hashes(self.path.hashes)] if shared is None else shared,
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(
        cls, text: str, *, rule_id: str, chain: str, hold: int, shared: SharedPath | None = None
    ) -> RuleState | None:
        """The state that `to_json` wrote, of the rule as it was then; None if it is of an unknown version.

        One whose path is shared and is not `shared` has no path: it is of a rule that was switched off. Of version 1, whose
        alerts had the rule's hash in their names, the open one keeps its name.
        """
        written = json.loads(text)
        document = {**_SELDOM, **written}
        if document.get("v") not in (1, 2, 3, 4):
            return None
        rule_hash, adopted = document["rule_hash"], document["adopted"]
        path, standings = _way(document, shared)
        if document["v"] == 1 and not adopted and standings and standings[-1][1].phase is not Phase.INACTIVE:
            start = standings[-1][1].start
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
            document["settled_through" if "settled_through" in written or document["v"] == 4 else "silent_through"],
            path,
            standings,
        )


@dataclass(frozen=True, slots=True)
class SharedPath:
    """A path that many states of one chain follow. `number` is of the alerter that wrote them all: a state with another one is older.

    `seen_version` is the newest version of scores that they have taken in.
    """

    number: int
    path: Path
    seen_version: int = 0

    def to_json(self) -> str:
        """Everything, compactly."""
        document = {
            "path": self.number,
            "first": self.path.first,
            "hashes": _packed_hashes(self.path.hashes),
            "seen_version": self.seen_version,
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SharedPath:
        """What `to_json` wrote, now or before hashes were packed."""
        found = json.loads(text)
        return cls(found["path"], Path(found["first"], _unpacked_hashes(found["hashes"])), found["seen_version"])


def _packed_hashes(hashes: Sequence[str]) -> str | list[str]:
    """Hashes of 64 hexadecimal digits as the Base64 of their bytes, which is two thirds as long; any others as they are."""
    if not all(map(_HASH.fullmatch, hashes)):
        return list(hashes)
    return base64.b64encode(bytes.fromhex("".join(hashes))).decode("ascii")


def _unpacked_hashes(kept: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(kept, str):
        return tuple(kept)
    found = base64.b64decode(kept)
    return tuple(found[at : at + _HASH_BYTES].hex() for at in range(0, len(found), _HASH_BYTES))


def _packed_standings(standings: Sequence[tuple[int, Standing]]) -> list[list[int]]:
    """Each as [heights since the one before, phase, heights since its episode began, heights since its phase began]; one without an
    episode ends with its phase."""
    found, before = [], 0
    for height, one in standings:
        open_for = [] if one == NOWHERE else [height - one.start, height - one.since]
        found.append([height - before, int(one.phase), *open_for])
        before = height
    return found


def _unpacked_standings(kept: Sequence[Sequence[int]]) -> list[tuple[int, Standing]]:
    found, height = [], 0
    for after, phase, *open_for in kept:
        height += after
        standing = Standing(Phase(phase), *(height - blocks for blocks in open_for)) if open_for else NOWHERE
        found.append((height, standing))
    return found


def _way(document: Mapping[str, Any], shared: SharedPath | None) -> tuple[Path, list[tuple[int, Standing]]]:
    """Path and standings of a state's JSON, of any version."""
    if document["v"] >= 3:
        kept = document["path"]
        if isinstance(kept, int) and (shared is None or shared.number != kept):
            return Path(), []
        standings = (
            [(since, Standing(Phase(phase), start, begun)) for since, phase, start, begun in document["standings"]]
            if document["v"] == 3
            else _unpacked_standings(document["standings"])
        )
        return (
            shared.path if isinstance(kept, int) and shared else Path(kept[0], _unpacked_hashes(kept[1]))
        ), standings
    marks = document["marks"][-RING_HEIGHTS:]
    found: list[tuple[int, Standing]] = []
    for height, _, phase, start, since in marks:
        standing = Standing(Phase(phase), start, since)
        if not found or found[-1][1] != standing:
            found.append((height, standing))
    return (Path(marks[0][0], tuple(mark[1] for mark in marks)) if marks else Path()), found
