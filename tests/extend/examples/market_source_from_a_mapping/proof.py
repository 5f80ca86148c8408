"""A market source without code: one mapping, and the series that it fills."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from counterpoise.series.load import load_catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from desk.cli.market import market_app
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names
from ingest.releases.mapping.releases_of_file import releases_of_file
from ingest.releases.sources.release_sources import configured_sources
from testkit.manual_clock import ManualClock

NAME = "edge-board-shipments"
DOCUMENT = {
    "published": "2026-05-12",
    "quarter": {"first": "2026-01-01", "last": "2026-03-31"},
    "makers": [
        {"name": "Alder", "boards": 120_000},
        {"name": "Birch", "boards": 80_000},
        {"name": "Others", "boards": 9_000},
    ],
}


def test_a_document_becomes_a_release_of_its_series() -> None:
    catalogue = load_catalogue()
    assert NAME in shipped_names()
    [release] = releases_of_file(
        load_mapping(NAME, catalogue),
        catalogue[NAME],
        json.dumps(DOCUMENT).encode(),
        name="q1.json",
        modified_ms=1_778_600_000_000,
        now_ms=1_778_700_000_000,
    )
    assert (release.head.series, release.head.unit, release.head.layer) == (NAME, "boards", "developer_pull")
    assert (release.head.period_start, release.head.period_end) == ("2026-01-01", "2026-03-31")
    assert [(one.owner, one.value, one.residual) for one in release.observations] == [
        ("Alder", 120_000.0, False),
        ("Birch", 80_000.0, False),
        ("Others", 9_000.0, True),
    ]


def test_the_command_shows_it(tmp_path: Path) -> None:
    file = tmp_path / "q1.json"
    file.write_text(json.dumps(DOCUMENT))
    result = CliRunner().invoke(market_app, ["check", NAME, str(file)])
    assert result.exit_code == 0, result.output
    assert "full 3 209000 boards Alder 120000" in " ".join(result.stdout.split())


def test_it_is_polled_by_its_name() -> None:
    settings = MarketSettings(sources=("poll",), poll={"mappings": (NAME,)})
    clock = ManualClock()
    [source] = configured_sources(settings, load_catalogue(), clock=clock, pause=clock.sleep)
    with closing(source):
        assert (source.name, source.cadence_seconds) == (f"poll-{NAME}", 7 * 86_400.0)
