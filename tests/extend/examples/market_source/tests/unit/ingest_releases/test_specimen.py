"""The specimen release."""

from counterpoise.series.load import load_catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.releases.sources.specimen import MEGAWATTS, SpecimenSource
from testkit.manual_clock import ManualClock


def test_it_is_given_once() -> None:
    clock, memory = ManualClock(), dict[str, str]()
    source = SpecimenSource(MarketSettings(), load_catalogue(), clock=clock, pause=clock.sleep)
    [fetched] = source.fetch(memory)
    [release] = fetched.releases
    assert sum(one.value for one in release.observations) == sum(MEGAWATTS.values()) == 1_120
    assert list(source.fetch(memory)) == []
