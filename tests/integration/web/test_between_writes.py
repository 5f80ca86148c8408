"""A reader between two inserts of a block: every panel is drawn, whichever tables have the block already."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from counterpoise.clickhouse import pool_blocks
from counterpoise.clickhouse.client import ClickHouse, connect, finish
from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.pool_blocks import UNKNOWN, read_pool_blocks
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.topics import BLOCKS
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.windows import RAW, WINDOWS_BLOCKS
from desk.asker import Memory
from desk.web.drawing import draw_panel
from desk.web.panels.panel import PageContext
from desk.web.panels.panel_registry import PANELS
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore
from tests.engines import ClickHouseServer
from tests.integration.streams.blocks import HARD_BITS, block, branch
from tests.integration.streams.envelopes import envelope_of
from tests.long import long
from tests.template import make_database

WINDOW = 144


class Halting(ClickHouse):
    """Stores the tables of a step one after the other in a drawn order, and calls `after` between them."""

    after: Callable[[str], None] | None = None
    rng = random.Random(0)

    def begin_insert(self, table: str, columns: Mapping[str, Column]) -> Generator[None, None, int]:
        for _ in range(self.rng.randint(1, 3)):  # the more steps before it sends, the later it is stored
            yield
        stored = finish(super().begin_insert(table, columns))
        if self.after is not None:
            self.after(table)
        return stored

    def beside(self, number: int) -> ClickHouse:
        return self


@pytest.mark.parametrize("seed", [0, *long(1, 2)])
def test_every_panel_is_drawn_after_every_insert(
    seed: int, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = f"between_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(dataset, "live"))
    context = PageContext(dataset, "live", "bitcoin", WINDOW, None, datetime.now(UTC))
    writing = Halting(clickhouse.target, dataset)
    writing.rng = random.Random(seed)
    stored: list[str] = []

    with ExitStack() as stack:
        reading = stack.enter_context(connect(clickhouse.target, dataset))
        status = stack.enter_context(ServiceStatus("streams", tmp_path, SystemClock()))
        waiter = Waiter(SystemClock(), status, lambda: False)
        worker = stack.enter_context(
            closing(BlockWorker(WorkerStore(writing, waiter), dataset=dataset, limit=DeadLetterLimit(0, 0.5)))
        )
        worker.assign(frozenset(range(BLOCKS.partitions)))

        def send(events: list) -> None:  # type: ignore[type-arg]
            worker.handle([RawMessage(*envelope_of(dataset, events))])

        def look(table: str) -> None:
            stored.append(table)
            window = read_pool_blocks(reading, "bitcoin", WINDOW)
            assert UNKNOWN not in window.raw and "" not in window.raw
            assert sum(window.raw.values()) <= window.views[RAW].n
            memory = Memory()
            for panel in PANELS.values():
                assert draw_panel(reading, panel, context, memory).markup, f"{panel.name} after {table}"

        trunk = branch(1_160)
        send(trunk)
        writing.after = look
        grown = block(trunk[-1].height + 1, trunk[-1].hash, label="antpool")
        send([grown])
        parent, heavier = trunk[-2], []
        for old in (trunk[-1], grown):
            parent = block(old.height, parent.hash, label="luxor", bits=HARD_BITS, salt="heavier")
            heavier.append(parent)
        send(heavier)

        def waits(_: float) -> None:
            raise AssertionError("what is stored whole agrees at the first reading")

        monkeypatch.setattr(pool_blocks, "sleep", waits)
        for window in WINDOWS_BLOCKS:
            for height in (None, parent.height, parent.height - 1, trunk[500].height):
                found = read_pool_blocks(reading, "bitcoin", window, height)
                assert found.tip_hash == {block.height: block.hash for block in (*trunk, *heavier)}[found.height]
    assert {"blocks_log", "attributions_log", "concentration_latest_log", "concentration_log"} <= set(stored), stored
