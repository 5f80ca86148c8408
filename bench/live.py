"""Live latency: from the append of a block to Kafka to the request that reaches Slack.

    python -m bench.live [--blocks N] [--idle S] [--rules N] [--against COMMIT [--rounds 2]]

Each stage of the way is a row of the table, from the histograms of the services (`counterpoise_latency_seconds`): of one block they
have its exact duration. CPU of the services while nothing comes stands below.

The services run on the embedded engines, Slack is a server on loopback. A rule of the bench's own changes its state at every block,
so that each block ends in a message. Blocks are SPACING_SECONDS apart: the alerter keeps to Slack's pace of about a message a second.

With `--rules N` there are N - 1 further rules, derived from the shipped ones (`bench.many_rules`). Their holds are longer than this
chain's changes, so that they send nothing; some write a row at every block.

With `--against` runs at another commit take turns with ours, and the blocks of all runs of a side count together. The benchmark
itself is this one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from bench.line import wait_for_services
from bench.many_rules import derived_rules
from bench.other_commit import by_turns
from bench.report import Figure, cpu_seconds, machine, table
from bench.stand import engines
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import make_producer
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.service_metrics import LATENCIES
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from desk.cli.whole_line import Services, start_afresh
from engines.stack import records
from testkit.slack_server import CHANNEL, TOKEN, Failure, SlackServer

WINDOW_BLOCKS = 144
SPACING_SECONDS = 2.6
LIMITS = (("median", 50, 60.0), ("90th percentile", 90, 150.0), ("99th percentile", 99, 150.0))
"""Of the latency: name, percentile and limit in milliseconds."""
PATIENCE_SECONDS = 30.0
HISTORY_SECONDS = 120.0
FIRST_HEIGHT = 900_000

EVERY_BLOCK = {
    "id": "every-block",
    "type": "top_share",
    "title": "Changes at every block",
    "chain": "bitcoin",
    "view": "raw",
    "k": 1,
    "window_blocks": 144,
    "above": 0.5035,
    "for_blocks": 0,
    "clear_below": 0.5034,
}
"""Of 144 blocks the leader has 72 and 73 by turns: 50.0 % and 50.7 %."""

QUIET_HOLDS_BLOCKS = (18, 36, 72)
"""Of the further rules: what lasts has fired before the first block that is news, and what changes at every block never fires."""


@dataclass(slots=True)
class TimedSlack(SlackServer):
    """Notes when each request came."""

    requested_at: list[float] = field(default_factory=list)

    def handle(self, method: str, arguments: dict[str, Any], token: str) -> tuple[int, dict[str, Any], Failure | None]:
        self.requested_at.append(time.time())
        return SlackServer.handle(self, method, arguments, token)


Latency = tuple[int, float]
"""How many durations a histogram has, and the sum of their seconds."""


@dataclass(slots=True)
class Measured:
    """Milliseconds of each block, those of its stages, and CPU seconds of each process while nothing came."""

    latencies_ms: list[float] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    idle_cpu_seconds: dict[str, float] = field(default_factory=dict)


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=100, help="how many blocks are measured")
    parser.add_argument(
        "--idle", type=float, default=30.0, help="seconds without a block, of which the CPU time is told"
    )
    parser.add_argument("--rules", type=int, default=1, help="how many rules there are")
    parser.add_argument("--against", metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each side, with --against")
    parser.add_argument("--json", action="store_true", help="one run as JSON, for --against")
    chosen = parser.parse_args()
    blocks, idle_seconds, rules = int(chosen.blocks), float(chosen.idle), int(chosen.rules)
    configure_logging("text", "error")
    if chosen.against:
        sides = compared(chosen.against, chosen.rounds, ["--blocks", str(blocks), "--rules", str(rules)])
        heading(f"{blocks * chosen.rounds} blocks of each side in {chosen.rounds} rounds, {rules:,} rules")
        print(table(ratios(sides, rules)))
        return
    measured = measure(blocks, idle_seconds, rules)
    if chosen.json:
        print(json.dumps(measured.latencies_ms))
        return
    figures = [
        Figure(
            f"Kafka append to Slack request, {name} of {blocks}",
            float(np.percentile(measured.latencies_ms, percent)),
            "ms",
            limit_ms,
        )
        for name, percent, limit_ms in LIMITS
    ]
    heading(f"{blocks} blocks, {rules:,} rules")
    print(table(figures))
    print("\n".join(["", *stage_rows(measured.stages_ms)]))
    if idle_seconds:
        print(f"\n| CPU of {idle_seconds:.0f} s without a block | seconds |\n|---|---|")
        for name, seconds in measured.idle_cpu_seconds.items():
            print(f"| {name} | {seconds:.2f} |")


def heading(text: str) -> None:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{machine()}; load {load}; {text}\n")


def measure(blocks: int, idle_seconds: float, rules: int) -> Measured:
    """One run on fresh engines."""
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
        path = folder / "rules.yaml"
        document = {"version": 1, "rules": [EVERY_BLOCK, *derived_rules(rules - 1, QUIET_HOLDS_BLOCKS)]}
        path.write_text(json.dumps(document), encoding="utf-8")
        os.environ["COUNTERPOISE_ALERTS__RULES_FILE"] = str(path)
        return run(Settings.load(), slack, blocks, idle_seconds)


def compared(commit: str, rounds: int, options: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of every block of both sides; each run is a process of its own, and the sides take turns."""
    found: dict[str, list[float]] = {"now": [], commit: []}
    for side, printed in by_turns("live", commit, rounds, ["--json", "--idle", "0", *options]):
        found[side] += json.loads(printed)
    return found


def ratios(sides: Mapping[str, Sequence[float]], rules: int) -> list[Figure]:
    """Each percentile of the first side beside that of the second."""
    (_, ours), (commit, theirs) = sides.items()
    return [
        Figure(
            f"Kafka append to Slack request, {rules:,} rule{'s' if rules > 1 else ''}, {name}",
            float(np.percentile(ours, percent)),
            "ms",
            float(np.percentile(theirs, percent)),
            against=commit,
        )
        for name, percent, _ in LIMITS
    ]


def stage_rows(stages_ms: Mapping[str, Sequence[float]]) -> list[str]:
    """The table of stages: median and 99th percentile of each, and of how many blocks."""
    rows = ["| stage | median | 99th percentile | blocks |", "|---|---|---|---|"]
    for step, values in stages_ms.items():
        median, high = np.percentile(values, [50, 99])
        rows.append(f"| `{step}` | {median:,.1f} ms | {high:,.1f} ms | {len(values)} |")
    return rows


def between(before: Mapping[str, Latency], after: Mapping[str, Latency]) -> dict[str, float]:
    """Milliseconds of each step of which exactly one duration was added."""
    found = {}
    for step, (count, seconds) in after.items():
        count_before, seconds_before = before.get(step, (0, 0.0))
        if count == count_before + 1:
            found[step] = (seconds - seconds_before) * 1000
    return found


def latencies(settings: Settings) -> dict[str, Latency]:
    """What both services have measured so far, by step, as their status files have it."""
    found: dict[str, Latency] = {}
    for service in LATENCIES:
        said = read_status(settings.run_dir, service) or {}
        for one in said.get("latencies", ()):
            found[one["step"]] = sum(one["counts"]), one["seconds"]
    return found


def wait_judged(settings: Settings, height: int) -> None:
    """Until the alerter has followed the history: a thousand rules take longer over it than streams does."""
    deadline = time.monotonic() + HISTORY_SECONDS
    while (read_status(settings.run_dir, "alerts") or {}).get("info", {}).get("height") != height:
        if time.monotonic() > deadline:
            raise SystemExit(f"the history is not judged: see {settings.run_dir / 'services.log'}")
        time.sleep(0.1)


def run(settings: Settings, slack: TimedSlack, blocks: int, idle_seconds: float) -> Measured:
    start_afresh(settings)
    chain = Chain(time.time())
    producer = make_producer(kafka_target(settings), "bench")
    topic = BLOCKS.full_name(settings.dataset)

    def send(events: list[BlockEvent]) -> float:
        """Publish and return when the broker had appended them."""
        value = encode(events, kind=BLOCK_KIND, dataset=settings.dataset, producer="bench", sent_at_ms=0)
        producer.send(topic, key=b"bitcoin", value=value).get(timeout=30)
        return time.time()

    measured = Measured()
    try:
        with Services(settings, settings.run_dir / "services.log"):
            pids = wait_for_services(settings) | {record.name: record.pid for record in records(settings.state_dir)}
            send(list(chain.events))
            wait_judged(settings, chain.events[-1].height)
            time.sleep(SPACING_SECONDS)
            if idle_seconds:
                print(f"{idle_seconds:.0f} s without a block", file=sys.stderr, flush=True)
                cpu = {name: cpu_seconds(pid) for name, pid in pids.items()}
                time.sleep(idle_seconds)
                measured.idle_cpu_seconds = {name: cpu_seconds(pid) - cpu[name] for name, pid in pids.items()}
            for number in range(blocks):
                if number % 20 == 0:
                    print(f"block {number} of {blocks}", file=sys.stderr, flush=True)
                known = latencies(settings)
                before = len(slack.requested_at)
                appended = send([chain.next()])
                deadline = time.monotonic() + PATIENCE_SECONDS
                while len(slack.requested_at) == before:
                    if time.monotonic() > deadline:
                        raise SystemExit(
                            f"no message after {PATIENCE_SECONDS} s: see {settings.run_dir / 'services.log'}"
                        )
                    time.sleep(0.002)
                measured.latencies_ms.append((slack.requested_at[before] - appended) * 1000)
                time.sleep(SPACING_SECONDS)
                for step, milliseconds in between(known, latencies(settings)).items():
                    measured.stages_ms.setdefault(step, []).append(milliseconds)
    finally:
        producer.close()
    return measured


if __name__ == "__main__":
    main()
