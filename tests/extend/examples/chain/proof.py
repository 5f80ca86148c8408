"""A new chain is accepted by settings and rules, its blocks are attributed and filed under it, and its number is its partition."""

from __future__ import annotations

import hashlib
from pathlib import Path

from alerts.rules.no_block_rule import NoBlockRule
from counterpoise.chain.chain_registry import CHAINS, address_format
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.kafka.partition import partition_of
from counterpoise.pools.addresses import output_address
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.settings.model import Settings
from ingest.blocks.sources.block_sources import configured_source
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold
from testkit.manual_clock import ManualClock

NAME = "testnet3"


def blocks(tmp_path: Path) -> list[BlockEvent]:
    """A short file, as the service would read it under this chain."""
    path = tmp_path / "blocks.csv"
    path.write_text(
        "height,time,pool\n"
        + "".join(f"{h},{1_700_000_000 + 600 * h},{'antpool' if h % 2 else 'f2pool'}\n" for h in range(9))
    )
    settings = Settings(state_dir=tmp_path, ingest={"source": "replay", "chain": NAME, "replay": {"path": path}})
    source = configured_source(settings, ManualClock())
    return [event for batch in source.blocks(0, 8) for event in batch.events]


def test_its_blocks_are_filed_under_it(tmp_path: Path) -> None:
    events = blocks(tmp_path)
    assert {event.chain for event in events} == {NAME}
    found = ChainFold(Attributor(AttributionSet.default())).apply(events)
    assert [stored.event.chain for stored in found.blocks] == [NAME] * 9
    assert [stored.attribution.slug for stored in found.blocks] == ["f2pool", "antpool"] * 4 + ["f2pool"]
    assert found.scored is not None and len(found.scored.tip_hashes) == 9


def test_its_number_decides_its_partition() -> None:
    assert [partition_of(NAME.encode(), partitions) for partitions in (3, 4, 16)] == [1, 0, 4]


def test_its_genesis_hash_is_that_of_its_header() -> None:
    root = bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")[::-1]
    numbers = (1_296_688_602, 0x1D00FFFF, 414_098_458)
    header = (1).to_bytes(4, "little") + bytes(32) + root + b"".join(number.to_bytes(4, "little") for number in numbers)
    assert hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex() == CHAINS[NAME].genesis_hash


def test_its_addresses_are_written_as_its_nodes_write_them() -> None:
    # Pay to the hash of 20 zero bytes: Base58Check of version 111, and bech32 of version 0.
    assert str(output_address(b"\x76\xa9\x14" + bytes(20) + b"\x88\xac", address_format(NAME))).startswith("m")
    assert str(output_address(b"\x00\x14" + bytes(20), address_format(NAME))).startswith("tb1q")


def test_rules_and_docs_have_it() -> None:
    every = NoBlockRule(id="no-block", chain="all").per_chain()
    assert {rule.chain for rule in every} == {*CHAINS} >= {NAME}
    assert f"bitcoin-cash, litecoin, signet, {NAME}, testnet4." in Path("docs/settings.md").read_text(encoding="utf-8")
