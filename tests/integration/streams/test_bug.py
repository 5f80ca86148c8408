"""Something that nobody thought of: the process ends, nothing is acknowledged, and the next one goes on."""

from __future__ import annotations

from streams.service import EXIT_BUG
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import Line
from tests.integration.streams.test_reorgs import assert_chain


def test_a_bug_ends_the_process_and_loses_nothing(line: Line) -> None:
    """ClickHouse refuses a row for a reason that is neither its absence nor a setting: here, a constraint that somebody added."""
    blocks = branch(40)
    worker = line.start()
    line.send(blocks[:20])
    line.drain()
    line.ch.execute(f"ALTER TABLE blocks_log ADD CONSTRAINT surprise CHECK height < {blocks[30].height}")
    line.send(blocks[20:], events_per_message=5)
    assert worker.wait() == EXIT_BUG, worker.tail()
    assert "a bug ends this process; its messages stay unacknowledged" in worker.log()
    assert "surprise" in worker.log(), worker.tail()
    assert line.lag() > 0
    line.ch.execute("ALTER TABLE blocks_log DROP CONSTRAINT surprise")
    again = line.start()
    line.drain()
    assert_chain(line, blocks)
    assert again.stop() == 0, again.tail()
