"""Faust's Kafka transport with a fetch wait of our own, little that is fetched ahead, a check before each commit, a take-over that
may last, and a stop that leaves the group.

Faust hard-codes `fetch_max_wait_ms=1500`. The wait cannot be set from outside, so the worker's consumer gets it before it starts.

Faust buffers thousands of messages of a topic, and one may have a megabyte. Here a topic is fetched while little of it waits, so that
a backlog stays in Kafka and the memory does not grow with it.

A commit waits for `app.before_commit`, because an offset of a topic that was made anew must not be committed (`broker_memory`).

aiokafka sends no heartbeat while a worker takes its new partitions over, and the worker reads stored state then. Where that lasts
longer than the session (a long history, a busy machine), the group would drop the worker, which would join and be dropped again
without end. Its heartbeats begin with the assignment here.

aiokafka leaves a group only from its generation 1 on. The embedded broker counts generations from 0, so the next worker would wait
for the session of one that has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

MAX_WAITING_BYTES: Final = 2 << 20
"""Of messages of a topic that were taken over from Kafka and wait for its agent: about two batches of a backfill."""
_LOOK_AGAIN_SECONDS: Final = 0.02

FAUST_LOG = logging.getLogger("faust.counterpoise")
"""Faust logs a class under the module that defines it; what is Faust's own talk belongs to Faust's name."""
_NOT_TOLD = (
    "Missing sensor state",  # at every first rebalance, without sensors
    "Warning: Task timed out!",  # a first rebalance on a busy machine; the supervisor watches for a stall
    "Please make sure it's hanging before restart.",
)
FAUST_LOG.addFilter(
    lambda record: not any(remark in str(record.msg) for remark in _NOT_TOLD)
)  # each after a service's name


class _PromptThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    logger = FAUST_LOG

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_max_wait_ms
        return consumer

    async def on_start(self) -> None:
        """Start as Faust does. No group is joined yet: it subscribes later."""
        await super().on_start()
        coordinator: Any = self._consumer._coordinator
        coordinator._on_join_complete = partial(_take_over, coordinator, coordinator._on_join_complete)

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        await self.app.before_commit()
        return bool(await super()._commit(offsets))

    async def on_thread_stop(self) -> None:
        """Stop as Faust does: all that was acknowledged is committed by then."""
        coordinator: Any = getattr(self._consumer, "_coordinator", None)  # one without a group has no generation
        if getattr(coordinator, "generation", None) == 0:
            coordinator._maybe_leave_group = partial(_leave_first_generation, coordinator)
        await super().on_thread_stop()


async def _take_over(coordinator: Any, on_join_complete: Callable[..., Awaitable[None]], *joined: Any) -> None:
    """What follows a join, with heartbeats: a group that rebalances meanwhile is joined again once this one has ended."""
    coordinator._start_heartbeat_task()  # `ensure_active_group` starts none where there is one
    await on_join_complete(*joined)


async def _leave_first_generation(coordinator: Any) -> None:
    """What `GroupCoordinator._maybe_leave_group` does in a later generation: one attempt."""
    try:
        await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
    except KafkaError as error:
        FAUST_LOG.info("LeaveGroup request failed, the session ends by itself: %s", error)
    else:
        FAUST_LOG.info("LeaveGroup request succeeded")
    coordinator.reset_generation()


class _PromptConsumer(Consumer):  # type: ignore[misc]
    logger = FAUST_LOG

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's
        """As Faust, of topics of which little waits for its agent. The others have their turn as soon as it took something."""
        full = {topic for topic, waiting in self.app.waiting_bytes().items() if waiting >= MAX_WAITING_BYTES}
        wanted = {partition for partition in active_partitions if partition.topic not in full}
        if not wanted:
            await self.sleep(_LOOK_AGAIN_SECONDS)
            return {}
        is_whole = len(wanted) == len(active_partitions)
        return await super()._getmany(wanted, timeout if is_whole else _LOOK_AGAIN_SECONDS)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)


class PromptTransport(Transport):  # type: ignore[misc]
    """Takes `fetch_max_wait_ms`, `waiting_bytes` and `before_commit` from the app."""

    logger = FAUST_LOG
    Consumer: ClassVar[type] = _PromptConsumer


class NoHttpClient:
    """Stands for Faust's HTTP client, which nothing here uses: the import of aiohttp is a tenth of the CPU time of a start."""


class NoTables(TableManager):  # type: ignore[misc]
    """Faust waits a second at its start for agents to add tables. Ours have none, so that nothing waits."""

    logger = FAUST_LOG

    async def on_start(self) -> None:
        """Start what a rebalance uses, at once."""
        await self._update_channels()
        await self.recovery.start()
