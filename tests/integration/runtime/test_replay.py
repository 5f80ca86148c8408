"""`counterpoise replay` as a user runs it: a chain that rules watch, one that none watches, one that is unknown."""

from __future__ import annotations

import csv
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.chain.chain_registry import known_chains
from counterpoise.clickhouse.client import connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer, RunningKafka, as_environment, settings_for
from tests.integration.runtime.cli import counterpoise

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
