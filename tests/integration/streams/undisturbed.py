"""What the messages of the script leave where nothing disturbs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.streams.line import SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.script import Part, send
from tests.integration.streams.tables import assert_consistent


@contextmanager
def run_undisturbed(engines: Engines, parts: list[Part]) -> Iterator[Line]:
    """One worker reads all of them; the line stays for as long as the context."""
    with line_on(engines, "undisturbed") as line:
        worker = line.start(settings=SMALL_BATCHES)
        send(line, parts)
        line.drain()
        assert worker.stop() == 0, worker.tail()
        assert_consistent(line)
        stale, parked = line.ch.query("SELECT countIf(status = 'stale'), countIf(status = 'parked') FROM blocks_all")[0]
        assert stale > 20 and parked == 0
        assert line.ch.query("SELECT uniqExact(chain), uniqExact(reason) FROM blocks, dead_letters")[0] == (2, 2)
        yield line
