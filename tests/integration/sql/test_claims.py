"""The claims of the article: figures on the real blocks against independent counts, and the command on the sample."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import pyarrow.parquet as pq
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from desk.claims.article_claims import CLAIMS
from desk.claims.checked_claims import check
from desk.cli import main
from ingest.releases.sources.parse.pypi import counted_period
from tests.engines import ClickHouseServer
from tests.integration.sql.sample import LAST
from tests.shared import shared_data

Blocks = list[tuple[int, str, datetime]]
SLUGS = {"foundryusa": "foundry-usa"}


@pytest.fixture(scope="module")
def real() -> Blocks:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    heights, slugs = table.column("height").to_pylist(), table.column("pool_slug").to_pylist()
    return list(zip(heights, (SLUGS.get(slug, slug) for slug in slugs), table.column("date").to_pylist(), strict=True))


@pytest.fixture(scope="module")
def mainnet(clickhouse: ClickHouseServer, real: Blocks) -> Iterator[ClickHouse]:
    """The views that claims read, as plain tables: mainnet's blocks, and a few rows of the other three."""
    name = f"claims_{secrets.token_hex(6)}"
    with connect(clickhouse.target, "default") as ch:
        ch.execute("CREATE DATABASE {name:Identifier}", {"name": name})
    with connect(clickhouse.target, name) as ch:
        ch.execute(
            "CREATE TABLE blocks (chain String, height UInt32, pool String, time DateTime64(3, 'UTC')) ENGINE = Memory"
        )
        ch.execute(
            "CREATE TABLE concentration (chain String, view String, window_blocks UInt16, height UInt32, "
            "window_full Bool, confirmations_for_0_1_percent UInt16) ENGINE = Memory"
        )
        ch.execute(
            "CREATE TABLE dispersion (series String, list_id String, treatment String, period_end Date32, d2 Float64) ENGINE = Memory"
        )
        ch.execute(
            "CREATE TABLE edge_share (series String, list_id String, period_end Date32, edge_share Float64) ENGINE = Memory"
        )
        ch.insert(
            "blocks",
            {
                "chain": ["bitcoin"] * len(real),
                "height": [height for height, _, _ in real],
                "pool": [pool for _, pool, _ in real],
                "time": [time for _, _, time in real],
            },
        )
        yield ch
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def _figures(ch: ClickHouse, name: str) -> tuple[float | None, float | None, str]:
    found = check(ch, next(claim for claim in CLAIMS if claim.name == name))
    return found.then, found.now, found.verdict


def _counts(blocks: Blocks) -> tuple[list[int], int]:
    counted = Counter(pool for _, pool, _ in blocks)
    counted.pop("unknown", 0)
    return sorted(counted.values(), reverse=True), len(blocks)


def test_the_figures_of_blocks(mainnet: ClickHouse, real: Blocks) -> None:
    then, now, verdict = _figures(mainnet, "top-four")
    assert then == pytest.approx(0.7415, abs=5e-5) and verdict == "held then"
    counts, n = _counts(real[-4_320:])
    assert now == pytest.approx(sum(counts[:4]) / n)
    assert _figures(mainnet, "order")[0] == 4.0
    then, now, verdict = _figures(mainnet, "compression")
    assert verdict == "reversed" and now == pytest.approx(6.32, abs=0.005)
    end = max(place for place, (_, _, time) in enumerate(real) if time < datetime(2025, 5, 1, tzinfo=UTC)) + 1
    counts, _ = _counts(real[end - 52_560 : end])
    assert then == pytest.approx(sum(counts) ** 2 / sum(c * c for c in counts))
    then, now, verdict = _figures(mainnet, "scale")
    assert [then, now] == pytest.approx([0.0399, 0.0514], abs=5e-5) and verdict == "reversed"
    april = [row for row in real if row[2].year == 2025 and row[2].month == 4]
    assert [row[0] for row in april] == list(range(890_325, 894_669)), "the heights that the measures name"
    counts, n = _counts(april)
    assert _figures(mainnet, "systemic")[0] == pytest.approx(counts[0] / n)
    waits = _figures(mainnet, "censorship")
    assert waits[0] is not None and 0.7415 ** waits[0] == pytest.approx(0.01, rel=2e-3)
    held, fewest = 0, 0
    for count in counts:
        held, fewest = held + count, fewest + 1
        if 2 * held > n:
            break
    assert _figures(mainnet, "failure")[0] == fewest


def test_a_window_that_lacks_a_block_has_no_figure(mainnet: ClickHouse, real: Blocks) -> None:
    """Blocks from the last of March 2025 on: all of April, and no year before its end."""
    name = f"claims_{secrets.token_hex(6)}"
    mainnet.execute("CREATE DATABASE {name:Identifier}", {"name": name})
    with connect(mainnet.target, name) as ch:
        for table in ("blocks", "concentration"):
            ch.execute(f"CREATE TABLE {table} AS {mainnet.database}.{table}")
        ch.execute(
            f"INSERT INTO blocks SELECT * FROM {mainnet.database}.blocks WHERE height >= 890000 AND height != 945000"
        )
        assert _figures(ch, "top-four")[1:] == (None, "no data") and _figures(ch, "order")[0] == 4.0
        assert _figures(ch, "compression") == _figures(ch, "scale") == (None, None, "no data")
        ch.execute(f"INSERT INTO blocks SELECT * FROM {mainnet.database}.blocks WHERE height = 945000")
        then, now, verdict = _figures(ch, "compression")
        assert (then, verdict) == (None, "no data") and now == pytest.approx(6.32, abs=0.005)
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def test_other_sources_and_their_absence(mainnet: ClickHouse) -> None:
    for name in ("finality", "ai-owners", "edge"):
        assert _figures(mainnet, name) == (None, None, "no data"), name
    [(then,)] = mainnet.query("SELECT max(height) FROM blocks WHERE time < '2025-05-01 00:00:00'")
    for height, needed in ((then, 34), (946_236, 38)):
        mainnet.insert(
            "concentration",
            {
                "chain": ["bitcoin"],
                "view": ["raw"],
                "window_blocks": [4_320],
                "height": [height],
                "window_full": [True],
                "confirmations_for_0_1_percent": [needed],
            },
        )
    assert _figures(mainnet, "finality") == (34.0, 38.0, "holds")
    days = [datetime(2025, 3, 31, tzinfo=UTC).date(), datetime(2025, 12, 31, tzinfo=UTC).date()]
    mainnet.insert(
        "dispersion",
        {
            "series": ["epoch-ai-compute-owners"] * 4,
            "list_id": ["all-owners"] * 2 + ["official-sales"] * 2,  # of which the claim is not
            "treatment": ["one_owner"] * 4,
            "period_end": days * 2,
            "d2": [5.0, 6.1, 9.0, 1.0],
        },
    )
    assert _figures(mainnet, "ai-owners") == (5.0, 6.1, "holds")
    # The snapshot of the first of May is the one that counted April.
    days = [counted_period(date(2025, month, 1))[1] for month in (4, 5, 6)] + days[1:]
    for lists, verdict in ((["as-filed"], "holds"), (["as-filed", "other"], "lists disagree")):
        mainnet.execute("TRUNCATE TABLE edge_share")
        for list_id, shares in zip(lists, ([0.01, 0.02, 0.03, 0.05], [0.13, 0.12, 0.14, 0.11]), strict=False):
            mainnet.insert(
                "edge_share",
                {
                    "series": ["pypi-edge-share"] * len(days),
                    "list_id": [list_id] * len(days),
                    "period_end": days,
                    "edge_share": shares,
                },
            )
        assert _figures(mainnet, "edge") == (0.02, 0.05, verdict)


@pytest.fixture
def cli(
    sample: ClickHouse, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command on the sample; (exit code, standard output, standard error)."""
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__HOST", "127.0.0.1")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", str(clickhouse.port))
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE", str(clickhouse.password_file))
    monkeypatch.setenv("COUNTERPOISE_DATASET", sample.database)
    monkeypatch.setenv("COUNTERPOISE_DATASET_KIND", "simulated")
    monkeypatch.setenv("COLUMNS", "220")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_lists_every_claim(cli: Callable[..., tuple[int, str, str]], sample: ClickHouse) -> None:
    code, out, err = cli("claims", "--json")
    assert (code, err) == (0, "")
    found = {row["claim"]: row for row in json.loads(out)["claims"]}
    assert list(found) == [claim.name for claim in CLAIMS]
    # The sample's blocks are of July 2023: nothing of April 2025, the newest figures are there.
    assert found["top-four"]["then"] is None and found["top-four"]["verdict"] == "no data"
    # It has 400 blocks, which are no month.
    assert found["top-four"]["now"] is None
    assert (
        found["top-four"]["why"]
        == 'The dataset lacks data for the figure of "then" and of "now", or a part of its blocks.'
    )
    assert found["geography"]["verdict"] == "not measurable" and found["geography"]["sql"] is None
    [(height,)] = sample.query("SELECT max(height) FROM blocks WHERE chain = 'bitcoin'")
    assert height == LAST
    code, out, err = cli("claims")
    assert (code, err) == (0, "") and "not measurable" in out and "unknown ones included" in out


def test_a_query_is_printed_and_runs(cli: Callable[..., tuple[int, str, str]], sample: ClickHouse) -> None:
    for claim in CLAIMS:
        if claim.sql:
            code, out, err = cli("claims", "--sql", claim.name)
            assert (code, err) == (0, "")
            assert len(sample.query(out)) == 1, claim.name
    code, out, err = cli("claims", "--sql", "geography")
    assert (code, out) == (2, "") and "expected a claim with a measure: top-four" in err
