"""From published files to the gap: the market service, Kafka, the stream worker and the views that a reader has."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.forked import start_forked
from tests.integration.release_line.feed import blocks_around
from tests.integration.release_line.views import rest
from tests.integration.streams.line import QUICK_GROUP, ROOT, Line
from tests.shared import shared_data
from tests.waiting import PATIENCE_SECONDS, wait_for

DAY = date(2025, 12, 31)
PUBLISHED = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp())


class MarketService:
    """`counterpoise run market`, unsupervised."""

    def __init__(self, line: Line, folder: Path) -> None:
        self._log = folder / "market.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")},
            **line.engines.environment,
            **QUICK_GROUP,
            "COUNTERPOISE_STATE_DIR": str(folder / "state"),
            "COUNTERPOISE_DATASET": line.dataset,
            "COUNTERPOISE_DATASET_KIND": "historical",
            "COUNTERPOISE_MARKET__SOURCES": json.dumps(["epoch", "pypi"]),
            "COUNTERPOISE_MARKET__EPOCH__LOCATIONS": json.dumps([str(folder / "owners.csv")]),
            "COUNTERPOISE_MARKET__PYPI__LOCATION": str(folder / "packages.csv"),
        }
        self.journal = folder / "state" / "run" / line.dataset / "market" / "journal"
        with self._log.open("ab") as log:
            self.process = start_forked(["run", "market", "--child"], environment, ROOT, log)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4_000:]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE_SECONDS)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


@pytest.mark.kafka
def test_published_files_end_as_the_gap_of_a_day(line: Line, tmp_path: Path) -> None:
    for name, source in (
        ("owners.csv", "edge_ai/ai_compute_owner_quarterly.csv"),
        ("packages.csv", "edge_ai/ai_packages_30d_downloads_monthly.csv"),
    ):
        shutil.copy(shared_data(source), tmp_path / name)
        os.utime(tmp_path / name, (PUBLISHED, PUBLISHED))
    line.send(blocks_around(DAY), events_per_message=500)
    worker = line.start()

    dying = MarketService(line, tmp_path)  # killed while it publishes: the next one carries on from its journal
    try:
        wait_for(lambda: any(dying.journal.rglob("*")), "something in the journal", dying.log)
        dying.process.kill()
    finally:
        dying.stop()
    market = MarketService(line, tmp_path)
    try:
        line.wait_for("SELECT count() FROM releases_all WHERE series = 'epoch-ai-compute-owners'", 17)
        line.wait_for("SELECT count() FROM releases_all WHERE series = 'pypi-edge-share'", 155)
        rest(line)
        line.wait_for("SELECT count() FROM asymmetry WHERE view = 'raw' AND day = '2025-12-31'", 1)
        rows = line.ch.query(
            "SELECT d2_mining, l_dropped, l_one_owner, l_spread, level, hindsight FROM asymmetry "
            "WHERE view = 'raw' AND knowledge = 'latest' AND day = '2025-12-31'"
        )
        [(*values, level, hindsight)] = rows
        assert values == pytest.approx([6.167, -0.337, -0.011, 0.270], abs=0.001)
        assert (level, hindsight) == ("no_call", True)
        shares = dict(
            line.ch.query(
                "SELECT list_id, edge_share FROM edge_share WHERE series = 'pypi-edge-share' ORDER BY period_end DESC LIMIT 2"
            )
        )
        assert shares == pytest.approx({"as-filed": 0.048, "without-general-tools": 0.11}, abs=0.005)
        # What ClickHouse holds leaves the journal.
        wait_for(lambda: _status(market)["info"].get("unconfirmed_releases") == 0, "an empty journal", market.log)
        assert line.ch.query("SELECT count() FROM dead_letters") == [(0,)]
    finally:
        assert market.stop() == 0, market.log()
    assert worker.stop() == 0, worker.tail()


def _status(market: MarketService) -> dict[str, dict[str, int]]:
    path = market.journal.parents[1] / "market.json"
    found: dict[str, dict[str, int]] = json.loads(path.read_text())
    return found
