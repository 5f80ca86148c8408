"""The rota of pools."""

from ingest.blocks.sources.rota import RotaSource
from testkit.manual_clock import ManualClock


def test_pools_take_turns_on_one_chain_of_blocks() -> None:
    [batch] = RotaSource("bitcoin", ManualClock()).blocks(0, 6)
    assert [event.label for event in batch.events] == ["antpool", "f2pool", "viabtc"] * 2 + ["antpool"]
    assert [event.prev_hash for event in batch.events[1:]] == [event.hash for event in batch.events[:-1]]


def test_part_of_it_is_the_same_blocks() -> None:
    source = RotaSource("bitcoin", ManualClock())
    [whole], [part] = source.blocks(0, 9), source.blocks(4, 9)
    assert part.events == whole.events[4:]
    assert source.tip().height == 2_999
