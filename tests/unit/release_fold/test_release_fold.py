"""Releases from events: any order, any repetition, any chunks, a crash between; what is current; what is known when."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.contracts.envelope import decode, encode
from counterpoise.contracts.releases import RELEASE_KIND, Observation, ReleaseEvent
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release, to_events, withdrawal
from streams.releases.fold.release_fold import Current, ReleaseFold, StoredRelease
from tests.unit.asymmetry import real

SERIES = "epoch-ai-compute-owners"


def release(period_end: str = "2025-03-31", published: int = 1_000, **owners: float) -> Release:
    head = Head(
        series=SERIES,
        kind="measured",
        layer="ownership",
        unit="H100-equivalents",
        period_start="2025-01-01",
        period_end=period_end,
        published_at_ms=published,
        source="by hand",
        licence="none",
    )
    return make_release(head, [Observation(owner=owner, value=value) for owner, value in owners.items()])


def new_fold() -> ReleaseFold:
    return ReleaseFold(load_catalogue())


def state(fold: ReleaseFold) -> Any:
    """All that a reader can see."""
    names = sorted({current.series for current in fold.current()} | {SERIES, "pypi-edge-share"})
    return (
        [(one.release.release_id, one.release, one.withdrawn_at_ms) for name in names for one in fold.releases(name)],
        fold.current(),
        fold.incomplete(),
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), chunk=st.integers(1, 20), calls=st.integers(1, 12), twice=st.booleans())
def test_real_releases_in_any_order_twice_and_in_chunks(seed: int, chunk: int, calls: int, twice: bool) -> None:
    releases = [*real.epoch(), *real.pypi()[-12:]]
    taken_back = withdrawal(releases[3], 99)
    straight = new_fold()
    straight.apply([*(event for one in releases for event in to_events(one)), taken_back])

    shuffler = random.Random(seed)
    events = [event for one in releases for event in to_events(one, chunk)] + [taken_back]
    events += events if twice else []
    shuffler.shuffle(events)
    fold = new_fold()
    told: dict[str, StoredRelease] = {}
    pointers: dict[tuple[str, str, str, str], Current] = {}
    for start in range(calls):
        changes = fold.apply(events[start::calls])
        assert not changes.rejected
        told |= {stored.release.release_id: stored for stored in changes.stored}
        pointers |= {(c.series, c.kind, c.period_start, c.period_end): c for c in changes.current}
    assert state(fold) == state(straight)
    # What was told on the way, last word first, is the state as well: a table that keeps the newest row is right.
    assert sorted(told) == sorted(entry[0] for entry in state(straight)[0])
    assert all(told[entry[0]].withdrawn_at_ms == entry[2] for entry in state(straight)[0])
    assert sorted((c for c in pointers.values() if c.release_id), key=repr) == sorted(straight.current(), key=repr)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 60))
def test_a_crash_between_chunks_is_healed_by_what_was_stored(seed: int, cut: int) -> None:
    events = [event for one in real.epoch() for event in to_events(one, 3)]
    random.Random(seed).shuffle(events)
    whole = new_fold()
    whole.apply(events)
    stored = events[:cut]  # acknowledged and in the table when the process died
    after = new_fold()
    after.apply(stored)
    after.apply(events[max(cut - 5, 0) :])  # redelivered from a little before
    assert state(after) == state(whole)


def test_events_survive_the_wire() -> None:
    for one in real.epoch():
        events = to_events(one, 4)
        raw = encode(events, kind=RELEASE_KIND, dataset="test", producer="test", sent_at_ms=1)
        decoded = decode(raw, ReleaseEvent, kind=RELEASE_KIND, dataset="test")
        assert decoded.bad == ()
        fold = new_fold()
        (stored,) = fold.apply(decoded.events).stored
        assert stored.release == one
        assert stored.release.release_id == one.release_id == events[0].release_id


def test_a_release_waits_for_its_last_chunk() -> None:
    one = release(a=1, b=2, c=3)
    first, second, third = to_events(one, 1)
    fold = new_fold()
    assert fold.apply([third, first]).stored == []
    (waiting,) = fold.incomplete()
    assert (waiting.chunks_here, waiting.chunks) == (2, 3)
    assert fold.as_of(SERIES, date(2026, 1, 1)) is None
    changes = fold.apply([second])
    assert [stored.release for stored in changes.stored] == [one]
    assert changes.current == [Current(SERIES, "measured", "2025-01-01", "2025-03-31", one.release_id)]
    assert fold.incomplete() == []
    assert fold.apply([first, second]).duplicates == 2


def test_the_later_publication_stands_whenever_it_arrives() -> None:
    old, new = release(published=1_000, a=1), release(published=2_000, a=2)
    for order in ([old, new], [new, old]):
        fold = new_fold()
        for one in order:
            fold.apply(to_events(one))
        assert [current.release_id for current in fold.current()] == [new.release_id]
        assert len(list(fold.releases(SERIES))) == 2, "all releases stay"


def test_of_equal_publication_the_greater_id_stands() -> None:
    rivals = [release(published=1_000, a=value) for value in (1, 2, 3)]
    fold = new_fold()
    fold.apply(event for one in rivals for event in to_events(one))
    assert fold.current()[0].release_id == max(one.release_id for one in rivals)


@pytest.mark.parametrize("first", ["release", "withdrawal"])
def test_a_withdrawal_counts_before_and_after_its_release(first: str) -> None:
    old, new = release(published=1_000, a=1), release(published=2_000, a=2)
    events = [*to_events(new), withdrawal(new, 3_000)]
    fold = new_fold()
    fold.apply(to_events(old))
    for event in events if first == "release" else events[::-1]:
        fold.apply([event])
    day = date(2025, 12, 31)
    assert fold.current()[0].release_id == old.release_id
    assert fold.as_of(SERIES, day) == old
    assert fold.as_of(SERIES, day, known_at_ms=999) is None
    assert fold.as_of(SERIES, day, known_at_ms=1_999) == old
    assert fold.as_of(SERIES, day, known_at_ms=2_500) == new, "known and not yet withdrawn"
    assert fold.as_of(SERIES, day, known_at_ms=3_000) == old
    assert fold.apply([withdrawal(new, 4_000)]).duplicates == 1
    changes = fold.apply([withdrawal(new, 2_700)])
    assert [stored.withdrawn_at_ms for stored in changes.stored] == [2_700], (
        "the earliest counts, whatever arrives first"
    )


def test_a_period_whose_only_release_was_withdrawn_has_none() -> None:
    one = release(a=1)
    fold = new_fold()
    fold.apply(to_events(one))
    changes = fold.apply([withdrawal(one, 5)])
    assert changes.current == [Current(SERIES, "measured", "2025-01-01", "2025-03-31", None)]
    assert fold.current() == []


def test_as_of_takes_the_last_period_that_had_ended() -> None:
    march, june = release("2025-03-31", 5_000, a=1), release("2025-06-30", 4_000, a=2)
    fold = new_fold()
    fold.apply([*to_events(june), *to_events(march)])
    assert fold.as_of(SERIES, date(2025, 3, 30)) is None
    assert fold.as_of(SERIES, date(2025, 6, 29)) == march
    assert fold.as_of(SERIES, date(2025, 6, 30)) == june
    assert fold.as_of(SERIES, date(2025, 6, 30), known_at_ms=4_500) == june
    assert fold.as_of(SERIES, date(2025, 6, 29), known_at_ms=4_500) is None


def test_a_partial_release_is_kept_and_never_stands() -> None:
    full = release(published=1_000, a=1, b=1)
    head = Head(**{**full.head.fields(), "published_at_ms": 2_000, "coverage": "partial", "coverage_note": "lacks b"})
    partial = make_release(head, full.observations[:1])
    fold = new_fold()
    fold.apply([*to_events(full), *to_events(partial)])
    assert fold.current()[0].release_id == full.release_id
    assert fold.as_of(SERIES, date(2026, 1, 1)) == full
    assert fold.get(SERIES, partial.release_id) is not None


def test_a_forecast_is_read_by_no_live_score() -> None:
    series = load_catalogue()["edge-ai-market-forecast"]
    head = Head(
        series=series.series,
        kind="forecast",
        layer="market_size",
        unit="USD",
        period_start="2033-01-01",
        period_end="2033-12-31",
        published_at_ms=1_000,
        source=series.source,
        licence=series.licence,
    )
    forecast = make_release(head, [Observation(owner="Grand View Research", value=118.69e9)])
    fold = new_fold()
    fold.apply(to_events(forecast))
    assert not forecast.is_scorable
    assert fold.as_of(series.series, date(2034, 1, 1)) is None
    assert fold.timeline(series.series, kind="forecast") == [forecast]
    disguised = make_release(Head(**{**head.fields(), "kind": "measured"}), forecast.observations)
    (rejected,) = fold.apply(to_events(disguised)).rejected
    assert rejected.reason == "series-mismatch"
    assert rejected.detail == "kind 'measured', but series edge-ai-market-forecast has 'forecast'"


def event_of(one: Release, **changed: Any) -> ReleaseEvent:
    (event,) = to_events(one)
    return ReleaseEvent(**{**event.model_dump(), "observations": event.observations, **changed})


def test_content_that_does_not_hash_to_its_name_is_refused() -> None:
    one = release(a=1)
    fold = new_fold()
    forged = event_of(one, observations=(Observation(owner="a", value=2),))
    (rejected,) = fold.apply([forged]).rejected
    assert rejected.reason == "release-id-mismatch"
    assert list(fold.releases(SERIES)) == []
    assert [stored.release for stored in fold.apply(to_events(one)).stored] == [one], "the true one still comes through"
    assert fold.incomplete() == []


def test_a_forged_chunk_does_not_keep_the_true_one_out() -> None:
    one = release(a=1, b=2)
    first, second = to_events(one, 1)
    forged = ReleaseEvent(**{**first.model_dump(), "observations": (Observation(owner="a", value=7),)})
    fold = new_fold()
    assert fold.apply([forged, second]).rejected[0].reason == "release-id-mismatch"
    assert [stored.release for stored in fold.apply([first]).stored] == [one]


def test_a_head_that_differs_is_another_assembly() -> None:
    one = release(a=1, b=2)
    first, second = to_events(one, 1)
    other = ReleaseEvent(**{**second.model_dump(), "observations": second.observations, "licence": "another"})
    fold = new_fold()
    assert fold.apply([first, other]).stored == []
    assert len(fold.incomplete()) == 2
    assert len(fold.apply([second]).stored) == 1


def test_an_unknown_series_is_refused() -> None:
    event = event_of(release(a=1), series="no-such-series")
    (rejected,) = new_fold().apply([event]).rejected
    assert (rejected.reason, rejected.detail) == ("unknown-series", "series 'no-such-series' is not in the catalogue")


def test_ids_are_of_content_alone() -> None:
    one = release(a=1, b=2)
    other = make_release(one.head, one.observations[::-1])
    assert other == one
    assert other.release_id == one.release_id
    later = release(published=2_000, a=1, b=2)
    assert later.release_id != one.release_id
    assert later.values_id == one.values_id, "published again without a change"
    assert release(a=1, b=2.5).values_id != one.values_id
    with_cutoff = [make_release(Head(**{**one.head.fields(), "cutoff": cutoff}), ()).release_id for cutoff in (5, 5.0)]
    assert with_cutoff[0] == with_cutoff[1]
    with pytest.raises(ValueError, match="two observations of"):
        make_release(one.head, [*one.observations, one.observations[0]])


def test_a_release_without_observations_travels_too() -> None:
    empty = release()
    (event,) = to_events(empty)
    assert event.observations == ()
    assert [stored.release for stored in new_fold().apply([event]).stored] == [empty]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"period_end": "2025-02-31"}, "day is out of range"),
        ({"period_start": "2025-04-01"}, "period_start is after period_end"),
        ({"chunk": 1}, "chunks count from 0"),
        ({"withdrawn": True}, "withdrawn and withdrawn_at_ms come together"),
        ({"withdrawn": True, "withdrawn_at_ms": 5}, "a withdrawal carries no observations"),
        ({"release_id": "ab"}, "release_id"),
        ({"unknown_field": 1}, "unknown_field"),
    ],
)
def test_the_contract_refuses(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        event_of(release(a=1), **changed)


@pytest.mark.parametrize("values", [{"value": -1.0}, {"value": float("nan")}, {"value": 1.0, "value_p5": 1.0}])
def test_an_observation_refuses(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="value"):
        Observation(owner="a", **values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="value_p5 is above value_p95"):
        Observation(owner="a", value=1, value_p5=2, value_p95=1)
