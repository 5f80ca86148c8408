"""`counterpoise market …` as it is typed, against a running line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.forked import run_forked
from tests.integration.streams.line import ROOT, Engines, Line, line_on
from tests.shared import shared_data


def typed(line: Line, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")}
    environment |= line.engines.environment | {
        "COUNTERPOISE_DATASET": line.dataset,
        "COUNTERPOISE_DATASET_KIND": "historical",
        "COUNTERPOISE_STATE_DIR": str(line.engines.directory / "cli"),
    }
    return run_forked(["market", *arguments], environment, ROOT)


def test_files_are_loaded_and_listed(engines: Engines, tmp_path: Path) -> None:
    with line_on(engines, "cli") as line:
        worker = line.start()
        file = shared_data("edge_ai/ai_compute_owner_quarterly.csv")
        for _ in range(2):  # the same again changes nothing
            done = typed(line, "load", "epoch", str(file), "--published", "2026-05-01")
            assert done.returncode == 0, done.stderr
            assert "17 releases of epoch-ai-compute-owners, 2022-03-31 to 2026-03-31" in done.stdout
            assert "1 of partial coverage" in done.stdout
        done = typed(line, "releases", "epoch-ai-compute-owners", "--json")
        listed = json.loads(done.stdout)
        assert [row["current"] for row in listed] == [True] * 16 + [False]
        assert listed[0]["published_at"].startswith("2026-05-01")

        wrong = tmp_path / "wrong.csv"
        wrong.write_text("a,b\n1,2\n")
        done = typed(line, "load", "pypi", str(wrong))
        assert done.returncode == 2
        [said] = done.stderr.splitlines()
        assert "wrong.csv" in said and "neither of the two layouts" in said
        assert typed(line, "releases", "nobody-knows-it").returncode == 2
        assert typed(line, "load", "epoch").returncode == 2
        assert worker.stop() == 0, worker.tail()


def test_the_catalogue_needs_no_engine(engines: Engines) -> None:
    with line_on(engines, "cli") as line:
        found = json.loads(typed(line, "series", "--json").stdout)
        assert {"epoch-ai-compute-owners", "pypi-edge-share", "miner-pivot"} <= {row["series"] for row in found}
        assert "openrouter-models" in typed(line, "series").stdout
