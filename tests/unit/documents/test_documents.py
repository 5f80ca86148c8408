"""Loaders of rules, pools, series and mappings with any bytes: an answer or one line, in bounded time and memory."""

import json
import random
import resource
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from pathlib import Path

import pytest

from alerts.rules_file import load_rules
from counterpoise.documents import MAX_BYTES, MAX_DEPTH, DocumentError, parse_json, parse_yaml
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.entity_map import load_entity_map
from counterpoise.pools.pool_registry import Registry
from counterpoise.pools.registry_file import load_registry
from counterpoise.series.load import load_catalogue, load_catalogue_folder
from counterpoise.visible import visible
from desk.registry_import import import_registry
from ingest.releases.mapping.mapping_file import load_mapping


@lru_cache(maxsize=1)
def shipped_registry() -> Registry:
    return load_registry(None)


def import_file(path: Path) -> object:
    return import_registry(path.read_bytes(), shipped_registry(), origin=str(path), tag_kind="text", merge=False)


LOADERS: dict[str, Callable[[Path], object]] = {
    "rules": load_rules,
    "registry": load_registry,
    "entities": load_entity_map,
    "series": lambda path: load_catalogue_folder(path.parent),
    "mapping": lambda path: load_mapping(str(path), load_catalogue()),
    "import": import_file,
    "set": lambda path: AttributionSet.from_json(path.read_bytes().decode("utf-8", "replace")),
}
SHIPPED = {
    "rules": resources.files("alerts").joinpath("rules.yaml").read_text(),
    "registry": resources.files("counterpoise.pools").joinpath("data/registry.yaml").read_text(),
    "entities": resources.files("counterpoise.pools").joinpath("data/entities.yaml").read_text(),
    "series": resources.files("counterpoise.series").joinpath("data/npm-edge-share.yaml").read_text(),
    "mapping": resources.files("ingest.releases.mapping").joinpath("shipped/miner-pivot.yaml").read_text(),
    "import": json.dumps([{"id": 1, "name": "A", "tags": ["/a/"], "addresses": [], "link": "https://a"}]),
    "set": '{"format": "x"}',
}


def few_pools(registry: str) -> str:
    """The head, the first ten pools, and those with lines that hardly any has: each damaged copy is read whole."""
    head, *pools = registry.split("\n- code: ")
    rare = ("active_from", "active_to", "weak", "template_format")
    chosen = pools[:10] + [pool for pool in pools[10:] if any(f"  {key}:" in pool for key in rare)]
    return "\n- code: ".join([head, *chosen])


DAMAGED = SHIPPED | {"registry": few_pools(SHIPPED["registry"])}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
WHOLE: dict[str, bytes] = {
    "nothing": b"",
    "nul": b"\0",
    "many nuls": b"\0" * 100_000,
    "not utf-8": b"version: 1\xff\xfe",
    "utf-16": "version: 1".encode("utf-16"),
    "deep flow": b"[" * 100_000,
    "deep closed flow": b"[" * 50_000 + b"]" * 50_000,
    "deep mapping": b'{"a":' * 100_000,
    "deep block": "".join(f"{' ' * n}a:\n" for n in range(1_000)).encode(),
    "deep sequence": b"- " * 100_000,
    "deep keys": b"? " * 100_000,
    "bomb": BOMB.encode(),
    "itself": b"&a [*a]",
    "itself as key": b"&a {*a : 1}",
    "merge": b"a: &a {x: 1}\nb:\n  <<: *a\n",
    "6,000 digits": b"version: " + b"9" * 6_000,
    "json of 6,000 digits": b"[" + b"9" * 6_000 + b"]",
    "4,000 digits": b"version: " + b"9" * 4_000,
    "negative": b"version: -" + b"9" * 6_000,
    "hexadecimal": b"version: 0x" + b"f" * 500_000,
    "sexagesimal": b"version: " + b":".join([b"59"] * 100_000),
    "float": b"version: 1e99999999",
    "not finite": b"[NaN, Infinity]",
    "surrogate": b'["\\ud800"]',
    "half a file": b"version: [1, {a: 'b",
    "tag": b"!!python/object/apply:os.system ['true']",
    "bad timestamp": b"!!timestamp nothing",
    "bad int": b"version: !!int ''",
    "bad bool": b"version: !!bool maybe",
    "bad binary": b"version: !!binary 'x'",
    "bad set": b"version: !!set [1]",
    "many documents": b"--- 1\n--- 2\n",
    "directive": b"%YAML 9.9\n---\na: 1",
    "tabs": b"\tversion: 1",
    "escapes": b"\x1b[2J: \x1b]0;x\x07",
    "bidi": "\u202e: \u202e".encode(),
    "key twice": b"version: 1\nversion: 1",
    "list as key": b"? [a]\n: 1",
}
LARGE: dict[str, Callable[[], bytes]] = {
    "30 MB of a": lambda: b"a" * 30_000_000,
    "30 MB of [": lambda: b"[" * 30_000_000,
    "30 MB of keys": lambda: b"".join(b"k%d: v\n" % n for n in range(2_000_000)),
}
"""Made when a test needs them: every process that collects tests imports this file."""
VALUES = [
    "2024-02-31", "0000-00-00", "9999-99-99", "0001-01-01T00:00:00+23:59", "!!timestamp x",
    "-0", "9" * 5_000, "-1", "1e400", ".nan", ".inf",
    "-.inf", "~", "''", "[]", "{}", "true", "0x", "0o9", "1:60", "!!binary x", "*a", "&a b", "'\\'", '"\\ud800"', '"\\0"',
    "[[[[]]]]",
    "{a: {b: c}}", "2024-01-01", "18446744073709551616", "!!set {a}", "!!omap [a: b]", "\u202e",
    "<<", "=", "a\n b", "|\n  x", '"\\x1b[2J"',
]  # fmt: skip


def answer(name: str, content: bytes, path: Path) -> str | None:
    """What the loader says; None where it loads. Anything but one line of a ConfigError fails."""
    path.write_bytes(content)
    try:
        LOADERS[name](path)
    except ConfigError as error:
        said = str(error)
        assert "\n" not in said
        assert "\n" not in visible(said)
        assert len(said) < 3_000
        return said
    return None


@lru_cache(maxsize=1)
def whole(case: str) -> bytes:
    return LARGE[case]() if case in LARGE else WHOLE[case]


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("case", [*WHOLE, *LARGE])
def test_a_hostile_file_is_one_line(name: str, case: str, tmp_path: Path) -> None:
    content = whole(case)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert answer(name, content, tmp_path / "file.yaml") is not None
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000, f"{grown} KiB for a file of {len(content)} bytes"


@pytest.mark.parametrize("name", LOADERS)
def test_a_hostile_value_at_any_place_is_one_line(name: str, tmp_path: Path) -> None:
    lines = DAMAGED[name].splitlines()
    draw = random.Random(name)
    places = [at for at, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("#")]
    for at in draw.sample(places, min(12, len(places))):
        for value in VALUES:
            changed = [*lines[:at], f"{lines[at].split(': ')[0]}: {value}", *lines[at + 1 :]]
            answer(name, "\n".join(changed).encode(), tmp_path / "file.yaml")


@pytest.mark.parametrize("name", LOADERS)
def test_damaged_bytes_are_one_line(name: str, tmp_path: Path) -> None:
    whole = SHIPPED[name].encode()[:6_000]
    draw = random.Random(name)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            at = draw.randrange(len(damaged))
            kind = draw.randrange(3)
            if kind == 0:
                damaged[at] = draw.randrange(256)
            elif kind == 1:
                del damaged[at : at + draw.randint(1, 40)]
            else:
                damaged[at:at] = draw.choice(
                    [b"\0", b"[", b"{", b"&a ", b"*a", b": ", b"\n", b"- ", b"'", b'"', b"\xff", b"!", b"%", b"?"]
                )
            damaged = damaged or bytearray(b" ")
        answer(name, bytes(damaged), tmp_path / "file.yaml")


def test_the_shipped_files_load() -> None:
    for name in ("rules", "registry", "entities", "series", "mapping"):
        assert parse_yaml(SHIPPED[name])


def test_limits_are_exact() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(DocumentError, match="nested over 32 deep"):
        parse_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert parse_yaml("9" * 100) == int("9" * 100)
    assert parse_yaml("[08:30, 0:30, 0123:45]") == ["08:30", "0:30", "0123:45"], "YAML takes none of them for a number"
    assert parse_yaml(f"'{'9' * 101}'") == "9" * 101, "a text in quotes is no number"
    with pytest.raises(DocumentError, match="a number of 101 characters, expected at most 100"):
        parse_yaml("9" * 101)
    with pytest.raises(DocumentError, match=f"over {MAX_BYTES} characters"):
        parse_yaml("#" * (MAX_BYTES + 1))
    with pytest.raises(DocumentError, match=r"the alias \*a is not read: write the value out"):
        parse_yaml("[&a 1, *a]")
    with pytest.raises(DocumentError, match="NaN is not a number of JSON"):
        parse_json("[NaN]")
    assert parse_json('{"a": ["é", "\\ud83d\\ude00"]}') == {"a": ["é", "😀"]}
