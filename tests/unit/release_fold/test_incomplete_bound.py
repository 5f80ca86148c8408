"""Releases that are begun and never whole: a bounded number of them, and those that end within the bound are not harmed by them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release, to_events, withdrawal
from streams.releases.fold.release_fold import ReleaseChanges, ReleaseFold
from tests.unit.release_fold.test_release_fold import SERIES, release, state

BOUND = 3


def fold_of(releases: int = BOUND, observations: int = 1_000) -> ReleaseFold:
    return ReleaseFold(load_catalogue(), max_incomplete_releases=releases, max_incomplete_observations=observations)


def begun(published: int, **owners: float) -> tuple[Release, list[ReleaseEvent]]:
    """A release and its chunks, one observation each."""
    one = release("2025-03-31", published, **(owners or {"a": 1, "b": published}))
    return one, to_events(one, 1)


def store(table: dict[bytes, ReleaseEvent], changes: ReleaseChanges) -> None:
    """What the worker does: keep, then delete what was forgotten."""
    table.update((event.model_dump_json().encode(), event) for event in changes.kept)
    for content in [content for content, event in table.items() if event.release_id in changes.forgotten]:
        del table[content]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    whole=st.integers(0, 5),
    never_whole=st.integers(0, 12),
    calls=st.integers(1, 30),
    disturbed=st.sampled_from(["", "twice", "crashes", "twice crashes"]),
)
def test_what_is_within_the_bound_becomes_whole_in_any_order(
    seed: int, whole: int, never_whole: int, calls: int, disturbed: str
) -> None:
    """Within it: fewer than the bound were published later. A crash forgets the fold; the next one applies what is in the table."""
    draw = random.Random(seed)
    made = [begun(published)[0] for published in draw.sample(range(1, 100), whole + never_whole)]
    chunks = {one.release_id: to_events(one, 1) for one in made}
    events = [event for one in made[:whole] for event in chunks[one.release_id]]
    events += [event for one in made[whole:] for event in chunks[one.release_id][:1]]
    events *= 2 if "twice" in disturbed else 1
    draw.shuffle(events)
    fold = fold_of()
    table: dict[bytes, ReleaseEvent] = {}
    for start in range(calls):
        batch = events[start::calls]
        changes = fold.apply(batch)
        assert len(fold.incomplete()) <= BOUND
        assert {one.reason for one in changes.rejected} <= {"too-many-incomplete"}
        if "crashes" in disturbed and draw.random() < 0.3:
            if draw.random() < 0.5:  # after the insert, before the deletion and the acknowledgement
                table.update((event.model_dump_json().encode(), event) for event in changes.kept)
            fold = fold_of()
            store(table, fold.apply(table.values()))
            changes = fold.apply(batch)
        store(table, changes)
    again = fold_of()
    again.apply(table.values())
    assert state(again) == state(fold), "the table is the state"
    last = sorted(made, key=lambda one: one.order)[-BOUND:]
    here = {stored.release.release_id for stored in fold.releases(SERIES)}
    assert here >= {one.release_id for one in last if one in made[:whole]}
    assert here <= {one.release_id for one in made[:whole]}
    assert {one.release_id for one in fold.incomplete()} >= {one.release_id for one in last if one in made[whole:]}
    if len(made) <= BOUND:
        straight = fold_of()
        straight.apply(events)
        assert state(fold) == state(straight)


def test_the_release_that_was_published_first_is_forgotten_whatever_came_first() -> None:
    (old, [old_first, old_second]), *others = (begun(published) for published in (10, 20, 30, 40))
    for order in ([old_first, *(chunks[0] for _, chunks in others)], [*(chunks[0] for _, chunks in others), old_first]):
        fold = fold_of()
        told = [fold.apply([event]) for event in order]
        assert [changes.forgotten for changes in told] == [set(), set(), set(), {old.release_id}]
        (rejected,) = told[-1].rejected
        assert (rejected.event, rejected.reason) == (old_first, "too-many-incomplete")
        assert rejected.detail == (
            f"release {old.release_id} is not complete, and 3 that were published later wait for chunks as well. At most 3 releases "
            "and 1000 observations of a series may wait. It is dropped: send all of it again"
        )
        assert told[-1].kept == [event for event in order[-1:] if event is not old_first]
        assert fold.apply([old_second]).kept == [], "its other chunk is as late"
        assert [stored.release for stored in fold.apply([old_first, old_second]).stored] == [old], (
            "whole in one call it needs no room"
        )


def test_room_is_made_when_a_release_becomes_whole() -> None:
    fold = fold_of()
    pending = [begun(published) for published in (10, 20, 30)]
    fold.apply(chunks[0] for _, chunks in pending)
    assert [stored.release for stored in fold.apply([pending[0][1][1]]).stored] == [pending[0][0]]
    assert fold.apply([begun(5)[1][0]]).forgotten == set()


def test_observations_are_bounded_too() -> None:
    """Bound 5: 3 of the first and 2 of the second fit; one more of the third is one too many, and the first goes."""
    fold = fold_of(observations=5)
    owners = dict.fromkeys("abcdef", 1.0)
    first, second, third = (
        to_events(release("2025-03-31", at, **owners), size) for at, size in ((1, 3), (2, 2), (3, 1))
    )
    assert fold.apply([first[0], second[0]]).forgotten == set()
    assert fold.apply([third[0]]).forgotten == {first[0].release_id}
    assert {one.release_id for one in fold.incomplete()} == {second[0].release_id, third[0].release_id}


def test_a_release_larger_than_the_bound_is_refused_and_harms_no_other() -> None:
    fold = fold_of(observations=5)
    large = to_events(release("2025-03-31", 1, **dict.fromkeys("abcdefgh", 1.0)), 3)
    small, chunks = begun(2)
    fold.apply(chunks[:1])
    assert [changes.forgotten for changes in map(fold.apply, ([event] for event in large))] == [
        set(),
        {large[0].release_id},
        set(),
    ]
    assert [stored.release for stored in fold.apply(chunks[1:]).stored] == [small]


def test_variants_and_empty_chunks_count() -> None:
    """Many contents of one release cannot get around the bound: 4 of each place, then heads that differ, and 1 for an empty one."""
    fold = fold_of(observations=5)
    _, (first, _) = begun(1)
    contents = [first.model_copy(update={"licence": f"licence {n}", "observations": ()}) for n in range(6)]
    told = [fold.apply([event]).forgotten for event in contents]
    assert told == [set()] * 5 + [{first.release_id}]
    assert fold.incomplete() == []


def test_withdrawals_of_releases_that_never_come_are_bounded() -> None:
    fold = fold_of()
    made = [begun(published)[0] for published in (10, 20, 30, 40)]
    told = [fold.apply([withdrawal(one, 99)]) for one in made]
    assert [changes.forgotten for changes in told] == [set(), set(), set(), {made[0].release_id}]
    fold.apply(to_events(made[0]) + to_events(made[3]))
    assert [stored.withdrawn_at_ms for stored in fold.releases(SERIES)] == [None, 99]


def test_series_do_not_share_the_bound() -> None:
    fold = fold_of(releases=1)
    other = to_events(
        Release(
            head=release().head.__class__(
                **release().head.fields()
                | {"series": "pypi-edge-share", "layer": "developer_pull", "unit": "downloads"}
            ),
            observations=release(a=1, b=2).observations,
        ),
        1,
    )
    assert fold.apply([begun(1)[1][0], other[0]]).rejected == []
    assert len(fold.incomplete()) == 2


@pytest.mark.parametrize("chunks", [1, 2])
def test_what_can_never_be_whole_is_kept_only_while_it_may(chunks: int) -> None:
    """Content that does not hash to its name: with one chunk there is no other way to put it together."""
    _, events = begun(1)
    forged: Sequence[ReleaseEvent] = [event.model_copy(update={"release_id": "ab" * 32}) for event in events]
    if chunks == 1:
        forged = [forged[0].model_copy(update={"chunks": 1})]
    fold = fold_of()
    changes = fold.apply(forged)
    assert [one.reason for one in changes.rejected] == ["release-id-mismatch"]
    assert (len(changes.kept), len(fold.incomplete())) == ((0, 0) if chunks == 1 else (2, 1))
