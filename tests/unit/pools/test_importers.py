"""Public registry files in our terms: joining, new pools, refusals, and the same result in any order."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.pool_registry import Tag
from counterpoise.pools.registry_file import load_registry, parse_registry, render_registry
from desk.registry_import import MAX_IMPORT_BYTES, guess_tag_kind, import_registry
from tests.shared import shared_data

SHIPPED = load_registry()
GENESIS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
OTHER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def pool(name: str, tags: tuple[str, ...] = (), addresses: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"id": 111, "name": name, "tags": list(tags), "addresses": list(addresses), "link": "", **more}


def packed(*pools: Any) -> bytes:
    return json.dumps(pools).encode()


def test_pools_join_by_name_and_alias_and_never_by_id() -> None:
    report = import_registry(
        packed(pool("Slush", ("/new-slush/",)), pool("OCEAN"), pool("Ocean.xyz", ("OCEAN.XYZ",)), pool("Poolin")),
        SHIPPED,
        origin="pools-v2.json",
    )
    assert set(report.joined) == {"braiins-pool", "ocean", "poolin"}
    assert report.added == ()
    braiins = report.registry.by_slug["braiins-pool"]
    assert (braiins.code, braiins.name, braiins.tags) == (
        SHIPPED.by_slug["braiins-pool"].code,
        "Braiins Pool",
        (Tag("/new-slush/"),),
    )
    assert report.registry.by_slug["ocean"].active_from == SHIPPED.by_slug["ocean"].active_from


def test_pools_that_the_file_lacks_keep_labels_and_code_without_evidence() -> None:
    registry = import_registry(packed(pool("Poolin", ("/poolin/",))), SHIPPED, origin="x").registry
    foundry = registry.by_slug["foundry-usa"]
    assert (foundry.code, foundry.tags, foundry.addresses) == (1, (), ())
    assert Matcher(registry).attribute(Evidence(b"/Foundry USA Pool/", (), "foundryusa")).method == "label"


def test_new_pools_get_slugs_and_the_next_codes_in_the_order_of_their_names() -> None:
    pools = [
        pool("Zed Pool", ("/zed/",)),
        pool("Ångström", ("/ang/",)),
        pool("水池", ("水",)),
        pool("zed-pool!", (), (GENESIS,)),
    ]
    report = import_registry(packed(*pools), SHIPPED, origin="x")
    top = SHIPPED.max_code
    assert {p.slug: (p.code, p.name) for p in report.registry if p.code > top} == {
        "zed-pool": (top + 1, "Zed Pool"),
        "angstrom": (top + 2, "Ångström"),
        "pool-" + hashlib.sha256("水池".encode()).hexdigest()[:8]: (top + 3, "水池"),  # nothing of it is ASCII
    }
    assert report.registry.by_slug["zed-pool"].addresses == (GENESIS,)
    assert import_registry(packed(*reversed(pools[:3])), SHIPPED, origin="x").added == report.added


@pytest.mark.parametrize("name", ["mempool_pools-v2.json", "bitcoin-data_pool-list.json"])
def test_the_real_files_import_alike_in_any_order_and_survive_a_round_trip(name: str) -> None:
    rows = json.loads(shared_data(f"registries/{name}").read_bytes())
    report = import_registry(packed(*rows), SHIPPED, origin=name)
    backwards = import_registry(packed(*reversed(rows)), SHIPPED, origin=name)
    assert report.registry.version == backwards.registry.version
    assert parse_registry(render_registry(report.registry), "copy") == report.registry
    assert report.added == (("1m1x",) if name.startswith("mempool") else ())
    # Registries list a few testnet addresses, which can never pay a mainnet coinbase.
    assert len(report.skipped) == (7 if name.startswith("mempool") else 0)
    assert all(
        line.endswith("no bitcoin address: import it with --chain testnet4 or signet") for line in report.skipped
    )


def test_mempool_tags_are_patterns_and_bitcoin_data_tags_are_texts() -> None:
    assert guess_tag_kind("https://raw.githubusercontent.com/mempool/mining-pools/master/pools-v2.json") == "regex"
    assert (
        guess_tag_kind("https://raw.githubusercontent.com/bitcoin-data/mining-pools/generated/pool-list.json") == "text"
    )
    data = packed(pool("A1", ("/a.c/",)), pool("B1", ("plain",)))
    patterns = import_registry(data, SHIPPED, origin="pools-v2.json").registry
    texts = import_registry(data, SHIPPED, origin="pool-list.json").registry
    assert patterns.by_slug["a1"].tags == (Tag("/a.c/", is_regex=True),)
    assert patterns.by_slug["b1"].tags == texts.by_slug["b1"].tags == (Tag("plain"),)
    assert Matcher(patterns).attribute(Evidence(b"/AxC/")).slug == "a1"
    assert Matcher(texts).attribute(Evidence(b"/AxC/")).slug == "unknown"
    assert import_registry(data, SHIPPED, origin="pools-v2.json", tag_kind="text").registry == texts


def test_the_older_shape_of_both_files() -> None:
    document = {
        "coinbase_tags": {
            "/slush/": {"name": "SlushPool", "link": "https://slushpool.com"},
            "/fresh/": {"name": "Fresh", "link": "f"},
        },
        "payout_addresses": {GENESIS: {"name": "Fresh", "link": "g"}},
    }
    report = import_registry(json.dumps(document).encode(), SHIPPED, origin="pools.json")
    assert report.registry.by_slug["braiins-pool"].tags == (Tag("/slush/"),)
    fresh = report.registry.by_slug["fresh"]
    assert (fresh.tags, fresh.addresses, fresh.link) == ((Tag("/fresh/"),), (GENESIS,), "f")


def test_a_weak_tag_of_ours_stays_weak() -> None:
    registry = import_registry(packed(pool("CKPool", ("CKPOOL",))), SHIPPED, origin="x").registry
    assert registry.by_slug["ckpool"].tags == (Tag("CKPOOL", is_weak=True),)


def test_merging_adds_and_leaves_what_is_ours_to_its_owner() -> None:
    antpool = SHIPPED.by_slug["antpool"].addresses[0]
    data = packed(
        pool("Thief", ("/slush/", "/thief/"), (antpool, GENESIS)),
        pool("AntPool", ("/ant-new/", "/antpool/"), (OTHER.upper(), antpool)),
    )
    report = import_registry(data, SHIPPED, origin="x", merge=True)
    assert report.skipped == (
        "thief: tag '/slush/' belongs to braiins-pool",
        f"thief: address '{antpool}' belongs to antpool",
    )
    merged = report.registry.by_slug["antpool"]
    ours = SHIPPED.by_slug["antpool"]
    assert (merged.tags, merged.addresses) == ((*ours.tags, Tag("/ant-new/")), (*ours.addresses, OTHER))
    assert report.registry.by_slug["foundry-usa"] == SHIPPED.by_slug["foundry-usa"]


def test_what_two_new_pools_claim_goes_to_the_first_by_name() -> None:
    report = import_registry(
        packed(pool("Bee", ("/x/",), (GENESIS,)), pool("Ant", ("/X/",), (GENESIS,))), SHIPPED, origin="x"
    )
    assert report.registry.by_address[GENESIS].slug == "ant"
    assert report.skipped == ("bee: tag '/x/' belongs to ant", f"bee: address '{GENESIS}' belongs to ant")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed(pool("Bad", ("(",))), "f.json: pool 'Bad': tags: '(', expected a usable pattern (missing ): ()"),
        (
            packed(pool("Bad", ("a*.*",))),
            "f.json: pool 'Bad': tags: 'a*.*', expected a usable pattern (it matches the empty text)",
        ),
        (
            packed(pool("Bad", (r"(a)\1",))),
            r"f.json: pool 'Bad': tags: '(a)\\1', expected a usable pattern (invalid escape sequence: \1)",
        ),
        (packed(pool("Bad", (" ",))), "f.json: pool 'Bad': tags: ' ', expected a text of 1 to 256 bytes"),
        (packed(pool("?")), "f.json: pool number 1: name: '?', expected a pool with a name of letters or digits"),
        (packed({"tags": []}), "f.json: pool number 1: name: None, expected a pool with a name of letters or digits"),
        (packed({"name": "X", "tags": [1]}), None),
        (packed(), "f.json: 0 pools, expected 1 to 5000"),
        (b"{}", "f.json: neither a list of pools nor an object with coinbase_tags; expected a public registry"),
        (b'{"coinbase_tags": {"x": 1}}', "f.json: coinbase_tags: x: 1, expected an object with a name"),
        (b'{"coinbase_tags": {}, "payout_addresses": 3}', "f.json: document: payout_addresses: 3, expected an object"),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b" " * (MAX_IMPORT_BYTES + 1), "f.json: 10000001 bytes, expected a registry of at most 10000000"),
    ],
)
def test_files_that_are_refused(data: bytes, message: str | None) -> None:
    with pytest.raises(ConfigError, match=r"^f\.json: ") as raised:
        import_registry(data, SHIPPED, origin="f.json")
    if message is not None:
        assert str(raised.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "tags", "addresses", "link", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused_in_one_line(value: object) -> None:
    try:
        import_registry(json.dumps(value).encode(), SHIPPED, origin="f.json")
    except ConfigError as error:
        assert "\n" not in str(error)
