"""`counterpoise run streams` as an operator has it: what falls is started again, and nobody has to know."""

from __future__ import annotations

import os
import signal

import pytest

from counterpoise.kafka.topic_setup import ensure_topics
from tests.integration.streams.line import SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.script import Part, send
from tests.integration.streams.tables import assert_consistent, assert_same
from tests.integration.streams.test_outages import acknowledged
from tests.waiting import wait_for


# Long: both at once under the supervisor; runtime/test_run.py and e2e/chaos/test_kills.py stay.
@pytest.mark.long
def test_a_killed_child_and_a_lost_broker_heal_without_help(
    own_engines: Engines, parts: list[Part], undisturbed: Line
) -> None:
    with line_on(own_engines, "supervised") as line:
        supervisor = line.start(settings=SMALL_BATCHES, supervised=True)
        send(line, parts)
        wait_for(lambda: acknowledged(line, parts) > 0.3 * len(parts), "work", supervisor.tail)
        first = supervisor.status()["pid"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.status()["pid"] != first, "another child", supervisor.tail)
        wait_for(lambda: acknowledged(line, parts) > 0.6 * len(parts), "more work", supervisor.tail)
        done = acknowledged(line, parts)
        line.forget_producer()
        own_engines.kafka.kill()
        own_engines.kafka.restart()
        ensure_topics(line.engines.kafka.target, line.dataset)
        send(line, parts[done:])
        canonical = undisturbed.ch.query("SELECT count() FROM blocks_all")[0][0]
        line.wait_for("SELECT count() FROM blocks_all", canonical)
        line.drain()
        assert_consistent(line)
        assert_same(line, undisturbed, but=("dead_letters",))
        assert supervisor.is_alive()
        assert supervisor.stop() == 0, supervisor.tail()
