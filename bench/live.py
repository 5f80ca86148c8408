"""Live latency: from the append of a block to Kafka to the request that reaches Slack.

    python -m bench.live [--blocks N]

The services run on the embedded engines, Slack is a server on loopback. A rule of the bench's own changes its state at every block,
so that each block ends in a message. Blocks are SPACING_SECONDS apart: the alerter keeps to Slack's pace of about a message a second.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from bench.line import wait_for_services
from bench.report import Figure, machine
from bench.stand import engines
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import make_producer
from counterpoise.runtime.logs import configure_logging
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from desk.cli.whole_line import Services, start_afresh
from testkit.slack_server import CHANNEL, TOKEN, Failure, SlackServer

WINDOW_BLOCKS = 144
SPACING_SECONDS = 2.6
P99_LIMIT_MS = 500.0
PATIENCE_SECONDS = 30.0
FIRST_HEIGHT = 900_000

RULES = """
version: 1
rules:
  - id: every-block
    type: top_share
    title: Changes at every block
    chain: bitcoin
    view: raw
    k: 1
    window_blocks: 144
    above: 0.5035
    for_blocks: 0
    clear_below: 0.5034
"""
"""Of 144 blocks the leader has 72 and 73 by turns: 50.0 % and 50.7 %."""


@dataclass(slots=True)
class TimedSlack(SlackServer):
    """Notes when each request came."""

    requested_at: list[float] = field(default_factory=list)

    def handle(self, method: str, arguments: dict[str, Any], token: str) -> tuple[int, dict[str, Any], Failure | None]:
        self.requested_at.append(time.time())
        return SlackServer.handle(self, method, arguments, token)


class Chain:
    """Two pools by turns; every new block is by the other pool than the one that leaves the window, so the leader's count toggles."""

    def __init__(self, now: float) -> None:
        self.labels: list[str] = []
        self.events: list[BlockEvent] = []
        self._tip = "00" * 32
        start = int(now) - 600 * (2 * WINDOW_BLOCKS + 4)
        for index in range(2 * WINDOW_BLOCKS):
            self._append("antpool" if index % 2 else "foundryusa", start + 600 * index)

    def next(self) -> BlockEvent:
        """The next block, mined now."""
        leaving = self.labels[-WINDOW_BLOCKS]
        return self._append("antpool" if leaving == "foundryusa" else "foundryusa", int(time.time()))

    def _append(self, label: str, at: int) -> BlockEvent:
        height = FIRST_HEIGHT + len(self.events)
        block_hash = sha256(f"{self._tip}{height}{label}".encode()).hexdigest()
        event = BlockEvent(
            chain="bitcoin",
            height=height,
            hash=block_hash,
            prev_hash=self._tip,
            time=at,
            bits=0x1D00FFFF,
            label=label,
            source="replay",
            seen_at_ms=at * 1000,
            synthetic=True,
        )
        self._tip = block_hash
        self.labels.append(label)
        self.events.append(event)
        return event


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=100, help="how many blocks are measured")
    blocks: int = parser.parse_args().blocks
    configure_logging("text", "error")
    with (
        TimedSlack() as slack,
        engines(
            COUNTERPOISE_ALERTS__NOTIFIER="slack",
            COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE="true",
            COUNTERPOISE_SLACK__BASE_URL=slack.base_url,
            COUNTERPOISE_SLACK__TOKEN=TOKEN,
            COUNTERPOISE_SLACK__CHANNEL=CHANNEL,
        ) as folder,
    ):
        rules = folder / "rules.yaml"
        rules.write_text(RULES, encoding="utf-8")
        os.environ["COUNTERPOISE_ALERTS__RULES_FILE"] = str(rules)
        latencies_ms = np.array(run(Settings.load(), slack, blocks))
    p50, p90, p99 = np.percentile(latencies_ms, [50, 90, 99])
    print(f"{machine()}\n")
    print("| figure | measured | against | ratio |\n|---|---|---|---|")
    for name, value in (("median", p50), ("90th percentile", p90), ("99th percentile", p99)):
        print(Figure(f"Kafka append to Slack request, {name} of {blocks}", float(value), "ms", P99_LIMIT_MS).line())


def run(settings: Settings, slack: TimedSlack, blocks: int) -> list[float]:
    start_afresh(settings)
    chain = Chain(time.time())
    producer = make_producer(kafka_target(settings), "bench")
    topic = BLOCKS.full_name(settings.dataset)

    def send(events: list[BlockEvent]) -> float:
        """Publish and return when the broker had appended them."""
        value = encode(events, kind=BLOCK_KIND, dataset=settings.dataset, producer="bench", sent_at_ms=0)
        producer.send(topic, key=b"bitcoin", value=value).get(timeout=30)
        return time.time()

    latencies_ms = []
    try:
        with Services(settings, settings.run_dir / "services.log"):
            wait_for_services(settings)
            send(list(chain.events))
            time.sleep(SPACING_SECONDS)
            for _ in range(blocks):
                before = len(slack.requested_at)
                appended = send([chain.next()])
                deadline = time.monotonic() + PATIENCE_SECONDS
                while len(slack.requested_at) == before:
                    if time.monotonic() > deadline:
                        raise SystemExit(
                            f"no message after {PATIENCE_SECONDS} s: see {settings.run_dir / 'services.log'}"
                        )
                    time.sleep(0.002)
                latencies_ms.append((slack.requested_at[before] - appended) * 1000)
                time.sleep(SPACING_SECONDS)
    finally:
        producer.close()
    return latencies_ms


if __name__ == "__main__":
    main()
