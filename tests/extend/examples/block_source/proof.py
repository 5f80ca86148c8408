"""A third kind of source works by its file and its line: ingest reads its blocks, and `doctor` asks it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from desk.supervise.preflight import PreflightResult, examine
from ingest.blocks.backfill import height_range, require_kind
from ingest.blocks.sources.block_sources import configured_source
from testkit.manual_clock import ManualClock


def settings(tmp_path: Path, kind: str = "simulated") -> Settings:
    return Settings(state_dir=tmp_path, dataset_kind=kind, ingest={"source": "rota", "chain": "litecoin"})


def test_the_service_reads_its_blocks(tmp_path: Path) -> None:
    with closing(configured_source(settings(tmp_path), ManualClock())) as source:
        require_kind(settings(tmp_path), source)
        first, last = height_range(source, 10, None)
        events = [event for batch in source.blocks(first, last) for event in batch.events]
    assert [event.height for event in events] == list(range(10, 3_000))
    assert {(event.chain, event.source) for event in events} == {("litecoin", "rota")}


def test_it_may_not_fill_a_live_dataset(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rota"):
        require_kind(settings(tmp_path, "live"), configured_source(settings(tmp_path), ManualClock()))


def test_the_doctor_asks_it(tmp_path: Path) -> None:
    found = [one for one in examine(settings(tmp_path)) if one.check == "source"]
    assert found == [PreflightResult("source", "skipped", "blocks come from the rota of pools")]
