"""The block tree: examples of each reorg that is known to happen, and properties over random trees."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from counterpoise.chain.tree import Added, BlockTree, Gap, Link, Seen


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
    added = tree.add(link("a", "x", 7))
    assert added.seen is Seen.NEW
    assert added.switch is not None
    assert (added.switch.fork_height, added.switch.tip_height, added.misplaced) == (6, 7, ())
    assert tree.root_height == 7


def test_a_tie_stays_with_the_first_seen() -> None:
    tree = grown(*BASE)
    assert tree.add(link("b4", "a3", 104)) == Added(Seen.NEW)
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
        assert tree.add(entry) == Added(Seen.NEW)
    assert tree.tip is not None
    assert tree.tip.hash == b"a2"


def test_an_orphan_waits_and_its_parent_releases_it() -> None:
    tree = grown(*BASE)
    first, second, third = chain("c", "a4", 105, 3)
    assert tree.add(third).seen is Seen.PARKED
    assert tree.add(second).seen is Seen.PARKED
    assert tree.missing_parents() == {first.hash: second}
    added = tree.add(first)
    assert added.seen is Seen.NEW
    assert added.adopted == (second, third)
    switch = added.switch
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
    assert tree.add(link("z", "a4", 107)).seen is Seen.DUPLICATE, "it is known from now on"
    assert tree.add(link("y", "z", 108, work=100)) == Added(Seen.NEW), "what stands on it never wins"
    assert tree.add(link("x", "z", 106)).seen is Seen.PARKED, "this one may wait for the true height"
    added = tree.add(link("z", "a4", 105))
    assert added.adopted == (link("x", "z", 106),)
    assert tree.tip == link("x", "z", 106)


def test_an_orphan_whose_height_turns_out_wrong_is_misplaced_and_stays_known() -> None:
    tree = grown(*BASE, link("y", "x", 109), link("z", "y", 110))
    added = tree.add(link("x", "a4", 105))
    assert (added.misplaced, added.adopted) == ((link("y", "x", 109),), (link("z", "y", 110),))
    assert tree.parked == ()
    assert tree.tip == link("x", "a4", 105), "what is misplaced carries no weight, nor what stands on it"
    assert tree.add(link("y", "x", 109)).seen is Seen.DUPLICATE
    assert tree.add(link("w", "z", 111, work=100)) == Added(Seen.NEW)


def test_no_more_orphans_are_taken_than_may_wait() -> None:
    tree = BlockTree(max_parked=2)
    tree.add(BASE[0])
    orphans = [link(f"o{i}", f"p{i}", 110) for i in range(3)]
    assert [tree.add(orphan).seen for orphan in orphans] == [Seen.PARKED, Seen.PARKED, Seen.CROWDED_OUT]
    assert tree.parked == tuple(orphans[:2])


def test_orphans_above_the_tip_leave_room_for_those_of_a_branch_from_below_it() -> None:
    """The gap begins above the tip as long as such blocks find room, and with the tip's height once they do not."""
    tree = BlockTree(max_parked=2)
    for entry in BASE:
        tree.add(entry)
    far = chain("o", "p", 110, 3)
    assert tree.add(far[0]).seen is Seen.PARKED
    assert tree.gaps() == (Gap(b"p", 105, 109),)
    assert [tree.add(entry).seen for entry in far[1:]] == [Seen.PARKED, Seen.CROWDED_OUT]
    assert tree.gaps() == (Gap(b"p", 104, 109),)
    branch = chain("b", "a1", 102, 5)
    assert tree.add(branch[3]).seen is Seen.CROWDED_OUT, "it is above the tip"
    assert tree.add(branch[2]).seen is Seen.PARKED
    assert tree.gaps() == (Gap(b"b1", 101, 103), Gap(b"p", 104, 109)), "all above the root"
    for entry in branch:
        tree.add(entry)
    assert tree.tip == branch[-1]
    assert [tree.add(link(f"q{i}", f"r{i}", 103)).seen for i in range(5)] == [Seen.PARKED] * 4 + [Seen.CROWDED_OUT]


@pytest.mark.parametrize("first", [0, 1])
def test_orphans_that_connect_at_once_are_weighed_whatever_came_first(first: int) -> None:
    rivals = [link("r1", "p", 106), link("r2", "p", 106)]
    tree = grown(*BASE, rivals[first], rivals[1 - first], link("p", "a4", 105))
    assert tree.tip == rivals[0]


def test_blocks_at_or_below_the_root_are_final() -> None:
    tree = grown(*BASE)
    assert tree.add(link("old", "x", 100)).seen is Seen.FINAL
    assert tree.add(link("older", "x", 12)).seen is Seen.FINAL


def test_the_root_follows_the_highest_tip_block_by_block() -> None:
    tree = BlockTree(max_reorg_blocks=2)
    roots = []
    for entry in BASE:
        tree.add(entry)
        roots.append(tree.root_height)
    assert roots == [100, 100, 100, 101, 102]
    assert len(tree) == 3
    assert tree.add(link("b3", "a2", 103)).seen is Seen.NEW
    assert tree.add(link("b4", "b3", 104)).switch is None
    switch = tree.add(link("b5", "b4", 105)).switch  # two blocks are undone, and no more could be
    assert switch is not None
    assert (switch.fork_height, tree.root_height) == (102, 103)


def test_a_shorter_tip_leaves_final_what_was_final() -> None:
    tree = BlockTree(max_reorg_blocks=3)
    for entry in BASE:
        tree.add(entry)
    assert (tree.root_height, tree.peak_height) == (101, 104)
    assert tree.add(link("h", "a1", 102, work=10)).switch is not None
    assert (tree.root_height, tree.peak_height) == (101, 104)
    assert tree.add(link("x", "a0", 101, work=100)).seen is Seen.FINAL
    restored = BlockTree.from_canonical([*BASE[:2], link("h", "a1", 102, work=10)], max_reorg_blocks=3)
    assert restored.root_height == 100
    restored.raise_peak(104)
    assert (restored.root_height, restored.add(link("x", "a0", 101, work=100)).seen) == (101, Seen.FINAL)


def test_an_orphan_is_lost_once_no_parent_can_come() -> None:
    tree = BlockTree(max_reorg_blocks=2)
    orphan, child = link("o", "nowhere", 103), link("p", "o", 104)
    for entry in (*BASE[:3], child, orphan):
        tree.add(entry)
    assert tree.parked == (child, orphan)
    assert tree.add(BASE[3]).lost == (), "a rival of 102 could still be its parent"
    added = tree.add(BASE[4])
    assert (added.lost, added.forgotten) == ((orphan, child), (BASE[1],))
    assert not tree.parked
    assert tree.add(orphan).seen is Seen.DUPLICATE
    assert tree.add(link("q", "o", 104, work=100)) == Added(Seen.NEW)
    assert tree.add(link("late", "nowhere", 103)) == Added(Seen.NEW), "it need not wait either"


@given(
    st.integers(1, 12),
    st.integers(1, 30),
    st.one_of(st.none(), st.integers(0, 8)),
    st.integers(0, 12),
    st.integers(0, 6),
)
def test_extending_at_once_is_adding_one_by_one(
    held: int, more: int, max_reorg_blocks: int | None, peak: int, later: int
) -> None:
    """Also where the highest tip there ever was is higher, and whatever comes after: a branch, an orphan, more of the same."""
    trunk = chain("a", "genesis", 100, held + more + later)
    one_by_one, at_once = (BlockTree(max_reorg_blocks=max_reorg_blocks) for _ in range(2))
    for tree in (one_by_one, at_once):
        for entry in trunk[:held]:
            tree.add(entry)
        tree.raise_peak(100 + peak)
    forgotten = [old for entry in trunk[held : held + more] for old in one_by_one.add(entry).forgotten]
    assert at_once.extend(trunk[held : held + more]) == tuple(forgotten)
    fork = trunk[max(0, held + more - 3)]
    branch = chain("b", fork.hash.decode(), fork.height + 1, 4, work=2)
    for entry in [*trunk, branch[1], branch[0], branch[2], branch[3]]:
        assert at_once.add(entry) == one_by_one.add(entry)
        assert (at_once.tip, at_once.root_height, at_once.peak_height) == (
            one_by_one.tip,
            one_by_one.root_height,
            one_by_one.peak_height,
        )
        assert canonical(at_once) == canonical(one_by_one)
        assert len(at_once) == len(one_by_one)


def test_only_what_follows_on_the_tip_alone_extends_at_once() -> None:
    follows = chain("a", "a4", 105, 3)
    assert BlockTree().extend(BASE) is None, "nothing is held"
    for more, stray in ((follows[1:], None), ([follows[0], follows[2]], None), (follows, link("b3", "a2", 103))):
        tree = grown(*BASE, *([stray] if stray else []))
        assert tree.extend(more) is None
        assert (tree.tip, canonical(tree)) == (BASE[-1], [entry.hash for entry in BASE])
    waiting = grown(*BASE, link("c9", "c8", 109))
    assert waiting.extend(follows) is None
    assert waiting.parked
    wrong = [follows[0], follows[1]._replace(height=107)]
    assert grown(*BASE).extend(wrong) is None


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
    restored = BlockTree.from_canonical([entry for entry in stored if entry])
    for entry in sorted(dict.fromkeys(order[:half]), key=lambda entry: entry.height):
        if entry in first and not first.is_canonical(entry):
            restored.restore_lost(entry)
    for entry in first.parked:
        restored.add(entry)
    for entry in order[half:]:
        restored.add(entry)
    assert canonical(restored) == canonical(straight)
