"""`counterpoise replay` as a user runs it: a chain that rules watch, one that none watches, one that is unknown."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from counterpoise.chain.chain_registry import known_chains
from counterpoise.clickhouse.client import connect
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer, RunningKafka, as_environment, settings_for
from tests.forked import start_forked
from tests.integration.runtime.cli import clean_environment, counterpoise
from tests.waiting import PATIENCE_SECONDS, wait_for

BLOCKS = 1_500
FIRST = 2_700_000
POOLS = ("viabtc", "f2pool", "antpool", "foundryusa", "luxor", "spiderpool")


@pytest.fixture
def blocks_file(tmp_path: Path) -> Path:
    """The four largest make three of four blocks, then nine of ten."""
    path = tmp_path / "blocks.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["height", "time", "pool"])
        for n in range(BLOCKS):
            pool = POOLS[n % 4] if n % 10 else POOLS[4 + n // 10 % 2]
            rows.writerow([FIRST + n, 1_700_000_000 + 150 * n, pool])
    return path


@pytest.fixture
def dataset(kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[Settings]:
    settings = settings_for(kafka, clickhouse, tmp_path / "state", dataset_kind="historical")
    yield settings
    with connect(clickhouse.target, "default") as server:
        server.execute(f"DROP DATABASE IF EXISTS `{settings.dataset}` SYNC")


def scored(settings: Settings) -> list[tuple[object, ...]]:
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        return ch.query(
            "SELECT chain, count(), min(height), max(height) FROM concentration WHERE view = 'raw' AND window_blocks = 1008 "
            "GROUP BY chain"
        )


@pytest.mark.kafka
def test_a_replay_lists_what_the_registry_lacks_and_fills_what_the_file_lacks(
    dataset: Settings, blocks_file: Path
) -> None:
    head, *rows = blocks_file.read_text().splitlines()
    kept = [row.replace("luxor", "Luxxor") for n, row in enumerate(rows) if n % 500 != 250]
    blocks_file.write_text("\n".join([head, *kept]) + "\n")
    environment = as_environment(dataset) | {"COUNTERPOISE_INGEST__CHAIN": "litecoin"}
    command = ("replay", "--blocks", str(blocks_file))
    refused = counterpoise(*command, cwd=blocks_file.parent, environment=environment)
    assert refused.returncode == 2
    assert f"has 3 mistakes, the first: column 'height', row 251: height {FIRST + 251} follows" in refused.stderr
    [advice] = re.findall(r"Replay with (--gaps unknown) ", refused.stderr)
    done = counterpoise(*command, *advice.split(), cwd=blocks_file.parent, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert scored(dataset) == [("litecoin", BLOCKS, FIRST, FIRST + BLOCKS - 1)]
    luxor = sum("Luxxor" in row for row in kept)
    assert f"1 label is not in the registry. {luxor} blocks count as unknown:" in done.stdout
    assert f"'Luxxor', {luxor}: did you mean 'Luxor'?" in done.stdout


RULES = """
version: 1
rules:
  - {id: week, type: top_share, chain: litecoin, for_blocks: 0}
  - {id: day, type: top_share, chain: litecoin, view: entity, window_blocks: 144, for_blocks: 0}
  - id: either
    type: when
    chain: litecoin
    when:
      any:
        - {signal: top4_share, view: entity, window_blocks: 144, fire: {above: 0.75}}
        - {signal: hhi_10000, fire: {above: 9000}}
"""


@pytest.fixture
def watched(dataset: Settings, blocks_file: Path) -> dict[str, str]:
    """The environment of a replay of litecoin under RULES, from a file with a label that the registry lacks."""
    rules = blocks_file.with_name("rules.yaml")
    rules.write_text(RULES)
    blocks_file.write_text(blocks_file.read_text().replace("luxor", "Luxxor"))
    return as_environment(dataset) | {
        "COUNTERPOISE_INGEST__CHAIN": "litecoin",
        "COUNTERPOISE_ALERTS__RULES_FILE": str(rules),
    }


@pytest.mark.kafka
def test_a_replay_as_json_has_its_alerts_with_view_and_window(
    dataset: Settings, blocks_file: Path, watched: dict[str, str]
) -> None:
    command = ("replay", "--blocks", str(blocks_file), "--json")
    done = counterpoise(*command, cwd=blocks_file.parent, environment=watched)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    alerts = {alert["rule"]: alert for alert in found.pop("alerts")}
    luxor = blocks_file.read_text().count("Luxxor")
    assert found.pop("seconds") > 0
    assert found == {
        "complete": True,
        "dataset": dataset.dataset,
        "dataset_kind": "historical",
        "chain": "litecoin",
        "source": str(blocks_file),
        "first_height": FIRST,
        "last_height": FIRST + BLOCKS - 1,
        "reached_height": FIRST + BLOCKS - 1,
        "blocks": BLOCKS,
        "dead_letters": 0,
        "alerts_fired": 3,
        "alerts_cleared": 0,
        "unknown_labels": [{"label": "Luxxor", "blocks": luxor, "nearest_pool": "Luxor"}],
    }
    placed = {rule: (one["view"], one["window_blocks"], one["height"]) for rule, one in alerts.items()}
    assert placed == {
        "week": ("raw", 1_008, FIRST + 1_007),
        "day": ("entity", 144, FIRST + 143),
        "either": ("entity", 144, FIRST + 143),
    }
    week = alerts["week"]
    assert (week["state"], week["threshold"]) == ("firing", 0.75)
    assert week["interval_low"] < week["value"] < week["interval_high"]
    assert week["time"] == f"{datetime.fromtimestamp(1_700_000_000 + 150 * 1_007, UTC):%Y-%m-%dT%H:%M:%SZ}"
    printed = [" ".join(line.split()[2:7]) for line in done.stderr.splitlines() if "FIRING" in line]
    assert sorted(printed) == [
        "FIRING day 144 blocks (entity)",
        "FIRING either 144 blocks (entity)",
        "FIRING week 1008 blocks (raw)",
    ]
    assert "1,500 blocks in " in done.stderr and "3 alerts fired, 0 cleared" in done.stderr


@pytest.mark.kafka
def test_a_replay_that_is_interrupted_reports_how_far_it_came(
    dataset: Settings, blocks_file: Path, watched: dict[str, str]
) -> None:
    command = ["replay", "--blocks", str(blocks_file), "--speed", "1", "--json"]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start_forked(command, clean_environment(watched), blocks_file.parent, output, errors)
        try:
            wait_for(
                lambda: "published_height" in (read_status(dataset.run_dir, "ingest") or {}).get("info", {}),
                "its blocks",
            )
            process.send_signal(signal.SIGINT)
            code = process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
            if process.stdin is not None:
                process.stdin.close()
        said, told = (os.pread(file.fileno(), 1 << 20, 0).decode() for file in (output, errors))
    assert code == 130, told
    found = json.loads(said)
    assert (found["complete"], found["last_height"]) == (False, FIRST + BLOCKS - 1)
    assert (found["blocks"], found["seconds"], found["alerts"]) == (None, None, [])


# Long: a replay whose health port is taken; a replay of the same chain stays above.
@pytest.mark.long
@pytest.mark.kafka
def test_a_replay_of_a_chain_without_rules_ends_when_its_blocks_are_scored(
    dataset: Settings, blocks_file: Path
) -> None:
    """In a container whose own service has the health port that is set."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = as_environment(dataset) | {
            "COUNTERPOISE_INGEST__CHAIN": "litecoin",
            "COUNTERPOISE_HEALTH__STREAMS_PORT": port,
            "COUNTERPOISE_HEALTH__ALERTS_PORT": port,
        }
        done = counterpoise(*("replay", "--blocks", str(blocks_file)), cwd=blocks_file.parent, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,500 blocks in " in done.stdout and "0 alerts fired, 0 cleared" in done.stdout
    assert scored(dataset) == [("litecoin", BLOCKS, FIRST, FIRST + BLOCKS - 1)]


# Long: a rule for every chain up to its message; the rule itself is in unit/alerts.
@pytest.mark.long
@pytest.mark.kafka
def test_a_rule_on_all_chains_judges_each_and_names_it(dataset: Settings, blocks_file: Path) -> None:
    rules = blocks_file.with_name("rules.yaml")
    rules.write_text("version: 1\nrules: [{id: top4, type: top_share, title: Top four, chain: all, for_blocks: 0}]\n")
    environment = as_environment(dataset) | {
        "COUNTERPOISE_INGEST__CHAIN": "litecoin",
        "COUNTERPOISE_ALERTS__RULES_FILE": str(rules),
    }
    done = counterpoise(*("replay", "--blocks", str(blocks_file)), cwd=blocks_file.parent, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 alerts fired, 0 cleared" in done.stdout
    with connect(clickhouse_target(dataset), dataset.dataset) as ch:
        assert ch.query("SELECT rule_id, chain, height FROM alert_events WHERE state = 'firing'") == [
            ("top4", "litecoin", FIRST + 1_007)
        ]
    told = (dataset.run_dir / "services.log").read_text()
    assert "FIRING  top4: The 4 largest pools mined 90.0 % of the last 1,008 litecoin blocks (95 % interval" in told


def test_a_replay_of_an_unknown_chain_is_refused_with_the_known_ones(dataset: Settings, blocks_file: Path) -> None:
    environment = as_environment(dataset) | {"COUNTERPOISE_INGEST__CHAIN": "nocoin"}
    done = counterpoise("replay", "--blocks", str(blocks_file), cwd=blocks_file.parent, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'nocoin' is an unknown chain: expected one of {known_chains()}" in done.stderr
