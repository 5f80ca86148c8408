"""The line on a live dataset: go-live, two of each on nodes that differ, and attribution that changes under a running alerter."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.kafka.topic_setup import delete_topics
from counterpoise.pools.checked_document import dump_yaml
from counterpoise.pools.registry_file import load_registry, registry_document
from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Line
from tests.e2e.chaos.live import (
    CROSSES_AT,
    EVEN,
    EVEN_BLOCKS,
    FIRES_AT,
    FIRST,
    FOUNDRY,
    OTHERS,
    LiveChain,
    node_settings,
    serve,
)
from tests.e2e.chaos.snapshot import once_each
from tests.engines import ClickHouseServer, RunningKafka

pytestmark = pytest.mark.kafka

Rows = list[tuple[Any, ...]]


@pytest.fixture
def line(kafka: RunningKafka, clickhouse: ClickHouseServer, slack: SlackServer, tmp_path: Path) -> Iterator[Line]:
    with Line(kafka, clickhouse, slack, tmp_path, dataset=f"chaos_live_{secrets.token_hex(4)}", kind="live") as made:
        yield made
    with connect(clickhouse.target, "default") as server:
        server.execute(f"DROP DATABASE IF EXISTS `{made.dataset}` SYNC")
    delete_topics(kafka.target, made.dataset)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Callable[[LiveChain], dict[str, str]]]:
    """Serve a chain from a node of its own; the settings of an ingester that follows it."""
    with ExitStack() as stack:
        count = iter(range(9))
        yield lambda chain: node_settings(stack.enter_context(serve(chain, tmp_path / f"node-{next(count)}")))


def even_chain() -> LiveChain:
    chain = LiveChain(EVEN_BLOCKS)
    chain.mine_by(EVEN, EVEN_BLOCKS - 1)  # it begins with one block
    return chain


def alert_rows(line: Line) -> Rows:
    """(state, reason, height, told) in the order in which they were written."""
    return line.ch.query(
        "SELECT toString(state), toString(reason), height, notify FROM alert_events_log FINAL WHERE rule_id = 'top4-share' "
        "ORDER BY recorded_at, alert_id, sequence"
    )


def heads(slack: SlackServer) -> list[str]:
    """The first words of every message, oldest first; replies say so."""
    return [message.text.split(":")[0] + (" (reply)" if message.thread_ts else "") for message in slack.messages]


def start_head(line: Line, height: int) -> str:
    return f"Counterpoise watches {line.dataset} from height {height} "


# Long: the whole line; alerts/test_live.py and streams/test_reattribute.py stay.
@pytest.mark.long
def test_history_is_recorded_news_is_posted_and_neither_a_restart_nor_new_attribution_says_anything(
    line: Line, nodes: Callable[[LiveChain], dict[str, str]], slack: SlackServer, tmp_path: Path
) -> None:
    chain = LiveChain(EVEN_BLOCKS + 60)
    chain.mine_by(EVEN, EVEN_BLOCKS - 1)
    chain.mine_by(FOUNDRY, 60)  # fires 21 blocks, 3.5 hours, before the tip
    line.settings |= nodes(chain)
    running = {service: line.start(service) for service in SERVICES}
    line.until(lambda: line.decided(chain.tip.height) and len(slack.messages) == 1, "the state at start")
    assert alert_rows(line) == [("pending", "observed", CROSSES_AT, False), ("firing", "observed", FIRES_AT, False)]
    [start] = slack.messages
    # Blocks are 600 s apart and the newest is an hour old: the first of the last three hours is 11 or 12 before it.
    assert start.text.startswith((start_head(line, chain.tip.height - 11), start_head(line, chain.tip.height - 12)))
    assert start.text.endswith(": 1 firing, 0 pending or possible")

    line.stop([running["alerts"]])
    again = line.start("alerts")
    line.until(lambda: bool(again.info()) and line.decided(chain.tip.height), "the alerter is there again")
    chain.mine_by(OTHERS, 80)
    line.until(lambda: line.decided(chain.tip.height) and len(slack.messages) == 2, "the news")
    again.kill()
    third = line.start("alerts")
    line.until(lambda: bool(third.info()) and line.decided(chain.tip.height), "the alerter is there once more")

    digest = numbers_of(line, current_set(line), chain.tip.height)
    then = line.ch.query(digest)
    merged = reattribute(line, "--registry", edited_registry(tmp_path / "merged.yaml", one_of_two))
    chain.mine_by(EVEN, 8)
    line.until(lambda: line.decided(chain.tip.height), "the tip is decided on the new set")
    line.stop()
    assert line.ch.query("SELECT DISTINCT attribution_id FROM latest_concentration") == [(merged,)]
    assert line.ch.query(digest) == then, "what was scored with the old set stays as it was"
    assert heads(slack)[1:] == ["🟢 RESOLVED"]
    assert slack.messages[0].text == start.text
    assert [row[0] for row in alert_rows(line)][:3] == ["pending", "firing", "resolved"]
    assert [told for *_, told in alert_rows(line)[3:]] == [False] * len(alert_rows(line)[3:])


# Long: all services twice; two producers (streams/test_reorgs.py) and two alerters (alerts/test_kills.py) stay.
@pytest.mark.long
def test_two_of_each_on_nodes_that_saw_different_branches_first(
    line: Line, nodes: Callable[[LiveChain], dict[str, str]], slack: SlackServer
) -> None:
    ours, theirs = even_chain(), LiveChain(EVEN_BLOCKS, salt=1_000_000)
    theirs.adopt(ours)
    ours.mine_by(EVEN, 2)
    lost = [block.hash for block in theirs.mine_by(EVEN, 2)]
    for name, settings in (("a", nodes(ours)), ("b", nodes(theirs))):
        line.start("ingest", name=name, **settings)
        line.start("streams", name=name)
        line.start("alerts", name=name)
    line.until(
        lambda: line.ch.query(f"SELECT count() FROM blocks_all WHERE height > {FIRST + EVEN_BLOCKS - 1}") == [(4,)],
        "both branches are seen",
    )
    line.until(
        lambda: "alerter" in {line.said("alerts", name).get("waiting_on") for name in ("a", "b")}, "one stands by"
    )
    ours.mine_by(FOUNDRY, 58)
    theirs.adopt(ours)
    tip = ours.tip.height
    line.until(lambda: any(line.decided(tip, name) for name in ("a", "b")) and len(slack.messages) == 2, "all is told")
    line.stop()
    assert [hash_ for (hash_,) in line.ch.query("SELECT hash FROM blocks ORDER BY height")] == [
        b.hash for b in ours.best()
    ]
    stale = line.ch.query("SELECT hash FROM blocks_all WHERE status = 'stale' ORDER BY height")
    assert [hash_ for (hash_,) in stale] == lost
    tips = line.ch.query("SELECT DISTINCT height, tip_hash FROM concentration ORDER BY height")
    assert tips == [(block.height, block.hash) for block in ours.best()]
    assert alert_rows(line) == [("pending", "observed", CROSSES_AT, False), ("firing", "observed", FIRES_AT, True)]
    assert heads(slack)[1:] == ["🔴 FIRING"]
    assert once_each(slack)


def edited_registry(path: Path, edit: Callable[[dict[str, dict[str, Any]]], None]) -> str:
    """The shipped registry with its pools, by slug, edited."""
    document = registry_document(load_registry())
    pools = {pool["slug"]: pool for pool in document["pools"]}
    edit(pools)
    path.write_text(dump_yaml(document | {"pools": list(pools.values())}), encoding="utf-8")
    return str(path)


def one_of_two(pools: dict[str, dict[str, Any]]) -> None:
    pools["f2pool"]["tags"] += pools["spiderpool"].pop("tags")


def current_set(line: Line) -> str:
    [(attribution_id,)] = line.ch.query("SELECT attribution_id FROM attribution_pointer_log FINAL")
    return str(attribution_id)


def reattribute(line: Line, *registry: str) -> str:
    """Flip, and wait until streams and the alerter follow; the new set's id."""
    done = line.command("pools", "reattribute", *registry)
    assert done.returncode == 0, done.stderr
    flipped = current_set(line)
    line.until(lambda: line.said("alerts")["info"].get("attribution_id") == flipped, "the alerter follows")
    return flipped


def numbers_of(line: Line, attribution_id: str, up_to: int) -> str:
    """SQL of how many rows a set has and of a hash of all of them, but for how far the tip is."""
    row = "formatRow('JSONCompactEachRow', * EXCEPT (version, confirmations, provisional))"
    return f"""SELECT count(), groupBitXor(sipHash64({row}))
        FROM concentration_of(attribution_id = '{attribution_id}') WHERE height <= {up_to}"""


@pytest.mark.soak
def test_attribution_that_changes_fires_nothing_and_old_numbers_stay(
    line: Line, nodes: Callable[[LiveChain], dict[str, str]], slack: SlackServer, tmp_path: Path
) -> None:
    def without_foundry(pools: dict[str, dict[str, Any]]) -> None:
        del pools["foundry-usa"]

    def flip(*registry: str) -> str:
        """Flip, and mine a bit on it; the new set's id."""
        flipped = reattribute(line, *registry)
        settle(EVEN, 8)
        return flipped

    def settle(tags: tuple[str, ...], blocks: int) -> None:
        chain.mine_by(tags, blocks)
        line.until(lambda: line.decided(chain.tip.height), "the tip is decided")

    def top4(attribution_id: str, height: int) -> Any:
        sql = f"SELECT top4_share FROM concentration_of(attribution_id = '{attribution_id}') WHERE height = {height}"
        return line.ch.query(f"{sql} AND view = 'raw' AND window_blocks = 1008")[0][0]

    chain = even_chain()
    line.settings |= nodes(chain)
    for service in SERVICES:
        line.start(service)
    line.until(lambda: line.decided(chain.tip.height) and len(slack.messages) == 1, "the state at start")
    assert slack.messages[0].text.endswith(": 0 firing, 0 pending or possible")
    first = str(line.said("alerts")["info"]["attribution_id"])
    then = chain.tip.height
    digest = numbers_of(line, first, then)
    old_numbers = line.ch.query(digest)
    assert top4(first, then) == 0.75

    # Two of the six become one: 882 of 1008 blocks are the top four's, all of a sudden and back to the beginning.
    merged = flip("--registry", edited_registry(tmp_path / "merged.yaml", one_of_two))
    assert (top4(merged, then), top4(first, then)) == (0.875, 0.75)
    assert line.ch.query(f"SELECT DISTINCT attribution_id FROM concentration WHERE height > {then - 9}") == [(merged,)]
    assert line.ch.query(digest) == old_numbers
    assert [(state, told) for state, _, _, told in alert_rows(line)] == [("rebased", False)]

    # And back: nobody was told that it fired, so nobody is told that it does not.
    assert flip() == first
    assert line.ch.query(digest) == old_numbers
    assert not any(told for *_, told in alert_rows(line))
    assert len(slack.messages) == 1

    # An alert that fires of itself, and a set of pools that does not support it: it is closed, and that is told.
    settle(FOUNDRY, 60)
    line.until(lambda: heads(slack)[1:] == ["🔴 FIRING"], "it fires")
    assert [row for row in alert_rows(line) if row[3]] == [("firing", "observed", FIRES_AT + 16, True)]
    flip("--registry", edited_registry(tmp_path / "without.yaml", without_foundry))
    line.until(lambda: len(slack.messages) == 3, "its end is told")
    line.stop()
    assert heads(slack)[1:] == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]
    told = [row for row in alert_rows(line) if row[3]]
    assert [(state, reason) for state, reason, *_ in told] == [("firing", "observed"), ("resolved", "rebased")]
    assert line.ch.query(digest) == old_numbers
    assert once_each(slack)
