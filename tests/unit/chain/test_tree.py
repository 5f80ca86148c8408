"""The block tree: examples of each reorg that is known to happen, and properties over random trees."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from counterpoise.chain.tree import BlockTree, Link, Seen


def link(name: str, prev: str, height: int, work: int = 1) -> Link:
    return Link(name.encode(), prev.encode(), height, work)


def chain(prefix: str, parent: str, first_height: int, length: int, work: int = 1) -> list[Link]:
    names = [parent, *(f"{prefix}{i}" for i in range(length))]
    return [link(names[i + 1], names[i], first_height + i, work) for i in range(length)]


def grown(*links: Link) -> BlockTree:
    tree = BlockTree()
    for entry in links:
        tree.add(entry)
    return tree


def canonical(tree: BlockTree) -> list[bytes]:
    found = (tree.canonical_at(height) for height in range(tree.root_height, tree.root_height + len(tree)))
    return [entry.hash for entry in found if entry]


BASE = chain("a", "genesis", 100, 5)


def test_first_block_becomes_the_root() -> None:
    tree = BlockTree()
    seen, switch, dropped, _ = tree.add(link("a", "x", 7))
    assert seen is Seen.NEW
    assert switch is not None
    assert (switch.fork_height, switch.tip_height, dropped) == (6, 7, ())
    assert tree.root_height == 7


def test_a_tie_stays_with_the_first_seen() -> None:
    tree = grown(*BASE)
    assert tree.add(link("b4", "a3", 104)) == (Seen.NEW, None, (), ())
    assert tree.tip == BASE[-1]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_longer_branch_undoes_as_many_as_it_must(depth: int) -> None:
    tree = grown(*BASE)
    fork = BASE[-1 - depth]
    branch = chain("b", fork.hash.decode(), fork.height + 1, depth + 1)
    added = [tree.add(entry) for entry in branch]
    assert [entry.switch for entry in added[:-1]] == [None] * depth
    switch = added[-1].switch
    assert switch is not None
    assert switch.fork_height == fork.height
    assert list(switch.undone) == BASE[-depth:]
    assert list(switch.connected) == branch
    assert tree.tip == branch[-1]


def test_a_shorter_but_heavier_branch_wins() -> None:
    tree = grown(*BASE)
    heavy = link("h", "a1", 102, work=10)
    switch = tree.add(heavy).switch
    assert switch is not None
    assert (switch.fork_height, switch.tip_height) == (101, 102)
    assert len(switch.undone) == 3
    assert tree.canonical_at(103) is None


def test_a_long_light_minority_chain_stays_off_the_best_chain() -> None:
    tree = grown(*chain("a", "genesis", 100, 3, work=100))
    for entry in chain("m", "a0", 101, 8, work=1):
        assert tree.add(entry) == (Seen.NEW, None, (), ())
    assert tree.tip is not None
    assert tree.tip.hash == b"a2"


def test_an_orphan_waits_and_its_parent_releases_it() -> None:
    tree = grown(*BASE)
    first, second, third = chain("c", "a4", 105, 3)
    assert tree.add(third).seen is Seen.PARKED
    assert tree.add(second).seen is Seen.PARKED
    assert tree.missing_parents() == {first.hash: second}
    seen, switch, _, adopted = tree.add(first)
    assert seen is Seen.NEW
    assert adopted == (second, third)
    assert switch is not None
    assert switch.connected == (first, second, third)
    assert tree.parked == ()
    assert tree.tip == third


def test_redelivery_changes_nothing() -> None:
    tree = grown(*BASE, link("late", "nowhere", 103))
    before = canonical(tree)
    for entry in [*BASE, link("late", "nowhere", 103)]:
        assert tree.add(entry).seen is Seen.DUPLICATE
    assert canonical(tree) == before


def test_a_height_that_does_not_follow_its_parent_is_refused() -> None:
    tree = grown(*BASE)
    assert tree.add(link("z", "a4", 107)).seen is Seen.WRONG_HEIGHT
    assert tree.tip == BASE[-1]


def test_an_orphan_whose_height_turns_out_wrong_is_given_up() -> None:
    tree = grown(*BASE, link("y", "x", 109))
    assert tree.add(link("x", "a4", 105)).dropped == (link("y", "x", 109),)
    assert tree.parked == ()


def test_too_many_orphans_give_up_the_oldest() -> None:
    tree = BlockTree(max_parked=2)
    tree.add(BASE[0])
    orphans = [link(f"o{i}", f"p{i}", 110) for i in range(3)]
    dropped = [tree.add(orphan).dropped for orphan in orphans]
    assert dropped == [(), (), (orphans[0],)]
    assert tree.parked == tuple(orphans[1:])


def test_blocks_at_or_below_the_root_are_too_old() -> None:
    tree = grown(*BASE)
    assert tree.add(link("old", "x", 100)).seen is Seen.TOO_OLD
    assert tree.add(link("older", "x", 12)).seen is Seen.TOO_OLD


def test_pruning_keeps_the_newest_and_what_hangs_off_it() -> None:
    tree = grown(*BASE, link("b4", "a3", 104), link("o", "nowhere", 101))
    assert tree.prune(3) == (link("o", "nowhere", 101),)  # the root is now 102: an orphan at 101 can never attach
    assert tree.root_height == 102
    assert tree.add(link("b5", "b4", 105)).switch is not None  # the side branch at 104 is still there to grow


def test_a_stored_chain_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="height 103"):
        BlockTree.from_canonical([BASE[0], BASE[1], BASE[3]])


@st.composite
def deliveries(draw: st.DrawFn) -> list[Link]:
    """A random tree of up to 24 blocks, each delivered at least once, in any order after the root, some twice."""
    size = draw(st.integers(2, 24))
    links = [link("n0", "none", 0, 1)]
    for index in range(1, size):
        parent = links[draw(st.integers(0, index - 1))]
        links.append(Link(f"n{index}".encode(), parent.hash, parent.height + 1, draw(st.integers(1, 3))))
    rest = draw(st.permutations(links[1:]))
    again = draw(st.lists(st.sampled_from(links), max_size=5))
    return [links[0], *rest, *again]


@given(deliveries())
def test_any_order_ends_on_a_chain_of_most_work(order: list[Link]) -> None:
    tree = BlockTree()
    chain_now: list[Link] = []
    for entry in order:
        switch = tree.add(entry).switch
        if switch is not None:  # the switches alone must rebuild the chain
            keep = switch.fork_height + 1 if chain_now else 0
            assert tuple(chain_now[keep:]) == switch.undone
            chain_now = [*chain_now[:keep], *switch.connected]
    by_hash = {entry.hash: entry for entry in order}

    def total(entry: Link) -> int:
        return entry.work + (total(by_hash[entry.prev_hash]) if entry.prev_hash in by_hash else 0)

    assert tree.parked == ()
    assert tree.tip is not None
    assert total(tree.tip) == max(map(total, by_hash.values()))
    assert [entry.hash for entry in chain_now] == canonical(tree)
    for below, above in pairwise(chain_now):
        assert above.prev_hash == below.hash


@given(deliveries())
def test_a_tree_restored_from_its_state_goes_on_alike(order: list[Link]) -> None:
    half = max(1, len(order) // 2)
    straight = grown(*order)
    first = grown(*order[:half])
    stored = [first.canonical_at(height) for height in range(len(first))]
    seen = dict.fromkeys(entry for entry in order[:half] if not first.is_canonical(entry.hash))
    restored = BlockTree.from_canonical([entry for entry in stored if entry], seen)
    for entry in order[half:]:
        restored.add(entry)
    assert canonical(restored) == canonical(straight)
