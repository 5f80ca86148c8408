"""`counterpoise market check`: what a mapping makes of a file, before anybody sends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from counterpoise.errors import ConfigError
from desk.cli.market import market_app

CSV = """company,segment,revenue_usd,period_start,period_end,filed
Core Scientific,ai_hpc,24400000,2024-01-01,2024-12-31,2025-03-05
Core Scientific,mining,408700000,2024-01-01,2024-12-31,2025-03-05
"""


def checked(*arguments: str) -> str:
    result = CliRunner().invoke(market_app, ["check", *arguments])
    if result.exception is not None:
        raise result.exception
    return " ".join(result.stdout.split())


def test_a_release_is_shown_with_what_matters(tmp_path: Path) -> None:
    file = tmp_path / "2024.csv"
    file.write_text(CSV)
    assert checked("miner-pivot", str(file)).endswith(
        "2024.csv miner-pivot 2024-01-01 to 2024-12-31 2025-03-05 full 2 4.331e+08 USD Core Scientific 4.087e+08"
    )


def test_a_mistake_is_the_line_that_the_drop_folder_would_write(tmp_path: Path) -> None:
    file = tmp_path / "2024.csv"
    file.write_text(CSV.replace("408700000", "lots"))
    with pytest.raises(ConfigError, match=r"2024\.csv: row 2: value: 'lots' is no number"):
        checked("miner-pivot", str(file))


def test_a_polled_document_needs_what_its_url_was_made_for(tmp_path: Path) -> None:
    file = tmp_path / "llama.json"
    file.write_text('{"data": {"endpoints": [{"provider_name": "Groq"}, {"provider_name": "Together"}]}}')
    assert " 2 2 offers Groq 1" in checked("openrouter-models", "--item", "meta/llama", str(file))
    with pytest.raises(ConfigError, match="item: nothing at 'item'"):
        checked("openrouter-models", str(file))


def test_a_publication_in_the_future_is_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "owners.csv"
    file.write_text("quarter_end,owner,maker,table,h100e,p5,p95\n2025-12-31,Meta,Nvidia,nvidia_owners,3,2,4\n")
    result = CliRunner().invoke(market_app, ["load", "epoch", str(file), "--published", "2062-05-01"])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).endswith("is more than a day in the future: see --published")
