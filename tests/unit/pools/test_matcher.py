"""The matcher's rules, each on the case that made it necessary, and properties on arbitrary evidence."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.pools.attribution import Candidate
from counterpoise.pools.base58 import base58check_encode
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.pool_registry import Pool, Registry, Tag
from counterpoise.pools.registry_file import load_registry

REGISTRY = load_registry()
MATCHER = Matcher(REGISTRY)
FOUNDRY_ADDRESS = "bc1qxhmdufsvnuaaaer4ynz88fspdsxq2h9e9cetdj"
ANTPOOL_ADDRESS = "12dRugNcdxK39288NjcDV4GX7rMsKCGn6B"


def seconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def attributed(script: bytes | str = b"", *addresses: str, label: str | None = None) -> str:
    raw = script.encode() if isinstance(script, str) else script
    return MATCHER.attribute(Evidence(raw, addresses, label)).slug


def test_a_tag_is_found_where_a_walk_over_script_pushes_would_fail() -> None:
    # Block 837050: after the time push comes "/", which reads as "push the next 47 bytes".
    script = bytes.fromhex(
        "03bac50c044fd508662f466f756e6472792055534120506f6f6c202364726f70676f6c642f4344be31b3818e6d00000000"
    )
    answer = MATCHER.attribute(Evidence(script, (FOUNDRY_ADDRESS,)))
    assert (answer.slug, answer.method, answer.matched, answer.offset) == (
        "foundry-usa",
        "address",
        FOUNDRY_ADDRESS,
        None,
    )
    assert answer.candidates == (
        Candidate("foundry-usa", "address", FOUNDRY_ADDRESS, None),
        Candidate("foundry-usa", "tag", "Foundry USA Pool", 10),
    )
    assert not answer.conflict
    assert MATCHER.attribute(Evidence(script)).offset == 10


@pytest.mark.parametrize(
    ("script", "slug"),
    [
        ("\x03/EMCD/", "emcd-pool"),  # holds the EMC of EclipseMC
        ("EMC: eclipse", "eclipsemc"),
        ("/ViaBTC/Mined by 27911/", "viabtc"),
        ("/ViaBTC/TATMAS Pool/", "tatmas-pool"),
        ("\nckpool\n/solo.ckpool.org/", "solo-ck"),
        ("\nckpool", "ckpool"),
        ("\nckpool\r/Kano /BEBOP/", "kanopool"),  # Kano runs the ckpool software
        ("\nckpool\x18/BitClub Network/SEGWIT/", "bitclub"),
        ("/E2M & BTC.TOP/", "wayi-cn"),
        ("七彩神仙鱼", "f2pool"),
        ("\x00🐟\x0cMined by dyk", "f2pool"),
        ("/f2pool.kz/", "f2pool"),
        ("/F2POOL/", "f2pool"),
        ("🐵🚀", "mononaut"),
        ("八宝池 8baochi.com/", "unknown"),  # the tag begins with a slash
        ("/八宝池 8baochi.com/", "8baochi"),
        ("| MARA Made in USA 🇺🇸 |", "mara-pool"),
        ("nothing to see", "unknown"),
    ],
)
def test_tags_that_nest_and_scripts_of_the_world(script: str, slug: str) -> None:
    answer = MATCHER.attribute(Evidence(script.encode()))
    assert answer.slug == slug
    assert not answer.conflict


def test_nested_and_weak_tags_are_recorded_though_they_do_not_count() -> None:
    answer = MATCHER.attribute(Evidence(b"ckpool /ViaBTC/TATMAS Pool/"))
    assert answer.candidates == (
        Candidate("tatmas-pool", "tag", "/ViaBTC/TATMAS Pool/", 7),
        Candidate("viabtc", "tag", "/ViaBTC/", 7),
        Candidate("ckpool", "tag", "ckpool", 0),
    )
    assert not answer.conflict


def test_invalid_utf8_around_a_tag_changes_nothing() -> None:
    assert attributed(b"\xff\xfe\xf0\x9f\x90" + b"/slush/" + b"\xf0\x9f\x90") == "braiins-pool"
    assert attributed(b"\xf0\x9f\x90") == "unknown"  # a fish cut short is no fish
    assert attributed(b"\xf0\x9f\x90\x9f") == "f2pool"


def test_two_tags_side_by_side_are_a_conflict_and_the_longest_wins() -> None:
    answer = MATCHER.attribute(Evidence(b"/slush/ and /ViaBTC/"))
    assert (answer.slug, answer.offset, answer.conflict) == ("viabtc", 12, True)
    even = MATCHER.attribute(Evidence(b"/BTPOOL/ /ViaBTC/"))
    assert (even.slug, even.offset, even.conflict) == ("btpool", 0, True)  # equally long: the first


def test_an_address_beats_a_tag_and_the_disagreement_is_a_conflict() -> None:
    answer = MATCHER.attribute(Evidence(b"/Foundry USA Pool/", (ANTPOOL_ADDRESS,)))
    assert (answer.slug, answer.method, answer.conflict) == ("antpool", "address", True)
    assert Candidate("foundry-usa", "tag", "Foundry USA Pool", 1) in answer.candidates
    both = MATCHER.attribute(Evidence(b"", ("unlisted", FOUNDRY_ADDRESS, ANTPOOL_ADDRESS, FOUNDRY_ADDRESS)))
    assert (both.slug, both.conflict, len(both.candidates)) == ("foundry-usa", True, 2)


def test_weak_tags_are_no_conflict_with_an_address() -> None:
    answer = MATCHER.attribute(Evidence(b"\nckpool", (ANTPOOL_ADDRESS,)))
    assert (answer.slug, answer.conflict, len(answer.candidates)) == ("antpool", False, 2)


def test_a_label_counts_only_where_the_coinbase_is_silent() -> None:
    silent = MATCHER.attribute(Evidence(b"nothing", ("unlisted",), "foundryusa"))
    assert (silent.slug, silent.method, silent.matched, silent.conflict) == (
        "foundry-usa",
        "label",
        "foundryusa",
        False,
    )
    loud = MATCHER.attribute(Evidence(b"/slush/", (), "Foundry USA"))
    assert (loud.slug, loud.method, loud.conflict) == ("braiins-pool", "tag", True)
    agreeing = MATCHER.attribute(Evidence(b"/slush/", (), "Slush Pool"))
    assert (agreeing.slug, agreeing.conflict, len(agreeing.candidates)) == ("braiins-pool", False, 2)


def test_a_label_that_no_registry_knows_is_recorded_and_decides_nothing() -> None:
    answer = MATCHER.attribute(Evidence(label="brandnewpool"))
    assert (answer.slug, answer.code, answer.method, answer.conflict) == ("unknown", 0, "none", False)
    assert answer.candidates == (Candidate("unknown", "label", "brandnewpool", None),)
    assert not MATCHER.attribute(Evidence(b"/slush/", (), "brandnewpool")).conflict


@pytest.mark.parametrize("label", [None, "", "unknown", "Unknown", "--"])
def test_a_label_that_says_nothing_is_no_evidence(label: str | None) -> None:
    assert MATCHER.attribute(Evidence(label=label)).candidates == ()


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("btccom", "cloverpool"),
        ("BTC.com", "cloverpool"),
        ("CloverPool", "cloverpool"),
        ("Slush", "braiins-pool"),
        ("slushpool", "braiins-pool"),
        ("oceanxyz", "ocean"),
        ("Ocean.xyz", "ocean"),
        ("SECPOOL", "secpool"),
        ("SecPool", "secpool"),
        ("Bitfufu", "bitfufu"),
        ("BitFuFuPool", "bitfufu"),
        ("BTCPool (unidentified)", "btcpool-unidentified"),
        ("foundry-usa", "foundry-usa"),
    ],
)
def test_names_used_elsewhere_mean_our_pools(label: str, slug: str) -> None:
    assert attributed(label=label) == slug


def test_416_payees_are_one_block_of_one_pool() -> None:
    payees = [
        base58check_encode(bytes([BITCOIN.addresses.p2pkh_version]) + i.to_bytes(20, "big")) for i in range(1, 416)
    ]
    ocean = REGISTRY.by_slug["ocean"].addresses[0]
    tags = b"OCEAN.XYZ\x0fSome Miner\x00"
    script = bytes.fromhex("03a0bb0d") + bytes([len(tags)]) + tags + bytes.fromhex("03002a10")
    answer = MATCHER.attribute(Evidence(script, (*payees, ocean)))
    assert len(payees) + 1 == 416
    assert (answer.slug, answer.method, answer.template_builder) == ("ocean", "address", "Some Miner")
    assert [candidate.slug for candidate in answer.candidates] == ["ocean", "ocean"]
    assert MATCHER.attribute(Evidence(script)).template_builder == "Some Miner"
    assert MATCHER.attribute(Evidence(b"\x03\x01\x02\x03\x0e/slush/\x0fSomeone\x00")).template_builder is None


def test_a_tag_counts_from_180_days_before_to_180_days_after_its_pools_active_days() -> None:
    guild = Evidence(b"Mined by BTC Guild")  # closed 2015-06-30
    assert MATCHER.attribute(guild, seconds(2014, 1, 1)).slug == "btc-guild"
    assert MATCHER.attribute(guild, seconds(2015, 12, 27)).slug == "btc-guild"  # the 180th day after
    late = MATCHER.attribute(guild, seconds(2015, 12, 28))
    assert (late.slug, late.method, late.conflict) == ("unknown", "none", False)
    assert late.candidates == (Candidate("btc-guild", "tag", "BTC Guild", 9),)
    assert MATCHER.attribute(guild).slug == "btc-guild"  # without a time every tag counts
    ocean = Evidence(b"OCEAN.XYZ")  # opened 2023-11-28
    assert MATCHER.attribute(ocean, seconds(2023, 6, 1)).slug == "ocean"
    assert MATCHER.attribute(ocean, seconds(2023, 5, 31)).slug == "unknown"


def test_an_inactive_tag_hides_no_active_one_inside_it() -> None:
    shop = Pool("shop", "Shop", 1, tags=(Tag("/ViaBTC/Shop/"),), active_to=datetime(2020, 1, 1, tzinfo=UTC).date())
    via = Pool("viabtc", "ViaBTC", 2, tags=(Tag("/ViaBTC/"),))
    answer = Matcher(Registry((shop, via))).attribute(Evidence(b"/ViaBTC/Shop/"), seconds(2024, 1, 1))
    assert (answer.slug, answer.conflict) == ("viabtc", False)


def test_active_days_do_not_bind_addresses() -> None:
    guild = replace(REGISTRY.by_slug["btc-guild"], addresses=("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",))
    matcher = Matcher(Registry((guild,)))
    answer = matcher.attribute(Evidence(b"", ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",)), seconds(2025, 1, 1))
    assert answer.slug == "btc-guild"


def test_labels_by_the_column() -> None:
    codes = MATCHER.attribute_labels(["foundryusa", None, "unknown", "new", "Slush", "foundryusa"])
    foundry, braiins = REGISTRY.by_slug["foundry-usa"].code, REGISTRY.by_slug["braiins-pool"].code
    assert codes.dtype == np.uint16
    assert codes.tolist() == [foundry, 0, 0, 0, braiins, foundry]
    assert MATCHER.attribute_labels([]).shape == (0,)


def test_an_empty_registry_knows_nothing() -> None:
    assert Matcher(Registry(())).attribute(Evidence(b"/slush/", ("x",), "Slush")).slug == "unknown"


def test_candidates_describe_themselves() -> None:
    assert Candidate("f2pool", "tag", "/F2Pool/", 4).describe() == "tag f2pool '/F2Pool/' at 4"
    assert Candidate("antpool", "address", "12d", None).describe() == "address antpool '12d'"


TAGS = [tag.text.encode() for pool in REGISTRY for tag in pool.tags]
ADDRESSES = list(REGISTRY.by_address)
SCRIPTS = st.lists(st.binary(max_size=12) | st.sampled_from(TAGS), max_size=8).map(b"".join)
LABELS = st.none() | st.text(max_size=20) | st.sampled_from([pool.name for pool in REGISTRY])
TIMES = st.none() | st.integers(0, 2**32 - 1)


@given(SCRIPTS, st.lists(st.text(max_size=40) | st.sampled_from(ADDRESSES), max_size=6), LABELS, TIMES)
def test_any_evidence_gives_a_consistent_answer(
    script: bytes, payees: list[str], label: str | None, when: int | None
) -> None:
    evidence = Evidence(script, tuple(payees), label)
    answer = MATCHER.attribute(evidence, when)
    assert MATCHER.attribute(evidence, when) == answer
    assert (answer.code == 0) == (answer.slug == "unknown") == (answer.method == "none")
    if answer.method != "none":
        assert REGISTRY.by_slug[answer.slug].code == answer.code
        assert answer.candidates[0] == (answer.slug, answer.method, answer.matched, answer.offset)
    methods = {candidate.method for candidate in answer.candidates}
    if "address" in methods:
        assert answer.method == "address"
    for candidate in answer.candidates:
        if candidate.method == "tag":
            assert candidate.offset is not None
            assert script[candidate.offset :].lower().startswith(candidate.matched.encode().lower())
    if answer.conflict:
        assert len({candidate.slug for candidate in answer.candidates}) > 1


@pytest.mark.parametrize(
    ("label", "slug"),
    [("Kano CKPool", "kanopool"), ("KanoCKPool", "kanopool"), ("Rawpool.com", "rawpool"), ("七彩神仙鱼", "f2pool")],
)
def test_labels_that_explorers_use(label: str, slug: str) -> None:
    assert attributed(label=label) == slug
