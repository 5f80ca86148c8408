"""What a source of blocks is: facts on request, and for a live one a way to hear of new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.datasets import DatasetKind
from counterpoise.runtime.probe import Probe
from ingest.bad_item import BadItem


class Tip(NamedTuple):
    """The source's best block. Below `lowest_height` the source has no evidence (a pruned node, a file that starts later).

    `hash` is empty where only reading the source to its end would tell.
    """

    height: int
    hash: str = ""
    lowest_height: int = 0


@dataclass(frozen=True, slots=True)
class BlockBatch:
    """What one request gave: blocks in the source's order, and what was no block."""

    events: tuple[BlockEvent, ...] = ()
    bad: tuple[BadItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`live`: its tip moves and it is a LiveSource; otherwise it ends. `kinds`: the kinds of dataset that it may fill."""

    live: bool
    kinds: frozenset[DatasetKind]


LIVE: Final = Capabilities(live=True, kinds=frozenset({"live", "historical"}))
"""Of a source that follows a chain: what it gives now is live, and later it is history."""


class News(NamedTuple):
    """What a live source said by itself: whether something changed, and the hashes that it named, oldest first.

    A hint and no more: a named block may be on a branch that lost meanwhile, and silence is not news. Whoever waits asks for the
    tip now and then in any case.
    """

    changed: bool = False
    hashes: tuple[str, ...] = ()


class BlockSource(Protocol):
    """Any source. Its methods raise StaleSourceError while it cannot be reached, ConfigError where it never will be."""

    name: str
    capabilities: Capabilities

    def tip(self) -> Tip:
        """The best block now."""

    def blocks(self, from_height: int, to_height: int) -> Iterator[BlockBatch]:
        """The blocks of the best chain from one height to another, both included, lowest first, in batches of bounded size.

        A source that knows branches gives all of their blocks. Heights that it does not have are left out.
        """

    def probe(self) -> Probe:
        """What `counterpoise doctor` asks: is it there? One short question; it never raises."""

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""


@runtime_checkable
class LiveSource(BlockSource, Protocol):
    """A source whose tip moves. `poll_seconds` is the longest between two looks at it, however silent it is."""

    poll_seconds: float

    def block(self, block_hash: str) -> BlockBatch:
        """The block of that hash, on any branch; an empty batch where the source does not know it."""

    def wait(self, seconds: float) -> News:
        """Return after at most so long, or at once when the source says that something changed. It never raises."""
