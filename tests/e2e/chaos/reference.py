"""The run to which every disturbed one is compared: the same blocks, the same dataset name, other engines, nobody disturbing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from counterpoise.clickhouse.client import connect
from counterpoise.kafka.topic_setup import delete_topics
from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Blocks, Line
from tests.e2e.chaos.snapshot import Left, differences, left_by
from tests.engines import ClickHouseServer, RunningKafka

SHORT = Blocks(891_100, 894_700, speed=150_000)
"""3,601 real blocks: the shipped rule fires at 892,330 and clears at 894,647. No firing of mainnet is shorter."""

LONG = Blocks(757_000, 771_500, speed=60_000)
"""14,501 real blocks: fires at 760,903, 767,676 and 771,044; clears at 764,690 and 770,283."""

TIMEOUT_SECONDS = 150.0

STORY = {
    SHORT: [("firing", 892_330), ("resolved", 894_647)],
    LONG: [
        ("firing", 760_903),
        ("resolved", 764_690),
        ("firing", 767_676),
        ("resolved", 770_283),
        ("firing", 771_044),
    ],
}
"""From the issue's own list of firings and clearings of mainnet."""


@dataclass(frozen=True)
class Reference:
    """What it left, and the line on which a difference can be looked at."""

    left: Left
    line: Line
    blocks: Blocks

    def assert_equal(self, line: Line) -> None:
        """Everything that `line` left equals what this run left."""
        found = left_by(line.ch, line.slack)
        told = differences(line.ch, found, self.line.ch, self.left)
        assert not told, "\n".join(told)


@dataclass(frozen=True)
class Undisturbed:
    """A reference that is still in the making."""

    run: Future[Reference]

    def assert_equal(self, line: Line) -> None:
        """As Reference does, once it is made."""
        self.run.result(TIMEOUT_SECONDS).assert_equal(line)


@contextmanager
def undisturbed_run(
    kafka: RunningKafka, clickhouse: ClickHouseServer, directory: Path, blocks: Blocks
) -> Iterator[Reference]:
    """Replay flat out; the dataset is dropped at the end."""
    with SlackServer() as slack:
        line = Line(kafka, clickhouse, slack, directory, replace(blocks, speed=0.0).settings(directory))
        with line:
            for service in SERVICES:
                line.start(service)
            line.until(lambda: line.decided(blocks.last), "the undisturbed run")
            line.stop()
            left = left_by(line.ch, slack)
            told = [(state, height) for _, _, _, state, height, *_ in sorted(left.alerts, key=lambda row: row[4])]
            assert [row for row in told if row[0] in ("firing", "resolved")] == STORY[blocks]
            yield Reference(left, line, blocks)
        with connect(clickhouse.target, "default") as server:
            server.execute(f"DROP DATABASE IF EXISTS `{line.dataset}` SYNC")
        delete_topics(kafka.target, line.dataset)
