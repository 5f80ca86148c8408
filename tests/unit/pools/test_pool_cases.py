"""Coinbases and registries that people met: each with its right answer, and the kind that each is of."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.pools.attribution import Attribution
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.registry_file import load_registry, parse_registry, render_registry
from desk.registry_import import import_registry
from tests.shared import shared_cases

VERIFIES = [
    ("mempool and bitcoin-data registries", "2026", "by shape", "coinbases after public reports, signet pools"),
]

SHIPPED = load_registry()
MATCHER = Matcher(SHIPPED)

RIGHT: Final[dict[int, tuple[str, str, bool, str | None]]] = {
    729893: ("binance-pool", "tag", False, None),
    683919: ("huobi-pool", "address", True, None),
    911000: ("uuid-miner", "tag", False, None),
    955000: ("demand", "tag", False, "poolX"),
    695930: ("foundry-usa", "tag", False, None),
    746530: ("cloverpool", "tag", False, None),
    776000: ("emcd-pool", "tag", False, None),
}


def attributed(height: int, text: str, *addresses: str) -> Attribution:
    script = b"\x03" + height.to_bytes(3, "little") + text.encode()
    return MATCHER.attribute(Evidence(script, addresses))


def test_every_reported_coinbase_has_its_right_answer() -> None:
    lines = (shared_cases("pools") / "coinbases.jsonl").read_text(encoding="utf-8").splitlines()
    found = {}
    for row in map(json.loads, lines):
        answer = attributed(row["height"], row["script_text"], *row.get("addresses", ()))
        found[row["height"]] = (answer.slug, answer.method, answer.conflict, answer.template_builder)
    assert found == RIGHT


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("Kano CKPool", "kanopool"),
        ("Rawpool.com", "rawpool"),
        ("🐟", "f2pool"),
        ("🐟\ufe0f", "f2pool"),
        (" 🐟 F2Pool", "f2pool"),
        ("七彩神仙鱼", "f2pool"),
        ("DMND", "demand"),
        ("🦈", "unknown"),
        ("-", "unknown"),
        ("?", "unknown"),
    ],
)
def test_labels_of_explorers(label: str, slug: str) -> None:
    assert MATCHER.attribute(Evidence(label=label)).slug == slug


@given(st.uuids(), st.booleans(), st.binary(max_size=8), st.binary(max_size=8))
def test_every_uuid_is_the_one_pseudonymous_miner(name: uuid.UUID, upper: bool, before: bytes, after: bytes) -> None:
    text = str(name).upper() if upper else str(name)
    answer = MATCHER.attribute(Evidence(before + f"://{text}".encode() + after))
    if answer.slug != "uuid-miner":  # a weak tag gives way where the bytes around it happen to name a pool
        assert any(found.slug == "uuid-miner" for found in answer.candidates)


def test_a_pool_that_names_itself_beside_a_uuid_is_that_pool() -> None:
    answer = attributed(911_001, f"/slush/ ://{uuid.UUID(int=7)}")
    assert (answer.slug, answer.conflict) == ("braiins-pool", False)
    assert attributed(911_001, f"://{str(uuid.UUID(int=7))[:-1]}").slug == "unknown"


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=40), st.sampled_from(["demand", "DEMAND"])
)
def test_the_second_part_of_a_stratum_v2_tag_is_the_template_builder(miner: str, pool: str) -> None:
    answer = attributed(955_001, f"/{pool}/{miner}/x")
    shown = "".join(c for c in miner if c.isprintable()).strip()
    assert answer.template_builder == (shown or None)
    assert answer.slug == "demand" or answer.conflict  # the miner's part may be a pool's own tag


@pytest.mark.parametrize("text", ["/demand/", "/demand/poolX", "/demand//", "demand/poolX/"])
def test_a_part_that_is_not_closed_is_no_template_builder(text: str) -> None:
    assert attributed(955_002, text).template_builder is None


def test_a_second_part_of_another_pool_is_not_taken_for_a_builder() -> None:
    assert attributed(955_003, "/ViaBTC/Mined by somebody/").template_builder is None


def test_signet_addresses_are_kept_where_the_chain_is_signet() -> None:
    data = (shared_cases("pools") / "signet-pool-list.json").read_bytes()
    listed = {row["name"]: row for row in json.loads(data)}
    signet = import_registry(data, SHIPPED, origin="signet-pool-list.json", chain=CHAINS["signet"])
    assert signet.skipped == ()
    registry = parse_registry(render_registry(signet.registry), "copy")
    matcher = Matcher(registry)
    for name, row in listed.items():
        for address in row["addresses"]:
            answer = matcher.attribute(Evidence(b"", (address,)))
            assert (answer.method, registry.find(name) and answer.slug) == ("address", registry.find(name).slug)  # type: ignore[union-attr]
        for tag in row["tags"]:
            assert matcher.attribute(Evidence(tag.encode())).slug == registry.find(name).slug  # type: ignore[union-attr]
    mainnet = import_registry(data, SHIPPED, origin="signet-pool-list.json")
    addresses = [address for row in listed.values() for address in row["addresses"]]
    assert sorted(line.split("'")[1] for line in mainnet.skipped) == sorted(addresses)
    assert all(
        line.endswith(" is no bitcoin address: import it with --chain testnet4 or signet") for line in mainnet.skipped
    )


ADDRESS_OF: Final[dict[str, str]] = {
    "bitcoin": "1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY",
    "testnet4": "tb1qsygnet2jdqm8n2p7wmmklp9yel3k7agpnycv4f",
    "signet": "tb1pwzv7fv35yl7ypwj8w7al2t8apd6yf4568cs772qjwper74xqc99sk8x7tk",
}


@pytest.mark.parametrize("chain", ADDRESS_OF)
def test_each_chain_keeps_its_own_addresses_and_names_the_others(chain: str) -> None:
    rows: list[dict[str, Any]] = [
        {"name": f"of {of}", "tags": [], "addresses": [text]} for of, text in ADDRESS_OF.items()
    ]
    report = import_registry(json.dumps(rows).encode(), SHIPPED, origin="pool-list.json", chain=CHAINS[chain])
    form = CHAINS[chain].addresses
    kept = {address for pool in report.registry for address in pool.addresses}
    assert kept == {text for of, text in ADDRESS_OF.items() if CHAINS[of].addresses == form}
    assert len(report.skipped) == len(ADDRESS_OF) - len(kept)
