"""Row versions: which of two rows of one key is newer, without asking a wall clock."""

from __future__ import annotations

import itertools

SEQUENCE_BITS = 40
MAX_EPOCH = (1 << 23) - 1


class Versions:
    """Versions of one writer: `epoch` in the high bits, a sequence from 1 in the low 40, so that a later epoch wins over any row of
    an earlier one. Below 2⁶³. Safe to share between threads."""

    def __init__(self, epoch: int) -> None:
        if not 0 < epoch <= MAX_EPOCH:
            raise ValueError(f"an epoch is 1…{MAX_EPOCH}, not {epoch}")
        self.epoch = epoch
        self._sequence = itertools.count(1)

    def next(self) -> int:
        """A version higher than every one before it; all rows of one insert may share it."""
        sequence = next(self._sequence)
        if sequence >> SEQUENCE_BITS:
            raise OverflowError(f"epoch {self.epoch} has used all its {1 << SEQUENCE_BITS} versions: claim another")
        return self.epoch << SEQUENCE_BITS | sequence


def epoch_of(version: int) -> int:
    """The epoch that a version was made in."""
    return version >> SEQUENCE_BITS
