"""Every plug-in is one file and one line in its registry: the registries are complete and documented, and have no exceptions."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import alerts.outbox.receivers
import alerts.rules
import ingest.blocks.sources
import ingest.releases.sources
from alerts.outbox.receivers.receivers import RECEIVERS, choose_receiver, make_receivers
from alerts.rules.rule import HeightRule, Rule, TimerRule
from alerts.rules.rule_types import RULE_TYPES
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.probe import Probe
from counterpoise.series.load import load_catalogue
from counterpoise.settings.model import Settings
from counterpoise.settings.section import SettingsSection
from counterpoise.settings.sections.ingest_sections import IngestSettings
from counterpoise.settings.sections.market_sections import MarketSettings
from desk.supervise.preflight import PreflightResult, examine
from ingest.blocks.sources import block_sources
from ingest.blocks.sources.block_source import LiveSource
from ingest.blocks.sources.block_sources import configured_source
from ingest.releases.sources import release_sources
from ingest.releases.sources.locations import FileSource
from ingest.releases.sources.release_sources import INTAKES

DOCS = Path(__file__).parents[3] / "docs"


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def classes(package: ModuleType, methods: set[str]) -> dict[str, type]:
    """The concrete classes that the modules of a package define and that have these methods, by name."""
    return {
        name: one
        for module in modules(package)
        for name, one in inspect.getmembers(module, inspect.isclass)
        if one.__module__ == module.__name__
        and methods <= set(dir(one))
        and not getattr(one, "_is_protocol", False)
        and not inspect.isabstract(one)
    }


def sections(settings: type[SettingsSection]) -> set[str]:
    found = {name: info.annotation for name, info in settings.model_fields.items()}
    return {name for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, SettingsSection)}


def made_by(maker: Any) -> str:
    """The class that a registry's entry makes: itself, or the class of its `from_settings`."""
    return str(getattr(maker, "__self__", maker).__name__)


def block_settings(name: str, tmp_path: Path) -> Settings:
    path = tmp_path / "blocks.csv"
    path.write_text("height,time,pool\n1,5,x\n")
    return Settings(state_dir=tmp_path, ingest={"source": name, "replay": {"path": path}})


def market_settings(name: str, tmp_path: Path, **more: Any) -> MarketSettings:
    path = tmp_path / "owners.csv"
    path.write_text("owner,value\n")
    needs: Mapping[str, Any] = {
        "epoch": {"locations": (str(path),)},
        "pypi": {"location": str(path)},
        "npm": {"url": "http://127.0.0.1:1"},
        "pypistats": {"url": "http://127.0.0.1:1"},
        "openrouter": {"url": "http://127.0.0.1:1"},
        "huggingface": {"endpoint": "http://127.0.0.1:1"},
        "poll": {"mappings": ("openrouter-models",)},
    }
    return MarketSettings(sources=(name,), **{key: value for key, value in needs.items() if key == name}, **more)


def test_every_block_source_is_registered() -> None:
    found = classes(ingest.blocks.sources, {"tip", "blocks", "probe", "close"})
    assert set(found) == {made_by(maker) for maker in block_sources.SOURCES.values()}
    assert sections(IngestSettings) <= set(block_sources.SOURCES)


@pytest.mark.parametrize("name", block_sources.SOURCES)
def test_a_block_source_has_all_that_the_service_asks_of_it(name: str, tmp_path: Path) -> None:
    with closing(configured_source(block_settings(name, tmp_path), SystemClock())) as source:
        assert source.name == name
        assert source.capabilities.kinds
        assert isinstance(source, LiveSource) == source.capabilities.live
        assert not isinstance(source, LiveSource) or source.poll_seconds > 0
    assert f"`{name}`" in (DOCS / "sources.md").read_text(encoding="utf-8")


def test_a_source_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as found:
        configured_source(Settings(state_dir=tmp_path, ingest={"source": "bitcoin"}), SystemClock())
    assert (
        str(found.value)
        == f"COUNTERPOISE_INGEST__SOURCE is 'bitcoin', expected one of {', '.join(block_sources.SOURCES)}"
    )


def test_every_market_source_is_registered() -> None:
    found = set(classes(ingest.releases.sources, {"fetch", "probe", "close"})) - {FileSource.__name__}
    made = {made_by(maker) for name, maker in release_sources.SOURCES.items() if name != "poll"}
    assert found == made | {"PollSource"}
    assert sections(MarketSettings) <= {*release_sources.SOURCES, *INTAKES}


@pytest.mark.parametrize("name", [*release_sources.SOURCES])
def test_a_market_source_has_all_that_the_schedule_asks_of_it(name: str, tmp_path: Path) -> None:
    clock = SystemClock()
    settings = market_settings(name, tmp_path)
    for source in release_sources.configured_sources(settings, load_catalogue(), clock=clock, pause=clock.sleep):
        with closing(source):
            assert source.name == name or source.name.startswith(f"{name}-")
            assert source.cadence_seconds > 0
    assert f"`{name}`" in (DOCS / "market-sources.md").read_text(encoding="utf-8")


def test_every_receiver_is_registered() -> None:
    found = classes(alerts.outbox.receivers, {"post", "edit", "find", "withdraw"})
    assert set(found) == {receiver.__name__ for receiver in RECEIVERS.values()}


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_has_all_that_the_outbox_asks_of_it(name: str) -> None:
    sections: dict[str, Any] = {
        "slack": {"token": "xoxb-of-the-test", "channel": "C1", "base_url": "http://127.0.0.1:1/"},
        "webhook": {"url": "http://127.0.0.1:1/", "secret": "xoxb-of-the-test"},
        "alertmanager": {"url": "http://127.0.0.1:1/", "token": "xoxb-of-the-test"},
    }
    settings = Settings(alerts={"notifier": name}, **sections)
    [receiver] = make_receivers(settings, StringIO())
    assert receiver.name == receiver.kind == name
    assert receiver.channel
    probe = RECEIVERS[name].probe(settings)
    assert "xoxb" not in f"{receiver!r} {probe!r}"
    assert f"| `{name}` |" in (DOCS / "alerts.md").read_text(encoding="utf-8")


def test_auto_takes_the_first_receiver_that_is_configured() -> None:
    assert choose_receiver(Settings()) == "console"
    assert choose_receiver(Settings(slack={"token": "x", "channel": "C1"})) == "slack"
    assert choose_receiver(Settings(slack={"token": "x", "channel": "C1"}, dataset_kind="simulated")) == "console"
    with pytest.raises(ConfigError) as found:
        choose_receiver(Settings(alerts={"notifier": "pager"}))
    assert (
        str(found.value) == f"COUNTERPOISE_ALERTS__NOTIFIER is 'pager', expected auto or one of {', '.join(RECEIVERS)}"
    )


def test_every_rule_type_is_registered_under_its_own_name() -> None:
    found = classes(alerts.rules, {"rule_hash", "condition"})
    assert set(found.values()) == set(RULE_TYPES.values())
    for name, rule in RULE_TYPES.items():
        assert issubclass(rule, Rule)
        assert rule.model_fields["type"].default == name
        assert issubclass(rule, HeightRule) != issubclass(rule, TimerRule)
        assert rule.__doc__
        assert all(info.description for field, info in rule.model_fields.items() if field != "type")


class ThirdSource:
    """A source that no other module has heard of."""

    name = "third"

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def probe(self) -> Probe:
        return self._probe

    def close(self) -> None:
        """Nothing is open."""


def doctor(settings: Settings, *checks: str) -> list[PreflightResult]:
    return [found for found in examine(settings) if found.check.startswith(checks)]


@pytest.mark.parametrize(
    ("probe", "clock"),
    [
        (Probe("ok", "third is there", "Thu, 01 Jan 2026 00:00:00 GMT"), "warning"),
        (Probe("ok", "third is there", ""), "skipped"),
        (Probe("problem", "third is away"), "skipped"),
    ],
)
def test_the_doctor_asks_any_source(probe: Probe, clock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third source is a file and a line: nothing in `doctor` knows the others by name."""

    def make_third(*_args: Any, **_more: Any) -> Any:
        return ThirdSource(probe)

    monkeypatch.setitem(block_sources.SOURCES, "third", lambda _settings, _clock: ThirdSource(probe))
    monkeypatch.setitem(release_sources.SOURCES, "third", make_third)
    settings = Settings(state_dir=tmp_path, ingest={"source": "third"}, market={"sources": ("third", "push")})
    source, its_clock, market = doctor(settings, "source", "clock", "market")[-3:]
    assert source == PreflightResult("source", probe.verdict, probe.said)
    assert its_clock.verdict == clock
    assert market == PreflightResult("market source third", probe.verdict, probe.said)


@pytest.mark.parametrize("name", block_sources.SOURCES)
def test_the_doctor_has_an_answer_for_every_block_source(name: str, tmp_path: Path) -> None:
    away = {"url": "http://127.0.0.1:1"}
    settings = Settings(state_dir=tmp_path, ingest={"source": name, "bitcoind": away, "mempool": away})
    found = doctor(settings, "source")
    assert [one.check for one in found] == ["source"]
    expected = {"bitcoind": "problem", "mempool": "problem", "replay": "problem", "figures": "skipped"}
    assert found[0].verdict == expected.get(name, found[0].verdict) != "ok"  # nothing is there to be reached
    assert name in found[0].said


@pytest.mark.parametrize(
    "name", [name for name in release_sources.SOURCES if name != "poll"]
)  # whose mappings name servers
def test_the_doctor_has_an_answer_for_every_market_source(name: str, tmp_path: Path) -> None:
    settings = Settings(
        state_dir=tmp_path,
        ingest={"source": "figures"},
        market=market_settings(name, tmp_path).model_dump(exclude_unset=True),
    )
    [found] = doctor(settings, "market")
    away = {"pypistats", "npm", "huggingface"}
    assert found.verdict == ("ok" if name in {"epoch", "pypi"} else "problem" if name in away else found.verdict)
    assert name in found.said


def test_the_doctor_names_a_source_that_there_is_not(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, ingest={"source": "second"}, market={"sources": ("seconds",)})
    assert [(one.check, one.verdict) for one in doctor(settings, "source", "market")] == [
        ("source", "problem"),
        ("market sources", "problem"),
    ]
