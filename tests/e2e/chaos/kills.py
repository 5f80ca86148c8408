"""Kill -9 through a replay: at crash points and at random moments, each with the proof that it hit a process at work.

A `Plan` says which crash points the first processes of each service get, and what is killed between the first and the last block.
`Round` starts what was killed again, on its ports and data, until the line has decided the last block.
"""

from __future__ import annotations

import json
import random
import signal
import time
from dataclasses import dataclass, field

from streams.service import EXIT_TOPICS_CHANGED
from tests.e2e.chaos.line import SERVICES, Blocks, Line, Process

ENGINES = ("clickhouse", "broker")


@dataclass(frozen=True, slots=True)
class Plan:
    """`points`: crash points of the successive processes of a service. `at_random`: kinds to kill, as often as they are named."""

    points: dict[str, tuple[str, ...]]
    at_random: tuple[str, ...]

    @property
    def kills(self) -> int:
        """How many there are."""
        return len(self.at_random) + sum(map(len, self.points.values()))


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. `held` is the highest block that ClickHouse held just before; `proof` what showed that the process was mid-work."""

    kind: str
    at: str
    pid: int
    held: int
    proof: str

    def __str__(self) -> str:
        return f"{self.kind:<10} {self.at:<28} pid {self.pid:<7} held {self.held}  {self.proof}"


@dataclass
class Round:
    """One line under one plan."""

    line: Line
    blocks: Blocks
    plan: Plan
    seed: int
    kills: list[Kill] = field(default_factory=list)
    _running: dict[str, Process] = field(default_factory=dict)
    _points: dict[str, list[str]] = field(default_factory=dict)

    def run(self, timeout_seconds: float) -> list[Kill]:
        """Every kill of the plan, and then to the end. Prints the seed first and the kills as they come.

        It fails after `timeout_seconds` without progress: no new block, judgement or kill.
        """
        print(f"\nseed {self.seed}: {self.plan.kills} kills in {self.blocks.last - self.blocks.first + 1} blocks")
        chance = random.Random(self.seed)
        due = self._moments(chance)
        self._points = {service: list(self.plan.points.get(service, ())) for service in SERVICES}
        for service in SERVICES:
            self._start(service)
        reached, deadline = self._progress(), time.monotonic() + timeout_seconds
        while due or self._points_left() or not self.line.decided(self.blocks.last):
            if (now := self._progress()) != reached:
                reached, deadline = now, time.monotonic() + timeout_seconds
            assert time.monotonic() < deadline, f"still to come: {due}, {self._points}\n{self.line.explain()}"
            self._tend(chance)
            held = self.line.held()
            for moment in due:
                if self._reached(moment[1], held) >= moment[0] and self._works(moment[1], held):
                    due.remove(moment)
                    self._kill(moment[1], held, chance)
                    break
            time.sleep(0.1)
        self.line.stop()
        return self.kills

    def _moments(self, chance: random.Random) -> list[tuple[int, str]]:
        """(height from which it is due, kind), spread over the middle of the blocks so that each falls amid work."""
        kinds = list(self.plan.at_random)
        chance.shuffle(kinds)
        size = self.blocks.last - self.blocks.first
        share = 0.85 / max(1, len(kinds))
        return [
            (self.blocks.first + int(size * (0.02 + share * (i + chance.random()))), kind)
            for i, kind in enumerate(kinds)
        ]

    def _start(self, service: str) -> None:
        points = self._points[service]
        crash = points[0] if points else ""
        self._running[service] = self.line.start(service, crash=crash)

    def _progress(self) -> tuple[object, ...]:
        """What changes while the line works."""
        heights = (
            process.info().get(name)
            for process in self._running.values()
            for name in ("published_height", "last_height", "height")
        )
        return len(self.kills), *heights

    def _points_left(self) -> bool:
        return any(self._points.values())

    def _reached(self, kind: str, held: int) -> int:
        """How far the line is as its kind sees it: ingest runs ahead of what ClickHouse holds."""
        return int(self._running[kind].info().get("published_height") or 0) if kind == "ingest" else held

    def _works(self, kind: str, held: int) -> bool:
        """Whether a kill at random would hit work: not a process that starts, or whose crash point is still to come."""
        if (
            kind in ENGINES
        ):  # also while streams waits for the other one: to wait until it works may be to wait for the end
            streams = self._running["streams"]
            return (
                streams.is_alive()
                and streams.status().get("state") in ("working", "waiting")
                and held < self.blocks.last
            )
        process = self._running[kind]
        if process.crash or not process.is_alive():
            return False
        info = process.info()
        at = int(info.get({"ingest": "published_height", "streams": "last_height", "alerts": "height"}[kind]) or 0)
        if kind == "ingest":  # which works until ClickHouse holds all that it published
            return at > self.blocks.first and held < self.blocks.last
        return self.blocks.first < at < self.blocks.last

    def _tend(self, chance: random.Random) -> None:
        """Start again what a crash point killed. No outage may end a process, except that a stream worker starts over where the
        embedded broker came back empty: the offsets that it holds mean nothing there.
        """
        for service, process in list(self._running.items()):
            code = process.process.poll()
            if code is None:
                continue
            if (service, code) == ("streams", EXIT_TOPICS_CHANGED) and any(
                kill.kind == "broker" for kill in self.kills
            ):
                print(f"{service:<10} ended by itself: the broker has lost its memory", flush=True)
                self._start(service)
                continue
            assert code == -signal.SIGKILL and process.crash, f"{service} ended with {code}:\n{process.tail(40)}"
            name = process.crash.partition(":")[0]
            proof = f"crash point {name} reached: killing {process.pid}"
            assert proof in process.log(), process.tail()
            self._note(Kill(service, process.crash, process.pid, self.line.held(), f"“{proof}”; {_said(process)}"))
            self._points[service].pop(0)
            time.sleep(chance.uniform(0.0, 0.5))
            self._start(service)

    def _kill(self, kind: str, held: int, chance: random.Random) -> None:
        if kind == "clickhouse":
            engine = self.line.clickhouse
            pid = engine.process.pid
            engine.kill()
            time.sleep(chance.uniform(0.1, 1.5))
            engine.restart()
            self._note(Kill(kind, "at random", pid, held, self._said_by_all()))
            return
        if kind == "broker":
            broker = self.line.kafka
            pid = broker.pid
            broker.kill()
            time.sleep(chance.uniform(0.1, 1.5))
            broker.restart()
            self._note(Kill(kind, "at random", pid, held, self._said_by_all()))
            return
        process = self._running[kind]
        proof = _said(process)
        process.kill()
        self._note(Kill(kind, "at random", process.pid, held, proof))
        time.sleep(chance.uniform(0.0, 0.5))
        self._start(kind)

    def _note(self, kill: Kill) -> None:
        print(kill, flush=True)
        self.kills.append(kill)

    def _said_by_all(self) -> str:
        return "; ".join(_said(process) for process in self._running.values())


def _said(process: Process) -> str:
    """Where a service said it was, just before."""
    status = process.status(own=False)
    info = status.get("info", {})
    shown = {key: info[key] for key in ("published_height", "last_height", "height", "undelivered") if key in info}
    return f"{process.service} {status.get('state')} {json.dumps(shown)}"
