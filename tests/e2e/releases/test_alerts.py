"""The four rules on the AI side, from blocks and releases in Kafka to what stands in Slack: each fires on what came and ends."""

from __future__ import annotations

import dataclasses
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.releases import Observation
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release
from testkit.slack_server import CHANNEL, TOKEN, SlackMessage, SlackServer
from tests.integration.release_line.feed import pypi, send_releases
from tests.integration.release_line.views import rest
from tests.integration.streams.blocks import block
from tests.integration.streams.line import ROOT, Engines, Line
from tests.template import make_database
from tests.waiting import wait_for

OWNERS, EDGE = "epoch-ai-compute-owners", "pypi-edge-share"
DAY_SECONDS = 86_400

EQUAL = dict.fromkeys(("Amazon", "CoreWeave", "Google", "Meta", "Microsoft", "Oracle", "xAI"), 10.0)
"""Of the named the four largest hold 40/70 = 57.1 %; with the buckets (1 each), of all 40/72 = 55.6 %."""

MIDDLE = EQUAL | {"Google": 20.0, "Microsoft": 20.0}
"""60/90 = 66.7 % and 60/92 = 65.2 %."""

FEW = EQUAL | {"Google": 40.0, "Microsoft": 40.0}
"""100/130 = 76.9 % and 100/132 = 75.8 %: 10.3 and 10.5 points more than MIDDLE."""

RULES = """
version: 1
rules:
  - {id: regime-change, type: regime_change, title: Mining and AI took another direction}
  - {id: ai-top4-rise, type: ai_top4_rise, title: The four largest AI owners hold 5 points more than a year ago}
  - {id: edge-share-fall, type: edge_share_fall, title: The edge share fell by a fifth in a year}
  - {id: series-stale, type: series_stale, title: A market series is not published any more}
"""


def at(day: date, hour: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp())


TODAY = date(2026, 5, 10)


def owners(values: dict[str, float], period_end: str, published: int) -> Release:
    """A release with an error of 2 % either way and two buckets."""
    series = load_catalogue()[OWNERS]
    head = Head(
        series=OWNERS,
        kind=series.kind,
        layer=series.layer,
        unit=series.unit,
        period_start=period_end,
        period_end=period_end,
        published_at_ms=published * 1000,
        source="made up for a test",
        licence="none",
    )
    named = [Observation(owner=name, value=v, value_p5=0.98 * v, value_p95=1.02 * v) for name, v in values.items()]
    buckets = [
        Observation(owner=name, value=1.0, value_p5=0.98, value_p95=1.02, residual=True) for name in ("Other", "China")
    ]
    return make_release(head, named + buckets)


def downloads(factor: float, snapshot: date, published: int) -> Release:
    """The packages of the last real snapshot, as if of `snapshot`, those of the edge times `factor` by every list."""
    series, last = load_catalogue()[EDGE], pypi()[-1]
    edge = {
        entry.name
        for one in series.lists
        for entry in one.by_name.values()
        if getattr(entry, "venue", None) in ("device", "edge")
    }
    observations = [
        dataclasses.replace(o, value=o.value * (factor if o.owner in edge else 1)) for o in last.observations
    ]
    head = dataclasses.replace(
        last.head,
        period_start=date.fromordinal(snapshot.toordinal() - 29).isoformat(),
        period_end=snapshot.isoformat(),
        published_at_ms=published * 1000,
    )
    return make_release(head, observations)


def chain(
    first: int, last_time: int, labels: tuple[str, ...], parent: BlockEvent | None, count: int
) -> list[BlockEvent]:
    """Blocks ten minutes apart, the last at `last_time`, the pools taking turns."""
    made: list[BlockEvent] = []
    for i in range(count):
        before = made[-1] if made else parent
        time = last_time - 600 * (count - 1 - i)
        found = block(first + i, before.hash if before else "00" * 32, label=labels[i % len(labels)], time=time)
        made.append(found.model_copy(update={"synthetic": False}))
    return made


MANY_POOLS = ("foundryusa", "antpool", "viabtc", "f2pool", "marapool", "luxor", "sbicrypto")
TWO_POOLS = ("foundryusa", "antpool")


class Alerter:
    """The alerter as a process, with a clock that stands where it is put."""

    def __init__(self, line: Line, folder: Path, slack: SlackServer) -> None:
        self._line, self._folder, self._slack = line, folder, slack
        self._clock = folder / "clock"
        (folder / "rules.yaml").write_text(RULES)
        (folder / "token").write_text(TOKEN)
        self.process: subprocess.Popen[bytes] | None = None

    def set_clock(self, seconds: int) -> None:
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._clock)

    def start(self) -> None:
        environment = self._line.environment("alerts") | {
            "COUNTERPOISE_DATASET_KIND": "live",
            "COUNTERPOISE_ALERTS__NOTIFIER": "slack",
            "COUNTERPOISE_ALERTS__RULES_FILE": str(self._folder / "rules.yaml"),
            "COUNTERPOISE_ALERTS__TICK_SECONDS": "0.05",
            "COUNTERPOISE_SLACK__TOKEN_FILE": str(self._folder / "token"),
            "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
            "COUNTERPOISE_SLACK__BASE_URL": self._slack.base_url,
            "ALERTER_CLOCK_FILE": str(self._clock),
        }
        script = ROOT / "tests" / "integration" / "alerts" / "alerter_process.py"
        with (self._folder / "alerter.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env=environment, stderr=log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def look(self) -> None:
        """Wait until it has surely looked at the AI side since now: every 30 s of its time, with a sign of life every 15."""
        seen: set[int] = set()

        def signs() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log()
            [(version,)] = self._line.ch.query("SELECT max(version) FROM alert_state_log WHERE rule_id = '_leader'")
            seen.add(int(version))
            return len(seen) > 4

        wait_for(signs, "four signs of life", self.log)

    def log(self) -> str:
        return (self._folder / "alerter.log").read_text()[-3_000:]


@pytest.fixture
def live(engines: Engines) -> Iterator[Line]:
    """A live dataset."""
    line = Line(engines, f"live_{secrets.token_hex(6)}")
    make_database(engines.target, Dataset(line.dataset, "live"))
    ensure_topics(engines.kafka.target, line.dataset)
    try:
        yield line
    finally:
        line.close()


def told(line: Line) -> list[tuple[str, str]]:
    return [(row.rule_id, row.state) for row in rows(line)]


def rows(line: Line) -> list[AlertTransition]:
    with connect(line.engines.target, line.dataset) as ch:
        return AlertStore(ch).events.transitions()


def wait_until_told(line: Line, alerter: Alerter, expected: list[tuple[str, str]]) -> AlertTransition:
    wait_for(lambda: told(line) == expected, f"{expected[-1]}", lambda: f"{told(line)}\n{alerter.log()}")
    return rows(line)[-1]


def reproduced(line: Line, row: AlertTransition) -> object:
    """What the alert's SQL says to a reader, first row."""
    with connect(line.engines.clickhouse.reader_target, line.dataset) as reader:
        columns = reader.query_columns(row.evidence.sql)
    return columns["value"][0]


def message_of(slack: SlackServer, row: AlertTransition) -> SlackMessage:
    """The message that tells of a transition, once it is there."""
    action = "post" if row.state == "firing" else "thread"
    key = f"{row.alert_id}:{row.sequence}:{action}"
    wait_for(lambda: any(m.key == key for m in slack.messages), key)
    [message] = [m for m in slack.messages if m.key == key]
    return message


def shown(message: SlackMessage) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


# Long: every rule on the AI side in one story with two deaths; one release up to its row stays (test_from_the_source.py).
@pytest.mark.long
def test_each_rule_fires_on_what_came_is_told_once_and_ends(live: Line, tmp_path: Path) -> None:
    with SlackServer() as slack:
        alerter = Alerter(live, tmp_path, slack)
        try:
            story(live, alerter, slack)
        finally:
            alerter.kill()


def story(line: Line, alerter: Alerter, slack: SlackServer) -> None:
    worker = line.start(settings={"COUNTERPOISE_DATASET_KIND": "live"})
    noon = at(TODAY, 12)
    # A year ago seven pools took turns, now two: log2 D2 of mining fell from 2.8 to 1.
    year_ago = chain(800_000, at(date(2025, 5, 9), 20), MANY_POOLS, None, 1_100)
    now = chain(801_100, noon - 600, TWO_POOLS, year_ago[-1], 1_200)
    line.send(year_ago + now, events_per_message=300)
    send_releases(line, [owners(MIDDLE, "2025-03-31", at(date(2025, 6, 1)))])
    send_releases(line, [one for one in pypi() if one.period_end >= date(2025, 3, 31)])
    rest(line)
    alerter.set_clock(noon)
    alerter.start()
    alerter.look()
    assert told(line) == [], "mining alone is no regime, and by the real lists the edge share did not fall"
    alerter.set_clock(noon + 10 * 3_600)
    alerter.look()
    assert told(line) == [], "time alone"
    alerter.set_clock(noon + 3_600)

    # AI spreads out while mining concentrates; told at once, without waiting for the day's end.
    send_releases(line, [owners(EQUAL, "2026-03-31", noon + 3_600)])
    expected = [("regime-change", "firing")]
    first = wait_until_told(line, alerter, expected)
    assert reproduced(line, first) == "diverging"
    message = message_of(slack, first)
    assert message.text.startswith("🔴 FIRING: Mining and AI took another direction: AI (ownership, ")
    for part in (
        "diverging (AI spreads, mining concentrates) over the year to 2026-05-10, before: not determined",
        "against Bitcoin mining (operation, pools)",
        "published 2026-05-10; tip 802299",
        "counterpoise sql --name gap_parts",
        f"alert {first.alert_id}",
    ):
        assert part in shown(message), part

    # Half of the edge's downloads are gone, by both lists.
    fall = downloads(0.3, date(2026, 5, 1), noon + 7_200)
    alerter.set_clock(noon + 7_200)
    send_releases(line, [fall])
    expected.append(("edge-share-fall", "firing"))
    edge = wait_until_told(line, alerter, expected)
    assert edge.value is not None and edge.value < -0.2 and edge.threshold == -0.2
    assert reproduced(line, edge) == pytest.approx(edge.value, abs=1e-12)
    said = shown(message_of(slack, edge))
    assert "by list as-filed" in said and "by list without-general-tools" in said and "(developer_pull)" in said

    # Killed with two alerts open, and started again: nothing comes twice.
    before = [(m.key, m.edits) for m in slack.messages]
    alerter.kill()
    alerter.start()
    alerter.look()
    assert told(line) == expected
    assert [(m.key, m.edits) for m in slack.messages] == before

    # The source corrects itself: the edge did not fall.
    alerter.set_clock(noon + 3 * 3_600)
    send_releases(line, [downloads(1.0, date(2026, 5, 1), noon + 3 * 3_600)])
    expected.append(("edge-share-fall", "resolved"))
    mended = wait_until_told(line, alerter, expected)
    assert (mended.alert_id, message_of(slack, mended).thread_ts) == (edge.alert_id, message_of(slack, edge).ts)

    # The owners are restated: four hold 10 points more than a year ago, and both sides concentrate.
    alerter.set_clock(noon + 4 * 3_600)
    send_releases(line, [owners(FEW, "2026-03-31", noon + 4 * 3_600)])
    ended, fired = {("regime-change", "resolved"), ("ai-top4-rise", "firing")}, ("regime-change", "firing")
    wait_for(lambda: set(told(line)[3:]) >= ended | {fired}, "both rules", alerter.log)
    assert len(told(line)) == 6
    [rise] = [row for row in rows(line) if row.rule_id == "ai-top4-rise"]
    assert rise.value == pytest.approx(100 / 130 - 60 / 90)
    assert reproduced(line, rise) == pytest.approx(rise.value, abs=1e-12)
    said = message_of(slack, rise).text
    assert "75.8 % (95 %" in said and "+10.5 points since 2025-03-31" in said
    assert "76.9 % (95 %" in said and "+10.3 points: 5 points or more on both" in said
    second = [row for row in rows(line) if row.rule_id == "regime-change"][-1]
    assert reproduced(line, second) == "both_concentrating"
    assert "both concentrate over the year" in message_of(slack, second).text
    assert message_of(slack, first).text.startswith("🟢 RESOLVED: "), "edited once another call had followed"

    # And restated back: no rise at once, and no call once the day is over.
    alerter.set_clock(noon + 5 * 3_600)
    send_releases(line, [owners(MIDDLE, "2026-03-31", noon + 5 * 3_600)])
    expected = [*told(line), ("ai-top4-rise", "resolved")]
    wait_until_told(line, alerter, expected)
    alerter.look()
    assert told(line) == expected, "a call of today stands until the day is over"
    tomorrow = at(date(2026, 5, 11), 4)
    line.send(chain(802_300, tomorrow, TWO_POOLS, now[-1], 97), events_per_message=97)
    rest(line)
    alerter.set_clock(tomorrow)
    expected.append(("regime-change", "resolved"))
    over = wait_until_told(line, alerter, expected)
    assert (over.alert_id, message_of(slack, over).thread_ts) == (second.alert_id, message_of(slack, second).ts)

    # Killed again, and then time alone: three cadences of 31 days and a lag of 1 after the last snapshot it is stale, no sooner.
    everything = [(m.key, m.edits) for m in slack.messages]
    alerter.kill()
    due = noon + 3 * 3_600 + (3 * 31 + 1) * DAY_SECONDS
    alerter.set_clock(due)
    alerter.start()
    alerter.look()
    assert told(line) == expected
    assert [(m.key, m.edits) for m in slack.messages] == everything
    alerter.set_clock(due + 60)
    expected.append(("series-stale", "firing"))
    stale = wait_until_told(line, alerter, expected)
    assert stale.value == pytest.approx(94, abs=0.01)
    assert reproduced(line, stale) == pytest.approx(stale.value, abs=1e-9)
    assert "pypi-edge-share, last on 2026-05-10, expected every 31 days" in message_of(slack, stale).text
    send_releases(line, [downloads(1.0, date(2026, 8, 1), due)])
    expected.append(("series-stale", "resolved"))
    message_of(slack, wait_until_told(line, alerter, expected))

    keys = [m.key for m in slack.messages]
    assert len(keys) == len(set(keys)) == len(expected)
    assert sum(m.thread_ts is None for m in slack.messages) == 5
    assert all(root.text.startswith("🟢 RESOLVED: ") for root in slack.roots)
    assert line.ch.query("SELECT count() FROM dead_letters") == [(0,)]
    assert worker.stop() == 0, worker.tail()
