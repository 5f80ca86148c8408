"""The last heights of one branch: what a rule can be rewound to. Never changed, so that rules on one chain share it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

RING_HEIGHTS: Final = 288
"""Heights that can be rewound without reading all history again: twice what a reorg of a day would need."""


class Path:
    """Heights from `first` on with the hash of the block at each: `RING_HEIGHTS` at most, the oldest are forgotten.

    Whoever extends a path in the same way gets the same object: a thousand rules that follow one chain hold one list of hashes.
    """

    __slots__ = ("_after", "_before", "first", "hashes")

    def __init__(self, first: int = 0, hashes: tuple[str, ...] = ()) -> None:
        self.first = first
        self.hashes = hashes
        self._after: Path | None = None
        self._before: Path | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and (self.first, self.hashes) == (other.first, other.hashes)

    def __hash__(self) -> int:
        return hash((self.first, self.hashes))

    @property
    def height(self) -> int | None:
        """The last height; None before the first."""
        return self.first + len(self.hashes) - 1 if self.hashes else None

    @property
    def tip_hash(self) -> str:
        """The hash there."""
        return self.hashes[-1] if self.hashes else ""

    def hash_at(self, height: int) -> str | None:
        """The hash at a height; None where it is not kept."""
        at = height - self.first
        return self.hashes[at] if 0 <= at < len(self.hashes) else None

    def then(self, first: int, hashes: Sequence[str]) -> Path:
        """With the heights from `first` on; ValueError where they do not follow."""
        if not hashes:
            return self
        height = self.height
        if height is not None and first != height + 1:
            raise ValueError(f"height {first} does not follow {height}")
        kept = (*self.hashes, *hashes)[-RING_HEIGHTS:]
        after = Path(first + len(hashes) - len(kept), kept)
        if self._after != after:
            self._after = after
        assert self._after is not None  # noqa: S101 - set just now
        return self._after

    def upto(self, height: int) -> Path:
        """Without the heights above `height`, which must be kept; ValueError if it is not."""
        if self.hash_at(height) is None:
            raise ValueError(f"height {height} is not among those that can be rewound to")
        if height == self.height:
            return self
        if self._before is None or self._before.height != height:
            self._before = Path(self.first, self.hashes[: height - self.first + 1])
        return self._before

    def fork(self, hashes: Mapping[int, str]) -> int | None:
        """The highest height whose hash is the same in `hashes`; None where none is."""
        for at in range(len(self.hashes) - 1, -1, -1):
            if hashes.get(self.first + at) == self.hashes[at]:
                return self.first + at
        return None

    def ends_as(self, other: Path) -> bool:
        """Whether both end at the same block, and this one reaches at least as far back."""
        return (self.height, self.tip_hash) == (other.height, other.tip_hash) and self.first <= other.first
