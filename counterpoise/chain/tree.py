"""The block tree of one chain, folded block by block.

The tip is the block with the most work behind it since the common ancestor; a tie stays with the block that was the tip first. A
block whose parent is unknown is parked until the parent comes. The tree holds the newest part of the chain; its lowest canonical
block is the root, and what would attach at or below the root is too old to matter.

The tree knows hashes, heights and work; nothing of pools, time or storage. It changes in place, and what each block did is a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Link(NamedTuple):
    """A block as the tree sees it: hash and parent in any one form that compares, and its own work (not the sum)."""

    hash: bytes
    prev_hash: bytes
    height: int
    work: int


class Seen(Enum):
    """What became of one block."""

    NEW = "new"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    TOO_OLD = "too old"
    WRONG_HEIGHT = "wrong height"


@dataclass(frozen=True, slots=True)
class Switch:
    """The canonical chain moved: above `fork_height`, `undone` (oldest first) gave way to `connected` (oldest first)."""

    fork_height: int
    undone: tuple[Link, ...]
    connected: tuple[Link, ...]

    @property
    def tip_height(self) -> int:
        """The new tip's height."""
        return self.fork_height + len(self.connected)


class Added(NamedTuple):
    """What one call of `add` did: to the block itself, to the canonical chain, and to orphans.

    `adopted` orphans wait no longer, whether or not they are canonical now. One is `dropped` where its parent came and its height
    does not follow, or where too many wait.
    """

    seen: Seen
    switch: Switch | None = None
    dropped: tuple[Link, ...] = ()
    adopted: tuple[Link, ...] = ()


@dataclass(slots=True)
class _Node:
    link: Link
    total_work: int


class BlockTree:
    """See the module. At most `max_parked` orphans wait; the oldest is given up first."""

    def __init__(self, *, max_parked: int = 2_000) -> None:
        self._nodes: dict[bytes, _Node] = {}
        self._canonical: list[bytes] = []
        self._root_height = 0
        self._parked: dict[bytes, Link] = {}
        self._waiting_for: dict[bytes, list[bytes]] = {}
        self._max_parked = max_parked

    @classmethod
    def from_canonical(
        cls, chain: Sequence[Link], others: Iterable[Link] = (), *, max_parked: int = 2_000
    ) -> BlockTree:
        """Start from stored state: `chain` oldest first and unbroken, then all else in the order in which it came.

        Raises ValueError where `chain` is not one chain. The stored tip stays the tip unless `others` outweigh it.
        """
        tree = cls(max_parked=max_parked)
        total = 0
        for index, link in enumerate(chain):
            if index and (link.prev_hash != chain[index - 1].hash or link.height != chain[index - 1].height + 1):
                raise ValueError(
                    f"stored chain is broken at height {link.height}: its parent is not at {link.height - 1}"
                )
            total += link.work
            tree._nodes[link.hash] = _Node(link, total)
            tree._canonical.append(link.hash)
        if chain:
            tree._root_height = chain[0].height
        for link in others:
            tree.add(link)
        return tree

    @property
    def tip(self) -> Link | None:
        """The best block, or None in an empty tree."""
        return self._nodes[self._canonical[-1]].link if self._canonical else None

    @property
    def root_height(self) -> int:
        """The height of the lowest block held."""
        return self._root_height

    @property
    def parked(self) -> tuple[Link, ...]:
        """Orphans that wait for a parent, in the order in which they came."""
        return tuple(self._parked.values())

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._nodes

    def __len__(self) -> int:
        return len(self._canonical)

    def canonical_at(self, height: int) -> Link | None:
        """The canonical block at a height, or None outside what is held."""
        index = height - self._root_height
        return self._nodes[self._canonical[index]].link if 0 <= index < len(self._canonical) else None

    def is_canonical(self, block_hash: bytes) -> bool:
        """Whether the block is held and on the best chain."""
        node = self._nodes.get(block_hash)
        return node is not None and self._is_canonical(node.link)

    def missing_parents(self) -> dict[bytes, Link]:
        """The absent parents that parked blocks wait for, each with its lowest waiting child."""
        missing: dict[bytes, Link] = {}
        for link in self._parked.values():
            if link.prev_hash in self._parked:
                continue
            known = missing.get(link.prev_hash)
            if known is None or link.height < known.height:
                missing[link.prev_hash] = link
        return missing

    def add(self, link: Link) -> Added:
        """Add one block; a parked descendant that it releases moves with it, so one call may connect many."""
        if link.hash in self._nodes or link.hash in self._parked:
            return Added(Seen.DUPLICATE)
        if not self._canonical:
            self._nodes[link.hash] = _Node(link, link.work)
            self._canonical.append(link.hash)
            self._root_height = link.height
            return Added(Seen.NEW, Switch(link.height - 1, (), (link,)))
        if link.height <= self._root_height:
            return Added(Seen.TOO_OLD)
        parent = self._nodes.get(link.prev_hash)
        if parent is None:
            return Added(Seen.PARKED, None, self._park(link))
        if link.height != parent.link.height + 1:
            return Added(Seen.WRONG_HEIGHT)
        node = _Node(link, parent.total_work + link.work)
        self._nodes[link.hash] = node
        if not self._parked and parent.link.hash == self._canonical[-1]:  # the common case, kept cheap
            self._canonical.append(link.hash)
            return Added(Seen.NEW, Switch(parent.link.height, (), (link,)))
        heaviest, adopted, dropped = self._adopt_descendants(node)
        return Added(Seen.NEW, self._switch_to(heaviest), dropped, adopted)

    def prune(self, keep_blocks: int) -> tuple[Link, ...]:
        """Forget all but the newest `keep_blocks` canonical blocks, the branches off them, and orphans at or below the new root.

        Returns the forgotten orphans.
        """
        extra = len(self._canonical) - keep_blocks
        if extra <= 0:
            return ()
        del self._canonical[:extra]
        self._root_height += extra
        self._nodes = {
            block_hash: node
            for block_hash, node in self._nodes.items()
            if node.link.height > self._root_height or block_hash == self._canonical[0]
        }
        old = tuple(link for link in self._parked.values() if link.height <= self._root_height)
        for link in old:
            self._unpark(link)
        return old

    def _is_canonical(self, link: Link) -> bool:
        index = link.height - self._root_height
        return 0 <= index < len(self._canonical) and self._canonical[index] == link.hash

    def _park(self, link: Link) -> tuple[Link, ...]:
        dropped: tuple[Link, ...] = ()
        if len(self._parked) >= self._max_parked:
            dropped = (next(iter(self._parked.values())),)
            self._unpark(dropped[0])
        self._parked[link.hash] = link
        self._waiting_for.setdefault(link.prev_hash, []).append(link.hash)
        return dropped

    def _unpark(self, link: Link) -> None:
        del self._parked[link.hash]
        siblings = self._waiting_for[link.prev_hash]
        siblings.remove(link.hash)
        if not siblings:
            del self._waiting_for[link.prev_hash]

    def _adopt_descendants(self, node: _Node) -> tuple[_Node, tuple[Link, ...], tuple[Link, ...]]:
        """Attach the parked descendants of a new node: the heaviest of all, first come first in a tie; these; and the misfits."""
        heaviest = node
        attached: list[Link] = []
        dropped: list[Link] = []
        queue = deque([node])
        while queue:
            parent = queue.popleft()
            for child_hash in tuple(self._waiting_for.get(parent.link.hash, ())):
                child = self._parked[child_hash]
                self._unpark(child)
                if child.height != parent.link.height + 1:
                    dropped.append(child)
                    continue
                adopted = _Node(child, parent.total_work + child.work)
                self._nodes[child_hash] = adopted
                attached.append(child)
                queue.append(adopted)
                if adopted.total_work > heaviest.total_work:
                    heaviest = adopted
        return heaviest, tuple(attached), tuple(dropped)

    def _switch_to(self, candidate: _Node) -> Switch | None:
        if candidate.total_work <= self._nodes[self._canonical[-1]].total_work:
            return None
        link = candidate.link
        path: list[Link] = []
        while not self._is_canonical(link):
            path.append(link)
            parent = self._nodes.get(link.prev_hash)
            if parent is None:  # the branch leaves below what is held: it cannot be weighed
                return None
            link = parent.link
        connected = tuple(reversed(path))
        keep = link.height - self._root_height + 1
        undone = tuple(self._nodes[block_hash].link for block_hash in self._canonical[keep:])
        del self._canonical[keep:]
        self._canonical.extend(entry.hash for entry in connected)
        return Switch(link.height, undone, connected)
