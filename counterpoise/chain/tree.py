"""The block tree of one chain, folded block by block.

The tip is the block with the most work behind it since the common ancestor; a tie stays with the block that was the tip first. A
block whose parent is unknown is parked until the parent comes.

The tree holds the newest part of the chain. Its lowest canonical block is the root: `max_reorg_blocks` below the highest tip there
ever was, or the first block of all. Nothing at or below the root can change any more. The root moves with each block, so the tree
depends on the blocks and their order alone; and it can be restored from the standing of each block (`from_canonical`, `raise_peak`,
`restore_lost`).

Orphans have places of two kinds. Above the highest tip there ever was there may be any number of blocks, so a part of the places is
kept for those at or below it: by these a branch from below the tip connects (`gaps`). No orphan leaves its place for another.

A block is known by hash and height together, as it is in the tables. Whatever came is recognised when it comes again: above the root
it is held or parked, at or below the root it is final. Two do not stay: a block that found no room among the orphans, and one
that is refused before it comes here.

The tree holds hashes, heights and work; nothing of pools, time or storage. It changes in place, and what each block did is a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

MAX_PARKED: Final = 2_000
"""Orphans above the highest tip that may wait. At or below it there are twice as many places more: a branch that may win fits in."""

Key = tuple[bytes, int]
"""Hash and height. A false height makes another block of it, so it cannot stand in the way of the true one."""


class Link(NamedTuple):
    """A block as the tree sees it: hash and parent in any one form that compares, and its own work (not the sum)."""

    hash: bytes
    prev_hash: bytes
    height: int
    work: int

    @property
    def key(self) -> Key:
        """What the block is known by."""
        return self.hash, self.height

    @property
    def parent_key(self) -> Key:
        """What its parent is known by, if the height is true."""
        return self.prev_hash, self.height - 1


class Gap(NamedTuple):
    """A missing parent: its hash, and the heights that would connect it to what is known."""

    hash: bytes
    from_height: int
    to_height: int


class Seen(Enum):
    """What became of one block."""

    NEW = "new"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    FINAL = "at or below what is final"
    WRONG_HEIGHT = "wrong height"
    CROWDED_OUT = "too many orphans wait"


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
    """What one call of `add` did: to the block itself, to the canonical chain, to orphans, and to what is old.

    A block of the wrong height is held, and never wins. `adopted` orphans wait no longer, whether or not they are canonical now. One
    is `misplaced` where its parent came and its height does not follow. `lost` are orphans for which no parent can come any more.
    `forgotten` are blocks that the tree held and holds no longer, as they stand for good.
    """

    seen: Seen
    switch: Switch | None = None
    misplaced: tuple[Link, ...] = ()
    adopted: tuple[Link, ...] = ()
    lost: tuple[Link, ...] = ()
    forgotten: tuple[Link, ...] = ()


@dataclass(slots=True)
class _Node:
    """`attached`: its ancestors lead to the root. The others are held to be recognised, and never win."""

    link: Link
    total_work: int
    attached: bool = True


class BlockTree:
    """See the module. A reorg undoes at most `max_reorg_blocks` (None: any number).

    Of orphans above the highest tip at most `max_parked` may wait, and of all orphans three times as many.
    """

    def __init__(self, *, max_reorg_blocks: int | None = None, max_parked: int = MAX_PARKED) -> None:
        self._nodes: dict[Key, _Node] = {}
        self._attached_at: dict[bytes, list[int]] = {}
        self._canonical: list[bytes] = []
        self._canonical_from = 0
        self._root_height = 0
        self._peak_height = -1
        self._parked: dict[Key, Link] = {}
        self._waiting_for: dict[bytes, list[Key]] = {}
        self._at_height: dict[int, list[bytes]] = {}
        self._max_reorg_blocks = max_reorg_blocks
        self._max_parked = max_parked

    @classmethod
    def from_canonical(
        cls, chain: Sequence[Link], *, max_reorg_blocks: int | None = None, max_parked: int = MAX_PARKED
    ) -> BlockTree:
        """Start from stored state: `chain` oldest first and unbroken. ValueError where it is not one chain.

        `raise_peak` and `restore_lost` bring back the rest.
        """
        tree = cls(max_reorg_blocks=max_reorg_blocks, max_parked=max_parked)
        for index, link in enumerate(chain):
            if index and (link.prev_hash != chain[index - 1].hash or link.height != chain[index - 1].height + 1):
                raise ValueError(
                    f"stored chain is broken at height {link.height}: its parent is not at {link.height - 1}"
                )
            tree.add(link)
        return tree

    @property
    def tip(self) -> Link | None:
        """The best block, or None in an empty tree."""
        return self._tip_node().link if self._canonical else None

    @property
    def root_height(self) -> int:
        """The height of the lowest block held: it is final."""
        return self._root_height

    @property
    def peak_height(self) -> int:
        """The height of the highest tip there ever was; −1 in an empty tree."""
        return self._peak_height

    @property
    def parked(self) -> tuple[Link, ...]:
        """Orphans that wait for a parent, in the order in which they came."""
        return tuple(self._parked.values())

    def __contains__(self, link: Link) -> bool:
        return link.key in self._nodes

    def __len__(self) -> int:
        """How many canonical blocks are held."""
        return self._canonical_from + len(self._canonical) - self._root_height if self._canonical else 0

    def canonical_at(self, height: int) -> Link | None:
        """The canonical block at a height, or None outside what is held."""
        block_hash = self._canonical_hash(height)
        return None if block_hash is None else self._nodes[block_hash, height].link

    def is_canonical(self, link: Link) -> bool:
        """Whether the block is held and on the best chain."""
        return self._canonical_hash(link.height) == link.hash

    def missing_parents(self) -> dict[bytes, Link]:
        """The absent parents that parked blocks wait for, each with its lowest waiting child."""
        missing: dict[bytes, Link] = {}
        for link in self._parked.values():
            if link.parent_key in self._parked:
                continue
            known = missing.get(link.prev_hash)
            if known is None or link.height < known.height:
                missing[link.prev_hash] = link
        return missing

    def gaps(self) -> tuple[Gap, ...]:
        """What must come before parked blocks can be placed, lowest first.

        A gap begins above the tip, or with the parent itself. Where no orphan above the tip finds room, it begins with the tip's own
        height: the block of another branch there finds room. A gap that ends at the tip or below then begins above the root, so that
        one answer connects that branch.
        """
        if not self._parked:
            return ()
        tip_height = self._canonical_from + len(self._canonical) - 1
        is_crowded = not self._has_room_above_peak()
        found = []
        for parent_hash, child in self.missing_parents().items():
            last = child.height - 1
            first = min(tip_height + 1, last)
            if is_crowded:
                first = tip_height if last > tip_height else self._root_height + 1
            found.append(Gap(parent_hash, max(first, self._root_height + 1), last))
        return tuple(sorted(found, key=lambda gap: (gap.to_height, gap.hash)))

    def add(self, link: Link) -> Added:
        """Add one block; a parked descendant that it releases moves with it, so one call may connect many."""
        if link.key in self._nodes or link.key in self._parked:
            return Added(Seen.DUPLICATE)
        if not self._canonical:
            self._hold(_Node(link, link.work))
            self._canonical.append(link.hash)
            self._canonical_from = self._root_height = self._peak_height = link.height
            return Added(Seen.NEW, Switch(link.height - 1, (), (link,)))
        if link.height <= self._root_height:
            return Added(Seen.FINAL)
        parent = self._nodes.get(link.parent_key)
        if parent is None:
            # Only a parent that is attached is sure of its own height.
            if link.prev_hash in self._attached_at:
                return Added(Seen.WRONG_HEIGHT, None, (), self._detach(link))
            return self._add_orphan(link)
        node = _Node(link, parent.total_work + link.work, parent.attached)
        self._hold(node)
        if not self._parked and parent is self._tip_node():  # the common case, kept cheap
            self._canonical.append(link.hash)
            lost, forgotten = self._advance(link.height)
            return Added(Seen.NEW, Switch(parent.link.height, (), (link,)), (), (), lost, forgotten)
        heaviest, adopted, misplaced = self._adopt_descendants(node)
        switch = self._switch_to(heaviest)
        lost, forgotten = ((), ()) if switch is None else self._advance(switch.tip_height)
        return Added(Seen.NEW, switch, misplaced, adopted, lost, forgotten)

    def extend(self, links: Sequence[Link]) -> tuple[Link, ...] | None:
        """Add blocks that follow on the tip, one on another; the blocks that are forgotten, in their order.

        It does what `add` does for one after the other, in less time. None where they do not follow, or where a branch or an orphan
        is held: then nothing is changed.
        """
        if not self._canonical or self._parked or len(self._nodes) != len(self):
            return None
        tip = self._tip_node()
        block_hash, height = tip.link.hash, tip.link.height
        for link in links:
            height += 1
            if link.height != height or link.prev_hash != block_hash:
                return None
            block_hash = link.hash
        root_height = self._root_height
        if self._max_reorg_blocks is not None and height > self._peak_height:
            root_height = max(root_height, height - self._max_reorg_blocks)
        forgotten = []
        for low in range(self._root_height, min(root_height, tip.link.height + 1)):
            forgotten += [self._forget(old, low) for old in self._at_height.pop(low)]
        total_work = tip.total_work
        for link in links:
            total_work += link.work
            if link.height < root_height:
                forgotten.append(link)
            else:
                self._hold(_Node(link, total_work))
        self._canonical += [link.hash for link in links]
        self._root_height, self._peak_height = root_height, max(self._peak_height, height)
        self._let_go()
        return tuple(forgotten)

    def raise_peak(self, height: int) -> Added:
        """Note how high a tip once was, where the stored chain does not show it any more: what was final then stays final."""
        lost, forgotten = self._advance(height) if self._canonical else ((), ())
        return Added(Seen.DUPLICATE, lost=lost, forgotten=forgotten)

    def restore_lost(self, link: Link) -> Added:
        """Take back a stored block off the best chain, parents before children.

        One whose parent is not held one below it can never win, so it does not wait for its parent again.
        """
        if not self._canonical or link.parent_key in self._nodes:
            return self.add(link)
        if link.key in self._nodes or link.key in self._parked or link.height <= self._root_height:
            return Added(Seen.DUPLICATE)
        return Added(Seen.NEW, None, (), self._detach(link))

    def _add_orphan(self, link: Link) -> Added:
        if link.height == self._root_height + 1:  # its parent would have to be the root, and is not
            return Added(Seen.NEW, None, (), (), self._detach(link))
        if not self._has_room(link.height):
            return Added(Seen.CROWDED_OUT)
        self._parked[link.key] = link
        self._waiting_for.setdefault(link.prev_hash, []).append(link.key)
        self._at_height.setdefault(link.height, []).append(link.hash)
        return Added(Seen.PARKED)

    def _has_room(self, height: int) -> bool:
        """Whether an orphan of this height finds a place. Any part of what is parked would find one too, in any order (a restart)."""
        if len(self._parked) >= 3 * self._max_parked:
            return False
        return height <= self._peak_height or self._has_room_above_peak()

    def _has_room_above_peak(self) -> bool:
        if len(self._parked) < self._max_parked:
            return True
        return sum(height > self._peak_height for _, height in self._parked) < self._max_parked

    def _tip_node(self) -> _Node:
        return self._nodes[self._canonical[-1], self._canonical_from + len(self._canonical) - 1]

    def _hold(self, node: _Node) -> None:
        self._set_node(node)
        self._at_height.setdefault(node.link.height, []).append(node.link.hash)

    def _set_node(self, node: _Node) -> None:
        self._nodes[node.link.key] = node
        if node.attached:
            self._attached_at.setdefault(node.link.hash, []).append(node.link.height)

    def _detach(self, link: Link) -> tuple[Link, ...]:
        """Hold a block that can never win, and with it the orphans that wait for it: these."""
        node = _Node(link, 0, attached=False)
        self._hold(node)
        return self._adopt_descendants(node)[1]

    def _canonical_hash(self, height: int) -> bytes | None:
        index = height - self._canonical_from
        held = height >= self._root_height and 0 <= index < len(self._canonical)
        return self._canonical[index] if held else None

    def _advance(self, tip_height: int) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
        """Move the root after the highest tip; the orphans that no parent can come for now, and the blocks that are forgotten."""
        if tip_height <= self._peak_height:
            return (), ()
        self._peak_height = tip_height
        if self._max_reorg_blocks is None or tip_height - self._max_reorg_blocks <= self._root_height:
            return (), ()
        root_height = min(tip_height - self._max_reorg_blocks, self._canonical_from + len(self._canonical) - 1)
        lost: list[Link] = []
        forgotten: list[Link] = []
        # Step by step, so that an orphan is lost as soon as the only block that could be its parent is final and another.
        while self._root_height < root_height:
            for block_hash in self._at_height.pop(self._root_height, ()):
                forgotten.append(self._forget(block_hash, self._root_height))
            self._root_height += 1
            root_hash = self._canonical[self._root_height - self._canonical_from]
            for block_hash in self._at_height[self._root_height]:
                if block_hash != root_hash:
                    forgotten.append(self._forget(block_hash, self._root_height))
            self._at_height[self._root_height] = [root_hash]
            self._detach_above_root()
            for block_hash in self._at_height.get(self._root_height + 1, ()):
                link = self._parked.get((block_hash, self._root_height + 1))
                if link is not None:
                    lost.extend(self._lose(link))
        self._let_go()
        return tuple(lost), tuple(forgotten)

    def _let_go(self) -> None:
        """Forget hashes below the root, in portions."""
        below = self._root_height - self._canonical_from
        if below > max(1_000, self._max_reorg_blocks or 0):
            del self._canonical[:below]
            self._canonical_from = self._root_height

    def _forget(self, block_hash: bytes, height: int) -> Link:
        node = self._nodes.pop((block_hash, height))  # an orphan this low was lost before
        self._set_detached(node)
        return node.link

    def _set_detached(self, node: _Node) -> None:
        if not node.attached:
            return
        node.attached = False
        heights = self._attached_at[node.link.hash]
        heights.remove(node.link.height)
        if not heights:
            del self._attached_at[node.link.hash]

    def _detach_above_root(self) -> None:
        """A branch that leaves below the root can never win again, and a restored tree could not tell that it once could."""
        height, found = self._root_height, True
        while found:
            height, found = height + 1, False
            for block_hash in self._at_height.get(height, ()):
                node = self._nodes.get((block_hash, height))
                if node is not None and node.attached:
                    parent = self._nodes.get(node.link.parent_key)
                    if parent is None or not parent.attached:
                        self._set_detached(node)
                        found = True

    def _lose(self, link: Link) -> tuple[Link, ...]:
        """An orphan becomes a held block that can never win, and with it those that wait for it."""
        self._unpark(link)
        node = _Node(link, 0, attached=False)
        self._set_node(node)
        return (link, *self._adopt_descendants(node)[1])

    def _unpark(self, link: Link) -> None:
        del self._parked[link.key]
        siblings = self._waiting_for[link.prev_hash]
        siblings.remove(link.key)
        if not siblings:
            del self._waiting_for[link.prev_hash]

    def _adopt_descendants(self, node: _Node) -> tuple[_Node, tuple[Link, ...], tuple[Link, ...]]:
        """Hold the parked descendants of a new node: the heaviest of all that are attached; those that fit; and the misplaced.

        They connect at one moment, so the order in which they came decides nothing: in a tie the lowest hash wins. A misplaced block
        stays known, and what waits for it is adopted with it; neither can win. A parent that is not attached itself misplaces none:
        the children whose height does not follow wait for one that is.
        """
        heaviest = node
        adopted: list[Link] = []
        misplaced: list[Link] = []
        queue = deque([node])
        while queue:
            parent = queue.popleft()
            for child_key in sorted(self._waiting_for.get(parent.link.hash, ())):
                link = self._parked[child_key]
                fits = link.parent_key == parent.link.key
                if not fits and not parent.attached:
                    continue
                self._unpark(link)
                (adopted if fits else misplaced).append(link)
                child = _Node(link, parent.total_work + link.work, parent.attached and fits)
                self._set_node(child)
                queue.append(child)
                if child.attached and (child.total_work, heaviest.link.hash) > (heaviest.total_work, child.link.hash):
                    heaviest = child
        return heaviest, tuple(adopted), tuple(misplaced)

    def _switch_to(self, candidate: _Node) -> Switch | None:
        if not candidate.attached or candidate.total_work <= self._tip_node().total_work:
            return None
        link = candidate.link
        path: list[Link] = []
        while not self.is_canonical(link):
            path.append(link)
            parent = self._nodes.get(link.parent_key)
            if parent is None:  # the branch leaves below what is held: it cannot be weighed
                return None
            link = parent.link
        connected = tuple(reversed(path))
        keep = link.height - self._canonical_from + 1
        undone = tuple(
            self._nodes[block_hash, height].link
            for height, block_hash in enumerate(self._canonical[keep:], link.height + 1)
        )
        del self._canonical[keep:]
        self._canonical.extend(entry.hash for entry in connected)
        return Switch(link.height, undone, connected)
