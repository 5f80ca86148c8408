"""A new pool is found by its tag, and the registry is still whole."""

from __future__ import annotations

from typer.testing import CliRunner

from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.registry_file import load_registry
from desk.cli.pools import pools_app


def test_its_tag_attributes_a_block() -> None:
    found = AttributionSet.default().matcher.attribute(Evidence(b"\x03\x01\x02\x03/specimen-pool/", ()), 1_700_000_000)
    assert (found.slug, found.code, found.method) == ("specimen-pool", load_registry().max_code, "tag")


def test_the_command_accepts_the_file() -> None:
    result = CliRunner().invoke(pools_app, ["check", "counterpoise/pools/data/registry.yaml"])
    assert result.exit_code == 0, result.output
