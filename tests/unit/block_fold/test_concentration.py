"""The fold against a plain recomputation, and the properties that the rest of the line relies on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from counterpoise.windows import VIEWS, WINDOWS_BLOCKS
from streams.blocks.fold import concentration
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks
from tests.unit.block_fold import naive

SMALL_WINDOWS = (1, 3, 8, 20)
INTERVALS = ("top1_lo", "top1_hi", "top4_lo", "top4_hi", "p_top4_above_75")


@dataclass(frozen=True)
class Entities:
    boundaries: NDArray[np.int64]
    codes: NDArray[np.uint16]


@dataclass(frozen=True)
class Chain:
    codes: NDArray[np.uint16]
    times: NDArray[np.int64]
    start: int
    entities: Entities


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Blocks of up to 12 pools with unknown among them; times that go backwards; entity epochs, some of them identities."""
    pools = draw(st.integers(1, 12))
    length = draw(st.integers(0, 60))
    codes = draw(st.lists(st.integers(0, pools), min_size=length, max_size=length))
    jitter = draw(st.lists(st.integers(-4, 4), min_size=length, max_size=length))
    times = [10 * height + 10 * shift for height, shift in enumerate(jitter)]
    boundaries = sorted(draw(st.lists(st.integers(0, 10 * max(1, length)), max_size=3)))
    identity = list(range(pools + 1))
    owners = st.one_of(
        st.just(identity),
        st.lists(st.integers(1, pools), min_size=pools, max_size=pools).map(lambda owned: [0, *owned]),
    )
    epochs = draw(st.lists(owners, min_size=len(boundaries) + 1, max_size=len(boundaries) + 1))
    return Chain(
        np.array(codes, np.uint16),
        np.array(times, np.int64),
        draw(st.integers(0, length)),
        Entities(np.array(boundaries, np.int64), np.array(epochs, np.uint16)),
    )


def assert_same(left: ConcentrationTable, right: ConcentrationTable) -> None:
    """Equal bit for bit, column for column, types included."""
    for name, column in left.columns().items():
        other = getattr(right, name)
        assert column.dtype == other.dtype, name
        assert column.tobytes() == other.tobytes(), name


def rows_between(table: ConcentrationTable, first: int, stop: int) -> dict[str, NDArray[np.generic]]:
    chosen = (table.index >= first) & (table.index < stop)
    return {name: column[chosen] for name, column in table.columns().items() if name != "index"}


@given(chain=chains())
@settings(max_examples=120, deadline=None)
def test_equals_a_plain_recomputation(chain: Chain) -> None:
    table = score_blocks(chain.codes, chain.times, chain.start, chain.entities, SMALL_WINDOWS)
    expected = naive.score(
        chain.codes.tolist(),
        chain.times.tolist(),
        chain.start,
        chain.entities.boundaries.tolist(),
        chain.entities.codes.tolist(),
        windows=SMALL_WINDOWS,
    )
    assert len(table) == len(expected) == 2 * len(SMALL_WINDOWS) * (len(chain.codes) - chain.start)
    for name in table.columns():
        if name in INTERVALS:
            continue
        got, want = getattr(table, name).tolist(), [row[name] for row in expected]
        if name == "sum_c_ln_c":
            assert got == pytest.approx(want, abs=1e-12)
        else:
            assert got == want, name


@given(chain=chains(), cut=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_does_not_depend_on_how_blocks_are_batched(chain: Chain, cut: float) -> None:
    whole = score_blocks(chain.codes, chain.times, chain.start, chain.entities, SMALL_WINDOWS)
    new = len(chain.codes) - chain.start
    middle = int(cut * new)
    cache = TableCache()
    for first, stop in ((0, middle), (middle, new)):
        history = max(0, chain.start + first - (max(SMALL_WINDOWS) - 1))
        # A first call that did not know where the data begins may not cut history that part-filled windows need.
        part = score_blocks(
            chain.codes[history : chain.start + stop],
            chain.times[history : chain.start + stop],
            chain.start + first - history,
            chain.entities,
            SMALL_WINDOWS,
            table_cache=cache,
        )
        want = rows_between(whole, first, stop)
        for name, column in rows_between(part, 0, stop - first).items():
            assert column.tobytes() == want[name].tobytes(), name


@given(chain=chains(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_numbering_the_pools_differently_changes_names_only(chain: Chain, seed: int) -> None:
    width = chain.entities.codes.shape[1]
    renamed = np.concatenate([[0], 1 + np.random.default_rng(seed).permutation(width - 1)]).astype(np.uint16)
    entity_codes = np.zeros_like(chain.entities.codes)
    entity_codes[:, renamed] = renamed[chain.entities.codes]
    before = score_blocks(chain.codes, chain.times, chain.start, chain.entities, SMALL_WINDOWS)
    after = score_blocks(
        renamed[chain.codes], chain.times, chain.start, Entities(chain.entities.boundaries, entity_codes), SMALL_WINDOWS
    )
    for name, column in before.columns().items():
        if not name.startswith("l"):
            assert column.tobytes() == getattr(after, name).tobytes(), name


def test_chunks_inside_a_call_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    codes = random.integers(0, 9, 700).astype(np.uint16)
    times = (600 * np.arange(700) + random.integers(-2000, 2000, 700)).astype(np.int64)
    owners = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 1, 3, 3, 5, 6, 7, 8]], np.uint16)
    entities = Entities(np.array([600 * 350], np.int64), owners)
    whole = score_blocks(codes, times, 100, entities, (5, 144))
    for size in (1, 7, 64):
        monkeypatch.setattr(concentration, "_CHUNK_BLOCKS", size)
        assert_same(score_blocks(codes, times, 100, entities, (5, 144)), whole)


def test_ties_go_to_the_smaller_code() -> None:
    table = score_blocks(np.array([7, 3, 5, 3, 7, 5], np.uint16), np.arange(6), 5, identity(8), (6,))
    assert [int(getattr(table, f"l{rank}")[0]) for rank in range(1, 7)] == [3, 5, 7, 0, 0, 0]


def test_membership_follows_the_time_of_the_last_block() -> None:
    # Pool 2 belongs to 1 from t = 100 on. The third block's header time lies before the boundary again.
    entities = Entities(np.array([100], np.int64), np.array([[0, 1, 2], [0, 1, 1]], np.uint16))
    table = score_blocks(np.array([1, 2, 2, 1], np.uint16), np.array([90, 100, 99, 101]), 0, entities, (4,))
    entity = table.view_code == VIEWS.index("entity")
    assert table.pools_seen[entity].tolist() == [1, 1, 2, 1]
    assert table.c1[entity].tolist() == [1, 2, 2, 4]


def test_a_pool_may_map_to_unknown() -> None:
    entities = Entities(np.zeros(0, np.int64), np.array([[0, 1, 0]], np.uint16))
    table = score_blocks(np.array([1, 2, 2], np.uint16), np.arange(3), 2, entities, (3,))
    assert table.unknown.tolist() == [0, 2]
    assert table.nakamoto_half.tolist() == [1, 0]


def test_only_unknown_blocks() -> None:
    table = score_blocks(np.zeros(3, np.uint16), np.arange(3), 0, identity(1), (2,))
    assert table.unknown.tolist() == [1, 2, 2] * 2
    assert not table.pools_seen.any() and not table.c1.any() and not table.nakamoto_half.any()
    assert not table.top4_lo.any() and not table.top4_hi.any() and not table.p_top4_above_75.any()


def test_no_new_blocks_give_an_empty_table() -> None:
    table = score_blocks(np.array([1, 2], np.uint16), np.arange(2), 2, identity(3))
    assert len(table) == 0
    assert {name: column.dtype for name, column in table.columns().items()} == {
        name: np.dtype(kind) for name, kind in concentration._DTYPES.items()
    }


def test_column_types_and_order() -> None:
    table = score_blocks(np.array([1, 2], np.uint16), np.arange(2), 0, identity(3))
    assert list(table.columns()) == list(concentration._DTYPES)
    assert table.view_code.tolist() == [0] * 8 + [1] * 8
    assert table.window_blocks.tolist() == [w for w in WINDOWS_BLOCKS for _ in range(2)] * 2
    assert table.index.tolist() == [0, 1] * 8
    for name, column in table.columns().items():
        assert column.dtype == concentration._DTYPES[name], name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.array([1], np.uint16), np.arange(2), 0), "1 pool codes but 2 times: need one of each for every block"),
        ((np.array([1], np.uint16), np.arange(1), 2), "start 2 is outside the 1 blocks given"),
        ((np.array([9], np.uint16), np.arange(1), 0), "pool code 9 is beyond the entity table's 3 codes"),
        ((np.array([1], np.uint16), np.arange(1), 0, (0,)), "a window of 0 blocks is outside 1…9741"),
    ],
)
def test_refuses(arguments: tuple[object, ...], message: str) -> None:
    codes, times, start, *windows = arguments
    with pytest.raises(ValueError, match=message):
        score_blocks(codes, times, start, identity(3), *windows)  # type: ignore[arg-type]


def identity(width: int) -> Entities:
    return Entities(np.zeros(0, np.int64), np.arange(width, dtype=np.uint16)[None, :])
