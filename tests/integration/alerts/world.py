"""A chain of scored blocks that a test makes up: rows of concentration_log and the messages that tell of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts.rule_tests.window_series import further_columns
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent, WindowScore
from counterpoise.contracts.topics import SCORES
from counterpoise.kafka.clients import make_producer
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from testkit.slack_server import CHANNEL, TOKEN, SlackServer
from tests.waiting import PATIENCE_SECONDS

N = 1008
OVER, BETWEEN, CLEAR = 757, 750, 735
"""Blocks of the top four among 1008: 75.1 % (756 is 75 % exactly), 74.4 %, 72.9 %."""

FIRST_TIME = 1_690_000_000
POOLS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


def block_hash(branch: str, height: int) -> str:
    return hashlib.sha256(f"{branch}:{height}".encode()).hexdigest()


class World:
    """`mine` adds blocks, `reorg` replaces the last ones; `tell` sends the score message of what came last."""

    def __init__(self, settings: Settings, first_height: int = 800_000, first_time: int = FIRST_TIME) -> None:
        self.settings = settings
        self.ch: ClickHouse = connect(clickhouse_target(settings), settings.dataset)
        self.first, self.first_time = first_height, first_time
        self.attribution_id = "set-a"
        self.rows: list[tuple[int, str, int, int]] = []  # height, hash, blocks of the top four, unknown
        self._versions = Versions(1)
        self._version = 0
        self._producer: Any = None
        self._from = first_height
        self.tells_all = True
        """False: messages as versions before `stored` sent them."""
        self.name_set(self.attribution_id)
        self.flip(self.attribution_id)

    def close(self) -> None:
        self.ch.close()
        if self._producer is not None:
            self._producer.close()

    def forget_producer(self) -> None:
        """Leave one whose broker is gone."""
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    @property
    def height(self) -> int:
        return self.rows[-1][0] if self.rows else self.first - 1

    def time_of(self, height: int) -> int:
        return self.first_time + 600 * (height - self.first)

    def name_set(self, attribution_id: str) -> None:
        codes = len(POOLS)
        self.ch.insert(
            "pool_names_log",
            {
                "attribution_id": [attribution_id] * codes,
                "view": ["raw"] * codes,
                "code": np.arange(1, codes + 1, dtype=np.uint16),
                "slug": list(POOLS),
                "name": [name.title() for name in POOLS],
                "version": np.full(codes, 1, np.uint64),
            },
        )

    def flip(self, attribution_id: str) -> None:
        self.attribution_id = attribution_id
        self.ch.insert(
            "attribution_pointer_log",
            {
                "chain": ["bitcoin"],
                "attribution_id": [attribution_id],
                "flipped_at": np.array([0], np.int64),
                "version": np.array([self._versions.next()], np.uint64),
            },
        )

    def mine(self, tops: Sequence[int], *, branch: str = "a", unknown: int = 0, tell: bool = False) -> None:
        self._from = self.height + 1
        added = [(self._from + i, block_hash(branch, self._from + i), top, unknown) for i, top in enumerate(tops)]
        self.rows += added
        self.score(added)
        if tell:
            self.tell()

    def reorg(self, fork: int, tops: Sequence[int], *, branch: str, tell: bool = False) -> None:
        """Everything above `fork` is undone; `tops` is the branch that won, longer or not."""
        undone = [row for row in self.rows if row[0] > fork + len(tops)]
        self.rows = [row for row in self.rows if row[0] <= fork]
        added = [(fork + 1 + i, block_hash(branch, fork + 1 + i), top, 0) for i, top in enumerate(tops)]
        self.rows += added
        self._from = fork + 1
        self.score(added, undone)
        if tell:
            self.tell()

    def rewrite(self, from_height: int) -> None:
        """Write the rows from a height on again, and tell."""
        self._from = from_height
        self.score([row for row in self.rows if row[0] >= from_height])
        self.tell()

    def score(
        self,
        rows: Sequence[tuple[int, str, int, int]],
        undone: Sequence[tuple[int, str, int, int]] = (),
        *,
        attribution_id: str | None = None,
    ) -> None:
        """Write rows of both windows that the alerter reads, and tombstones."""
        every = [*rows, *undone]
        if not every:
            return
        self._version = self._versions.next()
        dead = np.array([0] * len(rows) + [1] * len(undone), np.uint8)
        for window in (144, N):
            tops = np.array([row[2] * window // N if window != N else row[2] for row in every], np.int64)
            counts = [(tops + 3 - i) // 4 for i in range(4)]
            rest = window - tops - np.array([row[3] * window // N for row in every], np.int64)
            counts += [rest - rest // 3, rest // 3]
            size = len(every)
            columns: dict[str, Any] = {
                "attribution_id": [attribution_id or self.attribution_id] * size,
                "chain": ["bitcoin"] * size,
                "view": ["raw"] * size,
                "window_blocks": np.full(size, window, np.uint16),
                "height": np.array([row[0] for row in every], np.uint32),
                "tip_hash": [bytes.fromhex(row[1]) for row in every],
                "time": np.array([self.time_of(row[0]) * 1000 for row in every], np.int64),
                "n": np.full(size, window, np.uint16),
                "unknown": np.array([row[3] * window // N for row in every], np.uint16),
                "window_full": np.full(size, True),
                "pools_seen": np.full(size, 6, np.uint16),
                "p_top4_above_75": np.full(size, 0.5),
                "version": np.full(size, self._version, np.uint64),
                "is_deleted": dead,
            }
            unknown = np.array([row[3] * window // N for row in every], np.int64)
            columns |= further_columns(np.stack(counts, axis=1), unknown)
            columns |= {f"c{i + 1}": count.astype(np.uint16) for i, count in enumerate(counts)}
            columns |= {f"l{i + 1}": np.full(size, i + 1, np.uint16) for i in range(6)}
            self.ch.insert("concentration_log", columns)

    def insert_counts(
        self,
        pools: npt.NDArray[np.int64],
        unknown: npt.NDArray[np.int64],
        leaders: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Rows of the week's window from the first height on: the blocks of each pool, largest first, and of nobody.

        `leaders` are the codes of the largest six in each row; 1 to 6 if left out.
        """
        size = len(pools)
        columns: dict[str, Any] = {
            "attribution_id": [self.attribution_id] * size,
            "chain": ["bitcoin"] * size,
            "view": ["raw"] * size,
            "window_blocks": np.full(size, N, np.uint16),
            "height": np.arange(self.first, self.first + size, dtype=np.uint32),
            "tip_hash": [bytes.fromhex(block_hash("a", height)) for height in range(size)],
            "time": np.arange(size, dtype=np.int64) * 600_000,
            "n": (pools.sum(axis=1) + unknown).astype(np.uint16),
            "unknown": unknown.astype(np.uint16),
            "window_full": np.full(size, True),
            "pools_seen": (pools > 0).sum(axis=1).astype(np.uint16),
            "p_top4_above_75": np.linspace(0, 1, size),
            "version": np.full(size, 1, np.uint64),
            "is_deleted": np.zeros(size, np.uint8),
        }
        columns |= further_columns(pools, unknown)
        columns |= {f"c{rank}": pools[:, rank - 1].astype(np.uint16) for rank in range(1, 7)}
        codes = np.tile(np.arange(1, 7), (size, 1)) if leaders is None else leaders
        columns |= {f"l{rank}": codes[:, rank - 1].astype(np.uint16) for rank in range(1, 7)}
        self.ch.insert("concentration_log", columns)

    def event(self) -> ScoreEvent:
        """The message for the tip."""
        height, tip, top, unknown = self.rows[-1]
        parent = next((row[1] for row in self.rows if row[0] == self._from - 1), "00" * 32)
        return ScoreEvent(
            chain="bitcoin",
            from_height=self._from,
            height=height,
            tip_hash=tip,
            parent_hash=parent,
            time=self.time_of(height),
            version=self._version,
            attribution_id=self.attribution_id,
            scored_at_ms=0,
            windows=tuple(self._window(size, top * size // N, unknown * size // N) for size in (144, N)),
        )

    def _window(self, size: int, top: int, unknown: int) -> WindowScore:
        counts = [(top + 3 - i) // 4 for i in range(4)]
        rest = size - top - unknown
        counts += [rest - rest // 3, rest // 3]
        further = further_columns(np.array([counts]), np.array([unknown]))
        return WindowScore(
            view="raw",
            window_blocks=size,
            n=size,
            unknown=unknown,
            pools_seen=6,
            leaders=tuple(zip(POOLS, counts, strict=False)),
            p_top4_above_75=0.5,
            stored={name: values[0].item() for name, values in further.items()} if self.tells_all else {},
        )

    def tell(self) -> None:
        """Send the message to Kafka."""
        if self._producer is None:
            self._producer = make_producer(kafka_target(self.settings), "test")
        raw = encode([self.event()], kind=SCORE_KIND, dataset=self.settings.dataset, producer="test", sent_at_ms=0)
        self._producer.send(SCORES.full_name(self.settings.dataset), key=b"bitcoin", value=raw).get(
            timeout=PATIENCE_SECONDS
        )


def with_slack(
    settings: Settings, slack: SlackServer, state_dir: Path, *, timeout_seconds: float = PATIENCE_SECONDS, **more: Any
) -> Settings:
    """The same settings with a bot token in a file and the test channel."""
    state_dir.mkdir(parents=True, exist_ok=True)
    token = state_dir / "slack-token"
    token.write_text(TOKEN + "\n")
    return settings.model_copy(
        update={
            "slack": settings.slack.model_copy(
                update={
                    "token_file": token,
                    "channel": CHANNEL,
                    "base_url": slack.base_url,
                    "timeout_seconds": timeout_seconds,
                }
            ),
            "alerts": settings.alerts.model_copy(
                update={"notifier": "slack", "allow_slack_when_not_live": True, "tick_seconds": 0.05}
            ),
            **more,
        }
    )


def with_rules(settings: Settings, *rules: str) -> Settings:
    """The same settings with a file of these rules, each a YAML mapping of one line; written again, it is the same file."""
    file = settings.state_dir / "rules.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("version: 1", "rules:", *(f"  - {rule}" for rule in rules))) + "\n")
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update={"rules_file": file})})


@contextmanager
def a_world(settings: Settings, **more: Any) -> Iterator[World]:
    world = World(settings, **more)
    try:
        yield world
    finally:
        world.close()
