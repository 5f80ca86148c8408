"""Two chains at different heights on two ingesters, two workers and two alerters, each killed: all heights and alerts are right."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Line, Process
from tests.e2e.chaos.snapshot import once_each
from tests.engines import ClickHouseServer, RunningKafka

CHAINS = {"a": ("bitcoin", 800_000, 1_400), "b": ("litecoin", 2_500_000, 1_250)}
"""By ingester: chain, first height and number of blocks."""

POOLS = [*["foundry usa"] * 3, *["antpool"] * 3, *["viabtc"] * 2, "f2pool", "luxor"]
"""Of each ten blocks."""

WINDOW = 1_008
RULES = "version: 1\nrules: [{id: top4, type: top_share, title: Top four, chain: all, for_blocks: 0}]\n"

pytestmark = pytest.mark.kafka


def source(directory: Path, name: str) -> dict[str, str]:
    """Settings of an ingester that replays its chain."""
    chain, first, count = CHAINS[name]
    path = directory / f"{chain}.csv"
    rows = [f"{first + at},{1_700_000_000 + at * 600},{POOLS[at % 10]}" for at in range(count)]
    path.write_text("\n".join(["height,time,pool", *rows, ""]))
    return {
        "COUNTERPOISE_INGEST__CHAIN": chain,
        "COUNTERPOISE_INGEST__SOURCE": "replay",
        "COUNTERPOISE_INGEST__REPLAY__PATH": str(path),
        "COUNTERPOISE_INGEST__REPLAY__SPEED": "60000",
        "COUNTERPOISE_INGEST__EVENTS_PER_MESSAGE": "10",
    }


def top4_shares(first: int, count: int) -> list[tuple[int, float]]:
    """Of each full window at its last height, counted one by one."""
    pools = [POOLS[at % 10] for at in range(count)]
    windows = ((at, Counter(pools[at - WINDOW + 1 : at + 1])) for at in range(WINDOW - 1, count))
    return [(first + at, sum(blocks for _, blocks in counts.most_common(4)) / WINDOW) for at, counts in windows]


# Long: both chains and all services twice; chains (streams/test_chains.py) and pairs of services (alerts/test_kills.py) stay.
@pytest.mark.long
def test_each_of_six_processes_is_killed_and_both_chains_are_whole(
    own_kafka: RunningKafka, own_clickhouse: ClickHouseServer, slack: SlackServer, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    with Line(own_kafka, own_clickhouse, slack, tmp_path, {"COUNTERPOISE_ALERTS__RULES_FILE": str(rules)}) as line:

        def start(service: str, name: str) -> Process:
            return line.start(service, name=name, **(source(tmp_path, name) if service == "ingest" else {}))

        running = {(service, name): start(service, name) for service in SERVICES for name in CHAINS}
        line.until(lambda: stored(line) == {chain for chain, _, _ in CHAINS.values()}, "both chains are stored")
        everything = {*SERVICES} | {f"{service} elsewhere" for service in SERVICES}
        for name in CHAINS:
            line.until(partial(shows, line, name, everything), "all are shown")
        for (service, name), process in list(running.items()):
            process.kill()
            running[service, name] = start(service, name)
            line.until(partial(reports, running[service, name]), f"{service} {name} runs again")
        line.until(lambda: whole(line), "both chains are whole")
        line.until(lambda: len(slack.messages) == len(CHAINS), "an alert of each chain is told")
        line.until(lambda: "alerter" in {line.said("alerts", n).get("waiting_on") for n in CHAINS}, "one stands by")
        line.until(lambda: any(line.said("alerts", n)["info"].get("undelivered") == 0 for n in CHAINS), "all is told")
        line.stop()

        for chain, first, count in CHAINS.values():
            assert line.ch.query(f"SELECT height FROM blocks WHERE chain = '{chain}' ORDER BY height") == [
                (height,) for height in range(first, first + count)
            ]
            shares = line.ch.query(
                "SELECT height, top4_share FROM concentration "
                f"WHERE chain = '{chain}' AND view = 'raw' AND window_blocks = {WINDOW} AND window_full ORDER BY height"
            )
            assert shares == [(height, pytest.approx(share, abs=1e-12)) for height, share in top4_shares(first, count)]
        events = line.ch.query(
            "SELECT rule_id, chain, toString(state), height FROM alert_events ORDER BY chain, sequence"
        )
        assert events == [("top4", chain, "firing", first + WINDOW - 1) for chain, first, _ in CHAINS.values()]
        assert line.ch.query("SELECT count() FROM dead_letters") == [(0,)]
        assert once_each(slack)


def stored(line: Line) -> set[str]:
    return {str(chain) for (chain,) in line.ch.query("SELECT DISTINCT chain FROM blocks_log")}


def whole(line: Line) -> bool:
    rows = line.ch.query(
        f"SELECT chain, max(height) FROM concentration_log WHERE window_blocks = {WINDOW} GROUP BY chain ORDER BY chain"
    )
    return rows == [(chain, first + count - 1) for chain, first, count in CHAINS.values()]


def reports(process: Process) -> bool:
    return process.status().get("state") in ("working", "waiting", "stopped")


def shows(line: Line, name: str, expected: set[str]) -> bool:
    """Whether `status` shows these services as running, here and with the other state directory."""
    report = line.report(name)
    runs = ("working", "waiting", "finished")
    here = {one["name"] for one in report["services"] if one["state"] in runs}
    return here | {f"{one['service']} elsewhere" for one in report["elsewhere"] if one["state"] in runs} == expected
