"""Each setting that cannot work, and the one line that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from counterpoise.errors import ConfigError
from counterpoise.series.load import load_catalogue
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.market_sections import MarketSettings, PushSettings
from ingest.releases.mapping.mapping_file import shipped_names
from ingest.releases.push.push_server import push_token
from ingest.releases.sources.release_sources import INTAKES, SOURCES, configured_sources
from testkit.manual_clock import ManualClock

SHIPPED = ", ".join(shipped_names())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"sources": ("epoch",)},
            "COUNTERPOISE_MARKET__EPOCH__LOCATIONS is empty: expected the path or URL of a .csv or .zip file",
        ),
        (
            {"sources": ("epoch",), "epoch": {"locations": ("/no/such.csv",)}},
            "COUNTERPOISE_MARKET__EPOCH__LOCATIONS names '/no/such.csv', which does not exist",
        ),
        (
            {"sources": ("pypi",), "pypi": {"location": ""}},
            "COUNTERPOISE_MARKET__PYPI__LOCATION is empty: expected the path or URL of a .json or .csv file",
        ),
        (
            {"sources": ("npm",), "npm": {"url": "downloads.example"}},
            "COUNTERPOISE_MARKET__NPM__URL='downloads.example' is not a URL: expected one like http://127.0.0.1:8332",
        ),
        (
            {"sources": ("npm",)},
            "source npm needs the address of npm's downloads API: set COUNTERPOISE_MARKET__NPM__URL, or leave npm out of "
            "COUNTERPOISE_MARKET__SOURCES",
        ),
        (
            {"sources": ("npn",)},
            f"COUNTERPOISE_MARKET__SOURCES names 'npn', expected some of {', '.join((*SOURCES, *INTAKES))}",
        ),
        ({"sources": ("npm", "npm")}, "COUNTERPOISE_MARKET__SOURCES names one twice: npm, npm"),
        (
            {"sources": ("poll",)},
            f"source poll needs mappings: set COUNTERPOISE_MARKET__POLL__MAPPINGS to names or paths; shipped are {SHIPPED}",
        ),
        (
            {"sources": ("poll",), "poll": {"mappings": ("nothing",)}},
            f"there is no mapping 'nothing': expected a path, or one of {SHIPPED}",
        ),
        (
            {"sources": ("poll",), "poll": {"mappings": ("openrouter-models", "openrouter-models")}},
            "COUNTERPOISE_MARKET__POLL__MAPPINGS has two mappings of one name: poll-openrouter-models, poll-openrouter-models",
        ),
    ],
)
def test_a_setting_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError) as found:
        configured_sources(MarketSettings(**settings), load_catalogue(), clock=clock, pause=clock.sleep)
    assert str(found.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {},
            "source push needs a token: set COUNTERPOISE_MARKET__PUSH__TOKEN_FILE to a file that holds one, for example from",
        ),
        (
            {"token": SecretStr("short")},
            "COUNTERPOISE_MARKET__PUSH__TOKEN has 5 characters, expected at least 16, ASCII only:",
        ),
        (
            {"token": SecretStr("ü" * 20)},
            "COUNTERPOISE_MARKET__PUSH__TOKEN has 20 characters, expected at least 16, ASCII only:",
        ),
        (
            {"token_file": Path("/no/such")},
            "COUNTERPOISE_MARKET__PUSH__TOKEN_FILE names '/no/such', which cannot be read:",
        ),
    ],
)
def test_a_token_that_protects_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as found:
        push_token(PushSettings(**settings))
    assert str(found.value).startswith(message)
    assert "short" not in str(found.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COUNTERPOISE_MARKET__SOURCES", '["push", "drop"]')
    monkeypatch.setenv("COUNTERPOISE_MARKET__PUSH__TOKEN", "a-token-of-enough-length")
    settings = Settings.load()
    assert settings.market.sources == ("push", "drop")
    assert "a-token" not in repr(settings)
    assert settings.market.push.host == "127.0.0.1"
