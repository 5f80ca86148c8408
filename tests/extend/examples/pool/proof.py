"""A new pool is found by its tag, and the registry is still whole."""

from __future__ import annotations

from pathlib import Path

from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.evidence import Evidence
from tests.extend.proving import command


def test_its_tag_attributes_a_block() -> None:
    found = AttributionSet.default().matcher.attribute(Evidence(b"\x03\x01\x02\x03/specimen-pool/", ()), 1_700_000_000)
    assert (found.slug, found.code, found.method) == ("specimen-pool", 175, "tag")


def test_the_command_accepts_the_file() -> None:
    assert "175 pools" in command("pools", "check", str(Path("counterpoise/pools/data/registry.yaml")))
