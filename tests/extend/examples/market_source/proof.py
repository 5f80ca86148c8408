"""A new market source is made by its name, gives releases that the catalogue takes, and `doctor` asks it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from counterpoise.series.load import load_catalogue
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.market_sections import MarketSettings
from desk.supervise.preflight import PreflightResult, examine
from ingest.releases.sources.release_sources import configured_sources
from testkit.manual_clock import ManualClock


def test_its_releases_fit_their_series() -> None:
    clock, catalogue = ManualClock(), load_catalogue()
    [source] = configured_sources(MarketSettings(sources=("specimen",)), catalogue, clock=clock, pause=clock.sleep)
    with closing(source):
        [release] = [release for fetched in source.fetch({}) for release in fetched.releases]
    head = release.head
    assert catalogue[head.series].mismatch(kind=head.kind, layer=head.layer, unit=head.unit) == ""
    assert [one.owner for one in release.observations] == ["Core Scientific", "Hut 8", "TeraWulf"]


def test_the_doctor_asks_it(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, ingest={"source": "figures"}, market={"sources": ("specimen",)})
    found = [one for one in examine(settings) if one.check.startswith("market")]
    assert found == [PreflightResult("market source specimen", "skipped", "specimen asks nobody")]
