"""The long history of `bench.history` is a chain of valid blocks, and its ratios are those of long by short."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from bench.history.__main__ import arguments
from bench.history.figures import Value, grown, ratio, table
from bench.history.repeated_blocks import repeated
from bench.simulated_blocks import simulated
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution_set import AttributionSet
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold


def test_repeated_blocks_are_valid_and_follow_on_one_another() -> None:
    blocks = simulated(150)
    found = list(repeated(blocks, 400))
    assert found[:150] == blocks
    assert [BlockEvent.model_validate_json(block.model_dump_json()) for block in found] == found
    for before, block in pairwise(found):
        assert block.height == before.height + 1
        assert block.prev_hash == before.hash
    assert len({block.hash for block in found}) == 400
    assert [block.label for block in found[150:300]] == [block.label for block in blocks], "the same shares again"
    assert found[150].time > found[149].time
    steps = [after.time - before.time for before, after in pairwise(found[150:300])]
    assert steps == [after.time - before.time for before, after in pairwise(blocks)]


def test_the_fold_takes_every_repeated_block() -> None:
    fold = ChainFold(Attributor(AttributionSet.default()))
    result = fold.apply(repeated(simulated(150), 400))
    assert [block.status for block in result.blocks] == ["canonical"] * 400
    assert not result.rejected and result.scored is not None


def test_a_history_goes_on_where_it_was_left() -> None:
    blocks = simulated(10)
    stream = repeated(blocks, 30)
    assert [*islice(stream, 12), *stream] == list(repeated(blocks, 30))
    with pytest.raises(ValueError, match="at least two can be repeated"):
        list(repeated(blocks[:1], 5))


def test_a_ratio_is_long_by_short_and_noise_has_none() -> None:
    assert ratio(Value(2.0, "s"), Value(5.0, "s")) == 2.5
    assert ratio(Value(1.0, "ms", 5.0), Value(4.0, "ms", 5.0)) == 1.0, "both below what can be told apart"
    assert ratio(Value(1.0, "ms", 5.0), Value(10.0, "ms", 5.0)) == 2.0
    assert ratio(Value(0.0, "rows"), Value(0.0, "rows")) == 1.0
    assert ratio(Value(0.0, "rows"), Value(3.0, "rows")) == float("inf")


def test_what_grows_is_named_and_bold() -> None:
    short = {"rows": Value(1_000, "rows"), "start": Value(1.0, "s")}
    long = {"rows": Value(1_150, "rows"), "start": Value(1.3, "s")}
    assert grown(short, long) == ["start"]
    assert table(short, long, ("a", "b")).splitlines()[2:] == [
        "| rows | 1,000 rows | 1,150 rows | 1.15 |",
        "| start | 1.00 s | 1.30 s | **1.30** |",
    ]


@pytest.mark.parametrize("given", [["--blocks", "1"], ["--times", "1"], ["--blocks", "many"]])
def test_arguments_that_make_no_sense_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(given)
