"""The registry's own format: what is shipped, round trips, and one message for each mistake."""

from pathlib import Path

import pytest
import yaml

from counterpoise.chain.chain_registry import known_chains
from counterpoise.errors import ConfigError
from counterpoise.pools.addresses import normal_address
from counterpoise.pools.pool_registry import MAX_CODE, Registry, Tag, label_key
from counterpoise.pools.registry_file import load_registry, parse_registry, render_registry

GENESIS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
GOOD = f"""
format: counterpoise-registry/1
pools:
- {{code: 2, slug: two-pool, name: Two, aliases: [zwei], tags: [/two/, {{regex: 't[wv]o+'}}, {{text: core, weak: true}}]}}
- code: 1
  slug: one
  name: One
  addresses: [{GENESIS}]
  active_from: 2020-01-01
  active_to: '2020-12-31'
  template_format: datum
  link: https://example.org
"""


def test_the_shipped_registry_is_whole() -> None:
    registry = load_registry()
    assert [pool.code for pool in registry] == list(range(1, len(registry) + 1))
    assert registry.max_code == len(registry)
    assert all(normal_address(address) == address for address in registry.by_address)
    assert all(
        pool.tags or pool.addresses
        for pool in registry
        if pool.slug not in {"letsmine-it", "noderunners", "solopool-com"}
    )
    assert registry.version == load_registry().version
    assert parse_registry(render_registry(registry), "copy") == registry


def test_codes_are_for_ever() -> None:
    # Stored rows hold these numbers: this list only ever grows at its end.
    registry = load_registry()
    first = "foundry-usa antpool f2pool viabtc binance-pool poolin mara-pool braiins-pool luxor spiderpool cloverpool sbi-crypto"
    assert [registry.by_slug[slug].code for slug in first.split()] == list(range(1, 13))
    assert (
        registry.by_slug["ocean"].code,
        registry.by_slug["noderunners"].code,
        registry.by_slug["zulupool"].code,
    ) == (19, 60, 174)


def test_a_file_is_read_sorted_by_code() -> None:
    registry = parse_registry(GOOD, "test.yaml")
    one, two = registry
    assert (one.slug, one.addresses, one.template_format, str(one.active_from), str(one.active_to)) == (
        *("one", (GENESIS,), "datum"),
        *("2020-01-01", "2020-12-31"),
    )
    assert two.tags == (Tag("/two/"), Tag("t[wv]o+", is_regex=True), Tag("core", is_weak=True))
    assert registry.find("ZWEI") is two
    assert registry.find("drei") is None


def test_note_and_unusual_texts_survive_a_round_trip() -> None:
    registry = parse_registry(GOOD.replace("/two/", '"七彩 🐟: #- [x] "'), "test.yaml")
    text = render_registry(registry, "first line\nsecond line")
    assert text.startswith("# first line\n# second line\nformat: ")
    assert parse_registry(text, "copy") == registry


def test_the_version_is_of_the_content_that_decides() -> None:
    base = parse_registry(GOOD, "a")
    assert parse_registry(GOOD.replace("example.org", "example.net"), "b").version == base.version
    for old, new in [
        ("/two/", "/to/"),
        ("zwei", "deux"),
        ("weak: true", "weak: false"),
        ("12-31", "12-30"),
        ("One", "Uno"),
        ("code: 2", "code: 3"),
    ]:
        assert parse_registry(GOOD.replace(old, new), "c").version != base.version, old


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "code: 2",
            "code: 1",
            "r.yaml: pool 'one': code: 1 also belongs to pool 'two-pool', expected a unique number; remove it from one of them",
        ),
        ("code: 2", "code: 0", "r.yaml: pool 'two-pool': code: 0, expected a whole number from 1 to 60000"),
        ("code: 2", "code: true", "r.yaml: pool 'two-pool': code: True, expected a whole number from 1 to 60000"),
        (
            "slug: two-pool",
            "slug: Two Pool",
            "r.yaml: pool number 1: slug: 'Two Pool', expected a slug such as 'foundry-usa'",
        ),
        (
            "slug: two-pool",
            "slug: one",
            "r.yaml: pool 'one': slug: 'one' also belongs to pool 'one', expected a unique slug; remove it from one of them",
        ),
        (
            "zwei",
            "O.N.E.",
            "r.yaml: pool 'two-pool': aliases: 'one' also belongs to pool 'one', "
            "expected names that no other pool has; remove it from one of them",
        ),
        (
            "zwei",
            "Unknown",
            "r.yaml: pool 'two-pool': aliases: 'unknown' also belongs to pool 'unknown', "
            "expected names that no other pool has; remove it from one of them",
        ),
        ("name: Two", "name: ''", "r.yaml: pool 'two-pool': name: '', expected a text of 1 to 500 characters"),
        (
            GENESIS,
            GENESIS[:-1] + "b",
            f"r.yaml: pool 'one': addresses: '{GENESIS[:-1]}b', "
            f"expected an address with a right checksum, of one of {known_chains()}",
        ),
        ("t[wv]o+", "t[wvo+", "r.yaml: pool 'two-pool': tags: 't[wvo+', expected a usable pattern (missing ]: [wvo+)"),
        ("t[wv]o+", "x*", "r.yaml: pool 'two-pool': tags: 'x*', expected a usable pattern (it matches the empty text)"),
        (
            "weak: true",
            "weak: maybe",
            "r.yaml: pool 'two-pool': tags: {'text': 'core', 'weak': 'maybe'}, "
            "expected a text, or one of text and regex with weak: true or false",
        ),
        ("/two/", "7", "r.yaml: pool 'two-pool': tags: value: 7, expected a mapping of fields"),
        (
            "2020-01-01",
            "2021-01-01",
            "r.yaml: pool 'one': active_to: '2020-12-31', expected a day on or after active_from 2021-01-01",
        ),
        ("'2020-12-31'", "soon", "r.yaml: pool 'one': active_to: 'soon', expected a day such as 2022-07-01"),
        ("datum", "stratum", "r.yaml: pool 'one': template_format: 'stratum', expected one of datum, stratum-v2"),
        (
            "link:",
            "url:",
            "r.yaml: pool number 2: field: 'url', "
            "expected one of code, slug, name, aliases, tags, addresses, active_from, active_to, template_format, link",
        ),
        ("aliases: [zwei]", "aliases: zwei", "r.yaml: pool 'two-pool': aliases: 'zwei', expected a list"),
        (
            "registry/1",
            "registry/9",
            "r.yaml: document: format: 'counterpoise-registry/9', expected 'counterpoise-registry/1'",
        ),
        ("pools:", "pool:", "r.yaml: document: field: 'pool', expected one of format, pools"),
    ],
)
def test_each_mistake_has_its_message(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as raised:
        parse_registry(GOOD.replace(old, new, 1), "r.yaml")
    assert str(raised.value) == message


def test_two_pools_cannot_share_an_address_or_a_tag() -> None:
    shared = GOOD.replace("tags: [/two/", f"addresses: [{GENESIS}], tags: [/two/")
    with pytest.raises(ConfigError, match=f"pool 'two-pool': addresses: '{GENESIS}' also belongs to pool 'one'"):
        parse_registry(shared, "r.yaml")
    with pytest.raises(ConfigError, match="pool 'two-pool': tags: '/two/' also belongs to pool 'one'"):
        parse_registry(GOOD.replace("name: One", "name: One\n  tags: [/TWO/]"), "r.yaml")


def test_no_pools_no_yaml_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^r: document: pools: \[\], expected at least one pool$"):
        parse_registry("format: counterpoise-registry/1\npools: []", "r")
    with pytest.raises(ConfigError, match=r"^r: not a YAML file at line \d, column \d: "):
        parse_registry("a: [", "r")
    with pytest.raises(ConfigError, match=r"^r: document: value: None, expected a mapping of fields$"):
        parse_registry("", "r")
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory; name an existing file$"):
        load_registry(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"format: \xe9")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(byte 8\); save it as UTF-8$"):
        load_registry(tmp_path / "latin.yaml")


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_registry(path).origin == str(path)


def test_yaml_cannot_build_objects() -> None:
    with pytest.raises(ConfigError, match="not a YAML file"):
        parse_registry("!!python/object/apply:os.system ['true']", "r")
    assert yaml.safe_load("1") == 1


def test_too_many_tags() -> None:
    tags = ", ".join(f"tag{i}" for i in range(10_001))
    with pytest.raises(ConfigError, match=r"^r: 10001 tags, expected at most 10000; remove some$"):
        parse_registry(f"format: counterpoise-registry/1\npools:\n- {{code: 1, slug: a, name: A, tags: [{tags}]}}", "r")


def test_label_keys() -> None:
    assert label_key("Foundry USA") == label_key("foundry-usa") == label_key("FOUNDRYUSA") == "foundryusa"
    assert label_key("鱼池") == "鱼池"
    assert label_key("🐟\ufe0f /-/ ") == "🐟"
    assert label_key("?! /-/ ") == ""
    assert MAX_CODE < 1 << 16
    assert len(Registry(())) == 0
