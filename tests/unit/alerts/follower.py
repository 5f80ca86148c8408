"""A rule that follows a made-up chain of (branch, level), with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from alerts.machine.ledger import Cause, Ledger, LedgerEntry, rebase, reconcile, settle_rebase
from alerts.machine.rule_state import RuleState
from tests.unit.alerts.chains import a_hash, a_series

FIRST = 1


class Follower:
    """A track and its rows over a chain of (branch, level); `rows` is what a database would hold."""

    def __init__(self, hold: int = 3, go_live_height: int | None = -1, rule_id: str = "rule") -> None:
        self.rule_id = rule_id
        self.track = RuleState(rule_id, "0123456789ab", "bitcoin", hold, go_live_height=go_live_height)
        self.ledger = Ledger.of(())
        self.rows: dict[tuple[str, int], LedgerEntry] = {}
        self.version = 0
        self.chain: list[tuple[str, int]] = []

    def reach(self, chain: list[tuple[str, int]]) -> list[LedgerEntry]:
        """Follow to `chain`, as the alerter does: find the fork, rewind, extend, reconcile."""
        self.chain = chain
        hashes = {FIRST + i: a_hash(branch, FIRST + i) for i, (branch, _) in enumerate(chain)}
        cause: Cause = "observed"
        fork = FIRST - 1
        height = self.track.height
        if height is not None:
            found = self.track.fork(hashes)
            if found is None:
                self.track, cause = self.track.fresh(), "reorg"
            else:
                cause = "reorg" if found < height else "observed"
                self.track.rewind(found)
                if found < height:
                    self.track.note_branch(found)
                fork = found
        return self._extend(chain, fork, cause, hashes)

    def _extend(
        self, chain: list[tuple[str, int]], fork: int, cause: Cause, hashes: dict[int, str]
    ) -> list[LedgerEntry]:
        new = chain[fork + 1 - FIRST :]
        series = replace(
            a_series([0] * len(new), first=fork + 1), tip_hash=tuple(hashes[fork + 1 + i] for i in range(len(new)))
        )
        levels = np.array([level for _, level in new], np.int8)
        steps = self.track.extend(series, levels)
        self.version += 1
        written = reconcile(self.ledger, self.track, steps, hashes=hashes, fork=fork, cause=cause, version=self.version)
        for entry in written:
            self.rows[(entry.alert_id, entry.sequence)] = entry
        return written

    def checkpoint(self) -> str:
        return self.track.to_json()

    def kill(self, checkpoint: str) -> None:
        """Start again from a checkpoint and the rows."""
        track = RuleState.from_json(checkpoint, rule_id=self.rule_id, chain="bitcoin", hold=self.track.hold)
        assert track is not None
        self.track = track
        self.ledger = Ledger.of(self.rows.values())
        self.version += 100

    def standing_claims(self) -> set[tuple[str, int, str]]:
        return set(Ledger.of(self.rows.values()).effective(FIRST - 1, self.track.frozen_version))

    def brief(self) -> list[tuple[int, str, int | None, str]]:
        ordered = sorted(self.rows.values(), key=lambda e: e.version)
        return [(e.sequence, e.state, e.height, e.reason) for e in ordered]


def branch(name: str, levels: Sequence[int]) -> list[tuple[str, int]]:
    return [(name, level) for level in levels]


def flip(follower: Follower, levels: Sequence[int], *, attribution_id: str = "set-b") -> list[LedgerEntry]:
    """Another attribution says `levels` of the same blocks."""
    return _rebase(follower, levels, attribution_id=attribution_id)


def edit(follower: Follower, levels: Sequence[int], *, rule_hash: str = "ba9876543210") -> list[LedgerEntry]:
    """The rule was edited: by its new line the same blocks have these `levels`."""
    return _rebase(follower, levels, rule_hash=rule_hash)


def _rebase(
    follower: Follower, levels: Sequence[int], *, attribution_id: str = "", rule_hash: str = ""
) -> list[LedgerEntry]:
    follower.version += 2
    old = follower.track
    new = rebase(
        old,
        follower.version - 1,
        attribution_id=attribution_id or old.attribution_id,
        rule_hash=rule_hash or old.rule_hash,
        hold=old.hold,
    )
    series = replace(
        a_series([0] * len(levels), first=FIRST),
        tip_hash=tuple(a_hash(name, FIRST + i) for i, (name, _) in enumerate(follower.chain)),
    )
    new.extend(series, np.array(levels, np.int8))
    written = settle_rebase(old, new, follower.ledger, follower.version)
    follower.track = new
    for entry in written:
        follower.rows[(entry.alert_id, entry.sequence)] = entry
    return written
