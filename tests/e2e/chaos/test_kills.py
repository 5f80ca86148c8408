"""Kill -9 of every kind of process in a replay of mainnet: what is left equals what an undisturbed run left, to the last column."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.kills import ENGINES, Kill, Plan, Round
from tests.e2e.chaos.line import SERVICES, Blocks, Line
from tests.e2e.chaos.reference import LONG, SHORT, Reference, Undisturbed, undisturbed_run
from tests.e2e.chaos.snapshot import once_each
from tests.engines import ClickHouseServer, RunningKafka

FEW = Plan(
    points={
        "streams": ("streams-after-concentration:3", "streams-after-score:2"),
        "alerts": ("alerts-after-slack-accept:1",),
    },
    at_random=("ingest", "clickhouse", "broker"),
)
"""After an insert, after a score (and before its acknowledgement), between Slack's accept and our row; the rest at random."""

MANY = Plan(
    points={
        "ingest": ("ingest-after-publish:40",),
        "streams": (
            "streams-after-blocks:30",
            "streams-after-concentration:30",
            "streams-after-score:30",
            "streams-before-ack:30",
        ),
        "alerts": ("alerts-after-slack-accept:1", "alerts-after-rows:1", "alerts-before-checkpoint:5"),
    },
    at_random=(*SERVICES, *ENGINES) * 3,
)
"""23 kills; every kind at least three times."""


def seed() -> int:
    """A new one each time, or the one of a run that is to be repeated: COUNTERPOISE_TEST_SEED."""
    return int(os.environ.get("COUNTERPOISE_TEST_SEED") or random.SystemRandom().randrange(1_000_000))


def kill_round(
    line: Line, blocks: Blocks, plan: Plan, reference: Reference | Undisturbed, timeout_seconds: float
) -> list[Kill]:
    """Run it and hold what is left against the undisturbed run."""
    with line:
        kills = Round(line, blocks, plan, seed()).run(timeout_seconds)
        assert len(kills) == plan.kills
        at_random = [kill for kill in kills if kill.at == "at random"]  # the others have the crash point's own words
        assert all(kill.held < blocks.last for kill in at_random), "one came after the work"
        assert once_each(line.slack)
        reference.assert_equal(line)
    return kills


@pytest.mark.kafka
def test_all_is_as_in_an_undisturbed_run_after_six_kills(
    undisturbed: Undisturbed,
    own_kafka: RunningKafka,
    own_clickhouse: ClickHouseServer,
    slack: SlackServer,
    tmp_path: Path,
) -> None:
    line = Line(own_kafka, own_clickhouse, slack, tmp_path, SHORT.settings(tmp_path))
    kills = kill_round(line, SHORT, FEW, undisturbed, 150.0)
    assert {kill.kind for kill in kills} == {*SERVICES, *ENGINES}


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_all_is_as_in_an_undisturbed_run_after_many_kills(
    kafka: RunningKafka,
    clickhouse: ClickHouseServer,
    own_kafka: RunningKafka,
    own_clickhouse: ClickHouseServer,
    tmp_path: Path,
) -> None:
    aside = tmp_path / "undisturbed"
    aside.mkdir()
    with undisturbed_run(kafka, clickhouse, aside, LONG) as reference, SlackServer() as slack:
        line = Line(own_kafka, own_clickhouse, slack, tmp_path, LONG.settings(tmp_path))
        kills = kill_round(line, LONG, MANY, reference, 1200.0)
    assert len(kills) >= 20
    assert all(sum(kill.kind == kind for kill in kills) >= 3 for kind in (*SERVICES, *ENGINES))
